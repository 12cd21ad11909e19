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

struct VjpTerm {
    TirId value;
    VjpTerm *before;
};

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

bool vjp_wants(const Vjp *v, TirId operand) {
    return v->active[operand];
}

static void vjp_push(Vjp *v, TirId id, TirId contribution) {
    VjpTerm *term = ARENA_NEW(v->scratch, VjpTerm);
    *term = (VjpTerm){contribution, v->terms[id]};
    v->terms[id] = term;
}

void vjp_add(Vjp *v, TirId operand, TirId contribution, TirDomain from) {
    if (!v->active[operand])
        return;
    const TirType *t = vjp_type(v, operand), *c = vjp_type(v, contribution);
    const TirDomain to = t->domain;
    if (t->rank == 0 && c->rank > 0)
        contribution = tir_reduce(v->b, TIR_REDUCE_SUM, contribution, (1u << c->rank) - 1);
    vjp_push(v, operand, tir_domain_sum(v->b, contribution, from, to));
}

void vjp_seed(Vjp *v, TirId value, TirId seed, TirDomain from) {
    vjp_add(v, value, seed, from);
}

/* Contributions in order of arrival, summed from the left. */
static TirId vjp_sum(Vjp *v, TirId id) {
    uint32_t n = 0;
    for (const VjpTerm *t = v->terms[id]; t; t = t->before)
        n++;
    if (n == 0)
        return 0;
    TirId *in_order = ARENA_ARRAY(v->scratch, TirId, n), *to = in_order + n;
    for (const VjpTerm *t = v->terms[id]; t; t = t->before)
        *--to = t->value;
    TirId sum = in_order[0];
    for (uint32_t k = 1; k < n; k++)
        sum = tir_binary(v->b, TIR_ADD, sum, in_order[k]);
    return sum;
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

/* --- what rules share --------------------------------------------------------------------------*/

TirId vjp_zeros(TirBuilder *b, const TirType *like) {
    return tir_broadcast(b, tir_real(b, 0), like->rank, like->dims, NULL);
}

static TirId identity_table(TirBuilder *b, uint32_t n) {
    double *data = ARENA_ARRAY(b->program->arena, double, (size_t)n *n);
    for (uint32_t k = 0; k < n; k++)
        data[(size_t)k * n + k] = 1;
    return tir_table(b, TIR_REAL, 2, (uint32_t[]){n, n}, data);
}

TirId vjp_embed(TirBuilder *b, TirId c, uint32_t n_have, const uint8_t *have, uint32_t rank,
                const uint32_t *dims, const uint8_t *labels) {
    uint8_t axes[TIR_MAX_RANK] = {0};
    for (uint32_t h = 0; h < n_have; h++)
        while (labels[axes[h]] != have[h]) /* the first axis of this label; there is one */
            axes[h]++;
    TirId out = tir_broadcast(b, c, rank, dims, axes);
    for (uint32_t k = 1; k < rank; k++)
        for (uint32_t first = 0; first < k; first++)
            if (labels[first] == labels[k]) {
                const uint8_t on[2] = {(uint8_t)first, (uint8_t)k};
                const TirId diagonal = tir_broadcast(b, identity_table(b, dims[k]), rank, dims, on);
                out = tir_binary(b, TIR_MUL, out, diagonal);
                break;
            }
    return out;
}
