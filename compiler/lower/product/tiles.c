/* Products of packed operands by tiles; see product.h.
 *
 * Four tiles hold a block of 32 by 32 of the result, two its rows' terms and two its columns'.
 * Where the result ends inside the block, or is rounded, it is handed out by way of scratch
 * memory. */
#include "lower/product/blocks.h"

enum { TILE = 16, BLOCK = 2 * TILE, LEFT = 4, RIGHT = 6, GROUP_WORDS = BLOCK * TILE };

typedef struct {
    NestBuilder *b;
    const MachineProduct *m;
    const ProductSum *s;
    NestId groups;
    NestId row, column;             /* of the block at hand, */
    NestId rows_left, columns_left; /* and from there on */
} Tiles;

static NestId number(Tiles *t, int64_t x) {
    return nest_i64(t->b, x);
}

static NestLoop *loop_to(Tiles *t, NestId end, int64_t step) {
    return nest_loop_begin(t->b, NEST_SEQUENTIAL, number(t, 0), end, step, 0, NULL);
}

/* Element (r, c) of the block, whose row `r` begins at `row` of the result. */
static NestAddress result_at(const Tiles *t, NestId row, int64_t c) {
    NestAddress at = nest_at_plus(nest_at(c), t->s->result.base, t->s->result.scale);
    return nest_at_plus(nest_at_plus(at, row, 1), t->column, 1);
}

/* Where the block's row `first` + r begins. */
static NestId result_row(Tiles *t, NestId first, int64_t r) {
    NestId row = nest_binary(t->b, NEST_ADD, t->row, number(t, r));
    if (first)
        row = nest_binary(t->b, NEST_ADD, row, first);
    return nest_binary(t->b, NEST_MUL, row, t->s->step);
}

/* The same of the sums that a result of bf16 grows from, row `first` + r. */
static NestAddress sums_at(const Tiles *t, NestId first, int64_t r, int64_t c) {
    NestAddress at = nest_at_plus(nest_at(r * t->m->width + c), t->row, t->m->width);
    return nest_at_plus(nest_at_plus(at, first, t->m->width), t->column, 1);
}

/* The four tiles of the block from the result, or to it. */
static void move_block(Tiles *t, NestOp op) {
    for (uint32_t k = 0; k < 4; k++) {
        const int64_t r = k / 2 * TILE, c = k % 2 * TILE;
        if (t->s->rounds)
            nest_tile_rows(t->b, op, k, t->s->sums, sums_at(t, 0, r, c), number(t, t->m->width));
        else
            nest_tile_rows(t->b, op, k, t->s->result.buffer, result_at(t, result_row(t, 0, r), c),
                           t->s->step);
    }
}

static void move_edge(Tiles *t, NestOp op) {
    for (uint32_t k = 0; k < 4; k++)
        nest_tile_rows(t->b, op, k, t->s->edge, nest_at(k / 2 * TILE * BLOCK + k % 2 * TILE),
                       number(t, BLOCK));
}

/* The part of the block that there is, from the result to scratch memory, */
static void edge_in(Tiles *t) {
    NestBuilder *b = t->b;
    NestLoop *rows = loop_to(t, nest_binary(b, NEST_MIN, t->rows_left, number(t, BLOCK)), 1);
    for (int64_t c = 0; c < BLOCK; c += TILE) {
        NestId valid = nest_binary(b, NEST_SUB, t->columns_left, number(t, c));
        NestId x =
            t->s->rounds
                ? nest_load(b, t->s->sums, sums_at(t, rows->variable, 0, c), TILE, 1, valid)
                : nest_load(b, t->s->result.buffer,
                            result_at(t, result_row(t, rows->variable, 0), c), TILE, 1, valid);
        nest_store(b, t->s->edge, nest_at_plus(nest_at(c), rows->variable, BLOCK), x, 0, false);
    }
    nest_loop_end(b, NULL);
}

/* and back; or all of the block, as it is rounded. */
static void edge_out(Tiles *t, bool whole) {
    NestBuilder *b = t->b;
    NestId all = number(t, BLOCK);
    NestLoop *rows = loop_to(t, whole ? all : nest_binary(b, NEST_MIN, t->rows_left, all), 1);
    NestId row = result_row(t, rows->variable, 0);
    for (int64_t c = 0; c < BLOCK; c += TILE) {
        NestId valid = whole ? 0 : nest_binary(b, NEST_SUB, t->columns_left, number(t, c));
        NestId x =
            nest_load(b, t->s->edge, nest_at_plus(nest_at(c), rows->variable, BLOCK), TILE, 1, 0);
        nest_store(b, t->s->result.buffer, result_at(t, row, c), x, valid, false);
    }
    nest_loop_end(b, NULL);
}

static void zero_block(Tiles *t) {
    for (uint32_t k = 0; k < 4; k++)
        nest_tile(t->b, NEST_TILE_ZERO, k);
}

static void begin_block(Tiles *t, NestId adds, NestId whole) {
    NestBuilder *b = t->b;
    const bool fresh = product_is_fresh(b, t->s);
    if (!fresh)
        nest_if_begin(b, nest_unary(b, NEST_NOT, adds));
    zero_block(t);
    if (fresh)
        return;
    nest_if_end(b);
    nest_if_begin(b, nest_binary(b, NEST_AND, adds, whole));
    move_block(t, NEST_TILE_LOAD);
    nest_if_end(b);
    nest_if_begin(b, nest_binary(b, NEST_AND, adds, nest_unary(b, NEST_NOT, whole)));
    edge_in(t);
    move_edge(t, NEST_TILE_LOAD);
    nest_if_end(b);
}

static void end_block(Tiles *t, NestId whole) {
    NestBuilder *b = t->b;
    nest_if_begin(b, whole);
    if (t->s->rounds) {
        move_edge(t, NEST_TILE_STORE);
        edge_out(t, true);
    } else {
        move_block(t, NEST_TILE_STORE);
    }
    nest_if_end(b);
    nest_if_begin(b, nest_unary(b, NEST_NOT, whole));
    move_edge(t, NEST_TILE_STORE);
    edge_out(t, false);
    nest_if_end(b);
}

/* Of tile k of the left operand's. A tile's row has a group's terms. */
static NestAddress left_at(const Tiles *t, int64_t k, NestId group) {
    const int64_t step = t->s->left_step;
    if (step)
        return nest_at_plus(nest_at_plus(nest_at(k * TILE * step), t->row, step), group, TILE);
    NestAddress at = nest_at_plus(nest_at(k * TILE * TILE), t->row, t->m->depth / 2);
    return nest_at_plus(at, group, GROUP_WORDS);
}

/* A group of terms takes as many words of a panel of either operand. */
static void add_terms(Tiles *t) {
    NestBuilder *b = t->b;
    const int64_t panel = t->m->depth / 2; /* words for each row, or column */
    NestLoop *groups = loop_to(t, t->groups, 1);
    for (uint32_t k = 0; k < 2; k++) {
        NestAddress left = left_at(t, k, groups->variable), right = nest_at(k * TILE);
        right = nest_at_plus(nest_at_plus(right, t->column, panel), groups->variable, GROUP_WORDS);
        if (t->s->skips)
            right = nest_at_plus(right, t->s->skips, GROUP_WORDS);
        if (t->s->panel)
            right = nest_at_plus(right, t->s->panel, BLOCK * panel);
        nest_tile_rows(b, NEST_TILE_LOAD, LEFT + k, t->s->left, left,
                       number(t, t->s->left_step ? t->s->left_step : TILE));
        nest_tile_rows(b, NEST_TILE_LOAD, RIGHT + k, t->s->right, right, number(t, BLOCK));
    }
    for (uint32_t k = 0; k < 4; k++)
        nest_tile(b, NEST_TILE_DOT, k + 8 * (LEFT + k / 2) + 64 * (RIGHT + k % 2));
    nest_loop_end(b, NULL);
}

/* Of a result that ends with a block. */
static void whole_block(Tiles *t) {
    if (product_is_fresh(t->b, t->s))
        zero_block(t);
    else
        move_block(t, NEST_TILE_LOAD);
    add_terms(t);
    move_block(t, NEST_TILE_STORE);
}

static void block(Tiles *t) {
    NestBuilder *b = t->b;
    t->rows_left = nest_binary(b, NEST_SUB, t->s->rows, t->row);
    t->columns_left = nest_binary(b, NEST_SUB, t->s->columns, t->column);
    NestId adds = nest_binary(b, NEST_LT, number(t, 0), t->s->adds);
    NestId whole = nest_binary(b, NEST_AND, nest_binary(b, NEST_LE, number(t, BLOCK), t->rows_left),
                               nest_binary(b, NEST_LE, number(t, BLOCK), t->columns_left));
    begin_block(t, adds, whole);
    add_terms(t);
    end_block(t, whole);
}

void product_emit_tiles(NestBuilder *b, const MachineProduct *m, const ProductSum *sum,
                        NestId groups) {
    Tiles t = {.b = b, .m = m, .s = sum, .groups = groups};
    if (sum->panel) {
        t.column = number(&t, 0);
        NestLoop *rows = loop_to(&t, sum->rows, BLOCK);
        t.row = rows->variable;
        whole_block(&t);
        nest_loop_end(b, NULL);
        return;
    }
    NestLoop *rows = loop_to(&t, sum->rows, BLOCK);
    t.row = rows->variable;
    NestLoop *columns = loop_to(&t, sum->columns, BLOCK);
    t.column = columns->variable;
    block(&t);
    nest_loop_end(b, NULL);
    nest_loop_end(b, NULL);
}
