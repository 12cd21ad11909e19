/* The norm at the end of a read: what `read x = norm(u)` reads but for its norm.
 *
 *     x[c] = g[c] * r * u[c] + b[c]     u, where r is a function of u and constants alone
 *     x[c] = g[c] * r * (u[c] - m) + b[c]      likewise, and m
 *
 * r of anything else, such as another stream's length, is a coefficient, and no norm. */
#include "pass/maps_internal.h"

/* Whether `id` is a function of `u`, or of `v`, and constants alone. */
static bool function_of(const Flows *f, TirId id, TirId u, TirId v) {
    TirIdVec todo = {0};
    Map *seen = map_create(f->scratch);
    vec_push(f->scratch, &todo, id);
    while (todo.count) {
        const TirId at = todo.at[--todo.count];
        const TirNode *node = tir_node(f->b->block, at);
        void **slot = map_slot_u64(seen, at);
        if (at == u || at == v || *slot)
            continue;
        *slot = seen;
        double constant;
        if (tir_is_constant(f->b->block, at, &constant) || node->op == TIR_COUNT)
            continue;
        if (at < f->first || node->n_operands == 0 || tir_op_class(node->op) == TIR_CLASS_CROSS)
            return false;
        for (uint32_t k = 0; k < node->n_operands; k++)
            vec_push(f->scratch, &todo, node->operands[k]);
    }
    return true;
}

static bool is_factor(const Flows *f, const TirNode *node) {
    return node->op == TIR_MUL || node->op == TIR_DIV ||
           (node->op == TIR_CONTRACT && tir_is_product(f->b->block, node));
}

/* The operand whose features go on, when the other one does not depend on the streams (`kind`
 * NONE), or is held (HELD). */
static TirId beside_flow(const Flows *f, const TirNode *node, FlowKind kind, TirId *other) {
    for (uint32_t k = 0; k < 2 && node->n_operands == 2; k++) {
        const Flow x = flow_of(f, node->operands[k]), y = flow_of(f, node->operands[1 - k]);
        if (flow_active(&x) && y.kind == kind && !(k == 1 && node->op == TIR_DIV)) {
            *other = node->operands[1 - k];
            return node->operands[k];
        }
    }
    return 0;
}

/* x without gains, biases and a rearrangement that stand behind a norm. */
static TirId without_gain(const Flows *f, TirId x) {
    for (;;) {
        const TirNode *node = tir_node(f->b->block, x);
        TirId other;
        const bool affine = node->op == TIR_ADD || node->op == TIR_SUB || is_factor(f, node);
        const TirId inner = affine                    ? beside_flow(f, node, FLOW_NONE, &other)
                            : node->op == TIR_RESHAPE ? node->operands[0]
                                                      : 0;
        if (!inner || inner < f->first)
            return x;
        x = inner;
    }
}

TirId flow_without_norm(const Flows *f, TirId x) {
    if (x < f->first)
        return x;
    const TirNode *node = tir_node(f->b->block, without_gain(f, x));
    TirId scale, shift;
    const TirId scaled = is_factor(f, node) ? beside_flow(f, node, FLOW_HELD, &scale) : 0;
    if (!scaled)
        return x;
    const TirNode *centred = tir_node(f->b->block, scaled);
    const TirId u = centred->op == TIR_SUB ? beside_flow(f, centred, FLOW_HELD, &shift) : 0;
    if (u && function_of(f, shift, u, u) && function_of(f, scale, u, scaled))
        return u;
    return function_of(f, scale, scaled, scaled) ? scaled : x;
}
