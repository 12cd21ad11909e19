/* A tile of queries of attention's gradient with products of bf16; see attend_narrow.c. */
#include "lower/attend_narrow.h"
#include <math.h>

/* Packed operands: of the tile of queries, then of the tile of keys at hand. */
typedef struct {
    uint32_t queries, d_outputs;                /* right: queries as columns */
    uint32_t by_query, d_by_query;              /* right: queries as terms */
    uint32_t keys, values, entries;             /* left: keys as rows; entries of keys as rows */
    uint32_t weights, d_scores, d_scores_right; /* left: keys as rows; right: keys as terms */
} Packed;

/* A vector of a panel; what the queries in it have. */
typedef struct {
    NestId column, dot, lse;
    uint32_t v;
} Queries;

static Queries queries_of(AttendNarrow *n, const AttendBackward *m, NestId column, uint32_t v) {
    Attend *a = n->a;
    NestBuilder *b = &a->b;
    NestAddress at = nest_at_plus(nest_at((int64_t)v * a->s->lanes), column, 1);
    Queries q = {.column = column, .v = v};
    q.dot = nest_load(b, m->stats.buffer, at, a->s->lanes, 1, 0);
    at.offset += n->tile;
    q.lse = nest_load(b, m->stats.buffer, at, a->s->lanes, 1, 0);
    q.lse = nest_binary(b, NEST_MUL, q.lse, nest_const(b, a->vector, M_LOG2E));
    return q;
}

/* In place, of key 2 * pair + second: a weight from a score, the gradient of a score from that of a
 * weight. */
static NestId weigh(AttendNarrow *n, const AttendBackward *m, const Queries *q, NestId pair,
                    uint32_t second) {
    Attend *a = n->a;
    NestBuilder *b = &a->b;
    NestAddress at = nest_at(second * n->tile + (int64_t)q->v * a->s->lanes);
    at = nest_at_plus(nest_at_plus(at, pair, 2 * n->tile), q->column, 1);
    NestId scale = nest_const(b, a->vector, a->s->scale),
           factor = nest_const(b, a->vector, a->s->scale * M_LOG2E);
    NestId p = nest_load(b, m->weights.buffer, at, a->s->lanes, 1, 0);
    NestId d = nest_load(b, m->d_scores.buffer, at, a->s->lanes, 1, 0);
    p = nest_binary(b, NEST_SUB, nest_binary(b, NEST_MUL, p, factor), q->lse);
    p = nest_unary(b, NEST_EXP2, p);
    d = nest_binary(b, NEST_SUB, d, q->dot);
    d = nest_binary(b, NEST_MUL, nest_binary(b, NEST_MUL, p, scale), d);
    nest_store(b, m->weights.buffer, at, p, 0, false);
    nest_store(b, m->d_scores.buffer, at, d, 0, false);
    return d;
}

static void weigh_panel(AttendNarrow *n, const AttendBackward *m, NestId column, uint32_t packed) {
    Attend *a = n->a;
    NestBuilder *b = &a->b;
    Queries q[ATTEND_MOST_COLUMNS];
    for (uint32_t v = 0; v < narrow_vectors(n); v++)
        q[v] = queries_of(n, m, column, v);
    NestLoop *pairs =
        attend_loop(a, NEST_SEQUENTIAL, attend_number(a, ATTEND_KEYS / 2), 1, 0, NULL);
    for (uint32_t v = 0; v < narrow_vectors(n); v++) {
        NestId first = weigh(n, m, &q[v], pairs->variable, 0);
        NestId second = weigh(n, m, &q[v], pairs->variable, 1);
        nest_store(b, packed, narrow_pair_at(n, pairs->variable, v), nest_pair(b, first, second), 0,
                   false);
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
        .d_scores_right = narrow_panels(n, "packed_d_scores_right", &n->by_keys, true, 1)};
}

/* Scores, weights and their gradients of a panel of queries; the part of the queries' gradient. */
static void add_panel(AttendNarrow *n, const AttendBackward *m, const Packed *p, NestId panel,
                      NestId first, NestId key, NestId keys) {
    Attend *a = n->a;
    const int64_t e = a->s->e, f = a->s->f;
    NestId column = attend_mul(a, panel, attend_number(a, n->by_keys.columns));
    narrow_panel_product(n, &(NarrowSum){&n->by_e, p->keys, p->queries, attend_number(a, e), 0},
                         panel, &m->weights, column, ATTEND_KEYS, false);
    narrow_panel_product(n, &(NarrowSum){&n->by_f, p->values, p->d_outputs, attend_number(a, f), 0},
                         panel, &m->d_scores, column, ATTEND_KEYS, false);
    narrow_hide(n, &m->weights, column, attend_add(a, first, column), key, keys);
    weigh_panel(n, m, column, p->d_scores_right);
    narrow_panel_product(n, &(NarrowSum){&n->by_keys, p->entries, p->d_scores_right, keys, 0},
                         a->zero, &m->d_queries, column, e, true);
}

/* A tile of keys, of which there are so many. */
static void add_keys(AttendNarrow *n, const AttendBackward *m, const Packed *p, NestId first,
                     NestId queries, NestId key, NestId keys) {
    Attend *a = n->a;
    const int64_t e = a->s->e, f = a->s->f, columns = n->by_keys.columns;
    const NarrowMatrix k = narrow_matrix(&m->k, a->key_head, e),
                       v = narrow_matrix(&m->v, a->key_head, f),
                       dk = narrow_matrix(&m->dk, a->key_head, e),
                       dv = narrow_matrix(&m->dv, a->key_head, f);
    NestId by_e = attend_number(a, e), by_f = attend_number(a, f),
           all = attend_number(a, ATTEND_KEYS);
    narrow_pack(n, &n->by_e, false, false, &k, key, keys, ATTEND_KEYS, by_e, p->keys);
    narrow_pack(n, &n->by_f, false, false, &v, key, keys, ATTEND_KEYS, by_f, p->values);
    narrow_pack(n, &n->by_keys, false, true, &k, key, by_e, e, keys, p->entries);
    NestId begin = narrow_first_panel(n, first, key);
    NestLoop *panels = narrow_panel_loop(n, begin, queries);
    add_panel(n, m, p, panels->variable, first, key, keys);
    nest_loop_end(&a->b, NULL);
    /* Queries before the first panel see none of the keys. */
    NestId depth = attend_sub(a, queries, attend_mul(a, begin, attend_number(a, columns)));
    NestId fours = attend_mul(a, begin, attend_number(a, columns / 4));
    NestId skips = attend_mul(a, begin, attend_number(a, columns / n->by_queries.left_group));
    const NarrowMatrix weights = {m->weights.buffer, m->weights.step, 0, 0, fours},
                       d_scores = {m->d_scores.buffer, m->d_scores.step, 0, 0, fours};
    narrow_pack(n, &n->by_queries, false, false, &weights, 0, all, ATTEND_KEYS, depth, p->weights);
    narrow_product(n, &(NarrowSum){&n->by_queries, p->weights, p->d_by_query, depth, skips}, &dv,
                   key, keys, f, true);
    narrow_pack(n, &n->by_queries, false, false, &d_scores, 0, all, ATTEND_KEYS, depth,
                p->d_scores);
    narrow_product(n, &(NarrowSum){&n->by_queries, p->d_scores, p->by_query, depth, skips}, &dk,
                   key, keys, e, true);
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
    narrow_clear(n, &m->d_queries, attend_product_rows(a->s, e));
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
