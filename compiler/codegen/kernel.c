/* One loop nest to one LLVM function of type HcKernel.
 *
 * Requires a kernel that nest_verify accepts. Bodies become blocks in their order, carried values
 * phis. Loops test before the first turn and at the end of each; UNROLL loops of known bounds are
 * written out here (so O0 means the same), all others are left as they are: scheduling was decided
 * in the nest. */
#include "base/map.h"
#include "codegen/emit.h"
#include <string.h>

enum { UNROLL_MOST = 8192 }; /* instructions a loop may become */

typedef struct {
    Emit *e;
    const NestKernel *kernel;
    Arena *arena;
    LLVMValueRef *value; /* by id */
    EmitBuffer *buffers;
    LLVMValueRef extents, task;
    Map *results; /* address of a NestLoop: LLVMValueRef[n_carried] after it ended */
    bool fence;
} KernelEmit;

static void kernel_body(KernelEmit *k, const NestBody *body);

static NestType kernel_type(const KernelEmit *k, NestId id) {
    return nest_type(k->kernel, id);
}

static LLVMValueRef kernel_address(KernelEmit *k, const NestAddress *at) {
    LLVMBuilderRef b = k->e->builder;
    LLVMValueRef sum = NULL;
    for (uint32_t t = 0; t < at->n_terms; t++) {
        LLVMValueRef term = k->value[at->value[t]];
        if (at->coefficient[t] != 1)
            term = LLVMBuildNSWMul(b, term, emit_index(k->e, at->coefficient[t]), "");
        sum = sum ? LLVMBuildNSWAdd(b, sum, term, "") : term;
    }
    LLVMValueRef offset = emit_index(k->e, at->offset);
    if (!sum)
        return offset;
    return at->offset ? LLVMBuildNSWAdd(b, sum, offset, "") : sum;
}

/* --- values ------------------------------------------------------------------------------------*/

static LLVMValueRef kernel_const(const KernelEmit *k, const NestInstruction *i) {
    if (i->type.elem == NEST_F32 || i->type.elem == NEST_F64)
        return emit_real(k->e, i->type, i->number);
    return emit_integer(k->e, i->type,
                        i->type.elem == NEST_BOOL ? i->number != 0 : (int64_t)i->number);
}

static bool is_real(NestType t) {
    return t.elem == NEST_F32 || t.elem == NEST_F64;
}

static LLVMValueRef kernel_compare(KernelEmit *k, NestOp op, NestType type, LLVMValueRef x,
                                   LLVMValueRef y) {
    if (is_real(type)) {
        LLVMRealPredicate p = op == NEST_LT   ? LLVMRealOLT
                              : op == NEST_LE ? LLVMRealOLE
                                              : LLVMRealOEQ;
        return LLVMBuildFCmp(k->e->builder, p, x, y, "");
    }
    LLVMIntPredicate p = op == NEST_LT ? LLVMIntSLT : op == NEST_LE ? LLVMIntSLE : LLVMIntEQ;
    return LLVMBuildICmp(k->e->builder, p, x, y, "");
}

/* min(x, y) is x < y ? x : y, which is one instruction on x86. */
static LLVMValueRef kernel_extreme(KernelEmit *k, bool most, NestType type, LLVMValueRef x,
                                   LLVMValueRef y) {
    LLVMValueRef less =
        most ? kernel_compare(k, NEST_LT, type, y, x) : kernel_compare(k, NEST_LT, type, x, y);
    return LLVMBuildSelect(k->e->builder, less, x, y, "");
}

static LLVMValueRef kernel_binary(KernelEmit *k, NestOp op, NestType type, LLVMValueRef x,
                                  LLVMValueRef y) {
    LLVMBuilderRef b = k->e->builder;
    bool real = is_real(type);
    switch (op) {
    case NEST_ADD:
        return real ? emit_contract(LLVMBuildFAdd(b, x, y, "")) : LLVMBuildNSWAdd(b, x, y, "");
    case NEST_SUB:
        return real ? emit_contract(LLVMBuildFSub(b, x, y, "")) : LLVMBuildNSWSub(b, x, y, "");
    case NEST_MUL:
        return real ? emit_contract(LLVMBuildFMul(b, x, y, "")) : LLVMBuildNSWMul(b, x, y, "");
    case NEST_DIV:
        return real ? emit_contract(LLVMBuildFDiv(b, x, y, "")) : LLVMBuildUDiv(b, x, y, "");
    case NEST_REM:
        return LLVMBuildURem(b, x, y, "");
    case NEST_MIN:
    case NEST_MAX:
        return kernel_extreme(k, op == NEST_MAX, type, x, y);
    case NEST_AND:
        return LLVMBuildAnd(b, x, y, "");
    case NEST_OR:
        return LLVMBuildOr(b, x, y, "");
    case NEST_POW:
        return math_emit(k->e, op, type, x, y);
    default:
        return kernel_compare(k, op, type, x, y);
    }
}

static LLVMValueRef kernel_unary(KernelEmit *k, NestOp op, NestType type, LLVMValueRef x) {
    LLVMBuilderRef b = k->e->builder;
    switch (op) {
    case NEST_NEG:
        return is_real(type) ? LLVMBuildFNeg(b, x, "") : LLVMBuildNSWNeg(b, x, "");
    case NEST_ABS:
        if (is_real(type))
            return emit_intrinsic(k->e, "llvm.fabs", emit_type(k->e, type), NULL, &x, 1);
        return kernel_extreme(k, true, type, x, LLVMBuildNeg(b, x, ""));
    case NEST_NOT:
        return LLVMBuildNot(b, x, "");
    default:
        return math_emit(k->e, op, type, x, NULL);
    }
}

/* Real to integer truncates, and saturates where C has no answer; NaN gives 0. */
static LLVMValueRef kernel_cast(KernelEmit *k, NestType from, NestType to, LLVMValueRef x) {
    LLVMBuilderRef b = k->e->builder;
    LLVMTypeRef type = emit_type(k->e, to);
    if (to.elem == NEST_BOOL) {
        if (is_real(from))
            return LLVMBuildFCmp(b, LLVMRealUNE, x, emit_real(k->e, from, 0), "");
        return LLVMBuildICmp(b, LLVMIntNE, x, emit_integer(k->e, from, 0), "");
    }
    if (from.elem == to.elem)
        return x;
    if (is_real(from) && is_real(to))
        return to.elem == NEST_F64 ? LLVMBuildFPExt(b, x, type, "")
                                   : LLVMBuildFPTrunc(b, x, type, "");
    if (is_real(from))
        return emit_intrinsic(k->e, "llvm.fptosi.sat", type, LLVMTypeOf(x), &x, 1);
    if (is_real(to))
        return from.elem == NEST_BOOL ? LLVMBuildUIToFP(b, x, type, "")
                                      : LLVMBuildSIToFP(b, x, type, "");
    if (from.elem == NEST_BOOL)
        return LLVMBuildZExt(b, x, type, "");
    return to.elem == NEST_I64 ? LLVMBuildSExt(b, x, type, "") : LLVMBuildTrunc(b, x, type, "");
}

/* The fixed tree: upper half onto lower half until one is left. */
static LLVMValueRef kernel_fold_lanes(KernelEmit *k, NestOp op, NestType type, LLVMValueRef x) {
    NestOp with = op == NEST_SUM_LANES ? NEST_ADD : op == NEST_MAX_LANES ? NEST_MAX : NEST_MIN;
    while (type.lanes > 1) {
        LLVMValueRef low = emit_half(k->e, x, type.lanes, false);
        LLVMValueRef high = emit_half(k->e, x, type.lanes, true);
        type.lanes /= 2;
        x = kernel_binary(k, with, type, low, high);
    }
    return x;
}

static LLVMValueRef kernel_fma(KernelEmit *k, NestType type, LLVMValueRef x, LLVMValueRef y,
                               LLVMValueRef z) {
    LLVMBuilderRef b = k->e->builder;
    if (!k->e->target->fma)
        return LLVMBuildFAdd(b, LLVMBuildFMul(b, x, y, ""), z, "");
    return emit_intrinsic(k->e, "llvm.fma", emit_type(k->e, type), NULL, (LLVMValueRef[]){x, y, z},
                          3);
}

static LLVMValueRef kernel_extent(KernelEmit *k, uint32_t index) {
    LLVMBuilderRef b = k->e->builder;
    LLVMValueRef at = emit_index(k->e, index);
    LLVMValueRef place = LLVMBuildInBoundsGEP2(b, k->e->elem[NEST_I64], k->extents, &at, 1, "");
    return LLVMBuildLoad2(b, k->e->elem[NEST_I64], place, "");
}

/* --- structure ---------------------------------------------------------------------------------*/

static void kernel_if(KernelEmit *k, const NestInstruction *i) {
    LLVMBuilderRef b = k->e->builder;
    LLVMBasicBlockRef then = emit_block(k->e, "then"), after = emit_block(k->e, "after");
    LLVMBuildCondBr(b, k->value[i->operands[0]], then, after);
    LLVMPositionBuilderAtEnd(b, then);
    kernel_body(k, i->body);
    LLVMBuildBr(b, after);
    LLVMMoveBasicBlockAfter(after, LLVMGetInsertBlock(b));
    LLVMPositionBuilderAtEnd(b, after);
}

static uint64_t kernel_count(const KernelEmit *k, const NestBody *body) {
    uint64_t n = 0;
    for (uint32_t j = 0; j < body->instructions.count && n < UNROLL_MOST; j++) {
        const NestInstruction *i = &k->kernel->instructions.at[body->instructions.at[j]];
        n += 1;
        if (i->op == NEST_LOOP)
            n += kernel_count(k, &i->loop->body);
        else if (i->op == NEST_IF)
            n += kernel_count(k, i->body);
    }
    return n;
}

static bool kernel_known(const KernelEmit *k, NestId id, int64_t *x) {
    if (!LLVMIsAConstantInt(k->value[id]))
        return false;
    *x = LLVMConstIntGetSExtValue(k->value[id]);
    return true;
}

static LLVMValueRef *kernel_take(KernelEmit *k, const NestLoop *loop, const NestId *ids) {
    LLVMValueRef *list = ARENA_ARRAY(k->arena, LLVMValueRef, loop->n_carried);
    for (uint32_t c = 0; c < loop->n_carried; c++)
        list[c] = k->value[ids[c]];
    return list;
}

static bool kernel_unrolled(KernelEmit *k, const NestLoop *loop) {
    int64_t begin, end;
    if (loop->kind != NEST_UNROLL || !kernel_known(k, loop->begin, &begin) ||
        !kernel_known(k, loop->end, &end))
        return false;
    uint64_t turns = end > begin ? ((uint64_t)(end - begin) - 1) / (uint64_t)loop->step + 1 : 0;
    if (turns > UNROLL_MOST || turns * kernel_count(k, &loop->body) > UNROLL_MOST)
        return false;
    LLVMValueRef *carried = kernel_take(k, loop, loop->initial);
    for (uint64_t turn = 0; turn < turns; turn++) {
        k->value[loop->variable] = emit_index(k->e, begin + (int64_t)turn * loop->step);
        for (uint32_t c = 0; c < loop->n_carried; c++)
            k->value[loop->inner[c]] = carried[c];
        kernel_body(k, &loop->body);
        carried = kernel_take(k, loop, loop->yield);
    }
    *map_slot_u64(k->results, (uintptr_t)loop) = carried;
    return true;
}

/* Keeps LLVM from unrolling by its own taste. */
static void kernel_mark_loop(KernelEmit *k, LLVMValueRef branch) {
    LLVMContextRef c = k->e->context;
    LLVMMetadataRef self = LLVMTemporaryMDNode(c, NULL, 0);
    LLVMMetadataRef word = LLVMMDStringInContext2(c, "llvm.loop.unroll.disable", 24);
    LLVMMetadataRef list[2] = {self, LLVMMDNodeInContext2(c, &word, 1)};
    LLVMMetadataRef node = LLVMMDNodeInContext2(c, list, 2);
    LLVMMetadataReplaceAllUsesWith(self, node);
    LLVMSetMetadata(branch, LLVMGetMDKindIDInContext(c, "llvm.loop", 9),
                    LLVMMetadataAsValue(c, node));
}

static void kernel_loop(KernelEmit *k, const NestLoop *loop) {
    if (kernel_unrolled(k, loop))
        return;
    Emit *e = k->e;
    LLVMBuilderRef b = e->builder;
    LLVMValueRef begin = k->value[loop->begin], end = k->value[loop->end];
    LLVMValueRef *initial = kernel_take(k, loop, loop->initial);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(b);
    LLVMBasicBlockRef turn = emit_block(e, "loop"), after = emit_block(e, "after");
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, begin, end, ""), turn, after);

    LLVMPositionBuilderAtEnd(b, turn);
    const char *name = k->kernel->instructions.at[loop->variable].name;
    LLVMValueRef variable = LLVMBuildPhi(b, e->elem[NEST_I64], name ? name : "");
    LLVMAddIncoming(variable, &begin, &before, 1);
    k->value[loop->variable] = variable;
    for (uint32_t c = 0; c < loop->n_carried; c++) {
        name = k->kernel->instructions.at[loop->inner[c]].name;
        LLVMValueRef phi = LLVMBuildPhi(b, LLVMTypeOf(initial[c]), name ? name : "");
        LLVMAddIncoming(phi, &initial[c], &before, 1);
        k->value[loop->inner[c]] = phi;
    }
    LLVMValueRef *inner = kernel_take(k, loop, loop->inner);
    kernel_body(k, &loop->body);
    LLVMValueRef *yield = kernel_take(k, loop, loop->yield);
    LLVMValueRef next = LLVMBuildNSWAdd(b, variable, emit_index(e, loop->step), "");
    LLVMBasicBlockRef last = LLVMGetInsertBlock(b);
    LLVMAddIncoming(variable, &next, &last, 1);
    for (uint32_t c = 0; c < loop->n_carried; c++)
        LLVMAddIncoming(inner[c], &yield[c], &last, 1);
    kernel_mark_loop(k,
                     LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, next, end, ""), turn, after));

    LLVMMoveBasicBlockAfter(after, last);
    LLVMPositionBuilderAtEnd(b, after);
    LLVMValueRef *results = ARENA_ARRAY(k->arena, LLVMValueRef, loop->n_carried);
    for (uint32_t c = 0; c < loop->n_carried; c++) {
        results[c] = LLVMBuildPhi(b, LLVMTypeOf(initial[c]), "");
        LLVMAddIncoming(results[c], (LLVMValueRef[]){initial[c], yield[c]},
                        (LLVMBasicBlockRef[]){before, last}, 2);
    }
    *map_slot_u64(k->results, (uintptr_t)loop) = results;
}

/* Into the second-level cache: the first holds less than what is fetched ahead. The address may lie
 * past the end of the buffer. */
static void kernel_prefetch(KernelEmit *k, const NestInstruction *i) {
    Emit *e = k->e;
    LLVMTypeRef i32 = e->elem[NEST_I32];
    const EmitBuffer *buffer = &k->buffers[i->buffer];
    LLVMValueRef index = kernel_address(k, &i->address);
    LLVMValueRef at = LLVMBuildGEP2(e->builder, e->elem[buffer->elem], buffer->base, &index, 1, "");
    LLVMValueRef arguments[4] = {at, LLVMConstInt(i32, 0, false), LLVMConstInt(i32, 2, false),
                                 LLVMConstInt(i32, 1, false)};
    emit_intrinsic(e, "llvm.prefetch", e->pointer, NULL, arguments, 4);
}

/* Rows of a multiple of four elements: the four around the one that is loaded are in the row, too.
 */
static bool kernel_in_fours(const NestInstruction *i) {
    bool all = i->stride % 4 == 0 && i->address.offset >= 0;
    for (uint32_t t = 0; t < i->address.n_terms; t++)
        all &= i->address.coefficient[t] % 4 == 0;
    return all;
}

static LLVMValueRef kernel_load(KernelEmit *k, const NestInstruction *i, LLVMValueRef valid) {
    EmitBuffer *buffer = &k->buffers[i->buffer];
    if (!valid && i->type.lanes > 1 && i->stride > 1 && kernel_in_fours(i)) {
        NestAddress group = i->address;
        uint32_t part = (uint32_t)(group.offset % 4);
        group.offset -= part;
        return emit_load_column(k->e, buffer, kernel_address(k, &group), part, i->type.lanes,
                                i->stride);
    }
    return emit_load(k->e, buffer, kernel_address(k, &i->address), i->type.lanes, i->stride, valid);
}

static void kernel_store(KernelEmit *k, const NestInstruction *i) {
    LLVMValueRef valid = i->n_operands > 1 ? k->value[i->operands[1]] : NULL;
    k->fence |= i->nontemporal;
    emit_store(k->e, &k->buffers[i->buffer], kernel_address(k, &i->address),
               kernel_type(k, i->operands[0]), k->value[i->operands[0]], valid, i->nontemporal);
}

static void kernel_tile(KernelEmit *k, const NestInstruction *i) {
    if (i->n_operands == 0) {
        emit_tile(k->e, i->op, i->index);
        return;
    }
    const EmitBuffer *buffer = &k->buffers[i->buffer];
    LLVMValueRef index = kernel_address(k, &i->address);
    LLVMValueRef at =
        LLVMBuildInBoundsGEP2(k->e->builder, k->e->elem[buffer->elem], buffer->base, &index, 1, "");
    emit_tile_rows(k->e, i->op == NEST_TILE_STORE, i->index, at, k->value[i->operands[0]]);
}

/* Whether a number has been rounded before. */
static bool kernel_is_bf16(const KernelEmit *k, NestId id) {
    const NestInstruction *i = &k->kernel->instructions.at[id];
    return i->op == NEST_LOAD && k->buffers[i->buffer].elem == NEST_BF16;
}

static LLVMValueRef kernel_value(KernelEmit *k, const NestInstruction *i) {
    LLVMValueRef x[5] = {NULL};
    for (uint32_t n = 0; n < i->n_operands; n++)
        x[n] = k->value[i->operands[n]];
    NestType type = i->n_operands ? kernel_type(k, i->operands[0]) : i->type;
    switch (i->op) {
    case NEST_CONST:
        return kernel_const(k, i);
    case NEST_EXTENT:
        return kernel_extent(k, i->index);
    case NEST_TASK:
        return k->task;
    case NEST_LANES:
        return emit_lanes(k->e, i->type.lanes);
    case NEST_LOAD:
        return kernel_load(k, i, x[0]);
    case NEST_FMA:
        return kernel_fma(k, type, x[0], x[1], x[2]);
    case NEST_PAIR:
        return kernel_is_bf16(k, i->operands[0]) && kernel_is_bf16(k, i->operands[1])
                   ? emit_exact_pair(k->e, type, x[0], x[1])
                   : emit_pair(k->e, type, x[0], x[1]);
    case NEST_NARROW:
        return emit_narrow(k->e, type, x[0], x[1]);
    case NEST_DOT:
        return emit_dot(k->e, i->type, x[0], x[1], x[2]);
    case NEST_MATRIX:
        return emit_matrix(k->e, x[0], x[1], x[2]);
    case NEST_WEAVE_LOW:
    case NEST_WEAVE_HIGH:
    case NEST_EVENS:
    case NEST_ODDS:
        return emit_lanes_of(k->e, i->op, type.lanes, x[0], x[1]);
    case NEST_SELECT:
        return LLVMBuildSelect(k->e->builder, x[0], x[1], x[2], "");
    case NEST_CAST:
        return kernel_cast(k, type, i->type, x[0]);
    case NEST_RANDOM:
        return random_emit(k->e, i->type, x);
    case NEST_SPLAT:
        return emit_splat(k->e, i->type.lanes, x[0]);
    case NEST_SUM_LANES:
    case NEST_MAX_LANES:
    case NEST_MIN_LANES:
        return kernel_fold_lanes(k, i->op, type, x[0]);
    case NEST_LANE:
        return type.lanes == 1 ? x[0] : emit_lane(k->e, x[0], i->index);
    case NEST_RESULT:
        return ((LLVMValueRef *)map_get_u64(k->results, (uintptr_t)i->loop))[i->index];
    default:
        return i->n_operands == 2 ? kernel_binary(k, i->op, type, x[0], x[1])
                                  : kernel_unary(k, i->op, type, x[0]);
    }
}

static void kernel_body(KernelEmit *k, const NestBody *body) {
    for (uint32_t j = 0; j < body->instructions.count; j++) {
        NestId id = body->instructions.at[j];
        const NestInstruction *i = &k->kernel->instructions.at[id];
        debug_at(k->e, i->span);
        switch (i->op) {
        case NEST_LOOP:
            kernel_loop(k, i->loop);
            break;
        case NEST_IF:
            kernel_if(k, i);
            break;
        case NEST_STORE:
            kernel_store(k, i);
            break;
        case NEST_PREFETCH:
            kernel_prefetch(k, i);
            break;
        default: {
            if (nest_is_tile(i->op)) {
                kernel_tile(k, i);
                break;
            }
            LLVMValueRef x = k->value[id] = kernel_value(k, i);
            if (i->name && LLVMIsAInstruction(x))
                LLVMSetValueName2(x, i->name, strlen(i->name));
            break;
        }
        }
    }
}

/* --- the function ------------------------------------------------------------------------------*/

/* A symbol's characters: letters, digits, '_' and '.'. */
static const char *kernel_symbol(Arena *arena, const char *name) {
    char *symbol = arena_printf(arena, "%s", name && *name ? name : "kernel");
    for (char *c = symbol; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
              *c == '_' || *c == '.'))
            *c = '_';
    return symbol;
}

enum { FIXED = 2 }; /* a worker's parameters before its buffers: extents, task */

/* The function that does the work takes every buffer as a parameter of its own that aliases no
 * other: what LLVM understands best, and at no cost to compile time. */
static LLVMValueRef kernel_worker(KernelEmit *k, const char *symbol) {
    Emit *e = k->e;
    uint32_t n = k->kernel->buffers.count;
    LLVMTypeRef *parameters = ARENA_ARRAY(k->arena, LLVMTypeRef, FIXED + n);
    for (uint32_t j = 0; j < FIXED + n; j++)
        parameters[j] = j == 1 ? e->elem[NEST_I64] : e->pointer;
    LLVMTypeRef type = LLVMFunctionType(e->nothing, parameters, FIXED + n, false);
    e->function = LLVMAddFunction(e->module, arena_printf(k->arena, "%s.work", symbol), type);
    LLVMSetLinkage(e->function, LLVMInternalLinkage);
    emit_function_attributes(e, e->function);
    LLVMAddAttributeAtIndex(e->function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            emit_attribute(e, "noinline"));
    LLVMAttributeRef noalias = emit_attribute(e, "noalias");
    for (uint32_t j = 0; j < FIXED + n; j++)
        if (j != 1)
            LLVMAddAttributeAtIndex(e->function, j + 1, noalias);
    k->extents = LLVMGetParam(e->function, 0);
    k->task = LLVMGetParam(e->function, 1);
    for (uint32_t j = 0; j < n; j++) {
        const NestBuffer *buffer = &k->kernel->buffers.at[j];
        LLVMValueRef base = LLVMGetParam(e->function, FIXED + j);
        if (buffer->name)
            LLVMSetValueName2(base, buffer->name, strlen(buffer->name));
        k->buffers[j] = (EmitBuffer){base, buffer->elem};
    }
    LLVMPositionBuilderAtEnd(e->builder, emit_block(e, "entry"));
    debug_function(e, k->kernel, symbol);
    kernel_body(k, &k->kernel->body);
    if (k->fence && e->target->x86) /* nontemporal stores are ordered by nothing else */
        emit_intrinsic(e, "llvm.x86.sse.sfence", NULL, NULL, NULL, 0);
    LLVMBuildRetVoid(e->builder);
    return e->function;
}

/* The HcKernel: finds the buffers and calls the worker. */
LLVMValueRef emit_kernel(Emit *e, Arena *scratch, const NestKernel *kernel) {
    KernelEmit k = {.e = e, .kernel = kernel, .arena = scratch};
    k.value = ARENA_ARRAY(scratch, LLVMValueRef, kernel->instructions.count);
    k.buffers = ARENA_ARRAY(scratch, EmitBuffer, kernel->buffers.count);
    k.results = map_create(scratch);
    const char *symbol = kernel_symbol(scratch, kernel->name);
    LLVMValueRef worker = kernel_worker(&k, symbol);

    LLVMTypeRef p = e->pointer;
    LLVMTypeRef parameters[4] = {p, p, e->elem[NEST_I64], p};
    LLVMTypeRef type = LLVMFunctionType(e->nothing, parameters, 4, false);
    e->function = LLVMAddFunction(e->module, symbol, type);
    LLVMSetLinkage(e->function, LLVMInternalLinkage);
    emit_function_attributes(e, e->function);
    LLVMPositionBuilderAtEnd(e->builder, emit_block(e, "entry"));
    debug_function(e, kernel, symbol);
    LLVMValueRef *arguments = ARENA_ARRAY(scratch, LLVMValueRef, FIXED + kernel->buffers.count);
    arguments[0] = LLVMGetParam(e->function, 1);
    arguments[1] = LLVMGetParam(e->function, 2);
    int64_t argument = 0, offset = 0;
    for (uint32_t j = 0; j < kernel->buffers.count; j++) {
        const NestBuffer *buffer = &kernel->buffers.at[j];
        bool own = buffer->kind == NEST_SCRATCH;
        LLVMValueRef at = emit_index(e, own ? offset : argument++);
        LLVMValueRef base = LLVMGetParam(e->function, own ? 3 : 0);
        base = LLVMBuildInBoundsGEP2(e->builder, own ? e->byte : p, base, &at, 1, "");
        arguments[FIXED + j] = own ? base : LLVMBuildLoad2(e->builder, p, base, "");
        offset += (int64_t)nest_buffer_bytes(buffer);
    }
    LLVMTypeRef worker_type = LLVMGlobalGetValueType(worker);
    LLVMBuildCall2(e->builder, worker_type, worker, arguments, FIXED + kernel->buffers.count, "");
    LLVMBuildRetVoid(e->builder);
    return e->function;
}
