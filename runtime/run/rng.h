/* Counter-based random numbers (Philox 4x32-10): the k-th number of a stream is a pure function of
 * (seed, stream, k), so nothing has a state to save and any thread may draw any part. */
#ifndef HC_RNG_H
#define HC_RNG_H

#include "runtime/hc.h"

/* A stream for each purpose: the hash (XXH3) of its name. */
uint64_t hc_rng_stream(const char *name);
/* The index-th block of four 32-bit words: key = seed, counter = (index, stream), low words first.
 */
void hc_rng_block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t block[4]);
/* Numbers first .. first + count - 1 of the stream. Block k/2 gives numbers k and k^1.
 *   uniform: low + (high - low) * u, u = (a + 0.5) / 2^53 with a the upper 53 bits of a word pair;
 *   normal:  mean + std * z by Box-Muller, z = sqrt(-2 ln u0) * cos(2 pi u1) for even k, sin for
 * odd, in double precision; float results are rounded from those. */
void hc_rng_uniform(uint64_t seed, uint64_t stream, uint64_t first, int64_t count, double low,
                    double high, uint32_t element_size, void *to);
void hc_rng_normal(uint64_t seed, uint64_t stream, uint64_t first, int64_t count, double mean,
                   double std, uint32_t element_size, void *to);
/* An integer in 0 .. bound - 1 from block `index`; bound > 0. */
uint64_t hc_rng_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound);

/* The key of what a model's `random` draws in one step. */
uint64_t hc_rng_step_key(uint64_t seed, int64_t step);

#endif
