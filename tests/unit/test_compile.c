/* The compiler as a library: what is wrong comes back as a value, nothing is printed, and every
 * pass is told of. (test_two_threads.c: twice at a time.) */
#include "compile/compile.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char good[] = "model line {\n"
                           "  input x[WIDTH] : real;\n"
                           "  target y : real;\n"
                           "  param w[WIDTH] ~ normal(1);\n"
                           "  loss ((sum[i] w[i] * tanh(x[i])) - y)^2;\n"
                           "}\n";

/* A run of a text up to a pass. */
typedef struct {
    Compilation *c;
    CompileRun run;
    CompileStatus status;
} Compiled;

static Compiled compiled(const char *text, CompileOptions options, PassId last) {
    Compiled it = {.c = compilation_create()};
    assert_non_null(it.c);
    it.run = compile_begin(it.c, &options, NULL);
    compile_from_text(&it.run, source_add(it.c->sources, "text.hc", text, strlen(text)));
    it.status = compile_to(&it.run, last);
    return it;
}

static void end(Compiled *it) {
    compile_end(&it->run);
    compilation_destroy(it->c);
}

static const char *with_width(char *to, size_t size, uint32_t width) {
    const char *from = good;
    size_t at = 0;
    while (*from && at + 8 < size)
        if (strncmp(from, "WIDTH", 5) == 0) {
            at += (size_t)snprintf(to + at, size - at, "%u", width);
            from += 5;
        } else {
            to[at++] = *from++;
        }
    to[at] = '\0';
    return to;
}

/* --- what is wrong is a value ------------------------------------------------------------------*/

static void test_mistakes_are_diagnostics(void **state) {
    (void)state;
    Compiled it = compiled("model m { loss q; }", (CompileOptions){0}, PASS_MANIFEST);
    assert_int_equal(it.status, COMPILE_REFUSED);
    assert_int_equal(diag_error_count(it.c->diagnostics), 1);
    assert_null(it.run.message);
    assert_string_equal(it.run.at, "sema");
    end(&it);
}

static void test_options_are_told_apart(void **state) {
    (void)state;
    char text[512];
    CompileOptions options = {.machine = {.cpu = "skylke"}};
    Compiled it = compiled(with_width(text, sizeof text, 8), options, PASS_MANIFEST);
    assert_int_equal(it.status, COMPILE_OPTIONS);
    assert_non_null(strstr(it.run.message, "did you mean 'skylake'?"));
    end(&it);
}

/* The text is right, and cannot be compiled: said with its place, in no diagnostic yet. */
static void test_refusals_have_a_place(void **state) {
    (void)state;
    static const char text[] = "model m {\n"
                               "  input x[4] : real;\n"
                               "  param W[4] ~ normal(1);\n"
                               "  let s[i] = x[i] * W[i];\n"
                               "  iterate 1000000 { iterate 1000 { s[i] = tanh(s[i]); } }\n"
                               "  loss sum[i] s[i];\n"
                               "}\n";
    Compiled it = compiled(text, (CompileOptions){0}, PASS_MANIFEST);
    assert_int_equal(it.status, COMPILE_REFUSED);
    assert_string_equal(it.run.at, "unroll");
    assert_non_null(strstr(it.run.refused.message, "written out, the loop makes"));
    assert_int_equal(source_line_column(it.c->sources, 1, it.run.refused.at.begin).line, 5);
    assert_int_equal(diag_error_count(it.c->diagnostics), 0);
    end(&it);
}

static void test_too_little_memory(void **state) {
    (void)state;
    static const char text[] = "model m {\n"
                               "  positions t <= 64;\n"
                               "  input x[t, 64] : real;\n"
                               "  param W[64, 64] ~ normal(1);\n"
                               "  let h[i] = tanh(sum[j] W[i,j] * x[j]);\n"
                               "  loss sum[i] h[i]^2;\n"
                               "}\n";
    Compiled it = compiled(text, (CompileOptions){.memory = 1}, PASS_MANIFEST);
    assert_int_equal(it.status, COMPILE_RESOURCES);
    assert_non_null(strstr(it.run.message, "--memory: a step takes at least"));
    end(&it);
}

/* A file of definitions ends after its meaning is known. */
static void test_no_model(void **state) {
    (void)state;
    Compiled it = compiled("fn twice(x) = 2 * x;\n", (CompileOptions){0}, PASS_MANIFEST);
    assert_int_equal(it.status, COMPILE_DONE);
    assert_null(it.run.network);
    end(&it);
}

/* --- watching ----------------------------------------------------------------------------------*/

typedef struct {
    uint32_t begun, ended;
} Seen;

static void begins(void *context, const char *pass) {
    Seen *seen = context;
    assert_string_equal(pass, compile_passes[seen->begun++].name);
}

static void ended(void *context, const char *pass, double seconds, const CompileRun *run) {
    Seen *seen = context;
    assert_true(seconds >= 0);
    assert_string_equal(pass, run->at);
    assert_int_equal(run->form, compile_passes[seen->ended++].gives);
}

static void test_every_pass_is_told_of(void **state) {
    (void)state;
    char text[512];
    with_width(text, sizeof text, 16);
    Compilation *c = compilation_create();
    Seen seen = {0};
    const CompileWatch watch = {&seen, begins, ended};
    const CompileOptions options = {0};
    CompileRun run = compile_begin(c, &options, &watch);
    compile_from_text(&run, source_add(c->sources, "text.hc", text, strlen(text)));
    run.model.symbol = "watched";
    assert_int_equal(compile_to(&run, PASS_OBJECT), COMPILE_DONE);
    assert_int_equal(seen.begun, PASS_COUNT);
    assert_int_equal(seen.ended, PASS_COUNT);
    assert_true(run.object.length > 0);
    compile_end(&run);
    compilation_destroy(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes_are_diagnostics),
        cmocka_unit_test(test_options_are_told_apart),
        cmocka_unit_test(test_refusals_have_a_place),
        cmocka_unit_test(test_too_little_memory),
        cmocka_unit_test(test_no_model),
        cmocka_unit_test(test_every_pass_is_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
