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
    LLVMValueRef e = math_expm1(m, math_at_most(m, math_add(m, a, a), math_is_f32(m) ? 20 : 45));
    return math_copysign(m, math_div(m, e, math_add(m, e, math_const(m, 2))), x);
}

static LLVMValueRef math_sigmoid(const Math *m, LLVMValueRef x) {
    LLVMValueRef e = math_exp(m, math_neg(m, math_abs(m, x)));
    LLVMValueRef one = math_const(m, 1);
    LLVMValueRef numerator = math_select(m, math_less(m, x, math_const(m, 0)), e, one);
    /* NaN reaches the denominator. */
    return math_div(m, numerator, math_add(m, one, e));
}

/* erf(x) = 1 - exp(log erfc(x)), the logarithm a polynomial without a constant term, up to where
 * the result rounds to 1. What its first coefficient lacks in f32 the others' constant term has. */
static LLVMValueRef math_erf_short(const Math *m, LLVMValueRef x) {
    LLVMValueRef a = math_at_most(m, math_abs(m, x), 4);
    LLVMValueRef rest =
        math_polynomial(m, a, math_log_erfc_f32 + 1, MATH_LENGTH(math_log_erfc_f32) - 1);
    LLVMValueRef log = math_mul(m, a, math_const(m, math_log_erfc_f32[0]));
    return math_copysign(m, math_expm1(m, math_fma(m, a, rest, log)), x);
}

/* The same of doubles: x + x P(x²) up to 1, then 1 - exp(log erfc(x)) with another for log erfc. */
static LLVMValueRef math_erf_long(const Math *m, LLVMValueRef x) {
    const double top = 6;
    LLVMValueRef a = math_abs(m, x);
    LLVMValueRef small =
        math_polynomial(m, math_mul(m, a, a), math_erf_f64, MATH_LENGTH(math_erf_f64));
    small = math_fma(m, a, small, a);
    LLVMValueRef u = math_sub(m, math_at_most(m, a, top), math_const(m, (1 + top) / 2));
    LLVMValueRef tail =
        math_exp(m, math_polynomial(m, u, math_erfc_f64, MATH_LENGTH(math_erfc_f64)));
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
        return math_is_f32(&m) ? math_erf_short(&m, x) : math_erf_long(&m, x);
    case NEST_SIN:
    case NEST_COS:
        return math_sin_cos(&m, x, op == NEST_COS);
    case NEST_POW:
        return math_pow(&m, x, y);
    default:
        return math_floor(&m, x);
    }
}
