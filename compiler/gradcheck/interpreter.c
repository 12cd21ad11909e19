/* The gradient check's evaluator over the plain interpreter. */
#include "gradcheck/gradcheck_internal.h"
#include "runtime/run/rng.h"
#include <string.h>

typedef struct {
    GradEvaluator base;
    const TirProgram *program;
    const Arena *parent;
    TirBinding binding;
    TirId loss;
} GradInterpreter;

static const char *interpreter_evaluate(GradEvaluator *self, double *const *params, uint32_t moved,
                                        double *loss, double *const *gradients) {
    (void)moved;
    GradInterpreter *interpreter = (GradInterpreter *)self;
    const TirProgram *p = interpreter->program;
    Arena *scratch = arena_create_child(interpreter->parent);
    uint32_t n_outputs = p->outputs.count, n_wanted = 1;
    TirId *wanted = ARENA_ARRAY(scratch, TirId, n_outputs + 1);
    uint32_t *param_of = ARENA_ARRAY(scratch, uint32_t, n_outputs + 1);
    wanted[0] = interpreter->loss;
    for (uint32_t k = 0; gradients && k < n_outputs; k++)
        if (p->outputs.at[k].role == TIR_OUT_GRAD) {
            param_of[n_wanted] = p->outputs.at[k].index;
            wanted[n_wanted++] = p->outputs.at[k].value;
        }
    TirTensor *tensors = ARENA_ARRAY(scratch, TirTensor, n_wanted);
    interpreter->binding.params = (const double *const *)params;
    tir_interpret(p, &interpreter->binding, n_wanted, wanted, tensors, scratch);
    *loss = tensors[0].at[0];
    for (uint32_t k = 1; k < n_wanted; k++)
        memcpy(gradients[param_of[k]], tensors[k].at,
               tir_element_count(&tensors[k].type) * sizeof(double));
    arena_destroy(scratch);
    return NULL;
}

static const char *interpreter_set_input(GradEvaluator *self, uint32_t index, const double *values,
                                         uint64_t count) {
    const GradInterpreter *interpreter = (GradInterpreter *)self;
    memcpy((double *)interpreter->binding.inputs[index], values, count * sizeof *values);
    return NULL;
}

TirBinding gradcheck_binding(const TirProgram *program, GradSize size, Arena *arena) {
    uint32_t *further = ARENA_ARRAY(arena, uint32_t, HC_SPACES_MOST - 1);
    memcpy(further, size.positions + 1, (HC_SPACES_MOST - 1) * sizeof *further);
    const double **inputs = ARENA_ARRAY(arena, const double *, program->inputs.count);
    for (uint32_t k = 0; k < program->inputs.count; k++) {
        const TirInput *input = &program->inputs.at[k];
        uint64_t count = gradcheck_input_elements(input, size.samples, size.positions);
        double *data = ARENA_ARRAY(arena, double, count);
        gradcheck_fill_input(input, size.seed, count, data);
        inputs[k] = data;
    }
    return (TirBinding){.samples = size.samples,
                        .positions = size.positions[0],
                        .further = further,
                        .inputs = inputs,
                        .training = true, /* at one step: what is random stays what it is */
                        .random_key = hc_rng_step_key(size.seed, size.step),
                        .step = (double)size.step,
                        .steps = (double)size.steps};
}

GradEvaluator *gradcheck_interpreter(const TirProgram *program, GradSize size, Arena *arena) {
    GradInterpreter *interpreter = ARENA_NEW(arena, GradInterpreter);
    *interpreter = (GradInterpreter){
        .base = {.evaluate = interpreter_evaluate, .set_input = interpreter_set_input},
        .program = program,
        .parent = arena,
        .binding = gradcheck_binding(program, size, arena),
    };
    for (uint32_t k = 0; k < program->outputs.count; k++)
        if (program->outputs.at[k].role == TIR_OUT_LOSS)
            interpreter->loss = program->outputs.at[k].value;
    return &interpreter->base;
}
