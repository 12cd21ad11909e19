/* Text to tokens and back: byte-level byte pair encoding, as GPT-2 brought it and the `tokenizers`
 * package keeps it in a file. Text is cut into words by patterns; each word begins as its bytes, of
 * which those pairs are merged that a list says, the earliest of the list first. */
#ifndef HC_TOKENIZER_H
#define HC_TOKENIZER_H

#include "runtime/files/error.h"

#include <stdbool.h>

/* Used by one thread at a time. */
typedef struct HcTokenizer HcTokenizer;

/* tokenizer.json, or GPT-2's vocab.json with merges.txt beside it, or a folder that holds one of
 * both. What in it would change the result, and is not known here, is an error that names it. */
HcStatus hc_tokenizer_open(const char *path, HcTokenizer **tokenizer, HcError *error);
void hc_tokenizer_free(HcTokenizer *tokenizer); /* NULL is fine */

/* The files that such a path names, as they are. */
typedef struct {
    struct {
        const char *name; /* "tokenizer.json", "vocab.json", "merges.txt" */
        char *path, *text;
        size_t length;
    } at[2];
    uint32_t count;
} HcTokenizerFiles;

/* Whatever comes of it, hc_tokenizer_files_free frees them. */
HcStatus hc_tokenizer_files(const char *path, HcTokenizerFiles *files, HcError *error);
void hc_tokenizer_files_free(HcTokenizerFiles *files);

/* Above all tokens, that is. */
int64_t hc_tokenizer_size(const HcTokenizer *tokenizer);
/* The token's bytes; NULL: there is none of this number. */
const uint8_t *hc_tokenizer_bytes(const HcTokenizer *tokenizer, int64_t token, size_t *count);

/* Zero at first. */
typedef struct {
    int32_t *at;
    size_t count, capacity;
} HcTokens;

/* The tokens of a text, to those that are there already. HC_ERROR_DATA for what is not UTF-8, or
 * has a byte that is no token. begins, ends: with the tokens that the tokenizer puts before a text
 * and after it. */
HcStatus hc_tokenizer_encode(HcTokenizer *tokenizer, const uint8_t *text, size_t length,
                             bool begins, bool ends, HcTokens *tokens, HcError *error);
bool hc_tokens_push(HcTokens *tokens, int32_t token); /* false: out of memory */
void hc_tokens_free(HcTokens *tokens);

#endif
