/* Memory runs out: the n-th allocation fails, for every n, in each function of the C interface that
 * allocates. It must say so, leave no half a thing that looks whole, and work when it is called
 * again. Allocations of the runtime and of jansson are meant: the linker hands the former over to
 * this file. By default not every n is tried where there are many: HCC_TEST_EVERY_ALLOCATION=1
 * tries them, and HCC_TEST_CALL=train one function alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "runtime/bench/bench.h"
#include "runtime/run/context.h"
#include "runtime/sample/sample.h"
#include "runtime/train/train.h"
#include "runtime_model.h"
#include <dirent.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- allocations that fail ---------------------------------------------------------------------*/

static long left; /* allocations until the one that fails; 0: none does */
static bool failed;
static pthread_t thread; /* whose allocations are counted */

static bool fails(void) {
    if (left == 0 || !pthread_equal(thread, pthread_self()) || --left != 0)
        return false;
    return failed = true;
}

#define WRAP(name, parameters, arguments)                                                          \
    void *__real_##name parameters;                                                                \
    void *__wrap_##name parameters;                                                                \
    void *__wrap_##name parameters {                                                               \
        return fails() ? NULL : __real_##name arguments;                                           \
    }
WRAP(malloc, (size_t size), (size))
WRAP(calloc, (size_t count, size_t size), (count, size))
WRAP(realloc, (void *old, size_t size), (old, size))
WRAP(aligned_alloc, (size_t alignment, size_t size), (alignment, size))
WRAP(strdup, (const char *text), (text))
WRAP(strndup, (const char *text, size_t length), (text, length))

/* Takes most of the time, and allocates nothing. */
int __wrap_fsync(int file);
int __wrap_fsync(int file) {
    (void)file;
    return 0;
}

/* jansson's, which lies in a library of its own. */
static void *json_malloc(size_t size) {
    return malloc(size);
}

/* --- what is tried -----------------------------------------------------------------------------*/

static char folder[64];
static char *manifest;
static HcModel model;
static HcContext *context;
static bool every; /* every n, and a profile, which takes a second each time */
static HcError error;

static const char *in(const char *name) {
    static char paths[8][160];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void set_inputs(HcContext *c) {
    const int64_t count = hc_samples(c) * hc_positions(c);
    int32_t *tokens = calloc((size_t)count, sizeof *tokens);
    for (int64_t k = 0; k < count; k++)
        tokens[k] = (int32_t)(k * 37 % 256);
    assert_int_equal(hc_set_input(c, "tokens", tokens, count), HC_OK);
    assert_int_equal(hc_set_input(c, "next", tokens, count), HC_OK);
    free(tokens);
}

/* A context that has not made a step. */
static void begin(void) {
    hc_destroy(context);
    assert_int_equal(hc_create(&model, &(HcOptions){.threads = 2, .samples = 4}, &context, NULL),
                     HC_OK);
    assert_int_equal(hc_init(context, 7), HC_OK);
    set_inputs(context);
    assert_int_equal(hc_forward_backward(context), HC_OK);
}

static void begin_stepped(void) {
    begin();
    assert_int_equal(hc_step(context, -1), HC_OK);
}

/* ... and whose files are there. */
static void begin_saved(void) {
    begin_stepped();
    assert_int_equal(hc_save(context, in("parameters")), HC_OK);
    assert_int_equal(hc_save_state(context, in("state")), HC_OK);
    assert_int_equal(hc_save_checkpoint(context, in("checkpoint")), HC_OK);
}

static void begin_nothing(void) {
    hc_destroy(context);
    context = NULL;
}

static HcStatus take_error(HcStatus status) {
    snprintf(error.message, sizeof error.message, "%s", hc_last_error(context));
    return status;
}

static HcStatus create(void) {
    HcContext *made;
    HcStatus status = hc_create(&model, &(HcOptions){.threads = 2}, &made, &error);
    assert_true((status == HC_OK) == (made != NULL));
    hc_destroy(made);
    return status;
}

static HcStatus resize(void) {
    return take_error(hc_resize(context, 9, 16));
}

static void still_runs(void) {
    assert_int_equal(hc_forward_backward(context), HC_OK);
}

static void begin_text(void) {
    begin_nothing();
    assert_int_equal(hc_create(&model, &(HcOptions){.threads = 2, .samples = 1}, &context, NULL),
                     HC_OK);
    set_inputs(context);
}

static HcStatus extend(void) {
    return take_error(hc_extend(context, 0, 5));
}

static HcStatus step(void) {
    return take_error(hc_step(context, -1));
}
static HcStatus save(void) {
    return take_error(hc_save(context, in("parameters")));
}
static HcStatus load(void) {
    return take_error(hc_load(context, in("parameters")));
}
static HcStatus save_state(void) {
    return take_error(hc_save_state(context, in("state")));
}
static HcStatus load_state(void) {
    return take_error(hc_load_state(context, in("state")));
}
static HcStatus save_checkpoint(void) {
    return take_error(hc_save_checkpoint(context, in("checkpoint")));
}
static HcStatus load_checkpoint(void) {
    return take_error(hc_load_checkpoint(context, in("checkpoint")));
}
static HcStatus set_recipe(void) {
    return take_error(hc_set_recipe(context, "train.lr", "0.01"));
}

static HcStatus train(void) {
    static const HcSetting settings[] = {{"steps", "2"}, {"eval_every", "1"}, {"batch", "2"}};
    const char *data = in("text");
    HcTrainResult result;
    return hc_train(&model,
                    &(HcTrainOptions){.data = &data,
                                      .n_data = 1,
                                      .out = in("run"),
                                      .force = 1,
                                      .threads = 1,
                                      .settings = settings,
                                      .n_settings = 3,
                                      .config_extra = "{\"hcc\": {\"text\": \"a\\u00fcb\"}}"},
                    &result, &error);
}

static void begin_trained(void) {
    begin_nothing();
    if (access(in("run/ckpt/final.safetensors"), F_OK) != 0)
        assert_int_equal(train(), HC_OK);
}

static HcStatus evaluate(void) {
    HcEvaluation evaluation;
    return hc_evaluate(&model, &(HcEvalOptions){.checkpoint = in("run"), .threads = 1}, &evaluation,
                       &error);
}

static int drop(void *user, const char *bytes, size_t count) {
    (void)user, (void)bytes, (void)count;
    return 0;
}

static HcStatus sample(void) {
    return hc_sample(
        &model,
        &(HcSampleOptions){
            .checkpoint = in("run"), .length = 3, .temperature = 1, .threads = 1, .emit = drop},
        &error);
}

static HcStatus bench(void) {
    HcBenchResult result;
    HcStatus status = hc_bench(
        &model,
        &(HcBenchOptions){
            .steps = 1, .warmup = -1, .samples = 2, .positions = 4, .threads = 1, .profile = every},
        &result, &error);
    if (status == HC_OK)
        hc_bench_free(&result);
    return status;
}

/* --- what must hold ----------------------------------------------------------------------------*/

static bool there(const char *name) {
    return access(in(name), F_OK) == 0;
}

static void nothing_more(void) {}

/* Nothing stays that was in the making. */
static void no_temporaries(void) {
    DIR *stream = opendir(folder);
    struct dirent *entry;
    while ((entry = readdir(stream)))
        assert_null(strstr(entry->d_name, ".tmp"));
    closedir(stream);
}

/* A file that is there says of itself what all do. */
static void says_all(const char *name) {
    static const char *const keys[] = {"hcc.model",       "hcc.step",      "hcc.seed",
                                       "hcc.config_hash", "hcc.data_hash", "hcc.blas_core"};
    char header[4096] = {0};
    FILE *file = fopen(in(name), "rb");
    if (!file)
        return;
    for (size_t k = fread(header, 1, sizeof header - 1, file); k > 0; k--)
        header[k - 1] = header[k - 1] ? header[k - 1] : ' '; /* before the text stands its length */
    fclose(file);
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        if (!strstr(header, keys[k]))
            fail_msg("%s does not hold %s", name, keys[k]);
}

static void saved_is_whole(void) {
    no_temporaries();
    says_all("parameters");
    says_all("state");
    says_all("checkpoint/parameters.safetensors");
    says_all("checkpoint/state.safetensors");
}

/* What is called done is. */
static void run_is_honest(void) {
    says_all("run/ckpt/last/parameters.safetensors");
    says_all("run/ckpt/last/state.safetensors");
    says_all("run/ckpt/final.safetensors");
    if (there("run/ckpt/final.safetensors")) {
        begin();
        assert_int_equal(hc_load(context, in("run/ckpt/final.safetensors")), HC_OK);
        begin_nothing();
    }
    json_error_t why = {0};
    json_t *config =
        there("run/config.json") ? json_load_file(in("run/config.json"), 0, &why) : json_object();
    if (!config)
        fail_msg("config.json, line %d: %s", why.line, why.text);
    if (there("run/config.json")) {
        assert_non_null(json_object_get(json_object_get(config, "hcc"), "text"));
        assert_non_null(json_object_get(json_object_get(config, "data"), "xxh3"));
    }
    json_decref(config);
    if (there("run/summary.json")) {
        json_t *summary = json_load_file(in("run/summary.json"), 0, NULL);
        assert_int_equal(json_integer_value(json_object_get(summary, "steps")), 2);
        json_decref(summary);
    }
}

static char *slabs(void) {
    return context ? memcpy(malloc((size_t)hc_slab_elements(context) * 4), hc_parameters(context),
                            (size_t)hc_slab_elements(context) * 4)
                   : NULL;
}

/* begin() has been called for `act`, which failed at an allocation or could do without it. */
static void look(HcStatus status, char *before, HcStatus (*act)(void), void (*check)(void)) {
    if (status != HC_OK && status != HC_ERROR_MEMORY)
        fail_msg("status %d: %s", (int)status, error.message);
    if (status == HC_ERROR_MEMORY) {
        assert_non_null(strstr(error.message, "memory"));
        assert_true(!context || memcmp(before, hc_parameters(context),
                                       (size_t)hc_slab_elements(context) * 4) == 0);
    }
    check();
    if (status != HC_OK)
        assert_int_equal(act(), HC_OK);
}

static long try_every(void (*prepare)(void), HcStatus (*act)(void), void (*check)(void)) {
    long n = 1, tried = 0;
    for (failed = true; failed; n += every || n < 6 ? 1 : 37) {
        prepare();
        char *before = slabs();
        failed = false;
        error = (HcError){0};
        left = n;
        HcStatus status = act();
        left = 0;
        tried += failed;
        if (failed)
            look(status, before, act, check);
        else
            assert_int_equal(status, HC_OK);
        free(before);
    }
    return tried;
}

static void calls_end_where_memory_does(void **state) {
    (void)state;
    static const struct {
        const char *name;
        void (*prepare)(void);
        HcStatus (*act)(void);
        void (*check)(void);
    } calls[] = {
        {"create", begin_nothing, create, nothing_more},
        {"resize", begin, resize, still_runs},
        {"extend", begin_text, extend, nothing_more},
        {"step", begin, step, nothing_more},
        {"set_recipe", begin, set_recipe, nothing_more},
        {"save", begin_stepped, save, saved_is_whole},
        {"save_state", begin_stepped, save_state, saved_is_whole},
        {"save_checkpoint", begin_stepped, save_checkpoint, saved_is_whole},
        {"load", begin_saved, load, nothing_more},
        {"load_state", begin_saved, load_state, nothing_more},
        {"load_checkpoint", begin_saved, load_checkpoint, nothing_more},
        {"train", begin_nothing, train, run_is_honest},
        {"evaluate", begin_trained, evaluate, nothing_more},
        {"sample", begin_trained, sample, nothing_more},
        {"bench", begin_nothing, bench, nothing_more},
    };
    for (size_t k = 0; k < sizeof calls / sizeof *calls; k++)
        if (!getenv("HCC_TEST_CALL") || strcmp(getenv("HCC_TEST_CALL"), calls[k].name) == 0)
            print_message("%6ld allocations failed in %s\n",
                          try_every(calls[k].prepare, calls[k].act, calls[k].check), calls[k].name);
}

/* --- the whole ---------------------------------------------------------------------------------*/

static int set_up(void **state) {
    (void)state;
    every = getenv("HCC_TEST_EVERY_ALLOCATION") != NULL;
    strcpy(folder, "/tmp/hcrt-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    thread = pthread_self();
    json_set_alloc_funcs(json_malloc, free);
    manifest = bigram_manifest("\"outputs\": {", 4,
                               "\"extend\": {\"all\": [0], \"last\": [1, 2]}, \"outputs\": {");
    model = bigram_model(4, manifest);
    FILE *file = fopen(in("text"), "w");
    for (int k = 0; k < 2000; k++)
        fputc(' ' + k * k % 64, file);
    fclose(file);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    char command[200];
    begin_nothing();
    free(manifest);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_end_where_memory_does)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
