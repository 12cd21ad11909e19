/* Verifying loop nests.
 *
 * Requires nothing: any NestKernel whose pointers are valid.
 * Checks: every operand is visible and of the type its use asks for; loops and conditionals are
 *   well formed; buffers are used as they are declared, and scratch memory within its extent and
 *   never before it was written.
 * Example: a store of an f64 into an f32 buffer is answered "%7 store: ... element type". */
#include "base/map.h"
#include "nest/nest.h"
#include "nest/nest_internal.h"
#include "nest/nest_range.h"

typedef struct {
    const NestKernel *kernel;
    bool *visible; /* by id */
    bool *placed;  /* by id: stands in some body */
    bool *written; /* by buffer: a store stands before */
    Map *loops;    /* address of a NestLoop: id of its instruction */
    enum { TILES_NOT_YET, TILES_NOW, TILES_ENDED } tiles;
    const char *error;
} Verifier;

static bool verify_fail(Verifier *v, NestId id, const char *what) {
    if (!v->error) {
        NestOp op = v->kernel->instructions.at[id].op;
        v->error = arena_printf(v->kernel->arena, "kernel %s: %%%u %s: %s", v->kernel->name, id,
                                nest_op_text(op), what);
    }
    return false;
}

static bool verify_use(Verifier *v, NestId user, NestId id) {
    if (id == 0 || id >= v->kernel->instructions.count || !v->visible[id])
        return verify_fail(v, user, "an operand is not visible here");
    return true;
}

static bool verify_scalar_i64(Verifier *v, NestId user, NestId id) {
    if (!verify_use(v, user, id))
        return false;
    NestType type = nest_type(v->kernel, id);
    if (type.elem != NEST_I64 || type.lanes != 1)
        return verify_fail(v, user, "addresses, bounds and counts are scalar i64");
    return true;
}

static bool verify_address(Verifier *v, NestId user, const NestAddress *at) {
    if (at->n_terms > NEST_MAX_TERMS)
        return verify_fail(v, user, "too many terms in an address");
    for (uint32_t k = 0; k < at->n_terms; k++)
        if (!verify_scalar_i64(v, user, at->value[k]))
            return false;
    return true;
}

static bool verify_buffer(Verifier *v, NestId user, uint32_t buffer, bool write) {
    if (buffer >= v->kernel->buffers.count)
        return verify_fail(v, user, "no such buffer");
    const NestBuffer *b = &v->kernel->buffers.at[buffer];
    if (write ? !b->written : !b->read)
        return verify_fail(v, user,
                           write ? "the buffer is not declared written"
                                 : "the buffer is not declared read");
    return true;
}

static bool is_float(NestType t) {
    return t.elem == NEST_F32 || t.elem == NEST_F64;
}
static bool is_number(NestType t) {
    return t.elem != NEST_BOOL;
}
static bool is_same(NestType x, NestType y) {
    return x.elem == y.elem && x.lanes == y.lanes;
}

static bool verify_type(Verifier *v, NestId id, NestType type) {
    if (type.elem > NEST_BOOL || type.lanes == 0 || type.lanes > NEST_MOST_LANES ||
        (type.lanes & (type.lanes - 1)) != 0)
        return verify_fail(v, id, "lanes are a power of two up to 256");
    return true;
}

/* What a task reads of its scratch memory it wrote before, and all of it lies there. */
static bool verify_scratch(Verifier *v, NestId id, const NestInstruction *i, uint16_t lanes,
                           NestId valid) {
    const NestBuffer *b = &v->kernel->buffers.at[i->buffer];
    if (b->kind != NEST_SCRATCH)
        return true;
    const int64_t stride = i->op == NEST_LOAD ? i->stride : 1;
    NestRange all = nest_address_range(v->kernel, &i->address);
    all = nest_lanes_range(v->kernel, all, lanes, stride, valid);
    if (nest_range_outside(all, b->elements))
        return verify_fail(v, id, "outside its scratch buffer");
    if (i->op == NEST_LOAD && !v->written[i->buffer])
        return verify_fail(v, id, "nothing was written to its scratch buffer yet");
    v->written[i->buffer] |= i->op == NEST_STORE;
    return true;
}

static bool verify_load(Verifier *v, NestId id, const NestInstruction *i) {
    if (!verify_buffer(v, id, i->buffer, false) || !verify_address(v, id, &i->address))
        return false;
    if (i->n_operands > 1 || (i->n_operands == 1 && !verify_scalar_i64(v, id, i->operands[0])))
        return verify_fail(v, id, "the only operand is a count of valid lanes");
    if (i->type.elem != nest_loaded(v->kernel->buffers.at[i->buffer].elem) ||
        i->type.elem == NEST_BOOL)
        return verify_fail(v, id, "not the buffer's element type");
    if (i->stride == 0)
        return verify_fail(v, id, "stride 0: load a scalar and splat it");
    return verify_scratch(v, id, i, i->type.lanes, i->n_operands ? i->operands[0] : 0);
}

static bool verify_store(Verifier *v, NestId id, const NestInstruction *i) {
    if (!verify_buffer(v, id, i->buffer, true) || !verify_address(v, id, &i->address))
        return false;
    if (i->n_operands < 1 || i->n_operands > 2)
        return verify_fail(v, id, "operands are the value and a count of valid lanes");
    if (!verify_use(v, id, i->operands[0]) ||
        (i->n_operands == 2 && !verify_scalar_i64(v, id, i->operands[1])))
        return false;
    NestType type = nest_type(v->kernel, i->operands[0]);
    if (type.elem != nest_loaded(v->kernel->buffers.at[i->buffer].elem) || type.elem == NEST_BOOL)
        return verify_fail(v, id, "not the buffer's element type");
    return verify_scratch(v, id, i, type.lanes, i->n_operands == 2 ? i->operands[1] : 0);
}

static bool verify_tiles(Verifier *v, NestId id, bool begins, uint32_t depth) {
    if (depth > 0 || v->tiles != (begins ? TILES_NOT_YET : TILES_NOW))
        return verify_fail(v, id,
                           "stands once in the kernel's own body, the end after the beginning");
    v->tiles = begins ? TILES_NOW : TILES_ENDED;
    return true;
}

static bool verify_tile(Verifier *v, NestId id, uint32_t end) {
    if (v->tiles != TILES_NOW)
        return verify_fail(v, id, "tiles hold nothing here");
    return v->kernel->instructions.at[id].index < end || verify_fail(v, id, "no such tile");
}

/* Its rows are inside scratch memory if the first and the last one are. */
static bool verify_tile_rows(Verifier *v, NestId id, const NestInstruction *i) {
    const bool store = i->op == NEST_TILE_STORE;
    if (!verify_buffer(v, id, i->buffer, store) || !verify_address(v, id, &i->address) ||
        i->n_operands != 1 || !verify_scalar_i64(v, id, i->operands[0]))
        return v->error ? false : verify_fail(v, id, "wants the step of its rows");
    const NestElem elem = v->kernel->buffers.at[i->buffer].elem;
    if (elem != NEST_F32 && elem != NEST_I32)
        return verify_fail(v, id, "not of 4-byte elements");
    NestInstruction row = {.op = store ? NEST_STORE : NEST_LOAD,
                           .stride = 1,
                           .buffer = i->buffer,
                           .address = i->address};
    const NestInstruction *step = &v->kernel->instructions.at[i->operands[0]];
    const int64_t last = step->op == NEST_CONST ? 15 * (int64_t)step->number : 0;
    for (int64_t at = 0; at <= last; at += last ? last : 1, row.address.offset += last)
        if (!verify_scratch(v, id, &row, 16, 0))
            return false;
    return true;
}

/* Operations whose operands and result follow one of few patterns. */
static bool verify_arithmetic(Verifier *v, NestId id, const NestInstruction *i) {
    NestType t[5] = {{0}};
    if ((int)i->n_operands != nest_op_operands(i->op))
        return verify_fail(v, id, "wrong number of operands");
    for (uint32_t k = 0; k < i->n_operands; k++) {
        if (!verify_use(v, id, i->operands[k]))
            return false;
        t[k] = nest_type(v->kernel, i->operands[k]);
    }
    bool good = true;
    switch (i->op) {
    case NEST_CONST:
        break;
    case NEST_EXTENT:
        good = i->index < NEST_EXTENT_COUNT && is_same(i->type, (NestType){NEST_I64, 1});
        break;
    case NEST_TASK:
        good = is_same(i->type, (NestType){NEST_I64, 1});
        break;
    case NEST_LANES:
        good = i->type.elem == NEST_I32;
        break;
    case NEST_ADD:
    case NEST_SUB:
    case NEST_MUL:
    case NEST_DIV:
    case NEST_MIN:
    case NEST_MAX:
        good = is_number(t[0]) && is_same(t[0], t[1]) && is_same(t[0], i->type);
        break;
    case NEST_REM:
        good = is_number(t[0]) && !is_float(t[0]) && is_same(t[0], t[1]) && is_same(t[0], i->type);
        break;
    case NEST_NEG:
    case NEST_ABS:
        good = is_number(t[0]) && is_same(t[0], i->type);
        break;
    case NEST_POW:
        good = is_float(t[0]) && is_same(t[0], t[1]) && is_same(t[0], i->type);
        break;
    case NEST_FMA:
        good =
            is_float(t[0]) && is_same(t[0], t[1]) && is_same(t[0], t[2]) && is_same(t[0], i->type);
        break;
    case NEST_EXP2:
        good = t[0].elem == NEST_F32 && is_same(t[0], i->type);
        break;
    case NEST_PAIR:
    case NEST_NARROW:
        good = t[0].elem == NEST_F32 && is_same(t[0], t[1]) &&
               is_same(i->type, (NestType){NEST_I32, t[0].lanes});
        break;
    case NEST_DOT:
        good = t[0].elem == NEST_I32 && is_same(t[0], t[1]) && is_same(t[2], i->type) &&
               is_same(i->type, (NestType){NEST_F32, t[0].lanes});
        break;
    case NEST_MATRIX:
        good = is_same(t[0], (NestType){NEST_I32, 4}) && is_same(t[0], t[1]) &&
               is_same(t[2], (NestType){NEST_F32, 4}) && is_same(t[2], i->type);
        break;
    case NEST_WEAVE_LOW:
    case NEST_WEAVE_HIGH:
    case NEST_EVENS:
    case NEST_ODDS:
        good = t[0].lanes % 2 == 0 && is_same(t[0], t[1]) && is_same(t[0], i->type);
        break;
    case NEST_LT:
    case NEST_LE:
    case NEST_EQ:
        good = is_number(t[0]) && is_same(t[0], t[1]) &&
               is_same(i->type, (NestType){NEST_BOOL, t[0].lanes});
        break;
    case NEST_AND:
    case NEST_OR:
        good = t[0].elem == NEST_BOOL && is_same(t[0], t[1]) && is_same(t[0], i->type);
        break;
    case NEST_NOT:
        good = t[0].elem == NEST_BOOL && is_same(t[0], i->type);
        break;
    case NEST_SELECT:
        good = t[0].elem == NEST_BOOL && t[0].lanes == t[1].lanes && is_same(t[1], t[2]) &&
               is_same(t[1], i->type);
        break;
    case NEST_CAST:
        good = t[0].lanes == i->type.lanes;
        break;
    case NEST_RANDOM:
        good = is_float(i->type) && is_same(t[4], (NestType){NEST_I64, 1});
        for (uint32_t k = 0; k < 4; k++)
            good = good && is_same(t[k], (NestType){NEST_I32, i->type.lanes});
        break;
    case NEST_SPLAT:
        good = t[0].lanes == 1 && t[0].elem == i->type.elem;
        break;
    case NEST_SUM_LANES:
    case NEST_MAX_LANES:
    case NEST_MIN_LANES:
        good = is_number(t[0]) && is_same(i->type, (NestType){t[0].elem, 1});
        break;
    case NEST_LANE:
        good = i->index < t[0].lanes && is_same(i->type, (NestType){t[0].elem, 1});
        break;
    default: /* functions of one real value */
        good = i->n_operands == 1 && is_float(t[0]) && is_same(t[0], i->type);
        break;
    }
    return good || verify_fail(v, id, "operand or result types do not fit");
}

static bool verify_body(Verifier *v, const NestBody *body, uint32_t depth);

static void verify_hide(Verifier *v, const NestBody *body) {
    for (uint32_t k = 0; k < body->instructions.count; k++)
        v->visible[body->instructions.at[k]] = false;
}

static bool verify_loop(Verifier *v, NestId id, const NestLoop *loop, uint32_t depth) {
    uint32_t count = v->kernel->instructions.count;
    void **seen = map_slot_u64(v->loops, (uintptr_t)loop);
    if (*seen)
        return verify_fail(v, id, "shares its loop with another");
    *seen = (void *)(uintptr_t)id;
    if (!verify_scalar_i64(v, id, loop->begin) || !verify_scalar_i64(v, id, loop->end))
        return false;
    if (loop->step <= 0)
        return verify_fail(v, id, "the step is positive");
    if (loop->variable == 0 || loop->variable >= count || v->placed[loop->variable])
        return verify_fail(v, id, "its variable is not its own");
    v->visible[loop->variable] = v->placed[loop->variable] = true;
    for (uint32_t k = 0; k < loop->n_carried; k++) {
        if (!verify_use(v, id, loop->initial[k]))
            return false;
        NestId inner = loop->inner[k];
        if (inner == 0 || inner >= count || v->placed[inner])
            return verify_fail(v, id, "a carried value is not its own");
        if (!is_same(nest_type(v->kernel, inner), nest_type(v->kernel, loop->initial[k])))
            return verify_fail(v, id, "a carried value changes its type");
    }
    for (uint32_t k = 0; k < loop->n_carried; k++)
        v->visible[loop->inner[k]] = v->placed[loop->inner[k]] = true;
    if (!verify_body(v, &loop->body, depth + 1))
        return false;
    for (uint32_t k = 0; k < loop->n_carried; k++) {
        if (!verify_use(v, id, loop->yield[k]))
            return false;
        if (!is_same(nest_type(v->kernel, loop->yield[k]), nest_type(v->kernel, loop->initial[k])))
            return verify_fail(v, id, "a carried value changes its type");
    }
    verify_hide(v, &loop->body);
    v->visible[loop->variable] = false;
    for (uint32_t k = 0; k < loop->n_carried; k++)
        v->visible[loop->inner[k]] = false;
    return true;
}

/* The loop stands before, in a body still open: its instruction is visible. */
static bool verify_result(Verifier *v, NestId id, const NestInstruction *i) {
    NestId loop = (NestId)(uintptr_t)map_get_u64(v->loops, (uintptr_t)i->loop);
    if (!loop || !v->visible[loop])
        return verify_fail(v, id, "its loop has not ended here");
    if (i->index >= i->loop->n_carried ||
        !is_same(i->type, nest_type(v->kernel, i->loop->initial[i->index])))
        return verify_fail(v, id, "the loop has no such carried value");
    return true;
}

static bool verify_instruction(Verifier *v, NestId id, uint32_t depth) {
    const NestInstruction *i = &v->kernel->instructions.at[id];
    if (i->op >= NEST_OP_COUNT)
        return verify_fail(v, id, "stands in a body");
    if (nest_defines(i) && !verify_type(v, id, i->type))
        return false;
    switch (i->op) {
    case NEST_LOAD:
        return verify_load(v, id, i);
    case NEST_STORE:
        return verify_store(v, id, i);
    case NEST_PREFETCH:
        if (i->buffer >= v->kernel->buffers.count)
            return verify_fail(v, id, "no such buffer");
        return verify_address(v, id, &i->address);
    case NEST_TILE_BEGIN:
    case NEST_TILE_END:
        return verify_tiles(v, id, i->op == NEST_TILE_BEGIN, depth);
    case NEST_TILE_ZERO:
    case NEST_TILE_DOT:
        return verify_tile(v, id, i->op == NEST_TILE_DOT ? 512 : 8);
    case NEST_TILE_LOAD:
    case NEST_TILE_STORE:
        return verify_tile(v, id, 8) && verify_tile_rows(v, id, i);
    case NEST_LOOP:
        return i->loop ? verify_loop(v, id, i->loop, depth) : verify_fail(v, id, "has no loop");
    case NEST_RESULT:
        return verify_result(v, id, i);
    case NEST_IF:
        if (!i->body || i->n_operands != 1 || !verify_use(v, id, i->operands[0]))
            return verify_fail(v, id, "wants one operand and a body");
        if (!is_same(nest_type(v->kernel, i->operands[0]), (NestType){NEST_BOOL, 1}))
            return verify_fail(v, id, "the condition is a scalar bool");
        if (!verify_body(v, i->body, depth + 1))
            return false;
        verify_hide(v, i->body);
        return true;
    default:
        return verify_arithmetic(v, id, i);
    }
}

static bool verify_body(Verifier *v, const NestBody *body, uint32_t depth) {
    for (uint32_t k = 0; k < body->instructions.count; k++) {
        NestId id = body->instructions.at[k];
        if (id == 0 || id >= v->kernel->instructions.count || v->placed[id]) {
            v->error = arena_printf(v->kernel->arena, "kernel %s: %%%u stands twice or nowhere",
                                    v->kernel->name, id);
            return false;
        }
        if (depth > NEST_DEEPEST)
            return verify_fail(v, id, "nested too deeply");
        v->placed[id] = true;
        if (!verify_instruction(v, id, depth))
            return false;
        v->visible[id] = true;
    }
    return true;
}

const char *nest_verify(const NestKernel *kernel) {
    Arena *scratch = arena_create_child(kernel->arena);
    if (!scratch)
        return "out of memory";
    Verifier v = {.kernel = kernel,
                  .visible = ARENA_ARRAY(scratch, bool, kernel->instructions.count),
                  .placed = ARENA_ARRAY(scratch, bool, kernel->instructions.count),
                  .written = ARENA_ARRAY(scratch, bool, kernel->buffers.count + 1),
                  .loops = map_create(scratch)};
    for (uint32_t k = 0; k < kernel->buffers.count && !v.error; k++) {
        const NestBuffer *b = &kernel->buffers.at[k];
        if (b->elem == NEST_BOOL || (b->kind == NEST_SCRATCH && b->elements == 0))
            v.error = arena_printf(kernel->arena,
                                   "kernel %s: buffer %u (%s): no bool, no empty "
                                   "scratch",
                                   kernel->name, k, b->name ? b->name : "");
    }
    if (!v.error && verify_body(&v, &kernel->body, 0))
        v.error = nest_verify_kinds(kernel, scratch);
    arena_destroy(scratch);
    return v.error;
}
