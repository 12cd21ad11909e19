/* Samples read from files: which is which, and which of their elements fill inputs. */
#include "runtime/data/samples.h"
#include "runtime/files/json.h"
#include "runtime/run/rng.h"

#define XXH_INLINE_ALL
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* --- streams -----------------------------------------------------------------------------------*/

HcStream *hc_stream(HcSamples *samples, const char *name) {
    for (uint32_t k = 0; k < samples->n_streams; k++)
        if (strcmp(samples->streams[k].name, name) == 0)
            return &samples->streams[k];
    if (samples->n_streams == HC_MAX_STREAMS)
        return NULL;
    HcStream *s = &samples->streams[samples->n_streams];
    *s = (HcStream){.name = name, .block = samples->n_streams++};
    return s;
}

HcStatus hc_block_append(HcBlock *block, const void *bytes, size_t size, HcError *error) {
    if (block->capacity - block->size < size) {
        const size_t wanted = block->size + size;
        const size_t capacity = wanted > 2 * block->capacity ? wanted : 2 * block->capacity;
        uint8_t *grown = realloc(block->bytes, capacity);
        if (!grown)
            return hc_fail_memory(error, "the training data");
        block->bytes = grown;
        block->capacity = capacity;
    }
    if (size) /* of nothing there may be no address */
        memcpy(block->bytes + block->size, bytes, size);
    block->size += size;
    return HC_OK;
}

size_t hc_stream_element_bytes(HcStreamElement element) {
    static const size_t bytes[] = {
        [HC_U8] = 1, [HC_I8] = 1, [HC_I16] = 2, [HC_I32] = 4, [HC_F32] = 4, [HC_F64] = 8};
    return bytes[element];
}

/* What the run names must be what it was then. */
static HcStatus check_hash(const HcSamples *s, const HcSampleFile *file, HcError *error) {
    char hash[HC_HASH_TEXT];
    hc_hash_text(file->hash, hash);
    if (!file->expected || strcmp(file->expected, hash) == 0)
        return HC_OK;
    return hc_data_changed(s->request, error, "`%s` is not the file that the run read", file->path);
}

HcStatus hc_samples_read(HcSamples *samples, HcSampleFile *file, uint8_t **bytes, size_t *size,
                         HcError *error) {
    HcStatus status = hc_read_file(file->path, bytes, size, error);
    if (status != HC_OK)
        return status;
    samples->hash = XXH3_64bits_withSeed(*bytes, *size, samples->hash);
    file->hash = XXH3_64bits(*bytes, *size);
    status = check_hash(samples, file, error);
    if (status != HC_OK) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}

/* --- which sample ------------------------------------------------------------------------------*/

/* A Feistel network over the least 2^(2 h) that holds n, walked until the number is below n. */
int64_t hc_permute(uint64_t seed, uint64_t epoch, int64_t n, int64_t k) {
    const uint64_t stream = hc_rng_stream("hc.order");
    uint32_t half = 1;
    while (half < 31 && (int64_t)1 << (2 * half) < n)
        half++;
    const uint64_t mask = ((uint64_t)1 << half) - 1;
    uint64_t at = (uint64_t)k;
    do {
        uint64_t left = at >> half, right = at & mask;
        for (uint64_t round = 0; round < 8; round++) {
            uint32_t block[4];
            hc_rng_block(seed, stream + epoch, round << 32 | right, block);
            const uint64_t next = left ^ (block[0] & mask);
            left = right;
            right = next;
        }
        at = left << half | right;
    } while (at >= (uint64_t)n);
    return (int64_t)at;
}

int64_t hc_samples_of_part(const HcSamples *s, HcPart part, int64_t k) {
    const int64_t at = part == HC_TRAIN_PART ? k : s->train_count + k;
    /* the same parts whatever the run's seed is */
    return s->shuffled ? hc_permute(0, UINT64_C(1) << 63, s->count, at) : at;
}

int64_t hc_samples_of_batch(const HcSamples *s, uint64_t seed, int64_t step, int64_t batch,
                            int64_t sample) {
    const int64_t number = step * batch + sample;
    return hc_samples_of_part(s, HC_TRAIN_PART,
                              hc_permute(seed, (uint64_t)(number / s->train_count), s->train_count,
                                         number % s->train_count));
}

/* --- bindings ----------------------------------------------------------------------------------*/

static void shape_text(const HcStream *s, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int32_t k = 0; k < s->rank && used < size; k++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", k ? " x " : "",
                                 (long long)s->dims[k]);
    if (s->rank == 0)
        snprintf(text, size, "one number");
}

void hc_column_list(char *const *names, int64_t n, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int64_t k = 0; names && k < n && used + 8 < size; k++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", k ? ", " : "", names[k]);
    hc_make_printable(text);
}

static HcStatus find_column(const HcSamples *s, const char *name, int64_t *column, HcError *error) {
    char list[300];
    int64_t found = 0;
    if (!s->columns)
        return hc_fail(error, HC_ERROR_DATA,
                       "the table's columns have no names, so there is no column `%s`: its first "
                       "line is not a header",
                       name);
    for (int64_t k = 0; k < s->n_columns; k++) {
        if (strcmp(s->columns[k], name) == 0) {
            *column = k;
            found++;
        }
    }
    if (found == 1)
        return HC_OK;
    hc_column_list(s->columns, s->n_columns, list, sizeof list);
    return hc_fail(error, HC_ERROR_DATA,
                   found ? "the table has several columns `%s` (its columns: %s)"
                         : "the table has no column `%s` (its columns: %s)",
                   name, list);
}

static HcStatus out_of_stream(const HcSamples *s, const HcStream *stream, const HcBinding *b,
                              uint32_t subscript, int64_t entry, HcError *error) {
    char shape[128];
    shape_text(stream, shape, sizeof shape);
    return hc_fail(error, HC_ERROR_DATA,
                   "input `%s` asks for entry %lld of axis %u of `%s`, whose samples are %s",
                   s->plan->inputs[b->input].name, (long long)entry, (unsigned)subscript + 1,
                   stream->name, shape);
}

/* Element offsets of all elements of an input, checked against the stream's axes. */
static HcStatus lay_out(const HcSamples *s, const HcBinding *b, HcSampleFill *fill,
                        HcError *error) {
    const HcPlan *plan = s->plan;
    const HcInputPlan *input = &plan->inputs[b->input];
    const HcStream *stream = &s->streams[fill->stream];
    int64_t strides[HC_MAX_SUBSCRIPTS], columns[HC_MAX_SUBSCRIPTS] = {0}, stride = 1;
    if (b->n_subscripts != (uint32_t)stream->rank) {
        char shape[128];
        shape_text(stream, shape, sizeof shape);
        return hc_fail(error, HC_ERROR_DATA,
                       "input `%s` reads `%s` with %u %s, but its samples are %s", input->name,
                       stream->name, (unsigned)b->n_subscripts,
                       b->n_subscripts == 1 ? "subscript" : "subscripts", shape);
    }
    for (uint32_t k = b->n_subscripts; k-- > 0;) {
        strides[k] = stride;
        stride *= stream->dims[k];
        if (b->subscripts[k].column) {
            const HcStatus status = find_column(s, b->subscripts[k].column, &columns[k], error);
            if (status != HC_OK)
                return status;
        }
    }
    for (int64_t at = 0; at < fill->n; at++) {
        int64_t rest = at % input->count, index[HC_MAX_RANK], element = 0;
        const int64_t p = at / input->count;
        const int64_t place[2] = {plan->space_rank == 2 ? p / plan->space_extents[1] : p,
                                  plan->space_rank == 2 ? p % plan->space_extents[1] : 0};
        for (int32_t d = input->rank; d-- > 0; rest /= input->dims[d])
            index[d] = rest % input->dims[d];
        for (uint32_t k = 0; k < b->n_subscripts; k++) {
            const HcSubscript *u = &b->subscripts[k];
            int64_t entry =
                u->base + columns[k] + u->positions[0] * place[0] + u->positions[1] * place[1];
            for (int32_t d = 0; d < input->rank; d++)
                entry += u->axes[d] * index[d];
            if (entry < 0 || entry >= stream->dims[k])
                return out_of_stream(s, stream, b, k, entry, error);
            element += entry * strides[k];
        }
        fill->at[at] = element;
    }
    if (b->whole && fill->n != stream->elements) {
        char shape[128];
        shape_text(stream, shape, sizeof shape);
        return hc_fail(error, HC_ERROR_DATA,
                       "input `%s` is filled from all of `%s`, whose samples are %s: more than its "
                       "%lld elements",
                       input->name, stream->name, shape, (long long)fill->n);
    }
    return HC_OK;
}

/* --- opening -----------------------------------------------------------------------------------*/

static HcStatus prepare_binding(HcSamples *s, uint32_t k, const json_t *known, HcError *error) {
    const HcPlan *plan = s->plan;
    const HcBinding *b = &plan->bindings[k];
    const HcInputPlan *input = &plan->inputs[b->input];
    HcSampleFill *fill = &s->fills[k];
    fill->input = b->input;
    while (fill->stream < s->n_streams && strcmp(s->streams[fill->stream].name, b->stream) != 0)
        fill->stream++;
    if (fill->stream == s->n_streams)
        return hc_fail(error, HC_ERROR_DATA, "the data have no `%s`", b->stream);
    if (input->domain != HC_SAMPLE && input->domain != HC_POSITION)
        return hc_fail(error, HC_ERROR_DATA, "input `%s` is not given for every sample",
                       input->name);
    const int64_t positions =
        input->domain == HC_POSITION && plan->max_positions ? plan->max_positions : 1;
    if (__builtin_mul_overflow(positions, input->count, &fill->n) || fill->n > INT64_C(1) << 32)
        return hc_fail_memory(error, input->name);
    fill->at = malloc((size_t)fill->n * sizeof *fill->at);
    if (b->standardise) {
        fill->mean = calloc((size_t)fill->n, sizeof *fill->mean);
        fill->deviation = calloc((size_t)fill->n, sizeof *fill->deviation);
    }
    if (!fill->at || (b->standardise && (!fill->mean || !fill->deviation)))
        return hc_fail_memory(error, input->name);
    HcStatus status = lay_out(s, b, fill, error);
    return status == HC_OK ? hc_samples_prepare_values(s, k, known, error) : status;
}

HcStatus hc_inputs_bound(const HcPlan *plan, HcError *error) {
    for (uint32_t k = 0; k < plan->n_inputs; k++) {
        bool bound = false;
        for (uint32_t b = 0; b < plan->n_bindings; b++)
            bound |= plan->bindings[b].input == k;
        if (!bound)
            return hc_fail(error, HC_ERROR_DATA, "input `%s` is bound to no data",
                           plan->inputs[k].name);
    }
    return HC_OK;
}

static HcStatus read_files(HcSamples *s, HcError *error) {
    const char *source = s->plan->data_source;
    HcStatus status = HC_OK;
    for (uint32_t k = 0; k < s->files.count && status == HC_OK; k++) {
        HcSampleFile *file = &s->files.at[k];
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
    bool separate = false;
    for (uint32_t k = 0; k < s->files.count; k++)
        separate |= s->files.at[k].part == HC_HELD_OUT_PART;
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
    HcSampleFiles *files = &s->files;
    if ((standardises(s->plan) && !statistics) ||
        files->at[files->count - 1].part != HC_HELD_OUT_PART)
        return;
    uint32_t kept = 0;
    for (uint32_t k = 0; k < files->count; k++) {
        if (files->at[k].part == HC_HELD_OUT_PART)
            files->at[kept++] = files->at[k];
        else
            free(files->at[k].path);
    }
    files->count = kept;
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
        status = hc_sample_files(plan, s->request, &s->files, error);
    if (status != HC_OK)
        return status;
    if (run)
        drop_training(s, statistics);
    if (run && !statistics && standardises(plan) && s->files.at[0].part != HC_TRAIN_PART)
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
        status = prepare_binding(s, k, statistics, error);
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
    hc_sample_files_free(&s->files);
    free(s);
}

/* --- what a run remembers ----------------------------------------------------------------------*/

static json_t *file_json(const HcSampleFile *f) {
    char *absolute = realpath(f->path, NULL);
    const char *path = absolute ? absolute : f->path;
    const size_t size = strlen(path) + 32 + (f->stream ? strlen(f->stream) : 0);
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%s%s%s=%s", f->part == HC_TRAIN_PART ? "train" : "held_out",
                 f->stream ? "." : "", f->stream ? f->stream : "", path);
    json_t *json = text ? hc_json_path(text) : NULL;
    free(text);
    free(absolute);
    return json;
}

json_t *hc_samples_json(const HcSamples *s) {
    json_t *json = json_object(), *files = json_array(), *hashes = json_array();
    char hash[HC_HASH_TEXT];
    for (uint32_t k = 0; k < s->files.count; k++) {
        hc_hash_text(s->files.at[k].hash, hash);
        hc_json_append(&files, file_json(&s->files.at[k]));
        hc_json_append(&hashes, json_string(hash));
    }
    hc_hash_text(s->hash, hash);
    hc_json_set(&json, "source", json_string(s->plan->data_source));
    hc_json_set(&json, "files", files);
    hc_json_set(&json, "files_xxh3", hashes);
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
