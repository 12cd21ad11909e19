/* libhcc as its users have it: linked as a shared library, called by what hcc.h and hc.h say.
 * (python/tests does more with it.) */
#include "library/hcc.h"
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char line[] = "model line {\n"
                           "  const d = 8;\n"
                           "  input x[d] : real;\n"
                           "  target y : real;\n"
                           "  param w[d] ~ normal(0.1);\n"
                           "  loss ((sum[c] w[c] * x[c]) - y)^2;\n"
                           "}\n"
                           "train line { batch 4; steps 8; lr 0.1; }\n";

static HccModule *compiled(const char *text, const HccOptions *options) {
    return hcc_compile_text(text, strlen(text), "text.hc", options);
}

/* --- what is right -----------------------------------------------------------------------------*/

/* The loss before and after a step, of a model of `d` features. */
static void trained(const HcModel *model, int64_t d, double loss[2]) {
    HcContext *context;
    HcError error;
    float x[4 * 65], y[4] = {1, 2, 3, 4};
    assert_int_equal(hc_create(model, NULL, &context, &error), HC_OK);
    for (int k = 0; k < 4 * d; k++)
        x[k] = (float)(k % 7) / 7;
    assert_int_equal(hc_init(context, 3), HC_OK);
    assert_int_equal(hc_set_input(context, "x", x, 4 * d), HC_OK);
    assert_int_equal(hc_set_input(context, "y", y, 4), HC_OK);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(hc_forward_backward(context), HC_OK);
        assert_int_equal(hc_loss(context, &loss[k]), HC_OK);
        assert_int_equal(hc_step(context, -1), HC_OK);
    }
    hc_destroy(context);
}

static void test_a_text_becomes_a_model(void **state) {
    (void)state;
    HccModule *module = compiled(line, NULL);
    assert_int_equal(hcc_status(module), HCC_OK);
    assert_string_equal(hcc_report(module), "");
    assert_string_equal(hcc_diagnostics(module), "[]\n");
    assert_string_equal(hcc_message(module), "");
    assert_string_equal(hcc_model_name(module), "line");
    assert_non_null(strstr(hcc_manifest(module), "\"model\":\"line\""));
    double loss[2];
    trained(hcc_model(module), 8, loss);
    assert_true(loss[1] < loss[0]);
    hcc_free(module);
}

static void test_options_reach_the_compiler(void **state) {
    (void)state;
    static const char *const set[] = {"d=65", "train.batch=4"};
    const HccOptions options = {.size = sizeof options,
                                .precision = "f64",
                                .model = "line",
                                .set = set,
                                .n_set = 2,
                                .cpu = "baseline"};
    HccModule *module = compiled(line, &options);
    assert_int_equal(hcc_status(module), HCC_OK);
    assert_int_equal(hcc_model(module)->element_size, 8);
    assert_non_null(strstr(hcc_manifest(module), "\"dims\":[65]"));
    hcc_free(module);
}

static void test_modules_do_not_know_of_each_other(void **state) {
    (void)state;
    static const char *const wide[] = {"d=65"};
    const HccOptions options = {.size = sizeof options, .set = wide, .n_set = 1};
    HccModule *narrow = compiled(line, NULL), *other = compiled(line, &options);
    double alone[2], beside[2], loss[2];
    trained(hcc_model(narrow), 8, alone);
    trained(hcc_model(other), 65, loss);
    hcc_free(other);
    trained(hcc_model(narrow), 8, beside);
    assert_memory_equal(alone, beside, sizeof alone);
    hcc_free(narrow);
}

static void test_warnings_come_with_a_model(void **state) {
    (void)state;
    HccModule *module = compiled("model m { input x[2] : real; param w[2] = 1; param unused = 1;\n"
                                 "  loss sum[i] w[i] * x[i]; }\n",
                                 NULL);
    assert_int_equal(hcc_status(module), HCC_OK);
    assert_non_null(hcc_model(module));
    assert_non_null(strstr(hcc_report(module), "warning[E"));
    assert_non_null(strstr(hcc_diagnostics(module), "\"severity\": \"warning\""));
    hcc_free(module);
}

/* --- what is wrong -----------------------------------------------------------------------------*/

static void refused(HccModule *module, HccStatus status, const char *said) {
    assert_int_equal(hcc_status(module), status);
    if (!strstr(hcc_report(module), said))
        fail_msg("'%s' is not said in: %s", said, hcc_report(module));
    assert_null(hcc_model(module));
    assert_string_equal(hcc_manifest(module), "");
    hcc_free(module);
}

static void test_mistakes_are_said(void **state) {
    (void)state;
    HccModule *module = compiled("model m { loss q; }", NULL);
    assert_string_equal(hcc_message(module), "");
    assert_non_null(strstr(hcc_diagnostics(module), "\"code\": \"E0201\""));
    assert_non_null(strstr(hcc_diagnostics(module), "\"column\": 16"));
    refused(module, HCC_ERROR_TEXT, "  text.hc:1:16\n");
    refused(compiled("fn f(x) = x;", NULL), HCC_ERROR_TEXT, "'text.hc' holds no model");
    refused(compiled("", NULL), HCC_ERROR_TEXT, "holds no model");
    refused(hcc_compile_text("\xff\0", 2, NULL, NULL), HCC_ERROR_TEXT, "<text>:1:1");
}

/* Right, and cannot be compiled: a diagnostic, as of what is wrong. */
static void test_what_cannot_be_compiled_has_a_place(void **state) {
    (void)state;
    HccModule *module = compiled("model m {\n"
                                 "  input x[4] : real;\n"
                                 "  param W[4] ~ normal(1);\n"
                                 "  let s[i] = x[i] * W[i];\n"
                                 "  iterate 1000000 { iterate 1000 { s[i] = tanh(s[i]); } }\n"
                                 "  loss sum[i] s[i];\n"
                                 "}\n",
                                 NULL);
    assert_non_null(strstr(hcc_diagnostics(module), "\"line\": 5"));
    refused(module, HCC_ERROR_TEXT, "written out, the loop makes");
}

static void test_options_are_refused(void **state) {
    (void)state;
    static const char *const unknown[] = {"dd=3"}, *const bare[] = {"d"}, *const none[] = {NULL};
    HccOptions options = {.size = sizeof options, .cpu = "skylke"};
    refused(compiled(line, &options), HCC_ERROR_ARGUMENT, "did you mean 'skylake'?");
    options = (HccOptions){.size = sizeof options, .precision = "fp16"};
    refused(compiled(line, &options), HCC_ERROR_ARGUMENT,
            "f32, bf16, bf16_streams or f64, not 'fp16'");
    options = (HccOptions){.size = sizeof options, .memory = 1};
    refused(compiled(line, &options), HCC_ERROR_MEMORY, "a step takes at least");
    options = (HccOptions){.size = sizeof options, .model = "lines"};
    refused(compiled(line, &options), HCC_ERROR_TEXT, "lines");
    options = (HccOptions){.size = sizeof options, .set = unknown, .n_set = 1};
    refused(compiled(line, &options), HCC_ERROR_TEXT, "dd");
    options.set = bare;
    refused(compiled(line, &options), HCC_ERROR_ARGUMENT, "a setting is KEY=VALUE, not 'd'");
    options.set = none;
    refused(compiled(line, &options), HCC_ERROR_ARGUMENT, "a setting is KEY=VALUE, not ''");
    options = (HccOptions){.memory = 1};
    refused(compiled(line, &options), HCC_ERROR_ARGUMENT, "HccOptions.size is not set");
    options = (HccOptions){.size = sizeof options + 8};
    refused(compiled(line, &options), HCC_ERROR_ARGUMENT, "this libhcc knows options of");
}

static void test_files_are_read(void **state) {
    (void)state;
    char path[] = "/tmp/hcc-library-XXXXXX";
    const int file = mkstemp(path);
    FILE *to = fdopen(file, "w");
    assert_non_null(to);
    assert_true(fputs(line, to) >= 0 && fclose(to) == 0);
    HccModule *module = hcc_compile_file(path, NULL);
    assert_int_equal(hcc_status(module), HCC_OK);
    hcc_free(module);
    remove(path);
    refused(hcc_compile_file(path, NULL), HCC_ERROR_ARGUMENT, "No such file or directory");
    refused(hcc_compile_file("/", NULL), HCC_ERROR_ARGUMENT, "cannot read '/': Is a directory");
}

static void test_null_is_no_crash(void **state) {
    (void)state;
    refused(NULL, HCC_ERROR_MEMORY, "out of memory");
    refused(hcc_compile_text(NULL, 5, NULL, NULL), HCC_ERROR_TEXT, "'<text>' holds no model");
    refused(hcc_compile_file(NULL, NULL), HCC_ERROR_ARGUMENT, "cannot read ''");
    assert_string_equal(hcc_message(NULL), "out of memory");
    assert_string_equal(hcc_diagnostics(NULL), "[]\n");
    assert_string_equal(hcc_model_name(NULL), "");
    assert_true(hcc_version()[0] >= '0' && hcc_version()[0] <= '9');
}

/* --- parts -------------------------------------------------------------------------------------*/

static const char trunk[] = "use std;\n"
                            "model m {\n"
                            "  positions t <= 4;\n"
                            "  input x[t, 8] : real;\n"
                            "  let h = trunk(x) { repeat 2 { a = dhc(n = 2) : mlp(9); } };\n"
                            "  loss sum[c] h[c];\n"
                            "}\n";

static void test_parts_of_a_model(void **state) {
    (void)state;
    static const char *const results[] = {"h"}, *const wrong[] = {"hh"}, *const none[] = {NULL};
    HccOptions options = {.size = sizeof options, .results = results, .n_results = 1};
    HccModule *module = compiled(trunk, &options);
    assert_int_equal(hcc_status(module), HCC_OK);
    assert_non_null(strstr(hcc_manifest(module), "trunk.0.a"));
    hcc_free(module);
    options = (HccOptions){.size = sizeof options, .part = "write", .site = "trunk.1.a"};
    options.streams_apart = options.beside = 1;
    module = compiled(trunk, &options);
    assert_int_equal(hcc_status(module), HCC_OK);
    assert_non_null(strstr(hcc_manifest(module), "\"H.1\""));
    hcc_free(module);
    options.part = "wrote";
    refused(compiled(trunk, &options), HCC_ERROR_ARGUMENT, "wrote");
    options = (HccOptions){.size = sizeof options, .results = wrong, .n_results = 1};
    refused(compiled(trunk, &options), HCC_ERROR_ARGUMENT, "hh");
    options = (HccOptions){.size = sizeof options, .given = none, .n_given = 1};
    refused(compiled(trunk, &options), HCC_ERROR_ARGUMENT, "the name of a value is NULL");
}

static void test_a_connection(void **state) {
    (void)state;
    static const char *const set[] = {"d=8", "sites=3"};
    HccOptions options = {.size = sizeof options,
                          .connection = "laurel_pa(rank = 2)",
                          .part = "read",
                          .site = "2",
                          .set = set,
                          .n_set = 2};
    HccModule *module = compiled("", &options);
    HcContext *context;
    HcError error;
    int64_t count = 0;
    assert_string_equal(hcc_report(module), "");
    assert_int_equal(hc_site_count(hcc_model(module), &count), HC_OK);
    assert_int_equal(count, 1); /* a program is one, whichever site's */
    assert_int_equal(hc_create_site(hcc_model(module), 1, NULL, &context, &error),
                     HC_ERROR_ARGUMENT);
    assert_string_equal(error.message, "there is no site 1: the model has 1");
    const HcOptions small = {.threads = 1, .samples = 1, .positions = 1};
    assert_int_equal(hc_create_site(hcc_model(module), 0, &small, &context, &error), HC_OK);
    assert_int_equal(hc_input_count(context), 3); /* H.0, H.1, H.2 */
    hc_destroy(context);
    hcc_free(module);
    options.connection = "(rank = 2)";
    refused(compiled("", &options), HCC_ERROR_ARGUMENT, "does not begin with its name");
    options.connection = "mine";
    refused(compiled("connection yours { }", &options), HCC_ERROR_TEXT, "mine");
}

static void test_maps_of_a_run(void **state) {
    (void)state;
    const HccOptions options = {.size = sizeof options, .maps = 1};
    HccModule *module = compiled(trunk, &options);
    assert_int_equal(hcc_status(module), HCC_OK);
    assert_non_null(strstr(hcc_manifest(module), "\"maps\":["));
    char *text;
    HcError error;
    assert_int_equal(hcc_maps(module, "/nowhere", 0, &text, &error), HC_ERROR_CHECKPOINT);
    assert_non_null(strstr(error.message, "/nowhere"));
    assert_null(text);
    assert_int_equal(hcc_maps(NULL, "/nowhere", 0, &text, NULL), HC_ERROR_ARGUMENT);
    assert_int_equal(hcc_maps(module, NULL, 0, &text, NULL), HC_ERROR_ARGUMENT);
    assert_int_equal(hcc_maps(module, "/nowhere", 0, NULL, NULL), HC_ERROR_ARGUMENT);
    hcc_free_text(NULL);
    hcc_free(module);
}

/* --- threads, symbols --------------------------------------------------------------------------*/

typedef struct {
    pthread_t thread;
    const char *setting; /* d=... */
    int64_t d;
    double loss[2];
} Share;

static void *share(void *context) {
    Share *mine = context;
    const HccOptions options = {.size = sizeof options, .set = &mine->setting, .n_set = 1};
    HccModule *wrong = compiled("model m { loss q; }", &options),
              *module = compiled(line, &options);
    if (hcc_status(wrong) == HCC_ERROR_TEXT && hcc_status(module) == HCC_OK)
        trained(hcc_model(module), mine->d, mine->loss);
    hcc_free(wrong);
    hcc_free(module);
    return NULL;
}

static void test_two_threads(void **state) {
    (void)state;
    Share alone[2] = {{.setting = "d=8", .d = 8}, {.setting = "d=65", .d = 65}}, both[2];
    memcpy(both, alone, sizeof both);
    for (int k = 0; k < 2; k++)
        share(&alone[k]);
    for (int k = 0; k < 2; k++)
        assert_int_equal(pthread_create(&both[k].thread, NULL, share, &both[k]), 0);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(pthread_join(both[k].thread, NULL), 0);
        assert_true(both[k].loss[0] > 0);
        assert_memory_equal(both[k].loss, alone[k].loss, sizeof alone[k].loss);
    }
}

/* What the headers declare, and nothing else. */
static void test_nothing_else_is_exported(void **state) {
    (void)state;
    static const char *const inner[] = {"hc_main",        "hc_fail",     "compile_to",
                                        "tir_verify",     "arena_alloc", "cblas_sgemm",
                                        "json_text_open", "jit_unload"};
    static const char *const outer[] = {"hcc_compile_text", "hcc_free", "hc_create", "hc_extend"};
    for (size_t k = 0; k < sizeof inner / sizeof *inner; k++)
        if (dlsym(RTLD_DEFAULT, inner[k]))
            fail_msg("%s is exported", inner[k]);
    for (size_t k = 0; k < sizeof outer / sizeof *outer; k++)
        assert_non_null(dlsym(RTLD_DEFAULT, outer[k]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_text_becomes_a_model),
        cmocka_unit_test(test_options_reach_the_compiler),
        cmocka_unit_test(test_modules_do_not_know_of_each_other),
        cmocka_unit_test(test_warnings_come_with_a_model),
        cmocka_unit_test(test_mistakes_are_said),
        cmocka_unit_test(test_what_cannot_be_compiled_has_a_place),
        cmocka_unit_test(test_options_are_refused),
        cmocka_unit_test(test_files_are_read),
        cmocka_unit_test(test_null_is_no_crash),
        cmocka_unit_test(test_parts_of_a_model),
        cmocka_unit_test(test_a_connection),
        cmocka_unit_test(test_maps_of_a_run),
        cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_nothing_else_is_exported),
    };
    hc_process_init();
    setenv("HCC_CACHE_SIZE", "0", 1); /* what others compiled is no test */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
