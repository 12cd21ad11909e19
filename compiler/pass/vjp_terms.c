/* What derivative rules share: contributions to an adjoint, and shapes of them. */
#include "pass/vjp.h"

struct VjpTerm {
    TirId value;
    VjpTerm *before;
};

bool vjp_wants(const Vjp *v, TirId operand) {
    return v->active[operand];
}

void vjp_find_active(const Vjp *v, const TirNode *node, const TirBlock *body, uint32_t carried,
                     bool *active) {
    const uint32_t n = node->n_operands;
    bool *inside = ARENA_ARRAY(v->scratch, bool, body->nodes.count), changed = true;
    for (uint32_t k = 0; k < n; k++)
        active[k] = body->arguments.at[k].elem == TIR_REAL && vjp_wants(v, node->operands[k]);
    while (changed) {
        changed = false;
        for (TirId id = 1; id < body->nodes.count; id++) {
            const TirNode *at = tir_node(body, id);
            inside[id] = at->op == TIR_ARG && at->attr.index < n && active[at->attr.index];
            for (uint32_t k = 0; k < at->n_operands; k++)
                inside[id] |= inside[at->operands[k]] && at->op != TIR_STOP_GRADIENT;
        }
        for (uint32_t k = 0; k < carried; k++)
            if (inside[body->results.at[k]] && !active[k] && body->arguments.at[k].elem == TIR_REAL)
                active[k] = changed = true;
    }
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

TirId vjp_sum(Vjp *v, TirId id) {
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
