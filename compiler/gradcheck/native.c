/* The gradient check's evaluator over compiled code, in double precision, on one thread. */
#include "gradcheck/gradcheck_internal.h"
#include "runtime/hc.h"
#include <string.h>

typedef struct {
    GradEvaluator base;
    Jit *jit;
    const HcModel *model;
    const TirProgram *program;
    GradSize size;
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
    jit_unload(native->jit);
    native->jit = NULL;
}

/* Integers become int32 as the runtime takes them. */
static HcStatus native_set_input(const GradNative *native, const TirInput *input, Arena *arena) {
    const uint64_t count =
        gradcheck_input_elements(input, native->size.samples, native->size.positions);
    double *values = ARENA_ARRAY(arena, double, count);
    gradcheck_fill_input(input, native->size.seed, count, values);
    if (input->type.elem == TIR_REAL)
        return hc_set_input(native->context, input->name, values, (int64_t)count);
    int32_t *integers = ARENA_ARRAY(arena, int32_t, count);
    for (uint64_t k = 0; k < count; k++)
        integers[k] = (int32_t)values[k];
    return hc_set_input(native->context, input->name, integers, (int64_t)count);
}

/* A large model may not fit; anything else is our fault. */
static CompileStatus native_failed(CompileRun *run, HcStatus status, const char *message) {
    run->message = arena_printf(run->c->arena, "%s", message); /* it ends with its context */
    return status == HC_ERROR_MEMORY ? COMPILE_RESOURCES : COMPILE_FAULT;
}

static CompileStatus native_prepare(CompileRun *run, void *context) {
    GradNative *native = context;
    Arena *arena = run->c->arena;
    const TirProgram *program = native->program;
    HcError error;
    HcOptions options = {
        .threads = 1, .samples = native->size.samples, .positions = native->size.positions[0]};
    HcStatus status = hc_create(native->model, &options, &native->context, &error);
    if (status != HC_OK)
        return native_failed(run, status, error.message);
    native->owned->object = native->context;
    for (uint32_t s = 1; s < program->spaces.count && status == HC_OK; s++)
        status = hc_resize_space(native->context, s, native->size.positions[s]);
    if (status == HC_OK)
        status = hc_init(native->context, native->size.seed); /* draws what is random, too */
    if (status == HC_OK)
        status = hc_set_steps_done(native->context, native->size.step);
    for (uint32_t k = 0; k < program->inputs.count && status == HC_OK; k++)
        status = native_set_input(native, &program->inputs.at[k], arena);
    native->n_params = program->params.count;
    native->params = ARENA_ARRAY(arena, HcParameter, native->n_params);
    for (uint32_t k = 0; k < native->n_params && status == HC_OK; k++)
        status = hc_parameter(native->context, k, &native->params[k]);
    return status == HC_OK ? COMPILE_DONE
                           : native_failed(run, status, hc_last_error(native->context));
}

/* Compiles and loads in a run of its own, as the check's is not to go on. */
static CompileStatus native_compile(CompileRun *run, const Network *network, GradNative *native) {
    CompileOptions options = run->options;
    options.precision = (CompilePrecision){true, HC_PRECISION_F64};
    CompileRun own = compile_begin(run->c, &options, &run->watch);
    compile_from_program(&own, network->program, PASS_UNROLL);
    *own.network = *network;
    CompileStatus status = compile_to(&own, PASS_MANIFEST);
    if (status == COMPILE_DONE) {
        own.model = (CodegenModel){.symbol = "hc_compiled_model"};
        status = compile_load(&own);
    }
    native->jit = own.jit;
    native->model = own.loaded;
    run->at = own.at;
    run->message = own.message;
    run->refused = own.refused;
    compile_end(&own);
    return status;
}

CompileStatus gradcheck_native(CompileRun *run, const Network *network, GradSize size,
                               GradEvaluator **evaluator) {
    GradNative *native = ARENA_NEW(run->c->arena, GradNative);
    native->base = (GradEvaluator){native_evaluate, native_hold_input, native_destroy};
    native->moved = GRAD_ALL_MOVED;
    native->program = network->program;
    native->size = size;
    hc_process_init();
    CompileStatus status = native_compile(run, network, native);
    native->owned = arena_own(run->c->arena, native_release_context); /* before the code goes */
    if (status == COMPILE_DONE)
        status = compile_work(run, "load", native_prepare, native);
    if (status == COMPILE_DONE)
        *evaluator = &native->base;
    else
        native_destroy(&native->base);
    return status;
}
