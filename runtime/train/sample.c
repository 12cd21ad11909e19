/* Text that a trained model makes, a token after the other. */
#include "runtime/train/draw.h"
#include "runtime/train/train.h"
#include "runtime/train/trained.h"
#include "runtime/train/window.h"

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
} Sampler;

static HcStatus check_options(const HcSampleOptions *o, HcError *error) {
    if (!(o->temperature >= 0 && isfinite(o->temperature)) || o->length < 0 || o->top_k < 0)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "temperature, length and top-k must not be negative");
    return HC_OK;
}

static HcStatus of_context(const Sampler *s, HcStatus status) {
    if (status != HC_OK && s->error)
        *s->error = s->context->error;
    return status;
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
        return HC_OK;
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
    s->vocabulary = limit > 0 ? limit : 256;
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

static HcStatus take_prompt(Sampler *s) {
    const HcSampleOptions *o = s->options;
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
    for (size_t k = 0; k < o->prompt_length; k++)
        hc_window_push(&s->window, (uint8_t)o->prompt[k]);
    if (o->prompt_length == 0)
        hc_window_push(&s->window, '\n');
    return HC_OK;
}

static HcStatus go_on(Sampler *s) {
    const HcSampleOptions *o = s->options;
    const HcDrawRule rule = {o->temperature, o->top_k, 1, o->seed};
    HcStatus status = HC_OK;
    int ended = o->prompt_length > 0 ? o->emit(o->user, o->prompt, o->prompt_length) : 0;
    for (int64_t k = 0; status == HC_OK && !ended && k < o->length; k++) {
        status = of_context(s, hc_window_logits(&s->window, s->logits));
        if (status != HC_OK)
            break;
        const int64_t token = hc_draw(&rule, s->logits, s->vocabulary, s->room, (uint64_t)k);
        if (token > 255)
            return hc_fail(s->error, HC_ERROR_DATA, "drew token %lld, which is not a byte of text",
                           (long long)token);
        const char byte = (char)token;
        hc_window_push(&s->window, (int32_t)token);
        ended = o->emit(o->user, &byte, 1);
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
        status = prepare(&s);
    if (status == HC_OK)
        status = take_prompt(&s);
    if (status == HC_OK)
        status = go_on(&s);
    hc_window_close(&s.window);
    free(s.logits);
    free(s.room);
    hc_destroy(s.context);
    return status;
}
