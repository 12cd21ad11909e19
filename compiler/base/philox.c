/* Philox 4x32-10; see philox.h. */
#include "base/philox.h"

void philox_block(uint64_t key, const uint32_t counter[4], uint32_t block[4]) {
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        const uint64_t p = (uint64_t)PHILOX_MULTIPLY_0 * c[0];
        const uint64_t q = (uint64_t)PHILOX_MULTIPLY_1 * c[2];
        c[0] = (uint32_t)(q >> 32) ^ c[1] ^ k[0];
        c[1] = (uint32_t)q;
        c[2] = (uint32_t)(p >> 32) ^ c[3] ^ k[1];
        c[3] = (uint32_t)p;
        k[0] += PHILOX_BUMP_0;
        k[1] += PHILOX_BUMP_1;
    }
    for (int w = 0; w < 4; w++)
        block[w] = c[w];
}

double philox_uniform(const uint32_t block[4]) {
    const uint64_t word = (uint64_t)block[1] << 32 | block[0];
    return (double)(word >> 11) * 0x1p-53;
}
