/* What happens at a site: connections of one stream in trunks of several, several branches and
 * results, inputs of a connection. */
#include "sema_model.h"

/* `set` begins three streams x, 2x, 3x; `show` lets the state be seen and changes nothing. */
#define COMMON                                                                                     \
    "use std;\n"                                                                                   \
    "fn none(x) = x;\n"                                                                            \
    "fn half(x) = 0.5 * x;\n"                                                                      \
    "branch act : x[d] -> y[d] { let y[c] = tanh(x[c]); }\n"                                       \
    "connection set(n = 3) { state H[n, d]; begin H[i,c] = (i + 1) * x[c];\n"                      \
    "  let s[c] = sum[i] H[i,c]; read x = s; write H[i,c] = H[i,c] + 0 * y[c]; end x = s; }\n"     \
    "connection show(n = 3) { state H[n, d]; begin H[i,c] = x[c]; probe H;\n"                      \
    "  let s[c] = sum[i] H[i,c]; read x = s; write H[i,c] = H[i,c] + 0 * y[c]; end x = s; }\n"     \
    "model m { const d = 2; positions t <= 3; input x[t, d] : real;\n"
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adapted_write),
        cmocka_unit_test(test_adapted_postnorm),
        cmocka_unit_test(test_adapted_equal_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
