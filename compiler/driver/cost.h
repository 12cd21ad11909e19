/* What a program costs, counted on its tensor IR: before anything is compiled. */
#ifndef HCC_DRIVER_COST_H
#define HCC_DRIVER_COST_H

#include "tir/tir.h"

typedef struct {
    double per_position; /* arithmetic operations at one position of one sample */
    double per_sample;
    double per_step; /* global work: what depends on no data */
} Cost;

/* `forward`: values up to n_forward (all when there is no gradient); else the others. Additions,
 * multiplications and functions such as exp count 1 each; attention over `positions` positions. */
Cost cost_count(const TirProgram *p, bool forward, uint32_t positions);
/* All of it, spread over the positions of a step. */
double cost_spread(Cost cost, uint32_t samples, uint32_t positions);

#endif
