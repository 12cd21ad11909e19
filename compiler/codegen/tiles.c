/* Tiles: as AMX's registers, or on machines without it as memory of the function's own, with plain
 * code of the same meaning, so that kernels with tiles can be run and tested anywhere. */
#include "codegen/emit.h"

enum { TILES = 8, ROWS = 16, LANES = 16, ROW_BYTES = 64, TILE_BYTES = ROWS * ROW_BYTES };

static const NestType row_type = {NEST_I32, LANES}, sum_type = {NEST_F32, LANES};

static LLVMValueRef small(const Emit *e, uint32_t x) {
    return LLVMConstInt(LLVMInt8TypeInContext(e->context), x, false);
}

/* All eight whole: what LDTILECFG reads. */
static LLVMValueRef configuration(Emit *e) {
    LLVMValueRef bytes[64];
    for (uint32_t k = 0; k < 64; k++) {
        const bool width = k >= 16 && k < 16 + 2 * TILES && k % 2 == 0;
        const bool rows = k >= 48 && k < 48 + TILES;
        bytes[k] = small(e, k == 0 ? 1 : width ? ROW_BYTES : rows ? ROWS : 0);
    }
    LLVMValueRef all = LLVMConstArray2(e->byte, bytes, 64);
    LLVMValueRef global = LLVMAddGlobal(e->module, LLVMTypeOf(all), "tiles.configuration");
    LLVMSetInitializer(global, all);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetAlignment(global, 64);
    return global;
}

/* --- without tiles -----------------------------------------------------------------------------*/

static LLVMValueRef offset(Emit *e, LLVMValueRef from, LLVMValueRef bytes) {
    return LLVMBuildInBoundsGEP2(e->builder, e->byte, from, &bytes, 1, "");
}

static LLVMValueRef row_of(Emit *e, LLVMValueRef tile, uint32_t row) {
    return offset(e, tile, emit_index(e, (int64_t)row * ROW_BYTES));
}

static LLVMValueRef tile_of(Emit *e, uint32_t index) {
    return offset(e, e->tiles, emit_index(e, (int64_t)index * TILE_BYTES));
}

static LLVMValueRef load(Emit *e, NestType type, LLVMValueRef at) {
    LLVMValueRef x = LLVMBuildLoad2(e->builder, emit_type(e, type), at, "");
    LLVMSetAlignment(x, 4);
    return x;
}

static void store(Emit *e, LLVMValueRef x, LLVMValueRef at) {
    LLVMSetAlignment(LLVMBuildStore(e->builder, x, at), 4);
}

/* void tile_dot(c, a, b), once in a module: a row of c after the other. */
static LLVMValueRef plain_dot(Emit *e) {
    static const char name[] = "tiles.dot";
    LLVMValueRef function = LLVMGetNamedFunction(e->module, name), outer = e->function;
    if (function)
        return function;
    LLVMBasicBlockRef back = LLVMGetInsertBlock(e->builder);
    LLVMMetadataRef line = LLVMGetCurrentDebugLocation2(e->builder);
    LLVMSetCurrentDebugLocation2(e->builder, NULL);
    LLVMTypeRef parameters[3] = {e->pointer, e->pointer, e->pointer};
    function = e->function =
        LLVMAddFunction(e->module, name, LLVMFunctionType(e->nothing, parameters, 3, false));
    LLVMSetLinkage(function, LLVMInternalLinkage);
    emit_function_attributes(e, function);
    LLVMBasicBlockRef entry = emit_block(e, "entry"), row = emit_block(e, "row"),
                      end = emit_block(e, "end");
    LLVMPositionBuilderAtEnd(e->builder, entry);
    LLVMBuildBr(e->builder, row);
    LLVMPositionBuilderAtEnd(e->builder, row);
    LLVMValueRef at = LLVMBuildPhi(e->builder, e->elem[NEST_I64], "");
    LLVMValueRef c = offset(e, LLVMGetParam(function, 0), at);
    LLVMValueRef a = load(e, row_type, offset(e, LLVMGetParam(function, 1), at));
    LLVMValueRef sum = load(e, sum_type, c);
    for (uint32_t k = 0; k < ROWS; k++) {
        LLVMValueRef pair = emit_splat(e, LANES, emit_lane(e, a, k));
        LLVMValueRef b = load(e, row_type, row_of(e, LLVMGetParam(function, 2), k));
        sum = emit_dot(e, sum_type, pair, b, sum);
    }
    store(e, sum, c);
    LLVMValueRef next = LLVMBuildAdd(e->builder, at, emit_index(e, ROW_BYTES), "");
    LLVMValueRef from[2] = {emit_index(e, 0), next};
    LLVMAddIncoming(at, from, (LLVMBasicBlockRef[]){entry, row}, 2);
    LLVMValueRef more = LLVMBuildICmp(e->builder, LLVMIntSLT, next, emit_index(e, TILE_BYTES), "");
    LLVMBuildCondBr(e->builder, more, row, end);
    LLVMPositionBuilderAtEnd(e->builder, end);
    LLVMBuildRetVoid(e->builder);
    e->function = outer;
    LLVMPositionBuilderAtEnd(e->builder, back);
    LLVMSetCurrentDebugLocation2(e->builder, line);
    return function;
}

static void plain(Emit *e, NestOp op, uint32_t index) {
    if (op == NEST_TILE_BEGIN) {
        LLVMTypeRef all = LLVMArrayType2(e->byte, TILES * TILE_BYTES);
        e->tiles = LLVMBuildAlloca(e->builder, all, "tiles");
        LLVMSetAlignment(e->tiles, ROW_BYTES);
    } else if (op == NEST_TILE_ZERO) {
        for (uint32_t r = 0; r < ROWS; r++)
            store(e, LLVMConstNull(emit_type(e, row_type)), row_of(e, tile_of(e, index), r));
    } else if (op == NEST_TILE_DOT) {
        LLVMValueRef function = plain_dot(e);
        LLVMValueRef tiles[3] = {tile_of(e, index % 8), tile_of(e, index / 8 % 8),
                                 tile_of(e, index / 64)};
        LLVMBuildCall2(e->builder, LLVMGlobalGetValueType(function), function, tiles, 3, "");
    }
}

static void plain_rows(Emit *e, bool out, uint32_t index, LLVMValueRef at, LLVMValueRef step) {
    for (uint32_t r = 0; r < ROWS; r++) {
        LLVMValueRef row = LLVMBuildMul(e->builder, step, emit_index(e, 4 * (int64_t)r), "");
        LLVMValueRef memory = offset(e, at, row), own = row_of(e, tile_of(e, index), r);
        store(e, load(e, row_type, out ? own : memory), out ? memory : own);
    }
}

/* --- both --------------------------------------------------------------------------------------*/

void emit_tile(Emit *e, NestOp op, uint32_t index) {
    if (!e->target->tiles) {
        plain(e, op, index);
    } else if (op == NEST_TILE_BEGIN) {
        LLVMValueRef all = configuration(e);
        emit_intrinsic(e, "llvm.x86.ldtilecfg", NULL, NULL, &all, 1);
    } else if (op == NEST_TILE_END) {
        emit_intrinsic(e, "llvm.x86.tilerelease", NULL, NULL, NULL, 0);
    } else if (op == NEST_TILE_ZERO) {
        LLVMValueRef tile = small(e, index);
        emit_intrinsic(e, "llvm.x86.tilezero", NULL, NULL, &tile, 1);
    } else {
        LLVMValueRef tiles[3] = {small(e, index % 8), small(e, index / 8 % 8),
                                 small(e, index / 64)};
        emit_intrinsic(e, "llvm.x86.tdpbf16ps", NULL, NULL, tiles, 3);
    }
}

void emit_tile_rows(Emit *e, bool out, uint32_t index, LLVMValueRef at, LLVMValueRef step) {
    if (!e->target->tiles) {
        plain_rows(e, out, index, at, step);
        return;
    }
    LLVMValueRef bytes = LLVMBuildMul(e->builder, step, emit_index(e, 4), "");
    LLVMValueRef arguments[3] = {small(e, index), at, bytes};
    emit_intrinsic(e, out ? "llvm.x86.tilestored64" : "llvm.x86.tileloadd64", NULL, NULL, arguments,
                   3);
}
