/* The life of a context: creation, inputs, running. Parameters are in params.c. */
#include "abi/tiles.h"
#include "runtime/run/context.h"
#include "runtime/run/cpus.h"
#include "runtime/run/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- creation ----------------------------------------------------------------------------------*/

static HcStatus check_cpu(const HcPlan *plan, HcError *error) {
    const json_t *cpu = json_object_get(plan->json, "cpu");
    size_t k;
    json_t *feature;
    json_array_foreach(json_object_get(cpu, "features"), k, feature) {
        const char *name = json_string_value(feature);
        if (name && !hc_cpu_has(name))
            return hc_fail(error, HC_ERROR_CPU,
                           "this model was compiled for a processor with %s (%s), which this "
                           "machine lacks: compile it again with --cpu=baseline",
                           name,
                           json_string_value(json_object_get(cpu, "name"))
                               ? json_string_value(json_object_get(cpu, "name"))
                               : "?");
        if (name && strcmp(name, "amx-tile") == 0 && !hc_tiles_ask())
            return hc_fail(error, HC_ERROR_CPU,
                           "this model was compiled for the processor's tile registers, which the "
                           "system does not give to this process: compile it again with "
                           "--cpu=znver4 or --cpu=x86-64-v4");
    }
    return HC_OK;
}

/* Memory for inputs that need more than they have; nothing is taken over yet. */
static HcStatus grow_inputs(HcContext *c, int64_t samples, int64_t positions, HcError *error) {
    for (uint32_t k = 0; k < c->plan.n_inputs; k++) {
        const HcInputPlan *input = &c->plan.inputs[k];
        size_t bytes = hc_plan_input_bytes(
            input, samples, hc_exec_positions_with(&c->exec, input->domain, positions));
        if (bytes > 0 && bytes <= c->input_bytes[k])
            continue;
        c->grown_inputs[k] = bytes > 0 ? hc_aligned_zero(bytes) : NULL;
        if (!c->grown_inputs[k])
            return hc_fail_memory(error, c->plan.inputs[k].name);
    }
    return HC_OK;
}

static void take_inputs(HcContext *c) {
    for (uint32_t k = 0; k < c->plan.n_inputs; k++) {
        if (!c->grown_inputs[k])
            continue;
        if (c->inputs[k] == c->own_inputs[k])
            c->inputs[k] = c->grown_inputs[k];
        free(c->own_inputs[k]);
        c->own_inputs[k] = c->grown_inputs[k];
        c->input_bytes[k] =
            (size_t)hc_input_elements(c, k) * (size_t)hc_element_bytes(c->plan.inputs[k].element);
        c->grown_inputs[k] = NULL;
    }
    for (uint32_t k = c->plan.n_given; k < c->plan.n_inputs; k++) /* gradients begin as zero */
        memset(c->own_inputs[k], 0, c->input_bytes[k]);
}

static void drop_grown(HcContext *c) {
    for (uint32_t k = 0; c->grown_inputs && k < c->plan.n_inputs; k++) {
        free(c->grown_inputs[k]);
        c->grown_inputs[k] = NULL;
    }
}

/* Nothing changes on failure, nor is more memory held then. */
static HcStatus resize(HcContext *c, int64_t samples, int64_t positions, HcError *error) {
    HcStatus status = hc_check_positions(&c->plan, positions, error);
    if (status != HC_OK)
        return status;
    if (samples >= 1 && positions >= 1) /* else hc_exec_bind says what is wrong */
        status = grow_inputs(c, samples, positions, error);
    if (status == HC_OK)
        status = hc_split_bind(c, samples, positions, error);
    if (status != HC_OK) {
        drop_grown(c);
        return status;
    }
    take_inputs(c);
    c->moved = true;
    c->ran = false;
    return HC_OK;
}

static HcStatus create(HcContext *c, const HcModel *model, const HcOptions *options,
                       HcError *error) {
    HcStatus status = hc_plan_read(model, &c->plan, error);
    if (status == HC_OK)
        status = check_cpu(&c->plan, error);
    if (status == HC_OK)
        status = hc_pool_create(options->threads, &c->pool, error);
    if (status == HC_OK)
        status = hc_exec_create(&c->exec, &c->plan, model, c->pool, error);
    if (status != HC_OK)
        return status;
    c->model = model;
    c->recipe = c->plan.recipe;
    c->training = true;
    c->loaded_step = -1;
    size_t slab = (size_t)c->plan.slab_bytes;
    c->params = c->own_params = hc_aligned_zero(slab);
    c->grads = c->own_grads = hc_aligned_zero(slab);
    c->own_inputs = calloc(c->plan.n_inputs + 1, sizeof(void *));
    c->inputs = calloc(c->plan.n_inputs + 1, sizeof(void *));
    c->input_bytes = calloc(c->plan.n_inputs + 1, sizeof(size_t));
    c->grown_inputs = calloc(c->plan.n_inputs + 1, sizeof(void *));
    if (!c->params || !c->grads)
        return hc_fail_size(error, "the parameters and their gradients", 2 * (double)slab);
    if (!c->own_inputs || !c->inputs || !c->input_bytes || !c->grown_inputs)
        return hc_fail_memory(error, "the inputs");
    status = hc_outputs_create(&c->outputs, &c->plan, error);
    if (status == HC_OK)
        status = hc_split_create(c, error);
    if (status != HC_OK)
        return status;
    int64_t positions = c->plan.max_positions ? c->plan.max_positions : 1;
    return resize(c, options->samples ? options->samples : c->recipe.batch,
                  options->positions ? options->positions : positions, error);
}

static HcStatus no_model(HcError *error) {
    return hc_fail(error, HC_ERROR_ARGUMENT, "the model is NULL");
}

HcStatus hc_create(const HcModel *model, const HcOptions *options, HcContext **context,
                   HcError *error) {
    static const HcOptions defaults = {0, 0, 0};
    if (error)
        *error = (HcError){0};
    if (!context)
        return hc_fail(error, HC_ERROR_ARGUMENT, "there is no place for the context: NULL");
    *context = NULL;
    if (!model)
        return no_model(error);
    HcContext *c = calloc(1, sizeof *c);
    if (!c)
        return hc_fail_memory(error, "a context");
    HcStatus status = create(c, model, options ? options : &defaults, error);
    if (status != HC_OK) {
        hc_destroy(c);
        return status;
    }
    *context = c;
    return HC_OK;
}

/* What is of another version is refused by whoever reads it. */
static bool has_sites(const HcModel *model) {
    return model->abi_version == HC_ABI_VERSION && model->sites;
}

HcStatus hc_create_site(const HcModel *model, int64_t site, const HcOptions *options,
                        HcContext **context, HcError *error) {
    int64_t count = 0;
    if (context)
        *context = NULL;
    if (!model)
        return no_model(error);
    hc_site_count(model, &count);
    if (site < 0 || site >= count)
        return hc_fail(error, HC_ERROR_ARGUMENT, "there is no site %lld: the model has %lld",
                       (long long)site, (long long)count);
    return hc_create(has_sites(model) ? model->sites[site] : model, options, context, error);
}

HcStatus hc_site_count(const HcModel *model, int64_t *count) {
    if (!model || !count)
        return HC_ERROR_ARGUMENT;
    *count = has_sites(model) ? (int64_t)model->site_count : 1;
    return HC_OK;
}

void hc_destroy(HcContext *c) {
    if (!c)
        return;
    for (uint32_t k = 0; c->own_inputs && k < c->plan.n_inputs; k++)
        free(c->own_inputs[k]);
    drop_grown(c);
    free(c->grown_inputs);
    free(c->own_inputs);
    free(c->inputs);
    free(c->input_bytes);
    free(c->own_params);
    free(c->own_grads);
    hc_ema_destroy(c);
    hc_split_destroy(c);
    hc_applier_destroy(&c->applier, &c->plan);
    hc_outputs_destroy(&c->outputs, &c->plan);
    hc_optim_destroy(&c->optim);
    hc_exec_destroy(&c->exec);
    hc_pool_destroy(c->pool);
    hc_plan_free(&c->plan);
    free(c);
}

HcStatus hc_null(HcContext *c, const char *what) {
    return hc_fail(c ? &c->error : NULL, HC_ERROR_ARGUMENT, "%s is NULL", c ? what : "the context");
}

const char *hc_last_error(const HcContext *c) {
    return c ? c->error.message : "the context is NULL";
}
HcStatus hc_resize(HcContext *c, int64_t samples, int64_t positions) {
    if (!c)
        return hc_null(c, "the context");
    return resize(c, samples, positions, &c->error);
}
int64_t hc_space_count(const HcContext *c) {
    return c ? c->plan.n_spaces : 0;
}

static HcStatus find_space(HcContext *c, int64_t index) {
    if (index >= 0 && index < c->plan.n_spaces)
        return HC_OK;
    return hc_fail(&c->error, HC_ERROR_ARGUMENT, "space %lld: the model `%s` has %d",
                   (long long)index, c->plan.model, (int)c->plan.n_spaces);
}

HcStatus hc_space(HcContext *c, int64_t index, HcSpace *space) {
    if (!c || !space)
        return hc_null(c, "the place for the space");
    if (find_space(c, index) != HC_OK)
        return c->error.status;
    const HcSpacePlan *plan = &c->plan.spaces[index];
    *space = (HcSpace){plan->name, c->exec.of_space[index], plan->maximum};
    return HC_OK;
}

HcStatus hc_resize_space(HcContext *c, int64_t index, int64_t positions) {
    if (!c)
        return hc_null(c, "the context");
    if (find_space(c, index) != HC_OK)
        return c->error.status;
    if (index == 0)
        return resize(c, c->split.samples, positions, &c->error);
    const HcSpacePlan *space = &c->plan.spaces[index];
    if (positions < 1 || positions > space->maximum)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT,
                       "%lld positions of `%s`: the model `%s` holds 1 to %lld",
                       (long long)positions, space->name, c->plan.model, (long long)space->maximum);
    const int64_t before = c->exec.of_space[index];
    hc_exec_set_positions(&c->exec, (int32_t)index, positions);
    const HcStatus status = resize(c, c->split.samples, c->exec.positions, &c->error);
    if (status != HC_OK) {
        hc_exec_set_positions(&c->exec, (int32_t)index, before);
        hc_exec_bind(&c->exec, c->exec.samples, c->exec.positions, NULL); /* its memory is there */
    }
    return status;
}

int64_t hc_samples(const HcContext *c) {
    return c ? c->split.samples : 0;
}
int64_t hc_positions(const HcContext *c) {
    return c ? c->exec.positions : 0;
}
int64_t hc_max_positions(const HcContext *c) {
    return c ? c->plan.max_positions : 0;
}
int32_t hc_threads(const HcContext *c) {
    return c ? hc_pool_threads(c->pool) : 0;
}
uint32_t hc_element_size(const HcContext *c) {
    return c ? c->plan.element_size : 0;
}

bool hc_uses_openblas(const HcContext *c) {
    return hc_plan_products(&c->plan).openblas > 0 || c->recipe.optimizer == HC_MUON;
}

const char *hc_precision(const HcContext *c) {
    return c ? hc_precision_word(c->plan.precision) : "";
}
const char *hc_model_name(const HcContext *c) {
    return c ? c->plan.model : "";
}

uint64_t hc_memory_bytes(const HcContext *c) {
    if (!c)
        return 0;
    uint64_t slab = (uint64_t)c->plan.slab_bytes;
    uint64_t bytes = 2 * slab + hc_exec_bytes(&c->exec);
    for (uint32_t k = 0; k < c->plan.n_inputs; k++)
        bytes += c->input_bytes[k];
    bytes +=
        hc_outputs_bytes(&c->outputs, &c->plan) + hc_split_bytes(c) + hc_applier_bytes(&c->applier);
    return bytes + hc_state_bytes(c);
}

uint64_t hc_state_bytes(const HcContext *c) {
    const uint64_t average = c->ema.own ? (uint64_t)c->optim.shards.own_bytes : 0;
    return average + (c->has_optim ? c->optim.bytes : 0);
}

/* --- inputs ------------------------------------------------------------------------------------*/

uint32_t hc_find_input(const HcContext *c, const char *name) {
    for (uint32_t k = 0; k < c->plan.n_inputs; k++) {
        if (strcmp(c->plan.inputs[k].name, name) == 0)
            return k;
    }
    return UINT32_MAX;
}

int64_t hc_input_elements(const HcContext *c, uint32_t k) {
    const HcInputPlan *input = &c->plan.inputs[k];
    return hc_plan_input_elements(input, c->split.samples,
                                  hc_exec_positions(&c->exec, input->domain));
}

void *hc_input_memory(HcContext *c, uint32_t k) {
    if (c->inputs[k] != c->own_inputs[k]) {
        c->inputs[k] = c->own_inputs[k];
        c->moved = true;
    }
    return c->own_inputs[k];
}

int64_t hc_input_count(const HcContext *c) {
    return c ? c->plan.n_given : 0;
}

HcStatus hc_input(HcContext *c, int64_t index, HcInput *input) {
    if (!c || !input)
        return hc_null(c, "the place for the input");
    if (index < 0 || index >= c->plan.n_given)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT, "input %lld: the model has %u",
                       (long long)index, (unsigned)c->plan.n_given);
    const HcInputPlan *plan = &c->plan.inputs[index];
    *input = (HcInput){.name = plan->name,
                       .is_integer = plan->integer,
                       .is_target = plan->target,
                       .limit = plan->limit,
                       .count = hc_input_elements(c, (uint32_t)index),
                       .by_sample = hc_is_by_sample(plan->domain),
                       .by_position = hc_is_by_position(plan->domain),
                       .space = hc_space_of(plan->domain),
                       .rank = plan->rank,
                       .element_size = (uint32_t)hc_element_bytes(plan->element),
                       .has_gradient = plan->has_gradient};
    for (uint32_t k = c->plan.n_given; k < c->plan.n_inputs; k++)
        if (c->plan.inputs[k].of_input == index)
            input->has_beside = 1;
    memcpy(input->dims, plan->dims, sizeof input->dims);
    return HC_OK;
}

static HcStatus find_input(HcContext *c, const char *name, uint32_t *k) {
    *k = hc_find_input(c, name);
    return *k != UINT32_MAX ? HC_OK
                            : hc_unknown_name(c, "input", name, c->plan.inputs, c->plan.n_inputs,
                                              sizeof *c->plan.inputs);
}

/* Compiled code looks tokens up without looking again. */
HcStatus hc_check_integers(HcContext *c, const HcInputPlan *input, const int32_t *values,
                           int64_t count) {
    for (int64_t i = 0; input->integer && input->limit > 0 && i < count; i++) {
        if (values[i] < 0 || values[i] >= input->limit)
            return hc_fail(&c->error, HC_ERROR_DATA,
                           "input `%s`, element %lld is %d: it must be from 0 to %lld", input->name,
                           (long long)i, (int)values[i], (long long)input->limit - 1);
    }
    return HC_OK;
}

/* What the caller's memory holds may be other than it was when it was bound. */
HcStatus hc_check_bound(HcContext *c) {
    HcStatus status = HC_OK;
    for (uint32_t k = 0; k < c->plan.n_inputs && status == HC_OK; k++)
        if (c->inputs[k] != c->own_inputs[k])
            status =
                hc_check_integers(c, &c->plan.inputs[k], c->inputs[k], hc_input_elements(c, k));
    return status;
}

HcStatus hc_set_input(HcContext *c, const char *name, const void *data, int64_t count) {
    if (!c || !name || !data)
        return hc_null(c, "the name or the data of an input");
    uint32_t k;
    if (find_input(c, name, &k) != HC_OK)
        return c->error.status;
    const HcInputPlan *input = &c->plan.inputs[k];
    int64_t expected = hc_input_elements(c, k);
    if (count != expected)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT, "input `%s` takes %lld elements, not %lld",
                       name, (long long)expected, (long long)count);
    HcStatus status = hc_check_integers(c, input, data, count);
    if (status != HC_OK)
        return status;
    memcpy(hc_input_memory(c, k), data, (size_t)count * (size_t)hc_element_bytes(input->element));
    return HC_OK;
}

HcStatus hc_bind_input(HcContext *c, const char *name, const void *data) {
    if (!c || !name)
        return hc_null(c, "the name of an input");
    uint32_t k;
    if (find_input(c, name, &k) != HC_OK)
        return c->error.status;
    if ((uintptr_t)data % 64 != 0)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT,
                       "input `%s`: bound memory must be 64-byte aligned", name);
    /* kernels only read inputs */
    c->inputs[k] = data ? (void *)(uintptr_t)data : c->own_inputs[k];
    c->moved = true;
    return HC_OK;
}

/* --- running -----------------------------------------------------------------------------------*/

void hc_set_training(HcContext *c, int training) {
    if (c)
        c->training = training != 0;
}

int hc_training(const HcContext *c) {
    return c ? c->training : 0;
}

void hc_begin_pass(HcContext *c) {
    if (c->moved) {
        hc_split_resolve(c);
        c->moved = false;
    }
    if (!c->unchanged)
        hc_exec_forget(&c->exec);
    c->unchanged = false;
    hc_split_tell(c, 0);
}

void hc_parameters_unchanged(HcContext *c) {
    if (c)
        c->unchanged = c->exec.keeps = true;
}

void hc_parameters_ours(HcContext *c) {
    if (c->plan.products_keep && !c->ranks) /* several write each its share */
        hc_parameters_unchanged(c);
}

static HcStatus run_pass(HcContext *c, HcPass pass) {
    HcStatus status = hc_check_bound(c);
    if (status != HC_OK)
        return status;
    for (uint32_t k = 0; k < hc_plan_given_count(&c->plan) && status == HC_OK; k++)
        status = hc_outputs_grow(&c->outputs, &c->exec, k, &c->moved, &c->error);
    if (status != HC_OK)
        return status;
    hc_begin_pass(c);
    status = hc_split_run(c, pass);
    if (status != HC_OK)
        return status;
    c->extended = 0;
    c->ran = true;
    c->went_back = pass == HC_BOTH;
    return HC_OK;
}

HcStatus hc_forward(HcContext *c) {
    if (!c)
        return hc_null(c, "the context");
    return run_pass(c, HC_FORWARD);
}

HcStatus hc_forward_backward(HcContext *c) {
    if (!c)
        return hc_null(c, "the context");
    hc_use_ema(c, 0);
    return run_pass(c, HC_BOTH);
}

static HcStatus needs_forward(HcContext *c, const char *what) {
    return c->ran && !c->moved
               ? HC_OK
               : hc_fail(&c->error, HC_ERROR_ARGUMENT,
                         "%s needs hc_forward first, with the same extents and memory", what);
}

HcStatus hc_backward(HcContext *c) {
    if (!c)
        return hc_null(c, "the context");
    if (hc_uses_ema(c)) /* what a step would give to the parameters */
        return hc_fail(&c->error, HC_ERROR_ARGUMENT,
                       "gradients are of the parameters themselves: hc_use_ema with 0 first");
    HcStatus status = needs_forward(c, "hc_backward");
    if (status == HC_OK)
        status = hc_check_bound(c);
    if (status == HC_OK)
        status = hc_split_run(c, HC_BACKWARD);
    c->went_back = c->went_back || status == HC_OK;
    return status;
}

HcStatus hc_zero_grad(HcContext *c) {
    if (!c)
        return hc_null(c, "the context");
    memset(c->grads, 0, (size_t)c->plan.slab_bytes);
    return HC_OK;
}

HcStatus hc_loss(HcContext *c, double *loss) {
    if (!c || !loss)
        return hc_null(c, "the place for the loss");
    if (!hc_has_output(c, "loss"))
        return hc_fail(&c->error, HC_ERROR_ARGUMENT, "the model `%s` has no loss", c->plan.model);
    HcView view;
    HcStatus status = hc_output(c, "loss", &view);
    if (status == HC_OK)
        *loss = hc_real_at(view.data, c->plan.element_size, 0);
    return status;
}

static void leading_dims(const HcContext *c, HcBuffer buffer, HcView *view) {
    HcRegion region = buffer.region;
    const HcDomain domain = region == HC_REGION_INPUT ? c->plan.inputs[buffer.index].domain
                            : region == HC_REGION_OUTPUT
                                ? hc_plan_given(&c->plan, buffer.index).domain
                                : hc_region_domain(region);
    if (hc_is_by_sample(domain))
        view->dims[view->rank++] = c->split.samples;
    if (hc_is_by_position(domain))
        view->dims[view->rank++] = hc_exec_positions(&c->exec, domain);
}

/* Only a chunk of some value is ever in memory: from now on all of it, beginning with this pass. */
HcStatus hc_make_whole(HcContext *c) {
    HcStatus status = hc_exec_keep_whole(&c->exec, &c->error);
    if (status != HC_OK)
        return status; /* nothing has changed */
    c->moved = true;
    return hc_forward(c);
}

HcStatus hc_view_at(HcContext *c, HcBuffer buffer, int32_t rank, const int64_t *dims,
                    HcView *view) {
    *view = (HcView){.data = hc_context_address(c, buffer),
                     .count = 1,
                     .element_size = (uint32_t)hc_element_bytes(buffer.element)};
    leading_dims(c, buffer, view);
    if (rank < 0 || rank + view->rank > HC_MAX_RANK)
        return hc_fail(&c->error, HC_ERROR_MODEL, "a value has no known shape");
    if (buffer.region == HC_REGION_PARAMS && hc_await_weights(c) != HC_OK)
        return c->error.status;
    for (int32_t d = 0; d < rank; d++)
        view->dims[view->rank++] = dims[d];
    for (int32_t d = 0; d < view->rank; d++)
        view->count *= view->dims[d];
    return HC_OK;
}

HcStatus hc_output_at(HcContext *c, uint32_t index, HcView *view) {
    const HcOutput *output = &c->plan.outputs[index];
    if (output->buffer.region == HC_REGION_CHUNK && !c->exec.whole) {
        HcStatus status = hc_make_whole(c);
        if (status != HC_OK)
            return status;
    }
    HcStatus status = hc_view_at(c, output->buffer, output->rank, output->dims, view);
    if (status != HC_OK)
        return hc_fail(&c->error, status, "output `%s` has no known shape", output->name);
    return hc_split_output(c, index, &view->data);
}

bool hc_has_output(const HcContext *c, const char *name) {
    return hc_plan_output(&c->plan, name) != NULL;
}

HcStatus hc_output(HcContext *c, const char *name, HcView *view) {
    if (!c || !name || !view)
        return hc_null(c, "the name or the view of an output");
    HcStatus status = needs_forward(c, "hc_output");
    if (status != HC_OK)
        return status;
    const HcOutput *output = hc_plan_output(&c->plan, name);
    if (output)
        return hc_output_at(c, (uint32_t)(output - c->plan.outputs), view);
    return hc_unknown_name(c, "output", name, c->plan.outputs, c->plan.n_outputs,
                           sizeof *c->plan.outputs);
}
