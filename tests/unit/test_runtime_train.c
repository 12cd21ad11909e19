/* Training, evaluation, sampling and measuring, as the commands use them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "runtime/app/app.h"
#include "runtime/bench/bench.h"
#include "runtime/sample/sample.h"
#include "runtime/train/train.h"
#include "runtime/trained/find_run.h"
#include "runtime_model.h"
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static const char *in(const char *name) {
    static char paths[8][160];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* A list of one path, valid as long as that. */
static const char *const *one(const char *path) {
    static const char *list[8];
    static int next;
    list[next++ % 8] = path;
    return &list[(next - 1) % 8];
}

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/hcrt-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    FILE *file = fopen(in("text"), "w");
    for (int k = 0; k < 500; k++)
        fprintf(file, "the cat sat on the mat %d; ", k * k % 97);
    return fclose(file);
}

static void remove_tree(const char *path) {
    DIR *stream = opendir(path);
    struct dirent *entry;
    while (stream && (entry = readdir(stream))) {
        char below[600];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (unlink(below) != 0)
            remove_tree(below);
    }
    if (stream)
        closedir(stream);
    rmdir(path);
}

static int remove_folder(void **state) {
    (void)state;
    remove_tree(folder);
    return 0;
}

static HcStatus run(const char *out, int32_t threads, const HcSetting *settings, int32_t n,
                    HcTrainResult *result, HcError *error) {
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcTrainOptions options = {.data = one(in("text")),
                              .n_data = 1,
                              .out = out,
                              .threads = threads,
                              .settings = settings,
                              .n_settings = n,
                              .config_extra = "{\"file\": \"x.hc\"}"};
    HcStatus status = hc_train(&model, &options, result, error);
    free(manifest);
    return status;
}

static json_t *load(const char *run_name, const char *file) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", in(run_name), file);
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    return json;
}

/* The losses of log.jsonl; every line must be strict JSON. */
static int losses(const char *run_name, double *to, int most) {
    char path[300], line[1000];
    snprintf(path, sizeof path, "%s/log.jsonl", in(run_name));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    int n = 0;
    while (n < most && fgets(line, sizeof line, file)) {
        json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        assert_int_equal(json_integer_value(json_object_get(json, "step")), n + 1);
        to[n++] = json_number_value(json_object_get(json, "loss"));
        json_decref(json);
    }
    fclose(file);
    return n;
}

static void a_run_is_recorded(void **state) {
    (void)state;
    HcTrainResult result;
    HcError error;
    HcSetting settings[] = {{"train.eval_every", "25"}, {"lr", "0.05"}};
    assert_int_equal(run(in("run"), 2, settings, 2, &result, &error), HC_OK);
    assert_int_equal(result.steps, 60);
    assert_int_equal(result.parameters, 12544 + 5);
    assert_true(result.evaluation.loss < 2.5 && result.train_loss < 4);
    double loss[100];
    assert_int_equal(losses("run", loss, 100), 60);
    assert_true(loss[0] > 5 && loss[59] == result.last_loss);
    json_t *config = load("run", "config.json"), *summary = load("run", "summary.json");
    assert_string_equal(json_string_value(json_object_get(config, "file")), "x.hc");
    json_t *recipe = json_object_get(config, "recipe");
    assert_true(json_real_value(json_object_get(recipe, "lr")) == 0.05);
    assert_true(json_real_value(json_object_get(summary, "val_loss")) == result.evaluation.loss);
    json_decref(config);
    json_decref(summary);
    assert_int_equal(access(in("run/ckpt/final.safetensors"), F_OK), 0);
    assert_int_equal(access(in("run/ckpt/last/state.safetensors"), F_OK), 0);
    /* a second run does not overwrite it unasked */
    assert_int_equal(run(in("run"), 1, NULL, 0, &result, &error), HC_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "--force"));
}

static void threads_do_not_change_a_bit(void **state) {
    (void)state;
    double first[60], loss[60];
    HcTrainResult result;
    for (int32_t threads = 1; threads <= 3; threads++) {
        char name[16];
        snprintf(name, sizeof name, "threads%d", (int)threads);
        assert_int_equal(run(in(name), threads, NULL, 0, &result, NULL), HC_OK);
        assert_int_equal(losses(name, loss, 60), 60);
        if (threads == 1)
            memcpy(first, loss, sizeof first);
        assert_memory_equal(first, loss, sizeof first);
    }
}

static void nothing_is_written_before_all_is_checked(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcTrainResult result;
    HcError error;
    HcTrainOptions options = {.out = in("never"), .threads = 1};
    assert_int_equal(hc_train(&model, &options, &result, &error), HC_ERROR_ARGUMENT);
    options.data = one(in("missing"));
    options.n_data = 1;
    assert_int_equal(hc_train(&model, &options, &result, &error), HC_ERROR_DATA);
    options.data = one(in("text"));
    HcSetting wrong = {"train.lrr", "1"};
    options.settings = &wrong;
    options.n_settings = 1;
    assert_int_equal(hc_train(&model, &options, &result, &error), HC_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "did you mean `train.lr`"));
    char *all = bigram_manifest("\"held_out\": 0.1", 4, "\"held_out\": 0");
    HcModel without = bigram_model(4, all);
    wrong = (HcSetting){"eval_every", "5"}; /* nothing to evaluate on */
    assert_int_equal(hc_train(&without, &options, &result, &error), HC_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "held out"));
    free(all);
    options.n_settings = 0;
    options.from = in("text"); /* not a checkpoint */
    assert_int_equal(hc_train(&model, &options, &result, &error), HC_ERROR_CHECKPOINT);
    assert_int_not_equal(access(in("never"), F_OK), 0);
    options.from = NULL;
    options.out = in("text"); /* a file is in the way */
    assert_int_equal(hc_train(&model, &options, &result, &error), HC_ERROR_IO);
    options.out = "/proc/nothing/here";
    assert_int_equal(hc_train(&model, &options, &result, &error), HC_ERROR_IO);
    free(manifest);
}

static void divergence_is_named(void **state) {
    (void)state;
    HcTrainResult result;
    HcError error;
    HcSetting settings[] = {{"lr", "1e6"}, {"weight_decay", "1000"}, {"warmup", "0"}};
    assert_int_equal(run(in("diverged"), 2, settings, 3, &result, &error), HC_ERROR_DIVERGED);
    assert_non_null(strstr(error.message, "training diverged"));
    assert_non_null(strstr(error.message, "not finite"));
    assert_int_equal(hc_exit_code(HC_ERROR_DIVERGED), 4);
    assert_int_not_equal(access(in("diverged/summary.json"), F_OK), 0);
    double loss[60];
    int n = losses("diverged", loss, 60); /* strict JSON to its end */
    assert_int_equal(n, result.steps + 1);
}

static int stop_after(void *user) {
    return ++*(int *)user == 7;
}

static void a_stop_saves_first(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcTrainResult result;
    HcError error;
    int asked = 0;
    HcTrainOptions options = {.data = one(in("text")),
                              .n_data = 1,
                              .out = in("stopped"),
                              .threads = 1,
                              .stop = stop_after,
                              .user = &asked};
    assert_int_equal(hc_train(&model, &options, &result, &error), HC_INTERRUPTED);
    assert_int_equal(result.steps, 7);
    HcContext *c;
    HcOptions create = {1, 1, 1};
    assert_int_equal(hc_create(&model, &create, &c, NULL), HC_OK);
    assert_int_equal(hc_load_checkpoint(c, in("stopped/ckpt/last")), HC_OK);
    assert_int_equal(hc_steps_done(c), 7);
    hc_destroy(c);
    free(manifest);
}

typedef struct {
    int asked, until;
} Stopper;

static int stop_at(void *user) {
    Stopper *s = user;
    return ++s->asked >= s->until;
}

static HcStatus stop_in_evaluation(const char *out, const char *every, Stopper *stopper,
                                   HcTrainResult *result, HcError *error) {
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcSetting settings[] = {{"eval_every", every}, {"batch", "2"}};
    HcTrainOptions options = {.data = one(in("text")),
                              .n_data = 1,
                              .out = out,
                              .threads = 1,
                              .settings = settings,
                              .n_settings = 2,
                              .stop = stop_at,
                              .user = stopper};
    HcStatus status = hc_train(&model, &options, result, error);
    HcContext *c;
    HcOptions create = {1, 1, 1};
    char last[300];
    snprintf(last, sizeof last, "%s/ckpt/last", out);
    assert_int_equal(hc_create(&model, &create, &c, NULL), HC_OK);
    assert_int_equal(hc_load_checkpoint(c, last), HC_OK);
    assert_int_equal(hc_steps_done(c), result->steps);
    hc_destroy(c);
    free(manifest);
    return status;
}

/* Within a batch, with all that was trained saved before. */
static void an_evaluation_answers_a_stop(void **state) {
    (void)state;
    HcTrainResult result;
    HcError error;
    double loss[60];
    Stopper in_the_middle = {0, 24 + 2}, at_the_end = {0, 59 + 2};
    assert_int_equal(stop_in_evaluation(in("middle"), "25", &in_the_middle, &result, &error),
                     HC_INTERRUPTED);
    assert_non_null(strstr(error.message, "while evaluating after step 25, saved as ckpt/last"));
    assert_int_equal(in_the_middle.asked, 26);
    assert_int_equal(result.steps, 25);
    assert_int_equal(losses("middle", loss, 60), 25);
    assert_int_equal(stop_in_evaluation(in("end"), "0", &at_the_end, &result, &error),
                     HC_INTERRUPTED);
    assert_non_null(strstr(error.message, "saved as ckpt/final.safetensors"));
    assert_int_equal(at_the_end.asked, 61);
    assert_int_equal(losses("end", loss, 60), 60);
    assert_int_equal(access(in("end/ckpt/final.safetensors"), F_OK), 0);
    json_t *summary = load("end", "summary.json");
    assert_int_equal(json_integer_value(json_object_get(summary, "steps")), 60);
    assert_null(json_object_get(summary, "val_loss"));
    json_decref(summary);
}

static void logged_batches_are_those_of_the_run(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcTrainResult result;
    HcSetting steps = {"steps", "3"};
    HcTrainOptions options = {.data = one(in("text")),
                              .n_data = 1,
                              .threads = 1,
                              .settings = &steps,
                              .n_settings = 1,
                              .batch_log = in("batches")};
    assert_int_equal(hc_train(&model, &options, &result, NULL), HC_OK);
    struct stat info;
    assert_int_equal(stat(in("batches"), &info), 0);
    assert_int_equal(info.st_size, 3 * 12 * 8);
    free(manifest);
}

typedef struct {
    char text[2000];
    size_t count;
} Text;

static int collect(void *user, const char *bytes, size_t count) {
    Text *text = user;
    memcpy(text->text + text->count, bytes, count);
    text->count += count;
    return 0;
}

static Text sample(const char *run_name, uint64_t seed, double temperature, int64_t top_k) {
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    Text text = {{0}, 0};
    HcError error;
    HcSampleOptions options = {.checkpoint = in(run_name),
                               .prompt = "the ",
                               .prompt_length = 4,
                               .length = 60,
                               .temperature = temperature,
                               .top_k = top_k,
                               .seed = seed,
                               .threads = 1,
                               .emit = collect,
                               .user = &text};
    if (hc_sample(&model, &options, &error) != HC_OK)
        fail_msg("%s", error.message);
    free(manifest);
    return text;
}

static void samples_are_repeatable_and_like_the_text(void **state) {
    (void)state;
    Text a = sample("run", 1, 0.5, 0), b = sample("run", 1, 0.5, 0), c = sample("run", 2, 1, 0);
    assert_int_equal(a.count, 64);
    assert_memory_equal(a.text, "the ", 4);
    assert_memory_equal(a.text, b.text, 64);
    assert_memory_not_equal(a.text, c.text, 64);
    Text best = sample("run", 1, 0, 0), one = sample("run", 5, 1, 1);
    assert_memory_equal(best.text, one.text, 64);
    for (size_t k = 0; k < a.count; k++)
        assert_true(a.text[k] >= ' ' && a.text[k] < 127);
}

static void evaluation_repeats_the_summary(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcEvalOptions options = {.checkpoint = in("run"), .threads = 1};
    HcError error;
    HcEvaluation found;
    assert_int_equal(hc_evaluate(&model, &options, &found, &error), HC_OK);
    json_t *summary = load("run", "summary.json");
    assert_true(json_real_value(json_object_get(summary, "val_loss")) == found.loss);
    assert_true(json_integer_value(json_object_get(summary, "val_windows")) == found.windows);
    json_decref(summary);
    options.checkpoint = in("nowhere");
    assert_int_equal(hc_evaluate(&model, &options, &found, &error), HC_ERROR_CHECKPOINT);
    options.checkpoint = in("run/ckpt");
    assert_int_equal(hc_evaluate(&model, &options, &found, &error), HC_ERROR_CHECKPOINT);
    free(manifest);
}

static void measurements_add_up(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcBenchOptions options = {.steps = 5, .threads = 1, .samples = 4, .seed = 1, .profile = 1};
    HcBenchResult result;
    assert_int_equal(hc_bench(&model, &options, &result, NULL), HC_OK);
    assert_true(result.step_ms > 0 && result.forward_ms > 0 && result.backward_ms > 0);
    assert_true(result.gemm_share > 0 && result.gemm_share < 1);
    assert_true(result.samples == 4 && result.positions == 16 && result.peak_bytes > 4 * 3 * 12576);
    int64_t calls = 0;
    for (int64_t k = 0; k < result.n_calls; k++)
        calls += result.calls[k].calls;
    assert_int_equal(calls, 10);
    json_t *json = hc_bench_json(&result);
    assert_int_equal(json_array_size(json_object_get(json, "calls")), result.n_calls);
    json_decref(json);
    hc_bench_free(&result);
    free(manifest);
}

/* --- the program -------------------------------------------------------------------------------*/

/* Runs the command line with its output away. */
static int program(int argc, char **argv) {
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    fflush(stdout);
    fflush(stderr);
    int out = dup(1), err = dup(2);
    assert_non_null(freopen("/dev/null", "w", stderr));
    int sink = dup(2);
    dup2(sink, 1);
    int code = hc_main(&model, argc, argv);
    fflush(stdout);
    fflush(stderr);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    close(sink);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    free(manifest);
    return code;
}

#define RUN(...)                                                                                   \
    program(sizeof((char *[]){"bigram", __VA_ARGS__}) / sizeof(char *),                            \
            (char *[]){"bigram", __VA_ARGS__, NULL})

static void exit_codes_are_as_documented(void **state) {
    (void)state;
    char text[160], out[160], bad[160];
    strcpy(text, in("text"));
    strcpy(out, in("program"));
    strcpy(bad, in("bad"));
    assert_int_equal(RUN("train", "--data", text, "--out", out, "--steps", "5", "--threads", "2"),
                     0);
    assert_int_equal(RUN("eval", out), 0);
    assert_int_equal(RUN("sample", out, "--prompt", "a", "--length", "5"), 0);
    assert_int_equal(RUN("bench", "--steps", "2", "--json"), 0);
    assert_int_equal(RUN("info", "--json"), 0);
    assert_int_equal(RUN("--help"), 0);
    assert_int_equal(RUN("train", "--help"), 0);
    assert_int_equal(RUN("train", "--data", text, "--out", out), 2);
    assert_int_equal(RUN("train"), 2);
    assert_int_equal(RUN("dance"), 2);
    assert_int_equal(RUN("train", "--steps", "x"), 2);
    assert_int_equal(RUN("train", "--steps"), 2);
    assert_int_equal(RUN("train", "--prompt", "x"), 2);
    assert_int_equal(RUN("train", "--set", "lr"), 2);
    assert_int_equal(RUN("train", "--nonsense"), 2);
    assert_int_equal(RUN("eval"), 2);
    assert_int_equal(RUN("train", "--data", bad), 3);
    assert_int_equal(RUN("eval", bad), 3);
    assert_int_equal(RUN("train", "--data", text, "--out", text), 6);
    assert_int_equal(RUN("train", "--data", text, "--out", bad, "--set", "lr=1e6", "--set",
                         "weight_decay=1e3", "--set", "warmup=0"),
                     4);
}

int main(void) {
    hc_process_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_recorded),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(nothing_is_written_before_all_is_checked),
        cmocka_unit_test(divergence_is_named),
        cmocka_unit_test(a_stop_saves_first),
        cmocka_unit_test(an_evaluation_answers_a_stop),
        cmocka_unit_test(logged_batches_are_those_of_the_run),
        cmocka_unit_test(samples_are_repeatable_and_like_the_text),
        cmocka_unit_test(evaluation_repeats_the_summary),
        cmocka_unit_test(measurements_add_up),
        cmocka_unit_test(exit_codes_are_as_documented),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
