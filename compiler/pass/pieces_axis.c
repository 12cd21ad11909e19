/* Which axes of an op's result come from which axes of its operands; see pieces_axis.h. */
#include "pass/pieces_axis.h"

uint64_t pieces_extent(const TirType *type, PieceAxes of) {
    uint64_t extent = 1;
    for (uint32_t k = 0; k < of.span; k++)
        extent *= type->dims[of.axis + k];
    return extent;
}

static bool within(PieceAxes of, uint32_t axis) {
    return axis >= of.axis && axis < (uint32_t)of.axis + of.span;
}

static PieceKind free_at(PieceAxes *to, uint32_t axis, uint32_t span) {
    *to = (PieceAxes){(uint8_t)axis, (uint8_t)span};
    return PIECES_FREE;
}

static PieceKind follow_broadcast(const TirNode *node, const TirType *x, PieceAxes of,
                                  PieceAxes *to) {
    const uint8_t *axes = node->attr.axes;
    for (uint32_t k = 0; k < of.span; k++)
        if (axes[of.axis + k] != axes[of.axis] + k)
            return PIECES_NO;
    free_at(to, axes[of.axis], of.span);
    for (uint32_t k = 0; k < x->rank; k++) /* a diagonal */
        if (!within(of, k) && within(*to, axes[k]))
            return PIECES_NO;
    return PIECES_FREE;
}

static PieceKind follow_reshape(const TirType *t, const TirType *x, PieceAxes of, PieceAxes *to) {
    const uint64_t before = pieces_extent(x, (PieceAxes){0, of.axis});
    const uint64_t extent = pieces_extent(x, of);
    uint64_t product = 1;
    uint32_t axis = 0, span = 0;
    while (axis < t->rank && (product < before || (product == before && t->dims[axis] == 1)))
        product *= t->dims[axis++];
    if (product != before)
        return PIECES_NO;
    for (product = 1; axis + span < t->rank && product < extent; span++)
        product *= t->dims[axis + span];
    return product == extent && span ? free_at(to, axis, span) : PIECES_NO;
}

static PieceKind follow_reduce(const TirNode *node, PieceAxes of, PieceAxes *to) {
    const uint32_t mask = node->op == TIR_ARGMAX ? 1u << node->attr.axis : node->attr.axis_mask;
    uint32_t folded = 0, axis = 0;
    for (uint32_t k = 0; k < of.span; k++)
        folded += mask >> (of.axis + k) & 1;
    if (folded)
        return folded == of.span && node->op != TIR_ARGMAX ? PIECES_SUM : PIECES_NO;
    for (uint32_t k = 0; k < of.axis; k++)
        axis += !(mask >> k & 1);
    return free_at(to, axis, of.span);
}

/* Where the labels stand in one row, each once: 1 there, 0 nowhere, -1 otherwise. */
static int find_labels(const uint8_t *in, uint32_t rank, const uint8_t *labels, uint32_t n,
                       uint32_t *at) {
    uint32_t found = 0;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t times = 0;
        for (uint32_t m = 0; m < rank; m++)
            if (in[m] == labels[k]) {
                if (k == 0)
                    *at = m;
                if (times++ || m != *at + k)
                    return -1;
            }
        found += times;
    }
    return found == 0 ? 0 : found == n ? 1 : -1;
}

static PieceKind follow_contract(const TirBlock *block, const TirNode *node, uint32_t k,
                                 PieceAxes of, PieceAxes *to) {
    const uint8_t *labels = node->attr.labels[k] + of.axis;
    uint32_t at = 0;
    for (uint32_t o = 0; o < 2; o++) {
        const uint32_t rank = tir_node(block, node->operands[o])->type.rank;
        if (find_labels(node->attr.labels[o], rank, labels, of.span, &at) < 0)
            return PIECES_NO;
    }
    switch (find_labels(node->attr.labels[2], node->type.rank, labels, of.span, &at)) {
    case 0:
        return PIECES_SUM;
    case 1:
        return free_at(to, at, of.span);
    default:
        return PIECES_NO;
    }
}

PieceKind pieces_follow(const TirBlock *block, const TirNode *node, uint32_t k, PieceAxes of,
                        PieceAxes *to) {
    const TirType *x = &tir_node(block, node->operands[k])->type;
    switch (node->op) {
    case TIR_RANDOM: /* numbers go by the element's place in the whole */
        return PIECES_NO;
    case TIR_BROADCAST:
        return follow_broadcast(node, x, of, to);
    case TIR_RESHAPE:
        return follow_reshape(&node->type, x, of, to);
    case TIR_SLICE:
    case TIR_PAD:
    case TIR_TAKE:
    case TIR_CONCAT:
        return within(of, node->attr.axis) ? PIECES_NO : free_at(to, of.axis, of.span);
    case TIR_REDUCE_SUM:
    case TIR_REDUCE_MAX:
    case TIR_REDUCE_MIN:
    case TIR_REDUCE_PROD:
    case TIR_ARGMAX:
        return follow_reduce(node, of, to);
    case TIR_CONTRACT:
        return follow_contract(block, node, k, of, to);
    case TIR_POSITION_SUM:
    case TIR_SHIFT:
        return free_at(to, of.axis, of.span);
    default:
        return tir_op_class(node->op) == TIR_CLASS_MAP && x->rank ? free_at(to, of.axis, of.span)
                                                                  : PIECES_NO;
    }
}

bool pieces_source(const TirBlock *block, const TirNode *node, uint32_t k, PieceAxes to,
                   PieceAxes *of) {
    const TirType *x = &tir_node(block, node->operands[k])->type;
    for (uint8_t axis = 0; axis < x->rank; axis++)
        for (uint8_t span = 1; axis + span <= x->rank; span++) {
            PieceAxes found;
            *of = (PieceAxes){axis, span};
            if (pieces_follow(block, node, k, *of, &found) == PIECES_FREE &&
                found.axis == to.axis && found.span == to.span)
                return true;
        }
    return false;
}

bool pieces_independent(const TirBlock *block, const TirNode *node, uint32_t k, PieceAxes of) {
    const uint32_t rank = tir_node(block, node->operands[k])->type.rank;
    bool depends = rank > 0;
    if (node->op == TIR_BROADCAST || node->op == TIR_CONTRACT) {
        depends = false;
        for (uint32_t a = 0; a < rank; a++)
            for (uint32_t m = 0; m < of.span; m++)
                depends |= node->op == TIR_BROADCAST
                               ? node->attr.axes[a] == of.axis + m
                               : node->attr.labels[k][a] == node->attr.labels[2][of.axis + m];
    }
    return !depends;
}

bool pieces_partner(const TirBlock *block, const TirNode *node, uint32_t k, PieceAxes of,
                    PieceAxes *partner) {
    if (node->op != TIR_CONTRACT)
        return false;
    const uint32_t rank = tir_node(block, node->operands[1 - k])->type.rank;
    uint32_t at = 0;
    if (find_labels(node->attr.labels[1 - k], rank, node->attr.labels[k] + of.axis, of.span, &at) !=
        1)
        return false;
    *partner = (PieceAxes){(uint8_t)at, of.span};
    return true;
}
