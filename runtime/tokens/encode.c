/* Text to tokens: words are merged once, and then known. */
#include "runtime/tokens/tokenizer_internal.h"

/* Words that are kept with their tokens: short ones, and not without end. */
enum { KEPT_LENGTH = 128, KEPT_WORDS = 1 << 19 };

typedef struct {
    HcTokenizer *tokenizer;
    HcTokens *to;
    HcError *error;
} Encoder;

static HcStatus append(Encoder *e, const int32_t *tokens, size_t count) {
    for (size_t k = 0; k < count; k++)
        if (!hc_tokens_push(e->to, tokens[k]))
            return hc_fail_memory(e->error, "tokens");
    return HC_OK;
}

/* Best kept after it was made; without memory for that it is made again next time. */
static void keep(HcTokenizer *t, const uint8_t *text, size_t length) {
    if (t->words.count == KEPT_WORDS) {
        hc_words_clear(&t->words);
        t->known.count = 0;
    }
    const size_t first = t->known.count;
    bool kept = hc_tokens_push(&t->known, (int32_t)t->word.count);
    for (size_t k = 0; k < t->word.count; k++)
        kept = kept && hc_tokens_push(&t->known, t->word.at[k]);
    const uint32_t word = kept ? hc_words_add(&t->words, text, length) : HC_NO_WORD;
    if (word != HC_NO_WORD)
        t->words.at[word].value = (uint32_t)first;
    else
        t->known.count = first;
}

static HcStatus encode_word(void *user, const uint8_t *text, size_t length) {
    Encoder *e = user;
    HcTokenizer *t = e->tokenizer;
    const uint32_t known =
        length <= KEPT_LENGTH ? hc_words_find(&t->words, text, length) : HC_NO_WORD;
    if (known != HC_NO_WORD) {
        const int32_t *at = t->known.at + t->words.at[known].value;
        return append(e, at + 1, (size_t)at[0]);
    }
    HcStatus status = hc_merge_word(t, text, length, e->error);
    if (status == HC_OK && length <= KEPT_LENGTH)
        keep(t, text, length);
    return status == HC_OK ? append(e, t->word.at, t->word.count) : status;
}

static HcStatus encode_token(void *user, int32_t token) {
    return append(user, &token, 1);
}

HcStatus hc_tokenizer_encode(HcTokenizer *t, const uint8_t *text, size_t length, bool begins,
                             bool ends, HcTokens *tokens, HcError *error) {
    Encoder e = {t, tokens, error};
    const HcCutter cutter = {t, error, encode_word, encode_token, &e};
    HcStatus status = HC_OK;
    if (begins)
        status = append(&e, t->before.at, t->before.count);
    if (status == HC_OK)
        status = hc_cut_text(&cutter, text, length);
    if (status == HC_OK && ends)
        status = append(&e, t->after.at, t->after.count);
    return status;
}
