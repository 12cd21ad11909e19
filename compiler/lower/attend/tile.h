/* What both kernels of attention are made of: matrices, the one product, tiles of queries. */
#ifndef HCC_LOWER_ATTEND_TILE_H
#define HCC_LOWER_ATTEND_TILE_H

#include "lower/attend/attend.h"
#include "machine/limits.h"

enum {
    ATTEND_ROWS = 4, /* of a product, at a time */
    ATTEND_MOST_COLUMNS = 4,
    ATTEND_MOST_HELD = ATTEND_ROWS * ATTEND_MOST_COLUMNS,
};

typedef struct {
    NestBuilder b;
    const AttendShape *s;
    uint32_t columns; /* vectors a tile of queries is wide */
    int64_t tile;     /* queries: columns * lanes */
    NestType vector;
    NestId zero, one, first, positions, sample, head, key_head;
    NestId keys; /* positions of keys and values; `positions` are those of queries */
} Attend;

/* A matrix in memory: element (row, column) of this task is at base + row * step + column. */
typedef struct {
    uint32_t buffer;
    NestId base;
    int64_t step;
    bool of_keys; /* its instances are the keys' */
} AttendMatrix;

static inline NestId attend_add(Attend *a, NestId x, NestId y) {
    return nest_binary(&a->b, NEST_ADD, x, y);
}
static inline NestId attend_sub(Attend *a, NestId x, NestId y) {
    return nest_binary(&a->b, NEST_SUB, x, y);
}
static inline NestId attend_mul(Attend *a, NestId x, NestId y) {
    return nest_binary(&a->b, NEST_MUL, x, y);
}
static inline NestId attend_min(Attend *a, NestId x, NestId y) {
    return nest_binary(&a->b, NEST_MIN, x, y);
}
static inline NestId attend_number(Attend *a, int64_t x) {
    return nest_i64(&a->b, x);
}

static inline NestAddress attend_at(const AttendMatrix *m, NestId row, int64_t column) {
    NestAddress at = nest_at(column);
    if (m->base)
        at = nest_at_plus(at, m->base, 1);
    return nest_at_plus(at, row, m->step);
}

static inline NestLoop *attend_loop(Attend *a, NestLoopKind kind, NestId end, int64_t step,
                                    uint32_t n, const NestId *initial) {
    return nest_loop_begin(&a->b, kind, a->zero, end, step, n, initial);
}

/* A buffer whose instances hold `width` elements. */
AttendMatrix attend_argument(Attend *a, const char *name, int64_t width, bool written, bool read);
/* Comes to a head of this task's sample; its elements are `head_width` of an instance's. */
void attend_seek(Attend *a, AttendMatrix *m, NestId head, int64_t head_width);
/* So many elements of the thread's own memory: the buffer's number. */
uint32_t attend_memory(Attend *a, const char *name, int64_t elements);
/* Of that, rows each as wide as a tile of queries. */
AttendMatrix attend_scratch(Attend *a, const char *name, int64_t rows);
/* A kernel's builder and what all of it asks for; which head is not decided. */
Attend attend_begin(Arena *arena, const AttendShape *shape, const char *name);

/* What the pairs of a tile of keys and a panel of `width` queries add to the bias's gradient, a row
 * for each key; then a sum for each distance. */
typedef struct {
    uint32_t rows, sums;
    int64_t width;
} AttendPairs;

/* The backward kernel's. */
typedef struct {
    AttendMatrix q, k, v, o, lse, d_o, bias, dq, dk, dv, d_bias;          /* arguments */
    AttendMatrix queries, d_outputs, d_queries, weights, d_scores, stats; /* scratch */
    AttendPairs pairs; /* where there is a bias */
} AttendBackward;

/* The forward kernel's. */
typedef struct {
    AttendMatrix q, k, v, bias, o, lse;           /* arguments */
    AttendMatrix queries, outputs, scores, stats; /* scratch */
} AttendForward;

/* What every score but that of a key that does not count is above. */
double attend_least(const AttendShape *shape);

/* --- the one product ---------------------------------------------------------------------------*/

/* Rows of scalars in memory. */
typedef struct {
    uint32_t buffer;
    NestAddress at[ATTEND_ROWS]; /* of each row's scalar for k = 0 */
    int64_t step;                /* from k to k + 1 */
} AttendScalars;

/* held[row * columns + c] += sum over k < count of scalar(row, k) * vector(k, c) */
void attend_product(Attend *a, const AttendScalars *x, uint32_t rows, const AttendMatrix *y,
                    NestId y_row, int64_t y_column, uint32_t columns, uint16_t lanes, NestId count,
                    NestId *held);

/* --- tiles of queries --------------------------------------------------------------------------*/

/* The first rows of scratch memory to zero. */
void attend_clear(Attend *a, const AttendMatrix *m, int64_t rows);
/* to[d][query] = factor * from[first + query][d], zero beyond the `count` queries there are. */
void attend_transpose(Attend *a, const AttendMatrix *from, NestId first, NestId count,
                      int64_t depth, double factor, const AttendMatrix *to);
/* Rows of scratch memory that products make so many rows in: of bf16, whole blocks. */
int64_t attend_product_rows(const AttendShape *shape, int64_t rows);
/* stats[0][query] = sum_d o * do; stats[1][query] = lse */
void attend_backward_stats(Attend *a, const AttendBackward *m, NestId first, NestId count);
/* The widest vector for the elements left of a run. */
uint16_t attend_width(const Attend *a, int64_t left);
/* to[first + query][d] = from[d][query] * factor[0][query], for the queries there are. */
void attend_transpose_back(Attend *a, const AttendMatrix *from, const AttendMatrix *factor,
                           int64_t depth, const AttendMatrix *to, NestId first, NestId count);
/* held[r][c] = sum_d keys[first + row + r][d] * queries[d][c]; rows past the last key repeat it. */
void attend_scores(Attend *a, const AttendMatrix *keys, NestId first, NestId row, NestId last,
                   int64_t depth, const AttendMatrix *queries, NestId *held);
/* to[d][query] = to[d][query] * factor[query], where there is one, + sum over keys of
 * from[first + key][d] * by[key][query] */
void attend_gather(Attend *a, const AttendMatrix *from, NestId first, NestId count, int64_t depth,
                   const AttendMatrix *by, const NestId *factor, const AttendMatrix *to);
/* Which queries (as lanes of vector c) see key `key` of a causal tile: key <= first + query. */
NestId attend_visible(Attend *a, NestId key, NestId first, uint32_t c);

#endif
