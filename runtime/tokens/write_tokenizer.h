/* Tokenizers of one's own: made from a text, and written to a file. */
#ifndef HC_WRITE_TOKENIZER_H
#define HC_WRITE_TOKENIZER_H

#include "runtime/tokens/tokenizer.h"

/* The token that separates texts: the last of those that are made. */
#define HC_END_OF_TEXT "<|endoftext|>"

/* A tokenizer that was made, and its merges in order. */
typedef struct {
    HcTokenizer *tokenizer;
    int32_t (*pairs)[2];
    uint32_t count;
} HcMade;

/* Bytes of a token that is made, at most: what repeats for longer is not one token. */
enum { HC_LONGEST_MADE = 1024 };

/* Of `size` tokens: the 256 bytes, what pairs of tokens become, the most frequent first, and
 * HC_END_OF_TEXT; of fewer where no pair is there twice that makes at most HC_LONGEST_MADE bytes.
 * Words are those of GPT-2's pattern. The same of the same text, whatever computes it. After a
 * failure there is nothing to free. */
HcStatus hc_tokenizer_make(const uint8_t *text, size_t length, int64_t size, HcMade *made,
                           HcError *error);
void hc_made_free(HcMade *made);
/* tokenizer.json, as the `tokenizers` package reads it. */
HcStatus hc_tokenizer_write(const HcMade *made, const char *path, HcError *error);

#endif
