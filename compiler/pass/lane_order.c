/* Lane order: a thin product's matrix lies as the kernel around it comes to it.
 *
 * Requires: a contraction that stays in a kernel. Maintains: values. Changes:
 *   - weights whose axis along the lanes is not their last are put in that order once a step;
 *   - the gradient of weights is summed with the long axis last, and put in the order asked for
 * once all positions are summed.
 *
 *     %3 = contract %x[d] %W[d,r] "a,ab->b"   →   %2 = broadcast %W [r,d]
 *                                                 %3 = contract %x[d] %2[r,d] "a,ba->b"
 *
 * So it costs nothing which of a matrix's axes was written first: a vector of features is one load,
 * not one for each feature. */
#include "pass/lane_order.h"
#include "machine/limits.h"
#include <string.h>

enum { NONE = 256 }; /* no label */

static bool is_wide(const TirType *type) {
    return type->rank > 0 && type->dims[type->rank - 1] >= WIDE_EXTENT;
}

static bool is_global(const TirType *type) {
    return tir_domain_equal(type->domain, TIR_GLOBAL);
}

static bool has_label(const uint8_t *labels, uint32_t rank, uint32_t label) {
    for (uint32_t k = 0; k < rank; k++)
        if (labels[k] == label)
            return true;
    return false;
}

static const TirType *operand_type(const TirBuilder *b, const TirNode *node, uint32_t k) {
    return &tir_node(b->block, node->operands[k])->type;
}

/* The label of a wide operand's last axis, if the product keeps it (or sums it up). */
static uint32_t last_label(const TirBuilder *b, const TirNode *node, uint32_t k, bool kept) {
    const TirType *type = operand_type(b, node, k);
    if (!is_wide(type))
        return NONE;
    const uint8_t label = node->attr.labels[k][type->rank - 1];
    return has_label(node->attr.labels[2], node->type.rank, label) == kept ? label : NONE;
}

/* What the lanes run along: features of the result, or those that are summed up. */
static uint32_t lane_label(const TirBuilder *b, const TirNode *node) {
    if (is_wide(&node->type))
        return node->attr.labels[2][node->type.rank - 1];
    const uint32_t first = last_label(b, node, 0, false);
    return first != NONE ? first : last_label(b, node, 1, false);
}

/* `labels` with one of them at the end; false when it is there, or is none of them. */
static bool moved_last(const uint8_t *labels, uint32_t rank, uint32_t label, uint8_t *to) {
    if (rank < 2 || labels[rank - 1] == label || !has_label(labels, rank, label))
        return false;
    uint32_t n = 0;
    for (uint32_t k = 0; k < rank; k++)
        if (labels[k] != label)
            to[n++] = labels[k];
    to[n] = (uint8_t)label;
    return n + 1 == rank; /* a diagonal has it twice */
}

TirId lane_transposed(TirBuilder *b, TirId x, const uint8_t *from, const uint8_t *to) {
    const TirType type = tir_node(b->block, x)->type;
    uint8_t axes[TIR_MAX_RANK];
    uint32_t dims[TIR_MAX_RANK];
    for (uint32_t k = 0; k < type.rank; k++)
        for (uint32_t m = 0; m < type.rank; m++)
            if (to[m] == from[k]) {
                axes[k] = (uint8_t)m;
                dims[m] = type.dims[k];
            }
    return tir_broadcast(b, x, type.rank, dims, axes);
}

/* Weights in the lanes' order: a view, which the plan has computed for such readers. */
static TirId ordered_weights(TirBuilder *b, TirId id) {
    const TirNode node = *tir_node(b->block, id);
    const uint32_t label = lane_label(b, &node);
    TirId operands[2] = {node.operands[0], node.operands[1]};
    uint8_t labels[2][TIR_MAX_RANK];
    bool changed = false;
    for (uint32_t k = 0; k < 2; k++) {
        const TirType type = *operand_type(b, &node, k);
        memcpy(labels[k], node.attr.labels[k], sizeof labels[k]);
        if (!is_global(&type) || !moved_last(node.attr.labels[k], type.rank, label, labels[k]))
            continue;
        operands[k] = lane_transposed(b, operands[k], node.attr.labels[k], labels[k]);
        changed = true;
    }
    return changed ? tir_contract(b, operands[0], operands[1], labels[0], labels[1], node.type.rank,
                                  node.attr.labels[2], node.type.domain)
                   : id;
}

/* A sum over positions with the long axis last. */
static TirId ordered_sum(TirBuilder *b, TirId id) {
    const TirNode node = *tir_node(b->block, id);
    uint8_t to[TIR_MAX_RANK];
    if (is_wide(&node.type))
        return id;
    for (uint32_t k = 0; k < 2; k++) {
        const uint32_t label = last_label(b, &node, k, true);
        if (label == NONE || !moved_last(node.attr.labels[2], node.type.rank, label, to))
            continue;
        const TirId sum = tir_contract(b, node.operands[0], node.operands[1], node.attr.labels[0],
                                       node.attr.labels[1], node.type.rank, to, node.type.domain);
        return lane_transposed(b, sum, to, node.attr.labels[2]);
    }
    return id;
}

TirId lane_ordered(TirBuilder *b, TirId id) {
    const TirNode *node = tir_node(b->block, id);
    if (node->type.elem != TIR_REAL)
        return id;
    const bool x = is_global(operand_type(b, node, 0)), y = is_global(operand_type(b, node, 1));
    if (!is_global(&node->type))
        return x != y ? ordered_weights(b, id) : id;
    return !x && !y ? ordered_sum(b, id) : id;
}
