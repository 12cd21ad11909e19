/* A tile of queries of attention's gradient with products of bf16; see narrow.c. */
#include "lower/attend/bias.h"
#include "lower/attend/narrow.h"
#include <math.h>

/* Packed operands: of the tile of queries, then of the tile of keys at hand. */
typedef struct {
    uint32_t queries, d_outputs;                /* right: queries as columns */
    uint32_t by_query, d_by_query;              /* right: queries as terms */
    uint32_t keys, values, entries;             /* left: keys as rows; entries of keys as rows */
    uint32_t weights, d_scores, d_scores_right; /* left: keys as rows; right: keys as terms */
} Packed;

/* A panel of queries. */
typedef struct {
    AttendNarrow *n;
    const AttendBackward *m;
    const Packed *packed;
    NestId number, before;          /* among the tile's; the first that sees the keys at hand */
    NestId column;                  /* of its first query, in what a tile has, */
    AttendMatrix weights, d_scores; /* and in these: of this panel alone, `at` is 0 */
    NestId at;
} Panel;

/* Whether a panel's queries are a group of terms of a left operand: rows of it are then packed as
 * they are made, and scores are those of the panel at hand alone. */
static bool is_group(const AttendNarrow *n) {
    return n->by_queries.left_group == n->by_keys.columns;
}

static Panel panel_of(AttendNarrow *n, const AttendBackward *m, const Packed *packed, NestId number,
                      NestId before) {
    const int64_t columns = n->by_keys.columns;
    NestId column = attend_mul(n->a, number, attend_number(n->a, columns));
    Panel p = {n, m, packed, number, before, column, m->weights, m->d_scores, column};
    if (is_group(n)) {
        p.at = 0;
        p.weights.step = p.d_scores.step = columns;
    }
    return p;
}

/* What the queries of a vector have: `row` of the stats. */
static NestId stats(const Panel *p, uint32_t row, uint32_t v) {
    const AttendNarrow *n = p->n;
    NestAddress at = nest_at(row * n->tile + (int64_t)v * n->a->s->lanes);
    return nest_load(&n->a->b, p->m->stats.buffer, nest_at_plus(at, p->column, 1), n->a->s->lanes,
                     1, 0);
}

/* Queries that there are not weigh nothing, whatever keys and values hold; where no end of terms
 * says so. */
static void blank(const Panel *p, NestId left) {
    Attend *a = p->n->a;
    NestBuilder *b = &a->b;
    const uint16_t lanes = a->s->lanes;
    if (!is_group(p->n))
        return;
    nest_if_begin(b, nest_binary(b, NEST_LT, left, attend_number(a, p->n->by_keys.columns)));
    NestLoop *rows = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, ATTEND_KEYS), 1, 0, NULL);
    for (uint32_t v = 0; v < narrow_vectors(p->n); v++) {
        NestId count = attend_sub(a, left, attend_number(a, (int64_t)v * lanes));
        NestId is = nest_binary(b, NEST_LT, nest_lanes(b, lanes),
                                nest_splat(b, lanes, nest_cast(b, NEST_I32, count)));
        const AttendMatrix *const of[2] = {&p->weights, &p->d_scores};
        const double none[2] = {-INFINITY, 0};
        for (uint32_t k = 0; k < 2; k++) {
            NestAddress at = narrow_at(p->n, of[k], rows->variable, p->at, v);
            NestId x = nest_load(b, of[k]->buffer, at, lanes, 1, 0);
            x = nest_select(b, is, x, nest_const(b, a->vector, none[k]));
            nest_store(b, of[k]->buffer, at, x, 0, false);
        }
    }
    nest_loop_end(b, NULL);
    nest_if_end(b);
}

/* Keys that are weighed in a loop: of a block of a left operand's rows. */
typedef struct {
    NestId block, pair; /* of keys, in the block */
    NestId queries;     /* of the panel */
    int64_t keys;       /* of a block */
} Keys;

/* Of a vector of queries and a key of the pair: the weight from a score, and the gradient of the
 * score from that of the weight. */
static void weigh(const Panel *p, const Keys *keys, uint32_t second, uint32_t v, NestId dot,
                  NestId lse, NestId *weight, NestId *d_score) {
    Attend *a = p->n->a;
    NestBuilder *b = &a->b;
    NestAddress at = nest_at(second * p->weights.step + (int64_t)v * a->s->lanes);
    at = nest_at_plus(nest_at_plus(at, keys->pair, 2 * p->weights.step), p->at, 1);
    at = nest_at_plus(at, keys->block, keys->keys * p->weights.step);
    NestId scale = nest_const(b, a->vector, a->s->scale), factor = narrow_factor(p->n);
    NestId x = nest_load(b, p->weights.buffer, at, a->s->lanes, 1, 0);
    NestId d = nest_load(b, p->d_scores.buffer, at, a->s->lanes, 1, 0);
    x = nest_binary(b, NEST_SUB, nest_binary(b, NEST_MUL, x, factor), lse);
    *weight = nest_unary(b, NEST_EXP2, x);
    d = nest_binary(b, NEST_SUB, d, dot);
    if (a->s->distances) {
        NestId key = attend_mul(a, keys->pair, attend_number(a, 2));
        key = attend_add(a, key, attend_mul(a, keys->block, attend_number(a, keys->keys)));
        attend_pair(a, &p->m->pairs, attend_add(a, key, attend_number(a, second)), keys->queries, v,
                    nest_binary(b, NEST_MUL, *weight, d));
    }
    *d_score = nest_binary(b, NEST_MUL, nest_binary(b, NEST_MUL, *weight, scale), d);
    if (is_group(p->n))
        return;
    nest_store(b, p->weights.buffer, at, *weight, 0, false);
    nest_store(b, p->d_scores.buffer, at, *d_score, 0, false);
}

/* A row of a left operand, the panel's queries of which are two vectors. */
static void pack_row(const Panel *p, const Keys *keys, uint32_t second, const NestId *x,
                     uint32_t to) {
    Attend *a = p->n->a;
    const MachineProduct *m = &p->n->by_queries;
    const int64_t lanes = m->lanes;
    NestId group = attend_sub(a, p->number, p->before);
    NestAddress at = nest_at_plus(nest_at(second * lanes), keys->pair, 2 * lanes);
    at = nest_at_plus(at, keys->block, (int64_t)m->rows * m->depth * m->bytes / 4);
    at = nest_at_plus(at, group, m->rows * lanes);
    nest_store(&a->b, to, at, nest_narrow(&a->b, x[0], x[1]), 0, false);
}

static void weigh_pair(const Panel *p, const Keys *keys, const NestId *dot, const NestId *lse) {
    NestBuilder *b = &p->n->a->b;
    NestId weight[2][ATTEND_MOST_COLUMNS], d_score[2][ATTEND_MOST_COLUMNS];
    for (uint32_t v = 0; v < narrow_vectors(p->n); v++) {
        for (uint32_t k = 0; k < 2; k++)
            weigh(p, keys, k, v, dot[v], lse[v], &weight[k][v], &d_score[k][v]);
        NestAddress at = narrow_pair_at(p->n, keys->pair, v);
        at = nest_at_plus(at, keys->block, keys->keys / 2 * p->n->by_keys.columns);
        nest_store(b, p->packed->d_scores_right, at, nest_pair(b, d_score[0][v], d_score[1][v]), 0,
                   false);
    }
    for (uint32_t k = 0; k < 2 && is_group(p->n); k++) {
        pack_row(p, keys, k, weight[k], p->packed->weights);
        pack_row(p, keys, k, d_score[k], p->packed->d_scores);
    }
}

static void weigh_panel(const Panel *p, NestId queries) {
    Attend *a = p->n->a;
    NestBuilder *b = &a->b;
    NestId dot[ATTEND_MOST_COLUMNS], lse[ATTEND_MOST_COLUMNS];
    for (uint32_t v = 0; v < narrow_vectors(p->n); v++) {
        dot[v] = stats(p, 0, v);
        lse[v] = nest_binary(b, NEST_MUL, stats(p, 1, v), nest_const(b, a->vector, M_LOG2E));
    }
    Keys keys = {.queries = queries, .keys = is_group(p->n) ? p->n->by_queries.rows : ATTEND_KEYS};
    NestLoop *blocks =
        attend_loop(a, NEST_SEQUENTIAL, attend_number(a, ATTEND_KEYS / keys.keys), 1, 0, NULL);
    NestLoop *pairs = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, keys.keys / 2), 1, 0, NULL);
    keys.block = blocks->variable;
    keys.pair = pairs->variable;
    weigh_pair(p, &keys, dot, lse);
    nest_loop_end(b, NULL);
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
static void add_panel(const Panel *p, NestId first, NestId queries, NestId key, NestId keys) {
    AttendNarrow *n = p->n;
    Attend *a = n->a;
    const Packed *packed = p->packed;
    const int64_t e = a->s->e, f = a->s->f;
    const NarrowSum scores = {&n->by_e, packed->keys, packed->queries, attend_number(a, e), 0},
                    of_weights = {&n->by_f, packed->values, packed->d_outputs, attend_number(a, f),
                                  0},
                    of_queries = {&n->by_keys, packed->entries, packed->d_scores_right, keys, 0};
    narrow_panel_product(n, &scores, p->number, &p->weights, p->at, ATTEND_KEYS, false);
    narrow_panel_product(n, &of_weights, p->number, &p->d_scores, p->at, ATTEND_KEYS, false);
    const NarrowPairs pairs = {attend_add(a, first, p->column), attend_sub(a, queries, p->column),
                               key, keys};
    narrow_scores(n, &p->m->bias, &p->weights, p->at, &pairs);
    blank(p, pairs.queries);
    weigh_panel(p, pairs.queries);
    if (a->s->distances)
        attend_pairs_add(a, &p->m->pairs, &p->m->d_bias, pairs.first_query, pairs.queries, key,
                         keys);
    narrow_panel_product(n, &of_queries, a->zero, &p->m->d_queries, p->column, e, true);
}

/* Rows that weights of queries from panel `before` on lie in, packed; of `depth` of them. */
static void pack_rows(AttendNarrow *n, const AttendMatrix *m, NestId before, NestId depth,
                      uint32_t to) {
    Attend *a = n->a;
    NestId fours = attend_mul(a, before, attend_number(a, n->by_keys.columns / 4));
    const NarrowMatrix from = {.buffer = m->buffer, .step = m->step, .fours = fours};
    if (!is_group(n))
        narrow_pack(n, &n->by_queries, false, false, &from, 0, attend_number(a, ATTEND_KEYS),
                    ATTEND_KEYS, depth, to);
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
    NestId by_e = attend_number(a, e), by_f = attend_number(a, f);
    narrow_pack(n, &n->by_e, false, false, &k, key, keys, ATTEND_KEYS, by_e, p->keys);
    narrow_pack(n, &n->by_f, false, false, &v, key, keys, ATTEND_KEYS, by_f, p->values);
    narrow_pack(n, &n->by_keys, false, true, &k, key, by_e, e, keys, p->entries);
    NestId begin = narrow_first_panel(n, first, key);
    NestLoop *panels = narrow_panel_loop(n, begin, queries);
    const Panel panel = panel_of(n, m, p, panels->variable, begin);
    add_panel(&panel, first, queries, key, keys);
    nest_loop_end(&a->b, NULL);
    /* Queries before the first panel see none of the keys. */
    NestId depth = attend_sub(a, queries, attend_mul(a, begin, attend_number(a, columns)));
    NestId skips = attend_mul(a, begin, attend_number(a, columns / n->by_queries.left_group));
    pack_rows(n, &m->weights, begin, depth, p->weights);
    narrow_product(n, &(NarrowSum){&n->by_queries, p->weights, p->d_by_query, depth, skips}, &dv,
                   key, keys, f, true);
    pack_rows(n, &m->d_scores, begin, depth, p->d_scores);
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
    NestId end = a->keys;
    if (a->s->causal)
        end = attend_min(a, end, attend_add(a, first, attend_number(a, n->tile)));
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, end, ATTEND_KEYS, 0, NULL);
    NestId keys = attend_min(a, attend_sub(a, end, loop->variable), attend_number(a, ATTEND_KEYS));
    add_keys(n, m, &p, first, count, loop->variable, keys);
    nest_loop_end(&a->b, NULL);
    attend_transpose_back(a, &m->d_queries, NULL, e, &m->dq, first, count);
}
