/* Where a number stopped being finite. */
#include "runtime/run/context.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Negative infinity is what a mask or the beginning of a maximum may rightly be: it is looked for
 * only when nothing else is found. */
typedef enum { BUT_NEGATIVE_INFINITY, ANY } Which;

static bool all_good(const void *data, int64_t count, uint32_t element_size, Which which) {
    for (int64_t k = 0; k < count; k++) {
        const double value = hc_real_at(data, element_size, k);
        if (!isfinite(value) && (which == ANY || !(value < 0)))
            return false;
    }
    return true;
}

bool hc_all_finite(const void *data, int64_t count, uint32_t element_size) {
    return all_good(data, count, element_size, ANY);
}

const char *hc_first_not_finite(const HcContext *c, const void *slab) {
    uint32_t size = c->plan.element_size;
    for (uint32_t k = 0; k < c->plan.n_parameters; k++) {
        const HcParameterPlan *p = &c->plan.parameters[k];
        if (!hc_all_finite((const uint8_t *)slab + p->offset, p->count, size))
            return p->name;
    }
    return NULL;
}

static const char *first_input(const HcContext *c) {
    for (uint32_t k = 0; k < c->plan.n_inputs; k++) {
        const HcInputPlan *input = &c->plan.inputs[k];
        if (!input->integer &&
            !hc_all_finite(c->inputs[k], hc_input_elements(c, k), c->plan.element_size))
            return input->name;
    }
    return NULL;
}

/* Elements from a buffer to the next that begins in its region. What else may lie there was found
 * finite before, or is zero. */
static int64_t extent_of(const HcContext *c, HcBuffer buffer) {
    int64_t end = c->plan.region_bytes[buffer.region];
    for (uint32_t k = 0; k < c->plan.n_buffers; k++) {
        const HcBuffer *other = &c->plan.buffers[k];
        if (other->region == buffer.region && other->offset > buffer.offset && other->offset < end)
            end = other->offset;
    }
    return (end - buffer.offset) * c->exec.units[buffer.region] / hc_element_bytes(buffer.element);
}

static bool call_good(const HcContext *c, const HcCall *call, Which which) {
    for (uint32_t k = 0; k < call->count; k++) {
        HcBuffer buffer = c->plan.buffers[call->first + k];
        if (buffer.region < HC_REGION_GLOBAL || buffer.region == HC_REGION_PARTIAL ||
            buffer.element == HC_ELEMENT_I32)
            continue;
        if (!all_good(c->exec.addresses[call->first + k], extent_of(c, buffer),
                      (uint32_t)hc_element_bytes(buffer.element), which))
            return false;
    }
    return true;
}

typedef struct {
    HcContext *context;
    Which which;
    const HcCall *found;
} Watcher;

static void watch(void *user, uint32_t call) {
    Watcher *w = user;
    if (!w->found && !call_good(w->context, &w->context->plan.calls[call], w->which))
        w->found = &w->context->plan.calls[call];
}

/* The call after which something is not finite, or NULL. */
static const HcCall *first_call(HcContext *c, Which which) {
    Watcher watcher = {.context = c, .which = which};
    memset(c->exec.workspace, 0, c->exec.workspace_bytes);
    hc_exec_bind(&c->exec, c->exec.samples, c->exec.positions, NULL); /* tables */
    c->moved = true;
    hc_begin_pass(c);
    c->exec.watch = watch;
    c->exec.watcher = &watcher;
    hc_split_run(c, HC_FORWARD);
    c->exec.watch = NULL;
    return watcher.found;
}

void hc_name_not_finite(HcContext *c, char *text, size_t size) {
    if (hc_await_weights(c) != HC_OK) {
        snprintf(text, size, "%s", c->error.message);
        return;
    }
    const char *parameter = hc_first_not_finite(c, c->params), *input = first_input(c);
    if (input || parameter) {
        snprintf(text, size, "%s %s is not finite", input ? "input" : "parameter",
                 input ? input : parameter);
        return;
    }
    if (c->plan.chunks.positions && !c->exec.whole)
        hc_make_whole(c); /* as far as memory goes */
    const HcCall *call = first_call(c, BUT_NEGATIVE_INFINITY);
    if (!call)
        call = first_call(c, ANY);
    if (!call)
        snprintf(text, size, "inputs and parameters are finite, the loss itself is not");
    else
        snprintf(text, size, "the first value that is not finite is made in %s%s%s%s",
                 call->lines ? call->lines : call->name, call->lines ? " (" : "",
                 call->lines ? call->name : "", call->lines ? ")" : "");
}
