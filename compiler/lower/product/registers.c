/* Products of packed operands by vectors; see product.h.
 *
 * A block of the result stays in registers while the terms at hand are added: each number of the
 * left operand is broadcast and multiplied with vectors of the right one, as in BLIS. Rows and
 * columns beyond the result's are computed from the zeros of panels, and not stored. */
#include "lower/product/blocks.h"

enum { MOST_HELD = 32 }; /* vectors: the registers of any machine */

typedef struct {
    NestBuilder *b;
    const MachineProduct *m;
    const ProductSum *s;
    NestId groups;      /* of terms */
    NestId row, column; /* of the block at hand */
} Product;

static NestId number(Product *p, int64_t x) {
    return nest_i64(p->b, x);
}

static NestId minus(Product *p, NestId x, int64_t y) {
    return nest_binary(p->b, NEST_SUB, x, number(p, y));
}

/* A row of the block: its number, where it begins, and how many of its columns there are. */
typedef struct {
    NestId number, at, valid;
} Row;

static Row row_of(Product *p, uint32_t r, NestId columns) {
    NestBuilder *b = p->b;
    NestId row = nest_binary(b, NEST_ADD, p->row, number(p, r));
    NestId at = nest_binary(b, NEST_MUL, row, p->s->step);
    if (p->s->panel)
        return (Row){row, at, 0};
    NestId is = nest_binary(b, NEST_LT, row, p->s->rows);
    return (Row){row, at, nest_select(b, is, columns, number(p, 0))};
}

/* How many of a row's columns there are from this vector of the block on; 0: all. */
static NestId left_of(Product *p, const Row *row, uint32_t vector) {
    return row->valid ? minus(p, row->valid, (int64_t)vector * p->m->lanes) : 0;
}

static NestAddress result_at(const Product *p, const Row *row, uint32_t vector) {
    NestAddress at = nest_at((int64_t)vector * p->m->lanes);
    at = nest_at_plus(at, p->s->result.base, p->s->result.scale);
    return nest_at_plus(nest_at_plus(at, row->at, 1), p->column, 1);
}

/* The same of the sums that a result of bf16 grows from. */
static NestAddress sums_at(const Product *p, const Row *row, uint32_t vector) {
    NestAddress at = nest_at((int64_t)vector * p->m->lanes);
    return nest_at_plus(nest_at_plus(at, row->number, p->m->width), p->column, 1);
}

/* Vector v of a group of terms of the right operand's panel: so many words of each column. */
static NestAddress right_at(const Product *p, NestId group, int64_t words, uint32_t v) {
    const MachineProduct *m = p->m;
    const int64_t depth = (int64_t)m->depth * m->bytes / 4, step = words * m->columns;
    NestAddress at = nest_at((int64_t)v * m->lanes);
    at = nest_at_plus(nest_at_plus(at, p->column, depth), group, step);
    return nest_at_plus(nest_at_plus(at, p->s->skips, step), p->s->panel, m->columns * depth);
}

/* held[r * vectors + v] grows by the terms of the panels. */
static void add_terms(Product *p, uint32_t vectors, NestId *held) {
    NestBuilder *b = p->b;
    const MachineProduct *m = p->m;
    const uint32_t n = m->rows * vectors;
    const int64_t depth = m->depth / m->left_group;
    NestLoop *loop = nest_loop_begin(b, NEST_SEQUENTIAL, number(p, 0), p->groups, 1, n, held);
    NestId next[MOST_HELD], right[MOST_HELD];
    for (uint32_t v = 0; v < vectors; v++) {
        const NestAddress at = right_at(p, loop->variable, 1, v);
        right[v] = nest_load(b, p->s->right, at, m->lanes, 1, 0);
    }
    for (uint32_t r = 0; r < m->rows; r++) {
        NestAddress at = nest_at_plus(nest_at(r), p->row, depth);
        at = nest_at_plus(at, loop->variable, m->rows);
        NestId left = nest_splat(b, m->lanes, nest_load(b, p->s->left, at, 1, 1, 0));
        for (uint32_t v = 0; v < vectors; v++) {
            const uint32_t k = r * vectors + v;
            next[k] = m->way == PRODUCT_FMA ? nest_fma(b, left, right[v], loop->inner[k])
                                            : nest_dot(b, left, right[v], loop->inner[k]);
        }
    }
    nest_loop_end(b, next);
    for (uint32_t k = 0; k < n; k++)
        held[k] = nest_result(b, loop, k);
}

/* The same by matrices of two rows and two columns, four terms at a time: numbers of two rows of
 * the block, woven, are two such matrices. Of the right operand a vector has a pair of terms of
 * four columns. */
static void add_matrices(Product *p, uint32_t vectors, NestId *held) {
    NestBuilder *b = p->b;
    const MachineProduct *m = p->m;
    const uint32_t n = m->rows * vectors;
    const int64_t depth = m->depth / 2; /* words of a row's or a column's terms */
    NestId next[MOST_HELD], right[MOST_HELD];
    for (uint32_t r = 0; r < m->rows; r += 2)
        for (uint32_t k = r * vectors; k < (r + 1) * vectors; k++) {
            NestId low = nest_lanes_of(b, NEST_WEAVE_LOW, held[k], held[k + vectors]);
            held[k + vectors] = nest_lanes_of(b, NEST_WEAVE_HIGH, held[k], held[k + vectors]);
            held[k] = low;
        }
    NestLoop *loop = nest_loop_begin(b, NEST_SEQUENTIAL, number(p, 0), p->groups, 1, n, held);
    for (uint32_t v = 0; v < vectors; v++) {
        NestAddress at = right_at(p, loop->variable, 2, v);
        NestId first = nest_load(b, p->s->right, at, m->lanes, 1, 0);
        at.offset += m->columns;
        NestId second = nest_load(b, p->s->right, at, m->lanes, 1, 0);
        right[v] = nest_lanes_of(b, NEST_WEAVE_LOW, first, second);
        right[vectors + v] = nest_lanes_of(b, NEST_WEAVE_HIGH, first, second);
    }
    for (uint32_t r = 0; r < m->rows; r += 2) {
        NestAddress at = nest_at_plus(nest_at(2 * (int64_t)r), p->row, depth);
        at = nest_at_plus(at, loop->variable, 2 * (int64_t)m->rows);
        NestId left = nest_load(b, p->s->left, at, m->lanes, 1, 0);
        for (uint32_t k = 0; k < 2 * vectors; k++)
            next[r * vectors + k] = nest_matrix(b, right[k], left, loop->inner[r * vectors + k]);
    }
    nest_loop_end(b, next);
    for (uint32_t r = 0; r < m->rows; r += 2)
        for (uint32_t k = r * vectors; k < (r + 1) * vectors; k++) {
            NestId low = nest_result(b, loop, k), high = nest_result(b, loop, k + vectors);
            held[k] = nest_lanes_of(b, NEST_EVENS, low, high);
            held[k + vectors] = nest_lanes_of(b, NEST_ODDS, low, high);
        }
}

/* What a block begins with. */
static NestId begun(Product *p, const Row *row, uint32_t v) {
    NestBuilder *b = p->b;
    const NestType vector = {NEST_F32, p->m->lanes};
    if (product_is_fresh(b, p->s))
        return nest_const(b, vector, 0);
    const Row before = {row->number, row->at,
                        row->valid ? nest_binary(b, NEST_MUL, row->valid, p->s->adds) : 0};
    const NestAddress at = p->s->rounds ? sums_at(p, row, v) : result_at(p, row, v);
    return nest_load(b, p->s->rounds ? p->s->sums : p->s->result.buffer, at, vector.lanes, 1,
                     left_of(p, &before, v));
}

/* A block of so many vectors of columns, `columns` of which there are. */
static void block(Product *p, uint32_t vectors, NestId columns) {
    NestBuilder *b = p->b;
    const uint32_t rows = p->m->rows;
    NestId held[MOST_HELD];
    for (uint32_t r = 0; r < rows; r++) {
        Row row = row_of(p, r, columns);
        for (uint32_t v = 0; v < vectors; v++)
            held[r * vectors + v] = begun(p, &row, v);
    }
    (p->m->way == PRODUCT_MATRICES ? add_matrices : add_terms)(p, vectors, held);
    for (uint32_t r = 0; r < rows; r++) {
        Row row = row_of(p, r, columns);
        for (uint32_t v = 0; v < vectors; v++)
            nest_store(b, p->s->result.buffer, result_at(p, &row, v), held[r * vectors + v],
                       left_of(p, &row, v), false);
    }
}

/* All rows of a panel of columns, which take so many vectors. */
static void panel_rows(Product *p, uint32_t vectors, NestId columns) {
    NestLoop *rows =
        nest_loop_begin(p->b, NEST_SEQUENTIAL, number(p, 0), p->s->rows, p->m->rows, 0, NULL);
    p->row = rows->variable;
    block(p, vectors, columns);
    nest_loop_end(p->b, NULL);
}

/* The same, if the columns there are take exactly so many. */
static void panel(Product *p, uint32_t vectors, NestId columns) {
    NestBuilder *b = p->b;
    const MachineProduct *m = p->m;
    NestId more = nest_binary(b, NEST_LT, number(p, (int64_t)(vectors - 1) * m->lanes), columns);
    NestId few = nest_binary(b, NEST_LE, columns, number(p, (int64_t)vectors * m->lanes));
    nest_if_begin(b, vectors * m->lanes == m->columns ? more : nest_binary(b, NEST_AND, more, few));
    panel_rows(p, vectors, columns);
    nest_if_end(b);
}

static void multiply(Product *p) {
    NestBuilder *b = p->b;
    const MachineProduct *m = p->m;
    const uint32_t most = m->columns / m->lanes;
    if (p->s->panel) {
        p->column = number(p, 0);
        panel_rows(p, most, 0);
        return;
    }
    NestLoop *columns =
        nest_loop_begin(b, NEST_SEQUENTIAL, number(p, 0), p->s->columns, m->columns, 0, NULL);
    p->column = columns->variable;
    NestId left = nest_binary(b, NEST_SUB, p->s->columns, p->column);
    for (uint32_t v = most; v > 0; v--)
        panel(p, v, left);
    nest_loop_end(b, NULL);
}

void product_emit_registers(NestBuilder *b, const MachineProduct *m, const ProductSum *sum,
                            NestId groups) {
    multiply(&(Product){.b = b, .m = m, .s = sum, .groups = groups});
}
