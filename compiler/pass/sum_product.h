/* A sum of products in index notation: what REDUCE_SUM, CONTRACT and POSITION_SUM have in common.
 *
 *     result[labels] = scale * sum over the other labels, and over `from` without `to`, of
 *                      factor_0[..] * factor_1[..] * ... */
#ifndef HCC_PASS_SUM_PRODUCT_H
#define HCC_PASS_SUM_PRODUCT_H

#include "pass/pass.h"

enum { SUM_LABELS = 26, SUM_FACTORS = 8 };

typedef struct {
    TirId value;
    uint8_t labels[TIR_MAX_RANK]; /* of its axes; all different */
} SumFactor;

typedef struct {
    TirBuilder *b;
    const uint32_t *uses; /* by id: how many users it has; ids beyond n_uses count as one */
    uint32_t n_uses;
    uint32_t extents[SUM_LABELS];
    uint32_t rank; /* the result's */
    uint8_t labels[TIR_MAX_RANK];
    TirDomain from, to;
    double scale;
    uint32_t n_factors;
    SumFactor factors[SUM_FACTORS];
} SumProduct;

/* Adds `x`, whose axes have these labels, looking through repetition; through signs, and through
 * products if `flatten`, where nobody else reads the value. `alone`: nobody else reads x. */
void sum_product_add(SumProduct *s, TirId x, const uint8_t *labels, bool flatten, bool alone);
/* Emits it: factors that no summed label or position touches come out of the sum; what one factor
 * alone sums is reduced first; two remaining factors are a CONTRACT. */
TirId sum_product_emit(SumProduct *s);

#endif
