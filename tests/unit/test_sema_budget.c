/* Limits that no test could come to by elaborating: what is spent is set near the end. */
#include "sema/budget.h"
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "syntax/parse.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the headers above
#include <cmocka.h>

static int begin(void **state) {
    static const SemaOptions none = {0};
    Compilation *c = compilation_create();
    Ast *ast = ARENA_NEW(c->arena, Ast);
    ast->file = source_add(c->sources, "test.hc", "", 0);
    *state = sema_create(c, ast, &none);
    return 0;
}

static int end(void **state) {
    compilation_destroy(((Sema *)*state)->c);
    return 0;
}

static void expect_said(Sema *s, uint32_t count, const char *words) {
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    diag_render_text(s->d, to, false);
    fclose(to);
    const bool found = strstr(text, words) != NULL;
    if (!found)
        print_error("%s is not in:\n%s", words, text);
    free(text);
    assert_true(found);
    assert_int_equal(diag_error_count(s->d), count);
}

static Span here(const Sema *s) {
    return (Span){s->ast->file, 0, 0};
}

static const Expr number = {.kind = EXPR_NUMBER, .height = 1, .number = 3};

/* The last value there may be is one; the next ends elaboration, which is said once. */
static void test_values(void **state) {
    Sema *s = *state;
    s->spent.values = SEMA_MAX_VALUES - 1;
    value_as_tensor(s, value_number(3, here(s)), here(s));
    assert_int_equal(diag_error_count(s->d), 0);
    for (uint32_t k = 0; k < 3; k++)
        value_as_tensor(s, value_number(3, here(s)), here(s));
    expect_said(s, 1, "the network is too large to elaborate");
    assert_true(is_poison(elaborate(s, s->root, &number)));
}

static void test_instances(void **state) {
    Sema *s = *state;
    s->spent.instances = SEMA_MAX_INSTANCES - 1;
    frame_push(s, NULL, "a", here(s));
    assert_int_equal(diag_error_count(s->d), 0);
    frame_push(s, NULL, "b", here(s));
    expect_said(s, 1, "the network is too large to elaborate");
}

static void test_steps(void **state) {
    Sema *s = *state;
    s->spent.steps = SEMA_MAX_STEPS - 1;
    assert_int_equal(elaborate(s, s->root, &number).kind, VALUE_NUMBER);
    assert_true(is_poison(elaborate(s, s->root, &number)));
    expect_said(s, 1, "the network is too large to elaborate");
}

static void test_tables_together(void **state) {
    Sema *s = *state;
    s->spent.table_entries = NUMERIC_TOTAL - 4;
    assert_non_null(budget_table(s, 4, here(s)));
    assert_null(budget_table(s, 1, here(s)));
    expect_said(s, 1, "the tables of this file have more than 134217728 entries together");
}

static void test_elements(void **state) {
    Sema *s = *state;
    const uint32_t most[] = {1u << 20, 1u << 20}, more[] = {1u << 20, 1u << 20, 2},
                   huge[] = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
    uint64_t count;
    assert_true(budget_elements(s, 2, most, here(s), &count));
    assert_true(count == SEMA_MAX_ELEMENTS);
    assert_false(budget_elements(s, 3, more, here(s), &count));
    assert_false(budget_elements(s, 3, huge, here(s), &count)); /* said once of a place */
    expect_said(s, 1, "would have more than 2^40 elements");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values, begin, end),
        cmocka_unit_test_setup_teardown(test_instances, begin, end),
        cmocka_unit_test_setup_teardown(test_steps, begin, end),
        cmocka_unit_test_setup_teardown(test_tables_together, begin, end),
        cmocka_unit_test_setup_teardown(test_elements, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
