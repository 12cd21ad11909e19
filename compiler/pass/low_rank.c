/* Low rank: what a long row is multiplied to and from stays in the kernel that has the row.
 *
 * Requires: a contraction that gemm_low_rank finds. Maintains: values. Changes: its short side is
 * followed by an axis of one entry, so that it is no row of features itself, which has the lanes:
 *
 *     %3 = contract %x[768] %W[32,768] "a,ba->b"   →   %2 = reshape %W [32,1,768]
 *                                                      %3 = contract %x[768] %2 "a,bca->bc"
 *                                                      %4 = reshape %3 [32]
 *
 * A product that reads %4 does the same and finds %3, whose 32 numbers are registers with positions
 * in lanes. By BLAS rows would go through memory before and after each product, which takes as long
 * as the product does. */
#include "pass/low_rank.h"
#include "pass/lane_order.h"
#include <string.h>

/* Labels and extents of an operand or result with the axis of one entry in it. */
typedef struct {
    uint32_t rank, dims[TIR_MAX_RANK];
    uint8_t labels[TIR_MAX_RANK];
} Axes;

static bool axes_apart(const TirType *type, const uint8_t *labels, uint8_t short_side, uint8_t one,
                       Axes *axes) {
    *axes = (Axes){0};
    for (uint32_t k = 0; k < type->rank; k++) {
        const bool follows = labels[k] == short_side;
        if (axes->rank + 1 + follows > TIR_MAX_RANK)
            return false;
        axes->dims[axes->rank] = type->dims[k];
        axes->labels[axes->rank++] = labels[k];
        if (!follows)
            continue;
        axes->dims[axes->rank] = 1;
        axes->labels[axes->rank++] = one;
    }
    return true;
}

/* A label that neither operand has. */
static uint8_t unused_label(const TirBlock *block, const TirNode *node) {
    bool used[2 * TIR_MAX_RANK + 1] = {false};
    for (uint32_t o = 0; o < 2; o++)
        for (uint32_t k = 0; k < tir_node(block, node->operands[o])->type.rank; k++)
            if (node->attr.labels[o][k] < sizeof used)
                used[node->attr.labels[o][k]] = true;
    uint8_t label = 0;
    while (used[label]) /* at most the operands' axes are */
        label++;
    return label;
}

TirId low_rank_apart(TirBuilder *b, TirId id, const LowRank *low) {
    const TirNode node = *tir_node(b->block, id);
    const TirType type = node.type;
    const uint8_t one = unused_label(b->block, &node);
    Axes of[2], out;
    if (!axes_apart(&type, node.attr.labels[2], low->label, one, &out))
        return id;
    TirId operands[2];
    for (uint32_t k = 0; k < 2; k++) {
        const TirType from = tir_node(b->block, node.operands[k])->type;
        if (!axes_apart(&from, node.attr.labels[k], low->label, one, &of[k]))
            return id;
        operands[k] = tir_reshape(b, node.operands[k], of[k].rank, of[k].dims);
    }
    const TirId product = tir_contract(b, operands[0], operands[1], of[0].labels, of[1].labels,
                                       out.rank, out.labels, type.domain);
    return tir_reshape(b, lane_ordered(b, product), type.rank, type.dims);
}
