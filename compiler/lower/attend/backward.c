/* The gradient of attention, weights computed again from the stored lse. See tile.c for the
 * idea. */
#include "lower/attend/bias.h"
#include "lower/attend/narrow.h"

enum { MOST_BLOCKS = 4 }; /* that are written out; more are a loop */

/* Scores and gradients of weights of one tile of keys, into the places of what comes of them. */
static void backward_scores(Attend *a, const AttendBackward *m, NestId first, NestId count) {
    NestBuilder *b = &a->b;
    NestId last = attend_sub(a, count, a->one);
    const AttendMatrix *from[2] = {&m->k, &m->v}, *with[2] = {&m->queries, &m->d_outputs};
    const AttendMatrix *to[2] = {&m->weights, &m->d_scores};
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, count, ATTEND_ROWS, 0, NULL);
    for (int which = 0; which < 2; which++) {
        NestId held[ATTEND_MOST_HELD] = {0};
        attend_scores(a, from[which], first, loop->variable, last, which ? a->s->f : a->s->e,
                      with[which], held);
        for (uint32_t k = 0; k < ATTEND_ROWS * a->columns; k++) {
            NestId row = attend_add(a, loop->variable, attend_number(a, k / a->columns));
            int64_t column = (int64_t)(k % a->columns) * a->s->lanes;
            nest_store(b, to[which]->buffer, attend_at(to[which], row, column), held[k], 0, false);
        }
    }
    nest_loop_end(b, NULL);
}

/* In place: weights from scores, gradients of scores from gradients of weights. */
static void backward_weights(Attend *a, const AttendBackward *m, NestId first_query, NestId queries,
                             NestId first_key, NestId count, const NestId *dot, const NestId *lse) {
    NestBuilder *b = &a->b;
    NestId scale = nest_const(b, a->vector, a->s->scale), none = nest_const(b, a->vector, 0);
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, count, 1, 0, NULL);
    for (uint32_t c = 0; c < a->columns; c++) {
        NestAddress at = attend_at(&m->weights, loop->variable, (int64_t)c * a->s->lanes);
        NestId p = nest_load(b, m->weights.buffer, at, a->s->lanes, 1, 0);
        NestId d = nest_load(b, m->d_scores.buffer, at, a->s->lanes, 1, 0);
        if (a->s->distances) {
            NestAddress bias = attend_bias_at(a, &m->bias, first_query,
                                              attend_add(a, first_key, loop->variable), c);
            NestId more = nest_load(b, m->bias.buffer, bias, a->s->lanes, 1,
                                    attend_queries_in(a, queries, c));
            p = nest_binary(b, NEST_ADD, p, more);
        }
        p = nest_unary(b, NEST_EXP, nest_binary(b, NEST_SUB, p, lse[c]));
        if (a->s->causal) {
            NestId key = attend_add(a, first_key, loop->variable);
            p = nest_select(b, attend_visible(a, key, first_query, c), p, none);
        }
        d = nest_binary(b, NEST_SUB, d, dot[c]);
        if (a->s->distances)
            attend_pair(a, &m->pairs, loop->variable, queries, c, nest_binary(b, NEST_MUL, p, d));
        d = nest_binary(b, NEST_MUL, nest_binary(b, NEST_MUL, p, scale), d);
        nest_store(b, m->weights.buffer, at, p, 0, false);
        nest_store(b, m->d_scores.buffer, at, d, 0, false);
    }
    nest_loop_end(b, NULL);
    if (a->s->distances)
        attend_pairs_add(a, &m->pairs, &m->d_bias, first_query, queries, first_key, count);
}

/* Columns d .. d + columns * lanes of backward_rows. */
static void backward_block(Attend *a, const AttendMatrix *by, NestId row, uint32_t rows,
                           const AttendMatrix *from, NestId first, NestId count, int64_t d,
                           uint32_t columns, uint16_t lanes, const AttendMatrix *to,
                           NestId first_key) {
    NestBuilder *b = &a->b;
    AttendScalars x = {.buffer = by->buffer, .step = 1};
    NestId held[ATTEND_MOST_HELD] = {0};
    NestAddress address[ATTEND_MOST_HELD];
    for (uint32_t r = 0; r < rows; r++) {
        NestId key = attend_add(a, row, attend_number(a, r));
        x.at[r] = attend_at(by, key, 0);
        for (uint32_t c = 0; c < columns; c++) {
            uint32_t k = r * columns + c;
            address[k] = attend_at(to, attend_add(a, first_key, key), d + (int64_t)c * lanes);
            held[k] = nest_load(b, to->buffer, address[k], lanes, 1, 0);
        }
    }
    attend_product(a, &x, rows, from, first, d, columns, lanes, count, held);
    for (uint32_t k = 0; k < rows * columns; k++)
        nest_store(b, to->buffer, address[k], held[k], 0, false);
}

/* The same matrix from column `column` on. */
static AttendMatrix attend_from_column(Attend *a, const AttendMatrix *m, NestId column) {
    AttendMatrix shifted = *m;
    shifted.base = m->base ? attend_add(a, m->base, column) : column;
    return shifted;
}

/* to[first_key + row + r][d..] += sum over queries of by[row + r][query] * from[first + query][d..]
 * A head of usual width is written out; a wider one is a loop over blocks, and its rest. */
static void backward_rows(Attend *a, const AttendMatrix *by, NestId row, uint32_t rows,
                          const AttendMatrix *from, NestId first, NestId count, int64_t depth,
                          const AttendMatrix *to, NestId first_key) {
    int64_t d = 0, block = (int64_t)a->columns * a->s->lanes;
    if (depth > MOST_BLOCKS * block) {
        d = depth / block * block;
        NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, d), block, 0, NULL);
        AttendMatrix from_here = attend_from_column(a, from, loop->variable);
        AttendMatrix to_here = attend_from_column(a, to, loop->variable);
        backward_block(a, by, row, rows, &from_here, first, count, 0, a->columns, a->s->lanes,
                       &to_here, first_key);
        nest_loop_end(&a->b, NULL);
    }
    while (d < depth) {
        uint16_t lanes = attend_width(a, depth - d);
        uint32_t columns = (uint32_t)((depth - d) / lanes);
        if (columns > a->columns)
            columns = a->columns;
        backward_block(a, by, row, rows, from, first, count, d, columns, lanes, to, first_key);
        d += (int64_t)columns * lanes;
    }
}

static void backward_tile(Attend *a, const AttendMatrix *by, NestId keys, const AttendMatrix *from,
                          NestId first, NestId count, int64_t depth, const AttendMatrix *to,
                          NestId first_key) {
    NestBuilder *b = &a->b;
    NestId rest = nest_binary(b, NEST_REM, keys, attend_number(a, ATTEND_ROWS));
    NestLoop *loop =
        attend_loop(a, NEST_SEQUENTIAL, attend_sub(a, keys, rest), ATTEND_ROWS, 0, NULL);
    backward_rows(a, by, loop->variable, ATTEND_ROWS, from, first, count, depth, to, first_key);
    nest_loop_end(b, NULL);
    loop = nest_loop_begin(b, NEST_SEQUENTIAL, attend_sub(a, keys, rest), keys, 1, 0, NULL);
    backward_rows(a, by, loop->variable, 1, from, first, count, depth, to, first_key);
    nest_loop_end(b, NULL);
}

static void backward_keys(Attend *a, const AttendBackward *m, NestId first_query, NestId queries) {
    NestBuilder *b = &a->b;
    NestId dot[ATTEND_MOST_COLUMNS], lse[ATTEND_MOST_COLUMNS];
    for (uint32_t c = 0; c < a->columns; c++) {
        int64_t column = (int64_t)c * a->s->lanes;
        dot[c] = nest_load(b, m->stats.buffer, nest_at(column), a->s->lanes, 1, 0);
        lse[c] = nest_load(b, m->stats.buffer, nest_at(a->tile + column), a->s->lanes, 1, 0);
    }
    NestId end = a->keys;
    if (a->s->causal)
        end = attend_min(a, end, attend_add(a, first_query, attend_number(a, a->tile)));
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, end, ATTEND_KEYS, 0, NULL);
    NestId first = loop->variable;
    NestId count = attend_min(a, attend_sub(a, end, first), attend_number(a, ATTEND_KEYS));
    backward_scores(a, m, first, count);
    backward_weights(a, m, first_query, queries, first, count, dot, lse);
    attend_gather(a, &m->k, first, count, a->s->e, &m->d_scores, NULL, &m->d_queries);
    backward_tile(a, &m->weights, count, &m->d_o, first_query, queries, a->s->f, &m->dv, first);
    backward_tile(a, &m->d_scores, count, &m->q, first_query, queries, a->s->e, &m->dk, first);
    nest_loop_end(b, NULL);
}

/* This sample's and key head's part of a gradient. */
static void backward_clear(Attend *a, const AttendMatrix *m, int64_t depth) {
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, a->keys, 1, 0, NULL);
    for (int64_t d = 0; d < depth;) {
        uint16_t lanes = attend_width(a, depth - d);
        int64_t run = (depth - d) / lanes * lanes;
        NestLoop *part = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, run), lanes, 0, NULL);
        NestAddress at = nest_at_plus(attend_at(m, loop->variable, d), part->variable, 1);
        nest_store(&a->b, m->buffer, at, nest_const(&a->b, (NestType){a->s->elem, lanes}, 0), 0,
                   false);
        nest_loop_end(&a->b, NULL);
        d += run;
    }
    nest_loop_end(&a->b, NULL);
}

/* This sample's and head's part of the bias's gradient. */
static void backward_clear_bias(Attend *a, const AttendBackward *m) {
    NestLoop *loop =
        attend_loop(a, NEST_SEQUENTIAL, attend_number(a, a->s->distances), a->s->lanes, 0, NULL);
    NestId left = attend_sub(a, attend_number(a, a->s->distances), loop->variable);
    NestAddress at = nest_at_plus(nest_at(0), m->d_bias.base, 1);
    nest_store(&a->b, m->d_bias.buffer, nest_at_plus(at, loop->variable, 1),
               nest_const(&a->b, a->vector, 0), attend_min(a, left, attend_number(a, a->s->lanes)),
               false);
    nest_loop_end(&a->b, NULL);
}

/* A tile of queries, of which there are `count`. */
static void backward_queries(Attend *a, const AttendBackward *m, NestId first, NestId count) {
    attend_transpose(a, &m->q, first, count, a->s->e, a->s->scale, &m->queries);
    attend_transpose(a, &m->d_o, first, count, a->s->f, 1, &m->d_outputs);
    attend_clear(a, &m->d_queries, a->s->e);
    attend_backward_stats(a, m, first, count);
    backward_keys(a, m, first, count);
    attend_transpose_back(a, &m->d_queries, NULL, a->s->e, &m->dq, first, count);
}

static void backward_head(Attend *a, AttendBackward *m, AttendNarrow *narrow) {
    int64_t e = a->s->e, f = a->s->f;
    attend_seek(a, &m->q, a->head, e);
    attend_seek(a, &m->o, a->head, f);
    attend_seek(a, &m->lse, a->head, 1);
    attend_seek(a, &m->d_o, a->head, f);
    attend_seek(a, &m->dq, a->head, e);
    if (a->s->distances) {
        NestId of_sample = attend_mul(a, a->sample, attend_number(a, m->d_bias.step));
        m->bias.base = attend_mul(a, a->head, attend_number(a, a->s->distances));
        m->d_bias.base = attend_add(a, of_sample, m->bias.base);
        backward_clear_bias(a, m);
    }
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, a->positions, a->tile, 0, NULL);
    NestId first = loop->variable;
    NestId count = attend_min(a, attend_sub(a, a->positions, first), attend_number(a, a->tile));
    if (narrow)
        attend_narrow_backward(narrow, m, first, count);
    else
        backward_queries(a, m, first, count);
    nest_loop_end(&a->b, NULL);
}

NestKernel *attend_backward(Arena *arena, const AttendShape *shape) {
    Attend a = attend_begin(arena, shape, "attend_grad");
    NestBuilder *b = &a.b;
    int64_t e = shape->e, f = shape->f, heads = shape->heads, key_heads = shape->key_heads;
    AttendBackward m = {.bias.base = 0};
    m.q = attend_argument(&a, "q", heads * e, false, true);
    m.k = attend_argument(&a, "k", key_heads * e, false, true);
    m.v = attend_argument(&a, "v", key_heads * f, false, true);
    m.o = attend_argument(&a, "o", heads * f, false, true);
    m.lse = attend_argument(&a, "lse", heads, false, true);
    m.d_o = attend_argument(&a, "do", heads * f, false, true);
    if (shape->distances)
        m.bias = attend_argument(&a, "bias", heads * shape->distances, false, true);
    m.dq = attend_argument(&a, "dq", heads * e, true, false);
    m.dk = attend_argument(&a, "dk", key_heads * e, true, true);
    m.dv = attend_argument(&a, "dv", key_heads * f, true, true);
    if (shape->distances)
        m.d_bias = attend_argument(&a, "d_bias", heads * shape->distances, true, true);
    m.queries = attend_scratch(&a, "queries", e);
    m.d_outputs = attend_scratch(&a, "d_outputs", f);
    m.d_queries = attend_scratch(&a, "d_queries", attend_product_rows(shape, e));
    m.weights = attend_scratch(&a, "weights", ATTEND_KEYS + ATTEND_ROWS);
    m.d_scores = attend_scratch(&a, "d_scores", ATTEND_KEYS + ATTEND_ROWS);
    m.stats = attend_scratch(&a, "stats", 2);
    if (shape->distances)
        m.pairs = attend_pairs(&a, shape->product ? shape->product->columns : a.tile);

    AttendNarrow *narrow = shape->product ? attend_narrow_begin(&a) : NULL;
    if (narrow)
        product_tiles(b, shape->product, true);

    a.sample = nest_binary(b, NEST_DIV, nest_task(b), attend_number(&a, key_heads));
    a.key_head = nest_binary(b, NEST_REM, nest_task(b), attend_number(&a, key_heads));
    m.k.of_keys = true;
    attend_seek(&a, &m.k, a.key_head, e);
    m.v.of_keys = true;
    attend_seek(&a, &m.v, a.key_head, f);
    m.dk.of_keys = true;
    attend_seek(&a, &m.dk, a.key_head, e);
    m.dv.of_keys = true;
    attend_seek(&a, &m.dv, a.key_head, f);
    if (shape->distances)
        attend_pairs_clear(&a, &m.pairs);
    backward_clear(&a, &m.dk, e);
    backward_clear(&a, &m.dv, f);
    int64_t share = heads / key_heads;
    if (share == 1) {
        a.head = a.key_head;
        backward_head(&a, &m, narrow);
    } else {
        NestId all = attend_number(&a, share);
        NestLoop *loop = attend_loop(&a, NEST_SEQUENTIAL, all, 1, 0, NULL);
        a.head = attend_add(&a, attend_mul(&a, a.key_head, all), loop->variable);
        backward_head(&a, &m, narrow);
        nest_loop_end(b, NULL);
    }
    if (narrow)
        product_tiles(b, shape->product, false);
    return b->kernel;
}
