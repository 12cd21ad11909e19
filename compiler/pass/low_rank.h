/* Products of low rank, kept in kernels. */
#ifndef HCC_PASS_LOW_RANK_H
#define HCC_PASS_LOW_RANK_H

#include "pass/gemm_match.h"

/* The same as the contraction `id`, whose side `low` is short: one that stays in a kernel. */
TirId low_rank_apart(TirBuilder *b, TirId id, const LowRank *low);

#endif
