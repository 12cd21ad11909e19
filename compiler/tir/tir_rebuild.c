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
