/* A word's bytes to its tokens: pairs are merged, the earliest of the list first, of the same the
 * leftmost. What may be merged next lies on a heap, so that a word of any length takes a time that
 * is nearly its length's. */
#include "runtime/tokens/tokenizer_internal.h"

#include <stdlib.h>

static bool before(const HcMerge *a, const HcMerge *b) {
    return a->rank < b->rank || (a->rank == b->rank && a->at < b->at);
}

static void heap_push(HcMerge *heap, size_t *count, HcMerge merge) {
    size_t i = (*count)++;
    for (; i > 0 && before(&merge, &heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = merge;
}

static HcMerge heap_pop(HcMerge *heap, size_t *count) {
    const HcMerge top = heap[0], last = heap[--*count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < *count; i = child) {
        if (child + 1 < *count && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &last))
            break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

/* Each byte of a word makes one entry at first, each merge two more and one symbol less. */
static HcStatus reserve(HcTokenizer *t, size_t length, HcError *error) {
    if (length > INT32_MAX / 4)
        return hc_fail(error, HC_ERROR_DATA, "a word of %zu bytes is too long to make tokens of",
                       length);
    if (length <= t->n_symbols)
        return HC_OK;
    const size_t room = 2 * length;
    HcSymbol *symbols = malloc(room * sizeof *symbols);
    HcMerge *heap = malloc(3 * room * sizeof *heap);
    if (!symbols || !heap) {
        free(symbols);
        free(heap);
        return hc_fail_memory(error, "a word");
    }
    free(t->symbols);
    free(t->heap);
    t->symbols = symbols;
    t->heap = heap;
    t->n_symbols = room;
    return HC_OK;
}

static void offer(HcTokenizer *t, int32_t at, size_t *count) {
    const HcSymbol *left = &t->symbols[at];
    if (left->next < 0)
        return;
    const HcPair *pair = hc_pairs_find(&t->merges, left->token, t->symbols[left->next].token);
    if (pair)
        heap_push(t->heap, count, (HcMerge){pair->a, at, pair->b});
}

/* Whether the two that the merge was offered for are still there. */
static bool holds(const HcTokenizer *t, const HcMerge *merge) {
    const HcSymbol *left = &t->symbols[merge->at];
    if (left->token == HC_NO_WORD || left->next < 0)
        return false;
    const HcPair *pair = hc_pairs_find(&t->merges, left->token, t->symbols[left->next].token);
    return pair && pair->b == merge->token;
}

static void apply(HcTokenizer *t, const HcMerge *merge, size_t *count) {
    HcSymbol *left = &t->symbols[merge->at], *right = &t->symbols[left->next];
    left->token = merge->token;
    left->next = right->next;
    right->token = HC_NO_WORD;
    if (left->next >= 0)
        t->symbols[left->next].previous = merge->at;
    if (left->previous >= 0)
        offer(t, left->previous, count);
    offer(t, merge->at, count);
}

static HcStatus begin(HcTokenizer *t, const uint8_t *bytes, size_t length, HcError *error) {
    for (size_t k = 0; k < length; k++) {
        const int32_t token = t->byte_tokens[bytes[k]];
        if (token < 0)
            return hc_fail(error, HC_ERROR_DATA,
                           "the text holds byte %d, for which the tokenizer has no token",
                           bytes[k]);
        t->symbols[k] =
            (HcSymbol){(uint32_t)token, (int32_t)k - 1, k + 1 < length ? (int32_t)k + 1 : -1};
    }
    return HC_OK;
}

HcStatus hc_merge_word(HcTokenizer *t, const uint8_t *bytes, size_t length, HcError *error) {
    size_t count = 0;
    t->word.count = 0;
    const uint32_t whole =
        t->ignore_merges ? hc_words_find(&t->vocabulary, bytes, length) : HC_NO_WORD;
    HcStatus status = HC_OK;
    if (whole != HC_NO_WORD)
        status = hc_tokens_push(&t->word, (int32_t)t->vocabulary.at[whole].value)
                     ? HC_OK
                     : hc_fail_memory(error, "tokens");
    if (whole != HC_NO_WORD || length == 0)
        return status;
    status = reserve(t, length, error);
    if (status == HC_OK)
        status = begin(t, bytes, length, error);
    for (size_t k = 0; status == HC_OK && k < length; k++)
        offer(t, (int32_t)k, &count);
    while (status == HC_OK && count) {
        const HcMerge merge = heap_pop(t->heap, &count);
        if (holds(t, &merge))
            apply(t, &merge, &count);
    }
    for (int32_t k = 0; status == HC_OK && k >= 0; k = t->symbols[k].next)
        if (!hc_tokens_push(&t->word, (int32_t)t->symbols[k].token))
            status = hc_fail_memory(error, "tokens");
    return status;
}
