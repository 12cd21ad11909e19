/* bf16: the upper half of an f32. Two of them lie in an i32, the first in its low half.
 *
 * With AVX512-BF16 making and multiplying pairs are instructions, which take and give denormals for
 * zero, and so is a product of matrices of AArch64's with bf16; without, they are made of others,
 * which do not. */
#include "codegen/emit.h"

static LLVMValueRef integer(const Emit *e, NestType type, int64_t x) {
    return emit_integer(e, (NestType){NEST_I32, type.lanes}, x);
}

/* Rounded to nearest even, in the upper half; the lower one is of no meaning. */
static LLVMValueRef rounded(Emit *e, NestType type, LLVMValueRef x) {
    LLVMBuilderRef b = e->builder;
    LLVMTypeRef i32 = emit_type(e, (NestType){NEST_I32, type.lanes});
    LLVMValueRef bits = LLVMBuildBitCast(b, x, i32, "");
    LLVMValueRef odd =
        LLVMBuildAnd(b, LLVMBuildLShr(b, bits, integer(e, type, 16), ""), integer(e, type, 1), "");
    LLVMValueRef up = LLVMBuildAdd(b, LLVMBuildAdd(b, bits, integer(e, type, 0x7fff), ""), odd, "");
    LLVMValueRef nan = LLVMBuildFCmp(b, LLVMRealUNO, x, x, "");
    LLVMValueRef quiet = LLVMBuildOr(b, bits, integer(e, type, 0x400000), "");
    return LLVMBuildSelect(b, nan, quiet, up, "");
}

/* Which element of two vectors of i16, one behind the other: low halves of one, high of another. */
static LLVMValueRef interleaved(Emit *e, LLVMValueRef both, uint16_t lanes) {
    LLVMValueRef mask[64];
    for (uint32_t k = 0; k < 2u * lanes; k++)
        mask[k] = LLVMConstInt(e->elem[NEST_I32], k / 2 + (k % 2 ? lanes : 0), false);
    return LLVMBuildShuffleVector(e->builder, both, LLVMGetPoison(LLVMTypeOf(both)),
                                  LLVMConstVector(mask, 2 * lanes), "");
}

static LLVMTypeRef bf16_vector(const Emit *e, uint16_t lanes) {
    return LLVMVectorType(LLVMBFloatTypeInContext(e->context), lanes);
}

LLVMValueRef emit_to_bf16(Emit *e, uint16_t lanes, LLVMValueRef x) {
    LLVMTypeRef i16 = emit_type(e, (NestType){NEST_BF16, lanes});
    if (e->target->dot_bf16 && (lanes == 8 || lanes == 16)) {
        const char *name = lanes == 16 ? "llvm.x86.avx512bf16.cvtneps2bf16.512"
                                       : "llvm.x86.avx512bf16.cvtneps2bf16.256";
        return LLVMBuildBitCast(e->builder, emit_intrinsic(e, name, NULL, NULL, &x, 1), i16, "");
    }
    const NestType type = {NEST_F32, lanes};
    LLVMValueRef high = LLVMBuildLShr(e->builder, rounded(e, type, x), integer(e, type, 16), "");
    return LLVMBuildTrunc(e->builder, high, i16, "");
}

LLVMValueRef emit_from_bf16(Emit *e, uint16_t lanes, LLVMValueRef x) {
    const NestType type = {NEST_F32, lanes};
    LLVMTypeRef i32 = emit_type(e, (NestType){NEST_I32, lanes});
    LLVMValueRef bits = LLVMBuildZExt(e->builder, x, i32, "");
    bits = LLVMBuildShl(e->builder, bits, integer(e, type, 16), "");
    return LLVMBuildBitCast(e->builder, bits, emit_type(e, type), "");
}

LLVMValueRef emit_exact_pair(Emit *e, NestType type, LLVMValueRef first, LLVMValueRef second) {
    LLVMBuilderRef b = e->builder;
    LLVMTypeRef i32 = emit_type(e, (NestType){NEST_I32, type.lanes});
    LLVMValueRef low = LLVMBuildBitCast(b, first, i32, "");
    low = LLVMBuildLShr(b, low, integer(e, type, 16), "");
    return LLVMBuildOr(b, low, LLVMBuildBitCast(b, second, i32, ""), "");
}

LLVMValueRef emit_pair(Emit *e, NestType type, LLVMValueRef first, LLVMValueRef second) {
    LLVMBuilderRef b = e->builder;
    LLVMTypeRef i32 = emit_type(e, (NestType){NEST_I32, type.lanes});
    if (e->target->dot_bf16 && type.lanes == 16) {
        LLVMValueRef both = emit_intrinsic(e, "llvm.x86.avx512bf16.cvtne2ps2bf16.512", NULL, NULL,
                                           (LLVMValueRef[]){second, first}, 2);
        return LLVMBuildBitCast(b, interleaved(e, both, type.lanes), i32, "");
    }
    LLVMValueRef low = LLVMBuildLShr(b, rounded(e, type, first), integer(e, type, 16), "");
    LLVMValueRef high = LLVMBuildAnd(b, rounded(e, type, second), integer(e, type, -65536), "");
    return LLVMBuildOr(b, low, high, "");
}

/* Every other element of two vectors, one behind the other. */
static LLVMValueRef every_other(Emit *e, LLVMValueRef x, LLVMValueRef y, uint16_t lanes,
                                uint32_t first) {
    LLVMValueRef mask[64];
    for (uint32_t k = 0; k < lanes; k++)
        mask[k] = LLVMConstInt(e->elem[NEST_I32], 2 * k + first, false);
    return LLVMBuildShuffleVector(e->builder, x, y, LLVMConstVector(mask, lanes), "");
}

LLVMValueRef emit_narrow(Emit *e, NestType type, LLVMValueRef x, LLVMValueRef y) {
    if (e->target->dot_bf16 && type.lanes == 16) {
        LLVMValueRef both = emit_intrinsic(e, "llvm.x86.avx512bf16.cvtne2ps2bf16.512", NULL, NULL,
                                           (LLVMValueRef[]){y, x}, 2);
        return LLVMBuildBitCast(e->builder, both, emit_type(e, (NestType){NEST_I32, 16}), "");
    }
    return emit_pair(e, type, every_other(e, x, y, type.lanes, 0),
                     every_other(e, x, y, type.lanes, 1));
}

static LLVMValueRef widened(Emit *e, NestType type, LLVMValueRef x, bool second) {
    LLVMBuilderRef b = e->builder;
    LLVMValueRef bits = second ? LLVMBuildAnd(b, x, integer(e, type, -65536), "")
                               : LLVMBuildShl(b, x, integer(e, type, 16), "");
    return LLVMBuildBitCast(b, bits, emit_type(e, type), "");
}

LLVMValueRef emit_dot(Emit *e, NestType type, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z) {
    LLVMBuilderRef b = e->builder;
    if (e->target->dot_bf16 && type.lanes >= 4 && type.lanes <= 16) {
        const char *name = type.lanes == 16  ? "llvm.x86.avx512bf16.dpbf16ps.512"
                           : type.lanes == 8 ? "llvm.x86.avx512bf16.dpbf16ps.256"
                                             : "llvm.x86.avx512bf16.dpbf16ps.128";
        LLVMTypeRef pairs = bf16_vector(e, 2 * type.lanes);
        return emit_intrinsic(e, name, NULL, NULL,
                              (LLVMValueRef[]){z, LLVMBuildBitCast(b, x, pairs, ""),
                                               LLVMBuildBitCast(b, y, pairs, "")},
                              3);
    }
    for (int second = 0; second < 2; second++) {
        LLVMValueRef product[3] = {widened(e, type, x, second), widened(e, type, y, second), z};
        z = e->target->fma ? emit_intrinsic(e, "llvm.fma", emit_type(e, type), NULL, product, 3)
                           : LLVMBuildFAdd(b, LLVMBuildFMul(b, product[0], product[1], ""), z, "");
    }
    return z;
}

LLVMValueRef emit_lanes_of(Emit *e, NestOp op, uint16_t lanes, LLVMValueRef x, LLVMValueRef y) {
    LLVMValueRef mask[64];
    for (uint32_t k = 0; k < lanes; k++) {
        const uint32_t woven = k / 2 + (k % 2 ? lanes : 0);
        const uint32_t from = op == NEST_WEAVE_LOW    ? woven
                              : op == NEST_WEAVE_HIGH ? woven + lanes / 2u
                                                      : 2 * k + (op == NEST_ODDS);
        mask[k] = LLVMConstInt(e->elem[NEST_I32], from, false);
    }
    return LLVMBuildShuffleVector(e->builder, x, y, LLVMConstVector(mask, lanes), "");
}

/* Lanes a, b, c, d of four. */
static LLVMValueRef four_of(Emit *e, LLVMValueRef x, const uint32_t of[4]) {
    LLVMValueRef mask[4];
    for (uint32_t k = 0; k < 4; k++)
        mask[k] = LLVMConstInt(e->elem[NEST_I32], of[k], false);
    return LLVMBuildShuffleVector(e->builder, x, LLVMGetPoison(LLVMTypeOf(x)),
                                  LLVMConstVector(mask, 4), "");
}

LLVMValueRef emit_matrix(Emit *e, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z) {
    LLVMBuilderRef b = e->builder;
    if (e->target->matrix_bf16) {
        LLVMTypeRef numbers = bf16_vector(e, 8);
        return emit_intrinsic(e, "llvm.aarch64.neon.bfmmla", NULL, NULL,
                              (LLVMValueRef[]){z, LLVMBuildBitCast(b, x, numbers, ""),
                                               LLVMBuildBitCast(b, y, numbers, "")},
                              3);
    }
    for (uint32_t pair = 0; pair < 2; pair++) {
        LLVMValueRef rows = four_of(e, x, (uint32_t[]){pair, pair, 2 + pair, 2 + pair}),
                     columns = four_of(e, y, (uint32_t[]){pair, 2 + pair, pair, 2 + pair});
        z = emit_dot(e, (NestType){NEST_F32, 4}, rows, columns, z);
    }
    return z;
}
