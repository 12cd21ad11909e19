/* Indices while a kernel is written: what is known of them stays arithmetic of the compiler's. */
#ifndef HCC_LOWER_AFFINE_H
#define HCC_LOWER_AFFINE_H

#include "nest/nest.h"
#include "tir/tir.h"

/* offset + sum of coefficient * value + lane * (number of the vector's lane). */
#define AFFINE_MAX_TERMS NEST_MAX_TERMS
typedef struct {
    int64_t offset, lane;
    uint32_t n_terms;
    NestId value[AFFINE_MAX_TERMS];
    int64_t coefficient[AFFINE_MAX_TERMS];
} Affine;

typedef struct {
    Affine at[TIR_MAX_RANK];
    uint32_t rank;
    bool by_address; /* the last axis carries the whole offset, past its end */
} AffineIndex;

static inline Affine affine_const(int64_t c) {
    return (Affine){.offset = c};
}
static inline Affine affine_var(NestId v) {
    return (Affine){.n_terms = 1, .value = {v}, .coefficient = {1}};
}
bool affine_is_const(const Affine *a);
bool affine_equal(const Affine *a, const Affine *b);
Affine affine_add(Affine a, Affine b);
Affine affine_scale(Affine a, int64_t k);
NestAddress affine_address(const Affine *a);           /* without the lane part */
NestId affine_scalar(NestBuilder *b, const Affine *a); /* as an i64; lane must be 0 */
/* As i32; of so many lanes when the affine's lane is not 0. */
NestId affine_i32(NestBuilder *b, const Affine *a, uint16_t lanes);
Affine affine_flat(const AffineIndex *index, const TirType *type);
AffineIndex affine_index(uint64_t flat, const TirType *type); /* all constant */

#endif
