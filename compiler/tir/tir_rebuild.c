/* Any op again, of other operands. */
#include "tir/tir_internal.h"

TirId tir_rebuild(TirBuilder *b, const TirNode *node, const TirId *operands) {
    const TirAttr *a = &node->attr;
    switch (node->op) {
    case TIR_SELECT:
        return tir_select(b, operands[0], operands[1], operands[2]);
    case TIR_BROADCAST:
        return tir_broadcast(b, operands[0], node->type.rank, node->type.dims, a->axes);
    case TIR_SLICE:
        return tir_slice(b, operands[0], a->axis, a->start, node->type.dims[a->axis]);
    case TIR_PAD:
        return tir_pad(b, operands[0], a->axis, a->start, node->type.dims[a->axis]);
    case TIR_RESHAPE:
        return tir_reshape(b, operands[0], node->type.rank, node->type.dims);
    case TIR_TAKE:
        return tir_take(b, operands[0], a->axis, node->type.dims[a->axis], a->indices);
    case TIR_CONCAT:
        return tir_concat(b, a->axis, node->n_operands, operands);
    case TIR_RANDOM:
        return tir_random(b, operands[0], node->type);
    default:
        break;
    }
    if (tir_op_class(node->op) == TIR_CLASS_MAP)
        return node->n_operands == 1 ? tir_unary(b, node->op, operands[0])
                                     : tir_binary(b, node->op, operands[0], operands[1]);
    TirNode copy = {.op = node->op,
                    .n_operands = node->n_operands,
                    .operands = operands,
                    .attr = *a,
                    .type = node->type};
    return tir_append(b, &copy);
}

static bool has_positions(const TirBuilder *b, TirId id) {
    return tir_node(b->block, id)->type.domain.space != 0;
}

/* A side that has lost its positions lives at the other's: where neither has any, or those of
 * another space, it is put where it was. */
static TirId rebuild_attention(TirBuilder *b, const TirBlock *from, const TirNode *node,
                               const TirId *operands) {
    const uint8_t of_queries = node->type.domain.space, of_keys = tir_attend_keys(from, node).space;
    const bool keys = has_positions(b, operands[1]) || has_positions(b, operands[2]);
    TirId q = operands[0], k = operands[1];
    if (!has_positions(b, q) && (!keys || of_keys != of_queries))
        q = tir_at_positions(b, q, of_queries);
    if (!keys && of_keys != of_queries)
        k = tir_at_positions(b, k, of_keys);
    const TirId bias = tir_attend_bias(node) ? operands[tir_attend_bias(node)] : 0;
    return tir_rebuild(b, node, (TirId[4]){q, k, operands[2], bias});
}

TirId tir_rebuild_moved(TirBuilder *b, const TirBlock *from, const TirNode *node,
                        const TirId *operands) {
    if (node->op == TIR_SHIFT)
        return tir_shift_in(b, operands[0], node->attr.offset, node->type.domain.space);
    if (node->op == TIR_ATTEND)
        return rebuild_attention(b, from, node, operands);
    if (node->op == TIR_RECUR && !tir_operand_domain(b->block, 2, operands).space) {
        const TirId u = tir_at_positions(b, operands[1], node->type.domain.space);
        return tir_rebuild(b, node, (TirId[2]){operands[0], u});
    }
    if (node->op == TIR_STOP_GRADIENT &&
        !tir_domain_equal(tir_node(from, node->operands[0])->type.domain, node->type.domain))
        return tir_spread(b, operands[0], node->type.domain);
    if (!tir_op_sums(node->op))
        return tir_rebuild(b, node, operands);
    const TirDomain before = tir_operand_domain(from, node->n_operands, node->operands);
    const TirDomain now = tir_operand_domain(b->block, node->n_operands, operands);
    const TirDomain to = node->type.domain;
    if (node->op == TIR_POSITION_SUM)
        return tir_domain_sum(b, operands[0], before, to);
    TirNode moved = *node;
    if (tir_domain_equal(before, to)) { /* local to each place, and stays so */
        moved.type.domain = now;
        return tir_rebuild(b, &moved, operands);
    }
    moved.type.domain = tir_domain_meet(to, now);
    const TirId sum = tir_rebuild(b, &moved, operands);
    const TirDomain missing = tir_domain_minus(tir_domain_minus(before, to), now);
    return tir_times_count(b, sum, missing);
}
