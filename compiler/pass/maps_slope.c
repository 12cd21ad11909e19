/* Slopes: derivatives by streams, built as values of the program.
 *
 *     H[n, d], by its streams s:    slope[n, 1, s] = 1 where s is the stream, else 0
 *     u[c] = sum[i] a[i] H[i, c]:   slope[1, s]    = sum[i] a[i] slope_H[i, 1, s]  = a[s]
 *
 * Features go alike as long as what they are multiplied with has no feature index: they are left
 * out. A slope that meets one that has is laid out over them from there on (it is wide), and the
 * mean is taken in the end. */
#include "pass/maps_internal.h"

/* The axis of features as three: outside, the features, inside. */
static uint64_t product(const uint32_t *dims, uint32_t from, uint32_t to) {
    uint64_t all = 1;
    for (uint32_t k = from; k < to; k++)
        all *= dims[k];
    return all;
}

uint32_t slope_dims(const Flows *f, const TirType *type, const Flow *flow, uint32_t *dims) {
    for (uint32_t k = 0; k < tir_rank(type); k++)
        dims[k] = k == flow->axis && !flow->wide ? type->dims[k] / f->unit : type->dims[k];
    if (type->rank < TIR_MAX_RANK)
        dims[type->rank] = f->count;
    return type->rank + 1u;
}

TirId slope_zero(Flows *f, const TirType *type, const Flow *flow) {
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t rank = slope_dims(f, type, flow, dims);
    return tir_broadcast(f->b, tir_real(f->b, 0), rank, dims, NULL);
}

void slope_widen(Flows *f, const TirType *type, Flow *flow) {
    if (flow->wide)
        return;
    uint32_t dims[TIR_MAX_RANK];
    slope_dims(f, type, flow, dims);
    const uint32_t before = (uint32_t)product(dims, 0, flow->axis);
    const uint32_t outer = dims[flow->axis] / flow->inner;
    const uint32_t after = (uint32_t)product(dims, flow->axis + 1, type->rank) * f->count;
    const TirId flat =
        tir_reshape(f->b, flow->slope, 2, (uint32_t[]){before * outer, flow->inner * after});
    const TirId each =
        tir_broadcast(f->b, flat, 3, (uint32_t[]){before * outer, f->unit, flow->inner * after},
                      (uint8_t[]){0, 2});
    flow->wide = true;
    const uint32_t rank = slope_dims(f, type, flow, dims);
    flow->slope = tir_reshape(f->b, each, rank, dims);
}

void slope_match(Flows *f, const TirType *type, Flow *x, Flow *y) {
    if (x->wide && !y->wide)
        slope_widen(f, type, y);
    if (y->wide && !x->wide)
        slope_widen(f, type, x);
}

/* A held value without the axis's features, of which it has none: it repeats along that axis. 0: it
 * does not, as far as can be seen. */
static TirId held_narrowed(Flows *f, const TirType *type, const Flow *flow, TirId held) {
    const TirNode node = *tir_node(f->b->block, held);
    if (node.type.rank == 0)
        return held;
    if (node.op != TIR_BROADCAST)
        return 0;
    for (uint32_t k = 0; k < tir_rank(flow_type(f, node.operands[0])); k++)
        if (node.attr.axes[k] == flow->axis)
            return 0;
    uint32_t dims[TIR_MAX_RANK];
    slope_dims(f, type, flow, dims);
    return tir_broadcast(f->b, node.operands[0], type->rank, dims, node.attr.axes);
}

TirId slope_beside(Flows *f, const TirType *type, Flow *flow, TirId held) {
    TirId beside = flow->wide ? 0 : held_narrowed(f, type, flow, held);
    if (!beside) {
        slope_widen(f, type, flow);
        beside = held;
    }
    if (flow_type(f, beside)->rank == 0)
        return beside;
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t rank = slope_dims(f, type, flow, dims);
    return tir_broadcast(f->b, beside, rank, dims, (uint8_t[]){0, 1, 2, 3, 4, 5, 6, 7});
}

void slope_scale(Flows *f, const TirType *type, Flow *flow, TirOp op, TirId held) {
    const TirId beside = slope_beside(f, type, flow, held);
    flow->slope = tir_binary(f->b, op, flow->slope, beside);
}

TirId slope_map(Flows *f, const TirType *type, const Flow *flow) {
    uint32_t dims[TIR_MAX_RANK];
    slope_dims(f, type, flow, dims);
    const uint32_t rows = (uint32_t)(tir_element_count(type) / f->unit);
    TirId map = flow->slope;
    if (flow->wide) {
        const uint32_t before =
            (uint32_t)product(dims, 0, flow->axis) * (dims[flow->axis] / f->unit / flow->inner);
        const uint32_t after =
            flow->inner * (uint32_t)product(dims, flow->axis + 1, type->rank) * f->count;
        map = tir_reshape(f->b, map, 3, (uint32_t[]){before, f->unit, after});
        map = tir_reduce(f->b, TIR_REDUCE_SUM, map, 2);
        map = tir_binary(f->b, TIR_DIV, map, tir_real(f->b, f->unit));
    }
    return tir_reshape(f->b, map, 2, (uint32_t[]){rows, f->count});
}
