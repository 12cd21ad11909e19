/* Parameters of a context: views, initial values, the optimiser's step. */
#include "runtime/run/behind.h"
#include "runtime/run/context.h"
#include "runtime/run/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t hc_parameter_count(const HcContext *c) {
    return c ? c->plan.n_parameters : 0;
}
int64_t hc_slab_elements(const HcContext *c) {
    return c ? c->plan.slab_bytes / c->plan.element_size : 0;
}
void *hc_parameters(HcContext *c) {
    return c && hc_await_weights(c) == HC_OK ? c->params : NULL;
}
void *hc_gradients(HcContext *c) {
    return c ? c->grads : NULL;
}

HcStatus hc_parameter(HcContext *c, int64_t index, HcParameter *to) {
    if (!c || !to)
        return hc_null(c, "the place for the parameter");
    if (index < 0 || index >= c->plan.n_parameters)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT, "parameter %lld: the model has %u",
                       (long long)index, (unsigned)c->plan.n_parameters);
    if (hc_await_weights(c) != HC_OK)
        return c->error.status;
    const HcParameterPlan *p = &c->plan.parameters[index];
    *to = (HcParameter){.name = p->name,
                        .group = p->group,
                        .data = (uint8_t *)c->params + p->offset,
                        .gradient = (uint8_t *)c->grads + p->offset,
                        .count = p->count,
                        .rank = p->rank,
                        .frozen = p->buffer ? 2 : p->frozen};
    memcpy(to->dims, p->dims, sizeof to->dims);
    return HC_OK;
}

HcStatus hc_parameter_named(HcContext *c, const char *name, HcParameter *to) {
    if (!c || !name || !to)
        return hc_null(c, "the name of the parameter or the place for it");
    for (uint32_t k = 0; k < c->plan.n_parameters; k++) {
        if (strcmp(c->plan.parameters[k].name, name) == 0)
            return hc_parameter(c, k, to);
    }
    return hc_unknown_name(c, "parameter", name, c->plan.parameters, c->plan.n_parameters,
                           sizeof *c->plan.parameters);
}

HcStatus hc_bind_parameters(HcContext *c, void *params, void *grads) {
    if (!c)
        return hc_null(c, "the context");
    hc_use_ema(c, 0);
    if ((uintptr_t)params % 64 != 0 || (uintptr_t)grads % 64 != 0)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT,
                       "bound parameters and gradients must be 64-byte aligned");
    if (hc_settle_weights(c) != HC_OK)
        return c->error.status;
    c->params = params ? params : c->own_params;
    c->grads = grads ? grads : c->own_grads;
    c->loaded_step = -1;
    c->moved = true;
    hc_exec_forget(&c->exec);
    return HC_OK;
}

static bool same_parameters(const HcPlan *a, const HcPlan *b) {
    bool same = a->n_parameters == b->n_parameters && a->slab_bytes == b->slab_bytes;
    for (uint32_t k = 0; same && k < a->n_parameters; k++)
        same = a->parameters[k].offset == b->parameters[k].offset &&
               strcmp(a->parameters[k].name, b->parameters[k].name) == 0;
    return same;
}

bool hc_share_parameters(HcContext *c, const HcContext *of) {
    if (!same_parameters(&c->plan, &of->plan))
        return false;
    free(c->own_params);
    free(c->own_grads);
    c->own_params = c->own_grads = NULL;
    c->params = of->params;
    c->grads = of->grads;
    c->steps_done = of->steps_done;
    c->recipe.steps = of->recipe.steps;
    c->moved = true;
    hc_exec_forget(&c->exec);
    return true;
}

/* --- initial values ----------------------------------------------------------------------------*/

enum { INIT_CHUNK = 1 << 16 };

typedef struct {
    HcContext *context;
    const HcParameterPlan *parameter;
    uint64_t seed, stream;
} InitJob;

static void init_task(void *argument, int64_t task, int32_t worker) {
    (void)worker;
    const InitJob *job = argument;
    const HcParameterPlan *p = job->parameter;
    uint32_t size = job->context->plan.element_size;
    int64_t first = task * INIT_CHUNK;
    int64_t count = p->count - first < INIT_CHUNK ? p->count - first : INIT_CHUNK;
    uint8_t *to = (uint8_t *)job->context->params + p->offset + first * size;
    if (p->init == HC_INIT_NORMAL) {
        hc_rng_normal(job->seed, job->stream, (uint64_t)first, count, p->a, p->b, size, to);
        return;
    }
    if (p->init == HC_INIT_UNIFORM) {
        hc_rng_uniform(job->seed, job->stream, (uint64_t)first, count, p->a, p->b, size, to);
        return;
    }
    for (int64_t k = 0; k < count; k++) {
        double value = p->init == HC_INIT_FILL
                           ? p->a
                           : json_number_value(json_array_get(p->data, (size_t)(first + k)));
        if (size == 4)
            ((float *)(void *)to)[k] = (float)value;
        else
            ((double *)(void *)to)[k] = value;
    }
}

HcStatus hc_init(HcContext *c, uint64_t seed) {
    if (!c)
        return hc_null(c, "the context");
    HcStatus status;
    hc_use_ema(c, 0);
    hc_drop_optim(c);
    for (uint32_t k = 0; k < c->plan.n_parameters; k++) {
        const HcParameterPlan *p = &c->plan.parameters[k];
        InitJob job = {c, p, seed, hc_rng_stream(p->name)};
        hc_pool_run(c->pool, (p->count + INIT_CHUNK - 1) / INIT_CHUNK, init_task, &job);
    }
    hc_exec_forget(&c->exec);
    c->steps_done = 0;
    c->loaded_step = -1;
    c->seed = seed;
    status = hc_project(c);
    return status == HC_OK ? hc_zero_grad(c) : status;
}

/* --- optimiser ---------------------------------------------------------------------------------*/

HcStatus hc_ensure_optim(HcContext *c) {
    if (c->has_optim)
        return HC_OK;
    HcStatus status =
        hc_optim_create(&c->optim, &c->plan, &c->recipe, &c->exec.blas, c->ranks, &c->error);
    if (status == HC_OK)
        status = hc_ema_create(c, &c->error);
    if (status != HC_OK)
        hc_optim_destroy(&c->optim);
    c->has_optim = status == HC_OK;
    c->exec.way_back = c->has_optim && c->ranks ? &c->optim.way_back : NULL;
    return status;
}

void hc_drop_optim(HcContext *c) {
    hc_optim_destroy(&c->optim);
    c->exec.way_back = NULL;
    c->has_optim = false;
}

/* --- buffers -----------------------------------------------------------------------------------*/

static const void *update_value(const HcContext *c, const HcUpdate *update) {
    return hc_context_address(c, update->from);
}

static HcStatus check_updates(HcContext *c) {
    for (uint32_t k = 0; c->ran && k < c->plan.n_updates; k++) {
        const HcUpdate *update = &c->plan.updates[k];
        const HcParameterPlan *p = &c->plan.parameters[update->parameter];
        if (!hc_all_finite(update_value(c, update), p->count, c->plan.element_size))
            return hc_fail(&c->error, HC_ERROR_DIVERGED,
                           "step %lld: the next value of the buffer %s is not finite",
                           (long long)c->steps_done + 1, p->name);
    }
    return HC_OK;
}

/* The values lie apart from the buffers, so that they change all at once. */
static void take_values(HcContext *c, const HcUpdate *updates, uint32_t count) {
    for (uint32_t k = 0; k < count; k++) {
        const HcParameterPlan *p = &c->plan.parameters[updates[k].parameter];
        memcpy((uint8_t *)c->params + p->offset, update_value(c, &updates[k]),
               (size_t)(p->count * hc_element_bytes(p->element)));
    }
}

/* --- constraints -------------------------------------------------------------------------------*/

HcStatus hc_project(HcContext *c) {
    if (!c)
        return hc_null(c, "the context");
    if (c->plan.n_projects == 0)
        return HC_OK;
    hc_use_ema(c, 0);
    if (hc_settle_weights(c) != HC_OK)
        return c->error.status;
    c->ran = c->ran && !c->moved; /* what it made is not looked up at other addresses */
    hc_begin_pass(c);
    for (uint32_t k = 0; k < c->plan.n_keeping; k++)
        hc_exec_run_call(&c->exec, c->plan.keeping[k]);
    for (uint32_t k = 0; k < c->plan.n_projects; k++) {
        const HcParameterPlan *p = &c->plan.parameters[c->plan.projects[k].parameter];
        if (!hc_all_finite(update_value(c, &c->plan.projects[k]), p->count, c->plan.element_size))
            return hc_fail(&c->error, HC_ERROR_DIVERGED,
                           "after step %lld: what %s is held to is not finite",
                           (long long)c->steps_done, p->name);
    }
    take_values(c, c->plan.projects, c->plan.n_projects);
    hc_exec_forget(&c->exec);
    c->loaded_step = -1;
    return HC_OK;
}

/* --- ranks -------------------------------------------------------------------------------------*/

void hc_keep_a_share(HcContext *c, HcRanks *ranks) {
    c->ranks = ranks;
    c->split.parts.only_forward = ranks != NULL;
}

HcStatus hc_gather_gradients(HcContext *c) {
    return hc_shards_hand_out(&c->optim.shards, c->grads, &c->error);
}

/* --- steps -------------------------------------------------------------------------------------*/

/* Every rank says the same: its gradients are gathered, as the run ends here. */
static HcStatus name_gradient(HcContext *c) {
    HcStatus status = hc_gather_gradients(c);
    if (status != HC_OK)
        return status;
    const char *name = hc_first_not_finite(c, c->grads);
    return hc_fail(&c->error, HC_ERROR_DIVERGED, "step %lld: the gradient of %s is not finite",
                   (long long)c->steps_done + 1, name ? name : "the loss (its norm overflows)");
}

HcStatus hc_step(HcContext *c, double lr) {
    if (!c)
        return hc_null(c, "the context");
    if (!(isfinite(lr) && (lr < 0 || hc_recipe_takes_lr(lr))))
        return hc_fail(&c->error, HC_ERROR_ARGUMENT, "a step's learning rate cannot be %g", lr);
    hc_use_ema(c, 0);
    HcStatus status = hc_ensure_optim(c);
    if (status == HC_OK)
        status = hc_settle_weights(c);
    if (status != HC_OK)
        return status;
    double norm, scale = 1;
    status = hc_optim_norm(&c->optim, c->pool, c->grads, &norm, &c->error);
    if (status != HC_OK)
        return status;
    c->gradient_norm = norm;
    status = isfinite(norm) ? check_updates(c) : name_gradient(c);
    if (status != HC_OK)
        return status;
    if (c->recipe.clip > 0) {
        scale = c->recipe.clip / (norm + 1e-6);
        scale = scale < 1 ? scale : 1;
    }
    if (lr < 0)
        lr = hc_recipe_lr(&c->recipe, c->steps_done);
    HcBehind behind = hc_behind_begin(&c->exec, &c->optim, &c->recipe, c->params);
    c->optim.behind = behind.chunks ? &behind : NULL;
    hc_optim_step(&c->optim, c->pool, &c->recipe, c->steps_done, lr, scale, c->params, c->grads);
    c->optim.behind = NULL;
    status = hc_way_back_status(&c->optim.way_back, &c->error);
    if (status == HC_OK && c->ran)
        take_values(c, c->plan.updates, c->plan.n_updates);
    hc_behind_end(&behind);
    if (status != HC_OK)
        return status;
    c->steps_done++;
    c->loaded_step = -1;
    status = hc_project(c);
    if (status == HC_OK)
        hc_ema_step(c);
    return status;
}

HcStatus hc_set_steps_done(HcContext *c, int64_t steps) {
    if (!c)
        return hc_null(c, "the context");
    if (steps < 0)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT, "%lld steps cannot have been done",
                       (long long)steps);
    c->steps_done = steps;
    c->loaded_step = -1;
    return HC_OK;
}

int64_t hc_steps_done(const HcContext *c) {
    return c ? c->steps_done : 0;
}
double hc_gradient_norm(const HcContext *c) {
    return c ? c->gradient_norm : 0;
}
double hc_schedule_lr(const HcContext *c, int64_t step) {
    return c ? hc_recipe_lr(&c->recipe, step) : 0;
}

HcStatus hc_set_recipe(HcContext *c, const char *key, const char *value) {
    if (!c || !key || !value)
        return hc_null(c, "the key or the value");
    if (c->has_optim && strcmp(strncmp(key, "train.", 6) == 0 ? key + 6 : key, "ema") == 0)
        return hc_fail(&c->error, HC_ERROR_ARGUMENT,
                       "train.ema is chosen before the first step, and stays");
    return hc_recipe_set(&c->recipe, key, value, &c->error);
}
