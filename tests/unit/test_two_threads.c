/* Two threads of a process each check, compile, load and gradcheck texts of their own, without
 * knowing of each other: every result is that of the first time. HCC_TEST_EVERYTHING=1 does it
 * fifty times; build with -DHCC_SANITIZE_THREADS=ON to have every access watched. */
#include "gradcheck/gradcheck.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const texts[2][2] = {
    {
        "use std;\n"
        "model gates {\n"
        "  const d = 33;\n"
        "  positions t <= 4 causal;\n"
        "  input x[t, d] : real;\n"
        "  target y[t, d] : real;\n"
        "  let h = trunk(x) { repeat 2 { a = dhc(n = 2) : mlp(7); } };\n"
        "  loss mse(h, y);\n"
        "}\n",
        "use std;\n"
        "model wrong {\n"
        "  input x[3] : real;\n"
        "  param w[4] ~ normal(1);\n"
        "  loss sum[i] w[i] * x[i];\n"
        "}\n",
    },
    {
        "use std;\n"
        "model mixed {\n"
        "  const d = 8;\n"
        "  positions t <= 4 causal;\n"
        "  input tokens[t] : token(11);\n"
        "  param E[11, d] ~ normal(1);\n"
        "  let x = embed(tokens, E);\n"
        "  let h = trunk(x) { a = mhc(n = 3, iters = 3) : attention(2); };\n"
        "  loss sum[c] sin(h[c]);\n"
        "}\n",
        "model line {\n"
        "  input x[65] : real;\n"
        "  target y : real;\n"
        "  param w[65] ~ normal(1);\n"
        "  loss ((sum[i] w[i] * tanh(x[i])) - y)^2;\n"
        "}\n",
    },
};

typedef struct {
    const char *const *texts;
    int times;
    const char *failed;
} Share;

/* What came of a text, to be the same every time. */
typedef struct {
    CompileStatus checked, compiled, differences;
    uint32_t errors, parameters, wrong;
    double loss;
} Outcome;

static CompileRun begun(Compilation *c, const char *text, const CompileOptions *options) {
    CompileRun run = compile_begin(c, options, NULL);
    compile_from_text(&run, source_add(c->sources, "text.hc", text, strlen(text)));
    return run;
}

static Outcome outcome(const char *text, int time) {
    Outcome came = {0};
    Compilation *c = compilation_create();
    const CompileOptions options = {.precision = {time & 1, HC_PRECISION_F64}};
    CompileRun run = begun(c, text, &options);
    came.checked = compile_to(&run, PASS_SEMA);
    came.errors = diag_error_count(c->diagnostics);
    if (came.checked == COMPILE_DONE) {
        came.compiled = compile_to(&run, PASS_MANIFEST);
        run.model = (CodegenModel){.symbol = "shared"};
        if (came.compiled == COMPILE_DONE)
            came.compiled = compile_load(&run);
        jit_unload(run.jit);
    }
    compile_end(&run);
    if (came.checked == COMPILE_DONE) {
        GradReport report = {0};
        run = begun(c, text, &options);
        came.differences = compile_to(&run, PASS_DCE);
        if (came.differences == COMPILE_DONE)
            came.differences = gradcheck_network(&run, time % 4 == 3, 1, &report);
        came.parameters = report.count;
        came.wrong = report.counts[GRAD_WRONG] + (report.wrong != NULL);
        came.loss = report.loss;
        compile_end(&run);
    }
    compilation_destroy(c);
    return came;
}

static const char *difference(const Outcome *now, const Outcome *first) {
    if (now->checked != first->checked || now->errors != first->errors)
        return "checked otherwise than at first";
    if (now->compiled != COMPILE_DONE)
        return "not compiled";
    if (now->differences != COMPILE_DONE || now->wrong)
        return "gradient not checked, or wrong";
    if (now->parameters != first->parameters)
        return "other parameters";
    const double gap = now->loss - first->loss; /* the interpreter adds in another order */
    return gap < -1e-12 || gap > 1e-12 ? "another loss" : NULL;
}

static void *work(void *context) {
    Share *share = context;
    Outcome first[2];
    for (int time = 0; time < share->times && !share->failed; time++)
        for (int k = 0; k < 2 && !share->failed; k++) {
            const Outcome now = outcome(share->texts[k], time);
            if (time == 0)
                first[k] = now;
            share->failed = difference(&now, &first[k]);
        }
    return NULL;
}

static void test_two_threads(void **state) {
    (void)state;
    const int times = getenv("HCC_TEST_EVERYTHING") ? 50 : 4;
    Share shares[2];
    pthread_t threads[2];
    for (int k = 0; k < 2; k++) {
        shares[k] = (Share){.texts = texts[k], .times = times};
        assert_int_equal(pthread_create(&threads[k], NULL, work, &shares[k]), 0);
    }
    for (int k = 0; k < 2; k++)
        pthread_join(threads[k], NULL);
    for (int k = 0; k < 2; k++)
        if (shares[k].failed)
            fail_msg("thread %d: %s", k, shares[k].failed);
}

static void test_outcomes(void **state) {
    (void)state;
    assert_int_equal(outcome(texts[0][1], 0).checked, COMPILE_REFUSED);
    assert_int_equal(outcome(texts[0][1], 0).errors, 1);
    assert_true(outcome(texts[0][0], 0).parameters > 4);
}

#ifdef __SANITIZE_THREAD__
/* LLVM's library is built without the sanitizer, which therefore does not see what orders its own
 * accesses (a static object that the first comer makes). */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) {
    return "called_from_lib:libLLVM\n";
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
