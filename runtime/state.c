/* A context's tensors as files: parameters (named as in the model, so that other programs find
 * them), and the optimiser's state beside them. */
#include "runtime/checkpoint.h"
#include "runtime/context.h"

#define XXH_INLINE_ALL
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static void set_number(json_t *object, const char *key, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    json_object_set_new(object, key, json_string(text));
}

/* Identifies what must not differ between runs that continue each other: the model, not its
 * recipe's present values. */
static uint64_t model_hash(const HcContext *c) {
    return XXH3_64bits(c->model->manifest, c->model->manifest_length);
}

static json_t *metadata(const HcContext *c) {
    json_t *object = json_object();
    json_object_set_new(object, "hcc.model", json_string(c->plan.model));
    set_number(object, "hcc.step", (uint64_t)c->steps_done);
    set_number(object, "hcc.seed", c->seed);
    set_number(object, "hcc.config_hash", model_hash(c));
    set_number(object, "hcc.data_hash", c->data_hash);
    json_object_set_new(object, "hcc.blas_core", json_string(openblas_get_corename()));
    return object;
}

static HcTensor tensor_of(const HcContext *c, const HcParameterPlan *p, void *slab) {
    uint32_t size = c->plan.element_size;
    return (HcTensor){p->name, (uint8_t *)slab + p->offset * size, size, p->rank, p->dims,
                      p->count};
}

static HcStatus parameter_tensors(HcContext *c, HcTensor **tensors) {
    *tensors = calloc(c->plan.n_parameters + 1, sizeof **tensors);
    if (!*tensors)
        return hc_fail_memory(&c->error, "the checkpoint");
    for (uint32_t k = 0; k < c->plan.n_parameters; k++)
        (*tensors)[k] = tensor_of(c, &c->plan.parameters[k], c->params);
    return HC_OK;
}

HcStatus hc_save(HcContext *c, const char *path) {
    HcTensor *tensors;
    HcStatus status = parameter_tensors(c, &tensors);
    if (status != HC_OK)
        return status;
    json_t *meta = metadata(c);
    status = hc_tensors_write(path, tensors, c->plan.n_parameters, meta, &c->error);
    json_decref(meta);
    free(tensors);
    return status;
}

HcStatus hc_load(HcContext *c, const char *path) {
    HcTensor *tensors;
    HcStatus status = parameter_tensors(c, &tensors);
    if (status == HC_OK)
        status = hc_tensors_read(path, tensors, c->plan.n_parameters, NULL, &c->error);
    free(tensors);
    return status;
}

/* Moments as tensors named "exp_avg.NAME" and "exp_avg_sq.NAME", or "momentum.NAME". */
typedef struct {
    HcTensor *tensors;
    char **names;
    int64_t count;
} StateTensors;

static void state_free(StateTensors *s) {
    for (int64_t k = 0; s->names && k < s->count; k++)
        free(s->names[k]);
    free(s->names);
    free(s->tensors);
}

static HcStatus state_tensors(HcContext *c, StateTensors *s) {
    *s = (StateTensors){0};
    HcStatus status = hc_ensure_optim(c);
    if (status != HC_OK)
        return status;
    size_t n = c->plan.n_parameters;
    s->tensors = calloc(2 * n + 1, sizeof *s->tensors);
    s->names = calloc(2 * n + 1, sizeof *s->names);
    if (!s->tensors || !s->names)
        return hc_fail_memory(&c->error, "the optimiser's checkpoint");
    bool adamw = c->recipe.optimizer == HC_ADAMW;
    for (int moment = 0; moment < (adamw ? 2 : 1); moment++) {
        for (size_t k = 0; k < n; k++) {
            const HcParameterPlan *p = &c->plan.parameters[k];
            const char *prefix = !adamw ? "momentum" : moment ? "exp_avg_sq" : "exp_avg";
            size_t size = strlen(prefix) + strlen(p->name) + 2;
            char *name = malloc(size);
            if (!name)
                return hc_fail_memory(&c->error, "the optimiser's checkpoint");
            snprintf(name, size, "%s.%s", prefix, p->name);
            s->tensors[s->count] = tensor_of(c, p, moment ? c->optim.second : c->optim.first);
            s->tensors[s->count].name = s->names[s->count] = name;
            s->count++;
        }
    }
    return HC_OK;
}

HcStatus hc_save_state(HcContext *c, const char *path) {
    StateTensors s;
    HcStatus status = state_tensors(c, &s);
    if (status == HC_OK) {
        json_t *meta = metadata(c);
        status = hc_tensors_write(path, s.tensors, s.count, meta, &c->error);
        json_decref(meta);
    }
    state_free(&s);
    return status;
}

static bool number(const json_t *meta, const char *key, uint64_t *to) {
    const char *text = json_string_value(json_object_get(meta, key));
    if (!text || strspn(text, "0123456789") != strlen(text) || !text[0] || strlen(text) > 20)
        return false;
    *to = strtoull(text, NULL, 10);
    return true;
}

HcStatus hc_load_state(HcContext *c, const char *path) {
    StateTensors s;
    json_t *meta = NULL;
    uint64_t step, seed;
    HcStatus status = state_tensors(c, &s);
    if (status == HC_OK)
        status = hc_tensors_read(path, s.tensors, s.count, &meta, &c->error);
    if (status == HC_OK) {
        if (number(meta, "hcc.step", &step) && number(meta, "hcc.seed", &seed)) {
            c->steps_done = (int64_t)step;
            c->seed = seed;
        } else {
            status = hc_fail(&c->error, HC_ERROR_CHECKPOINT,
                             "checkpoint `%s` does not say after which step it was made", path);
        }
    }
    json_decref(meta);
    state_free(&s);
    return status;
}
