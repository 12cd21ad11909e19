/* Attention, forward, of one query: for a few queries at the end of a text tiles would be idle but
 * for these. Nothing is transposed; the entries of a key, and of its values, lie in lanes:
 *
 *   scores[key]  = sum_d  k[key][d] * q[d]
 *   o[d]        += sum_key p[key] * v[key][d] */
#include "lower/attend/query.h"
#include "lower/attend/bias.h"

enum { MOST_BLOCKS = 4 }; /* that are written out; more are a loop */

static NestId query_number(Attend *a, double x) {
    return nest_const(&a->b, (NestType){a->s->elem, 1}, x);
}

/* queries[d] = scale * q[query][d] */
static void query_scale(Attend *a, const AttendForward *m, NestId query) {
    NestBuilder *b = &a->b;
    for (int64_t d = 0; d < a->s->e;) {
        const uint16_t lanes = attend_width(a, a->s->e - d);
        const int64_t run = (a->s->e - d) / lanes * lanes;
        NestLoop *part = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, run), lanes, 0, NULL);
        NestId x =
            nest_load(b, m->q.buffer, nest_at_plus(attend_at(&m->q, query, d), part->variable, 1),
                      lanes, 1, 0);
        x = nest_binary(b, NEST_MUL, x, nest_const(b, (NestType){a->s->elem, lanes}, a->s->scale));
        nest_store(b, m->queries.buffer, nest_at_plus(nest_at(d), part->variable, 1), x, 0, false);
        nest_loop_end(b, NULL);
        d += run;
    }
}

/* score[r] += the products of entries d .. d + run of the query and of ATTEND_ROWS keys. */
static void query_products(Attend *a, const AttendForward *m, const NestAddress *keys, int64_t d,
                           int64_t run, uint16_t lanes, NestId *score) {
    NestBuilder *b = &a->b;
    NestId none = nest_const(b, (NestType){a->s->elem, lanes}, 0), next[ATTEND_ROWS],
           initial[ATTEND_ROWS];
    for (uint32_t r = 0; r < ATTEND_ROWS; r++)
        initial[r] = none;
    NestLoop *part =
        attend_loop(a, NEST_REDUCE, attend_number(a, run), lanes, ATTEND_ROWS, initial);
    NestId q =
        nest_load(b, m->queries.buffer, nest_at_plus(nest_at(d), part->variable, 1), lanes, 1, 0);
    for (uint32_t r = 0; r < ATTEND_ROWS; r++) {
        NestAddress at = nest_at_plus(keys[r], part->variable, 1);
        at.offset += d;
        next[r] = nest_fma(b, q, nest_load(b, m->k.buffer, at, lanes, 1, 0), part->inner[r]);
    }
    nest_loop_end(b, next);
    for (uint32_t r = 0; r < ATTEND_ROWS; r++)
        score[r] = nest_binary(b, NEST_ADD, score[r],
                               nest_unary(b, NEST_SUM_LANES, nest_result(b, part, r)));
}

/* scores of a tile of keys, which end with one that does not count for each lane; the maximum with
 * `best`. */
static NestId query_scores(Attend *a, const AttendForward *m, NestId query, NestId first,
                           NestId count, NestId best) {
    NestBuilder *b = &a->b;
    NestId last = attend_sub(a, count, a->one);
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, count, ATTEND_ROWS, 1, &best);
    NestAddress keys[ATTEND_ROWS];
    NestId score[ATTEND_ROWS], next = loop->inner[0];
    for (uint32_t r = 0; r < ATTEND_ROWS; r++) {
        NestId key = attend_min(a, attend_add(a, loop->variable, attend_number(a, r)), last);
        key = attend_add(a, first, key);
        keys[r] = attend_at(&m->k, key, 0);
        score[r] = query_number(a, 0);
        if (a->s->distances)
            score[r] =
                nest_load(b, m->bias.buffer, attend_bias_at(a, &m->bias, query, key, 0), 1, 1, 0);
    }
    for (int64_t d = 0; d < a->s->e;) {
        const uint16_t lanes = attend_width(a, a->s->e - d);
        const int64_t run = (a->s->e - d) / lanes * lanes;
        query_products(a, m, keys, d, run, lanes, score);
        d += run;
    }
    for (uint32_t r = 0; r < ATTEND_ROWS; r++) {
        next = nest_binary(b, NEST_MAX, next, score[r]);
        nest_store(b, m->scores.buffer, nest_at_plus(nest_at(r), loop->variable, 1), score[r], 0,
                   false);
    }
    nest_loop_end(b, &next);
    nest_store(b, m->scores.buffer, nest_at_plus(nest_at(0), count, 1),
               nest_const(b, a->vector, -__builtin_inf()), 0, false);
    return nest_result(b, loop, 0);
}

/* scores become weights relative to best; their sum. */
static NestId query_weights(Attend *a, const AttendForward *m, NestId count, NestId best) {
    NestBuilder *b = &a->b;
    NestId none = nest_const(b, a->vector, 0), spread = nest_splat(b, a->s->lanes, best);
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, count, a->s->lanes, 1, &none);
    NestAddress at = nest_at_plus(nest_at(0), loop->variable, 1);
    NestId x = nest_load(b, m->scores.buffer, at, a->s->lanes, 1, 0);
    x = nest_unary(b, NEST_EXP, nest_binary(b, NEST_SUB, x, spread));
    nest_store(b, m->scores.buffer, at, x, 0, false);
    NestId next = nest_binary(b, NEST_ADD, loop->inner[0], x);
    nest_loop_end(b, &next);
    return nest_unary(b, NEST_SUM_LANES, nest_result(b, loop, 0));
}

/* --- what the weights gather -------------------------------------------------------------------*/

/* Entries d .. d + columns * lanes of o, from `at` on. */
typedef struct {
    NestId at; /* 0: the first */
    int64_t d;
    uint32_t columns;
    uint16_t lanes;
} QueryBlock;

static NestAddress query_entry(const QueryBlock *block, uint32_t c) {
    return nest_at_plus(nest_at(block->d + (int64_t)c * block->lanes), block->at, 1);
}

typedef void QueryWork(Attend *a, const AttendForward *m, const QueryBlock *block,
                       const NestId *operands);

/* All entries of o. A head of usual width is written out; a wider one is a loop over blocks, and
 * its rest. */
static void query_blocks(Attend *a, const AttendForward *m, QueryWork *work,
                         const NestId *operands) {
    const int64_t block = (int64_t)a->columns * a->s->lanes, depth = a->s->f;
    int64_t d = 0;
    if (depth > MOST_BLOCKS * block) {
        d = depth / block * block;
        NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, d), block, 0, NULL);
        work(a, m, &(QueryBlock){loop->variable, 0, a->columns, a->s->lanes}, operands);
        nest_loop_end(&a->b, NULL);
    }
    while (d < depth) {
        const uint16_t lanes = attend_width(a, depth - d);
        const int64_t left = (depth - d) / lanes;
        const uint32_t columns = left < a->columns ? (uint32_t)left : a->columns;
        work(a, m, &(QueryBlock){0, d, columns, lanes}, operands);
        d += (int64_t)columns * lanes;
    }
}

static void query_clear(Attend *a, const AttendForward *m, const QueryBlock *block,
                        const NestId *operands) {
    (void)operands;
    for (uint32_t c = 0; c < block->columns; c++)
        nest_store(&a->b, m->outputs.buffer, query_entry(block, c),
                   nest_const(&a->b, (NestType){a->s->elem, block->lanes}, 0), 0, false);
}

/* outputs = outputs * factor + sum over keys of v[first + key] * scores[key]; operands: first,
 * count, factor. */
static void query_gather(Attend *a, const AttendForward *m, const QueryBlock *block,
                         const NestId *operands) {
    NestBuilder *b = &a->b;
    const AttendScalars x = {.buffer = m->scores.buffer, .at = {nest_at(0)}, .step = 1};
    AttendMatrix v = m->v;
    if (block->at)
        v.base = v.base ? attend_add(a, v.base, block->at) : block->at;
    NestId held[ATTEND_MOST_HELD] = {0}, factor = nest_splat(b, block->lanes, operands[2]);
    for (uint32_t c = 0; c < block->columns; c++) {
        held[c] = nest_load(b, m->outputs.buffer, query_entry(block, c), block->lanes, 1, 0);
        held[c] = nest_binary(b, NEST_MUL, held[c], factor);
    }
    attend_product(a, &x, 1, &v, operands[0], block->d, block->columns, block->lanes, operands[1],
                   held);
    for (uint32_t c = 0; c < block->columns; c++)
        nest_store(b, m->outputs.buffer, query_entry(block, c), held[c], 0, false);
}

/* o[query] = outputs * share; operands: query, share. */
static void query_give(Attend *a, const AttendForward *m, const QueryBlock *block,
                       const NestId *operands) {
    NestBuilder *b = &a->b;
    NestId share = nest_splat(b, block->lanes, operands[1]);
    for (uint32_t c = 0; c < block->columns; c++) {
        NestId x = nest_load(b, m->outputs.buffer, query_entry(block, c), block->lanes, 1, 0);
        NestAddress at = attend_at(&m->o, operands[0], block->d + (int64_t)c * block->lanes);
        nest_store(b, m->o.buffer, nest_at_plus(at, block->at, 1),
                   nest_binary(b, NEST_MUL, x, share), 0, false);
    }
}

/* --- the query ---------------------------------------------------------------------------------*/

/* All keys; state is the maximum, then the sum. */
static void query_keys(Attend *a, const AttendForward *m, NestId query, NestId state[2]) {
    NestBuilder *b = &a->b;
    NestId end = a->s->causal ? attend_add(a, query, a->one) : a->keys;
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, end, ATTEND_KEYS, 2, state);
    NestId first = loop->variable, next[2];
    NestId count = attend_min(a, attend_sub(a, end, first), attend_number(a, ATTEND_KEYS));
    next[0] = query_scores(a, m, query, first, count, loop->inner[0]);
    NestId factor = nest_unary(b, NEST_EXP, nest_binary(b, NEST_SUB, loop->inner[0], next[0]));
    next[1] = nest_binary(b, NEST_ADD, nest_binary(b, NEST_MUL, loop->inner[1], factor),
                          query_weights(a, m, count, next[0]));
    query_blocks(a, m, query_gather, (const NestId[]){first, count, factor});
    nest_loop_end(b, next);
    state[0] = nest_result(b, loop, 0);
    state[1] = nest_result(b, loop, 1);
}

void attend_queries(Attend *a, const AttendForward *m, NestId first, NestId count) {
    NestBuilder *b = &a->b;
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, count, 1, 0, NULL);
    NestId query = attend_add(a, first, loop->variable), none = query_number(a, 0);
    query_scale(a, m, query);
    query_blocks(a, m, query_clear, NULL);
    NestId state[2] = {query_number(a, attend_least(a->s)), none};
    query_keys(a, m, query, state);
    NestId no_keys = nest_binary(b, NEST_EQ, state[1], none);
    NestId share = nest_binary(b, NEST_DIV, query_number(a, 1), state[1]);
    share = nest_select(b, no_keys, none, share);
    query_blocks(a, m, query_give, (const NestId[]){query, share});
    NestId lse = nest_binary(b, NEST_ADD, state[0], nest_unary(b, NEST_LOG, state[1]));
    nest_store(b, m->lse.buffer, attend_at(&m->lse, query, 0), nest_select(b, no_keys, none, lse),
               0, false);
    nest_loop_end(b, NULL);
}
