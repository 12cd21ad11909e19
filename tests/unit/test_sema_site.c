/* What happens at a site: connections of one stream in trunks of several, several branches and
 * results, inputs of a connection. */
#include "sema_model.h"

/* `set` begins three streams x, 2x, 3x; `show` lets the state be seen and changes nothing. */
#define COMMON_PARTS                                                                               \
    "use std;\n"                                                                                   \
    "fn none(x) = x;\n"                                                                            \
    "fn half(x) = 0.5 * x;\n"                                                                      \
    "branch act : x[d] -> y[d] { let y[c] = tanh(x[c]); }\n"                                       \
    "connection set(n = 3) { state H[n, d]; begin H[i,c] = (i + 1) * x[c];\n"                      \
    "  let s[c] = sum[i] H[i,c]; read x = s; write H[i,c] = H[i,c] + 0 * y[c]; end x = s; }\n"     \
    "connection show(n = 3) { state H[n, d]; begin H[i,c] = x[c]; probe H;\n"                      \
    "  let s[c] = sum[i] H[i,c]; read x = s; write H[i,c] = H[i,c] + 0 * y[c]; end x = s; }\n"
#define MODEL "model m { const d = 2; positions t <= 3; input x[t, d] : real;\n"
#define COMMON COMMON_PARTS MODEL
#define END "  probe h; loss sum[c] h[c]; }\n"

/* --- one stream in a trunk of several ----------------------------------------------------------*/

static void test_adapted_write(void **state) {
    (void)state;
    Model m = model_open(COMMON "let h = trunk(x) { a = set : act; b = residual(norm = none) : act;"
                                " c = show : act; };\n" END,
                         0, no_overrides);
    const TirTensor *H = run(&m, TIR_OUT_PROBE, "trunk.c.hc.H");
    for (uint32_t k = 0; k < 6; k++) /* samples and positions */
        for (uint32_t c = 0; c < 2; c++) {
            const double x = m.inputs[0][k * 2 + c], mean = 2 * x;
            for (uint32_t i = 0; i < 3; i++)
                assert_near(H->at[k * 6 + i * 2 + c], (i + 1) * x + tanh(mean), 1e-12);
        }
    model_close(&m);
}

/* The streams' mean becomes the norm of the sum; what they differ by stays. */
static void test_adapted_postnorm(void **state) {
    (void)state;
    Model m = model_open(COMMON "let h = trunk(x) { a = set : act; b = postnorm(norm = half) : act;"
                                " c = show : act; };\n" END,
                         0, no_overrides);
    const TirTensor *H = run(&m, TIR_OUT_PROBE, "trunk.c.hc.H");
    const double x = m.inputs[0][0];
    for (uint32_t i = 0; i < 3; i++)
        assert_near(H->at[i * 2], (i + 1) * x + 0.5 * (2 * x + tanh(2 * x)) - 2 * x, 1e-12);
    model_close(&m);
}

static double loss_with(const char *trunk) {
    Compilation *scratch = compilation_create();
    Model m =
        model_open(arena_printf(scratch->arena, COMMON "let h = trunk(x) { %s };\n" END, trunk), 0,
                   no_overrides);
    const double loss = loss_of(&m);
    model_close(&m);
    compilation_destroy(scratch);
    return loss;
}

/* While the streams are equal, a one-stream connection does what it does in a trunk of its own. */
static void test_adapted_equal_streams(void **state) {
    (void)state;
    const double plain = loss_with("a = residual : act; b = residual : act; c = residual : act;");
    const double mixed = loss_with("a = shc(n = 4) : act; b = residual : act; c = residual : act;");
    assert_near(mixed, plain, 1e-12);
    const double last =
        loss_with("a = shc(n = 4) : act; b = shc(n = 4) : act; c = residual : act;");
    assert_near(last, plain, 1e-12);
}

/* --- branches and results ----------------------------------------------------------------------*/

#define BRANCHES                                                                                   \
    "branch times(by) : x[d] -> y[d] { let y[c] = by * x[c]; }\n"                                  \
    "branch two : x[d] -> out[d], gate { let out[c] = 5 * x[c]; let gate = x[0]; }\n"              \
    "branch three : x[d] -> out[d], gate { let out[c] = 7 * x[c]; let gate = x[1]; }\n"            \
    "connection spread { state h[d]; param B[branches] = 1; begin h = x; read x = h;\n"            \
    "  write h[c] = h[c] + sum[b] (b + 1) * B[b] * ys[b,c] + y[c] / branches; end x = h; }\n"      \
    "connection gated { state h[d]; begin h = x; read x = h;\n"                                    \
    "  write h[c] = gate * y[c]; end x = h; }\n"                                                   \
    "connection own { state h[d]; begin h = x; let gate = 10; read x = h;\n"                       \
    "  write h[c] = gate * y[c]; end x = h; }\n"

static void expect_first(const char *trunk, double factor, double power) {
    Compilation *scratch = compilation_create();
    Model m = model_open(
        arena_printf(scratch->arena, BRANCHES COMMON "let h = trunk(x) { %s };\n" END, trunk), 0,
        no_overrides);
    const TirTensor *h = run(&m, TIR_OUT_PROBE, "h");
    const double *x = m.inputs[0]; /* the first sample's first position */
    assert_near(h->at[0], factor * x[0] * pow(x[0], power), 1e-12);
    model_close(&m);
    compilation_destroy(scratch);
}

static void test_several_branches(void **state) {
    (void)state;
    expect_first("a = spread : times(3) & times(4);", 1 + 3 + 2 * 4 + 7 / 2.0, 0);
    expect_first("a = spread : times(3);", 1 + 3 + 3, 0);
}

/* Each branch reads an entry of its own; `z` is everyone's. */
static void test_reads_of_their_own(void **state) {
    (void)state;
    Model m = model_open(
        COMMON_PARTS
        "branch plus(by) : x[d], z[d] -> y[d] { let y[c] = by * x[c] + z[c]; }\n"
        "connection each { state h[d]; begin h = x; let z[c] = 100 * h[c];\n"
        "  read xs[b < branches, c] = (b + 1) * h[c], z = z; write h[c] = sum[b] 10 ^ b * "
        "ys[b,c];\n"
        "  end x = h; }\n"
        "connection alone { state h[d]; begin h = x; read xs[b < branches, c] = h[c] + b;\n"
        "  write h = y; end x = h; }\n" MODEL
        "let h = trunk(x) { a = each : plus(3) & plus(5); b = alone : act; };\n" END,
        0, no_overrides);
    const TirTensor *h = run(&m, TIR_OUT_PROBE, "h");
    const double x = m.inputs[0][0];
    assert_near(h->at[0], tanh((3 + 100) * x + 10 * (10 + 100) * x), 1e-12);
    model_close(&m);
}

static void test_named_results(void **state) {
    (void)state;
    expect_first("a = gated : two;", 5, 1);
    expect_first("a = own : two;", 50, 0); /* the connection's own name comes first */
    Model m = model_open(BRANCHES COMMON "let h = trunk(x) { a = gated : two & three; };\n" END, 0,
                         no_overrides);
    const TirTensor *h = run(&m, TIR_OUT_PROBE, "h");
    const double *x = m.inputs[0];
    assert_near(h->at[1], (x[0] + x[1]) * 12 * x[1], 1e-12); /* of one name: the sum */
    model_close(&m);
}

/* --- inputs of a connection --------------------------------------------------------------------*/

/* What the branch reads is joined by z, of another width, and by w. */
#define GIVEN                                                                                      \
    "connection given(by = 1) : z[e], w[d] {\n"                                                    \
    "  state h[d]; param P[d, e] = 1; begin h = x;\n"                                              \
    "  let u[c] = h[c] + by * (sum[a] (a + 1) * P[c,a] * z[a]) + w[c];\n"                          \
    "  read x = u; write h[c] = y[c]; end x = h; }\n"

static void expect_given(const char *trunk, double factor) {
    Compilation *scratch = compilation_create();
    Model m = model_open(arena_printf(scratch->arena,
                                      GIVEN COMMON "const w = given(by = 10);\n"
                                                   "let z[a < 3] = x[0]; let v[c] = 100 * x[c];\n"
                                                   "let h = trunk(x) { %s };\n" END,
                                      trunk),
                         0, no_overrides);
    const TirTensor *h = run(&m, TIR_OUT_PROBE, "h");
    assert_near(h->at[0], tanh(factor * m.inputs[0][0]), 1e-12);
    const TirParam *P;
    param_named(&m, "trunk.a.hc.P", &P);
    assert_int_equal(P->type.dims[1], 3);
    model_close(&m);
    compilation_destroy(scratch);
}

static void test_given(void **state) {
    (void)state;
    expect_given("a = given(z, v) : act;", 1 + 6 + 100);
    expect_given("a = given(z, w = v, by = 2) : act;", 1 + 12 + 100);
    expect_given("a = given(z, v, 3) : act;", 1 + 18 + 100);
    expect_given("a = given(w = v, z = z, by = 4) : act;", 1 + 24 + 100);
    expect_given("a = w(z, v) : act;", 1 + 60 + 100);
}

/* `disable`: a definition chosen by a constant is that definition. */
static void test_chosen_connection(void **state) {
    (void)state;
    const double plain = loss_with("a = residual : act; b = residual : act;");
    assert_near(loss_with("const off = true; a = select(off, residual, shc) : act;"
                          " b = select(off, residual, shc) : act;"),
                plain, 0);
    const double streams = loss_with("const off = false; a = select(off, residual, shc) : act;"
                                     " b = select(off, residual, shc) : act;");
    assert_near(streams, loss_with("a = shc : act; b = shc : act;"), 0);
    assert_true(streams != plain); /* the final norm's eps meets four times the stream */
}

/* --- causal positions --------------------------------------------------------------------------*/

/* None of this is a leak: targets of later positions, a mean that stays one, tables of positions.
 */
static void test_causal_allows(void **state) {
    (void)state;
    Model m = model_open(
        "use std;\n"
        "model m { const d = 8, heads = 2, vocab = 16; positions t <= 16 causal;\n"
        "  input tokens[t] : token(vocab); input style[d] : real;\n"
        "  target next[t] : token(vocab); target far[t, d] : real;\n"
        "  param E[vocab, d], p[d] ~ normal(0.02);\n"
        "  let places[c] = t * p[c]; let middle[c] = mean[t] places[c];\n"
        "  let x[c] = embed(tokens, E)[c] + style[c] + middle[c] + embed(tokens, E)[t - 1, c];\n"
        "  let h = trunk(x) { repeat 2 { a = mhc : attention(heads); b = dhc : mlp(2 * d); } };\n"
        "  let pooled[c] = mean[t] h[c]; let logits[v] = sum[c] E[v,c] * h[c];\n"
        "  let later[c] = far[t + 1, c]; let all = sum[t] far[0];\n"
        "  loss cross_entropy(logits, next); loss all * (mean[c] (later[c] - h[c])^2);\n"
        "  loss mean[c] pooled[c]^2; metric accuracy(logits, next); }\n",
        0, no_overrides);
    model_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adapted_write),
        cmocka_unit_test(test_adapted_postnorm),
        cmocka_unit_test(test_adapted_equal_streams),
        cmocka_unit_test(test_several_branches),
        cmocka_unit_test(test_reads_of_their_own),
        cmocka_unit_test(test_named_results),
        cmocka_unit_test(test_given),
        cmocka_unit_test(test_chosen_connection),
        cmocka_unit_test(test_causal_allows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
