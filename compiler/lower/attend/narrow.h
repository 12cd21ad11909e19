/* Attention with products of bf16: what its kernels call, and what the two directions share. */
#ifndef HCC_LOWER_ATTEND_NARROW_H
#define HCC_LOWER_ATTEND_NARROW_H

#include "lower/attend/tile.h"
#include "lower/product/blocks.h"

typedef struct AttendNarrow AttendNarrow;

/* What both kernels have, at their beginning. */
AttendNarrow *attend_narrow_begin(Attend *a);
/* A tile of queries, of which there are `count`. */
void attend_narrow_forward(AttendNarrow *n, const AttendForward *m, NestId first, NestId count);
void attend_narrow_backward(AttendNarrow *n, const AttendBackward *m, NestId first, NestId count);

/* --- what the two share ------------------------------------------------------------------------*/

struct AttendNarrow {
    Attend *a;
    uint32_t edge; /* see product_edge */
    int64_t tile;
    /* Packed operands are as deep as what is summed: entries of q and k, of v and o, keys, queries.
     */
    MachineProduct by_e, by_f, by_keys, by_queries;
};

/* A matrix of instances in memory, of which a head has `width` elements; or scratch memory (step:
 * of its rows, no head) from a column on, which is counted in fours. */
typedef struct {
    uint32_t buffer;
    int64_t step, width;
    NestId head, fours;
    bool of_keys;
} NarrowMatrix;

NarrowMatrix narrow_matrix(const AttendMatrix *m, NestId head, int64_t width);
/* Memory for a packed operand of so many rows or columns. */
uint32_t narrow_panels(AttendNarrow *n, const char *name, const MachineProduct *m, bool right,
                       int64_t count);
/* An operand from instance `row` on: `all` rows (columns) of `covers`, `depth` terms. */
void narrow_pack(AttendNarrow *n, const MachineProduct *m, bool right, bool across,
                 const NarrowMatrix *from, NestId row, NestId all, int64_t covers, NestId depth,
                 uint32_t to);
/* A product of packed operands, `depth` terms each, the right one's behind `skips` groups of them.
 */
typedef struct {
    const MachineProduct *product;
    uint32_t left, right;
    NestId depth, skips; /* 0: none */
} NarrowSum;

/* Rows `row`.. of `to` become, or grow by, a product. */
void narrow_product(AttendNarrow *n, const NarrowSum *sum, const NarrowMatrix *to, NestId row,
                    NestId rows, int64_t columns, bool adds);
/* The same of a panel of the right operand, to columns from `column` (0: the first) on: `rows` of
 * scratch memory, rounded up to blocks. */
void narrow_panel_product(AttendNarrow *n, const NarrowSum *sum, NestId panel,
                          const AttendMatrix *to, NestId column, int64_t rows, bool adds);
/* The queries of a panel from its first one on, and the keys of a tile. */
typedef struct {
    NestId first_query, queries, first_key, keys;
} NarrowPairs;

/* A panel's scores as the product has left them get their bias, and are -inf where a key does not
 * count: behind the last one, or behind its query. Panels in which nothing of that is are not
 * walked through. */
void narrow_scores(AttendNarrow *n, const AttendMatrix *bias, const AttendMatrix *scores,
                   NestId column, const NarrowPairs *of);
/* What makes exponents of two of these. */
NestId narrow_factor(AttendNarrow *n);
/* The first panel of queries that see a key from the `first_key`th on, and a loop over panels from
 * it to the last of `queries` there are. */
NestId narrow_first_panel(AttendNarrow *n, NestId first_query, NestId first_key);
NestLoop *narrow_panel_loop(AttendNarrow *n, NestId begin, NestId queries);

/* So many rows of scratch memory, as wide as the tile, to zero. */
void narrow_clear(AttendNarrow *n, const AttendMatrix *m, int64_t rows);
/* Vectors of a panel of the tile's queries. */
static inline uint32_t narrow_vectors(const AttendNarrow *n) {
    return n->by_keys.columns / n->a->s->lanes;
}
/* Vector v of a panel of queries, whose first one is `column` (0: the first of all), in a row. */
static inline NestAddress narrow_at(const AttendNarrow *n, const AttendMatrix *m, NestId row,
                                    NestId column, uint32_t v) {
    NestAddress at = nest_at((int64_t)v * n->a->s->lanes);
    return nest_at_plus(nest_at_plus(at, row, m->step), column, 1);
}
/* The same of a pair of keys, in a panel of a right operand with keys as terms. */
static inline NestAddress narrow_pair_at(const AttendNarrow *n, NestId pair, uint32_t v) {
    return nest_at_plus(nest_at((int64_t)v * n->a->s->lanes), pair, n->by_keys.columns);
}

#endif
