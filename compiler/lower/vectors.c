/* Scalars and vectors: whichever has lanes, what it meets gets as many. */
#include "lower/lower_internal.h"

NestType lower_type(const Lower *l, TirElem elem, uint16_t lanes) {
    NestElem e = elem == TIR_REAL ? l->real : elem == TIR_INT ? NEST_I32 : NEST_BOOL;
    return (NestType){e, lanes};
}

NestId lower_zero(Lower *l, TirElem elem, uint16_t lanes) {
    return nest_const(&l->b, lower_type(l, elem, lanes), 0);
}

NestId lower_vector(Lower *l, NestId x) {
    return nest_type(l->kernel, x).lanes == l->context.lanes
               ? x
               : nest_splat(&l->b, l->context.lanes, x);
}

/* Makes both scalars or both vectors. */
static void match_lanes(Lower *l, NestId *x, NestId *y) {
    uint16_t lx = nest_type(l->kernel, *x).lanes, ly = nest_type(l->kernel, *y).lanes;
    if (lx < ly)
        *x = nest_splat(&l->b, ly, *x);
    else if (ly < lx)
        *y = nest_splat(&l->b, lx, *y);
}

NestId lower_binary(Lower *l, NestOp op, NestId x, NestId y) {
    match_lanes(l, &x, &y);
    return nest_binary(&l->b, op, x, y);
}

NestId lower_fma(Lower *l, NestId x, NestId y, NestId sum) {
    match_lanes(l, &x, &y);
    match_lanes(l, &x, &sum);
    match_lanes(l, &x, &y);
    return nest_fma(&l->b, x, y, sum);
}

NestId lower_select(Lower *l, NestId c, NestId x, NestId y) {
    match_lanes(l, &x, &y);
    match_lanes(l, &c, &x);
    match_lanes(l, &x, &y);
    return nest_select(&l->b, c, x, y);
}

int lower_in_range(Lower *l, const Affine *i, int64_t begin, int64_t end, NestId *condition) {
    if (affine_is_const(i))
        return i->offset >= begin && i->offset < end;
    NestId at = affine_i32(&l->b, i, l->context.lanes);
    NestType t = nest_type(l->kernel, at);
    NestId low = nest_binary(&l->b, NEST_LE, nest_const(&l->b, t, (double)begin), at);
    NestId high = nest_binary(&l->b, NEST_LT, at, nest_const(&l->b, t, (double)end));
    *condition = nest_binary(&l->b, NEST_AND, low, high);
    return -1;
}

Affine lower_clamped(Lower *l, Affine i, int64_t begin, int64_t extent) {
    i.offset -= begin;
    if (affine_is_const(&i))
        return i;
    if (extent == 1)
        return affine_const(0);
    NestId at = affine_scalar(&l->b, &i);
    at = nest_binary(&l->b, NEST_MAX, at, nest_i64(&l->b, 0));
    at = nest_binary(&l->b, NEST_MIN, at, nest_i64(&l->b, extent - 1));
    return affine_var(at);
}
