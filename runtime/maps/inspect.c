/* A model with its values and its data, and the numbers of its tensors; see inspect.h. */
#include "runtime/maps/inspect.h"
#include "runtime/files/json.h"
#include "runtime/run/plan.h"
#include "runtime/trained/evaluate.h"
#include "runtime/trained/trained.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct HcInspect {
    HcContext *context;
    HcData data;
    json_t *config;
    bool has_data;
    int64_t batches;
};

/* --- opening -----------------------------------------------------------------------------------*/

/* As a checkpoint has it, or as it begins. */
static HcStatus open_context(const HcModel *model, const HcInspectOptions *o, HcContext **c,
                             HcError *error) {
    if (o->eval.checkpoint)
        return hc_open_trained(model, o->eval.checkpoint, o->eval.threads, 0, c, error);
    HcStatus status = hc_create(model, &(HcOptions){.threads = o->eval.threads}, c, error);
    if (status == HC_OK)
        hc_set_training(*c, 0);
    return status == HC_OK ? hc_init(*c, o->seed) : status;
}

static HcStatus open_data(HcInspect *i, const HcInspectOptions *o, HcError *error) {
    const HcEvalOptions *e = &o->eval;
    HcStatus status = e->checkpoint ? hc_eval_config(e, &i->config, error) : HC_OK;
    const json_t *about = json_object_get(i->config, "data");
    i->has_data = e->n_data || about;
    if (status != HC_OK || !i->has_data)
        return status;
    const HcDataRequest request = {.given = e->data,
                                   .n_given = e->n_data,
                                   .run = about ? about : i->config,
                                   .trains = !e->checkpoint,
                                   .folder = o->data_folder,
                                   .as_bytes = e->data_is_bytes,
                                   .may_differ = e->changed_data,
                                   .notes = e->notes};
    const int64_t positions = hc_positions(i->context);
    status = hc_data_open(&i->data, &i->context->plan, &request, positions, error);
    return status == HC_OK
               ? hc_data_check(&i->data, &i->context->plan, positions,
                               hc_inspect_of_held_out(i) ? HC_HELD_OUT_PART : HC_TRAIN_PART, error)
               : status;
}

HcStatus hc_inspect_open(const HcModel *model, const HcInspectOptions *o, HcInspect **inspect,
                         HcError *error) {
    HcInspect *i = *inspect = calloc(1, sizeof **inspect);
    if (!i)
        return hc_fail_memory(error, "a look into a model");
    i->batches = o->batches ? o->batches : 8;
    HcStatus status = open_context(model, o, &i->context, error);
    if (status == HC_OK)
        status = open_data(i, o, error);
    if (status == HC_OK)
        return HC_OK;
    hc_inspect_close(i);
    *inspect = NULL;
    return status;
}

void hc_inspect_close(HcInspect *i) {
    if (!i)
        return;
    hc_data_free(&i->data);
    json_decref(i->config);
    hc_destroy(i->context);
    free(i);
}

HcContext *hc_inspect_context(HcInspect *i) {
    return i->context;
}
bool hc_inspect_has_data(const HcInspect *i) {
    return i->has_data;
}
bool hc_inspect_of_held_out(const HcInspect *i) {
    return i->data.train_count < i->data.count;
}

HcStatus hc_inspect_batch(HcInspect *i, int64_t k, int64_t *samples) {
    HcContext *c = i->context;
    HcStatus status = HC_OK;
    *samples = 0;
    if (k >= i->batches)
        return HC_OK;
    if (hc_inspect_of_held_out(i)) {
        const HcEvaluationSize size = {.batch = c->recipe.batch, .batches = i->batches};
        status = hc_data_held_out(&i->data, c, &size, k, samples);
    } else {
        status = hc_data_batch(&i->data, c, c->recipe.seed, k);
        *samples = hc_samples(c);
    }
    return status == HC_OK && *samples > 0 ? hc_forward(c) : status;
}

/* --- numbers -----------------------------------------------------------------------------------*/

/* Adds numbers to those that were: `mean` and, in `deviation`, the sum of squared distances from
 * it; in `norm` the sum of squares, in `zeros` how many. */
static void add_numbers(HcTensorNumbers *n, const void *data, int64_t count, uint32_t size) {
    for (int64_t k = 0; k < count; k++) {
        const double x = hc_real_at(data, size, k);
        n->count++;
        if (!isfinite(x)) {
            n->not_finite++;
            continue;
        }
        const double off = x - n->mean;
        n->mean += off / (double)(n->count - n->not_finite);
        n->deviation += off * (x - n->mean);
        n->norm += x * x;
        n->zeros += x == 0;
        n->least = fmin(n->least, x);
        n->greatest = fmax(n->greatest, x);
    }
}

static void finish_numbers(HcTensorNumbers *n) {
    const double finite = (double)(n->count - n->not_finite);
    if (finite == 0)
        n->mean = n->least = n->greatest = NAN;
    n->deviation = sqrt(n->deviation / finite);
    n->norm = sqrt(n->norm);
    n->zeros /= finite;
}

static HcTensorNumbers no_numbers(const char *name, const char *group, int32_t rank,
                                  const int64_t *dims) {
    HcTensorNumbers n = {
        .name = name, .group = group, .rank = rank, .least = INFINITY, .greatest = -INFINITY};
    for (int32_t k = 0; k < rank; k++)
        n.dims[k] = dims[k];
    return n;
}

static HcStatus look_at_parameters(HcContext *c, HcInspection *found) {
    HcStatus status = HC_OK;
    for (int64_t k = 0; k < hc_parameter_count(c) && status == HC_OK; k++) {
        HcParameter p;
        status = hc_parameter(c, k, &p);
        HcTensorNumbers *n = &found->parameters[found->n_parameters++];
        *n = no_numbers(p.name, p.group, p.rank, p.dims);
        add_numbers(n, p.data, p.count, c->plan.element_size);
        finish_numbers(n);
    }
    return status;
}

/* The outputs behind the metrics, but for those that weigh means. */
static bool is_probe(const HcContext *c, uint32_t k) {
    const HcOutput *o = &c->plan.outputs[k];
    return k >= c->plan.first_metric + c->plan.n_metrics && o->rank >= 0 &&
           o->buffer.element == hc_plan_real(&c->plan) && strcmp(o->name, "loss_weight") != 0 &&
           strcmp(o->name, "loss_without_penalties") != 0 &&
           strncmp(o->name, "metric_weight.", 14) != 0;
}

static HcStatus add_probes(HcContext *c, HcInspection *found) {
    HcStatus status = HC_OK;
    HcTensorNumbers *n = found->probes;
    for (uint32_t k = 0; k < c->plan.n_outputs && status == HC_OK; k++) {
        HcView view;
        if (!is_probe(c, k))
            continue;
        status = hc_output_at(c, k, &view);
        if (status == HC_OK)
            add_numbers(n++, view.data, view.count, c->plan.element_size);
    }
    return status;
}

static HcStatus look_at_probes(HcInspect *i, HcInspection *found) {
    HcContext *c = i->context;
    int64_t samples = 1;
    HcStatus status = HC_OK;
    for (uint32_t k = 0; k < c->plan.n_outputs; k++) {
        const HcOutput *o = &c->plan.outputs[k];
        if (is_probe(c, k))
            found->probes[found->n_probes++] = no_numbers(o->name, NULL, o->rank, o->dims);
    }
    for (int64_t b = 0; samples > 0 && found->n_probes && status == HC_OK; b++) {
        status = hc_inspect_batch(i, b, &samples);
        if (status == HC_OK && samples > 0)
            status = add_probes(c, found);
        found->samples += samples;
    }
    for (int32_t k = 0; k < found->n_probes; k++)
        finish_numbers(&found->probes[k]);
    return status;
}

HcStatus hc_inspect(const HcModel *model, const HcInspectOptions *o, HcInspection *found,
                    HcError *error) {
    *found = (HcInspection){0};
    HcStatus status = hc_inspect_open(model, o, &found->of, error);
    if (status != HC_OK)
        return status;
    HcContext *c = found->of->context;
    found->of_held_out = hc_inspect_of_held_out(found->of);
    found->parameters = calloc((size_t)hc_parameter_count(c) + 1, sizeof *found->parameters);
    found->probes = calloc(c->plan.n_outputs + 1, sizeof *found->probes);
    status = found->parameters && found->probes ? look_at_parameters(c, found)
                                                : hc_fail_memory(&c->error, "the tensors' numbers");
    if (status == HC_OK && found->of->has_data)
        status = look_at_probes(found->of, found);
    if (status != HC_OK) {
        if (error)
            *error = c->error;
        hc_inspection_free(found);
    }
    return status;
}

void hc_inspection_free(HcInspection *found) {
    free(found->parameters);
    free(found->probes);
    hc_inspect_close(found->of);
    *found = (HcInspection){0};
}

/* --- as JSON -----------------------------------------------------------------------------------*/

static json_t *numbers_json(const HcTensorNumbers *n) {
    json_t *json = json_object(), *dims = json_array();
    for (int32_t k = 0; k < n->rank; k++)
        hc_json_append(&dims, json_integer(n->dims[k]));
    hc_json_set(&json, "name", hc_json_text(n->name));
    if (n->group)
        hc_json_set(&json, "group", hc_json_text(n->group));
    hc_json_set(&json, "dims", dims);
    hc_json_set(&json, "mean", hc_json_number(n->mean));
    hc_json_set(&json, "deviation", hc_json_number(n->deviation));
    hc_json_set(&json, "norm", hc_json_number(n->norm));
    hc_json_set(&json, "least", hc_json_number(n->least));
    hc_json_set(&json, "greatest", hc_json_number(n->greatest));
    hc_json_set(&json, "zeros", hc_json_number(n->zeros));
    if (n->not_finite)
        hc_json_set(&json, "not_finite", json_integer(n->not_finite));
    return json;
}

static json_t *list_json(const HcTensorNumbers *of, int32_t n) {
    json_t *list = json_array();
    for (int32_t k = 0; k < n; k++)
        hc_json_append(&list, numbers_json(&of[k]));
    return list;
}

json_t *hc_inspection_json(const HcInspection *found) {
    json_t *json = json_object();
    hc_json_set(&json, "parameters", list_json(found->parameters, found->n_parameters));
    hc_json_set(&json, "samples", json_integer(found->samples));
    if (found->samples)
        hc_json_set(&json, "part", json_string(found->of_held_out ? "held_out" : "train"));
    hc_json_set(&json, "probes", list_json(found->probes, found->n_probes));
    return json;
}
