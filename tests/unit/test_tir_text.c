/* The textual form: round trip, what the reader refuses, and what the verifier catches. */
#include "tir_case.h"

static const char *const whole =
    "tir 1\n"
    "space \"t\" 8\n"
    "space \"rc\" 2 4\n"
    "param \"a.w\" \"layer\" real[3,4] normal 0 0.02 decay connection lr 0.5\n"
    "param \"b\" \"\" real[2] data 1 -2.5 frozen lr 1\n"
    "param \"c\" \"x\" real[] uniform -1 1 lr 1\n"
    "input \"x\" real[4]@pos1 limit 0\n"
    "target \"y\\\"z\" int[]@pos1 limit 256\n"
    "input \"label\" int[]@sample limit 10\n"
    "table \"\" real[2,2] 1 0.1 1e-300 inf\n"
    "table \"odd\" int[3] 2 0 -1\n"
    "%1 = param 0 : real[3,4]\n"
    "%2 = input 0 : real[4]@pos1 \"x\"\n"
    "%3 = contract %1 %2 \"ab,b->a\" : real[3]@pos1 \"y\"\n"
    "%4 = const 0.1 : real[]\n"
    "%5 = mul %3 %4 : real[3]@pos1\n"
    "%6 = broadcast %5 axes 1 : real[2,3]@pos1\n"
    "%7 = slice %6 axis 1 start 1 : real[2,2]@pos1\n"
    "%8 = pad %7 axis 0 start 3 : real[6,2]@pos1\n"
    "%9 = take %8 axis 0 indices 3 -1 3 : real[3,2]@pos1\n"
    "%10 = concat %9 %9 axis 1 : real[3,4]@pos1\n"
    "%11 = reduce_max %10 axes 0 1 : real[]@pos1\n"
    "%12 = argmax %10 axis 1 : int[3]@pos1\n"
    "%13 = onehot %12 rows 4 : real[3,4]@pos1\n"
    "%14 = shift %13 offset -1 : real[3,4]@pos1\n"
    "%15 = attend %14 %13 %13 start 0 causal scale 0.5\n"
    "%16 = result %15 0 : real[3,4]@pos1\n"
    "%17 = count @time1 : real[]\n"
    "%18 = position 2 : int[]@time2\n"
    "%19 = const 1 : bool[]\n"
    "%20 = table 0 : real[2,2]\n"
    "%21 = param 1 : real[2]\n"
    "%22 = scan %21 %20 %20 trips 2 reverse carried 1 invariant 1 scanned 1 stacked 1 {\n"
    "  args real[2] real[2,2] real[2] int[]\n"
    "  %1 = arg 0 : real[2]\n"
    "  %2 = arg 2 : real[2]\n"
    "  %3 = mul %1 %2 : real[2]\n"
    "  %4 = scan %3 trips 3 carried 1 invariant 0 scanned 0 stacked 0 {\n"
    "    args real[2] int[]\n"
    "    %1 = arg 0 : real[2]\n"
    "    %2 = sin %1 : real[2]\n"
    "    yield %2\n"
    "  }\n"
    "  %5 = result %4 0 : real[2]\n"
    "  yield %5 %1\n"
    "}\n"
    "%23 = result %22 1 : real[2,2]\n"
    "%24 = position_sum %11 : real[]@sample\n"
    "%25 = position_sum %11 : real[]\n"
    "%26 = scatter_add %12 %16 rows 5 : real[5,4]\n"
    "output loss \"loss\" 0 %25\n"
    "output metric \"m\" 0 %25\n"
    "output probe \"p\" 3 %23\n"
    "output named \"n\" 0 %26\n"
    "forward 26\n";

static TirProgram *read_text(Compilation *c, const char *text, size_t length) {
    return tir_read(c, source_add(c->sources, "test.tir", text, length));
}

static void test_round_trip(void **state) {
    Compilation *c = compilation_create();
    (void)state;
    TirProgram *p = read_text(c, whole, strlen(whole));
    if (!p)
        diag_render_text(c->diagnostics, stderr, false);
    assert_non_null(p);
    char *text = case_print(p);
    assert_string_equal(text, whole);
    free(text);
    assert_null(tir_verify(p));
    compilation_destroy(c);
}

static void test_layout_is_free(void **state) {
    Compilation *c = compilation_create();
    (void)state;
    static const char text[] = "; a comment\n\n  tir   1 ; version\nspace \"t\" 4\r\n"
                               "input \"x\" real[ 2 ]@pos1\n"
                               "%70 = input 0 : real[2]@pos1\n%8 = exp %70 : real[2]@pos1";
    TirProgram *p = read_text(c, text, strlen(text));
    assert_non_null(p);
    assert_int_equal(p->block->nodes.count, 3);
    compilation_destroy(c);
}

/* Nothing folds on reading: passes are tested on what a file says. */
static void test_reader_does_not_fold(void **state) {
    Compilation *c = compilation_create();
    (void)state;
    static const char text[] = "tir 1\n%1 = const 2 : real[]\n%2 = const 0 : real[]\n"
                               "%3 = add %1 %2 : real[]\noutput named \"x\" 0 %3\n";
    TirProgram *p = read_text(c, text, strlen(text));
    assert_non_null(p);
    assert_int_equal(tir_node(p->block, p->outputs.at[0].value)->op, TIR_ADD);
    assert_int_equal(pass_dce(p)->block->nodes.count, 2);
    compilation_destroy(c);
}

/* A number is read whole, whatever its length: here three, which a reader of so many bytes at a
 * time would take for more. */
static void test_long_numbers(void **state) {
    (void)state;
    for (int zeros = 50; zeros < 300; zeros++) {
        Compilation *c = compilation_create();
        const char *text =
            arena_printf(c->arena, "tir 1\ntable \"\" real[3] 0.5%0*d -1.%0*d2 %0*d7\n", zeros, 0,
                         zeros, 0, zeros, 0);
        TirProgram *p = read_text(c, text, strlen(text));
        assert_non_null(p);
        const double *data = p->tables.at[0].data;
        assert_true(data[0] == 0.5 && data[1] == -1 && data[2] == 7);
        compilation_destroy(c);
    }
}

#define HEAD                                                                                       \
    "tir 1\nspace \"t\" 4\nparam \"w\" \"g\" real[2,3] fill 0 0\n%1 = param 0 : real[2,3]\n"

static const char *const refused[] = {
    "",
    "tir 2\n",
    "tir 1\nspace \"t\"\n",
    "tir 1\nspace \"t\" 0\n",
    "tir 1\nparam \"w\" \"g\" real[0] fill 0 0\n",
    "tir 1\nparam \"w\" \"g\" real[4294967295,4294967295,4294967295] fill 0 0\n",
    "tir 1\nparam \"w\" \"g\" int[2] fill 0 0\n",
    "tir 1\nparam \"w\" \"g\" real[2]@sample fill 0 0\n",
    "tir 1\nparam \"w\" \"g\" real[1,1,1,1,1,1,1,1,1] fill 0 0\n",
    "tir 1\nparam \"w\" \"g\" real[2] data 1\n",
    "tir 1\nparam \"w \"g\" real[2] fill 0 0\n",
    "tir 1\ninput \"x\" real[2]@pos1\n",
    "tir 1\ntable \"x\" bool[1] 1\n",
    "tir 1\n%1 = exp %1 : real[]\n",
    "tir 1\n%1 = const 1.5 : int[]\n",
    "tir 1\n%1 = const 2 : bool[]\n",
    "tir 1\n%1 = count @pos1 : real[]\n",
    "tir 1\n%1 = position 0 : int[]@pos1\n",
    HEAD "%2 = exp %1 : real[2,2]\n",
    HEAD "%2 = exp %1 : int[2,3]\n",
    HEAD "%2 = exp %1 : real[2,3]@pos1\n",
    HEAD "%2 = exp %1\n",
    HEAD "%2 = exp %1 %1 : real[2,3]\n",
    HEAD "%2 = exponential %1 : real[2,3]\n",
    HEAD "%1 = exp %1 : real[2,3]\n",
    HEAD "%2 = exp %3 : real[2,3]\n%3 = exp %1 : real[2,3]\n",
    HEAD "%2 = param 1 : real[2,3]\n",
    HEAD "%2 = broadcast %1 axes 0 : real[2,3]\n",
    HEAD "%2 = broadcast %1 axes 0 9 : real[2,3]\n",
    HEAD "%2 = slice %1 axis 2 start 0 : real[2,3]\n",
    HEAD "%2 = slice %1 axis 1 start 2 : real[2,2]\n",
    HEAD "%2 = slice %1 axis 1 start 4294967295 : real[2,2]\n",
    HEAD "%2 = pad %1 axis 1 start 1 : real[2,3]\n",
    HEAD "%2 = reshape %1 : real[7]\n",
    HEAD "%2 = take %1 axis 1 indices 3 : real[2,1]\n",
    HEAD "%2 = take %1 axis 1 indices 0 1 : real[2,1]\n",
    HEAD "%2 = take %1 axis 1 indices : real[2,1]\n",
    HEAD "%2 = take %1 axis 7 indices 0 : real[2,1]\n",
    HEAD "%2 = reduce_sum %1 axes 2 : real[2,3]\n",
    HEAD "%2 = contract %1 %1 \"ab,a->b\" : real[3]\n",
    HEAD "%2 = contract %1 %1 \"ab,ba->\" : real[]\n",
    HEAD "%2 = contract %1 %1 \"ab,ab->c\" : real[3]\n",
    HEAD "%2 = contract %1 \"ab->a\" : real[2]\n",
    HEAD "%2 = shift %1 offset 1 : real[2,3]\n",
    HEAD "%2 = attend %1 %1 %1 start 0 scale 1\n",
    HEAD "%2 = result %1 0 : real[2,3]\n",
    HEAD "%2 = scan %1 trips 0 carried 1 invariant 0 scanned 0 stacked 0 {\nargs real[2,3] int[]\n"
         "%1 = arg 0 : real[2,3]\nyield %1\n}\n",
    HEAD "%2 = scan %1 trips 2 carried 1 invariant 0 scanned 0 stacked 0 {\nargs real[2,3]\n"
         "%1 = arg 0 : real[2,3]\nyield %1\n}\n",
    HEAD "%2 = scan %1 trips 2 carried 1 invariant 0 scanned 0 stacked 0 {\nargs real[2,3] int[]\n"
         "%1 = arg 2 : real[2,3]\nyield %1\n}\n",
    HEAD "%2 = scan %1 trips 2 carried 1 invariant 0 scanned 0 stacked 0 {\nargs real[2,3] int[]\n"
         "%1 = arg 0 : real[2,3]\nyield\n}\n",
    HEAD "%2 = scan %1 trips 2 carried 1 invariant 0 scanned 0 stacked 0 {\nargs real[2,3] int[]\n"
         "%1 = arg 1 : int[]\nyield %1\n}\n",
    HEAD "%2 = scan %1 trips 2 carried 1 invariant 0 scanned 0 stacked 0 {\n",
    HEAD "output loss \"l\" 0 %1\n",
    HEAD "output grad \"g\" 5 %1\n",
    HEAD "output nothing \"l\" 0 %1\n",
    HEAD "forward 9\n",
    HEAD "%2 = exp %1 : real[2,3] stray\n",
    HEAD "nonsense\n",
    HEAD "%99999999999999999999 = exp %1 : real[2,3]\n",
    HEAD "%2.5 = exp %1 : real[2,3]\n",
};

static void test_reader_refuses(void **state) {
    (void)state;
    for (uint32_t k = 0; k < sizeof refused / sizeof *refused; k++) {
        Compilation *c = compilation_create();
        if (read_text(c, refused[k], strlen(refused[k])))
            fail_msg("read without an error: %s", refused[k]);
        assert_int_equal(diag_error_count(c->diagnostics), 1);
        compilation_destroy(c);
    }
}

/* Any text gives a program that verifies, or an error. */
static void test_reader_survives(void **state) {
    (void)state;
    Case c = {.random = 7};
    const size_t n = strlen(whole);
    char *text = malloc(n);
    for (uint32_t round = 0; round < 3000; round++) {
        Compilation *compilation = compilation_create();
        memcpy(text, whole, n);
        for (uint32_t k = 0; k < 1 + round % 3; k++) {
            const size_t at = (size_t)(case_random(&c) * (double)n);
            static const char bytes[] = "0123456789-%,[]{}@\" \nabcstx\x80\0";
            const size_t from = (size_t)(case_random(&c) * (double)n);
            switch ((int)(case_random(&c) * 3)) {
            case 0:
                text[at] = bytes[(size_t)(case_random(&c) * sizeof bytes)];
                break;
            case 1:
                text[at] = text[from];
                break;
            default:
                memmove(text + at, text + from, (n - (at > from ? at : from)) % 24);
            }
        }
        const size_t length = round % 2 ? n : (size_t)(case_random(&c) * (double)n);
        const TirProgram *p = read_text(compilation, text, length);
        assert_true((p == NULL) == (diag_error_count(compilation->diagnostics) > 0));
        if (p)
            assert_null(tir_verify(p));
        compilation_destroy(compilation);
    }
    free(text);
}

static void test_nesting_is_capped(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    fputs("tir 1\n%1 = const 1 : real[]\n", to);
    for (uint32_t k = 0; k < 100000; k++)
        fputs(
            "%2 = scan %1 trips 1 carried 1 invariant 0 scanned 0 stacked 0 {\nargs real[] int[]\n"
            "%1 = arg 0 : real[]\n",
            to);
    fclose(to);
    assert_null(read_text(c, text, size));
    free(text);
    compilation_destroy(c);
}

/* --- the verifier ------------------------------------------------------------------------------*/

/* Breaks one thing of the program and expects the verifier to say so, naming the value. */
#define BREAKS(statement)                                                                          \
    do {                                                                                           \
        Compilation *c = compilation_create();                                                     \
        TirProgram *p = read_text(c, whole, strlen(whole));                                        \
        TirNode *n = p->block->nodes.at;                                                           \
        (void)n;                                                                                   \
        assert_null(tir_verify(p));                                                                \
        statement;                                                                                 \
        if (!tir_verify(p))                                                                        \
            fail_msg("not caught: %s", #statement);                                                \
        compilation_destroy(c);                                                                    \
    } while (0)

static void test_verifier_catches(void **state) {
    (void)state;
    BREAKS(n[5].type.dims[0] = 4);
    BREAKS(n[5].type.elem = TIR_INT);
    BREAKS(n[5].type.domain.space = 0);
    BREAKS(n[14].type.dependence = TIR_DEPENDS_SELF);
    BREAKS(((TirId *)n[5].operands)[0] = 5);
    BREAKS(((TirId *)n[5].operands)[0] = 0);
    BREAKS(((TirId *)n[5].operands)[1] = 22);
    BREAKS(n[5].n_operands = 1);
    BREAKS(n[5].op = TIR_OP_COUNT);
    BREAKS(n[4].attr.number = 0.1; n[4].type.elem = TIR_INT);
    BREAKS(n[1].attr.index = 7);
    BREAKS(n[3].attr.labels[1][0] = 30);
    BREAKS(n[6].attr.axes[0] = 0);
    BREAKS(n[7].attr.start = 2);
    BREAKS(((int32_t *)n[9].attr.indices)[0] = 6);
    BREAKS(n[11].attr.axis_mask = 4);
    BREAKS(n[16].attr.index = 2);
    BREAKS(n[15].n_results = 1);
    BREAKS(((TirType *)n[15].result_types)[0].rank = 1);
    BREAKS(n[18].attr.index = 3);
    BREAKS(n[17].attr.domain.space = 3);
    BREAKS(n[22].attr.body = NULL);
    BREAKS(n[22].attr.body->results.count = 1);
    BREAKS(n[22].attr.body->arguments.at[1].dims[0] = 3);
    BREAKS(n[22].attr.body->nodes.at[3].type.dims[0] = 3);
    BREAKS(n[22].attr.n_carried = 2);
    BREAKS(p->params.at[0].type.domain.sample = 1);
    BREAKS(p->params.at[1].data = NULL);
    BREAKS(p->inputs.at[0].type.domain.space = 9);
    BREAKS(p->tables.at[0].data = NULL);
    BREAKS(p->outputs.at[0].value = 0);
    BREAKS(p->outputs.at[0].value = 99);
    BREAKS(p->outputs.at[0].value = 22);
    BREAKS(p->outputs.at[0].value = 24);
    BREAKS(p->outputs.at[0].role = TIR_OUT_GRAD);
    BREAKS(p->n_forward = 27);
    BREAKS(p->n_forward = p->outputs.at[3].value - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),        cmocka_unit_test(test_layout_is_free),
        cmocka_unit_test(test_long_numbers),      cmocka_unit_test(test_reader_does_not_fold),
        cmocka_unit_test(test_reader_refuses),    cmocka_unit_test(test_reader_survives),
        cmocka_unit_test(test_nesting_is_capped), cmocka_unit_test(test_verifier_catches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
