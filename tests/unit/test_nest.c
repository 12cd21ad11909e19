/* Loop nests: what the builder folds, what the verifier refuses, and that text is the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nest/nest.h"
#include <stdlib.h>
#include <string.h>

static NestKernel *sample_kernel(Arena *arena, const char *name, double factor) {
    NestKernel *kernel = nest_kernel_create(arena, name);
    uint32_t x = nest_add_buffer(kernel, (NestBuffer){.name = "x", .elem = NEST_F32, .read = true});
    uint32_t y = nest_add_buffer(
        kernel, (NestBuffer){.name = "y", .elem = NEST_F32, .read = true, .written = true});
    uint32_t s = nest_add_buffer(kernel, (NestBuffer){.name = "s",
                                                      .kind = NEST_SCRATCH,
                                                      .elem = NEST_F32,
                                                      .read = true,
                                                      .written = true,
                                                      .elements = 100});
    NestBuilder b = nest_builder(kernel);
    NestId n = nest_extent(&b, NEST_INSTANCES);
    NestId begin = nest_binary(&b, NEST_MUL, nest_task(&b), nest_extent(&b, NEST_TILE));
    NestId zero = nest_const(&b, (NestType){NEST_F32, 16}, 0);
    b.name = "i";
    NestLoop *loop = nest_loop_begin(&b, NEST_VECTOR, begin, n, 16, 1, &zero);
    b.name = NULL;
    NestId i = loop->variable;
    NestId left = nest_binary(&b, NEST_SUB, n, i);
    NestId v = nest_load(&b, x, nest_at_plus(nest_at(0), i, 1), 16, 1, left);
    NestId w = nest_load(&b, x, nest_at_plus(nest_at(3), i, 1), 16, 4, 0);
    b.name = "strange name[0]\"";
    NestId product = nest_fma(&b, v, nest_const(&b, (NestType){NEST_F32, 1}, factor), w);
    b.name = NULL;
    nest_store(&b, y, nest_at_plus(nest_at(0), i, 1), product, left, false);
    NestId far = nest_binary(&b, NEST_LT, nest_i64(&b, 64), i);
    nest_if_begin(&b, far);
    nest_prefetch(&b, x, nest_at_plus(nest_at(64), i, 1));
    nest_store(&b, s, nest_at_plus(nest_at(0), i, 1), product, 0, true);
    nest_if_end(&b);
    nest_loop_end(&b, (NestId[]){nest_binary(&b, NEST_ADD, loop->inner[0], product)});
    NestId sum = nest_unary(&b, NEST_SUM_LANES, nest_result(&b, loop, 0));
    nest_store(&b, y, nest_at(0), sum, 0, false);
    return kernel;
}

static char *printed(const NestKernel *kernel) {
    char *text = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);
    nest_print(kernel, to);
    fclose(to);
    return text;
}

/* Equal kernels, whatever their values are called, have equal texts. */
static void expect_equal(const NestKernel *a, const NestKernel *b, bool equal) {
    const NestKernel *kernels[2] = {a, b};
    char *texts[2] = {NULL};
    for (int k = 0; k < 2; k++) {
        size_t length = 0;
        FILE *to = open_memstream(&texts[k], &length);
        nest_print_nameless(kernels[k], kernels[k]->arena, to);
        fclose(to);
    }
    assert_int_equal(strcmp(texts[0], texts[1]) == 0, equal);
    free(texts[0]);
    free(texts[1]);
}

static void test_round_trip(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    NestKernel *kernel = sample_kernel(c->arena, "sample", 0.1);
    assert_null(nest_verify(kernel));
    char *first = printed(kernel);
    NestKernel *again = nest_read(c, source_add(c->sources, "k", first, strlen(first)));
    if (!again)
        diag_render_text(c->diagnostics, stderr, false);
    assert_non_null(again);
    char *second = printed(again);
    assert_string_equal(first, second);
    expect_equal(kernel, again, true);
    free(first);
    free(second);
    compilation_destroy(c);
}

static void test_equal_but_for_names(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    NestKernel *a = sample_kernel(c->arena, "a", 0.1), *b = sample_kernel(c->arena, "b", 0.1);
    NestKernel *other = sample_kernel(c->arena, "a", 0.2);
    b->buffers.at[0].name = "z";
    expect_equal(a, b, true);
    expect_equal(a, other, false);
    compilation_destroy(c);
}

static void test_folding(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    NestKernel *kernel = nest_kernel_create(c->arena, "f");
    NestBuilder b = nest_builder(kernel);
    NestId two = nest_i64(&b, 2), three = nest_i64(&b, 3), task = nest_task(&b);
    assert_int_equal(nest_i64(&b, 2), two);
    assert_int_equal(nest_binary(&b, NEST_ADD, two, three), nest_i64(&b, 5));
    assert_int_equal(nest_binary(&b, NEST_MUL, nest_i64(&b, 1), task), task);
    assert_int_equal(nest_binary(&b, NEST_MUL, task, nest_i64(&b, 0)), nest_i64(&b, 0));
    assert_int_equal(nest_binary(&b, NEST_REM, nest_i64(&b, 17), nest_i64(&b, 5)), two);
    NestId minus = nest_i64(&b, -7);
    assert_int_not_equal(nest_binary(&b, NEST_DIV, minus, two), nest_i64(&b, -3));
    /* -0.0 and 0.0 are different constants. */
    NestType real = {NEST_F64, 1};
    assert_int_not_equal(nest_const(&b, real, 0.0), nest_const(&b, real, -0.0));
    assert_int_equal(nest_splat(&b, 8, nest_const(&b, real, 1.5)),
                     nest_const(&b, (NestType){NEST_F64, 8}, 1.5));
    assert_null(nest_verify(kernel));
    compilation_destroy(c);
}

#define TURNS                                                                                      \
    "kernel \"k\" { buffer @0 \"x\" argument f32 read write\n %1 = const i64 0\n %2 = const i64 "  \
    "8\n"                                                                                          \
    " %3 = const f32x8 1\n %4 = const f32x8 0\n"

/* Loops whose turns may run at once, or in any order. */
static void test_kinds(void **state) {
    (void)state;
    static const char *const texts[] = {
        TURNS " loop %5 vector %6 = %1 to %2 step 8 carry %7 = %4 {\n"
              " %8 = load f32x8 @0[%6*1 + 0]\n %9 = fma f32x8 %8, %3, %7\n"
              " %10 = add f32x8 %9, %3\n yield %10 } }",
        TURNS " loop %5 reduce %6 = %1 to %2 step 1 carry %7 = %4 {\n"
              " loop %8 vector %9 = %1 to %2 step 8 carry %10 = %7 {\n"
              " %11 = max f32x8 %3, %10\n yield %11 }\n %12 = result f32x8 %8, 0\n yield %12 } }",
        TURNS " loop %5 reduce %6 = %1 to %2 step 1 carry %7 = %4, %8 = %4 {\n"
              " %9 = lt boolx8 %7, %3\n %10 = select f32x8 %9, %3, %7\n"
              " %11 = select f32x8 %9, %4, %8\n yield %10, %11 } }",
    };
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        Compilation *c = compilation_create();
        if (!nest_read(c, source_add(c->sources, "k", texts[k], strlen(texts[k]))))
            diag_render_text(c->diagnostics, stderr, false);
        assert_int_equal(diag_error_count(c->diagnostics), 0);
        compilation_destroy(c);
    }
}

/* Each text is wrong in one way, and the message says so. */
static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"kernel \"k\" { %1 = neg f32 %2 }", "no such value"},
        {"kernel \"k\" { %1 = frobnicate f32 }", "no such operation"},
        {"kernel \"k\" { %1 = const f32 1\n %1 = const f32 2 }", "taken"},
        {"kernel \"k\" { %1 = const f32 1\n %2 = const f32x8 1\n %3 = add f32x8 %1, %2 }", "fit"},
        {"kernel \"k\" { %1 = const f32x3 1 }", "power of two"},
        {"kernel \"k\" { %1 = const f32 1\n if %1 { } }", "scalar bool"},
        {"kernel \"k\" { store @0[0], %1 }", "no such buffer"},
        {"kernel \"k\" { buffer @0 \"x\" argument f32 read\n %1 = const f32 1\n"
         " store @0[0], %1 }",
         "not declared written"},
        {"kernel \"k\" { buffer @0 \"x\" argument f64 write\n %1 = const f32 1\n"
         " store @0[0], %1 }",
         "element type"},
        {"kernel \"k\" { %1 = const i64 0\n loop %2 reduce %3 = %1 to %1 step 0 { } }",
         "step is positive"},
        {"kernel \"k\" { %1 = const i64 0\n loop %2 reduce %3 = %1 to %1 step 1 {\n"
         " %4 = add i64 %3, %3 }\n %5 = add i64 %4, %4 }",
         "not visible"},
        {"kernel \"k\" { %1 = const i64 0\n loop %2 reduce %3 = %1 to %1 step 1 carry %4 = %1 { "
         "} }",
         "yield"},
        {"kernel \"k\" { %1 = const i64 0\n loop %2 reduce %3 = %1 to %1 step 1 { }\n"
         " %5 = result i64 %2, 0 }",
         "no such carried value"},
        {"kernel \"k\" { buffer @0 \"s\" scratch f32 read write elements 4\n"
         " %1 = load f32 @0[0] }",
         "nothing was written"},
        {"kernel \"k\" { buffer @0 \"s\" scratch f32 read write elements 16\n"
         " %1 = const f32x8 1\n store @0[9], %1 }",
         "outside its scratch"},
        {"kernel \"k\" { buffer @0 \"s\" scratch f32 read write elements 16\n"
         " %1 = const f32x8 1\n %2 = const i64 0\n %3 = const i64 9\n"
         " loop %4 sequential %5 = %2 to %3 step 8 { store @0[%5*1 + 1], %1\n } }",
         "outside its scratch"},
        {TURNS " loop %5 vector %6 = %1 to %2 step 8 carry %7 = %4 {\n"
               " %8 = neg f32x8 %7\n yield %8 } }",
         "carries what is no fold"},
        {TURNS " loop %5 vector %6 = %1 to %2 step 8 carry %7 = %4 {\n"
               " %8 = add f32x8 %7, %3\n %9 = mul f32x8 %8, %3\n yield %9 } }",
         "carries what is no fold"},
        {TURNS " loop %5 vector %6 = %1 to %2 step 8 carry %7 = %4 {\n"
               " %8 = add f32x8 %7, %3\n store @0[%6*1 + 0], %7\n yield %8 } }",
         "carries what is no fold"},
        {TURNS " loop %5 vector %6 = %1 to %2 step 8 carry %7 = %4 {\n"
               " %8 = fma f32x8 %7, %3, %3\n yield %8 } }",
         "carries what is no fold"},
        {TURNS " loop %5 vector %6 = %1 to %2 step 8 carry %7 = %4 {\n"
               " %8 = lt boolx8 %7, %3\n %9 = select f32x8 %8, %3, %7\n yield %9 } }",
         "carries what is no fold"},
        {TURNS " loop %5 vector %6 = %1 to %2 step 8 { store @0[0], %3 } }",
         "turns that write the same places"},
        {TURNS " loop %5 vector %6 = %1 to %2 step 8 {\n"
               " %7 = load f32x8 @0[0]\n store @0[%6*1 + 0], %7 } }",
         "turns that read what others write"},
        {TURNS " loop %5 reduce %6 = %1 to %2 step 1 carry %7 = %4 {\n"
               " %8 = add f32x8 %7, %3\n store @0[%6*8 + 0], %3\n yield %8 } }",
         "is a reduction, and writes"},
        {TURNS " loop %5 reduce %6 = %1 to %2 step 1 { %7 = task } }", "is a reduction of nothing"},
        {"kernel \"k\" {", "ends inside"},
        {"kernel \"k\" { } }", "expected `kernel`"},
        {"kernel \"k\" { } kernel \"l\" { }", "one kernel"},
        {"", "expected `kernel`"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Compilation *c = compilation_create();
        uint32_t file = source_add(c->sources, "k", cases[k].text, strlen(cases[k].text));
        assert_null(nest_read(c, file));
        char *text = NULL;
        size_t length = 0;
        FILE *to = open_memstream(&text, &length);
        diag_render_text(c->diagnostics, to, false);
        fclose(to);
        if (!strstr(text, cases[k].message))
            fail_msg("case %zu: expected \"%s\" in:\n%s", k, cases[k].message, text);
        free(text);
        compilation_destroy(c);
    }
}

static void test_several(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    static const char text[] = "kernel \"a\" { %1 = task }\n// and\nkernel \"b\" { %1 = task }\n";
    NestKernelVec kernels = {0};
    assert_true(nest_read_all(c, source_add(c->sources, "k", text, strlen(text)), &kernels));
    assert_int_equal(kernels.count, 2);
    assert_string_equal(kernels.at[1]->name, "b");
    expect_equal(kernels.at[0], kernels.at[1], true);
    compilation_destroy(c);
}

static void test_too_deep(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    enum { DEPTH = 100000 };
    char *text = calloc(1, 64 + DEPTH * 8);
    strcpy(text, "kernel \"k\" { %1 = const bool 1\n");
    char *at = text + strlen(text);
    for (int k = 0; k < DEPTH; k++)
        at += sprintf(at, "if %%1 { ");
    assert_null(nest_read(c, source_add(c->sources, "k", text, strlen(text))));
    assert_int_equal(diag_error_count(c->diagnostics), 1);
    free(text);
    compilation_destroy(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_equal_but_for_names),
        cmocka_unit_test(test_folding),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_several),    cmocka_unit_test(test_too_deep),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
