/* What a program that is part of another results in, and the gradients it goes from. */
#include "runtime/run/context.h"

#include <string.h>

/* The input that holds the gradient of a result; NULL: there is none. */
static const HcInputPlan *upstream_of(const HcContext *c, int64_t result) {
    for (uint32_t k = c->plan.n_given; k < c->plan.n_inputs; k++)
        if (c->plan.inputs[k].of_result == result)
            return &c->plan.inputs[k];
    return NULL;
}

static HcStatus find_result(HcContext *c, int64_t index) {
    if (index >= 0 && index < c->plan.n_results)
        return HC_OK;
    return hc_fail(&c->error, HC_ERROR_ARGUMENT, "result %lld: the model `%s` has %u",
                   (long long)index, c->plan.model, (unsigned)c->plan.n_results);
}

int64_t hc_result_count(const HcContext *c) {
    return c ? c->plan.n_results : 0;
}

HcStatus hc_result(HcContext *c, int64_t index, HcResult *result) {
    if (!c || !result)
        return hc_null(c, "the place for the result");
    if (find_result(c, index) != HC_OK)
        return c->error.status;
    const HcOutput *of = hc_plan_result(&c->plan, index);
    *result = (HcResult){.name = of->name,
                         .count = hc_output_elements(of),
                         .by_sample = hc_is_by_sample(of->domain),
                         .by_position = hc_is_by_position(of->domain),
                         .space = hc_space_of(of->domain),
                         .rank = of->rank,
                         .element_size = (uint32_t)hc_element_bytes(of->buffer.element),
                         .read_back = of->read_back,
                         .takes_gradient = upstream_of(c, index) != NULL};
    result->count *=
        (result->by_sample ? hc_samples(c) : 1) * hc_exec_positions(&c->exec, of->domain);
    memcpy(result->dims, of->dims, sizeof result->dims);
    return HC_OK;
}

HcStatus hc_set_result_gradient(HcContext *c, int64_t index, const void *data, int64_t count) {
    if (!c || !data)
        return hc_null(c, "the gradient of a result");
    if (find_result(c, index) != HC_OK)
        return c->error.status;
    const HcInputPlan *input = upstream_of(c, index);
    if (!input)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT,
                       "the model `%s` was built without a backward pass from `%s`", c->plan.model,
                       hc_plan_result(&c->plan, index)->name);
    return hc_set_input(c, input->name, data, count);
}

HcStatus hc_input_gradient(HcContext *c, int64_t index, HcView *view) {
    HcInput input;
    if (!view)
        return hc_null(c, "the view of a gradient");
    HcStatus status = hc_input(c, index, &input);
    if (status != HC_OK)
        return status;
    if (!input.has_gradient || !c->ran || !c->went_back || c->moved)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT,
                       input.has_gradient ? "the gradient of input `%s` needs hc_backward first"
                                          : "input `%s` has no gradient",
                       input.name);
    const HcInputPlan *plan = &c->plan.inputs[index];
    return hc_view_at(c, plan->gradient, plan->rank, plan->dims, view);
}
