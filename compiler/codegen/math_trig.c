/* sin and cos: x = n pi/2 + r by parts of pi/2 short enough that n times them is exact for
 * |n| < 2^20; f32 reduces in f64. Beyond that range the result is only bounded. */
#include "codegen/emit.h"
#include "codegen/math_coefficients.h"

/* r in [-pi/4, pi/4] of an f64; the quarter turns in the low bits of *quarters. */
static LLVMValueRef trig_reduce(const Math *m, LLVMValueRef x, LLVMValueRef *quarters) {
    LLVMValueRef n = math_round(m, x, 0x1.45f306dc9c883p-1, quarters); /* 2 / pi */
    LLVMValueRef r = x;
    for (int k = 0; k < 4; k++)
        r = math_fma(m, n, math_const(m, -math_half_pi[k]), r);
    return math_at_least(m, math_at_most(m, r, 0.8), -0.8);
}

LLVMValueRef math_sin_cos(const Math *m, LLVMValueRef x, bool cosine) {
    Emit *e = m->e;
    LLVMBuilderRef b = e->builder;
    LLVMValueRef quarters, r;
    bool single = m->type.elem == NEST_F32;
    if (single) {
        Math wide = math_of(e, (NestType){NEST_F64, m->type.lanes});
        LLVMValueRef wide_x = LLVMBuildFPExt(b, x, emit_type(e, wide.type), "");
        r = LLVMBuildFPTrunc(b, trig_reduce(&wide, wide_x, &quarters), emit_type(e, m->type), "");
        quarters = LLVMBuildTrunc(b, quarters, emit_type(e, m->integer), "");
    } else {
        r = trig_reduce(m, x, &quarters);
    }
    LLVMValueRef z = math_mul(m, r, r);
    LLVMValueRef s = single ? math_polynomial(m, z, math_sin_f32, MATH_LENGTH(math_sin_f32))
                            : math_polynomial(m, z, math_sin_f64, MATH_LENGTH(math_sin_f64));
    LLVMValueRef c = single ? math_polynomial(m, z, math_cos_f32, MATH_LENGTH(math_cos_f32))
                            : math_polynomial(m, z, math_cos_f64, MATH_LENGTH(math_cos_f64));
    s = math_fma(m, math_mul(m, z, r), s, r);
    s = math_copysign(m, s, r); /* sin(-0) is -0 */
    c = math_mul(m, math_mul(m, z, z), c);
    /* 1 - z/2 loses bits that are added back with the small rest. */
    LLVMValueRef half = math_mul(m, z, math_const(m, 0.5));
    LLVMValueRef head = math_sub(m, math_const(m, 1), half);
    LLVMValueRef lost = math_sub(m, math_sub(m, math_const(m, 1), head), half);
    c = math_add(m, head, math_add(m, lost, c));
    if (cosine)
        quarters = LLVMBuildAdd(b, quarters, emit_integer(e, m->integer, 1), "");
    LLVMValueRef zero = emit_integer(e, m->integer, 0);
    LLVMValueRef odd = LLVMBuildAnd(b, quarters, emit_integer(e, m->integer, 1), "");
    LLVMValueRef swap = LLVMBuildICmp(b, LLVMIntNE, odd, zero, "");
    LLVMValueRef turn = LLVMBuildAnd(b, quarters, emit_integer(e, m->integer, 2), "");
    LLVMValueRef flip = LLVMBuildICmp(b, LLVMIntNE, turn, zero, "");
    LLVMValueRef y = math_select(m, swap, c, s);
    return math_select(m, flip, math_neg(m, y), y);
}
