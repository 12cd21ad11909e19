/* Attention by tiles with an online softmax.
 *
 * A score of -inf is that of a key that does not count: its weight is 0. Where none counts, the
 * result is 0 and no gradient comes of it.
 *
 * Queries lie in lanes. A tile of `columns * lanes` queries is transposed once; then every key is a
 * scalar that is broadcast, so scores, their maximum, their exponentials and the sums over keys are
 * plain vector code without any work across lanes:
 *
 *   scores[key][query]  = sum_d  k[key][d] * q'[d][query]
 *   o'[d][query]       += sum_key v[key][d] * p[key][query]
 *
 * and back, with p recomputed from the stored lse:
 *
 *   dp[key][query]      = sum_d  v[key][d] * do'[d][query]        ds = p (dp - sum o do) scale
 *   dq'[d][query]      += sum_key k[key][d] * ds[key][query]
 *   dv[key][d]         += sum_query p[key][query] * do[query][d]  (d in lanes; dk alike from ds, q)
 *
 * The backward kernel works on one key head and all heads that share it, so gradients of keys and
 * values have one writer. All five products are the one function attend_product: `rows` broadcast
 * scalars times `columns` vectors, accumulated in registers. */
#include "lower/attend.h"
#include "machine/limits.h"
#include <float.h>

enum { ROWS = 4, MOST_COLUMNS = 4, MOST_HELD = ROWS * MOST_COLUMNS, MOST_BLOCKS = 4 };

typedef struct {
    NestBuilder b;
    const AttendShape *s;
    uint32_t columns; /* vectors a tile of queries is wide */
    int64_t tile;     /* queries: columns * lanes */
    NestType vector;
    NestId zero, one, positions, sample, head, group;
} Attend;

/* A matrix in memory: element (row, column) of this task is at base + row * step + column. */
typedef struct {
    uint32_t buffer;
    NestId base;
    int64_t step;
} AttendMatrix;

static NestId attend_add(Attend *a, NestId x, NestId y) {
    return nest_binary(&a->b, NEST_ADD, x, y);
}
static NestId attend_sub(Attend *a, NestId x, NestId y) {
    return nest_binary(&a->b, NEST_SUB, x, y);
}
static NestId attend_mul(Attend *a, NestId x, NestId y) {
    return nest_binary(&a->b, NEST_MUL, x, y);
}
static NestId attend_min(Attend *a, NestId x, NestId y) {
    return nest_binary(&a->b, NEST_MIN, x, y);
}
static NestId attend_number(Attend *a, int64_t x) {
    return nest_i64(&a->b, x);
}

static NestAddress attend_at(const AttendMatrix *m, NestId row, int64_t column) {
    NestAddress at = nest_at(column);
    if (m->base)
        at = nest_at_plus(at, m->base, 1);
    return nest_at_plus(at, row, m->step);
}

static NestLoop *attend_loop(Attend *a, NestLoopKind kind, NestId end, int64_t step, uint32_t n,
                             const NestId *initial) {
    return nest_loop_begin(&a->b, kind, a->zero, end, step, n, initial);
}

/* A buffer of this sample whose instances hold `width` elements, of which `skip` come first. */
static AttendMatrix attend_argument(Attend *a, const char *name, int64_t width, bool written,
                                    bool read) {
    AttendMatrix m = {.step = width};
    m.buffer = nest_add_buffer(
        a->b.kernel,
        (NestBuffer){.name = name, .elem = a->s->elem, .written = written, .read = read});
    return m;
}

static void attend_seek(Attend *a, AttendMatrix *m, NestId head, int64_t head_width) {
    NestId first = attend_mul(a, attend_mul(a, a->sample, a->positions), attend_number(a, m->step));
    m->base = attend_add(a, first, attend_mul(a, head, attend_number(a, head_width)));
}

static AttendMatrix attend_scratch(Attend *a, const char *name, int64_t rows) {
    AttendMatrix m = {.step = a->tile};
    m.buffer = nest_add_buffer(a->b.kernel, (NestBuffer){.name = name,
                                                         .kind = NEST_SCRATCH,
                                                         .elem = a->s->elem,
                                                         .written = true,
                                                         .read = true,
                                                         .elements = (uint64_t)(rows * a->tile)});
    return m;
}

static Attend attend_begin(Arena *arena, const AttendShape *shape, const char *name) {
    Attend a = {.s = shape, .vector = {shape->elem, shape->lanes}};
    a.b = nest_builder(nest_kernel_create(arena, name));
    a.columns = shape->columns;
    a.tile = (int64_t)a.columns * shape->lanes;
    a.zero = attend_number(&a, 0);
    a.one = attend_number(&a, 1);
    a.positions = nest_extent(&a.b, NEST_POSITIONS);
    return a;
}

/* --- the one product ---------------------------------------------------------------------------*/

typedef struct {
    uint32_t buffer;
    NestAddress at[ROWS]; /* of each row's scalar for k = 0 */
    int64_t step;         /* from k to k + 1 */
} AttendScalars;

/* held[row * columns + c] += sum over k < count of scalar(row, k) * vector(k, c) */
static void attend_product(Attend *a, const AttendScalars *x, uint32_t rows, const AttendMatrix *y,
                           NestId y_row, int64_t y_column, uint32_t columns, uint16_t lanes,
                           NestId count, NestId *held) {
    NestBuilder *b = &a->b;
    NestLoop *loop = attend_loop(a, NEST_REDUCE, count, 1, rows * columns, held);
    NestId next[MOST_HELD], vector[MOST_COLUMNS];
    for (uint32_t c = 0; c < columns; c++) {
        NestAddress at = attend_at(y, loop->variable, y_column + (int64_t)c * lanes);
        vector[c] = nest_load(b, y->buffer, nest_at_plus(at, y_row, y->step), lanes, 1, 0);
    }
    for (uint32_t r = 0; r < rows; r++) {
        NestId scalar =
            nest_load(b, x->buffer, nest_at_plus(x->at[r], loop->variable, x->step), 1, 1, 0);
        NestId spread = nest_splat(b, lanes, scalar);
        for (uint32_t c = 0; c < columns; c++)
            next[r * columns + c] = nest_fma(b, spread, vector[c], loop->inner[r * columns + c]);
    }
    nest_loop_end(b, next);
    for (uint32_t k = 0; k < rows * columns; k++)
        held[k] = nest_result(b, loop, k);
}

/* --- tiles of queries --------------------------------------------------------------------------*/

static void attend_clear(Attend *a, const AttendMatrix *m, int64_t rows) {
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, rows), 1, 0, NULL);
    for (uint32_t c = 0; c < a->columns; c++)
        nest_store(&a->b, m->buffer, attend_at(m, loop->variable, (int64_t)c * a->s->lanes),
                   nest_const(&a->b, a->vector, 0), 0, false);
    nest_loop_end(&a->b, NULL);
}

/* A whole tile: columns of strided loads. */
static void attend_transpose_whole(Attend *a, const AttendMatrix *from, NestId first, int64_t depth,
                                   double factor, const AttendMatrix *to) {
    NestBuilder *b = &a->b;
    uint16_t lanes = a->s->lanes;
    NestLoop *columns = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, a->tile), lanes, 0, NULL);
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, depth), 1, 0, NULL);
    NestAddress at = nest_at_plus(attend_at(from, first, 0), columns->variable, from->step);
    NestId x =
        nest_load(b, from->buffer, nest_at_plus(at, loop->variable, 1), lanes, from->step, 0);
    x = nest_binary(b, NEST_MUL, x, nest_const(b, a->vector, factor));
    at = nest_at_plus(attend_at(to, loop->variable, 0), columns->variable, 1);
    nest_store(b, to->buffer, at, x, 0, false);
    nest_loop_end(b, NULL);
    nest_loop_end(b, NULL);
}

/* The last tile: zeros, then one element after the other. */
static void attend_transpose_part(Attend *a, const AttendMatrix *from, NestId first, NestId count,
                                  int64_t depth, double factor, const AttendMatrix *to) {
    NestBuilder *b = &a->b;
    attend_clear(a, to, depth);
    NestLoop *queries = attend_loop(a, NEST_SEQUENTIAL, count, 1, 0, NULL);
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, depth), 1, 0, NULL);
    NestAddress at = nest_at_plus(attend_at(from, first, 0), queries->variable, from->step);
    NestId x = nest_load(b, from->buffer, nest_at_plus(at, loop->variable, 1), 1, 1, 0);
    x = nest_binary(b, NEST_MUL, x, nest_const(b, (NestType){a->s->elem, 1}, factor));
    at = nest_at_plus(attend_at(to, loop->variable, 0), queries->variable, 1);
    nest_store(b, to->buffer, at, x, 0, false);
    nest_loop_end(b, NULL);
    nest_loop_end(b, NULL);
}

/* to[d][query] = factor * from[first + query][d], zero beyond the `count` queries there are. */
static void attend_transpose(Attend *a, const AttendMatrix *from, NestId first, NestId count,
                             int64_t depth, double factor, const AttendMatrix *to) {
    NestId whole = nest_binary(&a->b, NEST_EQ, count, attend_number(a, a->tile));
    nest_if_begin(&a->b, whole);
    attend_transpose_whole(a, from, first, depth, factor, to);
    nest_if_end(&a->b);
    nest_if_begin(&a->b, nest_unary(&a->b, NEST_NOT, whole));
    attend_transpose_part(a, from, first, count, depth, factor, to);
    nest_if_end(&a->b);
}

/* The widest vector for the elements left of a run. */
static uint16_t attend_width(const Attend *a, int64_t left) {
    uint16_t lanes = a->s->lanes;
    while (lanes > left)
        lanes /= 2;
    return lanes;
}

/* to[first + query][d] = from[d][query] * factor[0][query], for the queries there are. */
static void attend_transpose_back(Attend *a, const AttendMatrix *from, const AttendMatrix *factor,
                                  int64_t depth, const AttendMatrix *to, NestId first,
                                  NestId count) {
    NestBuilder *b = &a->b;
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, count, 1, 0, NULL);
    NestId by = 0;
    if (factor)
        by = nest_load(b, factor->buffer, nest_at_plus(nest_at(0), loop->variable, 1), 1, 1, 0);
    NestId row = attend_add(a, first, loop->variable);
    for (int64_t d = 0; d < depth;) {
        uint16_t lanes = attend_width(a, depth - d);
        int64_t run = (depth - d) / lanes * lanes;
        NestLoop *part = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, run), lanes, 0, NULL);
        NestAddress at = nest_at_plus(nest_at(d * from->step), loop->variable, 1);
        NestId x = nest_load(b, from->buffer, nest_at_plus(at, part->variable, from->step), lanes,
                             from->step, 0);
        if (by)
            x = nest_binary(b, NEST_MUL, x, by);
        nest_store(b, to->buffer, nest_at_plus(attend_at(to, row, d), part->variable, 1), x, 0,
                   false);
        nest_loop_end(b, NULL);
        d += run;
    }
    nest_loop_end(b, NULL);
}

/* held[r][c] = sum_d keys[first + row + r][d] * queries[d][c]; rows past the last key repeat it. */
static void attend_scores(Attend *a, const AttendMatrix *keys, NestId first, NestId row,
                          NestId last, int64_t depth, const AttendMatrix *queries, NestId *held) {
    AttendScalars x = {.buffer = keys->buffer, .step = 1};
    for (uint32_t r = 0; r < ROWS; r++) {
        NestId key = attend_min(a, attend_add(a, row, attend_number(a, r)), last);
        x.at[r] = attend_at(keys, attend_add(a, first, key), 0);
        for (uint32_t c = 0; c < a->columns; c++)
            held[r * a->columns + c] = nest_const(&a->b, a->vector, 0);
    }
    attend_product(a, &x, ROWS, queries, 0, 0, a->columns, a->s->lanes, attend_number(a, depth),
                   held);
}

/* to[d][query] = to[d][query] * factor[query] + sum over keys of from[first + key][d] *
 * by[key][query] */
static void attend_gather_rows(Attend *a, const AttendMatrix *from, NestId first, NestId count,
                               int64_t d, NestId d_loop, uint32_t rows, const AttendMatrix *by,
                               const NestId *factor, const AttendMatrix *to) {
    NestBuilder *b = &a->b;
    NestId held[MOST_HELD] = {0};
    AttendScalars x = {.buffer = from->buffer, .step = from->step};
    NestAddress place[MOST_HELD];
    for (uint32_t r = 0; r < rows; r++) {
        x.at[r] = nest_at_plus(attend_at(from, first, d + r), d_loop, 1);
        for (uint32_t c = 0; c < a->columns; c++) {
            NestAddress at = nest_at((d + r) * to->step + (int64_t)c * a->s->lanes);
            uint32_t k = r * a->columns + c;
            place[k] = nest_at_plus(at, d_loop, to->step);
            held[k] = nest_load(b, to->buffer, place[k], a->s->lanes, 1, 0);
            if (factor)
                held[k] = nest_binary(b, NEST_MUL, held[k], factor[c]);
        }
    }
    attend_product(a, &x, rows, by, 0, 0, a->columns, a->s->lanes, count, held);
    for (uint32_t k = 0; k < rows * a->columns; k++)
        nest_store(b, to->buffer, place[k], held[k], 0, false);
}

static void attend_gather(Attend *a, const AttendMatrix *from, NestId first, NestId count,
                          int64_t depth, const AttendMatrix *by, const NestId *factor,
                          const AttendMatrix *to) {
    int64_t whole = depth / ROWS * ROWS;
    if (whole) {
        NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, whole), ROWS, 0, NULL);
        attend_gather_rows(a, from, first, count, 0, loop->variable, ROWS, by, factor, to);
        nest_loop_end(&a->b, NULL);
    }
    if (whole < depth)
        attend_gather_rows(a, from, first, count, whole, 0, (uint32_t)(depth - whole), by, factor,
                           to);
}

/* Which queries (as lanes of vector c) see key `key` of a causal tile: key <= first + query. */
static NestId attend_visible(Attend *a, NestId key, NestId first, uint32_t c) {
    NestBuilder *b = &a->b;
    uint16_t lanes = a->s->lanes;
    NestId offset = attend_sub(a, key, attend_add(a, first, attend_number(a, (int64_t)c * lanes)));
    NestId least = nest_splat(b, lanes, nest_cast(b, NEST_I32, offset));
    return nest_binary(b, NEST_LE, least, nest_lanes(b, lanes));
}

/* --- forward -----------------------------------------------------------------------------------*/

typedef struct {
    AttendMatrix q, k, v, o, lse;                 /* arguments */
    AttendMatrix queries, outputs, scores, stats; /* scratch */
} AttendForward;

/* scores of a tile of keys; best[c] becomes the maximum with it. */
static void forward_scores(Attend *a, const AttendForward *m, NestId first_query, NestId first_key,
                           NestId count, NestId *best) {
    NestBuilder *b = &a->b;
    NestId last = attend_sub(a, count, a->one);
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, count, ROWS, a->columns, best);
    NestId held[MOST_HELD] = {0}, next[MOST_COLUMNS];
    attend_scores(a, &m->k, first_key, loop->variable, last, a->s->e, &m->queries, held);
    for (uint32_t c = 0; c < a->columns; c++)
        next[c] = loop->inner[c];
    for (uint32_t r = 0; r < ROWS; r++) {
        NestId row = attend_add(a, loop->variable, attend_number(a, r));
        for (uint32_t c = 0; c < a->columns; c++) {
            NestId x = held[r * a->columns + c];
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
    NestId next[MOST_COLUMNS];
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
static void forward_keys(Attend *a, const AttendForward *m, NestId first_query, NestId *state) {
    NestBuilder *b = &a->b;
    uint32_t columns = a->columns;
    NestId end = a->positions;
    if (a->s->causal)
        end = attend_min(a, end, attend_add(a, first_query, attend_number(a, a->tile)));
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, end, ATTEND_KEYS, 2 * columns, state);
    NestId first = loop->variable;
    NestId count = attend_min(a, attend_sub(a, end, first), attend_number(a, ATTEND_KEYS));
    NestId next[2 * MOST_COLUMNS], factor[MOST_COLUMNS];
    for (uint32_t c = 0; c < columns; c++)
        next[c] = loop->inner[c];
    forward_scores(a, m, first_query, first, count, next);
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

/* What every score but that of a key that does not count is above. */
static double attend_least(const AttendShape *shape) {
    return shape->elem == NEST_F32 ? -FLT_MAX : -DBL_MAX;
}

NestKernel *attend_forward(Arena *arena, const AttendShape *shape) {
    Attend a = attend_begin(arena, shape, "attend");
    NestBuilder *b = &a.b;
    uint32_t columns = a.columns;
    int64_t e = shape->e, f = shape->f, heads = shape->heads, groups = shape->key_heads;
    AttendForward m;
    m.q = attend_argument(&a, "q", heads * e, false, true);
    m.k = attend_argument(&a, "k", groups * e, false, true);
    m.v = attend_argument(&a, "v", groups * f, false, true);
    m.o = attend_argument(&a, "o", heads * f, true, false);
    m.lse = attend_argument(&a, "lse", heads, true, false);
    m.queries = attend_scratch(&a, "queries", e);
    m.outputs = attend_scratch(&a, "outputs", f);
    m.scores = attend_scratch(&a, "scores", ATTEND_KEYS + ROWS);
    m.stats = attend_scratch(&a, "stats", 2); /* one over the sums, lse */

    a.sample = nest_binary(b, NEST_DIV, nest_task(b), attend_number(&a, heads));
    a.head = nest_binary(b, NEST_REM, nest_task(b), attend_number(&a, heads));
    a.group = nest_binary(b, NEST_DIV, a.head, attend_number(&a, heads / groups));
    attend_seek(&a, &m.q, a.head, e);
    attend_seek(&a, &m.k, a.group, e);
    attend_seek(&a, &m.v, a.group, f);
    attend_seek(&a, &m.o, a.head, f);
    attend_seek(&a, &m.lse, a.head, 1);

    NestLoop *loop = attend_loop(&a, NEST_SEQUENTIAL, a.positions, a.tile, 0, NULL);
    NestId first = loop->variable;
    NestId count = attend_min(&a, attend_sub(&a, a.positions, first), attend_number(&a, a.tile));
    attend_transpose(&a, &m.q, first, count, e, shape->scale, &m.queries);
    attend_clear(&a, &m.outputs, f);
    NestId state[2 * MOST_COLUMNS];
    for (uint32_t c = 0; c < columns; c++) {
        state[c] = nest_const(b, a.vector, attend_least(shape)); /* -inf less -inf is no number */
        state[columns + c] = nest_const(b, a.vector, 0);
    }
    forward_keys(&a, &m, first, state);
    for (uint32_t c = 0; c < columns; c++) {
        int64_t column = (int64_t)c * shape->lanes;
        NestId none = nest_const(b, a.vector, 0), one = nest_const(b, a.vector, 1);
        NestId sum = state[columns + c];
        NestId no_keys = nest_binary(b, NEST_EQ, sum, none);
        NestId share = nest_select(b, no_keys, none, nest_binary(b, NEST_DIV, one, sum));
        nest_store(b, m.stats.buffer, nest_at(column), share, 0, false);
        NestId lse = nest_binary(b, NEST_ADD, state[c], nest_unary(b, NEST_LOG, sum));
        nest_store(b, m.stats.buffer, nest_at(a.tile + column), nest_select(b, no_keys, none, lse),
                   0, false);
    }
    attend_transpose_back(&a, &m.outputs, &m.stats, f, &m.o, first, count);
    NestLoop *each = attend_loop(&a, NEST_SEQUENTIAL, count, 1, 0, NULL);
    NestId lse =
        nest_load(b, m.stats.buffer, nest_at_plus(nest_at(a.tile), each->variable, 1), 1, 1, 0);
    nest_store(b, m.lse.buffer, attend_at(&m.lse, attend_add(&a, first, each->variable), 0), lse, 0,
               false);
    nest_loop_end(b, NULL);
    nest_loop_end(b, NULL);
    return b->kernel;
}

/* --- backward ----------------------------------------------------------------------------------*/

typedef struct {
    AttendMatrix q, k, v, o, lse, d_o, dq, dk, dv;                        /* arguments */
    AttendMatrix queries, d_outputs, d_queries, weights, d_scores, stats; /* scratch */
} AttendBackward;

/* stats[0][query] = sum_d o * do; stats[1][query] = lse */
static void backward_stats(Attend *a, const AttendBackward *m, NestId first, NestId count) {
    NestBuilder *b = &a->b;
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, count, 1, 0, NULL);
    NestId row = attend_add(a, first, loop->variable);
    NestId sum = nest_const(b, (NestType){a->s->elem, 1}, 0);
    for (int64_t d = 0; d < a->s->f;) {
        uint16_t lanes = attend_width(a, a->s->f - d);
        int64_t run = (a->s->f - d) / lanes * lanes;
        NestId none = nest_const(b, (NestType){a->s->elem, lanes}, 0);
        NestLoop *part = attend_loop(a, NEST_REDUCE, attend_number(a, run), lanes, 1, &none);
        NestAddress o = nest_at_plus(attend_at(&m->o, row, d), part->variable, 1);
        NestAddress d_o = nest_at_plus(attend_at(&m->d_o, row, d), part->variable, 1);
        NestId next = nest_fma(b, nest_load(b, m->o.buffer, o, lanes, 1, 0),
                               nest_load(b, m->d_o.buffer, d_o, lanes, 1, 0), part->inner[0]);
        nest_loop_end(b, &next);
        next = nest_unary(b, NEST_SUM_LANES, nest_result(b, part, 0));
        sum = nest_binary(b, NEST_ADD, sum, next);
        d += run;
    }
    NestAddress at = nest_at_plus(nest_at(0), loop->variable, 1);
    nest_store(b, m->stats.buffer, at, sum, 0, false);
    at.offset = a->tile;
    nest_store(b, m->stats.buffer, at,
               nest_load(b, m->lse.buffer, attend_at(&m->lse, row, 0), 1, 1, 0), 0, false);
    nest_loop_end(b, NULL);
}

/* Scores and gradients of weights of one tile of keys, into the places of what comes of them. */
static void backward_scores(Attend *a, const AttendBackward *m, NestId first, NestId count) {
    NestBuilder *b = &a->b;
    NestId last = attend_sub(a, count, a->one);
    const AttendMatrix *from[2] = {&m->k, &m->v}, *with[2] = {&m->queries, &m->d_outputs};
    const AttendMatrix *to[2] = {&m->weights, &m->d_scores};
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, count, ROWS, 0, NULL);
    for (int which = 0; which < 2; which++) {
        NestId held[MOST_HELD] = {0};
        attend_scores(a, from[which], first, loop->variable, last, which ? a->s->f : a->s->e,
                      with[which], held);
        for (uint32_t k = 0; k < ROWS * a->columns; k++) {
            NestId row = attend_add(a, loop->variable, attend_number(a, k / a->columns));
            int64_t column = (int64_t)(k % a->columns) * a->s->lanes;
            nest_store(b, to[which]->buffer, attend_at(to[which], row, column), held[k], 0, false);
        }
    }
    nest_loop_end(b, NULL);
}

/* In place: weights from scores, gradients of scores from gradients of weights. */
static void backward_weights(Attend *a, const AttendBackward *m, NestId first_query,
                             NestId first_key, NestId count, const NestId *dot, const NestId *lse) {
    NestBuilder *b = &a->b;
    NestId scale = nest_const(b, a->vector, a->s->scale), none = nest_const(b, a->vector, 0);
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, count, 1, 0, NULL);
    for (uint32_t c = 0; c < a->columns; c++) {
        NestAddress at = attend_at(&m->weights, loop->variable, (int64_t)c * a->s->lanes);
        NestId p = nest_load(b, m->weights.buffer, at, a->s->lanes, 1, 0);
        NestId d = nest_load(b, m->d_scores.buffer, at, a->s->lanes, 1, 0);
        p = nest_unary(b, NEST_EXP, nest_binary(b, NEST_SUB, p, lse[c]));
        if (a->s->causal) {
            NestId key = attend_add(a, first_key, loop->variable);
            p = nest_select(b, attend_visible(a, key, first_query, c), p, none);
        }
        d = nest_binary(b, NEST_SUB, d, dot[c]);
        d = nest_binary(b, NEST_MUL, nest_binary(b, NEST_MUL, p, scale), d);
        nest_store(b, m->weights.buffer, at, p, 0, false);
        nest_store(b, m->d_scores.buffer, at, d, 0, false);
    }
    nest_loop_end(b, NULL);
}

/* Columns d .. d + columns * lanes of backward_rows. */
static void backward_block(Attend *a, const AttendMatrix *by, NestId row, uint32_t rows,
                           const AttendMatrix *from, NestId first, NestId count, int64_t d,
                           uint32_t columns, uint16_t lanes, const AttendMatrix *to,
                           NestId first_key) {
    NestBuilder *b = &a->b;
    AttendScalars x = {.buffer = by->buffer, .step = 1};
    NestId held[MOST_HELD] = {0};
    NestAddress place[MOST_HELD];
    for (uint32_t r = 0; r < rows; r++) {
        NestId key = attend_add(a, row, attend_number(a, r));
        x.at[r] = attend_at(by, key, 0);
        for (uint32_t c = 0; c < columns; c++) {
            uint32_t k = r * columns + c;
            place[k] = attend_at(to, attend_add(a, first_key, key), d + (int64_t)c * lanes);
            held[k] = nest_load(b, to->buffer, place[k], lanes, 1, 0);
        }
    }
    attend_product(a, &x, rows, from, first, d, columns, lanes, count, held);
    for (uint32_t k = 0; k < rows * columns; k++)
        nest_store(b, to->buffer, place[k], held[k], 0, false);
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
    NestId rest = nest_binary(b, NEST_REM, keys, attend_number(a, ROWS));
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, attend_sub(a, keys, rest), ROWS, 0, NULL);
    backward_rows(a, by, loop->variable, ROWS, from, first, count, depth, to, first_key);
    nest_loop_end(b, NULL);
    loop = nest_loop_begin(b, NEST_SEQUENTIAL, attend_sub(a, keys, rest), keys, 1, 0, NULL);
    backward_rows(a, by, loop->variable, 1, from, first, count, depth, to, first_key);
    nest_loop_end(b, NULL);
}

static void backward_keys(Attend *a, const AttendBackward *m, NestId first_query, NestId queries) {
    NestBuilder *b = &a->b;
    NestId dot[MOST_COLUMNS], lse[MOST_COLUMNS];
    for (uint32_t c = 0; c < a->columns; c++) {
        int64_t column = (int64_t)c * a->s->lanes;
        dot[c] = nest_load(b, m->stats.buffer, nest_at(column), a->s->lanes, 1, 0);
        lse[c] = nest_load(b, m->stats.buffer, nest_at(a->tile + column), a->s->lanes, 1, 0);
    }
    NestId end = a->positions;
    if (a->s->causal)
        end = attend_min(a, end, attend_add(a, first_query, attend_number(a, a->tile)));
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, end, ATTEND_KEYS, 0, NULL);
    NestId first = loop->variable;
    NestId count = attend_min(a, attend_sub(a, end, first), attend_number(a, ATTEND_KEYS));
    backward_scores(a, m, first, count);
    backward_weights(a, m, first_query, first, count, dot, lse);
    attend_gather(a, &m->k, first, count, a->s->e, &m->d_scores, NULL, &m->d_queries);
    backward_tile(a, &m->weights, count, &m->d_o, first_query, queries, a->s->f, &m->dv, first);
    backward_tile(a, &m->d_scores, count, &m->q, first_query, queries, a->s->e, &m->dk, first);
    nest_loop_end(b, NULL);
}

/* This sample's and key head's part of a gradient. */
static void backward_clear(Attend *a, const AttendMatrix *m, int64_t depth) {
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, a->positions, 1, 0, NULL);
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

static void backward_head(Attend *a, AttendBackward *m) {
    int64_t e = a->s->e, f = a->s->f;
    attend_seek(a, &m->q, a->head, e);
    attend_seek(a, &m->o, a->head, f);
    attend_seek(a, &m->lse, a->head, 1);
    attend_seek(a, &m->d_o, a->head, f);
    attend_seek(a, &m->dq, a->head, e);
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, a->positions, a->tile, 0, NULL);
    NestId first = loop->variable;
    NestId count = attend_min(a, attend_sub(a, a->positions, first), attend_number(a, a->tile));
    attend_transpose(a, &m->q, first, count, e, a->s->scale, &m->queries);
    attend_transpose(a, &m->d_o, first, count, f, 1, &m->d_outputs);
    attend_clear(a, &m->d_queries, e);
    backward_stats(a, m, first, count);
    backward_keys(a, m, first, count);
    attend_transpose_back(a, &m->d_queries, NULL, e, &m->dq, first, count);
    nest_loop_end(&a->b, NULL);
}

NestKernel *attend_backward(Arena *arena, const AttendShape *shape) {
    Attend a = attend_begin(arena, shape, "attend_grad");
    NestBuilder *b = &a.b;
    int64_t e = shape->e, f = shape->f, heads = shape->heads, groups = shape->key_heads;
    AttendBackward m;
    m.q = attend_argument(&a, "q", heads * e, false, true);
    m.k = attend_argument(&a, "k", groups * e, false, true);
    m.v = attend_argument(&a, "v", groups * f, false, true);
    m.o = attend_argument(&a, "o", heads * f, false, true);
    m.lse = attend_argument(&a, "lse", heads, false, true);
    m.d_o = attend_argument(&a, "do", heads * f, false, true);
    m.dq = attend_argument(&a, "dq", heads * e, true, false);
    m.dk = attend_argument(&a, "dk", groups * e, true, true);
    m.dv = attend_argument(&a, "dv", groups * f, true, true);
    m.queries = attend_scratch(&a, "queries", e);
    m.d_outputs = attend_scratch(&a, "d_outputs", f);
    m.d_queries = attend_scratch(&a, "d_queries", e);
    m.weights = attend_scratch(&a, "weights", ATTEND_KEYS + ROWS);
    m.d_scores = attend_scratch(&a, "d_scores", ATTEND_KEYS + ROWS);
    m.stats = attend_scratch(&a, "stats", 2);

    a.sample = nest_binary(b, NEST_DIV, nest_task(b), attend_number(&a, groups));
    a.group = nest_binary(b, NEST_REM, nest_task(b), attend_number(&a, groups));
    attend_seek(&a, &m.k, a.group, e);
    attend_seek(&a, &m.v, a.group, f);
    attend_seek(&a, &m.dk, a.group, e);
    attend_seek(&a, &m.dv, a.group, f);
    backward_clear(&a, &m.dk, e);
    backward_clear(&a, &m.dv, f);
    int64_t share = heads / groups;
    if (share == 1) {
        a.head = a.group;
        backward_head(&a, &m);
        return b->kernel;
    }
    NestLoop *loop = attend_loop(&a, NEST_SEQUENTIAL, attend_number(&a, share), 1, 0, NULL);
    a.head = attend_add(&a, attend_mul(&a, a.group, attend_number(&a, share)), loop->variable);
    backward_head(&a, &m);
    nest_loop_end(b, NULL);
    return b->kernel;
}
