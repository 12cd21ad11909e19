/* Values of other positions and entries looked up by numbers of the run, against plain loops. */
#include "sema_model.h"

/* --- shifts and windows ------------------------------------------------------------------------*/

/* q[sample][t][h][k], zero outside. */
static double q_at(const Model *m, uint32_t sample, int64_t t, uint32_t h, uint32_t k) {
    return t < 0 || t >= m->positions
               ? 0
               : m->inputs[0][((uint64_t)sample * m->positions + (uint64_t)t) * 8 + h * 4 + k];
}

static void test_shift(void **state) {
    (void)state;
    static const int64_t by[] = {0, 1, 2, 3, 7, -1, -2};
    for (uint32_t n = 0; n < 7; n++) {
        Compilation *scratch = compilation_create();
        const char *body = arena_printf(scratch->arena,
                                        "let a = shift(q, %d); let b = shift(q[1], %d);"
                                        "let value[h, k] = a[h, k] + 100 * b[k];",
                                        (int)by[n], (int)by[n]);
        Model m = model_open(showing(scratch, body), 0, no_overrides);
        const TirTensor *v = run(&m, TIR_OUT_PROBE, "value");
        for (uint32_t s = 0; s < m.samples; s++)
            for (uint32_t t = 0; t < m.positions; t++)
                for (uint32_t i = 0; i < 8; i++)
                    assert_near(v->at[(s * m.positions + t) * 8 + i],
                                q_at(&m, s, (int64_t)t - by[n], i / 4, i % 4) +
                                    100 * q_at(&m, s, (int64_t)t - by[n], 1, i % 4),
                                1e-12);
        model_close(&m);
        compilation_destroy(scratch);
    }
}

static void test_window(void **state) {
    (void)state;
    Compilation *scratch = compilation_create();
    Model m =
        model_open(showing(scratch, "let w = window(q, 2); let u[h, a, k] = window(q[h], 4)[a, "
                                    "k]; let value[h, a, k] = u[h, a, k] + 100 * w[a % 2, h, k];"),
                   0, no_overrides);
    const TirTensor *v = run(&m, TIR_OUT_PROBE, "value");
    assert_int_equal(v->type.rank, 3);
    for (uint32_t s = 0; s < m.samples; s++)
        for (uint32_t t = 0; t < m.positions; t++)
            for (uint32_t h = 0; h < 2; h++)
                for (uint32_t a = 0; a < 4; a++)
                    for (uint32_t k = 0; k < 4; k++)
                        assert_near(v->at[(((s * m.positions + t) * 2 + h) * 4 + a) * 4 + k],
                                    q_at(&m, s, (int64_t)t - 3 + a, h, k) +
                                        100 * q_at(&m, s, (int64_t)t - 1 + a % 2, h, k),
                                    1e-12);
    model_close(&m);
    compilation_destroy(scratch);
}

#define GRID "use std;\nmodel m {\n positions (r <= 3, c <= 4);\n input x[r, c, 2] : real;\n"

static double grid_at(const Model *m, uint32_t sample, int64_t r, int64_t c, uint32_t k) {
    return r < 0 || r >= 3 || c < 0 || c >= 4
               ? 0
               : m->inputs[0][((uint64_t)sample * 12 + (uint64_t)(r * 4 + c)) * 2 + k];
}

static void test_grid(void **state) {
    (void)state;
    static const int by[][2] = {{0, 0}, {1, 0},   {0, 1}, {-1, 1}, {1, -1},
                                {2, 3}, {-2, -3}, {3, 0}, {0, 4}};
    for (uint32_t n = 0; n < sizeof by / sizeof *by; n++) {
        Compilation *scratch = compilation_create();
        const int dr = by[n][0], dc = by[n][1];
        Model m = model_open(
            arena_printf(scratch->arena,
                         GRID " let a = shift(x, %d, %d); let b[k] = x[r + %d, c - %d, k];\n"
                              " let value[k] = a[k] + 100 * b[k];\n probe value; loss 0 * "
                              "sum[k] x[k];\n}\n",
                         dr, dc, dr < 0 ? 0 : 1, dc < 0 ? 0 : 2),
            0, no_overrides);
        const TirTensor *v = run(&m, TIR_OUT_PROBE, "value");
        for (uint32_t s = 0; s < m.samples; s++)
            for (int64_t p = 0; p < 12; p++)
                for (uint32_t k = 0; k < 2; k++)
                    assert_near(v->at[(s * 12 + p) * 2 + k],
                                grid_at(&m, s, p / 4 - dr, p % 4 - dc, k) +
                                    100 * grid_at(&m, s, p / 4 + (dr < 0 ? 0 : 1),
                                                  p % 4 - (dc < 0 ? 0 : 2), k),
                                1e-12);
        model_close(&m);
        compilation_destroy(scratch);
    }
}

static void test_grid_window(void **state) {
    (void)state;
    Model m =
        model_open(GRID " let value = window(x, 3, 4);\n probe value; loss 0 * sum[k] x[k];\n}\n",
                   0, no_overrides);
    const TirTensor *v = run(&m, TIR_OUT_PROBE, "value");
    assert_int_equal(v->type.rank, 3);
    for (uint32_t s = 0; s < m.samples; s++)
        for (int64_t p = 0; p < 12; p++)
            for (int64_t i = 0; i < 24; i++)
                assert_near(v->at[(s * 12 + p) * 24 + i],
                            grid_at(&m, s, p / 4 + i / 8 - 1, p % 4 + i / 2 % 4 - 1, i % 2), 1e-12);
    model_close(&m);
}

/* --- look-ups ----------------------------------------------------------------------------------*/

static void test_patches(void **state) {
    (void)state;
    Model m = model_open("use std;\nmodel m {\n positions (r <= 3, c <= 4);\n"
                         " input image[9, 8, 2] : real;\n"
                         " let p[k, a, b] = image[3 * r + a, 2 * c + b, k];\n"
                         " let o[k] = image[8 - r, c % 2, k] + image[1, c, k];\n"
                         " probe p; probe o; loss sum[k] o[k];\n}\n",
                         0, no_overrides);
    const TirTensor *p = run(&m, TIR_OUT_PROBE, "p"), *o = run(&m, TIR_OUT_PROBE, "o");
    assert_int_equal(p->instances, 24);
    for (uint32_t s = 0; s < 2; s++)
        for (uint32_t at = 0; at < 12; at++) {
            const uint32_t r = at / 4, c = at % 4;
            const double *image = m.inputs[0] + s * 144;
            for (uint32_t k = 0; k < 2; k++) {
                for (uint32_t a = 0; a < 3; a++)
                    for (uint32_t b = 0; b < 2; b++)
                        assert_near(p->at[((s * 12 + at) * 2 + k) * 6 + a * 2 + b],
                                    image[((3 * r + a) * 8 + 2 * c + b) * 2 + k], 1e-12);
                assert_near(o->at[(s * 12 + at) * 2 + k],
                            image[((8 - r) * 8 + c % 2) * 2 + k] + image[(8 + c) * 2 + k], 1e-12);
            }
        }
    model_close(&m);
}

/* Tokens and an argmax choose entries; together with positions, too, and outside an axis is 0. */
static void test_integers(void **state) {
    (void)state;
    Model m = model_open(
        "use std;\nmodel m {\n const d = 2;\n positions t <= 3;\n"
        " input i[t] : token(4);\n input y[t, 2, 9] : real;\n input x[t, 5] : real;\n"
        " param E[4, d] ~ normal(1);\n param F[3, 4, d] ~ normal(1);\n"
        " let a[c] = E[i, c];\n"
        " let b[c] = F[t, i, c];\n"
        " let j[n] = argmax[k] y[n,k];\n let w = argmax[k] x[k];\n let e[n] = x[w] + x[j[n]];\n"
        " let f[n, c] = F[j[n], i, c];\n"
        " probe a; probe b; probe e; probe f; loss sum[c] b[c];\n}\n",
        0, no_overrides);
    const TirTensor *a = run(&m, TIR_OUT_PROBE, "a"), *b = run(&m, TIR_OUT_PROBE, "b"),
                    *e = run(&m, TIR_OUT_PROBE, "e"), *f = run(&m, TIR_OUT_PROBE, "f");
    const double *E = param_named(&m, "E", NULL), *F = param_named(&m, "F", NULL);
    uint32_t within = 0, outside = 0;
    for (uint32_t at = 0; at < 6; at++) {
        const uint32_t i = (uint32_t)m.inputs[0][at], t = at % 3;
        const double *x = m.inputs[2] + at * 5;
        double most = x[0];
        for (uint32_t k = 1; k < 5; k++)
            most = x[k] > most ? x[k] : most;
        for (uint32_t c = 0; c < 2; c++) {
            assert_near(a->at[at * 2 + c], E[i * 2 + c], 1e-12);
            assert_near(b->at[at * 2 + c], F[(t * 4 + i) * 2 + c], 1e-12);
        }
        for (uint32_t n = 0; n < 2; n++) {
            uint32_t j = 0; /* of 9, the axes have fewer */
            for (uint32_t k = 1; k < 9; k++)
                j = m.inputs[1][(at * 2 + n) * 9 + k] > m.inputs[1][(at * 2 + n) * 9 + j] ? k : j;
            within += j < 3;
            outside += j >= 5;
            assert_near(e->at[at * 2 + n], most + (j < 5 ? x[j] : 0), 1e-12);
            for (uint32_t c = 0; c < 2; c++)
                assert_near(f->at[(at * 2 + n) * 2 + c], j < 3 ? F[(j * 4 + i) * 2 + c] : 0, 1e-12);
        }
    }
    assert_true(within > 0 && outside > 0);
    model_close(&m);
}

/* What the builder folds, so that it is the same everywhere, lives where its text says: f is
 * 1 + h + 10 k at each position, z is 0. */
static void test_folded(void **state) {
    (void)state;
    static const struct {
        const char *value;
        double at[3]; /* share of f that the positions hold */
    } cases[] = {
        {"shift(f, 1)", {0, 1, 1}},
        {"shift(f, -2)", {1, 0, 0}},
        {"shift(f, 5)", {0, 0, 0}},
        {"shift(shift(f, 5), -5)", {0, 0, 0}},
        {"shift(shift(q, -3) + f, 2)", {0, 0, 1}},
        {"window(f, 2)[0]", {0, 1, 1}},
        {"window(shift(q, 3), 2)[1]", {0, 0, 0}},
        {"attend(z, z, f)", {1, 1, 1}},
        {"attend(f, z, f, mask = t < 2)", {1, 1, 1}},
        {"attend(shift(q, 3), shift(q, 3), shift(f, 1))", {2 / 3.0, 2 / 3.0, 2 / 3.0}},
    };
    for (uint32_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        Compilation *scratch = compilation_create();
        const char *body = arena_printf(scratch->arena,
                                        "let z[h, k] = 0 * q[h, k];"
                                        "let f[h < 2, k < 4] = z[h, k] + 1 + h + 10 * k;"
                                        "let value = %s;",
                                        cases[n].value);
        Model m = model_open(showing(scratch, body), 0, no_overrides);
        const TirTensor *v = run(&m, TIR_OUT_PROBE, "value");
        for (uint32_t k = 0; k < v->instances * 8; k++)
            assert_near(v->at[k],
                        cases[n].at[v->instances == 1 ? 0 : k / 8 % m.positions] *
                            (1 + k / 4 % 2 + 10.0 * (k % 4)),
                        1e-12);
        model_close(&m);
        compilation_destroy(scratch);
    }
    EXPECT("let z[h, k] = 0 * q[h, k]; let value[k < 4] = sum[t] (z[0, k] + k);", 0, 3, 6, 9);
    EXPECT("let z[h, k] = 0 * q[h, k]; let value[k < 4] = mean[t] (z[1, k] + k);", 0, 1, 2, 3);
    EXPECT("let z[h, k] = 0 * q[h, k]; let value = extent(z[0, 0] + 1);", 3);
    EXPECT("let z[h, k] = 0 * q[h, k]; let c = select(t < 1, 1, 0) * (1 - z[1, 1]);"
           "let value = sum[t] c;",
           1);
}

/* One number a place: where a value lives is what its text says. */
static void test_random_like_folded(void **state) {
    (void)state;
    Compilation *scratch = compilation_create();
    Model m = model_open(showing(scratch, "let z[k] = 0 * q[0, k]; let value = random(z + 1);"), 0,
                         no_overrides);
    const TirTensor *v = run(&m, TIR_OUT_PROBE, "value");
    assert_int_equal(v->instances, m.samples * m.positions);
    model_close(&m);
    compilation_destroy(scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shift),   cmocka_unit_test(test_window),
        cmocka_unit_test(test_grid),    cmocka_unit_test(test_grid_window),
        cmocka_unit_test(test_patches), cmocka_unit_test(test_integers),
        cmocka_unit_test(test_folded),  cmocka_unit_test(test_random_like_folded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
