/* Within which ends the numbers of a kernel are known to be. */
#ifndef HCC_NEST_NEST_RANGE_H
#define HCC_NEST_NEST_RANGE_H

#include "nest/nest.h"
#include <math.h>

/* Ends that are not known are infinite. */
typedef struct {
    double low, high;
} NestRange;

NestRange nest_address_range(const NestKernel *kernel, const NestAddress *at);
/* Of all lanes (the first `valid` of them, when given) of a vector from `first` on. */
NestRange nest_lanes_range(const NestKernel *kernel, NestRange first, uint16_t lanes,
                           int64_t stride, NestId valid);
/* Whether a known end is not one of so many elements. */
static inline bool nest_range_outside(NestRange r, uint64_t elements) {
    return (isfinite(r.low) && r.low < 0) || (isfinite(r.high) && r.high >= (double)elements);
}

#endif
