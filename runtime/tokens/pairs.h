/* Numbers kept for pairs of tokens. */
#ifndef HC_PAIRS_H
#define HC_PAIRS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t key;  /* of two tokens, and 1 more; 0: free */
    uint32_t a, b; /* what the caller keeps */
} HcPair;

/* Zero at first. */
typedef struct {
    HcPair *slots;
    uint32_t n_slots, count;
} HcPairs;

/* NULL: it is not there. */
HcPair *hc_pairs_find(const HcPairs *pairs, uint32_t left, uint32_t right);
/* With a and b 0 when it is new; NULL: out of memory. Moves the others. */
HcPair *hc_pairs_add(HcPairs *pairs, uint32_t left, uint32_t right);
void hc_pairs_free(HcPairs *pairs);

#endif
