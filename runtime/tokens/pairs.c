#include "runtime/tokens/pairs.h"

#include <stdlib.h>

enum { LEAST_SLOTS = 1024 };

/* Tokens are below 2^31, so 1 more is never 0. */
static uint64_t key_of(uint32_t left, uint32_t right) {
    return ((uint64_t)left << 32 | right) + 1;
}

static HcPair *slot_of(const HcPairs *p, uint64_t key) {
    const uint32_t mask = p->n_slots - 1;
    uint64_t hash = key * 0x9e3779b97f4a7c15u;
    uint32_t slot = (uint32_t)(hash >> 32) & mask;
    while (p->slots[slot].key && p->slots[slot].key != key)
        slot = (slot + 1) & mask;
    return &p->slots[slot];
}

HcPair *hc_pairs_find(const HcPairs *p, uint32_t left, uint32_t right) {
    HcPair *slot = p->n_slots ? slot_of(p, key_of(left, right)) : NULL;
    return slot && slot->key ? slot : NULL;
}

/* At most half of the slots are taken. */
static bool grow(HcPairs *p) {
    if (p->count < p->n_slots / 2)
        return true;
    HcPairs grown = {.n_slots = p->n_slots ? 2 * p->n_slots : LEAST_SLOTS, .count = p->count};
    grown.slots = grown.n_slots > p->n_slots ? calloc(grown.n_slots, sizeof *grown.slots) : NULL;
    if (!grown.slots)
        return false;
    for (uint32_t k = 0; k < p->n_slots; k++)
        if (p->slots[k].key)
            *slot_of(&grown, p->slots[k].key) = p->slots[k];
    free(p->slots);
    *p = grown;
    return true;
}

HcPair *hc_pairs_add(HcPairs *p, uint32_t left, uint32_t right) {
    if (!grow(p))
        return NULL;
    HcPair *slot = slot_of(p, key_of(left, right));
    if (!slot->key) {
        *slot = (HcPair){.key = key_of(left, right)};
        p->count++;
    }
    return slot;
}

void hc_pairs_free(HcPairs *p) {
    free(p->slots);
    *p = (HcPairs){0};
}
