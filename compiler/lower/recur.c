/* A recurrence goes through its positions one after the other, with the state in registers.
 *
 * Threads share out samples and elements of the state, never positions: a step waits for one
 * multiplication, which is less than memory takes to give it what it multiplies. So each element is
 * computed in one order, whoever does it.
 *
 *     m[0] = u[0]                              what f says of the first position counts for nothing
 *     for t: m[t] = fma f[t], m[t - 1], u[t]   a few vectors of elements side by side
 */
#include "lower/recur.h"

enum {
    HELD = 8,   /* vectors of the state in registers */
    AHEAD = 16, /* rows that are fetched before they are needed */
    LINE_BYTES = 64,
};

/* Rows of an operand. */
typedef struct {
    uint32_t buffer;
    NestAddress at;   /* of row 0, element 0 of the task */
    int64_t step;     /* elements from a row to the next; 0: all positions share one */
    int64_t elements; /* of a row */
} RecurRows;

typedef struct {
    NestBuilder b;
    const RecurShape *s;
    NestId positions, sample, part;
    RecurRows f, u, m;
} Recur;

/* Some vectors of elements, the last of which may have fewer than the others. */
typedef struct {
    int64_t first; /* element of the task */
    uint32_t count;
    uint32_t left; /* elements of the last vector; 0: as many as of the others */
} RecurBlock;

static NestId plus(Recur *r, NestId x, int64_t y) {
    return nest_binary(&r->b, NEST_ADD, x, nest_i64(&r->b, y));
}

static RecurRows rows_of(Recur *r, const char *name, TirDomain domain, bool single, bool written) {
    NestBuilder *b = &r->b;
    RecurRows rows = {.elements = single ? 1 : (int64_t)r->s->elements};
    rows.buffer = nest_add_buffer(b->kernel, (NestBuffer){.name = name,
                                                          .kind = NEST_ARGUMENT,
                                                          .elem = r->s->elem,
                                                          .written = written,
                                                          .read = true});
    rows.step = domain.space ? rows.elements : 0;
    if (domain.sample && domain.space)
        rows.at =
            nest_at_plus(rows.at, nest_binary(b, NEST_MUL, r->sample, r->positions), rows.elements);
    else if (domain.sample)
        rows.at = nest_at_plus(rows.at, r->sample, rows.elements);
    if (!single)
        rows.at = nest_at_plus(rows.at, r->part, (int64_t)r->s->run);
    return rows;
}

/* --- a vector ----------------------------------------------------------------------------------*/

static NestId valid_of(Recur *r, const RecurBlock *block, uint32_t k) {
    return k + 1 == block->count && block->left ? nest_i64(&r->b, block->left) : 0;
}

static NestAddress address_of(const Recur *r, const RecurRows *rows, NestId row,
                              const RecurBlock *block, uint32_t k) {
    NestAddress at = nest_at_plus(rows->at, row, rows->step);
    at.offset += block->first + (int64_t)k * r->s->lanes;
    return at;
}

static NestId load(Recur *r, const RecurRows *rows, NestId row, const RecurBlock *block,
                   uint32_t k) {
    if (rows == &r->f && r->s->single) {
        NestAddress at = nest_at_plus(rows->at, row, rows->step);
        return nest_splat(&r->b, r->s->lanes, nest_load(&r->b, rows->buffer, at, 1, 1, 0));
    }
    return nest_load(&r->b, rows->buffer, address_of(r, rows, row, block, k), r->s->lanes, 1,
                     valid_of(r, block, k));
}

static void store(Recur *r, NestId row, const RecurBlock *block, uint32_t k, NestId value) {
    nest_store(&r->b, r->m.buffer, address_of(r, &r->m, row, block, k), value,
               valid_of(r, block, k), false);
}

/* --- positions ---------------------------------------------------------------------------------*/

/* The state where it begins; where it was computed before, it is there. */
static void begin_state(Recur *r, const RecurBlock *block) {
    NestBuilder *b = &r->b;
    const NestId zero = nest_i64(b, 0);
    const NestId first = r->s->reverse ? plus(r, r->positions, -1) : zero;
    nest_if_begin(b, nest_binary(b, NEST_EQ, nest_extent(b, NEST_FIRST), zero));
    for (uint32_t k = 0; k < block->count; k++)
        store(r, first, block, k, load(r, &r->u, first, block, k));
    nest_if_end(b);
}

/* Rows lie apart, where processors do not see that they are one stretch. */
static void fetch_ahead(Recur *r, NestId row, const RecurBlock *block) {
    const RecurRows *const rows[] = {&r->f, &r->u, &r->m};
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const bool single = i == 0 && r->s->single;
        const int64_t line = LINE_BYTES / nest_elem_bytes(r->s->elem);
        const int64_t end = single ? 1 : (int64_t)block->count * r->s->lanes;
        for (int64_t k = 0; k < end && rows[i]->step; k += line) {
            NestAddress at = nest_at_plus(rows[i]->at, row, rows[i]->step);
            at.offset += (r->s->reverse ? -AHEAD : AHEAD) * rows[i]->step;
            at.offset += single ? 0 : block->first + k;
            nest_prefetch(&r->b, rows[i]->buffer, at);
        }
    }
}

/* In the order of the recurrence: turn `t` makes row t, or of reversed ones the t-th from the end.
 */
static void run_block(Recur *r, const RecurBlock *block) {
    NestBuilder *b = &r->b;
    const bool reverse = r->s->reverse;
    begin_state(r, block);
    const NestId one = nest_i64(b, 1);
    const NestId begin = nest_binary(b, NEST_MAX, nest_extent(b, NEST_FIRST), one);
    NestId state[HELD], next[HELD], fixed[HELD];
    const NestId before = reverse ? plus(r, r->positions, -1) : plus(r, begin, -1);
    for (uint32_t k = 0; k < block->count; k++) {
        state[k] = load(r, &r->m, before, block, k);
        fixed[k] = r->f.step ? 0 : load(r, &r->f, 0, block, k);
    }
    NestLoop *loop =
        nest_loop_begin(b, NEST_SEQUENTIAL, begin, r->positions, 1, block->count, state);
    const NestId last = reverse ? nest_binary(b, NEST_SUB, r->positions, loop->variable) : 0;
    const NestId row = reverse ? plus(r, last, -1) : loop->variable;
    fetch_ahead(r, row, block);
    for (uint32_t k = 0; k < block->count; k++) {
        const NestId f = fixed[k] ? fixed[k] : load(r, &r->f, reverse ? last : row, block, k);
        next[k] = nest_fma(b, f, loop->inner[k], load(r, &r->u, row, block, k));
        store(r, row, block, k, next[k]);
    }
    nest_loop_end(b, next);
}

/* So many elements from the task's first. */
static void run_elements(Recur *r, uint64_t elements) {
    const uint64_t lanes = r->s->lanes;
    for (uint64_t at = 0; at < elements; at += HELD * lanes) {
        const uint64_t here = elements - at < HELD * lanes ? elements - at : HELD * lanes;
        const RecurBlock block = {.first = (int64_t)at,
                                  .count = (uint32_t)((here + lanes - 1) / lanes),
                                  .left = (uint32_t)(here % lanes)};
        run_block(r, &block);
    }
}

NestKernel *recur_kernel(Arena *arena, const RecurShape *shape) {
    Recur r = {.s = shape, .b = nest_builder(nest_kernel_create(arena, shape->name))};
    NestBuilder *b = &r.b;
    b->span = shape->span;
    const uint64_t whole = shape->elements / shape->run, left = shape->elements % shape->run;
    const NestId parts = nest_i64(b, (int64_t)(whole + (left > 0)));
    r.positions = nest_extent(b, NEST_POSITIONS);
    r.sample = nest_binary(b, NEST_DIV, nest_task(b), parts);
    r.part = nest_binary(b, NEST_REM, nest_task(b), parts);
    r.f = rows_of(&r, "f", shape->f, shape->single, false);
    r.u = rows_of(&r, "u", shape->u, false, false);
    r.m = rows_of(&r, "m", shape->m, false, true);
    if (left == 0 || whole == 0) {
        run_elements(&r, left ? left : shape->run);
        return b->kernel;
    }
    const NestId is_whole = nest_binary(b, NEST_LT, r.part, nest_i64(b, (int64_t)whole));
    nest_if_begin(b, is_whole);
    run_elements(&r, shape->run);
    nest_if_end(b);
    nest_if_begin(b, nest_unary(b, NEST_NOT, is_whole));
    run_elements(&r, left);
    nest_if_end(b);
    return b->kernel;
}
