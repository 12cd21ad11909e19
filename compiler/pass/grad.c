/* Reverse mode for a whole program.
 *
 * requires   a program with one LOSS output, or with inputs that are the upstream gradients of its
 *            RESULT outputs, or of its inputs by other ways; no gradients yet
 * maintains  every output and its value
 * changes    adds a GRAD output for each parameter that is not frozen and has a path to the loss,
 *            or to a result with an upstream gradient; with these also an INPUT_GRAD output for
 *            each such input that is a real number. Sets n_forward. Loops on that path are rebuilt
 *            to stack what their adjoint reads, so values may be renumbered: ids from before do not
 *            survive.
 *
 *     output loss "loss" 0 %9    →    output grad "w" 0 %17    forward 9
 */
#include "pass/rebuild.h"

/* What gradients are wanted of: PARAM and INPUT nodes, each once. */
typedef struct {
    TirIdVec values;
    TirId *of_param, *of_input; /* by index: the value; 0: none */
} Wanted;

static bool has_upstream(const TirProgram *p) {
    for (uint32_t k = 0; k < p->inputs.count; k++)
        if (p->inputs.at[k].upstream || p->inputs.at[k].beside)
            return true;
    return false;
}

static Wanted find_wanted(const TirProgram *p, Arena *scratch) {
    Wanted w = {.of_param = ARENA_ARRAY(scratch, TirId, p->params.count),
                .of_input = ARENA_ARRAY(scratch, TirId, p->inputs.count)};
    const bool of_inputs = has_upstream(p);
    for (TirId id = 1; id < p->block->nodes.count; id++) {
        const TirNode *node = tir_node(p->block, id);
        TirId *of = NULL;
        if (node->op == TIR_PARAM && !p->params.at[node->attr.index].frozen)
            of = &w.of_param[node->attr.index];
        else if (node->op == TIR_INPUT && of_inputs && node->type.elem == TIR_REAL)
            of = &w.of_input[node->attr.index];
        if (!of)
            continue;
        *of = id;
        vec_push(scratch, &w.values, id);
    }
    return w;
}

static TirId loss_of(const TirProgram *p) {
    for (uint32_t k = 0; k < p->outputs.count; k++)
        if (p->outputs.at[k].role == TIR_OUT_LOSS)
            return p->outputs.at[k].value;
    return 0;
}

/* What comes back to the loss, or from the caller to results and inputs. */
static void seed(Vjp *v, const Wanted *w, TirId loss) {
    const TirProgram *p = v->b->program;
    if (loss && v->active[loss])
        vjp_seed(v, loss, tir_real(v->b, 1), TIR_GLOBAL);
    for (uint32_t k = 0; k < p->inputs.count; k++) {
        const TirInput *in = &p->inputs.at[k];
        const TirOutput *of = in->upstream ? tir_find_result(p, in->upstream) : NULL;
        if (of && v->active[of->value])
            vjp_seed(v, of->value, tir_input(v->b, k), in->type.domain);
        const TirInput *given = in->beside ? tir_find_input(p, in->beside) : NULL;
        const TirId value = given ? w->of_input[given - p->inputs.at] : 0;
        if (value)
            vjp_seed(v, value, tir_input(v->b, k), in->type.domain);
    }
}

/* In order of parameters, then of inputs. gradient[value]: 0 where there is none. */
static void add_outputs(TirProgram *p, const Wanted *w, const TirId *gradient) {
    for (uint32_t k = 0; k < p->params.count; k++)
        if (gradient[w->of_param[k]])
            tir_add_output(p, TIR_OUT_GRAD, p->params.at[k].name, k, gradient[w->of_param[k]]);
    for (uint32_t k = 0; k < p->inputs.count; k++)
        if (gradient[w->of_input[k]])
            tir_add_output(p, TIR_OUT_INPUT_GRAD, p->inputs.at[k].name, k,
                           gradient[w->of_input[k]]);
}

void pass_grad(TirProgram *p) {
    const TirId loss = loss_of(p);
    if (!loss && !has_upstream(p))
        return;
    Arena *scratch = arena_create_child(p->arena);
    TirBuilder b = tir_builder(p, p->block);
    const Wanted wanted = find_wanted(p, scratch);
    const uint32_t n = wanted.values.count;
    TirId *gradients = ARENA_ARRAY(scratch, TirId, n);
    TirId *by_value = ARENA_ARRAY(scratch, TirId, p->block->nodes.count);
    p->n_forward = p->block->nodes.count - 1;
    Vjp v;
    vjp_begin(&v, &b, p->n_forward + 1, n, wanted.values.at, scratch);
    seed(&v, &wanted, loss);
    vjp_finish(&v, n, wanted.values.at, gradients);
    for (uint32_t k = 0; k < n; k++)
        by_value[wanted.values.at[k]] = gradients[k];
    add_outputs(p, &wanted, by_value);

    TirId *roots = ARENA_ARRAY(scratch, TirId, p->outputs.count);
    for (uint32_t k = 0; k < p->outputs.count; k++)
        roots[k] = p->outputs.at[k].value;
    p->block =
        pass_substitute_block(p, p->block, &v.replaced, p->outputs.count, roots, &p->n_forward);
    for (uint32_t k = 0; k < p->outputs.count; k++)
        p->outputs.at[k].value = roots[k];
    arena_destroy(scratch);
}
