/* From schedules to loop nests: one NestKernel for every kernel of the plan.
 *
 * What is decided is decided: a schedule says which loops there are, what carries them, and where
 * every value lies (schedule/schedule.h). Here the loops are written, with what is computed in
 * them: a value's leaves are loads, a value that lies in memory is loaded, any other is computed
 * where it is used. */
#ifndef HCC_LOWER_LOWER_H
#define HCC_LOWER_LOWER_H

#include "nest/nest.h"
#include "schedule/schedule.h"

/* The kernels of so many schedules, in their order. */
NestKernel **lower_kernels(Arena *arena, Schedule *const *schedules, uint32_t count);

#endif
