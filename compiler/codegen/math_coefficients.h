/* Written by math_fit.py: polynomials of math*.c, lowest order first. */
#ifndef HCC_CODEGEN_MATH_COEFFICIENTS_H
#define HCC_CODEGEN_MATH_COEFFICIENTS_H

/* (exp(r) - 1 - r) / r^2, |r| <= ln(2)/2; weighted error 2^-28.0 */
static const double math_exp_f32[5] = {
    0x1.0000000000000p-1, 0x1.5554820000000p-3,  0x1.5554e00000000p-5,
    0x1.1244140000000p-7, 0x1.6d56f20000000p-10,
};
/* (sin(r) - r) / r^3 in r^2, |r| <= pi/4; weighted error 2^-27.9 */
static const double math_sin_f32[3] = {
    -0x1.5555440000000p-3,
    0x1.1106ce0000000p-7,
    -0x1.991fcc0000000p-13,
};
/* (cos(r) - 1 + r^2/2) / r^4 in r^2, |r| <= pi/4; weighted error 2^-33.1 */
static const double math_cos_f32[3] = {
    0x1.55554a0000000p-5,
    -0x1.6c0c1c0000000p-10,
    0x1.99e1d60000000p-16,
};
/* (exp(r) - 1 - r) / r^2, |r| <= ln(2)/2; weighted error 2^-57.8 */
static const double math_exp_f64[10] = {
    0x1.000000000000dp-1,  0x1.555555555555cp-3,  0x1.555555554f7dap-5,  0x1.111111110e939p-7,
    0x1.6c16c18770698p-10, 0x1.a01a01b4be162p-13, 0x1.a01991c4356e8p-16, 0x1.71ddecf49f9a2p-19,
    0x1.28b4baf9a218fp-22, 0x1.af717e34249b3p-26,
};
/* (sin(r) - r) / r^3 in r^2, |r| <= pi/4; weighted error 2^-57.8 */
static const double math_sin_f64[6] = {
    -0x1.5555555555547p-3, 0x1.111111110f59ap-7,   -0x1.a01a019bb47d0p-13,
    0x1.71de3525c38f1p-19, -0x1.ae5e25121cc97p-26, 0x1.5d7fd48b3625ap-33,
};
/* (cos(r) - 1 + r^2/2) / r^4 in r^2, |r| <= pi/4; weighted error 2^-63.9 */
static const double math_cos_f64[6] = {
    0x1.555555555554ap-5,   -0x1.6c16c16c14df3p-10, 0x1.a01a019c593ffp-16,
    -0x1.27e4f7c9bae0bp-22, 0x1.1ee9bff82d070p-29,  -0x1.8f97add31f3b2p-37,
};
/* log(erfc(x)) / x, 0 <= x <= 4: of what has no x a part apart; weighted error 2^-27.8 */
static const double math_log_erfc_f32[10] = {
    -0x1.20dd760000000p+0,  0x1.d83e620000000p-25, -0x1.45f2fc0000000p-1,  -0x1.a4f9940000000p-4,
    0x1.39c0a40000000p-6,   0x1.5d75380000000p-13, -0x1.b6ba060000000p-10, 0x1.4dc1c20000000p-11,
    -0x1.f1fd5a0000000p-14, 0x1.3acbc40000000p-17,
};
/* erf(x) / x - 1 in x^2, |x| <= 1; weighted error 2^-56.2 */
static const double math_erf_f64[13] = {
    0x1.06eba8214db69p-3,  -0x1.812746b0379fdp-2,  0x1.ce2f21a043604p-4,  -0x1.b82ce312aa9ddp-6,
    0x1.565bcd1254787p-8,  -0x1.c02db48c37e2bp-11, 0x1.f9a3334b734abp-14, -0x1.f4d30a9974725p-17,
    0x1.b9ec5c9c3bfe5p-20, -0x1.5f8409fa96d64p-23, 0x1.fb9419709dac7p-27, -0x1.43947f050df9bp-30,
    0x1.21516f371dfa2p-34,
};
/* log(erfc(x)) in x - 3.5, 1 <= x <= 6; weighted error 2^-63.8 */
static const double math_erfc_f64[21] = {
    -0x1.c3991652a25b9p+3,  -0x1.d107c69160807p+2,  -0x1.eefa41a2d8050p-1,  -0x1.5677ff2310b28p-8,
    0x1.ca1054270b44dp-11,  -0x1.34e7e708916d9p-13, 0x1.99224d2f0c00ep-16,  -0x1.0507a76d4ef0dp-18,
    0x1.3a6d0b2767046p-21,  -0x1.59a6155e498b7p-24, 0x1.4e611852bfb91p-27,  -0x1.a039ab5150d7bp-31,
    -0x1.459cda1daf3ddp-33, -0x1.7a4920d4df246p-34, -0x1.b1dc2eed85982p-35, 0x1.82e88dfad4e73p-37,
    0x1.0dd845aec517fp-36,  0x1.1235785f067b8p-37,  0x1.24d4fa8007809p-39,  0x1.676959c5687c7p-42,
    0x1.8d648efebf1e5p-46,
};
/* 2^r, 0 <= r <= 1; weighted error 2^-18.5 */
static const double math_exp2_f32[5] = {
    0x1.0000280000000p+0, 0x1.62d1fa0000000p-1, 0x1.ee6f0a0000000p-3,
    0x1.aa53ce0000000p-5, 0x1.bb02600000000p-7,
};
/* (log(1 + f) - f + f^2/2) / f^3, sqrt(1/2) <= 1 + f <= sqrt(2); weighted error 2^-27.2 */
static const double math_log_f32[8] = {
    0x1.5555520000000p-2, -0x1.0002380000000p-2, 0x1.99a1340000000p-3, -0x1.546f240000000p-3,
    0x1.22c2280000000p-3, -0x1.0d89800000000p-3, 0x1.05f2a00000000p-3, -0x1.3a0a900000000p-4,
};
/* (log((1+s)/(1-s)) / s - 2) / s^2 in s^2; weighted error 2^-58.3 */
static const double math_log_f64[7] = {
    0x1.5555555555599p-1, 0x1.999999997db13p-2, 0x1.24924943e0f11p-2, 0x1.c71c506d22380p-3,
    0x1.746695d825fd2p-3, 0x1.3998b56686e18p-3, 0x1.2f62f74aa73a2p-3,
};
/* (log((1+s)/(1-s)) / s - 2 - 2/3 s^2) / s^4 in s^2; weighted error 2^-65.0 */
static const double math_pow_f64[7] = {
    0x1.9999999999b66p-2, 0x1.2492492451c8ap-2, 0x1.c71c7235a39b7p-3, 0x1.745ce71c0bc69p-3,
    0x1.3b1f6b200b807p-3, 0x1.0f7463fa235dbp-3, 0x1.0ead87d08b4d0p-3,
};
/* Constants in parts, so that products with small integers are exact. */
static const double math_ln2_f32[2] = {0x1.62e4000000000p-1, 0x1.7f7d1c0000000p-20};
static const double math_ln2_f64[2] = {0x1.62e42fefa2000p-1, 0x1.9ef35793c7673p-41};
static const double math_half_pi[4] = {0x1.921fb54400000p+0, 0x1.0b4611a600000p-34,
                                       0x1.3198a2e000000p-69, 0x1.b839a252049c1p-104};
static const double math_two_thirds[2] = {0x1.5555555555555p-1, 0x1.5555555555555p-55};

#endif
