/* Building loop nests.
 *
 * Requires: operands are visible where the builder stands (nest_verify checks, the builder does
 * not). Maintains: CONST, EXTENT, TASK and LANES stand once each at the head of the kernel's body,
 * so that every body sees them; folding touches integers only, and floating point where it is
 * exact. Example: nest_binary(b, NEST_ADD, nest_i64(b, 2), nest_i64(b, 3)) is nest_i64(b, 5). */
#include "nest/nest.h"
#include "abi/abi.h"
#include "abi/layout.h"
#include "nest/nest_internal.h"
#include <string.h>

static const struct {
    const char *text;
    int operands;
} nest_op_info[NEST_OP_COUNT] = {
#define OP(ident, text, operands) [NEST_##ident] = {text, operands},
#include "nest/nest_ops.def"
};

const char *const nest_elem_text[NEST_ELEMS] = {"f32", "f64", "i32", "i64", "bool", "bf16"};
const char *const nest_extent_text[NEST_EXTENT_COUNT] = {
    "samples", "positions", "instances",    "tile",   "training", "random_key", "done",   "steps",
    "first",   "batch",     "first_sample", "rows",   "columns",  "depth",      "step",   "adds",
    "space1",  "space2",    "space3",       "space4", "space5",   "space6",     "space7", "space8"};
const char *const nest_loop_text[4] = {"sequential", "vector", "reduce", "unroll"};
_Static_assert(NEST_EXTENT_COUNT * sizeof(int64_t) == sizeof(HcExtents),
               "extents are the record's fields");

const char *nest_op_text(NestOp op) {
    if (op == NEST_VARIABLE)
        return "variable";
    return op == NEST_INNER ? "inner" : nest_op_info[op].text;
}

int nest_op_operands(NestOp op) {
    return op < NEST_OP_COUNT ? nest_op_info[op].operands : 0;
}

bool nest_defines(const NestInstruction *i) {
    return i->op != NEST_STORE && i->op != NEST_PREFETCH && i->op != NEST_IF &&
           i->op != NEST_LOOP && !nest_is_tile(i->op);
}

NestKernel *nest_kernel_create(Arena *arena, const char *name) {
    NestKernel *kernel = ARENA_NEW(arena, NestKernel);
    kernel->name = name;
    kernel->arena = arena;
    vec_push(arena, &kernel->instructions, (NestInstruction){0});
    return kernel;
}

NestBuilder nest_builder(NestKernel *kernel) {
    return (NestBuilder){.kernel = kernel, .heads = map_create(kernel->arena)};
}

uint32_t nest_add_buffer(NestKernel *kernel, NestBuffer buffer) {
    vec_push(kernel->arena, &kernel->buffers, buffer);
    return kernel->buffers.count - 1;
}

NestType nest_type(const NestKernel *kernel, NestId id) {
    return kernel->instructions.at[id].type;
}

uint64_t nest_scratch_bytes(const NestKernel *kernel) {
    uint64_t bytes = 0;
    for (uint32_t k = 0; k < kernel->buffers.count; k++)
        bytes += nest_buffer_bytes(&kernel->buffers.at[k]);
    return bytes;
}

uint32_t nest_elem_bytes(NestElem elem) {
    return elem == NEST_BF16 ? 2 : elem == NEST_F64 || elem == NEST_I64 ? 8 : 4;
}

uint64_t nest_buffer_bytes(const NestBuffer *buffer) {
    if (buffer->kind != NEST_SCRATCH)
        return 0;
    return hc_align(buffer->elements * nest_elem_bytes(buffer->elem));
}

/* --- appending ---------------------------------------------------------------------------------*/

static NestId nest_new(NestBuilder *b, NestInstruction i) {
    i.span = b->span;
    i.name = i.name ? i.name : b->name;
    vec_push(b->kernel->arena, &b->kernel->instructions, i);
    return b->kernel->instructions.count - 1;
}

static NestId nest_append(NestBuilder *b, NestInstruction i) {
    NestBody *body = b->open.count ? b->open.at[b->open.count - 1] : &b->kernel->body;
    NestId id = nest_new(b, i);
    vec_push(b->kernel->arena, &body->instructions, id);
    return id;
}

/* What makes two values without operands one. */
typedef struct {
    double number;
    uint32_t op, elem, lanes, index;
} HeadKey;

/* Values without operands: found again, or put after the others at the head of the kernel. */
static NestId nest_head(NestBuilder *b, NestInstruction wanted) {
    const HeadKey key = {wanted.number, wanted.op, wanted.type.elem, wanted.type.lanes,
                         wanted.index};
    const uint32_t n = map_count(b->heads);
    void **slot = map_slot(b->heads, &key, sizeof key);
    if (*slot)
        return (NestId)(uintptr_t)*slot;
    NestKernel *kernel = b->kernel;
    NestIdVec *list = &kernel->body.instructions;
    const char *name = b->name;
    b->name = NULL; /* shared by many, so named after none */
    NestId id = nest_new(b, wanted);
    b->name = name;
    vec_push(kernel->arena, list, id);
    memmove(&list->at[n + 1], &list->at[n], (list->count - 1 - n) * sizeof(NestId));
    list->at[n] = id;
    *slot = (void *)(uintptr_t)id; /* never 0 */
    return id;
}

NestId nest_const(NestBuilder *b, NestType type, double value) {
    return nest_head(b, (NestInstruction){.op = NEST_CONST, .type = type, .number = value});
}

NestId nest_i64(NestBuilder *b, int64_t value) {
    return nest_const(b, (NestType){NEST_I64, 1}, (double)value);
}

NestId nest_extent(NestBuilder *b, NestExtent which) {
    return nest_head(
        b, (NestInstruction){.op = NEST_EXTENT, .type = {NEST_I64, 1}, .index = (uint32_t)which});
}

NestId nest_task(NestBuilder *b) {
    return nest_head(b, (NestInstruction){.op = NEST_TASK, .type = {NEST_I64, 1}});
}

NestId nest_lanes(NestBuilder *b, uint16_t lanes) {
    return nest_head(b, (NestInstruction){.op = NEST_LANES, .type = {NEST_I32, lanes}});
}

/* --- values ------------------------------------------------------------------------------------*/

bool nest_const_of(const NestBuilder *b, NestId id, double *value) {
    const NestInstruction *i = &b->kernel->instructions.at[id];
    if (i->op == NEST_SPLAT)
        i = &b->kernel->instructions.at[i->operands[0]];
    *value = i->number;
    return i->op == NEST_CONST;
}

static bool nest_is_integer(NestType type) {
    return type.elem == NEST_I32 || type.elem == NEST_I64;
}

static NestId nest_operation(NestBuilder *b, NestOp op, NestType type, uint32_t n, NestId x,
                             NestId y, NestId z) {
    return nest_append(
        b, (NestInstruction){.op = op, .type = type, .n_operands = n, .operands = {x, y, z}});
}

NestId nest_unary(NestBuilder *b, NestOp op, NestId x) {
    NestType type = nest_type(b->kernel, x);
    if (op == NEST_SUM_LANES || op == NEST_MAX_LANES || op == NEST_MIN_LANES) {
        if (type.lanes == 1)
            return x;
        type.lanes = 1;
    }
    return nest_operation(b, op, type, 1, x, 0, 0);
}

static NestId nest_fold_integers(NestBuilder *b, NestOp op, NestType type, NestId x, NestId y) {
    double xv, yv;
    bool xc = nest_const_of(b, x, &xv), yc = nest_const_of(b, y, &yv);
    if (xc && yc) {
        int64_t p = (int64_t)xv, q = (int64_t)yv, r;
        bool known = true;
        switch (op) {
        case NEST_ADD:
            known = !__builtin_add_overflow(p, q, &r);
            break;
        case NEST_SUB:
            known = !__builtin_sub_overflow(p, q, &r);
            break;
        case NEST_MUL:
            known = !__builtin_mul_overflow(p, q, &r);
            break;
        case NEST_DIV:
            known = p >= 0 && q > 0;
            r = known ? p / q : 0;
            break;
        case NEST_REM:
            known = p >= 0 && q > 0;
            r = known ? p % q : 0;
            break;
        case NEST_MIN:
            r = p < q ? p : q;
            break;
        case NEST_MAX:
            r = p > q ? p : q;
            break;
        default:
            known = false;
            r = 0;
            break;
        }
        int64_t most = type.elem == NEST_I32 ? INT32_MAX : INT64_C(1) << 53;
        if (known && r >= -most && r <= most)
            return nest_const(b, type, (double)r);
    }
    if (xc && (op == NEST_ADD || op == NEST_MUL)) { /* constants stand right */
        NestId swap = x;
        x = y, y = swap;
        yc = true, yv = xv;
    }
    if (yc && yv == 0 && (op == NEST_ADD || op == NEST_SUB))
        return x;
    if (yc && yv == 1 && (op == NEST_MUL || op == NEST_DIV))
        return x;
    if (yc && yv == 0 && op == NEST_MUL)
        return nest_const(b, type, 0);
    return 0;
}

/* A scalar among vectors is splatted. */
static NestId nest_widen(NestBuilder *b, NestId x, uint16_t lanes) {
    NestType type = nest_type(b->kernel, x);
    return type.lanes == 1 ? nest_splat(b, lanes, x) : x;
}

NestId nest_binary(NestBuilder *b, NestOp op, NestId x, NestId y) {
    uint16_t lanes = nest_type(b->kernel, x).lanes;
    if (nest_type(b->kernel, y).lanes > lanes)
        lanes = nest_type(b->kernel, y).lanes;
    x = nest_widen(b, x, lanes);
    y = nest_widen(b, y, lanes);
    NestType type = nest_type(b->kernel, x);
    if (op == NEST_LT || op == NEST_LE || op == NEST_EQ) {
        type.elem = NEST_BOOL;
    } else if (nest_is_integer(type)) {
        NestId folded = nest_fold_integers(b, op, type, x, y);
        if (folded)
            return folded;
    } else if (op == NEST_MUL) {
        double value;
        if (nest_const_of(b, y, &value) && value == 1)
            return x;
        if (nest_const_of(b, x, &value) && value == 1)
            return y;
    }
    return nest_operation(b, op, type, 2, x, y, 0);
}

NestId nest_fma(NestBuilder *b, NestId x, NestId y, NestId z) {
    const NestKernel *kernel = b->kernel;
    uint16_t lanes = nest_type(kernel, x).lanes;
    if (nest_type(kernel, y).lanes > lanes)
        lanes = nest_type(kernel, y).lanes;
    if (nest_type(kernel, z).lanes > lanes)
        lanes = nest_type(kernel, z).lanes;
    x = nest_widen(b, x, lanes);
    y = nest_widen(b, y, lanes);
    z = nest_widen(b, z, lanes);
    return nest_operation(b, NEST_FMA, nest_type(kernel, z), 3, x, y, z);
}

NestId nest_pair(NestBuilder *b, NestId first, NestId second) {
    const NestType type = {NEST_I32, nest_type(b->kernel, first).lanes};
    return nest_operation(b, NEST_PAIR, type, 2, first, second, 0);
}

NestId nest_narrow(NestBuilder *b, NestId x, NestId y) {
    const NestType type = {NEST_I32, nest_type(b->kernel, x).lanes};
    return nest_operation(b, NEST_NARROW, type, 2, x, y, 0);
}

NestId nest_dot(NestBuilder *b, NestId x, NestId y, NestId z) {
    return nest_operation(b, NEST_DOT, nest_type(b->kernel, z), 3, x, y, z);
}

NestId nest_matrix(NestBuilder *b, NestId x, NestId y, NestId z) {
    return nest_operation(b, NEST_MATRIX, nest_type(b->kernel, z), 3, x, y, z);
}

NestId nest_lanes_of(NestBuilder *b, NestOp op, NestId x, NestId y) {
    return nest_operation(b, op, nest_type(b->kernel, x), 2, x, y, 0);
}

NestId nest_select(NestBuilder *b, NestId condition, NestId x, NestId y) {
    const NestKernel *kernel = b->kernel;
    uint16_t lanes = nest_type(kernel, condition).lanes;
    if (nest_type(kernel, x).lanes > lanes)
        lanes = nest_type(kernel, x).lanes;
    if (nest_type(kernel, y).lanes > lanes)
        lanes = nest_type(kernel, y).lanes;
    condition = nest_widen(b, condition, lanes);
    x = nest_widen(b, x, lanes);
    y = nest_widen(b, y, lanes);
    return nest_operation(b, NEST_SELECT, nest_type(kernel, x), 3, condition, x, y);
}

NestId nest_random(NestBuilder *b, NestElem elem, const NestId counter[4]) {
    NestInstruction i = {.op = NEST_RANDOM, .type = {elem, 1}, .n_operands = 5};
    for (uint32_t k = 0; k < 4; k++) {
        const uint16_t lanes = nest_type(b->kernel, counter[k]).lanes;
        i.type.lanes = lanes > i.type.lanes ? lanes : i.type.lanes;
    }
    for (uint32_t k = 0; k < 4; k++)
        i.operands[k] = nest_widen(b, counter[k], i.type.lanes);
    i.operands[4] = nest_extent(b, NEST_RANDOM_KEY);
    return nest_append(b, i);
}

NestId nest_cast(NestBuilder *b, NestElem elem, NestId x) {
    NestType type = nest_type(b->kernel, x);
    if (type.elem == elem)
        return x;
    type.elem = elem;
    return nest_operation(b, NEST_CAST, type, 1, x, 0, 0);
}

NestId nest_splat(NestBuilder *b, uint16_t lanes, NestId x) {
    NestInstruction i = b->kernel->instructions.at[x];
    if (lanes == i.type.lanes)
        return x;
    NestType type = {i.type.elem, lanes};
    if (i.op == NEST_CONST)
        return nest_const(b, type, i.number);
    return nest_operation(b, NEST_SPLAT, type, 1, x, 0, 0);
}

NestId nest_lane(NestBuilder *b, NestId x, uint32_t lane) {
    NestType type = nest_type(b->kernel, x);
    if (type.lanes == 1)
        return x;
    type.lanes = 1;
    return nest_append(
        b, (NestInstruction){
               .op = NEST_LANE, .type = type, .n_operands = 1, .operands = {x}, .index = lane});
}

/* --- memory ------------------------------------------------------------------------------------*/

/* Constants go into the offset; a value appears once. */
static NestAddress nest_normal_address(const NestBuilder *b, NestAddress from) {
    NestAddress to = {.offset = from.offset};
    for (uint32_t k = 0; k < from.n_terms; k++) {
        const NestInstruction *i = &b->kernel->instructions.at[from.value[k]];
        if (i->op == NEST_CONST) {
            to.offset += (int64_t)i->number * from.coefficient[k];
            continue;
        }
        uint32_t same = 0;
        while (same < to.n_terms && to.value[same] != from.value[k])
            same++;
        to.value[same] = from.value[k];
        to.coefficient[same] += from.coefficient[k];
        if (same == to.n_terms)
            to.n_terms++;
    }
    return to;
}

NestId nest_load(NestBuilder *b, uint32_t buffer, NestAddress at, uint16_t lanes, int64_t stride,
                 NestId valid) {
    return nest_append(b, (NestInstruction){
                              .op = NEST_LOAD,
                              .type = {nest_loaded(b->kernel->buffers.at[buffer].elem), lanes},
                              .n_operands = valid != 0,
                              .operands = {valid},
                              .buffer = buffer,
                              .stride = lanes == 1 ? 1 : stride,
                              .address = nest_normal_address(b, at),
                          });
}

void nest_store(NestBuilder *b, uint32_t buffer, NestAddress at, NestId value, NestId valid,
                bool nontemporal) {
    nest_append(b, (NestInstruction){
                       .op = NEST_STORE,
                       .n_operands = valid ? 2 : 1,
                       .operands = {value, valid},
                       .buffer = buffer,
                       .stride = 1,
                       .nontemporal = nontemporal,
                       .address = nest_normal_address(b, at),
                   });
}

void nest_prefetch(NestBuilder *b, uint32_t buffer, NestAddress at) {
    nest_append(b, (NestInstruction){.op = NEST_PREFETCH,
                                     .buffer = buffer,
                                     .address = nest_normal_address(b, at)});
}

void nest_tile(NestBuilder *b, NestOp op, uint32_t index) {
    nest_append(b, (NestInstruction){.op = op, .index = index});
}

void nest_tile_rows(NestBuilder *b, NestOp op, uint32_t index, uint32_t buffer, NestAddress at,
                    NestId step) {
    nest_append(b, (NestInstruction){.op = op,
                                     .index = index,
                                     .buffer = buffer,
                                     .address = at,
                                     .n_operands = 1,
                                     .operands = {step}});
}

/* --- structure ---------------------------------------------------------------------------------*/

NestLoop *nest_loop_begin(NestBuilder *b, NestLoopKind kind, NestId begin, NestId end, int64_t step,
                          uint32_t n_carried, const NestId *initial) {
    Arena *arena = b->kernel->arena;
    NestLoop *loop = ARENA_NEW(arena, NestLoop);
    loop->kind = kind;
    loop->begin = begin;
    loop->end = end;
    loop->step = step;
    loop->n_carried = n_carried;
    loop->initial = ARENA_ARRAY(arena, NestId, n_carried);
    loop->inner = ARENA_ARRAY(arena, NestId, n_carried);
    loop->yield = ARENA_ARRAY(arena, NestId, n_carried);
    nest_append(b, (NestInstruction){.op = NEST_LOOP, .loop = loop});
    loop->variable =
        nest_new(b, (NestInstruction){.op = NEST_VARIABLE, .type = {NEST_I64, 1}, .loop = loop});
    for (uint32_t k = 0; k < n_carried; k++) {
        loop->initial[k] = initial[k];
        loop->inner[k] = nest_new(b, (NestInstruction){.op = NEST_INNER,
                                                       .type = nest_type(b->kernel, initial[k]),
                                                       .index = k,
                                                       .loop = loop});
    }
    vec_push(arena, &b->open, &loop->body);
    vec_push(arena, &b->loops, loop);
    return loop;
}

void nest_loop_end(NestBuilder *b, const NestId *yield) {
    NestLoop *loop = b->loops.at[--b->loops.count];
    b->open.count--;
    for (uint32_t k = 0; k < loop->n_carried; k++)
        loop->yield[k] = yield[k];
}

NestId nest_result(NestBuilder *b, NestLoop *loop, uint32_t k) {
    return nest_append(b, (NestInstruction){.op = NEST_RESULT,
                                            .type = nest_type(b->kernel, loop->initial[k]),
                                            .index = k,
                                            .loop = loop});
}

void nest_if_begin(NestBuilder *b, NestId condition) {
    NestBody *body = ARENA_NEW(b->kernel->arena, NestBody);
    nest_append(b, (NestInstruction){
                       .op = NEST_IF, .n_operands = 1, .operands = {condition}, .body = body});
    vec_push(b->kernel->arena, &b->open, body);
}

void nest_if_end(NestBuilder *b) {
    b->open.count--;
}
