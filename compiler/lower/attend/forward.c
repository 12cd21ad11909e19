/* Attention, forward: an online softmax over tiles of keys. See tile.c for the idea. */
#include "lower/attend/bias.h"
#include "lower/attend/narrow.h"
#include "lower/attend/query.h"

/* scores of a tile of keys; best[c] becomes the maximum with it. */
static void forward_scores(Attend *a, const AttendForward *m, NestId first_query, NestId queries,
                           NestId first_key, NestId count, NestId *best) {
    NestBuilder *b = &a->b;
    NestId last = attend_sub(a, count, a->one);
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, count, ATTEND_ROWS, a->columns, best);
    NestId held[ATTEND_MOST_HELD] = {0}, next[ATTEND_MOST_COLUMNS];
    attend_scores(a, &m->k, first_key, loop->variable, last, a->s->e, &m->queries, held);
    for (uint32_t c = 0; c < a->columns; c++)
        next[c] = loop->inner[c];
    for (uint32_t r = 0; r < ATTEND_ROWS; r++) {
        NestId row = attend_add(a, loop->variable, attend_number(a, r));
        for (uint32_t c = 0; c < a->columns; c++) {
            NestId x = held[r * a->columns + c];
            if (a->s->distances) {
                NestId key = attend_add(a, first_key, attend_min(a, row, last));
                NestAddress at = attend_bias_at(a, &m->bias, first_query, key, c);
                NestId more = nest_load(b, m->bias.buffer, at, a->s->lanes, 1,
                                        attend_queries_in(a, queries, c));
                x = nest_binary(b, NEST_ADD, x, more);
            }
            if (a->s->causal) {
                NestId seen = attend_visible(a, attend_add(a, first_key, row), first_query, c);
                x = nest_select(b, seen, x, nest_const(b, a->vector, -__builtin_inf()));
            }
            next[c] = nest_binary(b, NEST_MAX, next[c], x);
            nest_store(b, m->scores.buffer, attend_at(&m->scores, row, (int64_t)c * a->s->lanes), x,
                       0, false);
        }
    }
    nest_loop_end(b, next);
    for (uint32_t c = 0; c < a->columns; c++)
        best[c] = nest_result(b, loop, c);
}

/* scores become weights relative to best; sum[c] grows by them. */
static void forward_weights(Attend *a, const AttendForward *m, NestId count, const NestId *best,
                            NestId *sum) {
    NestBuilder *b = &a->b;
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, count, 1, a->columns, sum);
    NestId next[ATTEND_MOST_COLUMNS];
    for (uint32_t c = 0; c < a->columns; c++) {
        NestAddress at = attend_at(&m->scores, loop->variable, (int64_t)c * a->s->lanes);
        NestId x = nest_load(b, m->scores.buffer, at, a->s->lanes, 1, 0);
        x = nest_unary(b, NEST_EXP, nest_binary(b, NEST_SUB, x, best[c]));
        nest_store(b, m->scores.buffer, at, x, 0, false);
        next[c] = nest_binary(b, NEST_ADD, loop->inner[c], x);
    }
    nest_loop_end(b, next);
    for (uint32_t c = 0; c < a->columns; c++)
        sum[c] = nest_result(b, loop, c);
}

/* All keys for one tile of queries; state is the maxima, then the sums. */
static void forward_keys(Attend *a, const AttendForward *m, NestId first_query, NestId queries,
                         NestId *state) {
    NestBuilder *b = &a->b;
    uint32_t columns = a->columns;
    NestId end = a->keys;
    if (a->s->causal)
        end = attend_min(a, end, attend_add(a, first_query, attend_number(a, a->tile)));
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, end, ATTEND_KEYS, 2 * columns, state);
    NestId first = loop->variable;
    NestId count = attend_min(a, attend_sub(a, end, first), attend_number(a, ATTEND_KEYS));
    NestId next[2 * ATTEND_MOST_COLUMNS], factor[ATTEND_MOST_COLUMNS];
    for (uint32_t c = 0; c < columns; c++)
        next[c] = loop->inner[c];
    forward_scores(a, m, first_query, queries, first, count, next);
    for (uint32_t c = 0; c < columns; c++) {
        NestId fall = nest_binary(b, NEST_SUB, loop->inner[c], next[c]);
        factor[c] = nest_unary(b, NEST_EXP, fall);
        next[columns + c] = nest_binary(b, NEST_MUL, loop->inner[columns + c], factor[c]);
    }
    forward_weights(a, m, count, next, next + columns);
    attend_gather(a, &m->v, first, count, a->s->f, &m->scores, factor, &m->outputs);
    nest_loop_end(b, next);
    for (uint32_t k = 0; k < 2 * columns; k++)
        state[k] = nest_result(b, loop, k);
}

/* A tile of queries, of which there are `count`. */
static void forward_tile(Attend *a, const AttendForward *m, NestId first, NestId count) {
    NestBuilder *b = &a->b;
    const AttendShape *shape = a->s;
    const uint32_t columns = a->columns;
    const int64_t e = shape->e, f = shape->f;
    attend_transpose(a, &m->q, first, count, e, shape->scale, &m->queries);
    attend_clear(a, &m->outputs, f);
    NestId state[2 * ATTEND_MOST_COLUMNS];
    for (uint32_t c = 0; c < columns; c++) {
        state[c] = nest_const(b, a->vector, attend_least(shape)); /* -inf less -inf is no number */
        state[columns + c] = nest_const(b, a->vector, 0);
    }
    forward_keys(a, m, first, count, state);
    for (uint32_t c = 0; c < columns; c++) {
        int64_t column = (int64_t)c * shape->lanes;
        NestId none = nest_const(b, a->vector, 0), one = nest_const(b, a->vector, 1);
        NestId sum = state[columns + c];
        NestId no_keys = nest_binary(b, NEST_EQ, sum, none);
        NestId share = nest_select(b, no_keys, none, nest_binary(b, NEST_DIV, one, sum));
        nest_store(b, m->stats.buffer, nest_at(column), share, 0, false);
        NestId lse = nest_binary(b, NEST_ADD, state[c], nest_unary(b, NEST_LOG, sum));
        nest_store(b, m->stats.buffer, nest_at(a->tile + column),
                   nest_select(b, no_keys, none, lse), 0, false);
    }
    attend_transpose_back(a, &m->outputs, &m->stats, f, &m->o, first, count);
    NestLoop *each = attend_loop(a, NEST_SEQUENTIAL, count, 1, 0, NULL);
    NestId lse =
        nest_load(b, m->stats.buffer, nest_at_plus(nest_at(a->tile), each->variable, 1), 1, 1, 0);
    nest_store(b, m->lse.buffer, attend_at(&m->lse, attend_add(a, first, each->variable), 0), lse,
               0, false);
    nest_loop_end(b, NULL);
}

NestKernel *attend_forward(Arena *arena, const AttendShape *shape) {
    Attend a = attend_begin(arena, shape, "attend");
    NestBuilder *b = &a.b;
    int64_t e = shape->e, f = shape->f, heads = shape->heads, key_heads = shape->key_heads;
    AttendForward m = {.bias.base = 0};
    m.q = attend_argument(&a, "q", heads * e, false, true);
    m.k = attend_argument(&a, "k", key_heads * e, false, true);
    m.v = attend_argument(&a, "v", key_heads * f, false, true);
    if (shape->distances)
        m.bias = attend_argument(&a, "bias", heads * shape->distances, false, true);
    m.o = attend_argument(&a, "o", heads * f, true, false);
    m.lse = attend_argument(&a, "lse", heads, true, false);
    m.queries = attend_scratch(&a, "queries", e);
    m.outputs = attend_scratch(&a, "outputs", attend_product_rows(shape, f));
    m.scores = attend_scratch(&a, "scores", ATTEND_KEYS + ATTEND_ROWS);
    m.stats = attend_scratch(&a, "stats", 3); /* one over the sums, lse, factors */
    AttendNarrow *narrow = shape->product ? attend_narrow_begin(&a) : NULL;
    if (narrow)
        product_tiles(b, shape->product, true);

    a.sample = nest_binary(b, NEST_DIV, nest_task(b), attend_number(&a, heads));
    a.head = nest_binary(b, NEST_REM, nest_task(b), attend_number(&a, heads));
    a.key_head = nest_binary(b, NEST_DIV, a.head, attend_number(&a, heads / key_heads));
    if (shape->distances)
        m.bias.base = attend_mul(&a, a.head, attend_number(&a, shape->distances));
    attend_seek(&a, &m.q, a.head, e);
    m.k.of_keys = true;
    attend_seek(&a, &m.k, a.key_head, e);
    m.v.of_keys = true;
    attend_seek(&a, &m.v, a.key_head, f);
    attend_seek(&a, &m.o, a.head, f);
    attend_seek(&a, &m.lse, a.head, 1);

    NestLoop *loop = nest_loop_begin(b, NEST_SEQUENTIAL, a.first, a.positions, a.tile, 0, NULL);
    NestId first = loop->variable;
    NestId count = attend_min(&a, attend_sub(&a, a.positions, first), attend_number(&a, a.tile));
    NestId few = nest_binary(b, NEST_LE, count, attend_number(&a, ATTEND_FEW));
    nest_if_begin(b, few);
    attend_queries(&a, &m, first, count);
    nest_if_end(b);
    nest_if_begin(b, nest_unary(b, NEST_NOT, few));
    if (narrow)
        attend_narrow_forward(narrow, &m, first, count);
    else
        forward_tile(&a, &m, first, count);
    nest_if_end(b);
    nest_loop_end(b, NULL);
    if (narrow)
        product_tiles(b, shape->product, false);
    return b->kernel;
}
