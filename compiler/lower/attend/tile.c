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
 * Where a tile has few queries, as at the end of a text that grows, each is computed by itself
 * (query.c).
 *
 * The backward kernel works on one key head and all heads that share it, so gradients of keys and
 * values have one writer. All five products are the one function attend_product: `rows` broadcast
 * scalars times `columns` vectors, accumulated in registers. */
#include "lower/attend/tile.h"
#include "abi/layout.h"
#include <float.h>

double attend_least(const AttendShape *shape) {
    return shape->elem == NEST_F32 ? -FLT_MAX : -DBL_MAX;
}

AttendMatrix attend_argument(Attend *a, const char *name, int64_t width, bool written, bool read) {
    const uint32_t number = a->b.kernel->buffers.count;
    AttendMatrix m = {.step = width};
    m.buffer = nest_add_buffer(
        a->b.kernel, (NestBuffer){.name = name,
                                  .elem = a->s->stored ? a->s->stored[number] : a->s->elem,
                                  .written = written,
                                  .read = read});
    return m;
}

void attend_seek(Attend *a, AttendMatrix *m, NestId head, int64_t head_width) {
    NestId rows = attend_mul(a, a->sample, m->of_keys ? a->keys : a->positions);
    NestId first = attend_mul(a, rows, attend_number(a, m->step));
    m->base = attend_add(a, first, attend_mul(a, head, attend_number(a, head_width)));
}

uint32_t attend_memory(Attend *a, const char *name, int64_t elements) {
    return nest_add_buffer(a->b.kernel, (NestBuffer){.name = name,
                                                     .kind = NEST_SCRATCH,
                                                     .elem = a->s->elem,
                                                     .written = true,
                                                     .read = true,
                                                     .elements = (uint64_t)elements});
}

AttendMatrix attend_scratch(Attend *a, const char *name, int64_t rows) {
    return (AttendMatrix){.buffer = attend_memory(a, name, rows * a->tile), .step = a->tile};
}

/* Queries of a tile at most, where products are of bf16, a multiple of every panel's width: the
 * more there are, the seldomer keys are packed. */
enum { NARROW_QUERIES = 576 };

static int64_t narrow_tile(const AttendShape *shape) {
    const uint64_t columns = shape->product->columns;
    const uint64_t all = hc_round_up(shape->longest, columns);
    return shape->longest && all < NARROW_QUERIES ? (int64_t)all : NARROW_QUERIES;
}

int64_t attend_product_rows(const AttendShape *shape, int64_t rows) {
    return shape->product ? (int64_t)hc_round_up((uint64_t)rows, shape->product->rows) : rows;
}

Attend attend_begin(Arena *arena, const AttendShape *shape, const char *name) {
    Attend a = {.s = shape, .vector = {shape->elem, shape->lanes}};
    a.b = nest_builder(nest_kernel_create(arena, name));
    a.columns = shape->columns;
    a.tile = shape->product ? narrow_tile(shape) : (int64_t)a.columns * shape->lanes;
    a.zero = attend_number(&a, 0);
    a.one = attend_number(&a, 1);
    a.first = nest_extent(&a.b, NEST_FIRST);
    a.positions = nest_extent(&a.b, NEST_POSITIONS);
    a.keys = shape->key_space ? nest_extent(&a.b, (NestExtent)(NEST_SPACE + shape->key_space - 1))
                              : a.positions;
    return a;
}

void attend_product(Attend *a, const AttendScalars *x, uint32_t rows, const AttendMatrix *y,
                    NestId y_row, int64_t y_column, uint32_t columns, uint16_t lanes, NestId count,
                    NestId *held) {
    NestBuilder *b = &a->b;
    NestLoop *loop = attend_loop(a, NEST_REDUCE, count, 1, rows * columns, held);
    NestId next[ATTEND_MOST_HELD], vector[ATTEND_MOST_COLUMNS];
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

void attend_clear(Attend *a, const AttendMatrix *m, int64_t rows) {
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

void attend_transpose(Attend *a, const AttendMatrix *from, NestId first, NestId count,
                      int64_t depth, double factor, const AttendMatrix *to) {
    NestId whole = nest_binary(&a->b, NEST_EQ, count, attend_number(a, a->tile));
    nest_if_begin(&a->b, whole);
    attend_transpose_whole(a, from, first, depth, factor, to);
    nest_if_end(&a->b);
    nest_if_begin(&a->b, nest_unary(&a->b, NEST_NOT, whole));
    attend_transpose_part(a, from, first, count, depth, factor, to);
    nest_if_end(&a->b);
}

uint16_t attend_width(const Attend *a, int64_t left) {
    uint16_t lanes = a->s->lanes;
    while (lanes > left)
        lanes /= 2;
    return lanes;
}

/* Queries at a time: four read the same places. */
enum { BACK = 4 };

static uint32_t at_once(const Attend *a) {
    return a->tile % BACK == 0 ? BACK : 1;
}

/* Elements d .. d + run of so many queries, as far as they are there. */
static void transpose_back_run(Attend *a, const AttendMatrix *from, const NestId *factor, int64_t d,
                               int64_t run, uint16_t lanes, const AttendMatrix *to, NestId turn,
                               const NestId *row, const NestId *is) {
    NestBuilder *b = &a->b;
    NestLoop *part = attend_loop(a, NEST_SEQUENTIAL, attend_number(a, run), lanes, 0, NULL);
    NestId x[BACK];
    for (uint32_t r = 0; r < at_once(a); r++) {
        NestAddress at = nest_at_plus(nest_at(d * from->step + r), turn, at_once(a));
        at = nest_at_plus(at, part->variable, from->step);
        x[r] = nest_load(b, from->buffer, at, lanes, from->step, 0);
        if (factor)
            x[r] = nest_binary(b, NEST_MUL, x[r], nest_splat(b, lanes, factor[r]));
    }
    for (uint32_t r = 0; r < at_once(a); r++) {
        nest_if_begin(b, is[r]);
        nest_store(b, to->buffer, nest_at_plus(attend_at(to, row[r], d), part->variable, 1), x[r],
                   0, false);
        nest_if_end(b);
    }
    nest_loop_end(b, NULL);
}

void attend_transpose_back(Attend *a, const AttendMatrix *from, const AttendMatrix *factor,
                           int64_t depth, const AttendMatrix *to, NestId first, NestId count) {
    NestBuilder *b = &a->b;
    NestId end = attend_add(a, count, attend_number(a, at_once(a) - 1));
    end = nest_binary(b, NEST_DIV, end, attend_number(a, at_once(a)));
    NestLoop *loop = attend_loop(a, NEST_SEQUENTIAL, end, 1, 0, NULL);
    NestId by[BACK], row[BACK], is[BACK];
    for (uint32_t r = 0; r < at_once(a); r++) {
        NestAddress at = nest_at_plus(nest_at(r), loop->variable, at_once(a));
        if (factor)
            by[r] = nest_load(b, factor->buffer, at, 1, 1, 0);
        NestId query = attend_mul(a, loop->variable, attend_number(a, at_once(a)));
        query = attend_add(a, query, attend_number(a, r));
        is[r] = nest_binary(b, NEST_LT, query, count);
        row[r] = attend_add(a, first, query);
    }
    for (int64_t d = 0; d < depth;) {
        const uint16_t lanes = attend_width(a, depth - d);
        const int64_t run = (depth - d) / lanes * lanes;
        transpose_back_run(a, from, factor ? by : NULL, d, run, lanes, to, loop->variable, row, is);
        d += run;
    }
    nest_loop_end(b, NULL);
}

void attend_scores(Attend *a, const AttendMatrix *keys, NestId first, NestId row, NestId last,
                   int64_t depth, const AttendMatrix *queries, NestId *held) {
    AttendScalars x = {.buffer = keys->buffer, .step = 1};
    for (uint32_t r = 0; r < ATTEND_ROWS; r++) {
        NestId key = attend_min(a, attend_add(a, row, attend_number(a, r)), last);
        x.at[r] = attend_at(keys, attend_add(a, first, key), 0);
        for (uint32_t c = 0; c < a->columns; c++)
            held[r * a->columns + c] = nest_const(&a->b, a->vector, 0);
    }
    attend_product(a, &x, ATTEND_ROWS, queries, 0, 0, a->columns, a->s->lanes,
                   attend_number(a, depth), held);
}

/* to[d][query] = to[d][query] * factor[query] + sum over keys of from[first + key][d] *
 * by[key][query] */
static void attend_gather_rows(Attend *a, const AttendMatrix *from, NestId first, NestId count,
                               int64_t d, NestId d_loop, uint32_t rows, const AttendMatrix *by,
                               const NestId *factor, const AttendMatrix *to) {
    NestBuilder *b = &a->b;
    NestId held[ATTEND_MOST_HELD] = {0};
    AttendScalars x = {.buffer = from->buffer, .step = from->step};
    NestAddress address[ATTEND_MOST_HELD];
    for (uint32_t r = 0; r < rows; r++) {
        x.at[r] = nest_at_plus(attend_at(from, first, d + r), d_loop, 1);
        for (uint32_t c = 0; c < a->columns; c++) {
            NestAddress at = nest_at((d + r) * to->step + (int64_t)c * a->s->lanes);
            uint32_t k = r * a->columns + c;
            address[k] = nest_at_plus(at, d_loop, to->step);
            held[k] = nest_load(b, to->buffer, address[k], a->s->lanes, 1, 0);
            if (factor)
                held[k] = nest_binary(b, NEST_MUL, held[k], factor[c]);
        }
    }
    attend_product(a, &x, rows, by, 0, 0, a->columns, a->s->lanes, count, held);
    for (uint32_t k = 0; k < rows * a->columns; k++)
        nest_store(b, to->buffer, address[k], held[k], 0, false);
}

void attend_gather(Attend *a, const AttendMatrix *from, NestId first, NestId count, int64_t depth,
                   const AttendMatrix *by, const NestId *factor, const AttendMatrix *to) {
    int64_t whole = depth / ATTEND_ROWS * ATTEND_ROWS;
    if (whole) {
        NestLoop *loop =
            attend_loop(a, NEST_SEQUENTIAL, attend_number(a, whole), ATTEND_ROWS, 0, NULL);
        attend_gather_rows(a, from, first, count, 0, loop->variable, ATTEND_ROWS, by, factor, to);
        nest_loop_end(&a->b, NULL);
    }
    if (whole < depth)
        attend_gather_rows(a, from, first, count, whole, 0, (uint32_t)(depth - whole), by, factor,
                           to);
}

NestId attend_visible(Attend *a, NestId key, NestId first, uint32_t c) {
    NestBuilder *b = &a->b;
    uint16_t lanes = a->s->lanes;
    NestId offset = attend_sub(a, key, attend_add(a, first, attend_number(a, (int64_t)c * lanes)));
    NestId least = nest_splat(b, lanes, nest_cast(b, NEST_I32, offset));
    return nest_binary(b, NEST_LE, least, nest_lanes(b, lanes));
}

void attend_backward_stats(Attend *a, const AttendBackward *m, NestId first, NestId count) {
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
