/* Loops that cross positions: written out, they compute what they did. */
#include "pass/pass.h"
#include "sema_model.h"

static bool has_crossing(const TirProgram *p) {
    for (TirId id = 1; id < p->block->nodes.count; id++) {
        const TirNode *node = tir_node(p->block, id);
        if (node->op == TIR_SCAN && pass_loop_crosses(p, node))
            return true;
    }
    return false;
}

static bool has_loop(const TirProgram *p) {
    for (TirId id = 1; id < p->block->nodes.count; id++)
        if (tir_node(p->block, id)->op == TIR_SCAN)
            return true;
    return false;
}

/* The loss of a model whose loop is `body`, before and after, and after its gradient is there. */
static void check(const char *body, bool crosses, bool keeps_a_loop) {
    Compilation *scratch = compilation_create();
    Model m = model_open(
        arena_printf(scratch->arena,
                     "use std;\nmodel m {\n positions t <= 3;\n input x[t, 4] : real;\n"
                     " param W[4] ~ normal(1);\n let v[c] = W[c] * x[c], k = 1;\n"
                     " let u[h < 2, a < 2] = 0.1 * x[h + a];\n let z[c < 4] = 0 * W[c] + 1;\n"
                     " %s\n loss k * ((mean[c] v[c]^2 * z[c]) + sum[h,a] u[h,a]^2);\n}\n",
                     body),
        0, no_overrides);
    TirProgram *given = m.network->program, *p = pass_write_out(given);
    assert_int_equal(has_crossing(given), crosses);
    const double before = loss_of(&m);
    m.network->program = p;
    assert_null(tir_verify(p));
    assert_false(has_crossing(p));
    assert_int_equal(has_loop(p), keeps_a_loop);
    assert_near(loss_of(&m), before, 1e-13 * fabs(before));
    pass_grad(p);
    assert_null(tir_verify(p));
    assert_near(loss_of(&m), before, 1e-13 * fabs(before));
    assert_true(run(&m, TIR_OUT_GRAD, NULL)->at[0] != 0);
    model_close(&m);
    compilation_destroy(scratch);
}

static void loops_that_cross_are_written_out(void **state) {
    (void)state;
    check("iterate 3 { v[c] = tanh(v[c] + shift(v, 1)[c]); }", true, false);
    check("iterate 3 { let m[c] = mean[t] v[c]; v[c] = tanh(v[c] + m[c]); }", true, false);
    check("iterate 2 { let o = attend(u, u, u, causal = true); u[h,a] = tanh(u[h,a] + o[h,a]); }",
          true, false);
    check("iterate 2 { iterate 3 { v[c] = v[c] + 0.1 * shift(v, 0 - 1)[c]; k = k * 1.5; } }", true,
          false);
    /* what does not cross stays a loop, also beside and inside one that does */
    check("iterate 3 { v[c] = tanh(v[c]); }", false, true);
    check("iterate 2 { v[c] = tanh(v[c] + shift(v, 1)[c]); } iterate 2 { k = k + 1; }", true, true);
    check("iterate 2 { iterate 4 { u[h,a] = u[h,a] + v[h + 1]; } v[c] = v[c] + shift(v, 1)[c]; }",
          true, true);
    /* a carried value that is the same everywhere at first */
    check("iterate 2 { v[c] = v[c] + 0.1 * z[c] * shift(v, 1)[c]; z[c] = z[c] + v[c]; }", true,
          false);
}

static void long_ones_stay(void **state) {
    (void)state;
    Model m =
        model_open("use std;\nmodel m {\n positions t <= 3;\n input x[t] : real;\n param w = 1;\n"
                   " let v = w * x;\n iterate 1000000 { v = v + 0.1 * shift(v, 1); }\n"
                   " loss v;\n}\n",
                   0, no_overrides);
    assert_true(has_crossing(pass_write_out(m.network->program)));
    model_close(&m);
}

/* From one program several are compiled, each as the first was: --memory asks twice. */
static void what_is_unrolled_stays(void **state) {
    (void)state;
    Model m =
        model_open("use std;\nmodel m {\n positions t <= 3;\n input x[t, 40] : real;\n"
                   " param W[40, 40] ~ normal(1);\n let v = x;\n"
                   " iterate 3 { let z = v; iterate 2 { z[i] = tanh(sum[j] W[i,j] * z[j]); }\n"
                   "  v[c] = v[c] + z[c]; }\n loss mean[c] v[c]^2;\n}\n",
                   0, no_overrides);
    TirProgram *p = m.network->program;
    pass_grad(p);
    p = pass_dce(pass_canon(p));
    const uint32_t count = p->block->nodes.count;
    const TirProgram *first = pass_unroll(p), *second = pass_unroll(p);
    assert_ptr_not_equal(first, p);
    assert_int_equal(p->block->nodes.count, count);
    assert_int_equal(first->block->nodes.count, second->block->nodes.count);
    assert_int_equal(first->n_forward, second->n_forward);
    model_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_that_cross_are_written_out),
        cmocka_unit_test(long_ones_stay),
        cmocka_unit_test(what_is_unrolled_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
