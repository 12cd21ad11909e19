#include "runtime/data/data.h"
#include "runtime/data/read_text.h"
#include "runtime/run/rng.h"

#include <stdlib.h>
#include <string.h>

/* --- windows -----------------------------------------------------------------------------------*/

void hc_data_starts(const HcData *data, const HcPlan *plan, int64_t positions, HcPart part,
                    int64_t *first, int64_t *last) {
    int64_t begin = part == HC_TRAIN_PART ? 0 : data->train_count;
    int64_t end = part == HC_TRAIN_PART ? data->train_count : data->count;
    int64_t before = 0, after = 0;
    for (uint32_t k = 0; k < plan->n_bindings; k++) {
        const int64_t offset = plan->bindings[k].offset;
        const HcDomain domain = plan->inputs[plan->bindings[k].input].domain;
        const bool further = hc_space_of(domain) > 0; /* has a window of its own length */
        const int64_t longer = further ? hc_plan_longest(plan, domain) - positions : 0;
        if (-offset > before)
            before = -offset;
        if (offset + longer > after)
            after = offset + longer;
    }
    *first = begin + before;
    *last = end - positions - after;
}

static HcStatus too_short(const HcData *data, int64_t positions, int part, int64_t needed,
                          int64_t size, HcError *error) {
    const HcPartFiles *files = &data->sequence->files;
    char more[40] = "";
    if (files->count > 1)
        snprintf(more, sizeof more, " and %u more", (unsigned)files->count - 1);
    return hc_fail(error, HC_ERROR_DATA,
                   "the data (`%s`%s) are too short: a window of %lld positions needs %lld %s, and "
                   "the %s part has %lld (of %lld in all)",
                   files->at[0].path, more, (long long)positions, (long long)needed,
                   data->sequence->stream, part == HC_TRAIN_PART ? "training" : "held-out",
                   (long long)size, (long long)data->count);
}

HcStatus hc_data_check(const HcData *data, const HcPlan *plan, int64_t positions, HcPart part,
                       HcError *error) {
    if (data->samples)
        return HC_OK;
    int64_t first, last;
    hc_data_starts(data, plan, positions, part, &first, &last);
    const int64_t size =
        part == HC_TRAIN_PART ? data->train_count : data->count - data->train_count;
    return last < first ? too_short(data, positions, part, size - last + first, size, error)
                        : HC_OK;
}

int64_t hc_batch_start(const HcData *data, const HcPlan *plan, int64_t positions, uint64_t seed,
                       int64_t step, int64_t batch, int64_t sample) {
    int64_t first, last;
    if (data->samples)
        return hc_samples_of_batch(data->samples, seed, step, batch, sample);
    hc_data_starts(data, plan, positions, HC_TRAIN_PART, &first, &last);
    uint64_t index = (uint64_t)step << 20 | (uint64_t)sample; /* batches hold at most 2^20 */
    return first + (int64_t)hc_rng_below(seed, hc_rng_stream("hc.batches"), index,
                                         (uint64_t)(last - first + 1));
}

HcStatus hc_data_fill(const HcData *data, HcContext *c, int64_t sample, int64_t start) {
    HcStatus status = HC_OK;
    if (data->samples) {
        hc_samples_fill(data->samples, c, sample, start);
        return HC_OK;
    }
    for (uint32_t k = 0; k < c->plan.n_bindings && status == HC_OK; k++) {
        const HcBinding *b = &c->plan.bindings[k];
        const int64_t positions = hc_exec_positions(&c->exec, c->plan.inputs[b->input].domain);
        int32_t *to = (int32_t *)hc_input_memory(c, b->input) + sample * positions;
        status = hc_sequence_read(data->sequence, start + b->offset, positions,
                                  hc_token_limit(&c->plan.inputs[b->input]), to, &c->error);
    }
    return status;
}

HcStatus hc_data_batch(const HcData *data, HcContext *c, uint64_t seed, int64_t step) {
    const HcParts *parts = &c->split.parts;
    const int64_t batch = hc_samples(c), each = c->exec.samples;
    HcStatus status = HC_OK;
    for (int64_t s = parts->first * each; s < parts->end * each && status == HC_OK; s++)
        status = hc_data_fill(
            data, c, s, hc_batch_start(data, &c->plan, hc_positions(c), seed, step, batch, s));
    return status;
}

/* --- opening -----------------------------------------------------------------------------------*/

static HcStatus open_sequence(HcData *data, const HcPlan *plan, const HcDataRequest *request,
                              int64_t positions, HcError *error) {
    HcStatus status = hc_sequence_open(plan, request, &data->sequence, error);
    if (status != HC_OK)
        return status;
    data->count = data->sequence->count;
    data->train_count = data->sequence->train_count;
    data->hash = data->sequence->hash;
    /* how much is held out is seen when it is evaluated */
    const bool held_out = plan->held_out > 0 || hc_part_files_separate(&data->sequence->files);
    if (request->trains)
        status = hc_data_check(data, plan, positions, HC_TRAIN_PART, error);
    if (status == HC_OK && request->trains && held_out)
        status = hc_data_check(data, plan, positions, HC_HELD_OUT_PART, error);
    return status;
}

static HcStatus open_samples(HcData *data, const HcPlan *plan, const HcDataRequest *request,
                             HcError *error) {
    HcStatus status = hc_samples_open(plan, request, &data->samples, error);
    if (status != HC_OK)
        return status;
    data->count = data->samples->count;
    data->train_count = data->samples->train_count;
    data->hash = data->samples->hash;
    return HC_OK;
}

/* Files of the run were compared one by one, but the command line may name others. */
static HcStatus check_hash(const HcData *data, const HcDataRequest *request, HcError *error) {
    const char *expected = json_string_value(json_object_get(request->run, "xxh3"));
    char hash[HC_HASH_TEXT];
    hc_hash_text(data->hash, hash);
    if (!request->trains || !request->n_given || !expected || strcmp(expected, hash) == 0)
        return HC_OK;
    return hc_data_changed(request, error, "--data names files that are not those it read");
}

HcStatus hc_data_open(HcData *data, const HcPlan *plan, const HcDataRequest *request,
                      int64_t positions, HcError *error) {
    static const char *const kinds[] = {"text", "tokens", "idx", "cifar10", "table"};
    const char *source = plan->data_source;
    bool known = false;
    *data = (HcData){0};
    if (plan->n_results > 0)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "the model `%s` has no loss: it is called by other programs, and neither "
                       "trained nor evaluated by itself",
                       plan->model);
    if (!source || plan->n_bindings == 0)
        return hc_fail(error, HC_ERROR_DATA,
                       "the model `%s` does not say what it reads: its train block needs "
                       "`data text { ... }`, or another kind of data",
                       plan->model);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        known |= strcmp(source, kinds[k]) == 0;
    if (!known)
        return hc_fail(error, HC_ERROR_DATA,
                       "unknown kind of data `%s` (there are: text, tokens, idx, cifar10, table)",
                       source);
    HcStatus status = strcmp(source, "text") == 0 || strcmp(source, "tokens") == 0
                          ? open_sequence(data, plan, request, positions, error)
                          : open_samples(data, plan, request, error);
    if (status == HC_OK)
        status = check_hash(data, request, error);
    if (status != HC_OK)
        hc_data_free(data);
    return status;
}

void hc_data_free(HcData *data) {
    hc_sequence_free(data->sequence);
    hc_samples_free(data->samples);
    *data = (HcData){0};
}

bool hc_data_holds(const HcData *data, const char *path) {
    const HcSequence *s = data->sequence;
    if (!hc_part_files_hold(s ? &s->files : &data->samples->files, path))
        return false;
    return !s || !s->is_text || s->as_bytes || hc_file_is_text(path);
}

json_t *hc_data_json(const HcData *data) {
    return data->samples ? hc_samples_json(data->samples) : hc_sequence_json(data->sequence);
}
