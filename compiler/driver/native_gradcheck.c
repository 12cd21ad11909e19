/* The gradient check's evaluator over compiled code, in double precision, on one thread. */
#include "driver/gradcheck.h"
#include "driver/pipeline.h"
#include "runtime/hc.h"
#include <string.h>

typedef struct {
    GradEvaluator base;
    LoadedModel loaded;
    HcContext *context;
    ArenaOwned *owned; /* the context */
    HcParameter *params;
    uint32_t n_params;
    uint32_t moved; /* the parameter that is not where `params` has it */
} GradNative;

static void native_copy_param(const GradNative *native, double *const *params, uint32_t k) {
    memcpy(native->params[k].data, params[k], (size_t)native->params[k].count * sizeof(double));
}

static const char *native_evaluate(GradEvaluator *self, double *const *params, uint32_t moved,
                                   double *loss, double *const *gradients) {
    GradNative *native = (GradNative *)self;
    HcContext *context = native->context;
    for (uint32_t k = 0; k < native->n_params; k++)
        if (moved == GRAD_ALL_MOVED || k == moved || k == native->moved)
            native_copy_param(native, params, k);
    native->moved = moved;
    if (hc_forward(context) != HC_OK || hc_loss(context, loss) != HC_OK)
        return hc_last_error(context);
    if (!gradients)
        return NULL;
    if (hc_backward(context) != HC_OK)
        return hc_last_error(context);
    for (uint32_t k = 0; k < native->n_params; k++)
        if (gradients[k])
            memcpy(gradients[k], native->params[k].gradient,
                   (size_t)native->params[k].count * sizeof(double));
    return NULL;
}

static const char *native_hold_input(GradEvaluator *self, uint32_t index, const double *values,
                                     uint64_t count) {
    GradNative *native = (GradNative *)self;
    HcInput input;
    if (hc_input(native->context, index, &input) != HC_OK ||
        hc_set_input(native->context, input.name, values, (int64_t)count) != HC_OK)
        return hc_last_error(native->context);
    return NULL;
}

static void native_release_context(void *context) {
    hc_destroy(context);
}

static void native_destroy(GradEvaluator *self) {
    GradNative *native = (GradNative *)self;
    native->owned->object = NULL;
    hc_destroy(native->context);
    pipeline_unload(&native->loaded);
}

/* Integers become int32 as the runtime takes them. */
static HcStatus native_set_input(Driver *d, HcContext *context, const TirInput *input,
                                 uint64_t seed, uint64_t count) {
    double *values = ARENA_ARRAY(d->c->arena, double, count);
    gradcheck_fill_input(input, seed, count, values);
    if (input->type.elem == TIR_REAL)
        return hc_set_input(context, input->name, values, (int64_t)count);
    int32_t *integers = ARENA_ARRAY(d->c->arena, int32_t, count);
    for (uint64_t k = 0; k < count; k++)
        integers[k] = (int32_t)values[k];
    return hc_set_input(context, input->name, integers, (int64_t)count);
}

/* A large model may not fit; anything else is our fault. */
static ExitCode native_failed(Driver *d, HcStatus status, const char *message) {
    if (status != HC_ERROR_MEMORY)
        return driver_fault(d, "load", message);
    driver_error(d, "%s", message);
    return EXIT_RESOURCE;
}

static ExitCode native_gradcheck_prepare(Driver *d, const Network *network, GradNative *native,
                                         uint32_t samples, uint32_t positions, uint64_t seed) {
    const TirProgram *program = network->program;
    HcError error;
    HcOptions options = {.threads = 1, .samples = samples, .positions = positions};
    HcStatus status = hc_create(native->loaded.model, &options, &native->context, &error);
    if (status != HC_OK)
        return native_failed(d, status, error.message);
    native->owned->object = native->context;
    status = hc_init(native->context, seed); /* what is random is drawn from it, too */
    for (uint32_t k = 0; k < program->inputs.count && status == HC_OK; k++)
        status =
            native_set_input(d, native->context, &program->inputs.at[k], seed,
                             gradcheck_input_elements(&program->inputs.at[k], samples, positions));
    native->n_params = program->params.count;
    native->params = ARENA_ARRAY(d->c->arena, HcParameter, native->n_params);
    for (uint32_t k = 0; k < native->n_params && status == HC_OK; k++)
        status = hc_parameter(native->context, k, &native->params[k]);
    return status == HC_OK ? EXIT_OK : native_failed(d, status, hc_last_error(native->context));
}

ExitCode native_gradcheck_evaluator(Driver *d, const Network *network, uint32_t samples,
                                    uint32_t positions, uint64_t seed, GradEvaluator **evaluator) {
    GradNative *native = ARENA_NEW(d->c->arena, GradNative);
    native->base = (GradEvaluator){native_evaluate, native_hold_input, native_destroy};
    native->moved = GRAD_ALL_MOVED;
    hc_process_init();
    CompileOptions compile = pipeline_options(d);
    compile.f64 = true;
    CompileRun run = pipeline_begin(d, &compile);
    compile_from_program(&run, network->program, PASS_UNROLL);
    *run.network = *network;
    ExitCode code = pipeline_load(d, &run, &native->loaded);
    pipeline_end(d, &run);
    native->owned = arena_own(d->c->arena, native_release_context); /* before the code goes */
    if (code == EXIT_OK)
        code = native_gradcheck_prepare(d, network, native, samples, positions, seed);
    if (code != EXIT_OK)
        native_destroy(&native->base);
    *evaluator = &native->base;
    return code;
}
