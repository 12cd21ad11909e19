/* What .hc text means: small models elaborated and run by the interpreter, values compared with the
 * oracles of the papers or with plain loops; names, attributes and recipes read off the network. */
#include "sema_model.h"

/* --- index notation ----------------------------------------------------------------------------*/

static void test_index_maps(void **state) {
    (void)state;
#define T "let x[i < 6] = 10 * i + 1; let A[i < 2, j < 3] = 10 * i + j;"
    EXPECT(T "let value[i] = x[i];", 1, 11, 21, 31, 41, 51);
    EXPECT(T "let value[i < 3] = x[i + 2];", 21, 31, 41);
    EXPECT(T "let value[i < 5] = x[i + 1] - x[i];", 10, 10, 10, 10, 10);
    EXPECT(T "let value[i < 4] = x[5 - i];", 51, 41, 31, 21);
    EXPECT(T "let value[i] = x[i] + x[(i + 1) % 6];", 12, 32, 52, 72, 92, 52);
    EXPECT(T "let value[f, a] = x[f*2 + a];", 1, 11, 21, 31, 41, 51);
    EXPECT(T "let value[a, f] = x[f*2 + a];", 1, 21, 41, 11, 31, 51);
    EXPECT(T "let value[i*3 + j] = A[i,j];", 0, 1, 2, 10, 11, 12);
    EXPECT(T "let value[j*2 + i] = A[i,j];", 0, 10, 1, 11, 2, 12);
    EXPECT(T "let value[j] = A[1,j];", 10, 11, 12);
    EXPECT(T "let value[j, i] = A[i,j];", 0, 10, 1, 11, 2, 12);
    EXPECT(T "let p[i < 3] = (2 * i + 1) % 3; let value[i] = x[p[i]];", 11, 1, 21);
    EXPECT("let A[i < 3, j < 3] = 3 * i + j; let value[i] = A[i,i];", 0, 4, 8);
    EXPECT("let value[i < 2, j < 3] = select(i <= j, 1, 0);", 1, 1, 1, 0, 1, 1);
    EXPECT("let value[i < 2, j < 2] = 2 * identity[i,j] - onehot(1)[j];", 2, -1, 0, 1);
#undef T
}

static void test_reductions(void **state) {
    (void)state;
#define T "let x[i < 4] = i * i - 2; let A[i < 2, j < 4] = i + j; let B[j < 4, k < 2] = j - k;"
    EXPECT(T "let value = sum[i] x[i];", 6);
    EXPECT(T "let value = mean[i] x[i]^2;", (4 + 1 + 4 + 49) / 4.0);
    EXPECT(T "let value = max[i] -x[i];", 2);
    EXPECT(T "let value = min[i] x[i] + 1;", -1);
    EXPECT(T "let value = prod[i] x[i];", -2 * -1 * 2 * 7);
    EXPECT(T "let value = argmax[i] -x[i];", 0);
    EXPECT(T "let value[i,k] = sum[j] A[i,j] * B[j,k];", 14, 8, 20, 10);
    EXPECT(T "let value[i] = sum[j] A[i,j] * x[j] / 2;", (0 * -2 + 1 * -1 + 2 * 2 + 3 * 7) / 2.0,
           (1 * -2 + 2 * -1 + 3 * 2 + 4 * 7) / 2.0);
    EXPECT(T "let value[k] = sum[i,j] A[i,j] * B[j,k] * x[j] * 3;",
           3 * (1 * 3 * -1 + 2 * 5 * 2 + 3 * 7 * 7), 3 * (-1 * 1 * -2 + 0 + 1 * 5 * 2 + 2 * 7 * 7));
    EXPECT(T "let value[i < 2] = sum[j] A[i,j];", 6, 10);
#undef T
}

static void test_sum_of_constant(void **state) {
    (void)state;
    EXPECT("let x[i < 4] = i; let value = sum[i] (x[i] * 0 + 3);", 12);
    EXPECT("let x[i < 4] = i; let value = 2 / sum[i] x[i];", 2.0 / 6);
    EXPECT("const z = logsumexp[i < 3] 0; let value = z;", log(3));
    EXPECT("const z = logsumexp[i < 2] 1000 * (i + 1); let value = z;", 2000); /* e^710 is none */
    EXPECT("const z = logsumexp[i < 2] (710 + 0 * i); let value = z;", 710 + log(2));
    EXPECT("const z = logsumexp[i < 2] (-1000 - i); let value = z;", -1000 + log1p(exp(-1)));
    EXPECT("const z = exp(logsumexp[i < 2] log(0 * i)); let value = z;", 0); /* of nothing */
    EXPECT("let x[i < 3] = i; let value[k] = softmax[k] 2 * x[k];", 1 / (1 + exp(2) + exp(4)),
           exp(2) / (1 + exp(2) + exp(4)), exp(4) / (1 + exp(2) + exp(4)));
}

static void test_functions(void **state) {
    (void)state;
    const double h = 0.5 * (1 + erf(1 / sqrt(2)));
    const double g[] = {-(1 - h), 0, h, 2 * 0.5 * (1 + erf(2 / sqrt(2)))};
    expect_values("let x[i < 4] = i - 1; let value = gelu(x);", 4, g, 1e-12);
    EXPECT("let x[i < 3] = 5 * (i - 1); let value = relu(x);", 0, 0, 5);
    EXPECT("let x[i < 3] = i - 1; let value[i] = clamp(x[i], 0, 0.5);", 0, 0, 0.5);
    EXPECT("let x[i < 2] = 3 + i; let value = rmsnorm(x, eps = 0);", 3 / sqrt(12.5),
           4 / sqrt(12.5));
    EXPECT("let x[i < 2] = 3 + i; let value = layernorm(x, eps = 0);", -1, 1);
    EXPECT("let X[j < 2, i < 2] = 3 + i + 10 * j; let value[j,i] = layernorm(X[j], eps = 0)[i];",
           -1, 1, -1, 1); /* a tensor function lifted over j */
    EXPECT("let x[i < 2] = i; let value[i] = 2 ^ (3 * x[i]) + x[i] ^ 2;", 1, 9);
}

static void test_reduction_ranges(void **state) {
    (void)state;
    EXPECT("let x[i < 4] = i + 1; let value = sum[i < 3] x[i];", 6);
    EXPECT("let value = sum[k < 5] 2 ^ k;", 31);
    EXPECT("let x[i < 4] = i + 1; let value = sum[i < 2] x[2 * i + 1];", 6);
    EXPECT("let A[i < 3, j < 3] = 3 * i + j; const most = 2; let value[i] = max[j < most] A[i,j];",
           1, 4, 7);
    EXPECT("let A[i < 3, j < 3] = 3 * i + j; let value = sum[i < 2, j] A[i,j];", 15);
    EXPECT("let A[i < 3, j < 3] = 3 * i + j; let w[j < 3] = j; let value[i] = sum[j < 2] A[i,j] * "
           "w[j];",
           1, 4, 7);
}

static void test_iterate(void **state) {
    (void)state;
    EXPECT("let value[i < 2] = i + 1; iterate 3 { value[i] = 2 * value[i]; }", 8, 16);
    EXPECT("let a[i < 2] = i; let value[i] = a[i]; iterate 0 { value[i] = 7 * value[i]; }", 0, 1);
    EXPECT("let value[i < 3] = i; iterate 2 { value[0] = value[0] + value[2]; value[1] = 5; }", 4,
           5, 2);
    EXPECT("let value[i < 2, j < 2] = 0; iterate 2 { value[i, 1] = value[i, 1] + i + 1; }", 0, 2, 0,
           4);
    EXPECT("let value[i < 2, j < 2] = 1; iterate 2 { value[1, 0] = 3 * value[1, 0]; }", 1, 1, 9, 1);
    EXPECT("let a = 1; let b = 1; iterate 5 { let next = a + b; a = b; b = next; } let value = b;",
           13);
    EXPECT("let value[i < 2] = 1; iterate 2 { let s[i] = 2 * value[i]; iterate 3 { value[i] = "
           "value[i] + "
           "s[i]; } }",
           49, 49);
}

static void test_for(void **state) {
    (void)state;
    EXPECT("let value[i < 3] = 1; for k < 3 { value[k] = value[k] + k; }", 1, 2, 3);
    EXPECT("let value = 0; for k < 4 { value = value + 2 ^ k; }", 15);
    EXPECT("let s = 0; for k < 3 { s = s + k; } let value[i < s] = i;", 0, 1, 2); /* a number yet */
    EXPECT("let value[i < 2] = i; for k < 0 { value[i] = 7; }", 0, 1);
    EXPECT("let a[i < 3] = i, s = 0; for k < 3 { let a = 10; s = s + a; } let value[i] = a[i] + s;",
           30, 31, 32); /* a turn's own let */
    EXPECT("let value[i < 3, j < 3] = 0; for k < 3 { for l < k { if (k + l) % 2 == 1 { value[k, l] "
           "= 1; } } }",
           0, 0, 0, 1, 0, 0, 0, 1, 0);
    EXPECT(
        "let Y[a < 2, b < 2] = 2 * a + b; let value[i < 2, j < 4] = 0; for k < 2 { value[k, 2*a + "
        "b] = 4 * k + Y[a, b]; value[k, 2*k] = 9; }",
        9, 1, 2, 3, 4, 5, 9, 7); /* an entry beside merged axes */
    EXPECT("let X[j < 3, i < 2] = i + j; let M[j, i < 2, k < 2] = 0; for k < 2 { M[j, k, 1 - k] = "
           "X[j, "
           "k]; } let value[j, i] = M[j, i, 1 - i];",
           0, 1, 1, 2, 2, 3);
    EXPECT("let value[i < 2] = 1; iterate 3 { for k < 2 { value[k] = value[k] + k; } }", 1, 4);
    EXPECT("let value[i < 2] = 1; for k < 2 { iterate 3 { value[k] = value[k] + k; } }", 1, 4);
    EXPECT("let x[i < 2] = i; let u[k] = 1; for k < 3 { u[j] = u[j] + k * x[j]; } let value = u;",
           1, 4); /* the body tells the extent */
    EXPECT(
        "let x[i < 4] = 10 * i; let value[i < 2] = 0; for k < 3 { let p[i < 2] = i + k; value[i] "
        "= value[i] + x[p[i]]; }",
        30, 60); /* tables that differ by turns */
    EXPECT("let value = 0; for k < 3 { let x[i < k + 1] = 1; let y = rmsnorm(x, eps = 0); value = "
           "value + sum[i] rmsnorm(x, eps = 0)[i]; }",
           6); /* shapes that differ by turns */
}

static void test_tables(void **state) {
    (void)state;
    EXPECT("let value = permutations(3);", 0, 1, 2, 0, 2, 1, 1, 0, 2, 1, 2, 0, 2, 0, 1, 2, 1, 0);
    EXPECT("let value = permutations(1);", 0);
    EXPECT("let P = permutations(3); let x[i < 3] = 10 * i; let value[p < 3, i] = x[P[p, i]];", 0,
           10, 20, 0, 20, 10, 10, 0, 20); /* an index map */
    EXPECT("let P = permutations(2); let value[p, i, j < 2] = identity[P[p, i], j];", 1, 0, 0, 1, 0,
           1, 1, 0);
    EXPECT(
        "let P = permutations(3); let value[i < 3] = 0; for p < 6 { if P[p, 0] == 2 { value[P[p, "
        "1]] = p; } }",
        4, 5, 0); /* in conditions and as an entry */
    EXPECT("let P = permutations(3); param value[6, 3] = P + 0;", 0, 1, 2, 0, 2, 1, 1, 0, 2, 1, 2,
           0, 2, 0, 1, 2, 1, 0);
    EXPECT("let Z = helmert(3); let value[j, k] = sum[i] Z[i,j] * Z[i,k];", 1, 0, 0, 1);
    EXPECT("let Z = helmert(3); let value[j] = sum[i] Z[i,j];", 0, 0);
    EXPECT("let A[i < 2, j < 1] = i + 1; let B[i < 1, j < 2] = 3 + j; let value = kronecker(A, B);",
           3, 4, 6, 8);
    const double lite[] = {0.245971, 0.249189, 0.251587, 0.253253, 0.406132, 0.350229,
                           0.147808, 0.095831, 0.224876, 0.165713, 0.295082, 0.314330,
                           0.123021, 0.234870, 0.305523, 0.336586};
    expect_values(
        "let P = permutations(4); let w[p < 24] = softmax[p] sin(1 + p); let value[i < 4, j "
        "< 4] = sum[p] w[p] * identity[P[p, i], j];",
        16, lite, 5e-7);
    const double krom[] = {0.446475, 0.221713}; /* the diagonal and beside it */
    expect_values(
        "let L[k < 2, b < 2] = select(k == 0, select(b == 0, 0.2, -0.5), select(b == 0, 1, "
        "0.3)); let w[k, b] = softmax[b] L[k, b]; let U[b < 2, e < 2] = select(b == e, "
        "w[0, 0], w[0, 1]), V[b < 2, e < 2] = select(b == e, w[1, 0], w[1, 1]); let K = "
        "kronecker(U, V); let value[i < 2] = K[i, 0];",
        2, krom, 5e-7);
}

/* --- solving -----------------------------------------------------------------------------------*/

#define SINES                                                                                      \
    "let P[i < N, j < N] = 0.5 * sin(1 + 3 * i + j + 0.5 * i * j); let S[i, j] = P[i,j] - P[j,i];"

/* M[i,j]: the mean over blocks of the squares of an orthogonal matrix; oracles of go-mHC. */
static void test_solve(void **state) {
    (void)state;
    const double two[] = {0.284349, 0.131725, 0.359644, 0.224282, 0.078973, 0.347420,
                          0.301134, 0.272472, 0.333116, 0.152531, 0.210512, 0.303841,
                          0.303561, 0.368324, 0.128710, 0.199405};
    expect_values("const N = 8; " SINES
                  "let Q = cayley(S); let value[i < 4, j < 4] = sum[k, l] 0.5 "
                  "* Q[2*i + k, 2*j + l]^2;",
                  16, two, 5e-7);
    const double one[] = {0.049789, 0.577737, 0.123278, 0.249196, 0.839551, 0.009645,
                          0.020564, 0.130240, 0.029048, 0.151555, 0.818330, 0.001068,
                          0.081613, 0.261064, 0.037828, 0.619496};
    expect_values("const N = 4; " SINES "let Q = cayley(S); let value[i,j] = Q[i,j]^2;", 16, one,
                  5e-7);
    EXPECT("const N = 4; " SINES "let Q = cayley(S); let value[i,j] = sum[k] Q[k,i] * Q[k,j];", 1,
           0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);
    /* zeros on the diagonal: nothing to divide by without the pivots */
    EXPECT("let A[i < 3, j < 3] = (i + 2 * j) % 3 + select(i + j == 2, 4, 0) - select(i == j, (3 * "
           "i) % 3, 0); let B[i < 3, j < 2] = i - j; let X = solve(A, B); let value[i,j] = (sum[k] "
           "A[i,k] * X[k,j]) - B[i,j];",
           0, 0, 0, 0, 0, 0);
    EXPECT("let A[i < 2, j < 2] = select(i == j, 0, i + 1); let B[i < 2, j < 1] = 4 * i + 1; let "
           "value = solve(A, B);",
           2.5, 1);
}

/* --- positions ---------------------------------------------------------------------------------*/

static void test_rope(void **state) {
    (void)state;
    Compilation *scratch = compilation_create();
    Model m = model_open(showing(scratch, "let value = rope(q, theta = 100);"), 0, no_overrides);
    const TirTensor *t = run(&m, TIR_OUT_PROBE, "value");
    for (uint32_t b = 0; b < m.samples; b++)
        for (uint32_t pos = 0; pos < m.positions; pos++)
            for (uint32_t h = 0; h < 2; h++)
                for (uint32_t a = 0; a < 2; a++) {
                    const uint64_t at = ((uint64_t)b * m.positions + pos) * 8 + h * 4 + a;
                    const double angle = pos * pow(100, -2.0 * a / 4);
                    const double p = m.inputs[0][at], q = m.inputs[0][at + 2];
                    assert_near(t->at[at], p * cos(angle) - q * sin(angle), 1e-12);
                    assert_near(t->at[at + 2], q * cos(angle) + p * sin(angle), 1e-12);
                }
    model_close(&m);
    compilation_destroy(scratch);
}

static void test_position_reductions(void **state) {
    (void)state;
    Compilation *scratch = compilation_create();
    Model m = model_open(showing(scratch, "let m[h] = mean[t] q[h, 1]; let p[h] = q[t - 1, h, 0];"
                                          "let value[h] = m[h] + p[h] + t;"),
                         0, no_overrides);
    const TirTensor *t = run(&m, TIR_OUT_PROBE, "value");
    for (uint32_t pos = 0; pos < 3; pos++) {
        double mean = 0;
        for (uint32_t k = 0; k < 3; k++)
            mean += m.inputs[0][k * 8 + 1] / 3;
        assert_near(t->at[pos * 2], mean + (pos ? m.inputs[0][(pos - 1) * 8] : 0) + pos, 1e-12);
    }
    model_close(&m);
    compilation_destroy(scratch);
}

/* --- oracles of the papers ---------------------------------------------------------------------*/

static void test_sinkhorn(void **state) {
    (void)state;
    static const double t1[] = {0.403628, 0.466924, 0.108513, 0.020935, 0.020404, 0.022835,
                                0.376306, 0.580454, 0.408447, 0.252812, 0.016208, 0.322533,
                                0.062303, 0.163599, 0.740774, 0.033324};
    static const double t3[] = {0.429738, 0.478459, 0.072232, 0.019571, 0.025916, 0.027914,
                                0.298822, 0.647348, 0.432173, 0.257451, 0.010722, 0.299654,
                                0.087484, 0.221097, 0.650332, 0.041087};
    static const double t20[] = {0.436339, 0.478309, 0.066676, 0.018677, 0.027763, 0.029442,
                                 0.291025, 0.651771, 0.442334, 0.259437, 0.009977, 0.288253,
                                 0.093565, 0.232813, 0.632323, 0.041300};
#define L "let L[i < 4, j < 4] = 2 * sin(1 + 3*i + j + 0.5*i*j); "
    expect_values(L "let value = sinkhorn(L, 1);", 16, t1, 1e-6);
    expect_values(L "let value = sinkhorn(L, 3);", 16, t3, 1e-6);
    expect_values(L "let value = sinkhorn(L, 20);", 16, t20, 1e-6);
    expect_values(L "let value = sinkhorn_v4(L, 20);", 16, t20, 1e-5);
#undef L
}

/* One site of DeepSeek-V4's arithmetic, n = 2, d = 3; the state is set by a first site. */
static void test_mhc_v4_site(void **state) {
    (void)state;
    Model m = model_open(
        "use std;\n"
        "fn none(x) = x;\n"
        "branch act : x[d] -> y[d] { let y[c] = tanh(x[c]); }\n"
        "connection set(n = 2) { state H[n, d]; begin H[i,c] = x[c]; read x = x0(H);\n"
        "  let T[i < n, c < d] = select(i == 0, select(c == 0, 0.5, select(c == 1, -1, 2)),\n"
        "                                       select(c == 0, 1.5, select(c == 1, 0.25, "
        "-0.75)));\n"
        "  write H[i,c] = T[i,c] + 0 * y[c]; let s[c] = sum[i] H[i,c]; end x = s; }\n"
        "fn x0(H[n, d]) -> y[d] { let y[c] = H[0,c]; }\n"
        "model m { const d = 3, n = 2; positions t <= 3; input x[t, d] : real;\n"
        "  let h = trunk(x) { a = set : act; b = mhc(norm = none, v4 = true) : act; };\n"
        "  probe h; loss sum[c] h[c]; }\n",
        0, no_overrides);
    double *P = param_named(&m, "trunk.b.hc.P", NULL), *Q = param_named(&m, "trunk.b.hc.Q", NULL),
           *R = param_named(&m, "trunk.b.hc.R", NULL);
    for (uint32_t o = 0; o < 2; o++)
        for (uint32_t i = 0; i < 6; i++) {
            P[o * 6 + i] = 0.1 * sin(1 + 7.0 * o + i);
            Q[o * 6 + i] = 0.1 * sin(1 + 7.0 * (2 + o) + i);
        }
    for (uint32_t k = 0; k < 2; k++) /* destination k, source j; V4 stores source first */
        for (uint32_t j = 0; j < 2; j++)
            for (uint32_t i = 0; i < 6; i++)
                R[(k * 2 + j) * 6 + i] = 0.1 * sin(1 + 7.0 * (4 + j * 2 + k) + i);
    memcpy(param_named(&m, "trunk.b.hc.bp", NULL), (double[]){.3, -.2}, 16);
    memcpy(param_named(&m, "trunk.b.hc.bq", NULL), (double[]){.1, .4}, 16);
    memcpy(param_named(&m, "trunk.b.hc.br", NULL), (double[]){1, -.5, -1, .8}, 32);
    *param_named(&m, "trunk.b.hc.ap", NULL) = .5;
    *param_named(&m, "trunk.b.hc.aq", NULL) = .6;
    *param_named(&m, "trunk.b.hc.ar", NULL) = .7;
    const TirTensor *M = run(&m, TIR_OUT_PROBE, "trunk.b.hc.M"), *h = run(&m, TIR_OUT_PROBE, "h");
    assert_near(M->at[0], .827116, 2e-6);
    assert_near(M->at[1], .172883, 2e-6);
    assert_near(h->at[0], 1.372036 + 2.159208, 2e-6);
    assert_near(h->at[1], -1.197519 - .458376, 2e-6);
    assert_near(h->at[2], 2.172117 + .496105, 2e-6);
    model_close(&m);
}

/* --- the example -------------------------------------------------------------------------------*/

static char example_text[1 << 16];

static const char *example(void) {
    FILE *from = fopen(HCC_SOURCE_DIR "/examples/shakespeare.hc", "rb");
    assert_non_null(from);
    example_text[fread(example_text, 1, sizeof example_text - 1, from)] = 0;
    fclose(from);
    return example_text;
}

static Model example_with(const char *wiring) {
    const Override overrides[] = {
        {"wiring", wiring}, {"d", "16"}, {"vocab", "300"}, {"blocks", "2"}};
    Model m = model_open(example(), 4, overrides);
    return m;
}

/* Weights by name, so that models with other connections share them. */
static void same_branches(const Model *m) {
    const TirProgram *p = m->network->program;
    for (uint32_t k = 0; k < p->params.count; k++) {
        const uint64_t count = tir_element_count(&p->params.at[k].type);
        uint32_t seed = 0;
        for (const char *c = p->params.at[k].name; *c; c++)
            seed = seed * 31 + (unsigned char)*c;
        for (uint64_t i = 0; !p->params.at[k].of_connection && i < count; i++)
            m->params[k][i] = wave(seed % 1000, i);
    }
}

/* At their initial values static, dynamic and fractional connections are the pre-norm residual. */
static void test_initial_equivalence(void **state) {
    (void)state;
    Model residual = example_with("residual");
    same_branches(&residual);
    const double expected = loss_of(&residual);
    static const char *const wirings[] = {"shc",        "dhc",         "frac",
                                          "shc(n = 2)", "frac(m = 2)", "dhc(n = 1)"};
    for (uint32_t k = 0; k < sizeof wirings / sizeof *wirings; k++) {
        Model m = example_with(wirings[k]);
        same_branches(&m);
        assert_near(loss_of(&m), expected, 2e-5);
        model_close(&m);
    }
    Model other = example_with("postnorm");
    same_branches(&other);
    assert_true(fabs(loss_of(&other) - expected) > 1e-3); /* the comparison can fail */
    model_close(&other);
    model_close(&residual);
}

static void test_names(void **state) {
    (void)state;
    Model m = example_with("mhc");
    const TirParam *p;
    param_named(&m, "E", &p);
    assert_int_equal(p->type.dims[0], 300);
    assert_true(p->decay);
    assert_string_equal(p->group, "shakespeare");
    param_named(&m, "pos", &p);
    assert_int_equal(p->type.dims[0], 64);
    assert_int_equal(p->type.dims[1], 16);
    param_named(&m, "trunk.1.attn.Wq", &p);
    assert_false(p->of_connection);
    assert_int_equal(p->type.rank, 3);
    assert_near(p->init_b, 0.02, 0);
    param_named(&m, "trunk.1.mlp.W2", &p);
    assert_near(p->init_b, 0.02 / sqrt(4), 1e-15); /* two blocks */
    const double *bp = param_named(&m, "trunk.1.mlp.hc.bp", &p);
    assert_true(p->of_connection);
    assert_false(p->decay);
    assert_string_equal(p->group, "mhc");
    assert_int_equal(p->init, TIR_INIT_DATA);
    for (uint32_t k = 0; k < 4; k++) /* site 3 */
        assert_near(bp[k], k == 3 ? 3 : -3, 0);
    const double *br = param_named(&m, "trunk.0.attn.hc.br", &p);
    assert_near(br[0], 0, 0);
    assert_near(br[1], -8, 0);
    assert_int_equal(m.network->sites.count, 4);
    assert_string_equal(m.network->sites.at[3].path, "trunk.1.mlp");
    assert_string_equal(m.network->sites.at[3].connection, "mhc");
    assert_string_equal(m.network->sites.at[3].branch, "mlp");
    assert_int_equal(m.network->sites.at[3].block, 1);
    assert_string_equal(run(&m, TIR_OUT_PROBE, "trunk.0.attn.hc.M") ? "found" : "", "found");
    model_close(&m);
}

static void test_recipe(void **state) {
    (void)state;
    const Override overrides[] = {{"train.lr", "2 * 1e-4"},       {"train.batch", "7"},
                                  {"train.betas", "(0.8, 0.95)"}, {"train.schedule", "constant"},
                                  {"wiring", "mhc(iters = 5)"},   {"train.held_out", "0.25"}};
    Model m = model_open(example(), 6, overrides);
    const Recipe *r = &m.network->recipe;
    assert_near(r->lr, 2e-4, 1e-18);
    assert_int_equal(r->batch, 7);
    assert_near(r->beta1, 0.8, 0);
    assert_near(r->beta2, 0.95, 0);
    assert_int_equal(r->schedule, SCHEDULE_CONSTANT);
    assert_int_equal(r->steps, 2000);
    assert_int_equal(r->warmup, 100);
    assert_near(r->weight_decay, 0.1, 0);
    assert_near(r->clip, 1, 0);
    assert_near(m.network->data.held_out, 0.25, 0);
    assert_string_equal(m.network->data.source, "text");
    assert_int_equal(m.network->data.bindings.count, 2);
    assert_int_equal(m.network->data.bindings.at[1].offset, 1);
    assert_int_equal(m.network->space, 1);
    bool found = false;
    for (uint32_t k = 0; k < m.network->constants.count; k++)
        if (strcmp(m.network->constants.at[k].name, "wiring") == 0) {
            assert_string_equal(m.network->constants.at[k].value, "mhc(iters = 5)");
            found = true;
        }
    assert_true(found);
    model_close(&m);
}

/* --- topology ----------------------------------------------------------------------------------*/

#define BODY                                                                                       \
    "use std;\nmodel m { const d = 4; positions t <= 3; input x[t, d] : real; target y[t, d] : "   \
    "real;\n"

static void test_topology(void **state) {
    (void)state;
    /* consecutive trunks, a condition on the block, a constant of the block */
    Model m = model_open(
        BODY
        "let a = trunk(x) { repeat 3 { const w = 2 * (block + 1);"
        "  if block % 2 == 0 { f = residual : mlp(w); } else { g = postnorm : linear(d); } } };\n"
        "let b = trunk(a) { last = shc(n = 3) : linear(d); };\n loss mse(b, y); }\n",
        0, no_overrides);
    const TirParam *p;
    param_named(&m, "a.2.f.W1", &p);
    assert_int_equal(p->type.dims[0], 6);
    param_named(&m, "a.1.g.W", &p);
    param_named(&m, "b.last.hc.Am", &p);
    assert_int_equal(p->type.dims[0], 3);
    assert_int_equal(m.network->sites.count, 4);
    model_close(&m);
}

static void test_parallel_branches(void **state) {
    (void)state;
    Model both =
        model_open(BODY "let h = trunk(x) { a = residual(norm = none) : linear(d) & half; };"
                        "probe h; loss mse(h, y); }\n"
                        "fn none(x) = x; branch half : x[d] -> y[d] { let y[c] = x[c] / 2; }\n",
                   0, no_overrides);
    const TirParam *p;
    const double *W = param_named(&both, "trunk.a.linear.W", &p);
    const TirTensor *h = run(&both, TIR_OUT_PROBE, "h");
    for (uint32_t i = 0; i < 4; i++) {
        double expected = 1.5 * both.inputs[0][i];
        for (uint32_t c = 0; c < 4; c++)
            expected += W[i * 4 + c] * both.inputs[0][c];
        assert_near(h->at[i], expected, 1e-12);
    }
    model_close(&both);
}

/* A connection with two views read, a carried value, a penalty, two states. */
static void test_connection_features(void **state) {
    (void)state;
    Model m = model_open("use std;\n"
                         "branch join : q[d], k[d] = q -> y[d] { let y[c] = q[c] + 10 * k[c]; }\n"
                         "connection odd { state h[d], g[d]; carry n = 0;\n"
                         "  begin h = x; begin g[c] = 0;\n"
                         "  read q = h, k[c] = h[c] + n;\n"
                         "  write h[c] = y[c]; write g[c] = g[c] + h[c]; write n = n + 1;\n"
                         "  penalty n;\n"
                         "  let s[c] = g[c]; end x = s; }\n"
                         "model m { const d = 4; positions t <= 3; input x[t, d] : real;\n"
                         "  let z = trunk(x) { repeat 3 { a = odd : join; } };\n"
                         "  probe z; loss 0 * sum[c] z[c]; }\n",
                         0, no_overrides);
    const TirTensor *z = run(&m, TIR_OUT_PROBE, "z");
    for (uint32_t k = 0; k < 4; k++) {
        double h = m.inputs[0][k], g = 0;
        for (uint32_t site = 0; site < 3; site++) {
            g += h; /* writes see the state as it was */
            h = h + 10 * (h + site);
        }
        assert_near(z->at[k], g, 1e-9);
    }
    assert_near(loss_of(&m), 1 + 2 + 3, 1e-12);
    model_close(&m);
}

static void test_modules(void **state) {
    (void)state;
    Model m = model_open(
        BODY "param E[8, d] ~ normal(1); let p = position(t); let q = position(t, size = 5) + p;\n"
             "let u = head(x, E); let w = linear(x, d) + scaled(x)[0];"
             "loss mse(q, y) + (sum[v] u[v]) + sum[c] w[c]; }\n"
             "module head(h[d], E[v, d]) : -> l[v] { let l[k] = sum[c] E[k,c] * h[c]; }\n"
             "module scaled : x[d] -> y[d] { param s = 2 freeze lr(0.5); let y[c] = s * x[c]; }\n",
        0, no_overrides);
    const TirParam *p;
    param_named(&m, "p.pos", &p);
    assert_int_equal(p->type.dims[0], 3);
    param_named(&m, "pos", &p);
    assert_int_equal(p->type.dims[0], 5);
    param_named(&m, "W", &p);
    param_named(&m, "s", &p);
    assert_true(p->frozen);
    assert_near(p->lr_scale, 0.5, 0);
    model_close(&m);
}

/* --- the library -------------------------------------------------------------------------------*/

/* Every file of it checks by itself, without a warning. */
static void test_library(void **state) {
    (void)state;
    for (uint32_t k = 0; k < std_source_count; k++) {
        Compilation *c = compilation_create();
        const uint32_t file =
            source_add(c->sources, std_sources[k].name, std_sources[k].text, std_sources[k].length);
        const SemaOptions options = {0};
        assert_null(sema_check(c, parse_file(c, file), &options));
        if (diag_error_count(c->diagnostics) || diag_warning_count(c->diagnostics)) {
            diag_render_text(c->diagnostics, stdout, false);
            fail_msg("%s", std_sources[k].name);
        }
        compilation_destroy(c);
    }
    Compilation *c = compilation_create();
    uint32_t count;
    const StdDefinition *d = std_definitions(c, &count);
    bool found = false;
    for (uint32_t k = 0; k < count; k++)
        if (strcmp(d[k].name, "mhc") == 0) {
            assert_string_equal(d[k].kind, "connection");
            assert_non_null(strstr(d[k].text, "connection mhc("));
            assert_non_null(d[k].doc);
            found = true;
        }
    assert_true(found);
    compilation_destroy(c);
}

/* The same text twice in one process gives the same program. */
static void test_deterministic(void **state) {
    (void)state;
    char *text[2];
    for (uint32_t k = 0; k < 2; k++) {
        Model m = example_with("dhc");
        size_t length;
        FILE *to = open_memstream(&text[k], &length);
        tir_print(m.network->program, to);
        fclose(to);
        model_close(&m);
    }
    assert_string_equal(text[0], text[1]);
    free(text[0]);
    free(text[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index_maps),
        cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_sum_of_constant),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_reduction_ranges),
        cmocka_unit_test(test_iterate),
        cmocka_unit_test(test_for),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_solve),
        cmocka_unit_test(test_rope),
        cmocka_unit_test(test_position_reductions),
        cmocka_unit_test(test_sinkhorn),
        cmocka_unit_test(test_mhc_v4_site),
        cmocka_unit_test(test_initial_equivalence),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_recipe),
        cmocka_unit_test(test_topology),
        cmocka_unit_test(test_parallel_branches),
        cmocka_unit_test(test_connection_features),
        cmocka_unit_test(test_modules),
        cmocka_unit_test(test_library),
        cmocka_unit_test(test_deterministic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
