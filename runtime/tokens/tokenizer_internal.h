/* What a tokenizer is made of. */
#ifndef HC_TOKENIZER_INTERNAL_H
#define HC_TOKENIZER_INTERNAL_H

#include "runtime/tokens/pairs.h"
#include "runtime/tokens/pattern.h"
#include "runtime/tokens/tokenizer.h"
#include "runtime/tokens/words.h"

enum { HC_MAX_CUTS = 16 };

/* A way to cut pieces of text into smaller ones; the last ones are words. */
typedef enum {
    HC_CUT_APART,  /* what the pattern finds, and what is between, are pieces */
    HC_CUT_KEEP,   /* only what it finds is */
    HC_CUT_PREFIX, /* a space before what begins with none */
} HcCutKind;

typedef struct {
    HcCutKind kind;
    HcPattern *pattern;
} HcCut;

/* A token that is found in the text before it is cut. */
typedef struct {
    uint32_t text; /* of `added_texts` */
    int32_t token;
    int32_t next; /* with the same first byte, and not longer; -1: none */
} HcAdded;

typedef struct {
    HcAdded *at;
    uint32_t count;
    int32_t first[256]; /* by first byte; -1: none */
} HcAddedSet;

/* A word that is made of symbols. */
typedef struct {
    uint32_t token;
    int32_t previous, next;
} HcSymbol;

typedef struct {
    uint32_t rank;
    int32_t at;
    uint32_t token;
} HcMerge;

struct HcTokenizer {
    HcWords vocabulary; /* bytes of tokens that words become; the value is the token */
    HcWords added_texts;
    struct {
        uint32_t word;
        uint8_t kind; /* 0: none, 1: of the vocabulary, 2: of added_texts */
    } *tokens;        /* by number */
    int64_t size;
    int32_t byte_tokens[256]; /* -1: none */
    HcPairs merges;           /* a: which of the list, b: what they become */
    uint32_t n_merges;
    bool ignore_merges;  /* a word that is a token is that */
    HcAddedSet added[2]; /* of the first first, in all of the text */
    HcCut cuts[HC_MAX_CUTS];
    uint32_t n_cuts;
    HcTokens before, after;
    /* of the work at hand */
    HcWords words;  /* whose tokens are known; the value says where they are */
    HcTokens known; /* how many, and those */
    HcTokens word;  /* of one */
    HcSymbol *symbols;
    HcMerge *heap;
    size_t n_symbols; /* room */
    uint8_t *prefixed;
    size_t n_prefixed;
};

/* A token of the vocabulary; HC_ERROR_DATA when its number, or its text, is taken. */
HcStatus hc_tokenizer_add(HcTokenizer *t, const uint8_t *bytes, size_t length, int64_t token,
                          HcError *error);
/* A token that is not made of others. set: 0 or 1, as for `added`; -1: it is not looked for. */
HcStatus hc_tokenizer_add_text(HcTokenizer *t, const char *text, size_t length, int64_t token,
                               int set, HcError *error);
/* Two tokens of the vocabulary by their bytes, which become the token of both together. */
HcStatus hc_tokenizer_add_merge(HcTokenizer *t, const uint8_t *bytes, size_t left, size_t length,
                                HcError *error);
HcStatus hc_tokenizer_cut(HcTokenizer *t, HcCutKind kind, HcPattern *pattern, HcError *error);
/* Once all is there. */
void hc_tokenizer_finish(HcTokenizer *t);
HcTokenizer *hc_tokenizer_new(void); /* NULL: out of memory */

/* --- cutting -----------------------------------------------------------------------------------*/

/* Where a text goes piece by piece. */
typedef struct {
    HcTokenizer *tokenizer;
    HcError *error;
    HcStatus (*word)(void *user, const uint8_t *text, size_t length);
    HcStatus (*token)(void *user, int32_t token); /* one that was found as such */
    void *user;
} HcCutter;

HcStatus hc_cut_text(const HcCutter *cutter, const uint8_t *text, size_t length);

/* --- merging -----------------------------------------------------------------------------------*/

/* The tokens of a word, into t->word. */
HcStatus hc_merge_word(HcTokenizer *t, const uint8_t *bytes, size_t length, HcError *error);

/* --- reading -----------------------------------------------------------------------------------*/

HcStatus hc_tokenizer_read_json(HcTokenizer *t, const char *path, HcError *error);
HcStatus hc_tokenizer_read_gpt2(HcTokenizer *t, const char *vocabulary, const char *merges,
                                HcError *error);

#endif
