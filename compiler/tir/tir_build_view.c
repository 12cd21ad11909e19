/* Builders of views, reductions, contractions, indexing, loops and attention. */
#include "tir/tir_internal.h"
#include <string.h>

static const TirType *type_of(const TirBuilder *b, TirId id) {
    return &b->block->nodes.at[id].type;
}

static void set_shape(TirBuilder *b, TirNode *node, uint32_t rank, const uint32_t *dims) {
    if (rank > TIR_MAX_RANK)
        tir_fault(b, node->op, "the rank is too high");
    node->type.rank = (uint8_t)rank;
    for (uint32_t k = 0; k < rank; k++)
        node->type.dims[k] = dims[k];
}

/* The repeated value when x is a rank-0 value repeated; every view of it is another repetition. */
static TirId scalar_under(const TirBuilder *b, TirId x) {
    const TirNode *node = tir_node(b->block, x);
    if (node->op == TIR_BROADCAST && type_of(b, node->operands[0])->rank == 0)
        return node->operands[0];
    return 0;
}

TirId tir_broadcast(TirBuilder *b, TirId x, uint32_t rank, const uint32_t *dims,
                    const uint8_t *axes) {
    TirNode node = {.op = TIR_BROADCAST, .n_operands = 1, .operands = &x};
    set_shape(b, &node, rank, dims);
    for (uint32_t k = 0; k < type_of(b, x)->rank; k++)
        node.attr.axes[k] = axes[k];
    const char *wrong = tir_infer(b->program, b->block, &node);
    if (wrong)
        tir_fault(b, TIR_BROADCAST, wrong);
    const TirNode *inner = tir_node(b->block, x);
    if (inner->op == TIR_BROADCAST) {
        uint8_t merged[TIR_MAX_RANK];
        const TirId y = inner->operands[0];
        for (uint32_t k = 0; k < type_of(b, y)->rank; k++)
            merged[k] = node.attr.axes[inner->attr.axes[k]];
        return tir_broadcast(b, y, rank, node.type.dims, merged);
    }
    bool identity = inner->type.rank == rank;
    for (uint32_t k = 0; identity && k < rank; k++)
        identity = node.attr.axes[k] == k;
    return identity ? x : tir_insert(b, &node);
}

/* Of a concatenation, the parts that the slice touches: no more than it has entries. Where there
 * are as many parts as entries (a stack of a loop's turns), each is one. */
static TirId slice_of_parts(TirBuilder *b, const TirNode *concat, uint32_t axis, uint32_t start,
                            uint32_t extent) {
    const uint32_t n = concat->n_operands;
    const TirId *operands = concat->operands;
    TirId *parts = ARENA_ARRAY(b->program->arena, TirId, n < extent ? n : extent);
    const uint32_t first = concat->type.dims[axis] == n ? start : 0;
    uint32_t n_parts = 0, at = first;
    for (uint32_t k = first; k < n && at < start + extent; k++) {
        const uint32_t size = type_of(b, operands[k])->dims[axis], end = at + size;
        if (end > start) {
            const uint32_t from = start > at ? start - at : 0;
            const uint32_t to = end < start + extent ? size : start + extent - at;
            parts[n_parts++] = tir_slice(b, operands[k], axis, from, to - from);
        }
        at = end;
    }
    return tir_concat(b, axis, n_parts, parts);
}

TirId tir_slice(TirBuilder *b, TirId x, uint32_t axis, uint32_t start, uint32_t extent) {
    TirNode node = {.op = TIR_SLICE, .n_operands = 1, .operands = &x};
    const TirType type = *type_of(b, x);
    if (axis >= type.rank)
        tir_fault(b, TIR_SLICE, "the axis is outside the rank");
    set_shape(b, &node, type.rank, type.dims);
    node.type.dims[axis] = extent;
    node.attr.axis = (uint8_t)axis;
    node.attr.start = start;
    const char *wrong = tir_infer(b->program, b->block, &node);
    if (wrong)
        tir_fault(b, TIR_SLICE, wrong);
    if (extent == type.dims[axis])
        return x;
    const TirNode *inner = tir_node(b->block, x);
    if (inner->op == TIR_SLICE && inner->attr.axis == axis)
        return tir_slice(b, inner->operands[0], axis, start + inner->attr.start, extent);
    if (inner->op == TIR_CONCAT && inner->attr.axis == axis)
        return slice_of_parts(b, inner, axis, start, extent);
    const TirId scalar = scalar_under(b, x);
    return scalar ? tir_broadcast(b, scalar, type.rank, node.type.dims, NULL)
                  : tir_insert(b, &node);
}

TirId tir_pad(TirBuilder *b, TirId x, uint32_t axis, uint32_t before, uint32_t extent) {
    TirNode node = {.op = TIR_PAD, .n_operands = 1, .operands = &x};
    const TirType type = *type_of(b, x);
    double c;
    if (axis >= type.rank)
        tir_fault(b, TIR_PAD, "the axis is outside the rank");
    set_shape(b, &node, type.rank, type.dims);
    node.type.dims[axis] = extent;
    node.attr.axis = (uint8_t)axis;
    node.attr.start = before;
    const char *wrong = tir_infer(b->program, b->block, &node);
    if (wrong)
        tir_fault(b, TIR_PAD, wrong);
    if (extent == type.dims[axis])
        return x;
    if (tir_is_constant(b->block, x, &c) && c == 0)
        return tir_broadcast(b, scalar_under(b, x), type.rank, node.type.dims, NULL);
    return tir_insert(b, &node);
}

TirId tir_reshape(TirBuilder *b, TirId x, uint32_t rank, const uint32_t *dims) {
    TirNode node = {.op = TIR_RESHAPE, .n_operands = 1, .operands = &x};
    set_shape(b, &node, rank, dims);
    const char *wrong = tir_infer(b->program, b->block, &node);
    if (wrong)
        tir_fault(b, TIR_RESHAPE, wrong);
    if (tir_shape_equal(&node.type, type_of(b, x)))
        return x;
    const TirNode *inner = tir_node(b->block, x);
    if (inner->op == TIR_RESHAPE)
        return tir_reshape(b, inner->operands[0], rank, node.type.dims);
    const TirId scalar = scalar_under(b, x);
    return scalar ? tir_broadcast(b, scalar, rank, node.type.dims, NULL) : tir_insert(b, &node);
}

TirId tir_concat(TirBuilder *b, uint32_t axis, uint32_t n, const TirId *parts) {
    if (n == 1 && axis < type_of(b, parts[0])->rank)
        return parts[0];
    uint32_t flat = n, inside = 0; /* a concatenation of concatenations is one */
    for (uint32_t k = 0; k < n; k++) {
        const TirNode *part = tir_node(b->block, parts[k]);
        if (part->op == TIR_CONCAT && part->attr.axis == axis)
            flat += part->n_operands - 1;
    }
    TirId *all = ARENA_ARRAY(b->program->arena, TirId, flat);
    for (uint32_t k = 0; k < n; k++) {
        const TirNode *part = tir_node(b->block, parts[k]);
        const bool nested = part->op == TIR_CONCAT && part->attr.axis == axis;
        for (uint32_t i = 0; i < (nested ? part->n_operands : 1); i++)
            all[inside++] = nested ? part->operands[i] : parts[k];
    }
    TirNode node = {.op = TIR_CONCAT, .n_operands = flat, .operands = all};
    node.attr.axis = (uint8_t)axis;
    return tir_append(b, &node);
}

TirId tir_take(TirBuilder *b, TirId x, uint32_t axis, uint32_t extent, const int32_t *indices) {
    TirNode node = {.op = TIR_TAKE, .n_operands = 1, .operands = &x};
    const TirType type = *type_of(b, x);
    if (axis >= type.rank)
        tir_fault(b, TIR_TAKE, "the axis is outside the rank");
    set_shape(b, &node, type.rank, type.dims);
    node.type.dims[axis] = extent;
    node.attr.axis = (uint8_t)axis;
    node.attr.indices = indices;
    const char *wrong = tir_infer(b->program, b->block, &node);
    if (wrong)
        tir_fault(b, TIR_TAKE, wrong);
    /* A range is a slice (or x itself). */
    bool range = indices[0] >= 0;
    for (uint32_t i = 1; range && i < extent; i++)
        range = indices[i] == indices[0] + (int32_t)i;
    return range ? tir_slice(b, x, axis, (uint32_t)indices[0], extent) : tir_insert(b, &node);
}

TirId tir_reduce(TirBuilder *b, TirOp op, TirId x, uint32_t axis_mask) {
    TirNode node = {.op = op, .n_operands = 1, .operands = &x};
    if (op == TIR_ARGMAX) {
        uint8_t axis = 0;
        while (axis < TIR_MAX_RANK && !(axis_mask >> axis & 1))
            axis++;
        if (axis_mask != 1u << axis)
            tir_fault(b, op, "argmax takes one axis");
        node.attr.axis = axis;
        return tir_append(b, &node);
    }
    node.attr.axis_mask = axis_mask;
    const char *wrong = tir_infer(b->program, b->block, &node);
    if (wrong)
        tir_fault(b, op, wrong);
    if (axis_mask == 0)
        return x;
    const TirNode *inner = tir_node(b->block, x);
    double c;
    if (op == TIR_REDUCE_SUM && tir_is_constant(b->block, x, &c) && c == 0)
        return tir_broadcast(b, scalar_under(b, x), node.type.rank, node.type.dims, NULL);
    if (inner->op == op) { /* sums of sums */
        uint32_t mask = inner->attr.axis_mask, outer = 0;
        for (uint32_t k = 0; k < type_of(b, inner->operands[0])->rank; k++)
            if (!(inner->attr.axis_mask >> k & 1))
                mask |= (axis_mask >> outer++ & 1) << k;
        return tir_reduce(b, op, inner->operands[0], mask);
    }
    return tir_insert(b, &node);
}

/* Labels are renumbered: the result's axes 0, 1, …, then what is summed in order of appearance. So
 * equal contractions are equal whatever the caller called their axes. */
TirId tir_contract(TirBuilder *b, TirId x, TirId y, const uint8_t *x_labels,
                   const uint8_t *y_labels, uint32_t rank, const uint8_t *labels, TirDomain to) {
    const TirId operands[2] = {x, y};
    TirNode node = {.op = TIR_CONTRACT, .n_operands = 2, .operands = operands};
    uint8_t renumbered[256], next = 0;
    bool known[256] = {false};
    if (rank > TIR_MAX_RANK)
        tir_fault(b, TIR_CONTRACT, "the rank is too high");
    node.type.rank = (uint8_t)rank;
    node.type.domain = to;
    for (uint32_t k = 0; k < rank; k++) {
        if (known[labels[k]])
            tir_fault(b, TIR_CONTRACT, "a result label is repeated");
        known[labels[k]] = true;
        renumbered[labels[k]] = next;
        node.attr.labels[2][k] = next++;
    }
    for (uint32_t o = 0; o < 2; o++) {
        const uint8_t *old = o ? y_labels : x_labels;
        for (uint32_t k = 0; k < type_of(b, operands[o])->rank; k++) {
            if (!known[old[k]]) {
                known[old[k]] = true;
                renumbered[old[k]] = next++;
            }
            node.attr.labels[o][k] = renumbered[old[k]];
        }
    }
    return tir_append(b, &node);
}

TirId tir_gather(TirBuilder *b, TirId x, TirId index) {
    TirNode node = {.op = TIR_GATHER, .n_operands = 2, .operands = (TirId[]){x, index}};
    return tir_append(b, &node);
}

TirId tir_scatter_add(TirBuilder *b, TirId index, TirId g, uint32_t rows, TirDomain to) {
    TirNode node = {.op = TIR_SCATTER_ADD, .n_operands = 2, .operands = (TirId[]){index, g}};
    node.attr.rows = rows;
    node.type.domain = to;
    return tir_append(b, &node);
}

TirId tir_onehot(TirBuilder *b, TirId index, uint32_t rows) {
    TirNode node = {.op = TIR_ONEHOT, .n_operands = 1, .operands = &index};
    node.attr.rows = rows;
    return tir_append(b, &node);
}

TirId tir_scan(TirBuilder *b, uint32_t trips, bool reverse, TirBlock *body, uint32_t n_carried,
               const TirId *carried, uint32_t n_invariant, const TirId *invariant,
               uint32_t n_scanned, const TirId *scanned) {
    const uint32_t n = n_carried + n_invariant + n_scanned;
    TirId *operands = ARENA_ARRAY(b->program->arena, TirId, n);
    for (uint32_t k = 0; k < n_carried; k++)
        operands[k] = carried[k];
    for (uint32_t k = 0; k < n_invariant; k++)
        operands[n_carried + k] = invariant[k];
    for (uint32_t k = 0; k < n_scanned; k++)
        operands[n_carried + n_invariant + k] = scanned[k];
    TirNode node = {.op = TIR_SCAN, .n_operands = n, .operands = operands};
    if (body->results.count < n_carried)
        tir_fault(b, TIR_SCAN, "the body has fewer results than carried values");
    node.attr = (TirAttr){.trips = trips,
                          .reverse = reverse,
                          .body = body,
                          .n_carried = n_carried,
                          .n_invariant = n_invariant,
                          .n_scanned = n_scanned,
                          .n_stacked = body->results.count - n_carried};
    return tir_append(b, &node);
}

TirId tir_result(TirBuilder *b, TirId tuple, uint32_t index) {
    TirNode node = {.op = TIR_RESULT, .n_operands = 1, .operands = &tuple, .attr.index = index};
    return tir_append(b, &node);
}

TirId tir_attend_as(TirBuilder *b, TirId q, TirId k, TirId v, const TirAttend *how) {
    TirNode node = {.op = TIR_ATTEND,
                    .n_operands = how->bias ? 4 : 3,
                    .operands = (TirId[]){q, k, v, how->bias}};
    node.attr.causal = how->causal;
    node.attr.scale = how->scale;
    node.attr.start = how->bias ? how->start : 0;
    return tir_append(b, &node);
}

TirId tir_attend(TirBuilder *b, TirId q, TirId k, TirId v, bool causal, double scale) {
    return tir_attend_as(b, q, k, v, &(TirAttend){.causal = causal, .scale = scale});
}

TirId tir_attend_grad_as(TirBuilder *b, TirId q, TirId k, TirId v, TirId o, TirId lse, TirId d_o,
                         const TirAttend *how) {
    TirNode node = {.op = TIR_ATTEND_GRAD,
                    .n_operands = how->bias ? 7 : 6,
                    .operands = (TirId[]){q, k, v, o, lse, d_o, how->bias}};
    node.attr.causal = how->causal;
    node.attr.scale = how->scale;
    node.attr.start = how->bias ? how->start : 0;
    return tir_append(b, &node);
}

TirId tir_attend_grad(TirBuilder *b, TirId q, TirId k, TirId v, TirId o, TirId lse, TirId d_o,
                      bool causal, double scale) {
    return tir_attend_grad_as(b, q, k, v, o, lse, d_o,
                              &(TirAttend){.causal = causal, .scale = scale});
}
