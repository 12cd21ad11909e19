/* Samples: opening their files, and what a run remembers of them. */
#include "runtime/data/samples.h"
#include "runtime/files/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static HcStatus read_files(HcSamples *s, HcError *error) {
    const char *source = s->plan->data_source;
    HcStatus status = HC_OK;
    for (uint32_t k = 0; k < s->files.count && status == HC_OK; k++) {
        HcPartFile *file = &s->files.at[k];
        status = strcmp(source, "idx") == 0       ? hc_read_idx(s, file, error)
                 : strcmp(source, "cifar10") == 0 ? hc_read_cifar10(s, file, error)
                                                  : hc_read_table(s, file, error);
        for (uint32_t i = 0; i < s->n_streams && file->part == HC_TRAIN_PART; i++)
            s->streams[i].train_samples = s->streams[i].samples;
    }
    return status;
}

/* All streams go through the same samples; then which are for training. */
static HcStatus part_samples(HcSamples *s, HcError *error) {
    const HcStream *first = &s->streams[0];
    const bool separate = hc_part_files_separate(&s->files);
    for (uint32_t k = 1; k < s->n_streams; k++) {
        const HcStream *other = &s->streams[k];
        if (other->samples == first->samples && other->train_samples == first->train_samples)
            continue;
        const bool train = other->train_samples != first->train_samples;
        return hc_fail(
            error, HC_ERROR_DATA, "the %s part has %lld samples of `%s`, but %lld of `%s`",
            train ? "training" : "held-out",
            (long long)(train ? first->train_samples : first->samples - first->train_samples),
            first->name,
            (long long)(train ? other->train_samples : other->samples - other->train_samples),
            other->name);
    }
    s->count = first->samples;
    s->shuffled = s->plan->shuffled && !separate;
    s->train_count =
        separate ? first->train_samples : (int64_t)((double)s->count * (1.0 - s->plan->held_out));
    if (s->train_count == 0 && !s->train_missing)
        return hc_fail(error, HC_ERROR_DATA, "of %lld samples none are left to train on",
                       (long long)s->count);
    if (s->train_count == s->count && (separate || s->plan->held_out > 0))
        return hc_fail(error, HC_ERROR_DATA, "of %lld samples none are held out",
                       (long long)s->count);
    return HC_OK;
}

static bool standardises(const HcPlan *plan) {
    bool any = false;
    for (uint32_t k = 0; k < plan->n_bindings; k++)
        any |= plan->bindings[k].standardise;
    return any;
}

/* The training part's files are not needed when the other's stand beside them. */
static void drop_training(HcSamples *s, const json_t *statistics) {
    if ((standardises(s->plan) && !statistics) || !hc_part_files_separate(&s->files))
        return;
    hc_part_files_keep_held_out(&s->files);
    s->train_missing = true;
}

/* The run's own order of columns, by which its numbers count. */
static HcStatus take_columns(HcSamples *s, const json_t *names, HcError *error) {
    const size_t n = json_array_size(names);
    if (n == 0)
        return HC_OK;
    s->columns = calloc(n, sizeof *s->columns);
    for (size_t k = 0; s->columns && k < n; k++) {
        const char *name = json_string_value(json_array_get(names, k));
        if (!name)
            return hc_fail(error, HC_ERROR_CHECKPOINT,
                           "the run's config.json does not hold the names of the columns");
        s->columns[k] = strdup(name);
        s->n_columns = (int64_t)k + 1;
        if (!s->columns[k])
            return hc_fail_memory(error, "the names of columns");
    }
    return s->columns ? HC_OK : hc_fail_memory(error, "the names of columns");
}

static HcStatus open_samples(HcSamples *s, HcError *error) {
    const HcPlan *plan = s->plan;
    const json_t *run = s->request->run, *statistics = json_object_get(run, "statistics");
    HcStatus status = hc_inputs_bound(plan, error);
    if (status == HC_OK)
        status = hc_part_files(plan, s->request, &s->files, error);
    if (status != HC_OK)
        return status;
    if (!s->request->trains && !s->request->whole)
        drop_training(s, statistics);
    if (!s->request->trains && !statistics && standardises(plan) &&
        s->files.at[0].part != HC_TRAIN_PART)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "inputs are standardised by the means of the training data: evaluate the "
                       "run's folder, or give --data train=FILE too");
    s->fills = calloc(plan->n_bindings + 1, sizeof *s->fills);
    if (!s->fills)
        return hc_fail_memory(error, "the training data");
    status = take_columns(s, json_object_get(run, "columns"), error);
    if (status == HC_OK)
        status = read_files(s, error);
    if (status == HC_OK)
        status = part_samples(s, error);
    for (uint32_t k = 0; k < plan->n_bindings && status == HC_OK; k++)
        status = hc_samples_bind(s, k, statistics, error);
    return status;
}

HcStatus hc_samples_open(const HcPlan *plan, const HcDataRequest *request, HcSamples **samples,
                         HcError *error) {
    HcSamples *s = calloc(1, sizeof *s);
    *samples = NULL;
    if (!s)
        return hc_fail_memory(error, "the training data");
    s->plan = plan;
    s->request = request;
    const HcStatus status = open_samples(s, error);
    s->request = NULL; /* the caller's */
    if (status != HC_OK)
        hc_samples_free(s);
    else
        *samples = s;
    return status;
}

void hc_samples_free(HcSamples *s) {
    if (!s)
        return;
    for (uint32_t k = 0; s->fills && k < s->plan->n_bindings; k++) {
        free(s->fills[k].at);
        free(s->fills[k].mean);
        free(s->fills[k].deviation);
    }
    for (uint32_t k = 0; k < HC_MAX_STREAMS; k++)
        free(s->blocks[k].bytes);
    for (int64_t k = 0; s->columns && k < s->n_columns; k++)
        free(s->columns[k]);
    free(s->fills);
    free(s->columns);
    free(s->lines);
    hc_part_files_free(&s->files);
    free(s);
}

/* --- what a run remembers ----------------------------------------------------------------------*/

json_t *hc_samples_json(const HcSamples *s) {
    json_t *json = json_object();
    char hash[HC_HASH_TEXT];
    hc_hash_text(s->hash, hash);
    hc_json_set(&json, "source", json_string(s->plan->data_source));
    hc_part_files_set_json(&s->files, &json);
    hc_json_set(&json, "samples", json_integer(s->count));
    hc_json_set(&json, "train_samples", json_integer(s->train_count));
    hc_json_set(&json, "held_out_samples", json_integer(s->count - s->train_count));
    hc_json_set(&json, "xxh3", json_string(hash));
    if (s->columns) {
        json_t *columns = json_array();
        for (int64_t k = 0; k < s->n_columns; k++)
            hc_json_append(&columns, hc_json_text(s->columns[k]));
        hc_json_set(&json, "columns", columns);
    }
    json_t *statistics = hc_samples_statistics(s);
    if (!statistics || json_object_size(statistics) > 0)
        hc_json_set(&json, "statistics", statistics);
    else
        json_decref(statistics);
    return json;
}
