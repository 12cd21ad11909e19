#include "runtime/sample/window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

HcStatus hc_window_open(HcWindow *w, HcContext *c, uint32_t input, int64_t vocabulary, bool whole) {
    *w = (HcWindow){.context = c, .input = input, .vocabulary = vocabulary};
    w->capacity = c->plan.max_positions ? c->plan.max_positions : 1;
    w->whole = whole || hc_extend_refused(c) != NULL;
    w->tokens = calloc((size_t)w->capacity, sizeof *w->tokens);
    return w->tokens ? HC_OK : hc_fail_memory(&c->error, "sampling");
}

void hc_window_close(HcWindow *w) {
    free(w->tokens);
    *w = (HcWindow){0};
}

void hc_window_push(HcWindow *w, int32_t token) {
    if (w->held == w->capacity) {
        const int64_t kept = w->held / 2;
        memmove(w->tokens, w->tokens + w->held - kept, (size_t)kept * sizeof *w->tokens);
        w->held = kept;
        w->computed = 0;
    }
    if (w->computed > w->held && w->tokens[w->held] != token)
        w->computed = w->held;
    w->tokens[w->held++] = token;
}

/* What the present text begins with, too, is computed already. */
void hc_window_begin(HcWindow *w, const int32_t *tokens, int64_t count) {
    w->held = 0;
    for (int64_t k = 0; k < count; k++)
        hc_window_push(w, tokens[k]);
}

/* All of the window's positions; the logits of the last. */
static HcStatus run_whole(HcWindow *w, HcView *view) {
    HcContext *c = w->context;
    HcStatus status = w->held == hc_positions(c) ? HC_OK : hc_resize(c, 1, w->held);
    if (status != HC_OK)
        return status;
    memcpy(hc_input_memory(c, w->input), w->tokens, (size_t)w->held * sizeof *w->tokens);
    status = hc_forward(c);
    if (status == HC_OK)
        status = hc_output(c, "logits", view);
    if (status != HC_OK || view->rank != 3)
        return status;
    const int64_t last = (w->held - 1) * view->dims[2] * hc_element_size(c);
    *view = (HcView){.data = (const uint8_t *)view->data + last,
                     .count = view->dims[2],
                     .rank = 1,
                     .element_size = view->element_size,
                     .dims = {view->dims[2]}};
    return HC_OK;
}

/* Those that are not computed yet. */
static HcStatus run_new(HcWindow *w, HcView *view) {
    HcContext *c = w->context;
    const int64_t before = w->computed < w->held ? w->computed : w->held - 1;
    HcStatus status = w->capacity == hc_positions(c) ? HC_OK : hc_resize(c, 1, w->capacity);
    if (status != HC_OK)
        return status;
    memcpy(hc_input_memory(c, w->input), w->tokens, (size_t)w->held * sizeof *w->tokens);
    if (before > 0) /* what is held was computed with them */
        hc_parameters_unchanged(c);
    status = hc_extend(c, before, w->held - before);
    w->computed = status == HC_OK ? w->held : 0;
    return status == HC_OK ? hc_extended_logits(c, view) : status;
}

HcStatus hc_window_logits(HcWindow *w, double *logits) {
    HcContext *c = w->context;
    HcView view;
    HcStatus status = w->whole ? run_whole(w, &view) : run_new(w, &view);
    if (status == HC_OK && (view.rank != 1 || view.count != w->vocabulary))
        status = hc_fail(&c->error, HC_ERROR_ARGUMENT,
                         "cannot sample from the model `%s`: its logits are not %lld numbers a "
                         "position, one for each token",
                         c->plan.model, (long long)w->vocabulary);
    for (int64_t v = 0; status == HC_OK && v < w->vocabulary; v++) {
        logits[v] = hc_real_at(view.data, c->plan.element_size, v);
        if (!isfinite(logits[v]))
            status = hc_fail(&c->error, HC_ERROR_DIVERGED, "the model's logits are not finite");
    }
    return status;
}
