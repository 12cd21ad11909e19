/* Samples read from files: which is which, and how they fill inputs. */
#include "runtime/samples.h"
#include "runtime/rng.h"

#define XXH_INLINE_ALL
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* --- streams ---------------------------------------------------------------------------------- */

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

size_t hc_element_bytes(HcElement element) {
    static const size_t bytes[] = {
        [HC_U8] = 1, [HC_I8] = 1, [HC_I16] = 2, [HC_I32] = 4, [HC_F32] = 4, [HC_F64] = 8};
    return bytes[element];
}

static double stream_value(const HcSamples *samples, const HcStream *s, int64_t row, int64_t at) {
    const uint8_t *bytes = samples->blocks[s->block].bytes + s->offset + (size_t)row * s->stride +
                           (size_t)at * hc_element_bytes(s->element);
    union {
        int16_t i16;
        int32_t i32;
        float f32;
        double f64;
    } v;
    switch (s->element) {
    case HC_U8:
        return *bytes;
    case HC_I8:
        return (int8_t)*bytes;
    case HC_I16:
        memcpy(&v.i16, bytes, 2);
        return v.i16;
    case HC_I32:
        memcpy(&v.i32, bytes, 4);
        return v.i32;
    case HC_F32:
        memcpy(&v.f32, bytes, 4);
        return (double)v.f32;
    default:
        memcpy(&v.f64, bytes, 8);
        return v.f64;
    }
}

HcStatus hc_samples_read(HcSamples *samples, const HcSampleFile *file, uint8_t **bytes,
                         size_t *size, HcError *error) {
    const HcStatus status = hc_read_file(file->path, bytes, size, error);
    if (status == HC_OK)
        samples->hash = XXH3_64bits_withSeed(*bytes, *size, samples->hash);
    return status;
}

/* --- which sample ----------------------------------------------------------------------------- */

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

/* --- messages --------------------------------------------------------------------------------- */

/* Where a sample was read from: a line, or its number within its file. */
static void describe(const HcSamples *s, const char *stream, int64_t row, char *text, size_t size) {
    const bool lines = s->lines != NULL;
    for (uint32_t k = 0; k < s->files.count; k++) {
        const HcSampleFile *f = &s->files.at[k];
        if ((f->stream && strcmp(f->stream, stream) != 0) || row < f->first ||
            row >= f->first + f->count)
            continue;
        snprintf(text, size, "`%.200s`, %s %lld", f->path, lines ? "line" : "sample",
                 (long long)(lines ? s->lines[row] : row - f->first));
        return;
    }
    snprintf(text, size, "sample %lld", (long long)row);
}

static void shape_text(const HcStream *s, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int32_t k = 0; k < s->rank && used < size; k++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", k ? " x " : "",
                                 (long long)s->dims[k]);
    if (s->rank == 0)
        snprintf(text, size, "one number");
}

/* --- bindings --------------------------------------------------------------------------------- */

static HcStatus find_column(const HcSamples *s, const char *name, int64_t *column, HcError *error) {
    char list[300] = "";
    int64_t found = 0;
    if (!s->columns)
        return hc_fail(error, HC_ERROR_DATA,
                       "the table's columns have no names, so there is no column `%s`: its first "
                       "line is not a header",
                       name);
    for (int64_t k = 0; k < s->n_columns; k++) {
        const size_t used = strlen(list);
        if (strcmp(s->columns[k], name) == 0) {
            *column = k;
            found++;
        }
        if (used + 8 < sizeof list)
            snprintf(list + used, sizeof list - used, "%s%s", k ? ", " : "", s->columns[k]);
    }
    if (found == 1)
        return HC_OK;
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

static double fill_value(const HcSamples *s, const HcSampleFill *fill, const HcBinding *b,
                         int64_t row, int64_t k) {
    double v = stream_value(s, &s->streams[fill->stream], row, fill->at[k]);
    if (fill->mean)
        v = fill->deviation[k] > 0 ? (v - fill->mean[k]) / fill->deviation[k] : 0;
    return v * b->scale + b->shift;
}

/* Tokens must be whole and below the limit, reals finite, in every sample. */
static HcStatus check_values(const HcSamples *s, const HcSampleFill *fill, const HcBinding *b,
                             HcError *error) {
    const HcInputPlan *input = &s->plan->inputs[b->input];
    const HcStream *stream = &s->streams[fill->stream];
    const bool floats = stream->element == HC_F32 || stream->element == HC_F64;
    char where[300];
    for (int64_t row = 0; row < s->count && (input->integer || floats); row++)
        for (int64_t k = 0; k < fill->n; k++) {
            const double v = fill_value(s, fill, b, row, k);
            if (input->integer
                    ? v >= 0 && v == floor(v) && v < (input->limit ? (double)input->limit : 0x1p31)
                    : isfinite(v))
                continue;
            describe(s, stream->name, row, where, sizeof where);
            return input->integer
                       ? hc_fail(error, HC_ERROR_DATA,
                                 "%s: `%s` would be %.10g, but it must be a whole number from 0 to "
                                 "%lld",
                                 where, input->name, v, (long long)input->limit - 1)
                       : hc_fail(error, HC_ERROR_DATA, "%s: a value for `%s` is not finite", where,
                                 input->name);
        }
    return HC_OK;
}

/* --- standardising ---------------------------------------------------------------------------- */

static HcStatus read_statistics(const HcSamples *s, const HcBinding *b, HcSampleFill *fill,
                                const json_t *known, HcError *error) {
    const char *name = s->plan->inputs[b->input].name;
    const json_t *entry = json_object_get(known, name);
    const json_t *means = json_object_get(entry, "mean"),
                 *deviations = json_object_get(entry, "deviation");
    if ((int64_t)json_array_size(means) != fill->n ||
        (int64_t)json_array_size(deviations) != fill->n)
        return hc_fail(error, HC_ERROR_CHECKPOINT,
                       "the run's config.json does not hold the means and deviations of `%s`",
                       name);
    for (int64_t k = 0; k < fill->n; k++) {
        fill->mean[k] = json_number_value(json_array_get(means, (size_t)k));
        fill->deviation[k] = json_number_value(json_array_get(deviations, (size_t)k));
    }
    return HC_OK;
}

/* Over the training part alone. */
static void take_statistics(const HcSamples *s, HcSampleFill *fill) {
    const HcStream *stream = &s->streams[fill->stream];
    const double n = (double)s->train_count;
    for (int64_t row = 0; row < s->train_count; row++) {
        const int64_t at = hc_samples_of_part(s, HC_TRAIN_PART, row);
        for (int64_t k = 0; k < fill->n; k++)
            fill->mean[k] += stream_value(s, stream, at, fill->at[k]);
    }
    for (int64_t k = 0; k < fill->n; k++)
        fill->mean[k] /= n;
    for (int64_t row = 0; row < s->train_count; row++) {
        const int64_t at = hc_samples_of_part(s, HC_TRAIN_PART, row);
        for (int64_t k = 0; k < fill->n; k++) {
            const double off = stream_value(s, stream, at, fill->at[k]) - fill->mean[k];
            fill->deviation[k] += off * off;
        }
    }
    for (int64_t k = 0; k < fill->n; k++) {
        fill->deviation[k] = sqrt(fill->deviation[k] / n);
        if (fill->deviation[k] <= 1e-14 * fabs(fill->mean[k])) /* only rounding varies */
            fill->deviation[k] = 0;
    }
}

/* --- opening ---------------------------------------------------------------------------------- */

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
    if (status == HC_OK && b->standardise && known)
        status = read_statistics(s, b, fill, known, error);
    else if (status == HC_OK && b->standardise)
        take_statistics(s, fill);
    return status == HC_OK ? check_values(s, fill, b, error) : status;
}

static HcStatus check_bound(const HcPlan *plan, HcError *error) {
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

static HcStatus open_samples(HcSamples *s, const char *const *given, int32_t n_given,
                             const json_t *statistics, bool only_held_out, HcError *error) {
    const HcPlan *plan = s->plan;
    HcStatus status = check_bound(plan, error);
    if (status == HC_OK)
        status = hc_sample_files(plan, given, n_given, only_held_out, &s->files, error);
    if (status != HC_OK)
        return status;
    if (only_held_out)
        drop_training(s, statistics);
    s->fills = calloc(plan->n_bindings + 1, sizeof *s->fills);
    if (!s->fills)
        return hc_fail_memory(error, "the training data");
    status = read_files(s, error);
    if (status == HC_OK)
        status = part_samples(s, error);
    for (uint32_t k = 0; k < plan->n_bindings && status == HC_OK; k++)
        status = prepare_binding(s, k, statistics, error);
    return status;
}

HcStatus hc_samples_open(const HcPlan *plan, const char *const *given, int32_t n_given,
                         const json_t *statistics, bool only_held_out, HcSamples **samples,
                         HcError *error) {
    HcSamples *s = calloc(1, sizeof *s);
    *samples = NULL;
    if (!s)
        return hc_fail_memory(error, "the training data");
    s->plan = plan;
    const HcStatus status = open_samples(s, given, n_given, statistics, only_held_out, error);
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

/* --- filling ---------------------------------------------------------------------------------- */

void hc_samples_fill(const HcSamples *s, HcContext *c, int64_t sample, int64_t row) {
    for (uint32_t k = 0; k < s->plan->n_bindings; k++) {
        const HcSampleFill *fill = &s->fills[k];
        const HcBinding *b = &s->plan->bindings[k];
        const HcInputPlan *input = &s->plan->inputs[fill->input];
        /* a context may hold fewer positions than the model's most */
        const int64_t n = input->domain == HC_POSITION ? hc_positions(c) * input->count : fill->n;
        void *memory = hc_input_memory(c, fill->input);
        for (int64_t i = 0; i < n; i++) {
            const double v = fill_value(s, fill, b, row, i);
            if (input->integer)
                ((int32_t *)memory)[sample * n + i] = (int32_t)v;
            else if (c->plan.element_size == 4)
                ((float *)memory)[sample * n + i] = (float)v;
            else
                ((double *)memory)[sample * n + i] = v;
        }
    }
}

/* --- what a run remembers --------------------------------------------------------------------- */

json_t *hc_samples_json(const HcSamples *s) {
    json_t *json = json_object(), *files = json_array();
    char hash[24];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)s->hash);
    for (uint32_t k = 0; k < s->files.count; k++) {
        const HcSampleFile *f = &s->files.at[k];
        char *absolute = realpath(f->path, NULL);
        const char *path = absolute ? absolute : f->path;
        const size_t size = strlen(path) + 32 + (f->stream ? strlen(f->stream) : 0);
        char *text = malloc(size);
        if (text) {
            snprintf(text, size, "%s%s%s=%s", f->part == HC_TRAIN_PART ? "train" : "held_out",
                     f->stream ? "." : "", f->stream ? f->stream : "", path);
            json_array_append_new(files, json_string(text));
        }
        free(text);
        free(absolute);
    }
    json_object_set_new(json, "source", json_string(s->plan->data_source));
    json_object_set_new(json, "files", files);
    json_object_set_new(json, "samples", json_integer(s->count));
    json_object_set_new(json, "train_samples", json_integer(s->train_count));
    json_object_set_new(json, "held_out_samples", json_integer(s->count - s->train_count));
    json_object_set_new(json, "xxh3", json_string(hash));
    json_t *statistics = hc_samples_statistics(s);
    if (statistics)
        json_object_set_new(json, "statistics", statistics);
    return json;
}

json_t *hc_samples_statistics(const HcSamples *s) {
    json_t *json = NULL;
    for (uint32_t k = 0; k < s->plan->n_bindings; k++) {
        const HcSampleFill *fill = &s->fills[k];
        if (!fill->mean)
            continue;
        json_t *mean = json_array(), *deviation = json_array();
        for (int64_t i = 0; i < fill->n; i++) {
            json_array_append_new(mean, json_real(fill->mean[i]));
            json_array_append_new(deviation, json_real(fill->deviation[i]));
        }
        json = json ? json : json_object();
        json_object_set_new(json, s->plan->inputs[fill->input].name,
                            json_pack("{s:o, s:o}", "mean", mean, "deviation", deviation));
    }
    return json;
}
