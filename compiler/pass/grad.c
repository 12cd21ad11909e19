/* Reverse mode for a whole program.
 *
 * requires   a program with one LOSS output; no gradients yet
 * maintains  every output and its value
 * changes    adds a GRAD output for each parameter that is not frozen and has a path to the loss;
 *            sets n_forward. Loops on that path are rebuilt to stack what their adjoint reads, so
 *            values may be renumbered: ids from before do not survive.
 *
 *     output loss "loss" 0 %9    →    output grad "w" 0 %17    forward 9
 */
#include "pass/rebuild.h"

typedef struct {
    TirIdVec values; /* PARAM nodes */
    VEC(uint32_t) indices;
} Trained;

static Trained trained_params(const TirProgram *p, Arena *scratch) {
    Trained t = {0};
    for (TirId id = 1; id < p->block->nodes.count; id++) {
        const TirNode *node = tir_node(p->block, id);
        if (node->op != TIR_PARAM || p->params.at[node->attr.index].frozen)
            continue;
        vec_push(scratch, &t.values, id);
        vec_push(scratch, &t.indices, node->attr.index);
    }
    return t;
}

static TirId loss_of(const TirProgram *p) {
    for (uint32_t k = 0; k < p->outputs.count; k++)
        if (p->outputs.at[k].role == TIR_OUT_LOSS)
            return p->outputs.at[k].value;
    return 0;
}

/* One GRAD output a parameter, in order of parameters. */
static void add_outputs(TirProgram *p, const Trained *trained, const TirId *gradients,
                        Arena *scratch) {
    TirId *by_param = ARENA_ARRAY(scratch, TirId, p->params.count);
    for (uint32_t k = 0; k < trained->values.count; k++)
        by_param[trained->indices.at[k]] = gradients[k];
    for (uint32_t k = 0; k < p->params.count; k++)
        if (by_param[k])
            tir_add_output(p, TIR_OUT_GRAD, p->params.at[k].name, k, by_param[k]);
}

void pass_grad(TirProgram *p) {
    const TirId loss = loss_of(p);
    if (!loss)
        return;
    Arena *scratch = arena_create_child(p->arena);
    TirBuilder b = tir_builder(p, p->block);
    const Trained trained = trained_params(p, scratch);
    TirId *gradients = ARENA_ARRAY(scratch, TirId, trained.values.count);
    p->n_forward = p->block->nodes.count - 1;
    Vjp v;
    vjp_begin(&v, &b, p->n_forward + 1, trained.values.count, trained.values.at, scratch);
    if (v.active[loss])
        vjp_seed(&v, loss, tir_real(&b, 1), TIR_GLOBAL);
    vjp_finish(&v, trained.values.count, trained.values.at, gradients);
    add_outputs(p, &trained, gradients, scratch);

    TirId *roots = ARENA_ARRAY(scratch, TirId, p->outputs.count);
    for (uint32_t k = 0; k < p->outputs.count; k++)
        roots[k] = p->outputs.at[k].value;
    p->block =
        pass_substitute_block(p, p->block, &v.replaced, p->outputs.count, roots, &p->n_forward);
    for (uint32_t k = 0; k < p->outputs.count; k++)
        p->outputs.at[k].value = roots[k];
    arena_destroy(scratch);
}
