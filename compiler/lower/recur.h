/* Kernels of first-order recurrences over positions, m[t] = f[t] * m[t - 1] + u[t]. */
#ifndef HCC_LOWER_RECUR_H
#define HCC_LOWER_RECUR_H

#include "nest/nest.h"
#include "tir/tir.h"

typedef struct {
    const char *name;
    uint64_t elements; /* of the state at a position */
    uint64_t run;      /* of them that a task takes; a multiple of `lanes` */
    bool single;       /* f is one number for all of them */
    bool reverse;      /* m[t] = f[t + 1] * m[t + 1] + u[t] */
    TirDomain f, u, m; /* where operands and state live */
    NestElem elem;
    uint16_t lanes;
    Span span;
} RecurShape;

/* Tasks: samples * ceil(elements / run) ("per_sample"). Argument buffers: 0 f, 1 u read, 2 m
 * written, and read where positions are added to those of before. */
NestKernel *recur_kernel(Arena *arena, const RecurShape *shape);

#endif
