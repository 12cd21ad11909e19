/* A tile of queries of attention with products of bf16, forward; see attend_narrow.c. */
#include "lower/attend_narrow.h"

/* Rows of m->stats: of each query the sum of weights and then one over it; the largest score and
 * then lse; by what the last tile of keys changed the weights before. */
enum { SUM, BEST, FACTOR, STATS };

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
    narrow_clear(n, &m->outputs, a->s->f);
    NestLoop *each = vectors(n);
    nest_store(b, m->stats.buffer, stats_at(n, SUM, each->variable), nest_const(b, a->vector, 0), 0,
               false);
    nest_store(b, m->stats.buffer, stats_at(n, BEST, each->variable),
               nest_const(b, a->vector, attend_least(a->s)), 0, false);
    nest_loop_end(b, NULL);
}

/* The largest score of a vector of queries, with this tile of keys. */
static NestId largest(AttendNarrow *n, const AttendForward *m, NestId panel, uint32_t v,
                      NestId best) {
    Attend *a = n->a;
    NestBuilder *b = &a->b;
    NestLoop *keys = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, ATTEND_KEYS), 1, 1, &best);
    NestId x =
        nest_load(b, m->scores.buffer, narrow_at(n, keys->variable, panel, v), a->s->lanes, 1, 0);
    x = nest_binary(b, NEST_MUL, x, nest_const(b, a->vector, a->s->scale));
    NestId next = nest_binary(b, NEST_MAX, keys->inner[0], x);
    nest_loop_end(b, &next);
    return nest_result(b, keys, 0);
}

/* Weights relative to the best score, packed; their sum. */
static NestId weigh(AttendNarrow *n, const AttendForward *m, NestId panel, uint32_t v, NestId best,
                    NestId sum, uint32_t packed) {
    Attend *a = n->a;
    NestBuilder *b = &a->b;
    NestLoop *pairs =
        attend_loop(a, NEST_SEQUENTIAL, attend_number(a, ATTEND_KEYS / 2), 1, 1, &sum);
    NestId w[2];
    for (uint32_t k = 0; k < 2; k++) {
        NestAddress at =
            narrow_at(n, attend_mul(a, pairs->variable, attend_number(a, 2)), panel, v);
        at.offset += k * n->tile;
        NestId x = nest_load(b, m->scores.buffer, at, a->s->lanes, 1, 0);
        x = nest_binary(b, NEST_MUL, x, nest_const(b, a->vector, a->s->scale));
        w[k] = nest_unary(b, NEST_EXP, nest_binary(b, NEST_SUB, x, best));
    }
    nest_store(b, packed, narrow_pair_at(n, pairs->variable, panel, v), nest_pair(b, w[0], w[1]), 0,
               false);
    NestId next = nest_binary(b, NEST_ADD, pairs->inner[0], nest_binary(b, NEST_ADD, w[0], w[1]));
    nest_loop_end(b, &next);
    return nest_result(b, pairs, 0);
}

static void softmax(AttendNarrow *n, const AttendForward *m, uint32_t packed) {
    Attend *a = n->a;
    NestBuilder *b = &a->b;
    const uint32_t columns = n->by_keys.columns, lanes = a->s->lanes;
    NestLoop *panels = narrow_panel_loop(n);
    for (uint32_t v = 0; v < narrow_vectors(n); v++) {
        NestAddress at[STATS];
        for (uint32_t k = 0; k < STATS; k++)
            at[k] =
                nest_at_plus(nest_at(k * n->tile + (int64_t)v * lanes), panels->variable, columns);
        NestId before = nest_load(b, m->stats.buffer, at[BEST], a->s->lanes, 1, 0);
        NestId best = largest(n, m, panels->variable, v, before);
        NestId factor = nest_unary(b, NEST_EXP, nest_binary(b, NEST_SUB, before, best));
        NestId sum = nest_load(b, m->stats.buffer, at[SUM], a->s->lanes, 1, 0);
        sum = weigh(n, m, panels->variable, v, best, nest_binary(b, NEST_MUL, sum, factor), packed);
        nest_store(b, m->stats.buffer, at[BEST], best, 0, false);
        nest_store(b, m->stats.buffer, at[FACTOR], factor, 0, false);
        nest_store(b, m->stats.buffer, at[SUM], sum, 0, false);
    }
    nest_loop_end(b, NULL);
}

static void scale_outputs(AttendNarrow *n, const AttendForward *m) {
    Attend *a = n->a;
    NestBuilder *b = &a->b;
    NestLoop *each = vectors(n);
    NestId factor =
        nest_load(b, m->stats.buffer, stats_at(n, FACTOR, each->variable), a->s->lanes, 1, 0);
    NestLoop *rows = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, a->s->f), 1, 0, NULL);
    NestAddress at =
        nest_at_plus(nest_at_plus(nest_at(0), rows->variable, n->tile), each->variable, 1);
    NestId x = nest_load(b, m->outputs.buffer, at, a->s->lanes, 1, 0);
    nest_store(b, m->outputs.buffer, at, nest_binary(b, NEST_MUL, x, factor), 0, false);
    nest_loop_end(b, NULL);
    nest_loop_end(b, NULL);
}

/* One over the sums, and lse, both 0 where no key counts; then all that the tile gives. */
static void give(AttendNarrow *n, const AttendForward *m, NestId first, NestId count) {
    Attend *a = n->a;
    NestBuilder *b = &a->b;
    NestLoop *each = vectors(n);
    NestId none = nest_const(b, a->vector, 0), one = nest_const(b, a->vector, 1);
    NestId sum = nest_load(b, m->stats.buffer, stats_at(n, SUM, each->variable), a->s->lanes, 1, 0);
    NestId best =
        nest_load(b, m->stats.buffer, stats_at(n, BEST, each->variable), a->s->lanes, 1, 0);
    NestId no_keys = nest_binary(b, NEST_EQ, sum, none);
    NestId share = nest_select(b, no_keys, none, nest_binary(b, NEST_DIV, one, sum));
    NestId lse = nest_binary(b, NEST_ADD, best, nest_unary(b, NEST_LOG, sum));
    nest_store(b, m->stats.buffer, stats_at(n, SUM, each->variable), share, 0, false);
    nest_store(b, m->stats.buffer, stats_at(n, BEST, each->variable),
               nest_select(b, no_keys, none, lse), 0, false);
    nest_loop_end(b, NULL);
    attend_transpose_back(a, &m->outputs, &m->stats, a->s->f, &m->o, first, count);
    NestLoop *queries = attend_loop(a, NEST_SEQUENTIAL, count, 1, 0, NULL);
    NestId x = nest_load(b, m->stats.buffer, stats_at(n, BEST, queries->variable), 1, 1, 0);
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
                       v = narrow_matrix(&m->v, a->key_head, f),
                       scores = narrow_scratch(&m->scores), outputs = narrow_scratch(&m->outputs);
    const uint32_t queries = narrow_panels(n, "packed_queries", &n->by_e, true, n->tile),
                   keys = narrow_panels(n, "packed_keys", &n->by_e, false, ATTEND_KEYS),
                   weights = narrow_panels(n, "packed_weights", &n->by_keys, true, n->tile),
                   values = narrow_panels(n, "packed_values", &n->by_keys, false, f);
    NestId depth_e = attend_number(a, e), all_f = attend_number(a, f);
    narrow_pack(n, &n->by_e, true, false, &q, first, count, n->tile, depth_e, queries);
    clear(n, m);
    NestId end = a->positions;
    if (a->s->causal)
        end = attend_min(a, end, attend_add(a, first, attend_number(a, n->tile)));
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, end, ATTEND_KEYS, 0, NULL);
    NestId key = loop->variable;
    NestId there = attend_min(a, attend_sub(a, end, key), attend_number(a, ATTEND_KEYS));
    narrow_pack(n, &n->by_e, false, false, &k, key, there, ATTEND_KEYS, depth_e, keys);
    narrow_product(n, &n->by_e, keys, queries, depth_e, &scores, 0, attend_number(a, ATTEND_KEYS),
                   n->tile, false);
    narrow_hide(n, &m->scores, first, key, there);
    softmax(n, m, weights);
    scale_outputs(n, m);
    narrow_pack(n, &n->by_keys, false, true, &v, key, all_f, f, there, values);
    narrow_product(n, &n->by_keys, values, weights, there, &outputs, 0, all_f, n->tile, true);
    nest_loop_end(b, NULL);
    give(n, m, first, count);
}
