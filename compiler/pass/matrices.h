/* Which parameters are matrices, for optimisers that treat those apart. */
#ifndef HCC_PASS_MATRICES_H
#define HCC_PASS_MATRICES_H

#include "tir/tir.h"

/* A parameter as matrices of `free` by `summed`, one for each element of `apart`. */
typedef struct {
    uint32_t apart, free, summed; /* masks of its axes; all 0: it is none */
} MatrixAxes;

/* By parameter. */
MatrixAxes *pass_matrices(const TirProgram *p, Arena *arena);
/* Elements of the axes of a mask. */
uint64_t matrix_extent(const TirParam *param, uint32_t axes);

#endif
