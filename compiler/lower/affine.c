#include "lower/affine.h"

bool affine_is_const(const Affine *a) {
    return a->n_terms == 0 && a->lane == 0;
}

bool affine_equal(const Affine *a, const Affine *b) {
    if (a->offset != b->offset || a->lane != b->lane || a->n_terms != b->n_terms)
        return false;
    for (uint32_t k = 0; k < a->n_terms; k++)
        if (a->value[k] != b->value[k] || a->coefficient[k] != b->coefficient[k])
            return false;
    return true;
}

Affine affine_add(Affine a, Affine b) {
    a.offset += b.offset;
    a.lane += b.lane;
    for (uint32_t k = 0; k < b.n_terms; k++) {
        uint32_t m = 0;
        while (m < a.n_terms && a.value[m] != b.value[k])
            m++;
        if (m == a.n_terms) {
            a.value[m] = b.value[k];
            a.coefficient[m] = 0;
            a.n_terms++;
        }
        a.coefficient[m] += b.coefficient[k];
    }
    return a;
}

Affine affine_scale(Affine a, int64_t k) {
    if (k == 0)
        return affine_const(0);
    a.offset *= k;
    a.lane *= k;
    for (uint32_t m = 0; m < a.n_terms; m++)
        a.coefficient[m] *= k;
    return a;
}

NestAddress affine_address(const Affine *a) {
    NestAddress address = nest_at(a->offset);
    for (uint32_t k = 0; k < a->n_terms; k++)
        address = nest_at_plus(address, a->value[k], a->coefficient[k]);
    return address;
}

NestId affine_scalar(NestBuilder *b, const Affine *a) {
    NestId sum = 0;
    for (uint32_t k = 0; k < a->n_terms; k++) {
        NestId term = a->value[k];
        if (a->coefficient[k] != 1)
            term = nest_binary(b, NEST_MUL, term, nest_i64(b, a->coefficient[k]));
        sum = sum ? nest_binary(b, NEST_ADD, sum, term) : term;
    }
    if (!sum)
        return nest_i64(b, a->offset);
    return a->offset ? nest_binary(b, NEST_ADD, sum, nest_i64(b, a->offset)) : sum;
}

NestId affine_i32(NestBuilder *b, const Affine *a, uint16_t lanes) {
    NestType i32 = {NEST_I32, 1};
    NestId base = a->n_terms == 0 ? nest_const(b, i32, (double)a->offset)
                                  : nest_cast(b, NEST_I32, affine_scalar(b, a));
    if (a->lane == 0)
        return base;
    NestId lane = nest_lanes(b, lanes);
    if (a->lane != 1)
        lane = nest_binary(b, NEST_MUL, lane,
                           nest_const(b, (NestType){NEST_I32, lanes}, (double)a->lane));
    return nest_binary(b, NEST_ADD, lane, nest_splat(b, lanes, base));
}

Affine affine_flat(const AffineIndex *index, const TirType *type) {
    Affine flat = affine_const(0);
    int64_t stride = 1;
    for (uint32_t k = type->rank; k-- > 0;) {
        flat = affine_add(flat, affine_scale(index->at[k], stride));
        stride *= type->dims[k];
    }
    return flat;
}

AffineIndex affine_index(uint64_t flat, const TirType *type) {
    AffineIndex index = {.rank = type->rank};
    for (uint32_t k = type->rank; k-- > 0;) {
        index.at[k] = affine_const((int64_t)(flat % type->dims[k]));
        flat /= type->dims[k];
    }
    return index;
}
