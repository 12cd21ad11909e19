/* Counter-based random bits, Philox 4x32-10 (Salmon et al. 2011): a block of four words is a pure
 * function of a key and a counter of four words. The compiler's own: generated code emits the same
 * rounds, and the runtime's generator gives the same blocks. */
#ifndef HCC_BASE_PHILOX_H
#define HCC_BASE_PHILOX_H

#include <stdint.h>

enum { PHILOX_ROUNDS = 10 };
#define PHILOX_MULTIPLY_0 0xD2511F53u /* of words 0 and 2 in each round, */
#define PHILOX_MULTIPLY_1 0xCD9E8D57u
#define PHILOX_BUMP_0 0x9E3779B9u /* and what the key's words grow by after it */
#define PHILOX_BUMP_1 0xBB67AE85u

void philox_block(uint64_t key, const uint32_t counter[4], uint32_t block[4]);
/* The uniform number in [0, 1) that a block gives: words 1 and 0 are its bits, of which a double
 * holds the first 53; a float of generated code holds the first 24. */
double philox_uniform(const uint32_t block[4]);

#endif
