/* The roles of a contraction's labels, and which contractions are matrix products. */
#ifndef HCC_PASS_GEMM_MATCH_H
#define HCC_PASS_GEMM_MATCH_H

#include "tir/tir.h"

/* A matrix product: C[m,n] = A * B, m rows over instances of a domain, or k summed over them. */
typedef struct {
    bool transpose_a, transpose_b;
    TirId a, b;
    uint64_t m, n, k; /* per instance where the domain below is set */
    bool m_per_instance, k_per_instance;
    TirDomain domain; /* whose instances */
    uint64_t lda, ldb, ldc;
    TirId into;      /* the sum it is added to, or its own value */
    bool accumulate; /* set on calls: add to what is there */
} GemmWork;

/* Labels by role, in the order of the operand they are taken from (sum: x's order). */
typedef struct {
    uint8_t sum[TIR_MAX_RANK], free_x[TIR_MAX_RANK], free_y[TIR_MAX_RANK];
    uint32_t n_sum, n_free_x, n_free_y;
    uint64_t sum_size, free_x_size, free_y_size;
} ContractRoles;

/* False when a label stands twice in one operand, in all three, or in one operand only. */
bool contract_roles(const TirBlock *block, TirId id, ContractRoles *roles);

typedef enum {
    GEMM_NOT,
    GEMM_APPLY_Y, /* operand 1 is the weight */
    GEMM_APPLY_X, /* operand 0 is the weight */
    GEMM_GRADIENT,
} GemmPattern;

/* A product of LOW_RANK entries at most and a side many times as long. `label` is that of the short
 * side, and `set_apart` says that an axis of one entry follows it (low_rank.c). */
typedef struct {
    uint8_t label;
    uint64_t extent;
    bool set_apart;
} LowRank;
bool gemm_low_rank(const TirBlock *block, TirId id, const ContractRoles *roles, LowRank *found);

/* By domains and sizes alone; gemm_match also wants the axes in order. */
GemmPattern gemm_pattern(const TirBlock *block, TirId id, ContractRoles *roles);

/* Whether a contraction over `node`'s labels is a matrix product for BLAS, and which. */
bool gemm_match(const TirBlock *block, TirId id, GemmWork *gemm);

#endif
