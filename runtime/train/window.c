#include "runtime/train/window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

HcStatus hc_window_open(HcWindow *w, HcContext *c, uint32_t input, int64_t vocabulary) {
    *w = (HcWindow){.context = c, .input = input, .vocabulary = vocabulary};
    w->capacity = c->plan.max_positions ? c->plan.max_positions : 1;
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
    }
    w->tokens[w->held++] = token;
}

void hc_window_begin(HcWindow *w, const int32_t *tokens, int64_t count) {
    w->held = 0;
    for (int64_t k = 0; k < count; k++)
        hc_window_push(w, tokens[k]);
}

/* All of the window's positions anew; the logits of the last. */
static HcStatus run_all(HcWindow *w, HcView *view) {
    HcContext *c = w->context;
    HcStatus status = w->held == hc_positions(c) ? HC_OK : hc_resize(c, 1, w->held);
    if (status != HC_OK)
        return status;
    memcpy(hc_input_memory(c, w->input), w->tokens, (size_t)w->held * sizeof *w->tokens);
    status = hc_forward(c);
    if (status == HC_OK)
        status = hc_output(c, "logits", view);
    if (status == HC_OK && (view->rank != 3 || view->dims[2] != w->vocabulary))
        status = hc_fail(&c->error, HC_ERROR_ARGUMENT,
                         "cannot sample from the model `%s`: its logits are not %lld numbers a "
                         "position, one for each token",
                         c->plan.model, (long long)w->vocabulary);
    return status;
}

HcStatus hc_window_logits(HcWindow *w, double *logits) {
    HcContext *c = w->context;
    HcView view;
    HcStatus status = run_all(w, &view);
    const int64_t first = (w->held - 1) * w->vocabulary;
    for (int64_t v = 0; status == HC_OK && v < w->vocabulary; v++) {
        logits[v] = c->plan.element_size == 4 ? (double)((const float *)view.data)[first + v]
                                              : ((const double *)view.data)[first + v];
        if (!isfinite(logits[v]))
            status = hc_fail(&c->error, HC_ERROR_DIVERGED, "the model's logits are not finite");
    }
    return status;
}
