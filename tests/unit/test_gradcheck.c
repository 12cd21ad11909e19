/* Does the gradient check find wrong gradients, and does it accept right ones? */
#include "gradcheck/gradcheck.h"
#include <cmocka.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum { COUNT = 40 };

/* loss = 3 + sum sin(a[k]) * a[k + 1] over the first parameter; the second has no influence, or one
 * that shows only where it is large: hidden * sum exp(10 * b[k]). With `kink` also kink * |a[0] -
 * p|, p next to every point checked, or `away`. */
typedef struct {
    GradEvaluator base;
    double error; /* added to one entry of the gradient, relative to it */
    double unused_gradient;
    double hidden;
    double hidden_error; /* relative */
    double wave;         /* the second acts through wave * sin(often * b[k]), too */
    double often;
    double kink;
    double away;  /* p's distance from a[0] where the gradient was last asked for */
    double point; /* p */
    double tie;   /* times sum c[k] * min(held a[k], a[k]) with c of both signs */
    double held[COUNT];
} Toy;

static const char *toy_evaluate(GradEvaluator *self, double *const *params, uint32_t moved,
                                double *loss, double *const *gradients) {
    (void)moved;
    Toy *toy = (Toy *)self;
    if (gradients)
        toy->point = params[0][0] + (toy->away > 0 ? toy->away : 1e-9);
    const double *a = params[0], *b = params[1];
    *loss = 3;
    for (int k = 0; k < COUNT; k++)
        *loss += sin(a[k]) * a[(k + 1) % COUNT] + toy->hidden * exp(10 * b[k]);
    for (int k = 0; k < COUNT; k++)
        *loss += toy->wave * sin(toy->often * b[k]);
    *loss += toy->kink * fabs(a[0] - toy->point);
    for (int k = 0; k < COUNT; k++) {
        toy->held[k] = gradients ? a[k] : toy->held[k];
        *loss += toy->tie * cos(3 * k) * fmin(toy->held[k], a[k]);
    }
    if (!gradients)
        return NULL;
    for (int k = 0; k < COUNT; k++)
        gradients[0][k] = cos(a[k]) * a[(k + 1) % COUNT] + sin(a[(k + COUNT - 1) % COUNT]);
    for (int k = 0; k < COUNT; k++)
        gradients[0][k] += toy->tie * cos(3 * k); /* as if each were the smaller one */
    gradients[0][0] -= toy->kink;                 /* a[0] is below the kink */
    gradients[0][7] *= 1 + toy->error;
    for (int k = 0; k < COUNT; k++)
        gradients[1][k] = toy->unused_gradient +
                          toy->hidden * (1 + toy->hidden_error) * 10 * exp(10 * b[k]) +
                          toy->wave * toy->often * (1 + toy->hidden_error) * cos(toy->often * b[k]);
    return NULL;
}

static void run(const Toy *toy, GradResult results[2]) {
    Compilation *c = compilation_create();
    TirProgram program = {.compilation = c, .arena = c->arena};
    for (uint32_t k = 0; k < 2; k++) {
        TirType type = {.elem = TIR_REAL, .rank = 1, .dims = {COUNT}};
        vec_push(c->arena, &program.params,
                 (TirParam){.name = k ? "b" : "a",
                            .type = type,
                            .init = k ? TIR_INIT_FILL : TIR_INIT_NORMAL,
                            .init_b = 0.5,
                            .of_connection = k});
        vec_push(c->arena, &program.outputs, (TirOutput){.role = TIR_OUT_GRAD, .index = k});
    }
    GradReport report;
    Toy copy = *toy;
    copy.base.evaluate = toy_evaluate;
    gradcheck_run(&program, &copy.base, 5, c->arena, &report);
    assert_null(report.wrong);
    assert_int_equal(report.count, 2);
    results[0] = report.results[0];
    results[1] = report.results[1];
    compilation_destroy(c);
}

static void right_gradients_pass(void **state) {
    (void)state;
    GradResult results[2];
    run(&(Toy){.error = 0}, results);
    assert_int_equal(results[0].verdict, GRAD_OK);
    assert_true(results[0].relative_error < 1e-8);
    assert_int_equal(results[1].verdict, GRAD_NONE);
    assert_true(results[1].bound < 1e-12);
}

static void a_small_error_in_one_entry_is_found(void **state) {
    (void)state;
    GradResult results[2];
    run(&(Toy){.error = 1e-3}, results);
    assert_int_equal(results[0].verdict, GRAD_WRONG);
    run(&(Toy){.error = -2}, results);
    assert_int_equal(results[0].verdict, GRAD_WRONG);
}

static void a_gradient_that_should_be_zero_is_found(void **state) {
    (void)state;
    GradResult results[2];
    run(&(Toy){.unused_gradient = 1e-8}, results);
    assert_int_equal(results[1].verdict, GRAD_WRONG);
    /* Rounding of other derivatives explains 1e-17, not 1e-13. */
    run(&(Toy){.unused_gradient = 1e-17}, results);
    assert_int_equal(results[1].verdict, GRAD_NONE);
    run(&(Toy){.unused_gradient = 1e-13}, results);
    assert_int_not_equal(results[1].verdict, GRAD_NONE);
}

/* What does nothing at the first point is checked where it does something. */
static void a_hidden_influence_is_checked(void **state) {
    (void)state;
    GradResult results[2];
    run(&(Toy){.hidden = 1e-20}, results);
    assert_int_equal(results[1].verdict, GRAD_OK);
    assert_true(results[1].analytic > 1e-9);
    run(&(Toy){.hidden = 1e-20, .hidden_error = -1}, results);
    assert_int_equal(results[1].verdict, GRAD_WRONG);
    run(&(Toy){.hidden = 1e-20, .hidden_error = 1e-5}, results);
    assert_int_equal(results[1].verdict, GRAD_WRONG);
}

/* Slopes that differ to both sides of the point leave a tensor unchecked, but hide no error larger
 * than that. */
static void a_kink_is_no_error(void **state) {
    (void)state;
    GradResult results[2];
    run(&(Toy){.kink = 0.5}, results);
    assert_int_equal(results[0].verdict, GRAD_KINK);
    assert_int_equal(results[1].verdict, GRAD_NONE);
    run(&(Toy){.kink = 0.5, .error = 200}, results);
    assert_int_equal(results[0].verdict, GRAD_WRONG);
    run(&(Toy){.kink = 1e-9, .error = 1e-2}, results);
    assert_int_equal(results[0].verdict, GRAD_WRONG);
    run(&(Toy){.kink = 1e-9}, results);
    assert_int_equal(results[0].verdict, GRAD_OK);
}

/* Differences across a weak kink a little off the point are not the slope at the point. */
static void kinks_near_by_are_no_error(void **state) {
    (void)state;
    GradResult results[2];
    for (double away = 1e-4; away < 0.2; away *= 1.3)
        for (double kink = 1e-7; kink < 1; kink *= 10) {
            run(&(Toy){.kink = kink, .away = away}, results);
            assert_int_not_equal(results[0].verdict, GRAD_WRONG);
            run(&(Toy){.kink = kink, .away = away, .error = 200}, results);
            assert_int_equal(results[0].verdict, GRAD_WRONG);
        }
}

/* Kinks at the very point, whose slopes cancel along some directions. */
static void ties_are_no_error(void **state) {
    (void)state;
    GradResult results[2];
    for (double tie = 1e-4; tie < 100; tie *= 10) {
        run(&(Toy){.tie = tie}, results);
        assert_int_equal(results[0].verdict, GRAD_KINK);
    }
    run(&(Toy){.tie = 1e-3, .error = 20}, results);
    assert_int_equal(results[0].verdict, GRAD_WRONG);
}

/* Derivatives that the smallest steps lose in the loss's rounding, and larger ones in bends; and
 * those of a loss that bends within all but the smallest steps. What steps do tell is told. */
static void what_no_step_can_tell_is_no_error(void **state) {
    (void)state;
    GradResult results[2];
    for (double size = 1e-15; size < 1e-12; size *= 2)
        for (double often = 10; often < 1e5; often *= 3) {
            run(&(Toy){.wave = size / often, .often = often}, results);
            assert_int_not_equal(results[1].verdict, GRAD_WRONG);
        }
    for (double often = 1e5; often < 3e7; often *= 3) {
        run(&(Toy){.wave = 0.1 / often, .often = often}, results);
        if (results[1].verdict == GRAD_WRONG)
            fail_msg("%g: %g, not %g", often, results[1].analytic, results[1].numeric);
        run(&(Toy){.wave = 0.1 / often, .often = often, .hidden_error = 1}, results);
        if (results[1].verdict == GRAD_OK)
            fail_msg("%g: %g is not %g", often, results[1].analytic, results[1].numeric);
    }
    run(&(Toy){.wave = 1e-4, .often = 100, .hidden_error = 1e-4}, results);
    assert_int_equal(results[1].verdict, GRAD_WRONG);
    run(&(Toy){.wave = 1e-10, .often = 10, .hidden_error = -1}, results);
    assert_int_equal(results[1].verdict, GRAD_WRONG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_gradients_pass),
        cmocka_unit_test(a_small_error_in_one_entry_is_found),
        cmocka_unit_test(a_gradient_that_should_be_zero_is_found),
        cmocka_unit_test(a_hidden_influence_is_checked),
        cmocka_unit_test(a_kink_is_no_error),
        cmocka_unit_test(kinks_near_by_are_no_error),
        cmocka_unit_test(ties_are_no_error),
        cmocka_unit_test(what_no_step_can_tell_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
