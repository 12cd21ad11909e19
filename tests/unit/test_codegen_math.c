/* exp, log, tanh and the rest against libm, in units of the last place, over wide ranges, at
 * several widths, for this machine and for older ones of its kind. */
#include "codegen_support.h"

static long double exact(NestOp op, long double x, long double y) {
    switch (op) {
    case NEST_EXP:
        return expl(x);
    case NEST_LOG:
        return logl(x);
    case NEST_SQRT:
        return sqrtl(x);
    case NEST_RSQRT:
        return 1 / sqrtl(x);
    case NEST_TANH:
        return tanhl(x);
    case NEST_SIGMOID:
        return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x));
    case NEST_ERF:
        return erfl(x);
    case NEST_SIN:
        return sinl(x);
    case NEST_COS:
        return cosl(x);
    case NEST_FLOOR:
        return floorl(x);
    default:
        return powl(x, y);
    }
}

/* Distance in units of the last place of the exact value (of the smallest number when subnormal).
 */
static double ulps(NestElem elem, double got, long double want) {
    double largest = elem == NEST_F32 ? 0x1.fffffep127 : 0x1.fffffffffffffp1023;
    if (isnan((double)want))
        return isnan(got) ? 0 : INFINITY;
    double rounded = elem == NEST_F32 ? (float)want : (double)want;
    if (got == rounded)
        return 0;
    if (isnan(got) || isinf(rounded) || fabs(got) > largest)
        return fabsl(want) > 0.999999L * largest && (isinf(got) || fabs(got) > 0.999999 * largest)
                   ? 0.5
                   : INFINITY;
    int exponent;
    frexpl(want, &exponent);
    int bits = elem == NEST_F32 ? 24 : 53, lowest = elem == NEST_F32 ? -149 : -1074;
    int unit = exponent - bits < lowest ? lowest : exponent - bits;
    return (double)(fabsl((long double)got - want) / ldexpl(1, unit));
}

typedef struct {
    NestOp op;
    const char *name;
    double low, high; /* range of x; |x| is spread over exponents, too */
    double f32, f64;  /* most ulps */
} Accuracy;

static const Accuracy accuracies[] = {
    {NEST_EXP, "exp", -110, 92, 1.2, 1.2},      {NEST_EXP, "exp wide", -760, 720, 1.2, 1.2},
    {NEST_LOG, "log", 0, INFINITY, 1.0, 1.0},   {NEST_LOG, "log near 1", 0.5, 2, 1.0, 1.0},
    {NEST_SQRT, "sqrt", 0, INFINITY, 0.5, 0.5}, {NEST_RSQRT, "rsqrt", 0, INFINITY, 1.5, 1.5},
    {NEST_TANH, "tanh", -25, 25, 3.0, 3.0},     {NEST_SIGMOID, "sigmoid", -120, 120, 2.5, 2.5},
    {NEST_ERF, "erf", -7, 7, 3.0, 4.0},         {NEST_SIN, "sin", -1e5, 1e5, 2.0, 2.5},
    {NEST_COS, "cos", -1e5, 1e5, 2.0, 2.5},     {NEST_SIN, "sin near 0", -4, 4, 2.0, 2.0},
    {NEST_COS, "cos near 0", -4, 4, 2.0, 2.0},  {NEST_FLOOR, "floor", -1e6, 1e6, 0, 0},
    {NEST_POW, "pow", 0, INFINITY, 1.0, 1.5},   {NEST_POW, "pow near 1", 0.5, 2, 1.0, 1.5},
};
enum { N_ACCURACIES = sizeof accuracies / sizeof *accuracies };

/* Half of the samples uniform in the range, half with a uniform exponent. */
static double sample_x(const Accuracy *a, NestElem elem, uint64_t *seed, uint32_t k) {
    double u = (double)random_next(seed) / 0x1p31, v = (double)random_next(seed) / 0x1p31;
    double most = elem == NEST_F32 ? 0x1p127 : 0x1p1023;
    double high = a->high < most ? a->high : most;
    if (k % 2 == 0 && a->high < INFINITY)
        return a->low + (high - a->low) * (u + v * 0x1p-31);
    int top = (int)floor(log2(high)), bottom = elem == NEST_F32 ? -149 : -1074;
    double x = ldexp(1 + u + v * 0x1p-31, bottom + (int)(v * (top - bottom)));
    if (x < a->low || x > high)
        x = a->low + (high - a->low) * u;
    return a->low < 0 && k % 4 == 1 ? -x : x;
}

static const double specials[] = {0.0,
                                  -0.0,
                                  1,
                                  -1,
                                  INFINITY,
                                  -INFINITY,
                                  NAN,
                                  0x1p-149,
                                  2,
                                  -2,
                                  0.5,
                                  3,
                                  -3,
                                  1e30,
                                  -1e30,
                                  700,
                                  -700,
                                  0x1p-1074,
                                  0x1p-126,
                                  0x1p-1022,
                                  1e300,
                                  0x1.fffffep127,
                                  -0x1.fffffep127,
                                  88.72,
                                  -87.4,
                                  -103.9,
                                  2.5,
                                  -2.5};
enum { N_SPECIALS = sizeof specials / sizeof *specials };

typedef struct {
    uint32_t count;
    double *x, *y, *z;
    void *x_memory, *y_memory, *z_memory;
} Samples;

static Samples samples_create(uint32_t count) {
    Samples s = {.count = count};
    s.x = calloc(count, 8), s.y = calloc(count, 8), s.z = calloc(count, 8);
    s.x_memory = calloc(count, 8), s.y_memory = calloc(count, 8), s.z_memory = calloc(count, 8);
    return s;
}

static void samples_destroy(Samples *s) {
    free(s->x), free(s->y), free(s->z);
    free(s->x_memory), free(s->y_memory), free(s->z_memory);
}

static void samples_run(Samples *s, NestElem elem, HcKernel *kernel) {
    for (uint32_t k = 0; k < s->count; k++) {
        if (elem == NEST_F32) {
            s->x[k] = ((float *)s->x_memory)[k] = (float)s->x[k];
            s->y[k] = ((float *)s->y_memory)[k] = (float)s->y[k];
        } else {
            ((double *)s->x_memory)[k] = s->x[k];
            ((double *)s->y_memory)[k] = s->y[k];
        }
    }
    HcExtents extents = {.instances = s->count};
    kernel((void *const[]){s->x_memory, s->y_memory, s->z_memory}, &extents, 0, NULL);
    for (uint32_t k = 0; k < s->count; k++)
        s->z[k] = elem == NEST_F32 ? ((float *)s->z_memory)[k] : ((double *)s->z_memory)[k];
}

static void check_accuracy(const Accuracy *a, NestElem elem, HcKernel *kernel, uint32_t count,
                           const char *where) {
    Samples s = samples_create(count);
    uint64_t seed = 17;
    for (uint32_t k = 0; k < count; k++) {
        s.x[k] = sample_x(a, elem, &seed, k);
        double u = (double)random_next(&seed) / 0x1p31;
        /* Powers whose result stays in range more often than not. */
        double reach = (elem == NEST_F32 ? 100 : 740) / fmax(fabs(log(s.x[k])), 1e-3);
        s.y[k] = k % 8 == 0 ? floor(u * 8) - 4 : (2 * u - 1) * reach;
    }
    samples_run(&s, elem, kernel);
    double worst = 0, at = 0, at_y = 0;
    for (uint32_t k = 0; k < count; k++) {
        double error = ulps(elem, s.z[k], exact(a->op, s.x[k], s.y[k]));
        if (error > worst)
            worst = error, at = s.x[k], at_y = s.y[k];
    }
    if (getenv("HCC_TEST_VERBOSE"))
        printf("%s %s %s: %.3f ulp at %a %a\n", where, a->name, elem == NEST_F32 ? "f32" : "f64",
               worst, at, at_y);
    if (worst > (elem == NEST_F32 ? a->f32 : a->f64))
        fail_msg("%s of %s on %s: %g ulp at x = %a (%g), y = %a", a->name,
                 elem == NEST_F32 ? "f32" : "f64", where, worst, at, at, at_y);
    samples_destroy(&s);
}

/* All pairs of special values give what libm gives: same NaN, same infinity, same zero. */
static void check_specials(const Accuracy *a, NestElem elem, HcKernel *kernel, const char *where) {
    uint32_t pairs = a->op == NEST_POW ? N_SPECIALS : 1;
    Samples s = samples_create(N_SPECIALS * pairs);
    for (uint32_t k = 0; k < s.count; k++) {
        s.x[k] = specials[k % N_SPECIALS];
        s.y[k] = specials[k / N_SPECIALS];
    }
    samples_run(&s, elem, kernel);
    for (uint32_t k = 0; k < s.count; k++) {
        bool trigonometric = a->op == NEST_SIN || a->op == NEST_COS;
        if (trigonometric && isfinite(s.x[k]) && fabs(s.x[k]) > 1e6) {
            assert_true(fabs(s.z[k]) <= 1.001);
            continue;
        }
        long double want = exact(a->op, s.x[k], s.y[k]);
        double limit = elem == NEST_F32 ? a->f32 : a->f64;
        bool zero =
            s.z[k] == 0 && want == 0 && !signbit(s.z[k]) != !signbit(want) && a->op != NEST_RSQRT;
        if (zero || ulps(elem, s.z[k], want) > limit)
            fail_msg("%s of %s on %s: x = %g, y = %g gives %g, not %Lg", a->name,
                     elem == NEST_F32 ? "f32" : "f64", where, s.x[k], s.y[k], s.z[k], want);
    }
    samples_destroy(&s);
}

static void check_math(const CodegenOptions *options, uint16_t lanes, uint32_t count) {
    Compilation *c = compilation_create();
    const NestKernel *kernels[2 * N_ACCURACIES];
    for (uint32_t k = 0; k < 2 * N_ACCURACIES; k++) {
        NestOp op = accuracies[k / 2].op;
        kernels[k] =
            map_kernel(c->arena, op, k % 2 ? NEST_F64 : NEST_F32, lanes, op == NEST_POW ? 2 : 1);
    }
    Loaded l = load(c, options, kernels, 2 * N_ACCURACIES);
    char where[64];
    snprintf(where, sizeof where, "%s O%d x%u", options->cpu, options->opt_level, lanes);
    for (uint32_t k = 0; k < 2 * N_ACCURACIES; k++) {
        NestElem elem = k % 2 ? NEST_F64 : NEST_F32;
        check_accuracy(&accuracies[k / 2], elem, l.model->kernels[k], count, where);
        check_specials(&accuracies[k / 2], elem, l.model->kernels[k], where);
    }
    unload(&l);
    compilation_destroy(c);
}

static void test_math_accuracy(void **state) {
    (void)state;
    check_math(&machines[0], 16, 40000);
}

static void test_math_everywhere(void **state) {
    (void)state;
    static const uint16_t lanes[N_MACHINES] = {1, 8, 8, 4, 16};
    for (uint32_t k = 0; k < N_MACHINES; k++)
        if (host_runs(machines[k].cpu))
            check_math(&machines[k], lanes[k], 2003);
    check_math(&machines[0], 4, 2003);
    check_math(&machines[0], 32, 2003);
}

/* 2^x as weights of softmax are made: near what it is, and 0 where that is no normal number. */
static void check_exp2(const CodegenOptions *options, uint16_t lanes) {
    static const double ends[] = {0,        -0.0,      1,     -126,    -125.9999, -126.0001,
                                  -127,     -1e3,      -1e30, 127,     126.9999,  -INFINITY,
                                  0x1p-149, -0x1p-149, -1,    7.999999};
    enum { COUNT = 20000, N_ENDS = sizeof ends / sizeof *ends };
    Compilation *c = compilation_create();
    const NestKernel *kernel = map_kernel(c->arena, NEST_EXP2, NEST_F32, lanes, 1);
    Loaded l = load(c, options, &kernel, 1);
    Samples s = samples_create(COUNT);
    uint64_t seed = 3;
    for (uint32_t k = 0; k < COUNT; k++)
        s.x[k] = k < N_ENDS ? ends[k] : (double)random_next(&seed) / 0x1p32 * 257 - 130;
    samples_run(&s, NEST_F32, l.model->kernels[0]);
    for (uint32_t k = 0; k < COUNT; k++) {
        const double x = (float)s.x[k], want = x < -126 ? 0 : exp2(x);
        if (!(fabs(s.z[k] - want) <= 0x1p-18 * want))
            fail_msg("exp2 on %s x%u: x = %a gives %a, not %a", options->cpu, lanes, x, s.z[k],
                     want);
    }
    s.x[0] = NAN;
    samples_run(&s, NEST_F32, l.model->kernels[0]);
    assert_true(isnan(s.z[0]));
    samples_destroy(&s);
    unload(&l);
    compilation_destroy(c);
}

static void test_exp2(void **state) {
    (void)state;
    static const uint16_t lanes[N_MACHINES] = {1, 8, 8, 4, 16};
    for (uint32_t k = 0; k < N_MACHINES; k++)
        if (host_runs(machines[k].cpu))
            check_exp2(&machines[k], lanes[k]);
    for (uint16_t n = 2; n <= 32; n *= 2)
        check_exp2(&machines[0], n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_math_accuracy),
        cmocka_unit_test(test_math_everywhere),
        cmocka_unit_test(test_exp2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
