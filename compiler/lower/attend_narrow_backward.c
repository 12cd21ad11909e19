/* A tile of queries of attention's gradient with products of bf16; see attend_narrow.c. */
#include "lower/attend_narrow.h"

/* Packed operands: of the tile of queries, then of the tile of keys at hand. */
typedef struct {
    uint32_t queries, d_outputs;                /* right: queries as columns */
    uint32_t by_query, d_by_query;              /* right: queries as terms */
    uint32_t keys, values, entries;             /* left: keys as rows; entries of keys as rows */
    uint32_t weights, d_scores, d_scores_right; /* left: keys as rows; right: keys as terms */
} Packed;

/* In place: a weight from a score, the gradient of a score from that of a weight. */
static NestId weigh(AttendNarrow *n, const AttendBackward *m, NestAddress at, NestId dot,
                    NestId lse) {
    Attend *a = n->a;
    NestBuilder *b = &a->b;
    NestId scale = nest_const(b, a->vector, a->s->scale);
    NestId p = nest_load(b, m->weights.buffer, at, a->s->lanes, 1, 0);
    NestId d = nest_load(b, m->d_scores.buffer, at, a->s->lanes, 1, 0);
    p = nest_binary(b, NEST_SUB, nest_binary(b, NEST_MUL, p, scale), lse);
    p = nest_unary(b, NEST_EXP, p);
    d = nest_binary(b, NEST_SUB, d, dot);
    d = nest_binary(b, NEST_MUL, nest_binary(b, NEST_MUL, p, scale), d);
    nest_store(b, m->weights.buffer, at, p, 0, false);
    nest_store(b, m->d_scores.buffer, at, d, 0, false);
    return d;
}

static void weigh_all(AttendNarrow *n, const AttendBackward *m, uint32_t packed) {
    Attend *a = n->a;
    NestBuilder *b = &a->b;
    const uint32_t columns = n->by_keys.columns, lanes = a->s->lanes;
    NestLoop *panels = narrow_panel_loop(n);
    for (uint32_t v = 0; v < narrow_vectors(n); v++) {
        NestAddress stats = nest_at_plus(nest_at((int64_t)v * lanes), panels->variable, columns);
        NestId dot = nest_load(b, m->stats.buffer, stats, a->s->lanes, 1, 0);
        stats.offset += n->tile;
        NestId lse = nest_load(b, m->stats.buffer, stats, a->s->lanes, 1, 0);
        NestLoop *pairs =
            attend_loop(a, NEST_SEQUENTIAL, attend_number(a, ATTEND_KEYS / 2), 1, 0, NULL);
        NestAddress at =
            narrow_at(n, attend_mul(a, pairs->variable, attend_number(a, 2)), panels->variable, v);
        NestId first = weigh(n, m, at, dot, lse);
        at.offset += n->tile;
        NestId second = weigh(n, m, at, dot, lse);
        nest_store(b, packed, narrow_pair_at(n, pairs->variable, panels->variable, v),
                   nest_pair(b, first, second), 0, false);
        nest_loop_end(b, NULL);
    }
    nest_loop_end(b, NULL);
}

static Packed panels_of(AttendNarrow *n) {
    const int64_t e = n->a->s->e, f = n->a->s->f;
    return (Packed){
        .queries = narrow_panels(n, "packed_queries", &n->by_e, true, n->tile),
        .d_outputs = narrow_panels(n, "packed_d_outputs", &n->by_f, true, n->tile),
        .by_query = narrow_panels(n, "packed_by_query", &n->by_queries, true, e),
        .d_by_query = narrow_panels(n, "packed_d_by_query", &n->by_queries, true, f),
        .keys = narrow_panels(n, "packed_keys", &n->by_e, false, ATTEND_KEYS),
        .values = narrow_panels(n, "packed_values", &n->by_f, false, ATTEND_KEYS),
        .entries = narrow_panels(n, "packed_entries", &n->by_keys, false, e),
        .weights = narrow_panels(n, "packed_weights", &n->by_queries, false, ATTEND_KEYS),
        .d_scores = narrow_panels(n, "packed_d_scores", &n->by_queries, false, ATTEND_KEYS),
        .d_scores_right = narrow_panels(n, "packed_d_scores_right", &n->by_keys, true, n->tile)};
}

/* A tile of keys, of which there are so many. */
static void add_keys(AttendNarrow *n, const AttendBackward *m, const Packed *p, NestId first,
                     NestId queries, NestId key, NestId keys) {
    Attend *a = n->a;
    const int64_t e = a->s->e, f = a->s->f;
    const NarrowMatrix k = narrow_matrix(&m->k, a->key_head, e),
                       v = narrow_matrix(&m->v, a->key_head, f),
                       dk = narrow_matrix(&m->dk, a->key_head, e),
                       dv = narrow_matrix(&m->dv, a->key_head, f),
                       weights = narrow_scratch(&m->weights),
                       d_scores = narrow_scratch(&m->d_scores),
                       d_queries = narrow_scratch(&m->d_queries);
    NestId all = attend_number(a, ATTEND_KEYS), by_e = attend_number(a, e),
           by_f = attend_number(a, f);
    narrow_pack(n, &n->by_e, false, false, &k, key, keys, ATTEND_KEYS, by_e, p->keys);
    narrow_product(n, &n->by_e, p->keys, p->queries, by_e, &weights, 0, all, n->tile, false);
    narrow_pack(n, &n->by_f, false, false, &v, key, keys, ATTEND_KEYS, by_f, p->values);
    narrow_product(n, &n->by_f, p->values, p->d_outputs, by_f, &d_scores, 0, all, n->tile, false);
    narrow_hide(n, &m->weights, first, key, keys);
    weigh_all(n, m, p->d_scores_right);
    narrow_pack(n, &n->by_keys, false, true, &k, key, by_e, e, keys, p->entries);
    narrow_product(n, &n->by_keys, p->entries, p->d_scores_right, keys, &d_queries, 0, by_e,
                   n->tile, true);
    narrow_pack(n, &n->by_queries, false, false, &weights, 0, keys, ATTEND_KEYS, queries,
                p->weights);
    narrow_product(n, &n->by_queries, p->weights, p->d_by_query, queries, &dv, key, keys, f, true);
    narrow_pack(n, &n->by_queries, false, false, &d_scores, 0, keys, ATTEND_KEYS, queries,
                p->d_scores);
    narrow_product(n, &n->by_queries, p->d_scores, p->by_query, queries, &dk, key, keys, e, true);
}

void attend_narrow_backward(AttendNarrow *n, const AttendBackward *m, NestId first, NestId count) {
    Attend *a = n->a;
    const int64_t e = a->s->e, f = a->s->f;
    const NarrowMatrix q = narrow_matrix(&m->q, a->head, e),
                       d_o = narrow_matrix(&m->d_o, a->head, f);
    const Packed p = panels_of(n);
    NestId by_e = attend_number(a, e), by_f = attend_number(a, f);
    narrow_pack(n, &n->by_e, true, false, &q, first, count, n->tile, by_e, p.queries);
    narrow_pack(n, &n->by_f, true, false, &d_o, first, count, n->tile, by_f, p.d_outputs);
    narrow_pack(n, &n->by_queries, true, true, &q, first, by_e, e, count, p.by_query);
    narrow_pack(n, &n->by_queries, true, true, &d_o, first, by_f, f, count, p.d_by_query);
    narrow_clear(n, &m->d_queries, e);
    narrow_clear(n, &m->stats, 2);
    attend_backward_stats(a, m, first, count);
    NestId end = a->positions;
    if (a->s->causal)
        end = attend_min(a, end, attend_add(a, first, attend_number(a, n->tile)));
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, end, ATTEND_KEYS, 0, NULL);
    NestId keys = attend_min(a, attend_sub(a, end, loop->variable), attend_number(a, ATTEND_KEYS));
    add_keys(n, m, &p, first, count, loop->variable, keys);
    nest_loop_end(&a->b, NULL);
    attend_transpose_back(a, &m->d_queries, NULL, e, &m->dq, first, count);
}
