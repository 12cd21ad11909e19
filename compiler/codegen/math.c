/* exp, log and what is made of them, at any number of lanes.
 *
 * Errors against the exact value, in ulp, over the ranges of tests/unit/test_codegen.c (which fails
 * when they are exceeded): exp 1.2, log 1, rsqrt 1.5, tanh 3, sigmoid 2.5, erf 3 (f32) and 4 (f64),
 * sin and cos 2.5 for |x| <= 1e5, pow 1 (f32) and 1.5 (f64). Infinities, NaN, zeros and subnormal
 * numbers behave as in C's math.h, but sin and cos beyond 1e6 are only bounded.
 *
 * Polynomials come from math_fit.py. No instruction here carries fast-math flags: error terms must
 * not be rearranged. Constants of range reduction have few enough bits that products with the
 * integers met are exact on machines without fused multiply-add. */
#include "codegen/emit.h"
#include "codegen/math_coefficients.h"
#include <math.h>

/* tanh |x| = (exp(2|x|) - 1) / (exp(2|x|) + 1) keeps its relative precision near zero. */
static LLVMValueRef math_tanh(const Math *m, LLVMValueRef x) {
    LLVMValueRef a = math_abs(m, x);
    LLVMValueRef e = math_expm1_positive(m, math_add(m, a, a), math_is_f32(m) ? 20 : 45);
    return math_copysign(m, math_div(m, e, math_add(m, e, math_const(m, 2))), x);
}

static LLVMValueRef math_sigmoid(const Math *m, LLVMValueRef x) {
    LLVMValueRef e = math_exp(m, math_neg(m, math_abs(m, x)));
    LLVMValueRef one = math_const(m, 1);
    LLVMValueRef numerator = math_select(m, math_less(m, x, math_const(m, 0)), e, one);
    /* NaN reaches the denominator. */
    return math_div(m, numerator, math_add(m, one, e));
}

/* erf(x) = x + x P(x²) up to 1, then 1 - exp(log erfc(x)) with a polynomial for log erfc. */
static LLVMValueRef math_erf(const Math *m, LLVMValueRef x) {
    double top = math_is_f32(m) ? 4 : 6;
    LLVMValueRef a = math_abs(m, x);
    LLVMValueRef small = math_polynomial(m, math_mul(m, a, a), MATH_TABLE(m, math_erf));
    small = math_fma(m, a, small, a);
    LLVMValueRef u = math_sub(m, math_at_most(m, a, top), math_const(m, (1 + top) / 2));
    LLVMValueRef tail = math_exp(m, math_polynomial(m, u, MATH_TABLE(m, math_erfc)));
    LLVMValueRef large = math_sub(m, math_const(m, 1), tail);
    LLVMValueRef erf = math_select(m, math_less(m, math_const(m, 1), a), large, small);
    return math_copysign(m, erf, x);
}

static LLVMValueRef math_sqrt(const Math *m, LLVMValueRef x) {
    return emit_intrinsic(m->e, "llvm.sqrt", emit_type(m->e, m->type), NULL, &x, 1);
}

LLVMValueRef math_emit(Emit *e, NestOp op, NestType type, LLVMValueRef x, LLVMValueRef y) {
    Math m = math_of(e, type);
    switch (op) {
    case NEST_EXP:
        return math_exp(&m, x);
    case NEST_EXP2:
        return math_exp2(&m, x);
    case NEST_LOG:
        return math_log(&m, x);
    case NEST_SQRT:
        return math_sqrt(&m, x);
    case NEST_RSQRT:
        return math_div(&m, math_const(&m, 1), math_sqrt(&m, x));
    case NEST_TANH:
        return math_tanh(&m, x);
    case NEST_SIGMOID:
        return math_sigmoid(&m, x);
    case NEST_ERF:
        return math_erf(&m, x);
    case NEST_SIN:
    case NEST_COS:
        return math_sin_cos(&m, x, op == NEST_COS);
    case NEST_POW:
        return math_pow(&m, x, y);
    default:
        return math_floor(&m, x);
    }
}
