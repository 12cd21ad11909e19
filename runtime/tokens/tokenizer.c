/* What a tokenizer holds: tokens by number and by their bytes, merges, how it cuts text. */
#include "runtime/tokens/letters.h"
#include "runtime/tokens/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>

enum { NONE, OF_VOCABULARY, ADDED, MOST_TOKENS = 1 << 28 };

bool hc_tokens_push(HcTokens *t, int32_t token) {
    if (t->count == t->capacity) {
        const size_t capacity = t->capacity ? 2 * t->capacity : 64;
        int32_t *grown = realloc(t->at, capacity * sizeof *grown);
        if (!grown)
            return false;
        t->at = grown;
        t->capacity = capacity;
    }
    t->at[t->count++] = token;
    return true;
}

void hc_tokens_free(HcTokens *t) {
    free(t->at);
    *t = (HcTokens){0};
}

/* --- building ----------------------------------------------------------------------------------*/

HcTokenizer *hc_tokenizer_new(void) {
    HcTokenizer *t = calloc(1, sizeof *t);
    for (int k = 0; t && k < 256; k++)
        t->byte_tokens[k] = t->added[0].first[k] = t->added[1].first[k] = -1;
    return t;
}

static HcStatus place(HcTokenizer *t, int64_t token, HcError *error) {
    if (token < 0 || token >= MOST_TOKENS)
        return hc_fail(error, HC_ERROR_DATA, "a token has number %lld: they are 0 to %d",
                       (long long)token, MOST_TOKENS - 1);
    if (token < t->size)
        return HC_OK;
    int64_t size = t->size ? t->size : 256;
    while (size <= token)
        size *= 2;
    void *grown = realloc(t->tokens, (size_t)size * sizeof *t->tokens);
    if (!grown)
        return hc_fail_memory(error, "a vocabulary");
    t->tokens = grown;
    memset(t->tokens + t->size, 0, (size_t)(size - t->size) * sizeof *t->tokens);
    t->size = size;
    return HC_OK;
}

HcStatus hc_tokenizer_add(HcTokenizer *t, const uint8_t *bytes, size_t length, int64_t token,
                          HcError *error) {
    HcStatus status = place(t, token, error);
    if (status != HC_OK)
        return status;
    if (t->tokens[token].kind != NONE)
        return hc_fail(error, HC_ERROR_DATA, "two tokens have number %lld", (long long)token);
    if (hc_words_find(&t->vocabulary, bytes, length) != HC_NO_WORD)
        return hc_fail(error, HC_ERROR_DATA, "token %lld is in the vocabulary twice",
                       (long long)token);
    const uint32_t word = hc_words_add(&t->vocabulary, bytes, length);
    if (word == HC_NO_WORD)
        return hc_fail_memory(error, "a vocabulary");
    t->vocabulary.at[word].value = (uint32_t)token;
    t->tokens[token].word = word;
    t->tokens[token].kind = OF_VOCABULARY;
    if (length == 1)
        t->byte_tokens[bytes[0]] = (int32_t)token;
    return HC_OK;
}

/* Longer ones before shorter. */
static HcStatus enlist(HcTokenizer *t, HcAddedSet *set, uint32_t word, int32_t token,
                       HcError *error) {
    HcAdded *grown = realloc(set->at, (set->count + 1) * sizeof *grown);
    if (!grown)
        return hc_fail_memory(error, "added tokens");
    set->at = grown;
    const uint32_t length = t->added_texts.at[word].length;
    int32_t *link = &set->first[hc_words_bytes(&t->added_texts, word)[0]];
    while (*link >= 0 && t->added_texts.at[set->at[*link].text].length > length)
        link = &set->at[*link].next;
    const int32_t next = *link;
    *link = (int32_t)set->count;
    set->at[set->count++] = (HcAdded){word, token, next};
    return HC_OK;
}

/* A token that is in the vocabulary, too, has one number, and that no other text. */
static HcStatus check_added(const HcTokenizer *t, const char *text, size_t length, int64_t token,
                            HcError *error) {
    uint8_t bytes[256];
    size_t count, held;
    uint32_t word = HC_NO_WORD;
    if (length <= sizeof bytes && hc_letters_read(text, length, bytes, &count))
        word = hc_words_find(&t->vocabulary, bytes, count);
    const uint32_t other = hc_words_find(&t->added_texts, (const uint8_t *)text, length);
    const int64_t known = word != HC_NO_WORD    ? t->vocabulary.at[word].value
                          : other != HC_NO_WORD ? t->added_texts.at[other].value
                                                : token;
    if (known != token)
        return hc_fail(error, HC_ERROR_DATA, "token `%.40s` has two numbers: %lld and %lld", text,
                       (long long)known, (long long)token);
    if (word == HC_NO_WORD && other == HC_NO_WORD && hc_tokenizer_bytes(t, token, &held))
        return hc_fail(error, HC_ERROR_DATA, "token `%.40s` has number %lld, as another has", text,
                       (long long)token);
    return HC_OK;
}

HcStatus hc_tokenizer_add_text(HcTokenizer *t, const char *text, size_t length, int64_t token,
                               int set, HcError *error) {
    HcStatus status = place(t, token, error);
    if (status == HC_OK && length == 0)
        status = hc_fail(error, HC_ERROR_DATA, "token %lld has no text", (long long)token);
    if (status == HC_OK)
        status = check_added(t, text, length, token, error);
    if (status != HC_OK)
        return status;
    const uint32_t word = hc_words_add(&t->added_texts, (const uint8_t *)text, length);
    if (word == HC_NO_WORD)
        return hc_fail_memory(error, "added tokens");
    t->added_texts.at[word].value = (uint32_t)token;
    t->tokens[token].word = word;
    t->tokens[token].kind = ADDED;
    return set >= 0 ? enlist(t, &t->added[set], word, (int32_t)token, error) : HC_OK;
}

HcStatus hc_tokenizer_add_merge(HcTokenizer *t, const uint8_t *bytes, size_t left, size_t length,
                                HcError *error) {
    const uint32_t words[] = {hc_words_find(&t->vocabulary, bytes, left),
                              hc_words_find(&t->vocabulary, bytes + left, length - left),
                              hc_words_find(&t->vocabulary, bytes, length)};
    static const char *const names[] = {"its first half", "its second half", "both together"};
    for (int k = 0; k < 3; k++)
        if (words[k] == HC_NO_WORD)
            return hc_fail(error, HC_ERROR_DATA,
                           "merge %u is of something that is no token of the vocabulary: %s",
                           (unsigned)t->n_merges + 1, names[k]);
    HcPair *pair = hc_pairs_add(&t->merges, t->vocabulary.at[words[0]].value,
                                t->vocabulary.at[words[1]].value);
    if (!pair)
        return hc_fail_memory(error, "merges");
    pair->a = t->n_merges++; /* of one that is there twice the last counts */
    pair->b = t->vocabulary.at[words[2]].value;
    return HC_OK;
}

HcStatus hc_tokenizer_cut(HcTokenizer *t, HcCutKind kind, HcPattern *pattern, HcError *error) {
    if (t->n_cuts == HC_MAX_CUTS) {
        hc_pattern_free(pattern);
        return hc_fail(error, HC_ERROR_DATA, "its pre_tokenizer has more than %d steps",
                       HC_MAX_CUTS);
    }
    t->cuts[t->n_cuts++] = (HcCut){kind, pattern};
    return HC_OK;
}

void hc_tokenizer_finish(HcTokenizer *t) {
    while (t->size > 0 && t->tokens[t->size - 1].kind == NONE)
        t->size--;
}

void hc_tokenizer_free(HcTokenizer *t) {
    if (!t)
        return;
    hc_words_free(&t->vocabulary);
    hc_words_free(&t->added_texts);
    free(t->tokens);
    hc_pairs_free(&t->merges);
    free(t->added[0].at);
    free(t->added[1].at);
    for (uint32_t k = 0; k < t->n_cuts; k++)
        hc_pattern_free(t->cuts[k].pattern);
    hc_tokens_free(&t->before);
    hc_tokens_free(&t->after);
    hc_words_free(&t->words);
    hc_tokens_free(&t->known);
    hc_tokens_free(&t->word);
    free(t->symbols);
    free(t->heap);
    free(t->prefixed);
    free(t);
}

/* --- what it is --------------------------------------------------------------------------------*/

int64_t hc_tokenizer_size(const HcTokenizer *t) {
    return t->size;
}

const uint8_t *hc_tokenizer_bytes(const HcTokenizer *t, int64_t token, size_t *count) {
    if (token < 0 || token >= t->size || t->tokens[token].kind == NONE)
        return NULL;
    const HcWords *words =
        t->tokens[token].kind == OF_VOCABULARY ? &t->vocabulary : &t->added_texts;
    *count = words->at[t->tokens[token].word].length;
    return hc_words_bytes(words, t->tokens[token].word);
}
