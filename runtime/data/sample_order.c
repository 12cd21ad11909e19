/* Which sample comes when: the parts, and an order for every epoch. */
#include "runtime/data/samples.h"
#include "runtime/run/rng.h"

/* A Feistel network over the least 2^(2 h) that holds n, walked until the number is below n. */
int64_t hc_permute(uint64_t seed, uint64_t epoch, int64_t n, int64_t k) {
    const uint64_t stream = hc_rng_stream("hc.order");
    uint32_t half = 1;
    while (half < 31 && (int64_t)1 << (2 * half) < n)
        half++;
    const uint64_t mask = ((uint64_t)1 << half) - 1;
    uint64_t at = (uint64_t)k;
    do {
        uint64_t left = at >> half, right = at & mask;
        for (uint64_t round = 0; round < 8; round++) {
            uint32_t block[4];
            hc_rng_block(seed, stream + epoch, round << 32 | right, block);
            const uint64_t next = left ^ (block[0] & mask);
            left = right;
            right = next;
        }
        at = left << half | right;
    } while (at >= (uint64_t)n);
    return (int64_t)at;
}

int64_t hc_samples_of_part(const HcSamples *s, HcPart part, int64_t k) {
    const int64_t at = part == HC_TRAIN_PART ? k : s->train_count + k;
    /* the same parts whatever the run's seed is */
    return s->shuffled ? hc_permute(0, UINT64_C(1) << 63, s->count, at) : at;
}

int64_t hc_samples_of_batch(const HcSamples *s, uint64_t seed, int64_t step, int64_t batch,
                            int64_t sample) {
    const int64_t number = step * batch + sample;
    return hc_samples_of_part(s, HC_TRAIN_PART,
                              hc_permute(seed, (uint64_t)(number / s->train_count), s->train_count,
                                         number % s->train_count));
}
