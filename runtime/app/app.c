/* The command line of built executables: a model that trains, evaluates and samples by itself. This
 * file alone prints and decides exit codes. */
#include "runtime/app/app.h"
#include "runtime/app/signals.h"
#include "runtime/files/json.h"
#include "runtime/run/context.h"
#include "runtime/train/train.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- options ---------------------------------------------------------------------------------- */

typedef struct {
    const char *command, *run; /* run: first argument after the command */
    const char *out, *prompt, *batch_log, *init;
    const char **data;
    int32_t n_data;
    long long length, top_k, steps, warmup, samples, positions;
    double temperature;
    uint64_t seed;
    bool seeded;
    int32_t threads;
    bool json, force, quiet, profile, data_is_bytes, changed_data;
    HcSetting *settings;
    char *texts; /* keys of settings, one after the other; there is room for all arguments */
    int n_settings;
} Options;

enum {
    OPT_DATA = 256,
    OPT_STEPS,
    OPT_SEED,
    OPT_THREADS,
    OPT_JSON,
    OPT_FORCE,
    OPT_PROMPT,
    OPT_LENGTH,
    OPT_TEMPERATURE,
    OPT_TOP_K,
    OPT_QUIET,
    OPT_BATCH_LOG,
    OPT_INIT,
    OPT_PROFILE,
    OPT_WARMUP,
    OPT_BATCH,
    OPT_POSITIONS,
    OPT_DATA_IS_BYTES,
    OPT_CHANGED_DATA
};

/* One table behind parsing and help. */
static const struct {
    const char *name;
    int code;
    const char *value, *commands, *help;
} table[] = {
    {"data", OPT_DATA, "PATH", "train eval",
     "data: a file, a folder, or NAME=FILE (train, held_out, a stream); may be repeated"},
    {"data-is-bytes", OPT_DATA_IS_BYTES, NULL, "train eval",
     "read files as text that are none: packed, UTF-16, tokens, zero bytes"},
    {"changed-data", OPT_CHANGED_DATA, NULL, "eval",
     "go on although the data are not those of the run"},
    {"out", 'o', "DIR", "train", "run folder (default: the first free runs/NAME-N)"},
    {"set", 's', "KEY=VALUE", "train", "a value of the recipe: train.lr=1e-3, train.batch=32 ..."},
    {"steps", OPT_STEPS, "N", "train bench", "training steps"},
    {"seed", OPT_SEED, "N", "train sample bench", "initial values, batches, draws"},
    {"threads", OPT_THREADS, "N", "train eval sample bench", "threads (default: all)"},
    {"force", OPT_FORCE, NULL, "train", "replace a run that is already in DIR"},
    {"init", OPT_INIT, "FILE", "train", "begin with a checkpoint's parameters"},
    {"batch-log", OPT_BATCH_LOG, "FILE", "train",
     "record where each batch's windows begin (int64, steps x batch)"},
    {"prompt", OPT_PROMPT, "TEXT", "sample", "what to continue"},
    {"length", OPT_LENGTH, "N", "sample", "bytes to draw (default 400)"},
    {"temperature", OPT_TEMPERATURE, "X", "sample", "0: always the likeliest (default 0.8)"},
    {"top-k", OPT_TOP_K, "K", "sample", "draw among the K likeliest (default: all)"},
    {"warmup", OPT_WARMUP, "N", "bench", "steps before those that are timed (default 3)"},
    {"batch", OPT_BATCH, "N", "bench", "samples a step"},
    {"positions", OPT_POSITIONS, "N", "bench", "positions a sample"},
    {"profile", OPT_PROFILE, NULL, "bench", "time by kernel"},
    {"json", OPT_JSON, NULL, "train eval bench info", "results as JSON"},
    {"quiet", OPT_QUIET, NULL, "train", "no progress"},
    {"help", 'h', NULL, "train eval sample bench info", "this text"},
};
enum { N_TABLE = sizeof table / sizeof table[0] };

static bool has_word(const char *words, const char *word) {
    size_t n = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += n) {
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == 0))
            return true;
    }
    return false;
}

static void help(FILE *to, const char *program, const char *command) {
    static const char *const commands[][2] = {
        {"train --data PATH", "train the model; writes a run folder"},
        {"eval RUN", "loss over the held-out part of the data"},
        {"sample RUN", "continue a prompt"},
        {"bench", "time training steps"},
        {"info", "what the model is"},
    };
    if (!command) {
        fprintf(to, "usage: %s COMMAND [OPTIONS]\n\n", program);
        for (size_t k = 0; k < 5; k++)
            fprintf(to, "  %-20s %s\n", commands[k][0], commands[k][1]);
        fprintf(to,
                "\n%s COMMAND --help lists a command's options. RUN is a run folder or a "
                "checkpoint file.\n",
                program);
        return;
    }
    fprintf(to, "usage: %s %s%s [OPTIONS]\n\n", program, command,
            strcmp(command, "eval") == 0 || strcmp(command, "sample") == 0 ? " RUN" : "");
    for (int k = 0; k < N_TABLE; k++) {
        char left[64];
        if (!has_word(table[k].commands, command))
            continue;
        snprintf(left, sizeof left, "--%s%s%s", table[k].name, table[k].value ? " " : "",
                 table[k].value ? table[k].value : "");
        fprintf(to, "  %-24s %s\n", left, table[k].help);
    }
}

static int usage(const char *program, const char *format, const char *argument) {
    fprintf(stderr, "%s: ", program);
    fprintf(stderr, format, argument);
    fprintf(stderr, "\n(%s --help says more)\n", program);
    return 2;
}

static bool whole(const char *text, long long low, long long high, long long *to) {
    char *end;
    errno = 0;
    *to = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == 0 && *to >= low && *to <= high;
}

static bool add_setting(Options *o, const char *text) {
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return false;
    char *key = o->texts;
    o->texts = mempcpy(key, text, (size_t)(equals - text));
    *o->texts++ = 0;
    o->settings[o->n_settings++] = (HcSetting){key, equals + 1};
    return true;
}

static bool take_option(Options *o, int code, const char *text) {
    long long n = 0;
    char *end;
    switch (code) {
    case OPT_DATA:
        o->data[o->n_data++] = text;
        return true;
    case 'o':
        o->out = text;
        return true;
    case 's':
        return add_setting(o, text);
    case OPT_STEPS:
        return whole(text, 0, INT64_MAX, &o->steps);
    case OPT_WARMUP:
        return whole(text, 0, INT64_MAX, &o->warmup);
    case OPT_SEED:
        o->seeded = true;
        if (!whole(text, 0, INT64_MAX, &n))
            return false;
        o->seed = (uint64_t)n;
        return true;
    case OPT_THREADS:
        if (!whole(text, 0, 4096, &n))
            return false;
        o->threads = (int32_t)n;
        return true;
    case OPT_JSON:
        return o->json = true;
    case OPT_FORCE:
        return o->force = true;
    case OPT_QUIET:
        return o->quiet = true;
    case OPT_DATA_IS_BYTES:
        return o->data_is_bytes = true;
    case OPT_CHANGED_DATA:
        return o->changed_data = true;
    case OPT_PROFILE:
        return o->profile = true;
    case OPT_PROMPT:
        o->prompt = text;
        return true;
    case OPT_BATCH_LOG:
        o->batch_log = text;
        return true;
    case OPT_INIT:
        o->init = text;
        return true;
    case OPT_LENGTH:
        return whole(text, 0, INT64_MAX, &o->length);
    case OPT_TOP_K:
        return whole(text, 0, INT64_MAX, &o->top_k);
    case OPT_BATCH:
        return whole(text, 1, INT32_MAX, &o->samples);
    case OPT_POSITIONS:
        return whole(text, 1, INT32_MAX, &o->positions);
    case OPT_TEMPERATURE:
        errno = 0;
        o->temperature = strtod(text, &end);
        return errno == 0 && end != text && *end == 0 && o->temperature >= 0 &&
               isfinite(o->temperature);
    }
    return false;
}

/* 0: go on; else 1 + the exit code. */
static int parse(Options *o, int argc, char **argv) {
    struct option longs[N_TABLE + 1];
    for (int k = 0; k < N_TABLE; k++)
        longs[k] = (struct option){table[k].name, table[k].value ? required_argument : no_argument,
                                   NULL, table[k].code};
    longs[N_TABLE] = (struct option){0};
    const char *program = argv[0];
    static const char *const commands[] = {"train", "eval", "sample", "bench", "info"};
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help(argc < 2 ? stderr : stdout, program, NULL);
        return argc < 2 ? 3 : 1;
    }
    for (int k = 0; k < 5; k++) {
        if (strcmp(argv[1], commands[k]) == 0)
            o->command = commands[k];
    }
    if (!o->command)
        return 1 + usage(program, "there is no command `%s`", argv[1]);
    opterr = 0;
    optind = 2;
    int code, index = 0;
    while ((code = getopt_long(argc, argv, ":o:s:h", longs, &index)) != -1) {
        if (code == ':')
            return 1 + usage(program, "%s needs a value", argv[optind - 1]);
        if (code == '?')
            return 1 + usage(program, "unknown option %s", argv[optind - 1]);
        if (code == 'h') {
            help(stdout, program, o->command);
            return 1;
        }
        for (int k = 0; k < N_TABLE; k++) {
            if (table[k].code == code && !has_word(table[k].commands, o->command)) {
                fprintf(stderr, "%s: %s takes no --%s\n", program, o->command, table[k].name);
                return 3;
            }
        }
        if (!take_option(o, code, optarg))
            return 1 + usage(program, "cannot use the value `%s`", optarg);
    }
    if (optind < argc)
        o->run = argv[optind++];
    if (optind < argc)
        return 1 + usage(program, "what is `%s` for?", argv[optind]);
    bool needs = strcmp(o->command, "eval") == 0 || strcmp(o->command, "sample") == 0;
    if (needs && !o->run)
        return 1 + usage(program, "%s needs a run folder or a checkpoint", o->command);
    if (!needs && o->run)
        return 1 + usage(program, "what is `%s` for?", o->run);
    return 0;
}

/* --- commands --------------------------------------------------------------------------------- */

static int report(const char *program, HcStatus status, const HcError *error) {
    if (status == HC_OK)
        return 0;
    fprintf(stderr, "%s: %s%s\n", program,
            status == HC_INTERRUPTED ? "" : "error: ", error->message);
    return status == HC_INTERRUPTED ? hc_signals_exit_code() : hc_exit_code(status);
}

/* Takes `json` over; NULL: it could not be made. */
static int print_json(const char *program, json_t *json) {
    char *text = hc_json_dump(json, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    HcError error = {0};
    HcStatus status = text ? HC_OK : hc_fail_memory(&error, "the results");
    json_decref(json);
    if (text)
        puts(text);
    free(text);
    return report(program, status, &error);
}

static int train(const HcModel *model, Options *o, const char *program) {
    char seed[32], steps[32];
    HcTrainResult result;
    HcError error = {0};
    if (o->seeded) {
        snprintf(seed, sizeof seed, "%llu", (unsigned long long)o->seed);
        o->settings[o->n_settings++] = (HcSetting){"seed", seed};
    }
    if (o->steps >= 0) {
        snprintf(steps, sizeof steps, "%lld", o->steps);
        o->settings[o->n_settings++] = (HcSetting){"steps", steps};
    }
    HcTrainOptions options = {
        .data = o->data,
        .n_data = o->n_data,
        .data_is_bytes = o->data_is_bytes,
        .out = o->out,
        .runs = "runs",
        .force = o->force,
        .threads = o->threads,
        .settings = o->settings,
        .n_settings = o->n_settings,
        .init = o->init,
        .batch_log = o->batch_log,
        .progress = o->quiet ? NULL : stderr,
        .stop = hc_signals_stop,
    };
    hc_signals_install();
    HcStatus status = hc_train(model, &options, &result, &error);
    if (status != HC_OK)
        return report(program, status, &error);
    if (o->json) {
        json_t *json = hc_train_json(&result);
        hc_json_set(&json, "run", hc_json_path(result.run));
        return print_json(program, json);
    }
    printf("run %s | steps %lld | train_loss %.4f", result.run, (long long)result.steps,
           result.train_loss);
    if (isfinite(result.evaluation.loss)) {
        char metrics[256];
        hc_metrics_text(&result.evaluation, metrics, sizeof metrics);
        printf(" | val_loss %.4f%s", result.evaluation.loss, metrics);
    }
    printf(" | %.0f tok/s | %.1f s\n", result.positions_per_s, result.seconds);
    return 0;
}

static int evaluate(const HcModel *model, const Options *o, const char *program) {
    HcEvalOptions options = {.checkpoint = o->run,
                             .data = o->data,
                             .n_data = o->n_data,
                             .threads = o->threads,
                             .data_is_bytes = o->data_is_bytes,
                             .changed_data = o->changed_data,
                             .notes = stderr};
    HcError error = {0};
    HcEvaluation e;
    HcStatus status = hc_evaluate(model, &options, &e, &error);
    if (status != HC_OK)
        return report(program, status, &error);
    if (o->json)
        return print_json(program, hc_evaluation_json(&e));
    char metrics[256];
    hc_metrics_text(&e, metrics, sizeof metrics);
    printf("val_loss %.4f%s over %lld %s\n", e.loss, metrics, (long long)e.windows,
           e.samples ? "samples" : "windows");
    return 0;
}

static int emit(void *user, const char *bytes, size_t count) {
    (void)user;
    return fwrite(bytes, 1, count, stdout) != count || fflush(stdout) != 0 || hc_signals_stop(NULL);
}

static int sample(const HcModel *model, const Options *o, const char *program) {
    HcSampleOptions options = {
        .checkpoint = o->run,
        .prompt = o->prompt ? o->prompt : "",
        .prompt_length = o->prompt ? strlen(o->prompt) : 0,
        .length = o->length,
        .temperature = o->temperature,
        .top_k = o->top_k,
        .seed = o->seeded ? o->seed : 1,
        .threads = o->threads,
        .emit = emit,
    };
    HcError error = {0};
    HcStatus status = hc_sample(model, &options, &error);
    if (status == HC_OK)
        putchar('\n');
    return report(program, status, &error);
}

static int bench(const HcModel *model, const Options *o, const char *program) {
    HcBenchOptions options = {.steps = o->steps > 0 ? o->steps : 0,
                              .warmup = o->warmup > 0 ? o->warmup : -1,
                              .samples = o->samples,
                              .positions = o->positions,
                              .threads = o->threads,
                              .seed = o->seeded ? o->seed : 1,
                              .profile = o->profile};
    HcBenchResult r;
    HcError error = {0};
    HcStatus status = hc_bench(model, &options, &r, &error);
    if (status != HC_OK)
        return report(program, status, &error);
    json_t *json = o->json ? hc_bench_json(&r) : NULL;
    if (!o->json)
        hc_bench_print(&r, stdout);
    hc_bench_free(&r);
    return o->json ? print_json(program, json) : report(program, status, &error);
}

static int info(const HcModel *model, const Options *o, const char *program) {
    HcPlan plan;
    HcError error = {0};
    HcStatus status = hc_plan_read(model, &plan, &error);
    if (status != HC_OK)
        return report(program, status, &error);
    if (o->json) {
        json_t *json = json_copy(plan.json);
        json_object_del(json, "plan"); /* for machines of another kind */
        hc_plan_free(&plan);
        return print_json(program, json);
    } else {
        int64_t elements = hc_plan_parameter_elements(&plan);
        const char *key;
        json_t *value;
        printf("model %s: %lld parameters in %u tensors, %s, context %lld\n", plan.model,
               (long long)elements, (unsigned)plan.n_parameters,
               plan.element_size == 4 ? "f32" : "f64", (long long)plan.max_positions);
        json_object_foreach(json_object_get(plan.json, "constants"), key, value) {
            if (json_is_string(value))
                printf("  %s = %s\n", key, json_string_value(value));
        }
    }
    hc_plan_free(&plan);
    return 0;
}

int hc_main(const HcModel *model, int argc, char **argv) {
    hc_process_init();
    hc_signals_of_files();
    Options o = {.length = 400, .temperature = 0.8, .steps = -1, .warmup = 3};
    const char *program = argv[0];
    o.settings = calloc((size_t)argc + 3, sizeof *o.settings);
    o.data = calloc((size_t)argc + 3, sizeof *o.data);
    size_t length = 1;
    for (int k = 0; k < argc; k++)
        length += strlen(argv[k]) + 1;
    char *texts = o.texts = malloc(length);
    if (!o.settings || !texts || !o.data) {
        fprintf(stderr, "%s: out of memory\n", program);
        return 6;
    }
    int code = parse(&o, argc, argv);
    if (code != 0)
        code--;
    else if (strcmp(o.command, "train") == 0)
        code = train(model, &o, program);
    else if (strcmp(o.command, "eval") == 0)
        code = evaluate(model, &o, program);
    else if (strcmp(o.command, "sample") == 0)
        code = sample(model, &o, program);
    else if (strcmp(o.command, "bench") == 0)
        code = bench(model, &o, program);
    else
        code = info(model, &o, program);
    free(texts);
    free(o.settings);
    free(o.data);
    if (fflush(stdout) != 0 && code == 0) {
        fprintf(stderr, "%s: cannot write the output: %s\n", program, strerror(errno));
        code = 6;
    }
    return code;
}
