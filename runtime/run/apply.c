/* Calls of a program that is part of another, in the memory of its caller. */
#include "abi/layout.h"
#include "runtime/run/context.h"
#include "runtime/run/move.h"

#include <string.h>

/* --- what was given ----------------------------------------------------------------------------*/

/* Where `at` is: memory of elements of so many bytes, in samples so far apart. */
static HcStatus check_memory(HcContext *c, const char *what, const char *name, const void *at,
                             int64_t size, const HcLayout *l) {
    const int64_t least = l->bytes * hc_exec_positions(&c->applier.exec, l->domain);
    if ((uintptr_t)at % (uintptr_t)size != 0)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT,
                       "the memory of %s `%s` does not begin where an element of %d bytes may",
                       what, name, (int)size);
    if (hc_is_by_sample(l->domain) && (l->stride < least || l->stride > INT64_C(1) << 52))
        return hc_fail(&c->error, HC_ERROR_ARGUMENT,
                       "the stride of %s `%s` is %lld elements: a sample has %lld", what, name,
                       (long long)(l->stride / size), (long long)(least / size));
    return HC_OK;
}

static HcStatus missing(HcContext *c, const char *what, const char *name) {
    return hc_fail(&c->error, HC_ERROR_ARGUMENT, "the memory of %s `%s` is NULL", what, name);
}

static HcLayout input_layout(const HcContext *c, uint32_t k, const int64_t *strides,
                             int64_t index) {
    const HcInputPlan *in = &c->plan.inputs[k];
    return hc_layout(&c->applier.exec, in->domain, in->count, in->element, strides, index);
}

static HcStatus check_integers(HcContext *c, const HcInputPlan *in, const void *at,
                               const HcLayout *l) {
    const HcExec *exec = &c->applier.exec;
    const int64_t samples = hc_is_by_sample(in->domain) ? hc_exec_all_samples(exec) : 1;
    const int64_t each = in->count * hc_exec_positions(exec, in->domain);
    HcStatus status = HC_OK;
    for (int64_t s = 0; s < samples && status == HC_OK && in->integer; s++)
        status = hc_check_integers(
            c, in, (const int32_t *)((uintptr_t)at + (uintptr_t)(s * l->stride)), each);
    return status;
}

/* What calls read as an input; `at` NULL: zeros. */
static HcStatus take_input(HcContext *c, uint32_t k, const char *what, const void *at,
                           const int64_t *strides, int64_t index) {
    HcApplier *a = &c->applier;
    const HcInputPlan *in = &c->plan.inputs[k];
    const HcLayout given = input_layout(c, k, strides, index), dense = input_layout(c, k, NULL, 0);
    HcStatus status = check_memory(c, what, in->name, at, hc_element_bytes(in->element), &given);
    if (status != HC_OK)
        return status;
    if (at && (a->exec.apart > 1 || hc_layout_is_dense(&a->exec, &given))) {
        a->inputs[k] = (void *)(uintptr_t)at; /* kernels only read inputs */
        a->input_steps[k] = given.stride;
        return check_integers(c, in, at, &given);
    }
    status = hc_applier_take_dense(a, k, &c->error);
    if (status != HC_OK)
        return status;
    a->input_steps[k] = dense.stride;
    hc_move(&a->exec, a->inputs[k], &dense, at, &given);
    return check_integers(c, in, a->inputs[k], &dense);
}

static HcStatus take_inputs(HcContext *c, const HcApply *apply) {
    HcStatus status = HC_OK;
    for (uint32_t k = 0; k < c->plan.n_given && status == HC_OK; k++) {
        if (!apply->inputs || !apply->inputs[k])
            return missing(c, "input", c->plan.inputs[k].name);
        status = take_input(c, k, "input", apply->inputs[k], apply->input_strides, k);
    }
    return status;
}

static HcStatus take_upstream(HcContext *c, const HcApply *apply) {
    HcStatus status = HC_OK;
    for (uint32_t k = c->plan.n_given; k < c->plan.n_inputs && status == HC_OK; k++) {
        const int32_t of = c->plan.inputs[k].of_result, beside = c->plan.inputs[k].of_input;
        const void *const *all = beside < 0 ? apply->result_gradients : apply->gradients_beside;
        const int64_t *strides =
            beside < 0 ? apply->result_gradient_strides : apply->gradient_beside_strides;
        const int32_t index = beside < 0 ? of : beside;
        status = take_input(c, k, "gradient", all ? all[index] : NULL, strides, index);
    }
    return status;
}

static HcStatus take_parameters(HcContext *c, const HcApply *apply) {
    if (hc_await_weights(c) != HC_OK)
        return c->error.status;
    for (uint32_t k = 0; k < c->plan.n_parameters; k++) {
        const HcParameterPlan *p = &c->plan.parameters[k];
        const int64_t size = hc_element_bytes(p->element);
        const void *at =
            apply->parameters ? apply->parameters[k] : (uint8_t *)c->params + p->offset;
        void *gradient = apply->parameter_gradients ? apply->parameter_gradients[k] : NULL;
        const HcLayout once = {HC_GLOBAL, p->count * size, 0};
        if (!at)
            return missing(c, "parameter", p->name);
        HcStatus status = check_memory(c, "parameter", p->name, at, size, &once);
        if (status == HC_OK)
            status = check_memory(c, "the gradient of parameter", p->name, gradient, size, &once);
        if (status != HC_OK)
            return status;
        c->applier.parameters[k] = (void *)(uintptr_t)at;
        c->applier.gradients[k] = gradient ? gradient : (uint8_t *)c->grads + p->offset;
    }
    return HC_OK;
}

/* --- what is given back ------------------------------------------------------------------------*/

static const char *const gradient_of_input = "the gradient of input";

static HcLayout result_layout(const HcContext *c, uint32_t k, const int64_t *strides) {
    const HcOutput *of = hc_plan_result(&c->plan, k);
    return hc_layout(&c->applier.exec, of->domain, hc_output_elements(of), of->buffer.element,
                     strides, k);
}

/* Before anything is computed. */
static HcStatus check_given_back(HcContext *c, const HcApply *apply, bool backward) {
    HcStatus status = HC_OK;
    for (uint32_t k = 0; k < c->plan.n_results && status == HC_OK; k++) {
        const HcOutput *of = hc_plan_result(&c->plan, k);
        const HcLayout l = result_layout(c, k, apply->result_strides);
        status = check_memory(c, "result", of->name, apply->results ? apply->results[k] : NULL,
                              hc_element_bytes(of->buffer.element), &l);
    }
    for (uint32_t k = 0; k < c->plan.n_given && status == HC_OK && backward; k++) {
        const HcInputPlan *in = &c->plan.inputs[k];
        const HcLayout l = input_layout(c, k, apply->input_gradient_strides, k);
        const void *at = apply->input_gradients ? apply->input_gradients[k] : NULL;
        if (at && in->integer)
            return hc_fail(&c->error, HC_ERROR_ARGUMENT, "input `%s` has no gradient", in->name);
        status =
            check_memory(c, gradient_of_input, in->name, at, hc_element_bytes(in->element), &l);
    }
    return status;
}

/* How a value lies at `buffer`. */
static HcLayout made_layout(const HcContext *c, HcBuffer buffer, const HcLayout *as) {
    const HcDomain domain = buffer.region == HC_REGION_INPUT ? c->plan.inputs[buffer.index].domain
                            : buffer.region == HC_REGION_OUTPUT
                                ? hc_plan_given(&c->plan, buffer.index).domain
                                : hc_region_domain(buffer.region);
    const HcPlaces places = hc_applier_places(&c->applier);
    HcLayout made = {domain, as->bytes, 0};
    if (hc_is_by_sample(domain) && c->applier.exec.apart > 1)
        made.stride = hc_exec_step(&c->applier.exec, buffer, &places);
    else if (hc_is_by_sample(domain))
        made.stride = as->bytes * hc_exec_positions(&c->applier.exec, domain);
    return made;
}

/* Nothing where it was made there. */
static void give(HcContext *c, HcBuffer buffer, void *to, const HcLayout *as) {
    const HcPlaces places = hc_applier_places(&c->applier);
    const HcLayout made = made_layout(c, buffer, as);
    const void *from = hc_exec_address(&c->applier.exec, buffer, &places);
    if (from != to)
        hc_move(&c->applier.exec, to, as, from, &made);
}

static void give_results(HcContext *c, const HcApply *apply) {
    for (uint32_t k = 0; k < c->plan.n_results && apply->results; k++) {
        const HcLayout l = result_layout(c, k, apply->result_strides);
        if (apply->results[k])
            give(c, hc_plan_result(&c->plan, k)->buffer, apply->results[k], &l);
    }
}

static void give_gradients(HcContext *c, const HcApply *apply) {
    const HcExec *exec = &c->applier.exec;
    for (uint32_t k = 0; k < c->plan.n_given && apply->input_gradients; k++) {
        const HcInputPlan *in = &c->plan.inputs[k];
        const HcLayout l = input_layout(c, k, apply->input_gradient_strides, k);
        if (apply->input_gradients[k] && in->has_gradient)
            give(c, in->gradient, apply->input_gradients[k], &l);
        else if (apply->input_gradients[k])
            hc_move(exec, apply->input_gradients[k], &l, NULL, &l);
    }
    for (uint32_t k = 0; k < c->plan.n_parameters && apply->parameter_gradients; k++) {
        const HcParameterPlan *p = &c->plan.parameters[k];
        if (apply->parameter_gradients[k] && !p->gradient)
            memset(apply->parameter_gradients[k], 0,
                   (size_t)(p->count * hc_element_bytes(p->element)));
    }
}

/* Where calls make an output: in the caller's memory, if it is such as they write to. */
static HcStatus take_output(HcContext *c, uint32_t output, void *at, const HcLayout *l) {
    HcApplier *a = &c->applier;
    bool moved;
    const bool apart = a->exec.apart > 1;
    if (at && (uintptr_t)at % HC_ALIGN == 0 &&
        (apart ? l->stride % HC_ALIGN == 0 : hc_layout_is_dense(&a->exec, l))) {
        a->outputs[output] = at;
        a->output_steps[output] = l->stride;
        return HC_OK;
    }
    HcStatus status = hc_outputs_grow(&a->own, &a->exec, output, &moved, &c->error);
    a->outputs[output] = a->own.at[output];
    a->output_steps[output] = hc_exec_output_step(&a->exec, output);
    return status;
}

/* The backward pass reads some results, and finds them as the forward pass left them. */
static HcStatus take_results(HcContext *c, const HcApply *apply, bool backward) {
    HcStatus status = HC_OK;
    for (uint32_t k = 0; k < c->plan.n_results && status == HC_OK; k++) {
        const HcOutput *of = hc_plan_result(&c->plan, k);
        const HcLayout l = result_layout(c, k, apply->result_strides);
        void *at = apply->results ? apply->results[k] : NULL;
        if (apply->saved && of->read_back && !at)
            return missing(c, "result", of->name);
        status = take_output(c, k, at, &l);
        if (status != HC_OK || !backward || !of->read_back || c->applier.outputs[k] == at)
            continue;
        const HcLayout made = made_layout(c, of->buffer, &l);
        hc_move(&c->applier.exec, c->applier.outputs[k], &made, at, &l);
    }
    return status;
}

static HcStatus take_gradients(HcContext *c, const HcApply *apply) {
    HcStatus status = HC_OK;
    for (uint32_t k = 0; k < c->plan.n_given && status == HC_OK; k++) {
        const HcLayout l = input_layout(c, k, apply->input_gradient_strides, k);
        status = take_output(c, c->plan.n_results + k,
                             apply->input_gradients ? apply->input_gradients[k] : NULL, &l);
    }
    return status;
}

/* --- running -----------------------------------------------------------------------------------*/

static HcStatus check_program(HcContext *c, const HcApply *apply, bool backward) {
    if (!c || !apply)
        return hc_null(c, "what to apply to");
    if (c->plan.n_results == 0)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT,
                       "the model `%s` has no results: it runs by hc_forward", c->plan.model);
    if (backward && c->plan.n_given == c->plan.n_inputs)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT,
                       "the model `%s` was built without a backward pass", c->plan.model);
    if (backward && !apply->saved)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT,
                       "a backward pass needs what the forward pass saved: `saved` is NULL");
    if ((uintptr_t)apply->saved % HC_ALIGN != 0)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT, "`saved` must be %d-byte aligned", HC_ALIGN);
    return hc_check_positions(&c->plan, apply->positions, &c->error);
}

static bool is_apart(const HcContext *c, HcDomain domain, int64_t elements, int64_t positions,
                     const int64_t *strides, int64_t index) {
    return strides && strides[index] && hc_is_by_sample(domain) &&
           strides[index] != elements * hc_exec_positions_with(&c->exec, domain, positions);
}

/* Whether samples run each by itself, for they do not lie beside each other. What else lies apart
 * is then read and written where it is, and otherwise moved. */
static bool lies_apart(const HcContext *c, const HcApply *apply) {
    const HcPlan *plan = &c->plan;
    bool apart = false;
    for (uint32_t k = 0; k < plan->n_given; k++)
        apart = apart || is_apart(c, plan->inputs[k].domain, plan->inputs[k].count,
                                  apply->positions, apply->input_strides, k);
    for (uint32_t k = 0; k < plan->n_results; k++) {
        const HcOutput *of = hc_plan_result(plan, k);
        apart = apart || is_apart(c, of->domain, hc_output_elements(of), apply->positions,
                                  apply->result_strides, k);
    }
    return apart && plan->runs_apart && apply->samples > 1;
}

/* What is saved begins with how samples ran, for the backward pass goes by that, wherever its
 * caller has things by then. */
typedef struct {
    uint64_t apart;
} Saved;

static bool runs_apart(const HcContext *c, const HcApply *apply, bool backward) {
    Saved *saved = apply->saved;
    if (backward)
        return saved->apart == 1 && c->plan.runs_apart && apply->samples > 1;
    const bool apart = lies_apart(c, apply);
    if (saved)
        saved->apart = apart;
    return apart;
}

static void *saved_of_calls(const HcApply *apply) {
    return apply->saved ? (uint8_t *)apply->saved + HC_ALIGN : NULL;
}

static HcStatus begin(HcContext *c, const HcApply *apply, bool backward) {
    HcStatus status = check_program(c, apply, backward);
    if (status == HC_OK)
        status = hc_applier_create(&c->applier, &c->exec, &c->error);
    HcExec *exec = status == HC_OK ? &c->applier.exec : NULL;
    if (status == HC_OK)
        status = hc_exec_bind_in(exec, apply->samples, apply->positions,
                                 runs_apart(c, apply, backward), saved_of_calls(apply), &c->error);
    if (status == HC_OK)
        status = take_parameters(c, apply);
    if (status == HC_OK)
        status = check_given_back(c, apply, backward);
    if (status == HC_OK)
        status = take_inputs(c, apply);
    if (status == HC_OK)
        status = take_results(c, apply, backward);
    if (status == HC_OK && backward)
        status = take_upstream(c, apply);
    if (status == HC_OK && backward)
        status = take_gradients(c, apply);
    if (status != HC_OK)
        return status;
    const HcPlaces places = hc_applier_places(&c->applier);
    hc_exec_resolve(exec, &places);
    hc_exec_forget(exec);
    const HcExecRun run = {.training = apply->training != 0,
                           .random_key = apply->random_key,
                           .done = apply->step,
                           .steps = apply->steps,
                           .batch = apply->samples};
    hc_exec_begin(exec, &run);
    return HC_OK;
}

HcStatus hc_apply(HcContext *c, const HcApply *apply) {
    HcStatus status = begin(c, apply, false);
    if (status != HC_OK)
        return status;
    hc_exec_run(&c->applier.exec, HC_FORWARD);
    give_results(c, apply);
    return HC_OK;
}

HcStatus hc_apply_backward(HcContext *c, const HcApply *apply) {
    HcStatus status = begin(c, apply, true);
    if (status != HC_OK)
        return status;
    hc_exec_run(&c->applier.exec, HC_BACKWARD);
    give_gradients(c, apply);
    return HC_OK;
}

uint64_t hc_saved_bytes(HcContext *c, int64_t samples, int64_t positions) {
    if (!c || hc_check_positions(&c->plan, positions, &c->error) != HC_OK ||
        hc_applier_create(&c->applier, &c->exec, &c->error) != HC_OK)
        return 0;
    HcExec *exec = &c->applier.exec;
    const size_t together = hc_exec_saved_bytes(exec, samples, positions, false);
    const size_t apart =
        c->plan.runs_apart && together ? hc_exec_saved_bytes(exec, samples, positions, true) : 0;
    return together ? HC_ALIGN + (together > apart ? together : apart) : 0;
}
