/* Stands in for native.c in a build without code generation. */
#include "driver/native.h"

static ExitCode native_missing(Driver *d) {
    driver_error(d, "this hcc was built without code generation");
    return EXIT_FAULT;
}

ExitCode native_emit(Driver *d, const Network *network, TirProgram *program, const char *stage,
                     FILE *to) {
    (void)network, (void)program, (void)stage, (void)to;
    return native_missing(d);
}
ExitCode native_emit_nest(Driver *d, const char *stage, FILE *to) {
    (void)stage, (void)to;
    return native_missing(d);
}
ExitCode native_gradcheck_evaluator(Driver *d, const Network *network, uint32_t samples,
                                    uint32_t positions, uint64_t seed, GradEvaluator **evaluator) {
    (void)network, (void)samples, (void)positions, (void)seed, (void)evaluator;
    return native_missing(d);
}
ExitCode command_train(Driver *d) {
    return native_missing(d);
}
ExitCode command_eval(Driver *d) {
    return native_missing(d);
}
ExitCode command_sample(Driver *d) {
    return native_missing(d);
}
ExitCode command_bench(Driver *d) {
    return native_missing(d);
}
ExitCode command_build(Driver *d) {
    return native_missing(d);
}
