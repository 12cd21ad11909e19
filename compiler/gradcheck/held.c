/* The gradient check's evaluator where stop_gradient matters: nothing is learnt through what it
 * holds, so that stays at its value while differences are taken. The gradient is the program's own.
 */
#include "gradcheck/gradcheck_internal.h"

typedef struct {
    GradEvaluator base, *at_point, *between;
    const TirProgram *values;
    const Arena *parent;
    TirBinding binding;
} GradHolding;

static const char *holding_hold(GradHolding *holding, double *const *params) {
    const TirProgram *p = holding->values;
    Arena *scratch = arena_create_child(holding->parent);
    const uint32_t n = p->outputs.count - 1; /* the loss comes first */
    TirId *wanted = ARENA_ARRAY(scratch, TirId, n + 1);
    TirTensor *tensors = ARENA_ARRAY(scratch, TirTensor, n + 1);
    for (uint32_t k = 0; k < n; k++)
        wanted[k] = p->outputs.at[k + 1].value;
    holding->binding.params = (const double *const *)params;
    tir_interpret(p, &holding->binding, n, wanted, tensors, scratch);
    const char *wrong = NULL;
    for (uint32_t k = 0; k < n && !wrong; k++)
        wrong =
            holding->between->set_input(holding->between, p->inputs.count + k, tensors[k].at,
                                        tensors[k].instances * tir_element_count(&tensors[k].type));
    arena_destroy(scratch);
    return wrong;
}

static const char *holding_evaluate(GradEvaluator *self, double *const *params, uint32_t moved,
                                    double *loss, double *const *gradients) {
    GradHolding *holding = (GradHolding *)self;
    GradEvaluator *between = holding->between;
    const char *wrong = NULL;
    if (moved == GRAD_ALL_MOVED) {
        wrong = holding->at_point->evaluate(holding->at_point, params, moved, loss, gradients);
        if (!wrong)
            wrong = holding_hold(holding, params);
    }
    return wrong ? wrong : between->evaluate(between, params, moved, loss, NULL);
}

static void holding_destroy(GradEvaluator *self) {
    GradHolding *holding = (GradHolding *)self;
    GradEvaluator *both[] = {holding->at_point, holding->between};
    for (int k = 0; k < 2; k++)
        if (both[k]->destroy)
            both[k]->destroy(both[k]);
}

GradEvaluator *gradcheck_holding(GradEvaluator *at_point, GradEvaluator *between,
                                 const TirProgram *values, GradSize size, Arena *arena) {
    GradHolding *holding = ARENA_NEW(arena, GradHolding);
    *holding = (GradHolding){
        .base = {.evaluate = holding_evaluate, .destroy = holding_destroy},
        .at_point = at_point,
        .between = between,
        .values = values,
        .parent = arena,
        .binding = gradcheck_binding(values, size, arena),
    };
    return &holding->base;
}
