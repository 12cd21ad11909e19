/* Memory for tensors: aligned, in large pages where it is large, and none that the system would
 * have to take from somebody. */
#ifndef HC_ALIGNED_H
#define HC_ALIGNED_H

#include <stddef.h>

/* 64-byte aligned zeros; NULL when there are none. Free with free(). */
void *hc_aligned_zero(size_t bytes);
/* As it comes. */
void *hc_aligned(size_t bytes);
/* Zeros, of which those are made that are used: a text may end long before the last position. The
 * block is what to free; NULL when there is none. */
void *hc_aligned_lazily(size_t bytes, void **block);

#endif
