#!/usr/bin/env python3
"""Fits the polynomials of math*.c and prints math_coefficients.h.

Each is a weighted least-squares fit on Chebyshev points, which is within a small factor of the
minimax polynomial. Coefficients are rounded to their type one after the other, lowest order first,
the rest being fitted again each time, so rounding costs almost nothing. Needs mpmath.

    python3 math_fit.py > math_coefficients.h
"""
from mpmath import mp, mpf, matrix, lu_solve, cos, pi, exp, expm1, log, log1p, erf, erfc, sin, sqrt
from mpmath import atanh
import struct

mp.dps = 60


def to_type(x, bits):
    if bits == 64:
        return mpf(float(x))
    return mpf(struct.unpack("f", struct.pack("f", float(x)))[0])


def fit(f, weight, low, high, degree, bits):
    """Coefficients c with sum c[k] x^k near f(x), minimising weight(x) * error."""
    low, high = mpf(low), mpf(high)
    n = 6 * (degree + 1)
    points = [(low + high) / 2 + (high - low) / 2 * cos(pi * (2 * k + 1) / (2 * n)) for k in range(n)]
    fixed = []
    while len(fixed) <= degree:
        free = range(len(fixed), degree + 1)
        a = matrix(n, len(free))
        y = matrix(n, 1)
        for i, x in enumerate(points):
            w = weight(x)
            for j, power in enumerate(free):
                a[i, j] = w * x ** power
            y[i] = w * (f(x) - sum(c * x ** k for k, c in enumerate(fixed)))
        solution = lu_solve(a, y)
        fixed.append(to_type(solution[0], bits))
    worst = max(abs(weight(x) * (f(x) - sum(c * x ** k for k, c in enumerate(fixed)))) for x in points)
    return fixed, worst


def emit(name, what, f, weight, low, high, degree, bits, apart=()):
    c, worst = fit(f, weight, low, high, degree, bits)
    c = [*apart, *c]
    print(f"/* {what}; weighted error 2^{float(log(worst, 2)):.1f} */")
    print(f"static const double {name}[{len(c)}] = {{")
    for x in c:
        print(f"    {float(x).hex()},")
    print("};")


def limit(f, at_zero):
    return lambda x: mpf(at_zero) if abs(x) < mpf(10) ** -25 else f(x)


half_ln2 = log(mpf(2)) / 2 * mpf("1.01")
low_f, high_f = sqrt(mpf("0.5")) - 1 - mpf("1e-4"), sqrt(mpf(2)) - 1 + mpf("1e-4")
z_max = (high_f / (2 + high_f)) ** 2 * mpf("1.01")
quarter = (pi / 4 * mpf("1.01")) ** 2

print("/* Written by math_fit.py: polynomials of math*.c, lowest order first. */")
print("#ifndef HCC_CODEGEN_MATH_COEFFICIENTS_H\n#define HCC_CODEGEN_MATH_COEFFICIENTS_H\n")
for bits, exp_d, trig_d in ((32, 4, 2), (64, 9, 5)):
    t = f"f{bits}"
    emit(f"math_exp_{t}", "(exp(r) - 1 - r) / r^2, |r| <= ln(2)/2",
         limit(lambda r: (expm1(r) - r) / r ** 2, 0.5), lambda r: r ** 2, -half_ln2, half_ln2, exp_d, bits)
    emit(f"math_sin_{t}", "(sin(r) - r) / r^3 in r^2, |r| <= pi/4",
         limit(lambda z: (sin(sqrt(z)) - sqrt(z)) / sqrt(z) ** 3, mpf(-1) / 6), lambda z: z,
         mpf("1e-9"), quarter, trig_d, bits)
    emit(f"math_cos_{t}", "(cos(r) - 1 + r^2/2) / r^4 in r^2, |r| <= pi/4",
         limit(lambda z: (cos(sqrt(z)) - 1 + z / 2) / z ** 2, mpf(1) / 24), lambda z: z ** 2,
         mpf("1e-9"), quarter, trig_d, bits)
first = to_type(-2 / sqrt(pi), 32)
emit("math_log_erfc_f32", "log(erfc(x)) / x, 0 <= x <= 4: of what has no x a part apart",
     limit(lambda x: log(erfc(x)) / x - first, -2 / sqrt(pi) - first),
     limit(lambda x: x * erfc(x) / erf(x), sqrt(pi) / 2), 0, 4, 8, 32, [first])
emit("math_erf_f64", "erf(x) / x - 1 in x^2, |x| <= 1",
     limit(lambda z: erf(sqrt(z)) / sqrt(z) - 1, 2 / sqrt(pi) - 1), lambda z: mpf(1), 0, mpf("1.02"), 12, 64)
emit("math_erfc_f64", "log(erfc(x)) in x - 3.5, 1 <= x <= 6", lambda u: log(erfc(u + mpf("3.5"))),
     lambda u: erfc(u + mpf("3.5")) * (u + mpf("4.5")), mpf("0.99") - mpf("3.5"), mpf("2.5"), 20, 64)
emit("math_exp2_f32", "2^r, 0 <= r <= 1", lambda r: mpf(2) ** r, lambda r: mpf(2) ** -r,
     mpf("-1e-3"), mpf("1.001"), 4, 32)
emit("math_log_f32", "(log(1 + f) - f + f^2/2) / f^3, sqrt(1/2) <= 1 + f <= sqrt(2)",
     limit(lambda f: (log1p(f) - f + f * f / 2) / f ** 3, mpf(1) / 3), lambda f: f ** 2 if f else 0,
     low_f, high_f, 7, 32)
emit("math_log_f64", "(log((1+s)/(1-s)) / s - 2) / s^2 in s^2",
     limit(lambda z: (2 * atanh(sqrt(z)) / sqrt(z) - 2) / z, mpf(2) / 3), lambda z: z, mpf("1e-9"), z_max, 6, 64)
emit("math_pow_f64", "(log((1+s)/(1-s)) / s - 2 - 2/3 s^2) / s^4 in s^2",
     limit(lambda z: (2 * atanh(sqrt(z)) / sqrt(z) - 2 - 2 * z / 3) / z ** 2, mpf(2) / 5), lambda z: z * z,
     mpf("1e-9"), z_max, 6, 64)
ln2 = log(mpf(2))


def split(name, x, keep_bits, parts, bits):
    """x as a sum: all parts but the last have keep_bits significant bits."""
    values = []
    for k in range(parts):
        if k == parts - 1:
            v = to_type(x, bits)
        else:
            scale = mpf(2) ** (keep_bits - 1 - mp.floor(log(abs(x), 2)))
            v = mp.floor(x * scale) / scale
        values.append(v)
        x -= v
    print(f"static const double {name}[{parts}] = {{" + ", ".join(float(v).hex() for v in values) + "};")


print("/* Constants in parts, so that products with small integers are exact. */")
split("math_ln2_f32", ln2, 15, 2, 32)
split("math_ln2_f64", ln2, 40, 2, 64)
split("math_half_pi", pi / 2, 33, 4, 64)
split("math_two_thirds", mpf(2) / 3, 53, 2, 64)
print("\n#endif")
