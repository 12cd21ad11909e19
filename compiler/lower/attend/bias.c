/* The bias of attention: a number for each head and distance from query to key, which scores are
 * added to; and its gradient.
 *
 * The bias of neighbouring queries lies side by side, so a score's vector adds a vector of it. The
 * gradient sums what weights' gradients come to over all pairs of one distance. To add each vector
 * of these where it belongs would have every key wait for what the key before it stored, one
 * element beside. So a tile of them is kept in rows, with nothing left and right of it, and summed
 * along its diagonals, in registers. */
#include "lower/attend/bias.h"

NestAddress attend_bias_at(Attend *a, const AttendMatrix *bias, NestId first_query, NestId key,
                           uint32_t c) {
    NestAddress at = nest_at((int64_t)a->s->start + (int64_t)c * a->s->lanes);
    at = nest_at_plus(at, bias->base, 1);
    return nest_at_plus(nest_at_plus(at, first_query, 1), key, -1);
}

NestId attend_queries_in(Attend *a, NestId queries, uint32_t c) {
    NestId left = attend_sub(a, queries, attend_number(a, (int64_t)c * a->s->lanes));
    left = attend_min(a, left, attend_number(a, a->s->lanes));
    return nest_binary(&a->b, NEST_MAX, left, a->zero);
}

/* Whether an address lies in scratch memory is proved from the range of each number in it alone;
 * for that there is so much before the first row and behind the last, and behind the sums. */
enum { SLACK = ATTEND_KEYS };

/* Each row has a vector of zeros before and behind its queries. */
static int64_t step_of(const Attend *a, const AttendPairs *p) {
    return p->width + 2 * (int64_t)a->s->lanes;
}

AttendPairs attend_pairs(Attend *a, int64_t width) {
    AttendPairs p = {.width = width};
    p.rows = attend_memory(a, "pairs", ATTEND_KEYS * step_of(a, &p) + 2 * SLACK);
    p.sums = attend_memory(a, "distances", ATTEND_KEYS + width + a->s->lanes + SLACK);
    return p;
}

void attend_pairs_clear(Attend *a, const AttendPairs *p) {
    const int64_t step = step_of(a, p);
    NestId none = nest_const(&a->b, a->vector, 0);
    NestLoop *rows = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, ATTEND_KEYS), 1, 0, NULL);
    NestAddress before = nest_at_plus(nest_at(SLACK), rows->variable, step), behind = before;
    behind.offset += step - a->s->lanes;
    nest_store(&a->b, p->rows, before, none, 0, false);
    nest_store(&a->b, p->rows, behind, none, 0, false);
    nest_loop_end(&a->b, NULL);
}

void attend_pair(Attend *a, const AttendPairs *p, NestId key, NestId queries, uint32_t c,
                 NestId x) {
    NestBuilder *b = &a->b;
    const uint16_t lanes = a->s->lanes;
    NestId count = nest_splat(b, lanes, nest_cast(b, NEST_I32, attend_queries_in(a, queries, c)));
    NestId is = nest_binary(b, NEST_LT, nest_lanes(b, lanes), count);
    NestAddress at = nest_at(SLACK + (int64_t)(1 + c) * lanes);
    nest_store(b, p->rows, nest_at_plus(at, key, step_of(a, p)),
               nest_select(b, is, x, nest_const(b, a->vector, 0)), 0, false);
}

/* sums[ATTEND_KEYS + distance], where the first query and the first key are 0 apart. */
static void sum_distances(Attend *a, const AttendPairs *p, NestId keys) {
    NestBuilder *b = &a->b;
    const int64_t lanes = a->s->lanes, all = ATTEND_KEYS + p->width;
    NestLoop *to = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, all), lanes, 0, NULL);
    /* The keys of whose rows a vector from `to - ATTEND_KEYS + key` on has something. */
    NestId left = attend_sub(a, attend_number(a, ATTEND_KEYS - lanes), to->variable);
    NestId begin = attend_min(a, nest_binary(b, NEST_MAX, left, a->zero), keys);
    NestId end = attend_min(a, attend_sub(a, attend_number(a, all + 1), to->variable), keys);
    NestId none = nest_const(b, a->vector, 0);
    NestLoop *each = nest_loop_begin(b, NEST_SEQUENTIAL, begin, end, 1, 1, &none);
    NestAddress at = nest_at_plus(nest_at(SLACK + lanes - ATTEND_KEYS), to->variable, 1);
    at = nest_at_plus(at, each->variable, step_of(a, p) + 1);
    NestId next =
        nest_binary(b, NEST_ADD, each->inner[0], nest_load(b, p->rows, at, a->s->lanes, 1, 0));
    nest_loop_end(b, &next);
    nest_store(b, p->sums, nest_at_plus(nest_at(0), to->variable, 1), nest_result(b, each, 0), 0,
               false);
    nest_loop_end(b, NULL);
}

void attend_pairs_add(Attend *a, const AttendPairs *p, const AttendMatrix *d_bias,
                      NestId first_query, NestId queries, NestId first_key, NestId keys) {
    NestBuilder *b = &a->b;
    sum_distances(a, p, keys);
    NestId before = attend_sub(a, keys, a->one); /* distances below that of the first of both */
    NestId count = attend_add(a, before, attend_min(a, queries, attend_number(a, p->width)));
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, count, a->s->lanes, 0, NULL);
    NestId valid =
        attend_min(a, attend_sub(a, count, loop->variable), attend_number(a, a->s->lanes));
    NestId moved = attend_sub(a, loop->variable, before);
    NestId x =
        nest_load(b, p->sums, nest_at_plus(nest_at(ATTEND_KEYS), moved, 1), a->s->lanes, 1, valid);
    NestAddress to = nest_at_plus(attend_bias_at(a, d_bias, first_query, first_key, 0), moved, 1);
    NestId sum = nest_load(b, d_bias->buffer, to, a->s->lanes, 1, valid);
    nest_store(b, d_bias->buffer, to, nest_binary(b, NEST_ADD, sum, x), valid, false);
    nest_loop_end(b, NULL);
}
