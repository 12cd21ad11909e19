#include "runtime/run/rng.h"

#define XXH_INLINE_ALL
#include <math.h>
#include <Random123/philox.h>
#include <string.h>
#include <xxhash.h>

uint64_t hc_rng_stream(const char *name) {
    return XXH3_64bits(name, strlen(name));
}

void hc_rng_block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t block[4]) {
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t counter = {
        {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)}};
    philox4x32_ctr_t words = philox4x32(counter, key);
    for (int k = 0; k < 4; k++)
        block[k] = words.v[k];
}

/* Two uniform numbers in the open interval (0, 1). */
static void uniform_pair(uint64_t seed, uint64_t stream, uint64_t index, double u[2]) {
    uint32_t block[4];
    hc_rng_block(seed, stream, index, block);
    for (int k = 0; k < 2; k++) {
        uint64_t word = (uint64_t)block[2 * k + 1] << 32 | block[2 * k];
        u[k] = ((double)(word >> 11) + 0.5) * 0x1p-53;
    }
}

static void normal_pair(uint64_t seed, uint64_t stream, uint64_t index, double z[2]) {
    double u[2];
    uniform_pair(seed, stream, index, u);
    double radius = sqrt(-2.0 * log(u[0]));
    double angle = 6.283185307179586476925286766559 * u[1];
    z[0] = radius * cos(angle);
    z[1] = radius * sin(angle);
}

typedef void Pair(uint64_t seed, uint64_t stream, uint64_t index, double pair[2]);

static void fill(Pair *draw, uint64_t seed, uint64_t stream, uint64_t first, int64_t count,
                 double offset, double scale, uint32_t element_size, void *to) {
    double pair[2];
    uint64_t drawn = UINT64_MAX;
    for (int64_t k = 0; k < count; k++) {
        uint64_t number = first + (uint64_t)k;
        if (number / 2 != drawn) {
            drawn = number / 2;
            draw(seed, stream, drawn, pair);
        }
        double value = offset + scale * pair[number % 2];
        if (element_size == 8)
            ((double *)to)[k] = value;
        else
            ((float *)to)[k] = (float)value;
    }
}

void hc_rng_uniform(uint64_t seed, uint64_t stream, uint64_t first, int64_t count, double low,
                    double high, uint32_t element_size, void *to) {
    fill(uniform_pair, seed, stream, first, count, low, high - low, element_size, to);
}

void hc_rng_normal(uint64_t seed, uint64_t stream, uint64_t first, int64_t count, double mean,
                   double std, uint32_t element_size, void *to) {
    fill(normal_pair, seed, stream, first, count, mean, std, element_size, to);
}

uint64_t hc_rng_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound) {
    uint32_t block[4];
    hc_rng_block(seed, stream, index, block);
    uint64_t word = (uint64_t)block[1] << 32 | block[0];
    return (uint64_t)(((unsigned __int128)word * bound) >> 64);
}

uint64_t hc_rng_step_key(uint64_t seed, int64_t step) {
    uint32_t block[4];
    hc_rng_block(seed, hc_rng_stream("hc.random"), (uint64_t)step, block);
    return (uint64_t)block[1] << 32 | block[0];
}
