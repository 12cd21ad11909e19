/* From plan to loop nests: one NestKernel for every PlanKernel.
 *
 * A group's kernel walks its tile of instances in micro-tiles, as many as a vector has lanes.
 * Within a micro-tile, wide values (features in lanes) and small values (positions in lanes) take
 * turns:
 *
 *   wide stage 0   loops over positions and features: loads, elementwise work, dot products
 *   lane stage 1   small values, all positions of the micro-tile at once, in registers
 *   wide stage 2   ...
 *
 * A value is computed where it is used, inside the same loop, unless another stage or another
 * access pattern needs it in memory; then it goes to scratch, or to its own buffer when it has one.
 */
#ifndef HCC_LOWER_LOWER_H
#define HCC_LOWER_LOWER_H

#include "nest/nest.h"
#include "plan/plan.h"

typedef struct {
    NestElem real;      /* NEST_F32 or NEST_F64 */
    uint16_t lanes;     /* of a vector of reals */
    uint32_t samples;   /* how many a step is likely to have; 0: not known */
    uint32_t registers; /* for vectors; 0: 32 */
} LowerOptions;

/* The kernels in the order of plan->kernels. */
NestKernel **lower_kernels(const Plan *plan, LowerOptions options);

#endif
