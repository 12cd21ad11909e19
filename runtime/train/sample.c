/* Evaluation and sampling from a checkpoint. */
#include "runtime/run/rng.h"
#include "runtime/train/evaluate.h"
#include "runtime/train/train.h"
#include "runtime/train/window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A context with the checkpoint's parameters. */
static HcStatus open_model(const HcModel *model, const char *path, int32_t threads, int64_t samples,
                           HcContext **context, HcError *error) {
    char *checkpoint;
    *context = NULL;
    HcStatus status = hc_find_checkpoint(path, &checkpoint, error);
    if (status != HC_OK)
        return status;
    HcOptions options = {.threads = threads, .samples = samples};
    status = hc_create(model, &options, context, error);
    if (status == HC_OK && (status = hc_load(*context, checkpoint)) != HC_OK && error)
        *error = (*context)->error;
    free(checkpoint);
    if (status == HC_OK)
        hc_set_training(*context, 0);
    return status;
}

/* --- evaluation --------------------------------------------------------------------------------*/

/* The run folder's config.json; a checkpoint file alone has none, and an empty object stands in. */
static HcStatus read_run(const HcEvalOptions *o, json_t **config, HcError *error) {
    struct stat info;
    if (o->n_data && stat(o->checkpoint, &info) == 0 && !S_ISDIR(info.st_mode)) {
        *config = json_object();
        return *config ? HC_OK : hc_fail_memory(error, "the run's config");
    }
    return hc_read_config(o->checkpoint, config, error);
}

HcStatus hc_evaluate(const HcModel *model, const HcEvalOptions *options, HcEvaluation *evaluation,
                     HcError *error) {
    HcContext *c = NULL;
    HcData data = {0};
    json_t *config = NULL;
    *evaluation = (HcEvaluation){.loss = NAN};
    HcStatus status = open_model(model, options->checkpoint, options->threads, 0, &c, error);
    if (status == HC_OK)
        status = read_run(options, &config, error);
    const json_t *about = json_object_get(config, "data");
    if (status == HC_OK && !options->n_data && !about)
        status = hc_fail(error, HC_ERROR_CHECKPOINT,
                         "`%s/config.json` does not name the data: give --data PATH",
                         options->checkpoint);
    const HcDataRequest request = {.given = options->data,
                                   .n_given = options->n_data,
                                   .run = about ? about : config,
                                   .as_bytes = options->data_is_bytes,
                                   .may_differ = options->changed_data,
                                   .notes = options->notes};
    if (status == HC_OK)
        status = hc_data_open(&data, &c->plan, &request, hc_positions(c), error);
    if (status == HC_OK && data.train_count == data.count)
        status = hc_fail(error, HC_ERROR_DATA,
                         "the model `%s` holds nothing out: its train block needs `held_out`",
                         c->plan.model);
    if (status == HC_OK) {
        status =
            hc_data_evaluate(&data, c, &(HcEvaluationSize){hc_samples(c), 0}, NULL, evaluation);
        if (status != HC_OK && error)
            *error = c->error;
    }
    if (status == HC_OK && !isfinite(evaluation->loss))
        status = hc_fail(error, HC_ERROR_DIVERGED, "%s",
                         evaluation->not_finite[0] ? evaluation->not_finite
                                                   : "the held-out loss overflows");
    if (status != HC_OK)
        hc_evaluation_free(evaluation);
    json_decref(config);
    hc_data_free(&data);
    hc_destroy(c);
    return status;
}

/* --- sampling ----------------------------------------------------------------------------------*/

typedef struct {
    const HcSampleOptions *options;
    HcError *error;
    HcContext *context;
    uint32_t input;
    HcWindow window;
    double *weights; /* by token */
    uint32_t *order; /* tokens, for top-k */
    int64_t vocabulary;
} Sampler;

/* The one input that reads text. */
static HcStatus find_text_input(Sampler *s) {
    const HcPlan *plan = &s->context->plan;
    int found = 0;
    for (uint32_t k = 0; k < plan->n_inputs; k++) {
        const HcInputPlan *input = &plan->inputs[k];
        if (!input->target && input->integer && input->domain == HC_POSITION && input->count == 1) {
            s->input = k;
            found++;
        }
    }
    if (found == 1)
        return HC_OK;
    return hc_fail(s->error, HC_ERROR_ARGUMENT,
                   "cannot sample from the model `%s`: it has %d inputs of tokens by position, not "
                   "one",
                   plan->model, found);
}

/* Logits of the last position, as doubles in `weights`. */
static HcStatus run(Sampler *s) {
    HcStatus status = hc_window_logits(&s->window, s->weights);
    if (status != HC_OK && s->error)
        *s->error = s->context->error;
    return status;
}

/* The k-th largest weight, by partial selection: k is small or the vocabulary is. */
static double kth_largest(Sampler *s, int64_t k) {
    for (int64_t v = 0; v < s->vocabulary; v++)
        s->order[v] = (uint32_t)v;
    for (int64_t i = 0; i < k; i++) {
        int64_t best = i;
        for (int64_t v = i + 1; v < s->vocabulary; v++) {
            if (s->weights[s->order[v]] > s->weights[s->order[best]])
                best = v;
        }
        uint32_t swap = s->order[i];
        s->order[i] = s->order[best];
        s->order[best] = swap;
    }
    return s->weights[s->order[k - 1]];
}

static int64_t draw(Sampler *s, int64_t number) {
    const HcSampleOptions *o = s->options;
    int64_t best = 0, n = s->vocabulary;
    for (int64_t v = 1; v < n; v++)
        best = s->weights[v] > s->weights[best] ? v : best;
    if (o->temperature == 0)
        return best;
    double top = s->weights[best], least = -INFINITY, total = 0, u;
    if (o->top_k > 0 && o->top_k < n)
        least = kth_largest(s, o->top_k);
    for (int64_t v = 0; v < n; v++) {
        s->weights[v] = s->weights[v] >= least ? exp((s->weights[v] - top) / o->temperature) : 0;
        total += s->weights[v];
    }
    hc_rng_uniform(o->seed, hc_rng_stream("hc.sample"), (uint64_t)number, 1, 0, total, 8, &u);
    for (int64_t v = 0; v < n; v++) {
        u -= s->weights[v];
        if (u < 0)
            return v;
    }
    return best; /* rounding */
}

static HcStatus prepare(Sampler *s) {
    const HcSampleOptions *o = s->options;
    HcStatus status = find_text_input(s);
    if (status != HC_OK)
        return status;
    const HcInputPlan *input = &s->context->plan.inputs[s->input];
    s->vocabulary = input->limit > 0 ? input->limit : 256;
    for (size_t k = 0; k < o->prompt_length; k++) {
        if ((uint8_t)o->prompt[k] >= s->vocabulary)
            return hc_fail(s->error, HC_ERROR_DATA,
                           "byte %d of the prompt is outside the model's vocabulary of %lld",
                           (uint8_t)o->prompt[k], (long long)s->vocabulary);
    }
    if (o->prompt_length == 0 && '\n' >= s->vocabulary)
        return hc_fail(s->error, HC_ERROR_ARGUMENT,
                       "without a prompt the text begins after a newline (byte 10), which is "
                       "outside the model's vocabulary of %lld: give --prompt",
                       (long long)s->vocabulary);
    s->weights = calloc((size_t)s->vocabulary, sizeof *s->weights);
    s->order = calloc((size_t)s->vocabulary, sizeof *s->order);
    status = hc_window_open(&s->window, s->context, s->input, s->vocabulary);
    if (status != HC_OK || !s->weights || !s->order)
        return hc_fail_memory(s->error, "sampling");
    for (size_t k = 0; k < o->prompt_length; k++)
        hc_window_push(&s->window, (uint8_t)o->prompt[k]);
    if (o->prompt_length == 0)
        hc_window_push(&s->window, '\n');
    return HC_OK;
}

HcStatus hc_sample(const HcModel *model, const HcSampleOptions *options, HcError *error) {
    Sampler s = {.options = options, .error = error};
    HcStatus status = HC_OK;
    if (!(options->temperature >= 0 && isfinite(options->temperature)) || options->length < 0 ||
        options->top_k < 0)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "temperature, length and top-k must not be negative");
    status = open_model(model, options->checkpoint, options->threads, 1, &s.context, error);
    if (status == HC_OK)
        status = prepare(&s);
    int ended = status == HC_OK && options->prompt_length > 0
                    ? options->emit(options->user, options->prompt, options->prompt_length)
                    : 0;
    for (int64_t k = 0; status == HC_OK && !ended && k < options->length; k++) {
        status = run(&s);
        if (status != HC_OK)
            break;
        int64_t token = draw(&s, k);
        if (token > 255) {
            status = hc_fail(error, HC_ERROR_DATA, "drew token %lld, which is not a byte of text",
                             (long long)token);
            break;
        }
        char byte = (char)token;
        hc_window_push(&s.window, (int32_t)token);
        ended = options->emit(options->user, &byte, 1);
    }
    hc_window_close(&s.window);
    free(s.weights);
    free(s.order);
    hc_destroy(s.context);
    return status;
}
