/* The driver of reverse mode, and pass_vjp.
 *
 * requires   a block; a root and a seed of its shape; values `wrt` of the same block
 * maintains  every value there is; ids only grow
 * changes    appends gradient values: walks from the root down to 1, sums what arrived at each
 * value (a flat chain, in order of arrival) and hands it to the op's rule. Linear in the block.
 *
 *     %1 = param 0 : real[]            with root %2 and seed 1:
 *     %2 = exp %1 : real[]             %3 = %2, the gradient of %1 (exp's value is reused)
 */
#include "pass/vjp.h"

static VjpRule *const vjp_rules[] = {
#define OP(ident, ...) tir_grad_##ident,
#include "tir/tir_ops.def"
};

void vjp_begin(Vjp *v, TirBuilder *b, TirId limit, uint32_t n, const TirId *wrt, Arena *scratch) {
    const TirBlock *block = b->block;
    *v = (Vjp){.b = b, .scratch = scratch, .limit = limit};
    v->active = ARENA_ARRAY(scratch, bool, limit);
    v->terms = ARENA_ARRAY(scratch, VjpTerm *, limit);
    v->results = ARENA_ARRAY(scratch, TirId *, limit);
    for (uint32_t k = 0; k < n; k++)
        v->active[wrt[k]] = true;
    for (TirId id = 1; id < limit; id++) {
        const TirNode *node = &block->nodes.at[id];
        if ((node->type.elem != TIR_REAL && node->type.elem != TIR_TUPLE) || tir_op_stops(node->op))
            continue;
        for (uint32_t k = 0; k < node->n_operands; k++)
            v->active[id] |= v->active[node->operands[k]];
    }
}

void vjp_finish(Vjp *v, uint32_t n, const TirId *wrt, TirId *gradients) {
    TirId *adjoints = ARENA_ARRAY(v->scratch, TirId, v->limit);
    const Span span = v->b->span;
    const char *name = v->b->name;
    v->b->name = NULL;
    for (TirId id = v->limit; id-- > 1;) {
        const TirNode node = *tir_node(v->b->block, id); /* the rule appends: no pointer survives */
        if (!v->active[id])
            continue;
        v->b->span = node.span;
        const TirId g = adjoints[id] = vjp_sum(v, id);
        if (g || v->results[id])
            vjp_rules[node.op](v, id, &node, g);
    }
    v->b->span = span;
    v->b->name = name;
    for (uint32_t k = 0; k < n; k++)
        gradients[k] = adjoints[wrt[k]];
}

void pass_vjp(TirBuilder *b, TirId root, TirId seed, uint32_t n, const TirId *wrt,
              TirId *gradients) {
    Arena *scratch = arena_create_child(b->program->arena);
    Vjp v;
    TirId limit = root + 1;
    for (uint32_t k = 0; k < n; k++)
        limit = wrt[k] >= limit ? wrt[k] + 1 : limit;
    vjp_begin(&v, b, limit, n, wrt, scratch);
    vjp_seed(&v, root, seed, tir_node(b->block, root)->type.domain);
    vjp_finish(&v, n, wrt, gradients);
    arena_destroy(scratch);
}
