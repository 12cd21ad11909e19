#include "runtime/tokens/words.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { LEAST_SLOTS = 1024 };

const uint8_t *hc_words_bytes(const HcWords *w, uint32_t word) {
    return w->bytes + w->at[word].first;
}

/* Where the word is, or would be. */
static uint32_t slot_of(const HcWords *w, const uint8_t *bytes, size_t length) {
    const uint32_t mask = w->n_slots - 1;
    uint32_t slot = (uint32_t)XXH3_64bits(bytes, length) & mask;
    for (; w->slots[slot]; slot = (slot + 1) & mask) {
        const uint32_t word = w->slots[slot] - 1;
        if (w->at[word].length == length && memcmp(hc_words_bytes(w, word), bytes, length) == 0)
            break;
    }
    return slot;
}

uint32_t hc_words_find(const HcWords *w, const uint8_t *bytes, size_t length) {
    return w->n_slots ? w->slots[slot_of(w, bytes, length)] - 1 : HC_NO_WORD;
}

/* At most half of the slots are taken. */
static bool grow_slots(HcWords *w) {
    if (w->count < w->n_slots / 2)
        return true;
    const uint32_t n = w->n_slots ? 2 * w->n_slots : LEAST_SLOTS;
    uint32_t *slots = n > w->n_slots ? calloc(n, sizeof *slots) : NULL;
    if (!slots)
        return false;
    free(w->slots);
    w->slots = slots;
    w->n_slots = n;
    for (uint32_t k = 0; k < w->count; k++)
        slots[slot_of(w, hc_words_bytes(w, k), w->at[k].length)] = k + 1;
    return true;
}

static bool reserve(HcWords *w, size_t length) {
    if (w->count == w->capacity) {
        const uint32_t capacity = w->capacity ? 2 * w->capacity : LEAST_SLOTS / 2;
        HcWord *at = realloc(w->at, capacity * sizeof *at);
        if (!at)
            return false;
        w->at = at;
        w->capacity = capacity;
    }
    if (w->byte_capacity - w->n_bytes < length) {
        const size_t wanted = w->n_bytes + length;
        const size_t capacity = wanted > 2 * w->byte_capacity ? wanted : 2 * w->byte_capacity;
        uint8_t *bytes = realloc(w->bytes, capacity);
        if (!bytes)
            return false;
        w->bytes = bytes;
        w->byte_capacity = capacity;
    }
    return grow_slots(w);
}

uint32_t hc_words_add(HcWords *w, const uint8_t *bytes, size_t length) {
    const uint32_t found = hc_words_find(w, bytes, length);
    if (found != HC_NO_WORD)
        return found;
    if (length > UINT32_MAX || w->count > INT32_MAX || !reserve(w, length))
        return HC_NO_WORD;
    w->slots[slot_of(w, bytes, length)] = w->count + 1;
    w->at[w->count] = (HcWord){w->n_bytes, (uint32_t)length, 0};
    if (length) /* of nothing there may be no address */
        memcpy(w->bytes + w->n_bytes, bytes, length);
    w->n_bytes += length;
    return w->count++;
}

void hc_words_clear(HcWords *w) {
    if (w->n_slots)
        memset(w->slots, 0, w->n_slots * sizeof *w->slots);
    w->count = 0;
    w->n_bytes = 0;
}

void hc_words_free(HcWords *w) {
    free(w->bytes);
    free(w->at);
    free(w->slots);
    *w = (HcWords){0};
}
