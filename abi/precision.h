/* What a model computes in: its recipe's choice, or that of who compiles it. The rows of words.def
 * say what its real values are in memory: parameters, their gradients and moments, and whatever the
 * plan does not store narrower. So a checkpoint of bf16 is one of f32. */
#ifndef HC_PRECISION_H
#define HC_PRECISION_H

#include <stdbool.h>
#include <string.h>

/* The first is what holds where nothing is said. */
typedef enum {
#define HC_PRECISION(ident, text, real) HC_PRECISION_##ident,
#include "abi/words.def"
    HC_PRECISION_COUNT
} HcPrecision;

static inline const char *hc_precision_word(HcPrecision precision) {
    static const char *const words[HC_PRECISION_COUNT] = {
#define HC_PRECISION(ident, text, real) [HC_PRECISION_##ident] = text,
#include "abi/words.def"
    };
    return words[precision];
}

/* Whether products may round their factors to bf16. */
static inline bool hc_precision_rounds(HcPrecision precision) {
    return precision == HC_PRECISION_BF16 || precision == HC_PRECISION_BF16_STREAMS;
}

/* HC_PRECISION_COUNT where it is none. */
static inline HcPrecision hc_precision_named(const char *word) {
    int k = 0;
    while (k < HC_PRECISION_COUNT && strcmp(hc_precision_word((HcPrecision)k), word) != 0)
        k++;
    return (HcPrecision)k;
}

#endif
