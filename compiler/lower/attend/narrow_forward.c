/* A tile of queries of attention with products of bf16, forward; see narrow.c.
 *
 * Exponents are of two, so that scale and logarithm are one factor of scores. Weights are relative
 * to a score of before, `base`, that is left alone while no score is far above it: sums and outputs
 * of a panel are seldom scaled to another one. */
#include "lower/attend/narrow.h"
#include <math.h>

/* Rows of m->stats: of each query the sum of weights and then one over it; base and then lse. */
enum { SUM, BASE, STATS };
enum { FAR = 8 }; /* weights are 2^FAR at most */
enum { KEYS_AT_ONCE = 4 };

static NestAddress stats_at(const AttendNarrow *n, uint32_t row, NestId vector) {
    return nest_at_plus(nest_at((int64_t)row * n->tile), vector, 1);
}

static NestLoop *vectors(AttendNarrow *n) {
    return attend_loop(n->a, NEST_SEQUENTIAL, attend_number(n->a, n->tile), n->a->s->lanes, 0,
                       NULL);
}

static void clear(AttendNarrow *n, const AttendForward *m) {
    Attend *a = n->a;
    NestBuilder *b = &a->b;
    narrow_clear(n, &m->outputs, attend_product_rows(a->s, a->s->f));
    NestLoop *each = vectors(n);
    nest_store(b, m->stats.buffer, stats_at(n, SUM, each->variable), nest_const(b, a->vector, 0), 0,
               false);
    nest_store(b, m->stats.buffer, stats_at(n, BASE, each->variable),
               nest_const(b, a->vector, attend_least(a->s)), 0, false);
    nest_loop_end(b, NULL);
}

/* A panel of queries. */
typedef struct {
    AttendNarrow *n;
    const AttendForward *m;
    NestId column;       /* of its first query, in what a tile has */
    AttendMatrix scores; /* of this panel alone */
    uint32_t weights;    /* packed: right, keys as terms; of this panel alone */
} Panel;

static NestAddress panel_stats_at(const Panel *p, uint32_t row, uint32_t v) {
    const AttendNarrow *n = p->n;
    const int64_t at = (int64_t)row * n->tile + (int64_t)v * n->a->s->lanes;
    return nest_at_plus(nest_at(at), p->column, 1);
}

static NestId stats(const Panel *p, uint32_t row, uint32_t v) {
    return nest_load(&p->n->a->b, p->m->stats.buffer, panel_stats_at(p, row, v), p->n->a->s->lanes,
                     1, 0);
}

static void set_stats(const Panel *p, uint32_t row, uint32_t v, NestId x) {
    nest_store(&p->n->a->b, p->m->stats.buffer, panel_stats_at(p, row, v), x, 0, false);
}

/* Vector v of the scores of key `key` * times + more. */
static NestId score(const Panel *p, NestId key, int64_t times, int64_t more, uint32_t v) {
    const Attend *a = p->n->a;
    NestAddress at = nest_at(more * p->scores.step + (int64_t)v * a->s->lanes);
    at = nest_at_plus(at, key, times * p->scores.step);
    return nest_load(&p->n->a->b, p->scores.buffer, at, a->s->lanes, 1, 0);
}

/* The largest exponent of each query among this tile of keys. */
static void largest(const Panel *p, NestId *most) {
    Attend *a = p->n->a;
    NestBuilder *b = &a->b;
    const uint32_t count = narrow_vectors(p->n);
    NestId next[ATTEND_MOST_COLUMNS];
    for (uint32_t v = 0; v < count; v++)
        most[v] = score(p, 0, 0, 0, v);
    NestLoop *keys = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, ATTEND_KEYS / KEYS_AT_ONCE),
                                 1, count, most);
    for (uint32_t v = 0; v < count; v++) {
        NestId x[KEYS_AT_ONCE];
        for (uint32_t k = 0; k < KEYS_AT_ONCE; k++)
            x[k] = score(p, keys->variable, KEYS_AT_ONCE, k, v);
        for (uint32_t left = KEYS_AT_ONCE; left > 1; left /= 2)
            for (uint32_t k = 0; k < left / 2; k++)
                x[k] = nest_binary(b, NEST_MAX, x[k], x[k + left / 2]);
        next[v] = nest_binary(b, NEST_MAX, keys->inner[v], x[0]);
    }
    nest_loop_end(b, next);
    for (uint32_t v = 0; v < count; v++)
        most[v] = nest_binary(b, NEST_MUL, nest_result(b, keys, v), narrow_factor(p->n));
}

/* Sums and outputs so far, relative to other bases. */
static void change_base(const Panel *p, const NestId *before, const NestId *base) {
    Attend *a = p->n->a;
    NestBuilder *b = &a->b;
    const uint32_t count = narrow_vectors(p->n);
    NestId by[ATTEND_MOST_COLUMNS];
    for (uint32_t v = 0; v < count; v++) {
        by[v] = nest_unary(b, NEST_EXP2, nest_binary(b, NEST_SUB, before[v], base[v]));
        set_stats(p, SUM, v, nest_binary(b, NEST_MUL, stats(p, SUM, v), by[v]));
        set_stats(p, BASE, v, base[v]);
    }
    NestLoop *rows = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, a->s->f), 1, 0, NULL);
    for (uint32_t v = 0; v < count; v++) {
        NestAddress at = narrow_at(p->n, &p->m->outputs, rows->variable, p->column, v);
        NestId x = nest_load(b, p->m->outputs.buffer, at, a->s->lanes, 1, 0);
        nest_store(b, p->m->outputs.buffer, at, nest_binary(b, NEST_MUL, x, by[v]), 0, false);
    }
    nest_loop_end(b, NULL);
}

static void choose_base(const Panel *p) {
    Attend *a = p->n->a;
    NestBuilder *b = &a->b;
    const uint32_t count = narrow_vectors(p->n);
    NestId none = nest_const(b, a->vector, 0), one = nest_const(b, a->vector, 1), any = none;
    NestId most[ATTEND_MOST_COLUMNS], before[ATTEND_MOST_COLUMNS], base[ATTEND_MOST_COLUMNS];
    largest(p, most);
    for (uint32_t v = 0; v < count; v++) {
        before[v] = stats(p, BASE, v);
        NestId limit = nest_binary(b, NEST_ADD, before[v], nest_const(b, a->vector, FAR));
        NestId far = nest_binary(b, NEST_LT, limit, most[v]);
        base[v] = nest_select(b, far, most[v], before[v]);
        any = nest_select(b, far, one, any);
    }
    NestId is = nest_const(b, (NestType){a->s->elem, 1}, 0);
    nest_if_begin(b, nest_binary(b, NEST_LT, is, nest_unary(b, NEST_MAX_LANES, any)));
    change_base(p, before, base);
    nest_if_end(b);
}

/* Weights, packed, and their sums. */
static void weigh(const Panel *p) {
    Attend *a = p->n->a;
    NestBuilder *b = &a->b;
    const uint32_t count = narrow_vectors(p->n);
    NestId base[ATTEND_MOST_COLUMNS], sum[ATTEND_MOST_COLUMNS], next[ATTEND_MOST_COLUMNS];
    NestId factor = narrow_factor(p->n);
    for (uint32_t v = 0; v < count; v++) {
        base[v] = stats(p, BASE, v);
        sum[v] = stats(p, SUM, v);
    }
    NestLoop *pairs =
        attend_loop(a, NEST_SEQUENTIAL, attend_number(a, ATTEND_KEYS / 2), 1, count, sum);
    for (uint32_t v = 0; v < count; v++) {
        NestId w[2];
        for (uint32_t k = 0; k < 2; k++) {
            NestId x = nest_binary(b, NEST_MUL, score(p, pairs->variable, 2, k, v), factor);
            w[k] = nest_unary(b, NEST_EXP2, nest_binary(b, NEST_SUB, x, base[v]));
        }
        nest_store(b, p->weights, narrow_pair_at(p->n, pairs->variable, v),
                   nest_pair(b, w[0], w[1]), 0, false);
        next[v] = nest_binary(b, NEST_ADD, pairs->inner[v], nest_binary(b, NEST_ADD, w[0], w[1]));
    }
    nest_loop_end(b, next);
    for (uint32_t v = 0; v < count; v++)
        set_stats(p, SUM, v, nest_result(b, pairs, v));
}

/* One over the sums, and lse, both 0 where no key counts; then all that the tile gives. */
static void give(AttendNarrow *n, const AttendForward *m, NestId first, NestId count) {
    Attend *a = n->a;
    NestBuilder *b = &a->b;
    NestLoop *each = vectors(n);
    NestId none = nest_const(b, a->vector, 0), one = nest_const(b, a->vector, 1);
    NestId sum = nest_load(b, m->stats.buffer, stats_at(n, SUM, each->variable), a->s->lanes, 1, 0);
    NestId base =
        nest_load(b, m->stats.buffer, stats_at(n, BASE, each->variable), a->s->lanes, 1, 0);
    base = nest_binary(b, NEST_MUL, base, nest_const(b, a->vector, M_LN2));
    NestId no_keys = nest_binary(b, NEST_EQ, sum, none);
    NestId share = nest_select(b, no_keys, none, nest_binary(b, NEST_DIV, one, sum));
    NestId lse = nest_binary(b, NEST_ADD, base, nest_unary(b, NEST_LOG, sum));
    nest_store(b, m->stats.buffer, stats_at(n, SUM, each->variable), share, 0, false);
    nest_store(b, m->stats.buffer, stats_at(n, BASE, each->variable),
               nest_select(b, no_keys, none, lse), 0, false);
    nest_loop_end(b, NULL);
    attend_transpose_back(a, &m->outputs, &m->stats, a->s->f, &m->o, first, count);
    NestLoop *queries = attend_loop(a, NEST_SEQUENTIAL, count, 1, 0, NULL);
    NestId x = nest_load(b, m->stats.buffer, stats_at(n, BASE, queries->variable), 1, 1, 0);
    nest_store(b, m->lse.buffer, attend_at(&m->lse, attend_add(a, first, queries->variable), 0), x,
               0, false);
    nest_loop_end(b, NULL);
}

void attend_narrow_forward(AttendNarrow *n, const AttendForward *m, NestId first, NestId count) {
    Attend *a = n->a;
    NestBuilder *b = &a->b;
    const int64_t e = a->s->e, f = a->s->f;
    const NarrowMatrix q = narrow_matrix(&m->q, a->head, e),
                       k = narrow_matrix(&m->k, a->key_head, e),
                       v = narrow_matrix(&m->v, a->key_head, f);
    const uint32_t queries = narrow_panels(n, "packed_queries", &n->by_e, true, n->tile),
                   keys = narrow_panels(n, "packed_keys", &n->by_e, false, ATTEND_KEYS),
                   weights = narrow_panels(n, "packed_weights", &n->by_keys, true, 1),
                   values = narrow_panels(n, "packed_values", &n->by_keys, false, f);
    NestId depth_e = attend_number(a, e), all_f = attend_number(a, f);
    narrow_pack(n, &n->by_e, true, false, &q, first, count, n->tile, depth_e, queries);
    clear(n, m);
    NestId end = a->keys;
    if (a->s->causal)
        end = attend_min(a, end, attend_add(a, first, attend_number(a, n->tile)));
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, end, ATTEND_KEYS, 0, NULL);
    NestId key = loop->variable;
    NestId there = attend_min(a, attend_sub(a, end, key), attend_number(a, ATTEND_KEYS));
    narrow_pack(n, &n->by_e, false, false, &k, key, there, ATTEND_KEYS, depth_e, keys);
    narrow_pack(n, &n->by_keys, false, true, &v, key, all_f, f, there, values);
    NestLoop *panels = narrow_panel_loop(n, narrow_first_panel(n, first, key), count);
    NestId column = attend_mul(a, panels->variable, attend_number(a, n->by_keys.columns));
    const AttendMatrix scores = {.buffer = m->scores.buffer, .step = n->by_keys.columns};
    const Panel p = {n, m, column, scores, weights};
    narrow_panel_product(n, &(NarrowSum){&n->by_e, keys, queries, depth_e, 0}, panels->variable,
                         &p.scores, 0, ATTEND_KEYS, false);
    narrow_scores(
        n, &m->bias, &p.scores, 0,
        &(NarrowPairs){attend_add(a, first, column), attend_sub(a, count, column), key, there});
    choose_base(&p);
    weigh(&p);
    narrow_panel_product(n, &(NarrowSum){&n->by_keys, values, weights, there, 0}, a->zero,
                         &m->outputs, column, f, true);
    nest_loop_end(b, NULL);
    nest_loop_end(b, NULL);
    give(n, m, first, count);
}
