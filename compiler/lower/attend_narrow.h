/* What the two kernels of attention with products of bf16 share. */
#ifndef HCC_LOWER_ATTEND_NARROW_H
#define HCC_LOWER_ATTEND_NARROW_H

#include "lower/attend_internal.h"
#include "lower/product_internal.h"

struct AttendNarrow {
    Attend *a;
    uint32_t edge; /* see product_edge */
    int64_t tile;
    /* Packed operands are as deep as what is summed: entries of q and k, of v and o, keys, queries.
     */
    MachineProduct by_e, by_f, by_keys, by_queries;
};

/* A matrix of instances in memory, of which a head has `width` elements; or scratch memory (step:
 * of its rows, no head). */
typedef struct {
    uint32_t buffer;
    int64_t step, width;
    NestId head;
} NarrowMatrix;

NarrowMatrix narrow_matrix(const AttendMatrix *m, NestId head, int64_t width);
static inline NarrowMatrix narrow_scratch(const AttendMatrix *m) {
    return (NarrowMatrix){.buffer = m->buffer, .step = m->step};
}
/* Memory for a packed operand of so many rows or columns. */
uint32_t narrow_panels(AttendNarrow *n, const char *name, const MachineProduct *m, bool right,
                       int64_t count);
/* An operand from instance `row` on: `all` rows (columns) of `covers`, `depth` terms. */
void narrow_pack(AttendNarrow *n, const MachineProduct *m, bool right, bool across,
                 const NarrowMatrix *from, NestId row, NestId all, int64_t covers, NestId depth,
                 uint32_t to);
/* Rows `row`.. of `to` become, or grow by, a product. */
void narrow_product(AttendNarrow *n, const MachineProduct *m, uint32_t left, uint32_t right,
                    NestId depth, const NarrowMatrix *to, NestId row, NestId rows, int64_t columns,
                    bool adds);
/* Scores become -inf where a key does not count: behind the last one, or behind its query. Only
 * tiles that have such keys are walked through. */
void narrow_hide(AttendNarrow *n, const AttendMatrix *scores, NestId first_query, NestId first_key,
                 NestId keys);

/* So many rows of scratch memory, as wide as the tile, to zero. */
void narrow_clear(AttendNarrow *n, const AttendMatrix *m, int64_t rows);
/* A loop over panels of the tile's queries, each of so many vectors. */
NestLoop *narrow_panel_loop(AttendNarrow *n);
static inline uint32_t narrow_vectors(const AttendNarrow *n) {
    return n->by_keys.columns / n->a->s->lanes;
}
/* Vector v of panel `panel` is columns panel * by_keys.columns + v * lanes of matrices with a row
 * for each key. */
static inline NestAddress narrow_at(const AttendNarrow *n, NestId row, NestId panel, uint32_t v) {
    NestAddress at = nest_at((int64_t)v * n->a->s->lanes);
    return nest_at_plus(nest_at_plus(at, row, n->tile), panel, n->by_keys.columns);
}
/* Pair `pair` of keys, in the panels of a right operand with keys as terms. */
static inline NestAddress narrow_pair_at(const AttendNarrow *n, NestId pair, NestId panel,
                                         uint32_t v) {
    const int64_t columns = n->by_keys.columns;
    NestAddress at = nest_at((int64_t)v * n->a->s->lanes);
    return nest_at_plus(nest_at_plus(at, pair, columns), panel, columns * ATTEND_KEYS / 2);
}

#endif
