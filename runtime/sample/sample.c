/* Text that a trained model makes, a token after the other. */
#include "runtime/sample/sample.h"
#include "runtime/sample/draw.h"
#include "runtime/sample/speech.h"
#include "runtime/sample/window.h"
#include "runtime/trained/run_tokenizer.h"
#include "runtime/trained/trained.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    const HcSampleOptions *options;
    HcError *error;
    HcContext *context;
    HcWindow window;
    int64_t vocabulary;
    double *logits;
    uint32_t *room; /* to draw in */
    HcSpeech speech;
    HcTokens prompt;
    char *said; /* the prompt, as it is shown */
    size_t said_length;
} Sampler;

static HcStatus check_options(const HcSampleOptions *o, HcError *error) {
    if (!(o->temperature >= 0 && isfinite(o->temperature)) || o->length < 0 || o->top_k < 0 ||
        o->samples < 0)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "temperature, length, samples and top-k must not be negative");
    if (!(o->top_p >= 0 && o->top_p <= 1))
        return hc_fail(error, HC_ERROR_ARGUMENT, "top-p is a share, from 0 to 1");
    return HC_OK;
}

static HcStatus of_context(const Sampler *s, HcStatus status) {
    if (status != HC_OK && s->error)
        *s->error = s->context->error;
    return status;
}

/* What is made is of the first space, and what others hold nobody gives. */
static HcStatus check_spaces(const Sampler *s) {
    const HcPlan *plan = &s->context->plan;
    for (uint32_t k = 0; k < plan->n_inputs; k++) {
        const HcInputPlan *i = &plan->inputs[k];
        const int32_t space = hc_space_of(i->domain);
        if (!i->target && space > 0)
            return hc_fail(s->error, HC_ERROR_ARGUMENT,
                           "cannot sample from the model `%s`: its input `%s` lives at positions "
                           "`%s`, and sampled text fills those of `%s`",
                           plan->model, i->name, plan->spaces[space].name, plan->spaces[0].name);
    }
    const HcOutput *logits = hc_plan_output(plan, "logits");
    const int32_t of = logits ? hc_space_of(hc_region_domain(logits->buffer.region)) : 0;
    return of <= 0
               ? HC_OK
               : hc_fail(s->error, HC_ERROR_ARGUMENT,
                         "cannot sample from the model `%s`: it predicts at positions `%s`, and "
                         "sampled text fills those of `%s`",
                         plan->model, plan->spaces[of].name, plan->spaces[0].name);
}

/* The one input that reads tokens. */
static HcStatus find_input(Sampler *s, uint32_t *input) {
    const HcPlan *plan = &s->context->plan;
    int found = 0;
    for (uint32_t k = 0; k < plan->n_inputs; k++) {
        const HcInputPlan *i = &plan->inputs[k];
        if (!i->target && i->integer && i->domain == HC_POSITION && i->count == 1) {
            *input = k;
            found++;
        }
    }
    if (found == 1)
        return check_spaces(s);
    return hc_fail(s->error, HC_ERROR_ARGUMENT,
                   "cannot sample from the model `%s`: it has %d inputs of tokens by position, not "
                   "one",
                   plan->model, found);
}

static HcStatus prepare(Sampler *s) {
    uint32_t input = 0;
    HcStatus status = find_input(s, &input);
    if (status != HC_OK)
        return status;
    const int64_t limit = s->context->plan.inputs[input].limit;
    s->vocabulary = s->speech.vocabulary = limit > 0 ? limit : 256;
    s->logits = calloc((size_t)s->vocabulary, sizeof *s->logits);
    s->room = calloc((size_t)s->vocabulary, sizeof *s->room);
    if (!s->logits || !s->room)
        return hc_fail_memory(s->error, "sampling");
    const HcSampleOptions *o = s->options;
    const char *refused = hc_extend_refused(s->context);
    if (refused && !o->whole && o->notes)
        fprintf(o->notes, "note: every token is computed from the whole window again: %s\n",
                refused);
    return of_context(s,
                      hc_window_open(&s->window, s->context, input, s->vocabulary, o->whole != 0));
}

/* What stands for nothing is not drawn. */
static void leave_out(Sampler *s) {
    for (int64_t v = 0; v < s->vocabulary; v++)
        if (!hc_speech_has(&s->speech, v))
            s->logits[v] = -INFINITY;
}

static HcStatus go_on(Sampler *s, int64_t sample, int *ended) {
    const HcSampleOptions *o = s->options;
    const HcDrawRule rule = {o->temperature, o->top_k, o->top_p > 0 ? o->top_p : 1, o->seed};
    HcStatus status = HC_OK;
    hc_window_begin(&s->window, s->prompt.at, (int64_t)s->prompt.count);
    *ended = s->said_length > 0 ? o->emit(o->user, s->said, s->said_length) : 0;
    for (int64_t k = 0; status == HC_OK && !*ended && k < o->length; k++) {
        char room[HC_SPEECH_ROOM];
        size_t length = 0;
        status = of_context(s, hc_window_logits(&s->window, s->logits));
        if (status != HC_OK)
            break;
        leave_out(s);
        const uint64_t number = (uint64_t)sample << 40 | (uint64_t)k;
        const int64_t token = hc_draw(&rule, s->logits, s->vocabulary, s->room, number);
        const char *text = hc_speech_of(&s->speech, (int32_t)token, room, &length);
        hc_window_push(&s->window, (int32_t)token);
        *ended = o->emit(o->user, text, length);
    }
    return status;
}

static HcStatus sample(Sampler *s) {
    const HcSampleOptions *o = s->options;
    int ended = 0;
    HcStatus status = hc_speech_prompt(&s->speech, o->prompt, o->prompt_length, &s->prompt,
                                       &s->said, &s->said_length, s->error);
    for (int64_t k = 0; status == HC_OK && !ended && k < (o->samples ? o->samples : 1); k++) {
        if (k > 0 && o->next && o->next(o->user))
            break;
        status = go_on(s, k, &ended);
    }
    return status;
}

HcStatus hc_sample(const HcModel *model, const HcSampleOptions *options, HcError *error) {
    Sampler s = {.options = options, .error = error};
    HcStatus status = check_options(options, error);
    if (status == HC_OK)
        status =
            hc_open_trained(model, options->checkpoint, options->threads, 1, &s.context, error);
    if (status == HC_OK)
        status = hc_run_tokenizer_open(options->tokenizer, options->checkpoint, &s.speech.tokenizer,
                                       error);
    if (status == HC_OK)
        status = prepare(&s);
    if (status == HC_OK)
        status = sample(&s);
    hc_tokenizer_free(s.speech.tokenizer);
    hc_tokens_free(&s.prompt);
    free(s.said);
    hc_window_close(&s.window);
    free(s.logits);
    free(s.room);
    hc_destroy(s.context);
    return status;
}
