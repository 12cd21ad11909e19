/* Tries what the runtime reads, one line of input after the other, and answers each with a line:
 *
 *     manifest ORIGINAL EDITED    a context of the edited manifest, and all that a context does
 *     data MANIFEST PATH,...      a step of training on the data
 *     parameters MANIFEST FILE    loads the file; with + its checksum is made right first
 *     state MANIFEST FILE PARAMETERS   likewise, after these
 *     run MANIFEST FOLDER         evaluates the run
 *     past MANIFEST FOLDER        tells its log, and compares it with itself
 *     resume MANIFEST FOLDER      goes on with the run for two steps
 *     from MANIFEST FOLDER PATH,...    trains a step on the data, from the run's parameters
 *     sample MANIFEST FOLDER      some tokens of the run
 *     inspect MANIFEST FOLDER     its tensors
 *     override MANIFEST FOLDER NAME=VALUE    its loss with other values
 *     tokenizer TOKENIZER TEXT    the text's tokens, and their bytes
 *
 *     STATUS SECONDS MESSAGE
 *
 * Kernels do nothing here, and products are loops of C, so that a sanitizer sees all that the
 * runtime itself does with what it has read. */
#include "runtime/maps/inspect.h"
#include "runtime/run/context.h"
#include "runtime/runs/compare.h"
#include "runtime/runs/print_log.h"
#include "runtime/sample/sample.h"
#include "runtime/tokens/tokenizer.h"
#include "runtime/train/train.h"
#include "runtime/trained/ablate.h"
#include "runtime/trained/find_run.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* --- models ------------------------------------------------------------------------------------*/

static void no_kernel(void *const *buffers, const HcExtents *extents, int64_t task, void *scratch) {
    (void)buffers, (void)extents, (void)task, (void)scratch;
}

enum { MOST_KERNELS = 1000 };
static HcKernel *kernels[MOST_KERNELS];

static char *read_text(const char *path, size_t *length) {
    FILE *file = fopen(path, "rbe");
    if (!file)
        exit(2);
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*length + 1);
    if (!text || fread(text, 1, *length, file) != *length)
        exit(2);
    fclose(file);
    text[*length] = 0;
    return text;
}

/* Of a whole manifest. */
static HcModel model_of(const char *text, size_t length) {
    json_t *json = json_loadb(text, length, 0, NULL);
    const json_t *list = json_object_get(json_object_get(json, "plan"), "kernels");
    const char *element = json_string_value(json_object_get(json, "element"));
    HcModel model = {HC_ABI_VERSION,
                     element && strcmp(element, "f64") == 0 ? 8 : 4,
                     text,
                     length,
                     kernels,
                     json_array_size(list),
                     0,
                     NULL,
                     0};
    json_decref(json);
    return model;
}

/* --- products ----------------------------------------------------------------------------------*/

/* Reads the ends of every row of the operands and writes all of the result. */
#define DEFINE_PRODUCT(name, real)                                                                 \
    static real name##_rows(const real *at, blasint rows, blasint columns, blasint stride) {       \
        real sum = 0;                                                                              \
        for (blasint k = 0; k < rows; k++)                                                         \
            sum += at[(size_t)k * (size_t)stride] +                                                \
                   at[(size_t)k * (size_t)stride + (size_t)columns - 1];                           \
        return sum;                                                                                \
    }                                                                                              \
    static void name(CBLAS_ORDER order, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m,         \
                     blasint n, blasint k, real alpha, const real *a, blasint lda, const real *b,  \
                     blasint ldb, real beta, real *c, blasint ldc) {                               \
        (void)order, (void)alpha, (void)beta;                                                      \
        if (m <= 0 || n <= 0 || k <= 0)                                                            \
            return;                                                                                \
        real sum = ta == CblasTrans ? name##_rows(a, k, m, lda) : name##_rows(a, m, k, lda);       \
        sum += tb == CblasTrans ? name##_rows(b, n, k, ldb) : name##_rows(b, k, n, ldb);           \
        for (blasint i = 0; i < m; i++)                                                            \
            for (blasint j = 0; j < n; j++)                                                        \
                c[(size_t)i * (size_t)ldc + (size_t)j] = 0 * sum;                                  \
    }
DEFINE_PRODUCT(product_f32, float)
DEFINE_PRODUCT(product_f64, double)

/* --- what a context does -----------------------------------------------------------------------*/

static HcStatus set_inputs(HcContext *c) {
    HcStatus status = HC_OK;
    for (int64_t k = 0; k < hc_input_count(c) && status == HC_OK; k++) {
        HcInput input;
        status = hc_input(c, k, &input);
        const size_t size = input.element_size;
        uint8_t *memory = calloc((size_t)input.count, size);
        if (!memory)
            return HC_ERROR_MEMORY;
        for (int64_t i = 0; i < input.count && input.is_integer; i++)
            ((int32_t *)memory)[i] =
                input.limit ? (int32_t)(i % input.limit) : (int32_t)(i * 77) - 99;
        if (status == HC_OK)
            status = hc_set_input(c, input.name, memory, input.count);
        free(memory);
    }
    return status;
}

static HcStatus read_outputs(HcContext *c) {
    unsigned sum = 0;
    for (uint32_t k = 0; k < c->plan.n_outputs; k++) {
        HcView view;
        HcStatus status = hc_output(c, c->plan.outputs[k].name, &view);
        if (status == HC_ERROR_MODEL) /* no known shape: said when it is asked for */
            continue;
        if (status != HC_OK)
            return status;
        for (size_t i = 0; i < (size_t)view.count * hc_element_size(c); i++)
            sum += ((const uint8_t *)view.data)[i];
    }
    volatile unsigned seen = sum;
    (void)seen;
    return HC_OK;
}

#define TRY(expression)                                                                            \
    do {                                                                                           \
        HcStatus status_ = (expression);                                                           \
        if (status_ != HC_OK)                                                                      \
            return status_;                                                                        \
    } while (0)

/* A text that begins with some positions and goes on by one. */
static HcStatus use_extended(HcContext *c) {
    const int64_t all = hc_max_positions(c) < 40 ? hc_max_positions(c) : 40;
    HcView view;
    unsigned sum = 0;
    TRY(hc_resize(c, 1, all));
    TRY(set_inputs(c));
    for (int64_t k = all > 5 ? 5 : 1; k <= all; k++) {
        const int64_t first = k > 5 ? k - 1 : 0;
        TRY(hc_extend(c, first, k - first));
        TRY(hc_extended_logits(c, &view));
        for (size_t i = 0; i < (size_t)view.count * hc_element_size(c); i++)
            sum += ((const uint8_t *)view.data)[i];
    }
    volatile unsigned seen = sum;
    (void)seen;
    return HC_OK;
}

static HcStatus use(HcContext *c, const char *folder) {
    char path[4200];
    double loss;
    c->exec.blas.sgemm = product_f32;
    c->exec.blas.dgemm = product_f64;
    TRY(hc_init(c, 1));
    TRY(set_inputs(c));
    TRY(hc_forward_backward(c));
    if (hc_has_output(c, "loss"))
        TRY(hc_loss(c, &loss));
    TRY(read_outputs(c));
    TRY(hc_backward(c));
    TRY(hc_step(c, -1));
    snprintf(path, sizeof path, "%s/checkpoint", folder);
    TRY(hc_save_checkpoint(c, path));
    TRY(hc_load_checkpoint(c, path));
    TRY(hc_resize(c, hc_samples(c) + 1, hc_positions(c) > 2 ? hc_positions(c) - 1 : 1));
    TRY(set_inputs(c));
    TRY(hc_forward(c));
    TRY(hc_backward(c));
    return hc_extend_refused(c) ? HC_OK : use_extended(c);
}

/* As it is it must be refused; with the seal of what it now is, be checked. */
static HcStatus try_manifest(const char *original, const char *edited, const char *folder,
                             HcError *error) {
    size_t n_original, n_edited;
    char *before = read_text(original, &n_original), *after = read_text(edited, &n_edited);
    HcModel model = model_of(before, n_original);
    HcContext *c = NULL;
    model.manifest_seal = hc_manifest_seal(before, n_original);
    model.manifest = after;
    model.manifest_length = n_edited;
    const bool same = n_original == n_edited && memcmp(before, after, n_edited) == 0;
    HcStatus status = hc_create(&model, &(HcOptions){.threads = 1, .samples = 2}, &c, error);
    if (!same && status != HC_ERROR_MODEL)
        abort();
    hc_destroy(c);
    model.manifest_seal = hc_manifest_seal(after, n_edited);
    status = hc_create(&model, &(HcOptions){.threads = 1, .samples = 2}, &c, error);
    if (status == HC_OK) {
        status = use(c, folder);
        if (status != HC_OK)
            snprintf(error->message, sizeof error->message, "%s", hc_last_error(c));
    }
    hc_destroy(c);
    free(before);
    free(after);
    return status;
}

/* --- data and runs -----------------------------------------------------------------------------*/

/* from: a run, or NULL. */
static HcStatus try_data(const HcModel *model, char *paths, const char *from, HcError *error) {
    HcTrainResult result;
    const HcSetting steps = {"steps", "1"};
    const char *data[4];
    int32_t n = 0;
    for (char *path = strtok(paths, ","); path && n < 4; path = strtok(NULL, ","))
        data[n++] = path;
    HcStatus status = hc_train(model,
                               &(HcTrainOptions){.data = data,
                                                 .n_data = n,
                                                 .from = from,
                                                 .threads = 1,
                                                 .settings = &steps,
                                                 .n_settings = 1},
                               &result, error);
    if (status == HC_OK)
        hc_evaluation_free(&result.evaluation);
    return status;
}

static HcStatus try_resume(const HcModel *model, const char *folder, HcError *error) {
    HcTrainResult result;
    const HcSetting steps = {"steps", "4"};
    HcStatus status = hc_train(
        model,
        &(HcTrainOptions){
            .resume = folder, .changed_data = 1, .threads = 1, .settings = &steps, .n_settings = 1},
        &result, error);
    if (status == HC_OK)
        hc_evaluation_free(&result.evaluation);
    return status;
}

static int forget(void *user, const char *bytes, size_t count) {
    volatile size_t *seen = user;
    for (size_t k = 0; k < count; k++)
        *seen += (unsigned char)bytes[k];
    return 0;
}

static HcStatus try_sample(const HcModel *model, const char *folder, HcError *error) {
    size_t seen = 0;
    return hc_sample(model,
                     &(HcSampleOptions){.checkpoint = folder,
                                        .prompt = "",
                                        .length = 20,
                                        .temperature = 1,
                                        .threads = 1,
                                        .emit = forget,
                                        .user = &seen},
                     error);
}

static HcStatus try_inspect(const HcModel *model, const char *folder, HcError *error) {
    const HcInspectOptions options = {
        .eval = {.checkpoint = folder, .threads = 1, .changed_data = 1}, .batches = 2};
    HcInspection found;
    HcStatus status = hc_inspect(model, &options, &found, error);
    if (status != HC_OK)
        return status;
    json_decref(hc_inspection_json(&found));
    hc_inspection_free(&found);
    return HC_OK;
}

static HcStatus try_override(const HcModel *model, const char *folder, const char *text,
                             HcError *error) {
    const HcEvalOptions options = {.checkpoint = folder, .threads = 1, .changed_data = 1};
    HcAblation ablation;
    HcStatus status = hc_ablate(model, &options, &text, 1, false, &ablation, error);
    if (status == HC_OK)
        json_decref(hc_ablation_json(&ablation));
    hc_ablation_free(&ablation);
    return status;
}

static HcStatus try_tokenizer(const char *path, const char *text_path, HcError *error) {
    HcTokenizer *tokenizer;
    HcTokens tokens = {0};
    size_t length, seen = 0;
    char *text = read_text(text_path, &length);
    HcStatus status = hc_tokenizer_open(path, &tokenizer, error);
    if (status == HC_OK)
        status = hc_tokenizer_encode(tokenizer, (const uint8_t *)text, length, true, true, &tokens,
                                     error);
    for (size_t k = 0; k < tokens.count; k++) {
        size_t count = 0;
        const uint8_t *bytes = hc_tokenizer_bytes(tokenizer, tokens.at[k], &count);
        if (!bytes)
            abort();
        forget(&seen, (const char *)bytes, count);
    }
    hc_tokens_free(&tokens);
    hc_tokenizer_free(tokenizer);
    free(text);
    return status;
}

static HcStatus try_run(const HcModel *model, const char *folder, HcError *error) {
    HcEvaluation evaluation;
    HcStatus status =
        hc_evaluate(model, &(HcEvalOptions){.checkpoint = folder, .threads = 1, .changed_data = 1},
                    &evaluation, error);
    if (status == HC_OK)
        hc_evaluation_free(&evaluation);
    return status;
}

static HcStatus try_log(const char *folder, FILE *to, HcError *error) {
    HcPastRun run;
    HcStatus status = hc_past_run_read(&run, folder, error);
    if (status == HC_OK)
        status = hc_log_print(&run, 7, to, error);
    if (status == HC_OK)
        status = hc_log_print_csv(&run, to, error);
    hc_past_run_free(&run);
    return status;
}

/* Also where the log cannot be told: a run that is unreadable is listed. */
static HcStatus try_past(const char *folder, HcError *error) {
    FILE *to = fopen("/dev/null", "we");
    if (!to)
        exit(2);
    HcPastRuns runs = {0};
    HcComparison comparison = {0};
    HcError other;
    HcStatus status = try_log(folder, to, error);
    if (hc_past_runs_add(&runs, folder, &other) == HC_OK &&
        hc_compare(&comparison, &runs, NULL, &other) == HC_OK) {
        hc_comparison_print(&comparison, to);
        hc_comparison_print_csv(&comparison, to);
        json_decref(hc_comparison_json(&comparison));
    }
    hc_comparison_free(&comparison);
    hc_past_runs_free(&runs);
    fclose(to);
    return status;
}

/* Makes the checksum right, where there is a place for it, so that what it guards is read. */
static void make_checksum(const char *path) {
    static const char before[] = "\"hcc.checksum\":\"";
    size_t length;
    char *bytes = read_text(path, &length);
    char *digits = length > 8 ? memmem(bytes + 8, length - 8, before, sizeof before - 1) : NULL;
    FILE *file = digits ? fopen(path, "wbe") : NULL;
    if (file && (size_t)(bytes + length - digits) >= sizeof before - 1 + 16) {
        char text[17];
        digits += sizeof before - 1;
        memset(digits, '0', 16);
        snprintf(text, sizeof text, "%016llx",
                 (unsigned long long)XXH3_64bits(bytes + 8, length - 8));
        memcpy(digits, text, 16);
    }
    if (file) {
        fwrite(bytes, 1, length, file);
        fclose(file);
    }
    free(bytes);
}

static HcStatus try_checkpoint(const HcModel *model, const char *kind, const char *path,
                               const char *before, HcError *error) {
    HcContext *c;
    HcStatus status = hc_create(model, &(HcOptions){.threads = 1}, &c, error);
    if (status != HC_OK)
        exit(2);
    if (strchr(kind, '+'))
        make_checksum(path);
    if (before && hc_load(c, before) != HC_OK)
        exit(2);
    status = *kind == 's' ? hc_load_state(c, path) : hc_load(c, path);
    snprintf(error->message, sizeof error->message, "%s", hc_last_error(c));
    hc_destroy(c);
    return status;
}

static HcStatus try_model(const HcModel *model, char **words, HcError *error) {
    const char *kind = words[0], *path = words[2];
    if (strcmp(kind, "data") == 0)
        return try_data(model, words[2], NULL, error);
    if (strcmp(kind, "run") == 0)
        return try_run(model, path, error);
    if (strcmp(kind, "past") == 0)
        return try_past(path, error);
    if (strcmp(kind, "resume") == 0)
        return try_resume(model, path, error);
    if (strcmp(kind, "from") == 0)
        return try_data(model, words[3], path, error);
    if (strcmp(kind, "sample") == 0)
        return try_sample(model, path, error);
    if (strcmp(kind, "inspect") == 0)
        return try_inspect(model, path, error);
    if (strcmp(kind, "override") == 0)
        return try_override(model, path, words[3], error);
    return try_checkpoint(model, kind, path, words[3], error);
}

static HcStatus try(char **words, HcError *error) {
    if (strcmp(words[0], "manifest") == 0)
        return try_manifest(words[1], words[2], words[3], error);
    if (strcmp(words[0], "tokenizer") == 0)
        return try_tokenizer(words[1], words[2], error);
    size_t length;
    char *text = read_text(words[1], &length);
    const HcModel model = model_of(text, length);
    const HcStatus status = try_model(&model, words, error);
    free(text);
    return status;
}

int main(void) {
    char *line = NULL;
    size_t size = 0;
    hc_process_init();
    for (int k = 0; k < MOST_KERNELS; k++)
        kernels[k] = no_kernel;
    while (getline(&line, &size, stdin) > 0) {
        char *words[4] = {0};
        int count = 0;
        for (char *word = strtok(line, " \n"); word && count < 4; word = strtok(NULL, " \n"))
            words[count++] = word;
        if (count < 3)
            continue;
        HcError error = {0};
        struct timespec begin, end;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        alarm(20); /* ends the process: who asked will see that */
        HcStatus status = try(words, &error);
        alarm(0);
        clock_gettime(CLOCK_MONOTONIC, &end);
        for (char *c = error.message; *c; c++)
            *c = *c == '\n' ? '|' : *c;
        printf("%d %.3f %s\n", (int)status,
               (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec),
               error.message);
        fflush(stdout);
    }
    free(line);
    return 0;
}
