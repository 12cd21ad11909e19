/* A text to its words: the tokens that stand in it are found first, of what is between the patterns
 * make pieces, pieces of those, and so on. */
#include "runtime/files/json.h"
#include "runtime/tokens/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>

static HcStatus cut(const HcCutter *c, uint32_t stage, const uint8_t *text, size_t length);

static HcStatus cut_by_pattern(const HcCutter *c, uint32_t stage, const uint8_t *text,
                               size_t length) {
    const HcCut *by = &c->tokenizer->cuts[stage];
    HcStatus status = HC_OK;
    for (size_t at = 0; at < length && status == HC_OK;) {
        size_t begin, end;
        status = hc_pattern_next(by->pattern, text, length, at, &begin, &end, c->error);
        if (status == HC_OK && begin > at && by->kind == HC_CUT_APART)
            status = cut(c, stage + 1, text + at, begin - at);
        if (status == HC_OK && end > begin)
            status = cut(c, stage + 1, text + begin, end - begin);
        at = end;
    }
    return status;
}

static HcStatus cut_prefixed(const HcCutter *c, uint32_t stage, const uint8_t *text,
                             size_t length) {
    HcTokenizer *t = c->tokenizer;
    if (text[0] == ' ')
        return cut(c, stage + 1, text, length);
    if (t->n_prefixed < length + 1) {
        uint8_t *grown = realloc(t->prefixed, 2 * length + 1);
        if (!grown)
            return hc_fail_memory(c->error, "the text");
        t->prefixed = grown;
        t->n_prefixed = 2 * length + 1;
    }
    t->prefixed[0] = ' ';
    memcpy(t->prefixed + 1, text, length);
    return cut(c, stage + 1, t->prefixed, length + 1);
}

/* As deep as there are stages, which are few. */
static HcStatus cut(const HcCutter *c, uint32_t stage, const uint8_t *text, size_t length) {
    if (stage == c->tokenizer->n_cuts)
        return c->word(c->user, text, length);
    return c->tokenizer->cuts[stage].kind == HC_CUT_PREFIX ? cut_prefixed(c, stage, text, length)
                                                           : cut_by_pattern(c, stage, text, length);
}

/* --- tokens that stand in the text -------------------------------------------------------------*/

/* The longest that begins here; NULL: none. */
static const HcAdded *added_at(const HcTokenizer *t, const HcAddedSet *set, const uint8_t *text,
                               size_t length, size_t *size) {
    for (int32_t k = set->first[text[0]]; k >= 0; k = set->at[k].next) {
        const uint32_t word = set->at[k].text;
        *size = t->added_texts.at[word].length;
        if (*size <= length && memcmp(hc_words_bytes(&t->added_texts, word), text, *size) == 0)
            return &set->at[k];
    }
    return NULL;
}

static HcStatus find_added(const HcCutter *c, int which, const uint8_t *text, size_t length) {
    const HcTokenizer *t = c->tokenizer;
    if (which == 2)
        return length ? cut(c, 0, text, length) : HC_OK;
    const HcAddedSet *set = &t->added[which];
    HcStatus status = HC_OK;
    size_t from = 0;
    for (size_t k = 0; set->count && k < length && status == HC_OK;) {
        size_t size;
        const HcAdded *added = added_at(t, set, text + k, length - k, &size);
        k++;
        if (!added)
            continue;
        status = find_added(c, which + 1, text + from, k - 1 - from);
        if (status == HC_OK)
            status = c->token(c->user, added->token);
        from = k = k - 1 + size;
    }
    return status == HC_OK ? find_added(c, which + 1, text + from, length - from) : status;
}

/* Patterns run on text that is known to be UTF-8. */
static HcStatus check_text(const uint8_t *text, size_t length, HcError *error) {
    for (size_t k = 0; k < length;) {
        const size_t n = text[k] < 0x80 ? 1 : hc_utf8_length((const char *)text + k, length - k);
        if (n == 0)
            return hc_fail(error, HC_ERROR_DATA, "the text is not UTF-8: byte %zu is %d", k,
                           text[k]);
        k += n;
    }
    return HC_OK;
}

HcStatus hc_cut_text(const HcCutter *c, const uint8_t *text, size_t length) {
    HcStatus status = check_text(text, length, c->error);
    return status == HC_OK ? find_added(c, 0, text, length) : status;
}
