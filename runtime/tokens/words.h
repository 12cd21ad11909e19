/* Strings of bytes, each kept once under a number, and a value for each. */
#ifndef HC_WORDS_H
#define HC_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    size_t first; /* in `bytes` */
    uint32_t length, value;
} HcWord;

/* Zero at first. */
typedef struct {
    uint8_t *bytes;
    size_t n_bytes, byte_capacity;
    HcWord *at;
    uint32_t count, capacity;
    uint32_t *slots; /* numbers from 1; 0: free */
    uint32_t n_slots;
} HcWords;

enum { HC_NO_WORD = UINT32_MAX };

/* Its number, or HC_NO_WORD. */
uint32_t hc_words_find(const HcWords *words, const uint8_t *bytes, size_t length);
/* Its number, with value 0 when it is new; HC_NO_WORD: out of memory. */
uint32_t hc_words_add(HcWords *words, const uint8_t *bytes, size_t length);
const uint8_t *hc_words_bytes(const HcWords *words, uint32_t word);
/* Forgets all, and keeps the memory. */
void hc_words_clear(HcWords *words);
void hc_words_free(HcWords *words);

#endif
