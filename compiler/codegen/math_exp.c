/* exp and log, of which the other functions are made (math.c says how exact they are). */
#include "codegen/emit.h"
#include "codegen/math_coefficients.h"
#include <math.h>

static LLVMValueRef math_integer(const Math *m, int64_t x) {
    return emit_integer(m->e, m->integer, x);
}

/* 2^k for an integer k in the exponent's range. */
static LLVMValueRef math_power_of_two(const Math *m, LLVMValueRef k) {
    LLVMBuilderRef b = m->e->builder;
    LLVMValueRef biased = LLVMBuildAdd(b, k, math_integer(m, math_is_f32(m) ? 127 : 1023), "");
    return math_from_bits(m,
                          LLVMBuildShl(b, biased, math_integer(m, math_is_f32(m) ? 23 : 52), ""));
}

/* x = n ln 2 + r, n a whole number and *k the same as an integer. Returns exp(r) - 1. */
static LLVMValueRef math_expm1_reduced(const Math *m, LLVMValueRef x, LLVMValueRef low,
                                       LLVMValueRef *n_out, LLVMValueRef *k) {
    LLVMValueRef n = *n_out = math_round(m, x, 0x1.71547652b82fep0, k); /* 1 / ln 2 */
    const double *ln2 = math_is_f32(m) ? math_ln2_f32 : math_ln2_f64;
    LLVMValueRef r = math_fma(m, n, math_const(m, -ln2[0]), x);
    r = math_fma(m, n, math_const(m, -ln2[1]), r);
    if (low)
        r = math_add(m, r, low);
    LLVMValueRef tail = math_polynomial(m, r, MATH_TABLE(m, math_exp));
    return math_fma(m, math_mul(m, r, r), tail, r);
}

/* 0, 1, 2 for vectors of 16, 32, 64 bytes that AVX-512 has functions for; else -1. */
static int math_width(const Math *m) {
    const uint32_t bytes = m->type.lanes * (math_is_f32(m) ? 4 : 8);
    if (!m->e->target->avx512)
        return -1;
    return bytes == 16 ? 0 : bytes == 32 ? 1 : bytes == 64 ? 2 : -1;
}

/* Lanes as bits of an integer, of eight at least. */
static LLVMValueRef math_mask(const Math *m, LLVMValueRef lanes) {
    LLVMBuilderRef b = m->e->builder;
    const uint32_t n = m->type.lanes, bits = n < 8 ? 8 : n;
    LLVMValueRef place[64];
    for (uint32_t k = 0; k < bits; k++) /* those that there are not: one of the second vector's */
        place[k] = LLVMConstInt(m->e->elem[NEST_I32], k < n ? k : n, false);
    lanes = LLVMBuildShuffleVector(b, lanes, LLVMConstNull(LLVMTypeOf(lanes)),
                                   LLVMConstVector(place, bits), "");
    return LLVMBuildBitCast(b, lanes, LLVMIntTypeInContext(m->e->context, bits), "");
}

/* A function of AVX-512 on x and y in the lanes of a mask (NULL: all), 0 in the others; its last
 * parameter is the usual rounding. */
static LLVMValueRef math_function(const Math *m, const char *name, LLVMValueRef x, LLVMValueRef y,
                                  LLVMValueRef mask) {
    Emit *e = m->e;
    LLVMTypeRef bits = LLVMIntTypeInContext(e->context, m->type.lanes < 8 ? 8 : m->type.lanes);
    LLVMValueRef arguments[5] = {
        x, y, mask ? LLVMConstNull(LLVMTypeOf(x)) : LLVMGetPoison(LLVMTypeOf(x)),
        mask ? mask : LLVMConstAllOnes(bits), LLVMConstInt(e->elem[NEST_I32], 4, false)};
    return emit_intrinsic(e, name, NULL, NULL, arguments, math_width(m) == 2 ? 5 : 4);
}

/* AVX-512 scales by a power of two in one instruction, right at both ends of the range; NULL where
 * there is none for this width. */
static LLVMValueRef math_scale_at_once(const Math *m, LLVMValueRef x, LLVMValueRef n,
                                       LLVMValueRef mask) {
    static const char *const names[2][3] = {
        {"llvm.x86.avx512.mask.scalef.ps.128", "llvm.x86.avx512.mask.scalef.ps.256",
         "llvm.x86.avx512.mask.scalef.ps.512"},
        {"llvm.x86.avx512.mask.scalef.pd.128", "llvm.x86.avx512.mask.scalef.pd.256",
         "llvm.x86.avx512.mask.scalef.pd.512"}};
    const int width = math_width(m);
    return width < 0 ? NULL : math_function(m, names[!math_is_f32(m)][width], x, n, mask);
}

/* x less the whole number below it. */
static LLVMValueRef math_fraction(const Math *m, LLVMValueRef x) {
    enum { DOWN = 1 };
    static const char *const names[3] = {"llvm.x86.avx512.mask.reduce.ps.128",
                                         "llvm.x86.avx512.mask.reduce.ps.256",
                                         "llvm.x86.avx512.mask.reduce.ps.512"};
    return math_function(m, names[math_width(m)], x,
                         LLVMConstInt(m->e->elem[NEST_I32], DOWN, false), NULL);
}

/* Results that are no normal numbers are not asked for: making them takes some processors a hundred
 * times as long, and for softmax, which hides keys by an x of -inf, they are 0. */
LLVMValueRef math_exp2(const Math *m, LLVMValueRef x) {
    if (math_width(m) >= 0) {
        LLVMValueRef is = LLVMBuildFCmp(m->e->builder, LLVMRealUGE, x, math_const(m, -126), "");
        LLVMValueRef p =
            math_polynomial(m, math_fraction(m, x), math_exp2_f32, MATH_LENGTH(math_exp2_f32));
        return math_scale_at_once(m, p, x, math_mask(m, is));
    }
    LLVMValueRef k; /* -127 makes a zero */
    x = math_at_least(m, x, -126.75);
    LLVMValueRef n = math_round(m, math_sub(m, x, math_const(m, 0.5)), 1, &k);
    LLVMValueRef p =
        math_polynomial(m, math_sub(m, x, n), math_exp2_f32, MATH_LENGTH(math_exp2_f32));
    return math_mul(m, p, math_power_of_two(m, k));
}

/* exp(x + low). Elsewhere scaled in two steps, so that both ends of the range come out right. */
LLVMValueRef math_exp_parts(const Math *m, LLVMValueRef x, LLVMValueRef low) {
    LLVMBuilderRef b = m->e->builder;
    x = math_at_most(m, x, math_is_f32(m) ? 89 : 710);
    x = math_at_least(m, x, math_is_f32(m) ? -104 : -746);
    LLVMValueRef n, k;
    LLVMValueRef e = math_add(m, math_expm1_reduced(m, x, low, &n, &k), math_const(m, 1));
    LLVMValueRef scaled = math_scale_at_once(m, e, n, NULL);
    if (scaled)
        return scaled;
    LLVMValueRef half = LLVMBuildAShr(b, k, math_integer(m, 1), "");
    LLVMValueRef rest = LLVMBuildSub(b, k, half, "");
    e = math_mul(m, e, math_power_of_two(m, half));
    return math_mul(m, e, math_power_of_two(m, rest));
}

LLVMValueRef math_exp(const Math *m, LLVMValueRef x) {
    return math_exp_parts(m, x, NULL);
}

LLVMValueRef math_expm1(const Math *m, LLVMValueRef y) {
    LLVMValueRef n, k;
    LLVMValueRef p = math_expm1_reduced(m, y, NULL, &n, &k);
    LLVMValueRef scale = math_power_of_two(m, k);
    return math_fma(m, p, scale, math_sub(m, scale, math_const(m, 1)));
}

LLVMValueRef math_split(const Math *m, LLVMValueRef x, LLVMValueRef *exponent) {
    LLVMBuilderRef b = m->e->builder;
    LLVMValueRef zero = math_const(m, 0);
    LLVMValueRef tiny = math_less(m, x, math_const(m, math_is_f32(m) ? 0x1p-126 : 0x1p-1022));
    double lift = math_is_f32(m) ? 24 : 54;
    LLVMValueRef lifted = math_mul(m, x, math_const(m, ldexp(1, (int)lift)));
    x = math_select(m, tiny, lifted, x);
    LLVMValueRef correction = math_select(m, tiny, math_const(m, -lift), zero);
    LLVMValueRef bits = math_bits(m, x);
    LLVMValueRef base = math_bits(m, math_const(m, 0x1.6a09e667f3bcdp-1)); /* sqrt(1/2) */
    LLVMValueRef shift = math_integer(m, math_is_f32(m) ? 23 : 52);
    LLVMValueRef k = LLVMBuildAShr(b, LLVMBuildSub(b, bits, base, ""), shift, "");
    LLVMValueRef mantissa = LLVMBuildSub(b, bits, LLVMBuildShl(b, k, shift, ""), "");
    /* The exponent as a real; 64-bit integers are narrowed, which every machine converts. */
    if (!math_is_f32(m))
        k = LLVMBuildTrunc(b, k, emit_type(m->e, (NestType){NEST_I32, m->type.lanes}), "");
    LLVMValueRef real = LLVMBuildSIToFP(b, k, emit_type(m->e, m->type), "");
    *exponent = math_add(m, real, correction);
    return math_from_bits(m, mantissa);
}

LLVMValueRef math_log(const Math *m, LLVMValueRef x) {
    LLVMBuilderRef b = m->e->builder;
    LLVMValueRef e;
    LLVMValueRef f = math_sub(m, math_split(m, x, &e), math_const(m, 1));
    const double *ln2 = math_is_f32(m) ? math_ln2_f32 : math_ln2_f64;
    LLVMValueRef half_square = math_mul(m, math_mul(m, f, math_const(m, 0.5)), f);
    LLVMValueRef log;
    if (math_is_f32(m)) {
        LLVMValueRef cube = math_mul(m, math_mul(m, f, f), f);
        LLVMValueRef tail = math_polynomial(m, f, math_log_f32, MATH_LENGTH(math_log_f32));
        LLVMValueRef low = math_fma(m, cube, tail, math_mul(m, e, math_const(m, ln2[1])));
        log = math_add(m, math_sub(m, low, half_square), f);
    } else {
        /* log(1+f) = f - (f²/2 - s (f²/2 + R)), s = f/(2+f), R = 2 atanh(s)/s - 2 */
        LLVMValueRef s = math_div(m, f, math_add(m, f, math_const(m, 2)));
        LLVMValueRef z = math_mul(m, s, s);
        LLVMValueRef tail = math_polynomial(m, z, math_log_f64, MATH_LENGTH(math_log_f64));
        LLVMValueRef inner = math_fma(m, z, tail, half_square);
        LLVMValueRef low = math_fma(m, s, inner, math_mul(m, e, math_const(m, ln2[1])));
        log = math_sub(m, f, math_sub(m, half_square, low));
    }
    log = math_fma(m, e, math_const(m, ln2[0]), log);
    LLVMValueRef inf = math_const(m, INFINITY), zero = math_const(m, 0);
    log = math_select(m, LLVMBuildFCmp(b, LLVMRealOEQ, x, inf, ""), inf, log);
    log = math_select(m, LLVMBuildFCmp(b, LLVMRealOEQ, x, zero, ""), math_const(m, -INFINITY), log);
    return math_select(m, LLVMBuildFCmp(b, LLVMRealULT, x, zero, ""), math_const(m, NAN), log);
}
