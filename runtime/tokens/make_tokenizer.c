/* A tokenizer from a text: the words are counted, then the pair of tokens that is there most often
 * becomes a token, again and again. A pair keeps where it is and how often, so that each merge
 * looks at the words alone that hold it. */
#include "runtime/tokens/tokenizer_internal.h"
#include "runtime/tokens/write_tokenizer.h"

#include <stdlib.h>
#include <string.h>

/* A word: its tokens from `first` on. */
typedef struct {
    uint32_t first, length;
    int64_t count;
} Word;

/* A pair; where it may be, as a list of words, some of them more than once. */
typedef struct {
    int32_t left, right;
    int64_t count;
    uint32_t *words;
    uint32_t n_words, capacity;
} Pair;

/* As often as the pair was there when this was pushed. */
typedef struct {
    int64_t count;
    uint32_t pair;
} Candidate;

typedef struct {
    HcError *error;
    HcWords texts; /* of words; `counts` by their numbers */
    int64_t *counts;
    uint32_t n_counts; /* room */
    Word *words;
    int32_t *tokens;
    HcPairs index; /* a: which of `pairs` */
    Pair *pairs;
    uint32_t n_pairs, pair_capacity;
    Candidate *heap;
    size_t n_heap, heap_capacity;
} Maker;

/* --- counting words ----------------------------------------------------------------------------*/

static HcStatus count_word(void *user, const uint8_t *text, size_t length) {
    Maker *m = user;
    const uint32_t word = hc_words_add(&m->texts, text, length);
    if (word != HC_NO_WORD && word >= m->n_counts) {
        const uint32_t room = m->n_counts ? 2 * m->n_counts : 1024;
        int64_t *grown = realloc(m->counts, room * sizeof *grown);
        if (!grown)
            return hc_fail_memory(m->error, "words");
        memset(grown + m->n_counts, 0, (room - m->n_counts) * sizeof *grown);
        m->counts = grown;
        m->n_counts = room;
    }
    if (word == HC_NO_WORD)
        return hc_fail_memory(m->error, "words");
    m->counts[word]++;
    return HC_OK;
}

static HcStatus pass_token(void *user, int32_t token) {
    (void)user, (void)token;
    return HC_OK;
}

static HcStatus count_words(Maker *m, HcTokenizer *t, const uint8_t *text, size_t length) {
    const HcCutter cutter = {t, m->error, count_word, pass_token, m};
    HcStatus status = hc_cut_text(&cutter, text, length);
    if (status != HC_OK)
        return status;
    m->words = calloc((size_t)m->texts.count + 1, sizeof *m->words);
    m->tokens = calloc(m->texts.n_bytes + 1, sizeof *m->tokens);
    if (!m->words || !m->tokens || m->texts.n_bytes > INT32_MAX)
        return hc_fail_memory(m->error, "words");
    for (size_t k = 0; k < m->texts.n_bytes; k++)
        m->tokens[k] = m->texts.bytes[k];
    for (uint32_t w = 0; w < m->texts.count; w++)
        m->words[w] = (Word){(uint32_t)m->texts.at[w].first, m->texts.at[w].length, m->counts[w]};
    return HC_OK;
}

/* --- candidates --------------------------------------------------------------------------------*/

/* Of those that are there as often the earlier tokens are first. */
static bool before(const Maker *m, const Candidate *a, const Candidate *b) {
    const Pair *p = &m->pairs[a->pair], *q = &m->pairs[b->pair];
    if (a->count != b->count)
        return a->count > b->count;
    return p->left != q->left ? p->left < q->left : p->right < q->right;
}

static HcStatus push(Maker *m, uint32_t pair) {
    if (m->n_heap == m->heap_capacity) {
        const size_t room = m->heap_capacity ? 2 * m->heap_capacity : 1024;
        Candidate *grown = realloc(m->heap, room * sizeof *grown);
        if (!grown)
            return hc_fail_memory(m->error, "pairs");
        m->heap = grown;
        m->heap_capacity = room;
    }
    const Candidate c = {m->pairs[pair].count, pair};
    size_t i = m->n_heap++;
    for (; i > 0 && before(m, &c, &m->heap[(i - 1) / 2]); i = (i - 1) / 2)
        m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = c;
    return HC_OK;
}

static Candidate pop(Maker *m) {
    const Candidate top = m->heap[0], last = m->heap[--m->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < m->n_heap; i = child) {
        if (child + 1 < m->n_heap && before(m, &m->heap[child + 1], &m->heap[child]))
            child++;
        if (!before(m, &m->heap[child], &last))
            break;
        m->heap[i] = m->heap[child];
    }
    m->heap[i] = last;
    return top;
}

/* The pair that is there most often, and at least twice; NULL: there is none. Counts that have
 * fallen since are pushed anew; those that have risen were. */
static Pair *best(Maker *m, HcStatus *status) {
    while (*status == HC_OK && m->n_heap) {
        const Candidate c = pop(m);
        if (c.count == m->pairs[c.pair].count)
            return c.count > 1 ? &m->pairs[c.pair] : NULL;
        if (c.count > m->pairs[c.pair].count && m->pairs[c.pair].count > 1)
            *status = push(m, c.pair);
    }
    return NULL;
}

/* --- pairs -------------------------------------------------------------------------------------*/

static Pair *find_pair(Maker *m, int32_t left, int32_t right) {
    HcPair *at = hc_pairs_add(&m->index, (uint32_t)left, (uint32_t)right);
    if (!at)
        return NULL;
    if (at->b)
        return &m->pairs[at->a];
    if (m->n_pairs == m->pair_capacity) {
        const uint32_t room = m->pair_capacity ? 2 * m->pair_capacity : 1024;
        Pair *grown = realloc(m->pairs, room * sizeof *grown);
        if (!grown)
            return NULL;
        m->pairs = grown;
        m->pair_capacity = room;
    }
    at->a = m->n_pairs;
    at->b = 1; /* it is there */
    m->pairs[m->n_pairs] = (Pair){.left = left, .right = right};
    return &m->pairs[m->n_pairs++];
}

/* The pair is there once more in a word, or once less. */
static HcStatus count_pair(Maker *m, int32_t left, int32_t right, uint32_t word, int sign) {
    Pair *p = find_pair(m, left, right);
    if (!p)
        return hc_fail_memory(m->error, "pairs");
    p->count += sign * m->words[word].count;
    if (sign < 0 || (p->n_words && p->words[p->n_words - 1] == word))
        return HC_OK;
    if (p->n_words == p->capacity) {
        const uint32_t room = p->capacity ? 2 * p->capacity : 2;
        uint32_t *grown = realloc(p->words, room * sizeof *grown);
        if (!grown)
            return hc_fail_memory(m->error, "pairs");
        p->words = grown;
        p->capacity = room;
    }
    p->words[p->n_words++] = word;
    return HC_OK;
}

static HcStatus count_pairs(Maker *m) {
    HcStatus status = HC_OK;
    for (uint32_t w = 0; w < m->texts.count && status == HC_OK; w++) {
        const int32_t *at = m->tokens + m->words[w].first;
        for (uint32_t k = 0; k + 1 < m->words[w].length && status == HC_OK; k++)
            status = count_pair(m, at[k], at[k + 1], w, 1);
    }
    for (uint32_t k = 0; k < m->n_pairs && status == HC_OK; k++)
        status = push(m, k);
    return status;
}

/* Replaces a pair of a word where it is; its neighbours become others. */
static HcStatus merge_in(Maker *m, uint32_t w, int32_t left, int32_t right, int32_t token) {
    Word *word = &m->words[w];
    int32_t *at = m->tokens + word->first;
    uint32_t n = 0;
    HcStatus status = HC_OK;
    for (uint32_t k = 0; k < word->length && status == HC_OK; k++) {
        if (k + 1 == word->length || at[k] != left || at[k + 1] != right) {
            at[n++] = at[k];
            continue;
        }
        if (n > 0)
            status = count_pair(m, at[n - 1], left, w, -1);
        if (status == HC_OK && n > 0)
            status = count_pair(m, at[n - 1], token, w, 1);
        if (status == HC_OK && k + 2 < word->length)
            status = count_pair(m, right, at[k + 2], w, -1);
        if (status == HC_OK && k + 2 < word->length)
            status = count_pair(m, token, at[k + 2], w, 1);
        at[n++] = token;
        k++;
    }
    word->length = n;
    return status;
}

/* Pairs that are new hold the token; only they have risen. */
static HcStatus merge_everywhere(Maker *m, Pair *pair, int32_t token) {
    const int32_t left = pair->left, right = pair->right;
    uint32_t *words = pair->words;
    const uint32_t n = pair->n_words;
    const uint32_t before = m->n_pairs;
    HcStatus status = HC_OK;
    *pair = (Pair){.left = left, .right = right}; /* which may move from now on */
    for (uint32_t k = 0; k < n && status == HC_OK; k++)
        status = merge_in(m, words[k], left, right, token);
    free(words);
    for (uint32_t k = before; k < m->n_pairs && status == HC_OK; k++)
        status = push(m, k);
    return status;
}

/* --- all of it ---------------------------------------------------------------------------------*/

static HcStatus add_bytes(HcTokenizer *t, HcError *error) {
    HcStatus status = HC_OK;
    for (int k = 0; k < 256 && status == HC_OK; k++)
        status = hc_tokenizer_add(t, &(uint8_t){(uint8_t)k}, 1, k, error);
    HcPattern *pattern;
    if (status == HC_OK)
        status =
            hc_pattern_make(hc_pattern_gpt2, strlen(hc_pattern_gpt2), "GPT-2", &pattern, error);
    return status == HC_OK ? hc_tokenizer_cut(t, HC_CUT_APART, pattern, error) : status;
}

static HcStatus add_merged(HcMade *made, const Pair *pair, int32_t token, HcError *error) {
    size_t left = 0, right = 0;
    const uint8_t *a = hc_tokenizer_bytes(made->tokenizer, pair->left, &left);
    const uint8_t *b = hc_tokenizer_bytes(made->tokenizer, pair->right, &right);
    uint8_t *bytes = malloc(left + right);
    if (!bytes)
        return hc_fail_memory(error, "a token");
    memcpy(bytes, a, left);
    memcpy(bytes + left, b, right);
    HcStatus status = hc_tokenizer_add(made->tokenizer, bytes, left + right, token, error);
    if (status == HC_OK)
        status = hc_tokenizer_add_merge(made->tokenizer, bytes, left, left + right, error);
    free(bytes);
    made->pairs[made->count][0] = pair->left;
    made->pairs[made->count++][1] = pair->right;
    return status;
}

/* Whether the two together are a token already, made of others, or longer than any is made. */
static bool is_token(const HcTokenizer *t, const Pair *pair) {
    uint8_t bytes[HC_LONGEST_MADE];
    size_t left = 0, right = 0;
    const uint8_t *a = hc_tokenizer_bytes(t, pair->left, &left),
                  *b = hc_tokenizer_bytes(t, pair->right, &right);
    if (left + right > sizeof bytes)
        return true;
    memcpy(bytes, a, left);
    memcpy(bytes + left, b, right);
    return hc_words_find(&t->vocabulary, bytes, left + right) != HC_NO_WORD;
}

static HcStatus merge_all(Maker *m, HcMade *made, int64_t size) {
    HcStatus status = count_pairs(m);
    while (status == HC_OK && 256 + (int64_t)made->count + 1 < size) {
        Pair *pair = best(m, &status);
        const int32_t token = 256 + (int32_t)made->count;
        if (!pair)
            break;
        if (is_token(made->tokenizer, pair)) {
            pair->count = 0;
            continue;
        }
        status = add_merged(made, pair, token, m->error);
        if (status == HC_OK)
            status = merge_everywhere(m, pair, token);
    }
    return status;
}

static void free_maker(Maker *m) {
    for (uint32_t k = 0; k < m->n_pairs; k++)
        free(m->pairs[k].words);
    free(m->pairs);
    free(m->heap);
    free(m->counts);
    free(m->words);
    free(m->tokens);
    hc_words_free(&m->texts);
    hc_pairs_free(&m->index);
}

HcStatus hc_tokenizer_make(const uint8_t *text, size_t length, int64_t size, HcMade *made,
                           HcError *error) {
    Maker m = {.error = error};
    *made = (HcMade){.tokenizer = hc_tokenizer_new()};
    made->pairs = calloc((size_t)(size > 256 ? size - 256 : 1), sizeof *made->pairs);
    HcStatus status = made->tokenizer && made->pairs ? add_bytes(made->tokenizer, error)
                                                     : hc_fail_memory(error, "a tokenizer");
    if (status == HC_OK) /* while words are counted; its number is known at the end */
        status = hc_tokenizer_add_text(made->tokenizer, HC_END_OF_TEXT, strlen(HC_END_OF_TEXT),
                                       size - 1, 0, error);
    if (status == HC_OK)
        status = count_words(&m, made->tokenizer, text, length);
    if (status == HC_OK)
        status = merge_all(&m, made, size);
    free_maker(&m);
    if (status != HC_OK)
        hc_made_free(made);
    return status;
}

void hc_made_free(HcMade *made) {
    hc_tokenizer_free(made->tokenizer);
    free(made->pairs);
    *made = (HcMade){0};
}
