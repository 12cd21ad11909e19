/* Products of packed operands by tiles; see product.h.
 *
 * Four tiles hold a block of 32 by 32 of the result, two its rows' terms and two its columns'.
 * Where the result ends inside the block, it is begun and handed out by way of scratch memory. */
#include "lower/product_internal.h"

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

/* The four tiles of the block from the result, or to it. */
static void move_block(Tiles *t, NestOp op) {
    for (uint32_t k = 0; k < 4; k++) {
        NestId row = result_row(t, 0, k / 2 * TILE);
        nest_tile_rows(t->b, op, k, t->s->result.buffer, result_at(t, row, k % 2 * TILE),
                       t->s->step);
    }
}

static void move_edge(Tiles *t, NestOp op) {
    for (uint32_t k = 0; k < 4; k++)
        nest_tile_rows(t->b, op, k, t->s->edge, nest_at(k / 2 * TILE * BLOCK + k % 2 * TILE),
                       number(t, BLOCK));
}

/* The part of the block that there is, between result and scratch memory. */
static void copy_edge(Tiles *t, bool out) {
    NestBuilder *b = t->b;
    NestId end = nest_binary(b, NEST_MIN, t->rows_left, number(t, BLOCK));
    NestLoop *rows = loop_to(t, end, 1);
    for (int64_t c = 0; c < BLOCK; c += TILE) {
        NestId valid = nest_binary(b, NEST_SUB, t->columns_left, number(t, c));
        NestAddress result = result_at(t, result_row(t, rows->variable, 0), c);
        NestAddress edge = nest_at_plus(nest_at(c), rows->variable, BLOCK);
        NestId x = nest_load(b, out ? t->s->edge : t->s->result.buffer, out ? edge : result, TILE,
                             1, out ? 0 : valid);
        nest_store(b, out ? t->s->result.buffer : t->s->edge, out ? result : edge, x,
                   out ? valid : 0, false);
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
    copy_edge(t, false);
    move_edge(t, NEST_TILE_LOAD);
    nest_if_end(b);
}

static void end_block(Tiles *t, NestId whole) {
    NestBuilder *b = t->b;
    nest_if_begin(b, whole);
    move_block(t, NEST_TILE_STORE);
    nest_if_end(b);
    nest_if_begin(b, nest_unary(b, NEST_NOT, whole));
    move_edge(t, NEST_TILE_STORE);
    copy_edge(t, true);
    nest_if_end(b);
}

/* While a panel of columns meets the rows of a block, the next one is fetched, a part with each
 * panel of rows: two lines a group. */
static void fetch_next(Tiles *t, NestId group) {
    const int64_t words = (int64_t)BLOCK * t->m->depth / 2, lines = 2 * TILE;
    for (int64_t line = 0; line < lines; line += TILE) {
        NestAddress at = nest_at_plus(nest_at(words + line), t->column, words / BLOCK);
        at = nest_at_plus(nest_at_plus(at, t->row, words / t->m->block), group, lines);
        nest_prefetch(t->b, t->s->right, at);
    }
}

/* A group of terms takes as many words of a panel of either operand. */
static void add_terms(Tiles *t) {
    NestBuilder *b = t->b;
    const int64_t panel = t->m->depth / 2; /* words for each row, or column */
    NestLoop *groups = loop_to(t, t->groups, 1);
    for (uint32_t k = 0; k < 2; k++) {
        NestAddress left = nest_at(k * TILE * TILE), right = nest_at(k * TILE);
        left = nest_at_plus(nest_at_plus(left, t->row, panel), groups->variable, GROUP_WORDS);
        right = nest_at_plus(nest_at_plus(right, t->column, panel), groups->variable, GROUP_WORDS);
        if (t->s->skips)
            right = nest_at_plus(right, t->s->skips, GROUP_WORDS);
        if (t->s->panel)
            right = nest_at_plus(right, t->s->panel, BLOCK * panel);
        nest_tile_rows(b, NEST_TILE_LOAD, LEFT + k, t->s->left, left, number(t, TILE));
        nest_tile_rows(b, NEST_TILE_LOAD, RIGHT + k, t->s->right, right, number(t, BLOCK));
    }
    if (!t->s->panel)
        fetch_next(t, groups->variable);
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
    NestLoop *columns = loop_to(&t, sum->columns, BLOCK);
    t.column = columns->variable;
    NestLoop *rows = loop_to(&t, sum->rows, BLOCK);
    t.row = rows->variable;
    block(&t);
    nest_loop_end(b, NULL);
    nest_loop_end(b, NULL);
}
