#include "runtime/data/data.h"
#include "runtime/files/json.h"
#include "runtime/files/paths.h"
#include "runtime/run/rng.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void hc_data_free(HcData *data) {
    hc_samples_free(data->samples);
    free(data->path);
    free(data->bytes);
    *data = (HcData){0};
}

/* --- windows -----------------------------------------------------------------------------------*/

void hc_data_starts(const HcData *data, const HcPlan *plan, int64_t positions, HcPart part,
                    int64_t *first, int64_t *last) {
    int64_t begin = part == HC_TRAIN_PART ? 0 : data->train_count;
    int64_t end = part == HC_TRAIN_PART ? data->train_count : data->count;
    int64_t before = 0, after = 0;
    for (uint32_t k = 0; k < plan->n_bindings; k++) {
        if (-plan->bindings[k].offset > before)
            before = -plan->bindings[k].offset;
        if (plan->bindings[k].offset > after)
            after = plan->bindings[k].offset;
    }
    *first = begin + before;
    *last = end - positions - after;
}

static HcStatus check_bindings(const HcPlan *plan, HcError *error) {
    for (uint32_t k = 0; k < plan->n_bindings; k++) {
        const HcBinding *b = &plan->bindings[k];
        const HcInputPlan *input = &plan->inputs[b->input];
        if (strcmp(b->stream, "bytes") != 0)
            return hc_fail(error, HC_ERROR_DATA, "text has no stream `%s` (there is: bytes)",
                           b->stream);
        if (!input->integer || input->domain != HC_POSITION || input->count != 1)
            return hc_fail(error, HC_ERROR_DATA,
                           "input `%s` cannot hold bytes of text: it must be one token a position",
                           input->name);
    }
    return hc_inputs_bound(plan, error);
}

HcStatus hc_data_check_bytes(const HcData *data, const HcPlan *plan, HcError *error) {
    HcStatus status = check_bindings(plan, error);
    if (status != HC_OK)
        return status;
    int64_t limit = 256;
    for (uint32_t k = 0; k < plan->n_bindings; k++) {
        const HcInputPlan *input = &plan->inputs[plan->bindings[k].input];
        limit = input->limit > 0 && input->limit < limit ? input->limit : limit;
    }
    for (int64_t k = 0; limit < 256 && k < data->count; k++) {
        if (data->bytes[k] >= limit)
            return hc_fail(error, HC_ERROR_DATA,
                           "byte %d at offset %lld of the data is outside the model's vocabulary "
                           "of %lld",
                           data->bytes[k], (long long)k, (long long)limit);
    }
    return HC_OK;
}

HcStatus hc_data_check(const HcData *data, const HcPlan *plan, int64_t positions, bool held_out,
                       HcError *error) {
    HcStatus status = hc_data_check_bytes(data, plan, error);
    if (status != HC_OK)
        return status;
    for (int part = HC_TRAIN_PART; part <= (held_out ? HC_HELD_OUT_PART : HC_TRAIN_PART); part++) {
        int64_t first, last, size;
        hc_data_starts(data, plan, positions, (HcPart)part, &first, &last);
        size = part == HC_TRAIN_PART ? data->train_count : data->count - data->train_count;
        if (last < first)
            return hc_fail(
                error, HC_ERROR_DATA,
                "the data%s%s%s are too short: a window of %lld positions needs %lld bytes, "
                "and the %s part has %lld (of %lld in all)",
                data->path ? " `" : "", data->path ? data->path : "", data->path ? "`" : "",
                (long long)positions, (long long)(size - last + first),
                part == HC_TRAIN_PART ? "training" : "held-out", (long long)size,
                (long long)data->count);
    }
    return HC_OK;
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

void hc_data_fill(const HcData *data, HcContext *c, int64_t sample, int64_t start) {
    int64_t positions = hc_positions(c);
    if (data->samples) {
        hc_samples_fill(data->samples, c, sample, start);
        return;
    }
    for (uint32_t k = 0; k < c->plan.n_bindings; k++) {
        const HcBinding *b = &c->plan.bindings[k];
        int32_t *to = (int32_t *)hc_input_memory(c, b->input) + sample * positions;
        const uint8_t *from = data->bytes + start + b->offset;
        for (int64_t t = 0; t < positions; t++)
            to[t] = from[t];
    }
}

void hc_data_batch(const HcData *data, HcContext *c, uint64_t seed, int64_t step) {
    const int64_t batch = hc_samples(c);
    for (int64_t s = 0; s < batch; s++)
        hc_data_fill(data, c, s,
                     hc_batch_start(data, &c->plan, hc_positions(c), seed, step, batch, s));
}

/* --- opening -----------------------------------------------------------------------------------*/

/* Which path the command line gives for text, if any, and for which part. */
static HcStatus given_text(const HcDataRequest *r, HcPart *part, const char **path,
                           HcError *error) {
    static const char *const keys[] = {
        [HC_TRAIN_PART] = "train=", [HC_HELD_OUT_PART] = "held_out="};
    *part = HC_TRAIN_PART;
    *path = r->n_given ? r->given[0] : NULL;
    if (r->n_given > 1)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "--data names `%s` and `%s`: text is one file, or a folder of files",
                       r->given[0], r->given[1]);
    for (int k = 0; k < 2 && *path; k++)
        if (strncmp(*path, keys[k], strlen(keys[k])) == 0) {
            *part = (HcPart)k;
            *path += strlen(keys[k]);
        }
    if (*part == HC_HELD_OUT_PART && r->trains)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "--data %s: text is held out at its end, as the fraction `held_out` of the "
                       "train block says",
                       r->given[0]);
    return HC_OK;
}

/* The plan's own path, which begins at the folder of the request; the caller's to free. */
static HcStatus own_text(const HcPlan *plan, const char *folder, char **path, HcError *error) {
    const char *own = plan->n_data_files ? plan->data_files[0].path : NULL;
    if (!own)
        return hc_fail(error, HC_ERROR_ARGUMENT, "training needs data: give --data PATH");
    *path = hc_path_in(folder, own);
    return *path ? HC_OK : hc_fail_memory(error, "a path");
}

static HcStatus check_text_hash(const HcData *data, const HcDataRequest *request, HcError *error) {
    const char *expected = json_string_value(json_object_get(request->run, "xxh3"));
    const json_t *bytes = json_object_get(request->run, "bytes"),
                 *files = json_object_get(request->run, "files");
    char hash[HC_HASH_TEXT];
    hc_hash_text(data->hash, hash);
    if (!expected || strcmp(expected, hash) == 0)
        return HC_OK;
    return hc_data_changed(
        request, error, "`%s` has %lld bytes in %lld files, but had %lld in %lld, or others",
        data->path, (long long)data->count, (long long)data->files,
        (long long)json_integer_value(bytes), (long long)json_integer_value(files));
}

static HcStatus open_text(HcData *data, const HcPlan *plan, const HcDataRequest *request,
                          int64_t positions, HcError *error) {
    char *recorded, *own = NULL;
    const char *path;
    HcPart part;
    if (!hc_json_read_path(json_object_get(request->run, "path"), &recorded))
        return hc_fail_memory(error, "a path");
    HcStatus status = given_text(request, &part, &path, error);
    if (status == HC_OK && !path && !recorded)
        status = own_text(plan, request->folder, &own, error);
    if (status == HC_OK) {
        const bool as_bytes =
            request->as_bytes || json_is_true(json_object_get(request->run, "as_bytes"));
        const char *from = path ? path : recorded ? recorded : own;
        const double held_out = part == HC_HELD_OUT_PART ? 1 : plan->held_out;
        status = hc_data_load(data, from, held_out, as_bytes, request->notes, error);
        data->path = status == HC_OK ? realpath(from, NULL) : NULL;
        if (status == HC_OK && !data->path)
            status = hc_fail_memory(error, "a path");
    }
    free(own);
    const bool as_recorded = !path && recorded;
    free(recorded);
    if (status == HC_OK && (as_recorded || request->trains))
        status = check_text_hash(data, request, error);
    if (status != HC_OK)
        return status;
    /* how much is held out is seen when it is evaluated */
    return request->trains ? hc_data_check(data, plan, positions, plan->held_out > 0, error)
                           : hc_data_check_bytes(data, plan, error);
}

static HcStatus open_samples(HcData *data, const HcPlan *plan, const HcDataRequest *request,
                             HcError *error) {
    HcStatus status = hc_samples_open(plan, request, &data->samples, error);
    if (status != HC_OK)
        return status;
    data->count = data->samples->count;
    data->train_count = data->samples->train_count;
    data->hash = data->samples->hash;
    data->files = data->samples->files.count;
    const char *expected = json_string_value(json_object_get(request->run, "xxh3"));
    char hash[HC_HASH_TEXT];
    hc_hash_text(data->hash, hash);
    /* files of the run were compared one by one, but the command line may name others */
    if (!request->trains || !request->n_given || !expected || strcmp(expected, hash) == 0)
        return HC_OK;
    return hc_data_changed(request, error, "--data names files that are not those it read");
}

HcStatus hc_data_open(HcData *data, const HcPlan *plan, const HcDataRequest *request,
                      int64_t positions, HcError *error) {
    static const char *const kinds[] = {"text", "idx", "cifar10", "table"};
    const char *source = plan->data_source;
    bool known = false;
    *data = (HcData){0};
    if (!source || plan->n_bindings == 0)
        return hc_fail(error, HC_ERROR_DATA,
                       "the model `%s` does not say what it reads: its train block needs "
                       "`data text { ... }`, or another kind of data",
                       plan->model);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        known |= strcmp(source, kinds[k]) == 0;
    if (!known)
        return hc_fail(error, HC_ERROR_DATA,
                       "unknown kind of data `%s` (there are: text, idx, cifar10, table)", source);
    HcStatus status = strcmp(source, "text") == 0 ? open_text(data, plan, request, positions, error)
                                                  : open_samples(data, plan, request, error);
    if (status != HC_OK)
        hc_data_free(data);
    return status;
}

/* `path` is the file `of`, by whatever name, or lies somewhere below it. */
static bool is_or_below(const char *path, const char *of) {
    const size_t length = strlen(of);
    if (hc_same_file(path, of))
        return true;
    return strncmp(path, of, length) == 0 && (path[length] == '/' || of[length - 1] == '/');
}

bool hc_data_holds(const HcData *data, const char *path) {
    char *absolute = realpath(path, NULL);
    bool holds = absolute && data->path && is_or_below(absolute, data->path) &&
                 (data->as_bytes || hc_file_is_text(absolute));
    for (uint32_t k = 0; absolute && data->samples && k < data->samples->files.count; k++)
        holds = holds || is_or_below(absolute, data->samples->files.at[k].path);
    free(absolute);
    return holds;
}

json_t *hc_data_json(const HcData *data) {
    char hash[HC_HASH_TEXT];
    if (data->samples)
        return hc_samples_json(data->samples);
    hc_hash_text(data->hash, hash);
    json_t *json = json_object();
    hc_json_set(&json, "path", hc_json_path(data->path));
    hc_json_set(&json, "files", json_integer(data->files));
    hc_json_set(&json, "bytes", json_integer(data->count));
    hc_json_set(&json, "train_bytes", json_integer(data->train_count));
    hc_json_set(&json, "held_out_bytes", json_integer(data->count - data->train_count));
    hc_json_set(&json, "xxh3", json_string(hash));
    if (data->as_bytes)
        hc_json_set(&json, "as_bytes", json_true());
    return json;
}
