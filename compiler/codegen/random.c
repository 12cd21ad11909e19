/* Random numbers from a counter: the rounds of base/philox.h on vectors, written out.
 *
 * A product of 32-bit words is taken in 64 bits, which every vector unit has an instruction for. */
#include "base/philox.h"
#include "codegen/emit.h"

typedef struct {
    Emit *e;
    NestType word;     /* i32 */
    LLVMTypeRef wide;  /* i64, as many lanes */
    LLVMTypeRef words; /* of `word` */
} Philox;

static LLVMValueRef random_word(const Philox *p, uint32_t x) {
    return emit_integer(p->e, p->word, (int32_t)x);
}

/* The low and high words of x * factor. */
static void random_multiply(const Philox *p, LLVMValueRef x, uint32_t factor, LLVMValueRef *low,
                            LLVMValueRef *high) {
    LLVMBuilderRef b = p->e->builder;
    NestType wide = {NEST_I64, p->word.lanes};
    LLVMValueRef product = LLVMBuildMul(b, LLVMBuildZExt(b, x, p->wide, ""),
                                        emit_integer(p->e, wide, (int64_t)factor), "");
    *low = LLVMBuildTrunc(b, product, p->words, "");
    *high = LLVMBuildTrunc(b, LLVMBuildLShr(b, product, emit_integer(p->e, wide, 32), ""), p->words,
                           "");
}

/* (words 1 and 0) as a fraction: 24 bits of word 1 for a float; for a double 53 bits of both, in
 * two parts that signed 32-bit conversions take and whose sum is exact. */
static LLVMValueRef random_fraction(const Philox *p, NestType type, const LLVMValueRef c[4]) {
    LLVMBuilderRef b = p->e->builder;
    LLVMTypeRef real = emit_type(p->e, type);
    if (type.elem == NEST_F32) {
        LLVMValueRef bits = LLVMBuildLShr(b, c[1], random_word(p, 8), "");
        return LLVMBuildFMul(b, LLVMBuildSIToFP(b, bits, real, ""), emit_real(p->e, type, 0x1p-24),
                             "");
    }
    LLVMValueRef high = LLVMBuildLShr(b, c[1], random_word(p, 5), "");
    LLVMValueRef middle =
        LLVMBuildShl(b, LLVMBuildAnd(b, c[1], random_word(p, 31), ""), random_word(p, 21), "");
    LLVMValueRef low = LLVMBuildOr(b, middle, LLVMBuildLShr(b, c[0], random_word(p, 11), ""), "");
    LLVMValueRef x =
        LLVMBuildFMul(b, LLVMBuildSIToFP(b, high, real, ""), emit_real(p->e, type, 0x1p-27), "");
    LLVMValueRef y =
        LLVMBuildFMul(b, LLVMBuildSIToFP(b, low, real, ""), emit_real(p->e, type, 0x1p-53), "");
    return LLVMBuildFAdd(b, x, y, "");
}

LLVMValueRef random_emit(Emit *e, NestType type, const LLVMValueRef operands[5]) {
    Philox p = {.e = e, .word = {NEST_I32, type.lanes}};
    p.words = emit_type(e, p.word);
    p.wide = emit_type(e, (NestType){NEST_I64, type.lanes});
    LLVMBuilderRef b = e->builder;
    LLVMTypeRef i32 = e->elem[NEST_I32];
    LLVMValueRef shifted = LLVMBuildLShr(b, operands[4], emit_index(e, 32), "");
    LLVMValueRef key[2] = {emit_splat(e, type.lanes, LLVMBuildTrunc(b, operands[4], i32, "")),
                           emit_splat(e, type.lanes, LLVMBuildTrunc(b, shifted, i32, ""))};
    LLVMValueRef c[4] = {operands[0], operands[1], operands[2], operands[3]};
    for (uint32_t round = 0; round < PHILOX_ROUNDS; round++) {
        LLVMValueRef low[2], high[2];
        random_multiply(&p, c[0], PHILOX_MULTIPLY_0, &low[0], &high[0]);
        random_multiply(&p, c[2], PHILOX_MULTIPLY_1, &low[1], &high[1]);
        c[0] = LLVMBuildXor(b, LLVMBuildXor(b, high[1], c[1], ""), key[0], "");
        c[1] = low[1];
        c[2] = LLVMBuildXor(b, LLVMBuildXor(b, high[0], c[3], ""), key[1], "");
        c[3] = low[0];
        key[0] = LLVMBuildAdd(b, key[0], random_word(&p, PHILOX_BUMP_0), "");
        key[1] = LLVMBuildAdd(b, key[1], random_word(&p, PHILOX_BUMP_1), "");
    }
    return random_fraction(&p, type, c);
}
