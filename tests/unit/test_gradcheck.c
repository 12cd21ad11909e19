/* Does the gradient check find wrong gradients, and does it accept right ones? */
#include "driver/gradcheck.h"
#include <cmocka.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum { COUNT = 40 };

/* loss = 3 + sum sin(a[k]) * a[k + 1] over the first parameter; the second has no influence. */
typedef struct {
    GradEvaluator base;
    double error; /* added to one entry of the gradient, relative to it */
    double unused_gradient;
} Toy;

static const char *toy_evaluate(GradEvaluator *self, double *const *params, double *loss,
                                double *const *gradients) {
    const Toy *toy = (const Toy *)self;
    const double *a = params[0];
    *loss = 3;
    for (int k = 0; k < COUNT; k++)
        *loss += sin(a[k]) * a[(k + 1) % COUNT];
    if (!gradients)
        return NULL;
    for (int k = 0; k < COUNT; k++)
        gradients[0][k] = cos(a[k]) * a[(k + 1) % COUNT] + sin(a[(k + COUNT - 1) % COUNT]);
    gradients[0][7] *= 1 + toy->error;
    for (int k = 0; k < COUNT; k++)
        gradients[1][k] = toy->unused_gradient;
    return NULL;
}

static void run(const Toy *toy, GradResult results[2]) {
    Compilation *c = compilation_create();
    TirProgram program = {.compilation = c, .arena = c->arena};
    for (uint32_t k = 0; k < 2; k++) {
        TirType type = {.elem = TIR_REAL, .rank = 1, .dims = {COUNT}};
        vec_push(
            c->arena, &program.params,
            (TirParam){
                .name = k ? "unused" : "a", .type = type, .init = TIR_INIT_NORMAL, .init_b = 0.5});
        vec_push(c->arena, &program.outputs, (TirOutput){.role = TIR_OUT_GRAD, .index = k});
    }
    GradResult *found;
    uint32_t count;
    double loss;
    Toy copy = *toy;
    copy.base.evaluate = toy_evaluate;
    assert_null(gradcheck_run(&program, &copy.base, 5, c->arena, &found, &count, &loss));
    assert_int_equal(count, 2);
    results[0] = found[0];
    results[1] = found[1];
    compilation_destroy(c);
}

static void right_gradients_pass(void **state) {
    (void)state;
    GradResult results[2];
    run(&(Toy){.error = 0}, results);
    assert_true(results[0].ok);
    assert_false(results[0].vanishes);
    assert_true(results[0].relative_error < 1e-9);
    assert_true(results[1].ok);
    assert_true(results[1].vanishes);
}

static void a_small_error_in_one_entry_is_found(void **state) {
    (void)state;
    GradResult results[2];
    run(&(Toy){.error = 1e-3}, results);
    assert_false(results[0].ok);
    run(&(Toy){.error = -2}, results);
    assert_false(results[0].ok);
}

static void a_gradient_that_should_be_zero_is_found(void **state) {
    (void)state;
    GradResult results[2];
    run(&(Toy){.unused_gradient = 1e-8}, results);
    assert_false(results[1].ok);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_gradients_pass),
        cmocka_unit_test(a_small_error_in_one_entry_is_found),
        cmocka_unit_test(a_gradient_that_should_be_zero_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
