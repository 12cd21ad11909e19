/* pow: exp(y log x), the logarithm carried with more bits than the result. f32 computes in f64;
 * f64 carries log x as a sum of two numbers. */
#include "codegen/emit.h"
#include "codegen/math_coefficients.h"
#include <math.h>

typedef struct {
    LLVMValueRef high, low;
} Pair;

/* high + low = x + y exactly; |x| >= |y| is not needed. */
static Pair pair_sum(const Math *m, LLVMValueRef x, LLVMValueRef y) {
    LLVMValueRef s = math_add(m, x, y);
    LLVMValueRef t = math_sub(m, s, x);
    LLVMValueRef low = math_add(m, math_sub(m, x, math_sub(m, s, t)), math_sub(m, y, t));
    return (Pair){s, low};
}

/* x = high + low with 26 bits each, for machines without fused multiply-add. */
static Pair pair_halves(const Math *m, LLVMValueRef x) {
    LLVMValueRef c = math_mul(m, x, math_const(m, 0x1p27 + 1));
    LLVMValueRef high = math_sub(m, c, math_sub(m, c, x));
    return (Pair){high, math_sub(m, x, high)};
}

/* high + low = x * y exactly. */
static Pair pair_product(const Math *m, LLVMValueRef x, LLVMValueRef y) {
    LLVMValueRef p = math_mul(m, x, y);
    if (m->e->target->fma)
        return (Pair){p, math_fma(m, x, y, math_neg(m, p))};
    Pair a = pair_halves(m, x), b = pair_halves(m, y);
    LLVMValueRef low = math_sub(m, math_mul(m, a.high, b.high), p);
    low = math_add(m, low, math_mul(m, a.high, b.low));
    low = math_add(m, low, math_mul(m, a.low, b.high));
    return (Pair){p, math_add(m, low, math_mul(m, a.low, b.low))};
}

static Pair pair_times(const Math *m, Pair x, Pair y) {
    Pair p = pair_product(m, x.high, y.high);
    LLVMValueRef cross = math_add(m, math_mul(m, x.high, y.low), math_mul(m, x.low, y.high));
    p.low = math_add(m, p.low, cross);
    return p;
}

/* log x of a positive finite x: 2 s + s³ (2/3 + s² T(s²)) + e ln 2, s = (m - 1) / (m + 1). */
static Pair pair_log(const Math *m, LLVMValueRef x) {
    LLVMValueRef e;
    LLVMValueRef f = math_sub(m, math_split(m, x, &e), math_const(m, 1));
    Pair d = pair_sum(m, math_const(m, 2), f);
    Pair s;
    s.high = math_div(m, f, d.high);
    Pair back = pair_product(m, s.high, d.high);
    LLVMValueRef rest = math_sub(m, math_sub(m, f, back.high), back.low);
    rest = math_sub(m, rest, math_mul(m, s.high, d.low));
    s.low = math_div(m, rest, d.high);
    Pair z = pair_times(m, s, s);
    LLVMValueRef tail = math_polynomial(m, z.high, math_pow_f64, MATH_LENGTH(math_pow_f64));
    Pair c = pair_sum(m, math_const(m, math_two_thirds[0]), math_mul(m, z.high, tail));
    c.low = math_add(m, c.low, math_const(m, math_two_thirds[1]));
    Pair q = pair_times(m, pair_times(m, s, z), c);
    Pair sum =
        pair_sum(m, math_mul(m, e, math_const(m, math_ln2_f64[0])), math_add(m, s.high, s.high));
    LLVMValueRef low = math_add(m, math_add(m, s.low, s.low), sum.low);
    low = math_add(m, low, math_mul(m, e, math_const(m, math_ln2_f64[1])));
    Pair log = pair_sum(m, sum.high, q.high);
    low = math_add(m, low, q.low);
    low = math_add(m, low, log.low);
    return pair_sum(m, log.high, low);
}

/* |x|^y with C's answers where x is 0, infinite or NaN. */
static LLVMValueRef pow_magnitude(const Math *m, LLVMValueRef a, LLVMValueRef y) {
    LLVMBuilderRef b = m->e->builder;
    LLVMValueRef inf = math_const(m, INFINITY), zero = math_const(m, 0), one = math_const(m, 1);
    Pair log = pair_log(m, a);
    Pair p = pair_product(m, y, log.high);
    p.low = math_add(m, p.low, math_mul(m, y, log.low));
    /* Where the product is out of exp's range its low part means nothing (it may be NaN). */
    LLVMValueRef near = math_less(m, math_abs(m, p.high), math_const(m, 800));
    LLVMValueRef r = math_exp_parts(m, p.high, math_select(m, near, p.low, zero));
    LLVMValueRef up = math_less(m, zero, y);
    LLVMValueRef of_zero = math_select(m, up, zero, inf), of_inf = math_select(m, up, inf, zero);
    r = math_select(m, LLVMBuildFCmp(b, LLVMRealOEQ, a, zero, ""), of_zero, r);
    r = math_select(m, LLVMBuildFCmp(b, LLVMRealOEQ, a, inf, ""), of_inf, r);
    r = math_select(m, LLVMBuildFCmp(b, LLVMRealUNO, a, y, ""), math_const(m, NAN), r);
    LLVMValueRef trivial = LLVMBuildOr(b, LLVMBuildFCmp(b, LLVMRealOEQ, a, one, ""),
                                       LLVMBuildFCmp(b, LLVMRealOEQ, y, zero, ""), "");
    /* 1^NaN is 1 for x = 1, but the sign of x decides below. */
    return math_select(m, trivial, one, r);
}

static LLVMValueRef pow_f64(const Math *m, LLVMValueRef x, LLVMValueRef y) {
    LLVMBuilderRef b = m->e->builder;
    LLVMValueRef r = pow_magnitude(m, math_abs(m, x), y);
    LLVMValueRef whole = LLVMBuildFCmp(b, LLVMRealOEQ, math_floor(m, y), y, "");
    LLVMValueRef half = math_mul(m, y, math_const(m, 0.5));
    LLVMValueRef odd =
        LLVMBuildAnd(b, whole, LLVMBuildFCmp(b, LLVMRealONE, math_floor(m, half), half, ""), "");
    /* Odd powers take x's sign, that of a zero too; other powers of negative numbers are NaN. */
    r = math_select(m, odd, math_copysign(m, r, x), r);
    LLVMValueRef negative = math_less(m, x, math_const(m, 0));
    LLVMValueRef finite = LLVMBuildFCmp(b, LLVMRealONE, x, math_const(m, -INFINITY), "");
    LLVMValueRef bad =
        LLVMBuildAnd(b, LLVMBuildAnd(b, negative, finite, ""), LLVMBuildNot(b, whole, ""), "");
    return math_select(m, bad, math_const(m, NAN), r);
}

LLVMValueRef math_pow(const Math *m, LLVMValueRef x, LLVMValueRef y) {
    if (m->type.elem == NEST_F64)
        return pow_f64(m, x, y);
    Math wide = math_of(m->e, (NestType){NEST_F64, m->type.lanes});
    LLVMTypeRef type = emit_type(m->e, wide.type);
    LLVMValueRef r = pow_f64(&wide, LLVMBuildFPExt(m->e->builder, x, type, ""),
                             LLVMBuildFPExt(m->e->builder, y, type, ""));
    return LLVMBuildFPTrunc(m->e->builder, r, emit_type(m->e, m->type), "");
}
