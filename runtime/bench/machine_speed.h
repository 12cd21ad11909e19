/* How fast this machine moves and multiplies: what a profile is held against. */
#ifndef HC_MACHINE_SPEED_H
#define HC_MACHINE_SPEED_H

#include "runtime/run/blas.h"
#include "runtime/run/threads.h"

typedef struct {
    double bytes;      /* a second, read and written ones, of a copy far larger than the caches */
    double operations; /* a second, of matrix products of 512 x 512 x 512 */
} HcMachineSpeed;

/* On all threads of the pool, with elements of 4 or 8 bytes, the best of a few; about a tenth of a
 * second. Zeros when there is no memory for it. */
HcMachineSpeed hc_machine_speed(const HcBlas *blas, HcPool *pool, size_t element_size);

#endif
