#include "runtime/run/applier.h"

#include <stdlib.h>

/* --- outputs -----------------------------------------------------------------------------------*/

HcStatus hc_outputs_create(HcOwnOutputs *o, const HcPlan *plan, HcError *error) {
    o->at = calloc(hc_plan_given_count(plan) + 1, sizeof *o->at);
    o->bytes = calloc(hc_plan_given_count(plan) + 1, sizeof *o->bytes);
    return o->at && o->bytes ? HC_OK : hc_fail_memory(error, "the model's plan");
}

void hc_outputs_destroy(HcOwnOutputs *o, const HcPlan *plan) {
    for (uint32_t k = 0; o->at && k < hc_plan_given_count(plan); k++)
        free(o->at[k]);
    free(o->at);
    free(o->bytes);
    *o = (HcOwnOutputs){0};
}

size_t hc_outputs_bytes(const HcOwnOutputs *o, const HcPlan *plan) {
    size_t bytes = (hc_plan_given_count(plan) + 1) * (sizeof *o->at + sizeof *o->bytes);
    for (uint32_t k = 0; o->bytes && k < hc_plan_given_count(plan); k++)
        bytes += o->bytes[k];
    return bytes;
}

HcStatus hc_outputs_grow(HcOwnOutputs *o, const HcExec *exec, uint32_t output, bool *moved,
                         HcError *error) {
    const HcGiven given = hc_plan_given(exec->plan, output);
    const size_t bytes = (size_t)(exec->apart > 1 && hc_is_by_sample(given.domain)
                                      ? exec->apart * hc_exec_output_step(exec, output)
                                      : given.bytes * exec->instances[given.domain]);
    if (bytes <= o->bytes[output] || !hc_plan_is_in_place(exec->plan, output))
        return HC_OK;
    void *grown = hc_aligned(bytes);
    if (!grown)
        return hc_fail_size(error, given.name, (double)bytes);
    free(o->at[output]);
    o->at[output] = grown;
    o->bytes[output] = bytes;
    *moved = true;
    return HC_OK;
}

/* --- calls -------------------------------------------------------------------------------------*/

/* A caller says how many positions the first space has; the others have the context's. */
static void set_further(HcApplier *a, const HcExec *like) {
    for (int32_t space = 1; space < like->plan->n_spaces; space++)
        hc_exec_set_positions(&a->exec, space, like->of_space[space]);
}

HcStatus hc_applier_create(HcApplier *a, const HcExec *like, HcError *error) {
    const HcPlan *plan = like->plan;
    if (a->made) {
        set_further(a, like);
        return HC_OK;
    }
    hc_applier_destroy(a, plan);
    HcStatus status = hc_exec_create(&a->exec, plan, like->model, like->pool, error);
    if (status != HC_OK)
        return status;
    set_further(a, like);
    a->inputs = calloc(plan->n_inputs + 1, sizeof *a->inputs);
    a->dense = calloc(plan->n_inputs + 1, sizeof *a->dense);
    a->dense_bytes = calloc(plan->n_inputs + 1, sizeof *a->dense_bytes);
    a->parameters = calloc(plan->n_parameters + 1, sizeof *a->parameters);
    a->gradients = calloc(plan->n_parameters + 1, sizeof *a->gradients);
    a->outputs = calloc(hc_plan_given_count(plan) + 1, sizeof *a->outputs);
    a->input_steps = calloc(plan->n_inputs + 1, sizeof *a->input_steps);
    a->output_steps = calloc(hc_plan_given_count(plan) + 1, sizeof *a->output_steps);
    status = hc_outputs_create(&a->own, plan, error);
    if (status != HC_OK)
        return status;
    if (!a->outputs || !a->input_steps || !a->output_steps || !a->inputs || !a->dense ||
        !a->dense_bytes || !a->parameters || !a->gradients)
        return hc_fail_memory(error, "the model's plan");
    a->made = true;
    return HC_OK;
}

void hc_applier_destroy(HcApplier *a, const HcPlan *plan) {
    for (uint32_t k = 0; a->dense && k < plan->n_inputs; k++)
        free(a->dense[k]);
    free(a->dense);
    free(a->dense_bytes);
    free(a->inputs);
    free(a->parameters);
    free(a->gradients);
    free(a->outputs);
    free(a->input_steps);
    free(a->output_steps);
    hc_outputs_destroy(&a->own, plan);
    hc_exec_destroy(&a->exec);
    *a = (HcApplier){0};
}

size_t hc_applier_bytes(const HcApplier *a) {
    if (!a->made)
        return 0;
    const HcPlan *plan = a->exec.plan;
    size_t bytes = hc_outputs_bytes(&a->own, plan) + hc_exec_bytes(&a->exec);
    bytes += (plan->n_inputs + 1) * (sizeof *a->inputs + sizeof *a->dense + sizeof *a->dense_bytes +
                                     sizeof *a->input_steps);
    bytes += (plan->n_parameters + 1) * (sizeof *a->parameters + sizeof *a->gradients);
    bytes += (hc_plan_given_count(plan) + 1) * (sizeof *a->outputs + sizeof *a->output_steps);
    for (uint32_t k = 0; k < plan->n_inputs; k++)
        bytes += a->dense_bytes[k];
    return bytes;
}

HcStatus hc_applier_take_dense(HcApplier *a, uint32_t k, HcError *error) {
    const HcInputPlan *input = &a->exec.plan->inputs[k];
    const size_t bytes =
        hc_plan_input_bytes(input, hc_exec_all_samples(&a->exec), a->exec.positions);
    a->inputs[k] = a->dense[k];
    if (bytes <= a->dense_bytes[k])
        return HC_OK;
    void *grown = hc_aligned(bytes);
    if (!grown)
        return hc_fail_size(error, input->name, (double)bytes);
    free(a->dense[k]);
    a->inputs[k] = a->dense[k] = grown;
    a->dense_bytes[k] = bytes;
    return HC_OK;
}
