#include "runtime/data.h"
#include "runtime/rng.h"

#define XXH_INLINE_ALL
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

/* --- reading ---------------------------------------------------------------------------------- */

enum { MAX_DEPTH = 64 };

typedef struct {
    HcData *data;
    size_t capacity;
    HcError *error;
} Loader;

static HcStatus reserve(Loader *l, size_t more) {
    size_t wanted = (size_t)l->data->count + more;
    if (wanted <= l->capacity)
        return HC_OK;
    size_t capacity = wanted > 2 * l->capacity ? wanted : 2 * l->capacity;
    uint8_t *grown = realloc(l->data->bytes, capacity);
    if (!grown)
        return hc_fail_memory(l->error, "the training data");
    l->data->bytes = grown;
    l->capacity = capacity;
    return HC_OK;
}

static HcStatus unreadable(Loader *l, const char *path) {
    return hc_fail(l->error, HC_ERROR_DATA, "cannot read data `%s`: %s", path, strerror(errno));
}

static HcStatus load_open_file(Loader *l, const char *path, int file, size_t size) {
    HcStatus status = reserve(l, size + 1);
    while (status == HC_OK) {
        ssize_t n =
            read(file, l->data->bytes + l->data->count, l->capacity - (size_t)l->data->count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return unreadable(l, path);
        if (n == 0)
            break;
        l->data->count += n;
        status = reserve(l, 1 << 16); /* it may have grown since stat */
    }
    l->data->files++;
    return status;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of a folder's entries that are not hidden, sorted; free each and the array. */
static HcStatus list_folder(Loader *l, const char *path, int folder, char ***names, size_t *count) {
    DIR *stream = fdopendir(folder);
    *names = NULL;
    *count = 0;
    if (!stream) {
        HcStatus status = unreadable(l, path);
        close(folder);
        return status;
    }
    size_t capacity = 0;
    struct dirent *entry;
    HcStatus status = HC_OK;
    while (status == HC_OK && (entry = readdir(stream))) {
        if (entry->d_name[0] == '.')
            continue;
        if (*count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            char **grown = realloc(*names, capacity * sizeof *grown);
            if (!grown) {
                status = hc_fail_memory(l->error, "the list of data files");
                break;
            }
            *names = grown;
        }
        char *name = strdup(entry->d_name);
        if (!name)
            status = hc_fail_memory(l->error, "the list of data files");
        else
            (*names)[(*count)++] = name;
    }
    closedir(stream);
    if (*count)
        qsort(*names, *count, sizeof **names, by_name);
    return status;
}

/* depth 0 is what the user named: there a missing or odd file is an error, below it is skipped. */
static HcStatus load_path(Loader *l, const char *path, int depth);

static HcStatus load_folder(Loader *l, const char *path, int folder, int depth) {
    char **names;
    size_t count;
    HcStatus status = list_folder(l, path, folder, &names, &count);
    for (size_t k = 0; k < count; k++) {
        size_t length = strlen(path) + strlen(names[k]) + 2;
        char *below = status == HC_OK ? malloc(length) : NULL;
        if (status == HC_OK && !below)
            status = hc_fail_memory(l->error, "a path");
        if (status == HC_OK) {
            memcpy(below, path, strlen(path));
            below[strlen(path)] = '/';
            strcpy(below + strlen(path) + 1, names[k]);
            status = load_path(l, below, depth + 1);
        }
        free(below);
        free(names[k]);
    }
    free(names);
    return status;
}

static HcStatus load_path(Loader *l, const char *path, int depth) {
    struct stat info;
    if (depth > MAX_DEPTH)
        return hc_fail(l->error, HC_ERROR_DATA, "folders are nested deeper than %d at `%s`",
                       MAX_DEPTH, path);
    if (depth > 0 && lstat(path, &info) == 0 && S_ISLNK(info.st_mode) &&
        (stat(path, &info) != 0 || S_ISDIR(info.st_mode)))
        return HC_OK; /* links to folders might lead round in circles; dangling links to nothing */
    if (stat(path, &info) != 0)
        return unreadable(l, path);
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
        return depth > 0 ? HC_OK
                         : hc_fail(l->error, HC_ERROR_DATA,
                                   "data `%s` is neither a file nor a folder", path);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return unreadable(l, path);
    if (S_ISDIR(info.st_mode))
        return load_folder(l, path, file, depth); /* closes it */
    HcStatus status = load_open_file(l, path, file, (size_t)info.st_size);
    close(file);
    return status;
}

HcStatus hc_data_load(HcData *data, const char *path, double held_out, HcError *error) {
    *data = (HcData){0};
    Loader loader = {data, 0, error};
    HcStatus status = load_path(&loader, path, 0);
    if (status == HC_OK && data->count == 0)
        status = data->files
                     ? hc_fail(error, HC_ERROR_DATA, "data `%s` is empty", path)
                     : hc_fail(error, HC_ERROR_DATA, "data `%s` holds no regular file", path);
    if (status != HC_OK) {
        hc_data_free(data);
        return status;
    }
    data->train_count = (int64_t)((double)data->count * (1.0 - held_out));
    data->hash = XXH3_64bits(data->bytes, (size_t)data->count);
    return HC_OK;
}

void hc_data_free(HcData *data) {
    hc_samples_free(data->samples);
    free(data->path);
    free(data->bytes);
    *data = (HcData){0};
}

/* --- windows ---------------------------------------------------------------------------------- */

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

HcStatus hc_data_check(const HcData *data, const HcPlan *plan, int64_t positions, bool held_out,
                       HcError *error) {
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
    for (int part = HC_TRAIN_PART; part <= (held_out ? HC_HELD_OUT_PART : HC_TRAIN_PART); part++) {
        int64_t first, last, size;
        hc_data_starts(data, plan, positions, (HcPart)part, &first, &last);
        size = part == HC_TRAIN_PART ? data->train_count : data->count - data->train_count;
        if (last < first)
            return hc_fail(error, HC_ERROR_DATA,
                           "the data are too short: a window of %lld positions needs %lld bytes, "
                           "and the %s part has %lld (of %lld in all)",
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

/* --- opening ---------------------------------------------------------------------------------- */

static HcStatus open_text(HcData *data, const HcPlan *plan, const char *path, int64_t positions,
                          HcError *error) {
    if (!path && plan->n_data_files)
        path = plan->data_files[0].path;
    if (!path)
        return hc_fail(error, HC_ERROR_ARGUMENT, "training needs data: give --data PATH");
    HcStatus status = hc_data_load(data, path, plan->held_out, error);
    if (status == HC_OK)
        status = hc_data_check(data, plan, positions, plan->held_out > 0, error);
    if (status != HC_OK)
        return status;
    data->path = realpath(path, NULL);
    return data->path ? HC_OK : hc_fail_memory(error, "a path");
}

static HcStatus open_samples(HcData *data, const HcPlan *plan, const char *const *given,
                             int32_t n_given, const json_t *config, HcError *error) {
    const json_t *statistics = json_object_get(config, "statistics"),
                 *files = json_object_get(config, "files");
    const int32_t n_files = n_given || !json_is_array(files) ? 0 : (int32_t)json_array_size(files);
    const char **paths = calloc((size_t)(n_given + n_files) + 1, sizeof *paths);
    if (!paths)
        return hc_fail_memory(error, "the list of data files");
    int32_t n = 0;
    for (int32_t k = 0; k < n_given; k++)
        paths[n++] = given[k];
    for (int32_t k = 0; k < n_files; k++) {
        paths[n] = json_string_value(json_array_get(files, (size_t)k));
        n += paths[n] != NULL;
    }
    HcStatus status =
        hc_samples_open(plan, paths, n, statistics, config != NULL, &data->samples, error);
    free(paths);
    if (status != HC_OK)
        return status;
    data->count = data->samples->count;
    data->train_count = data->samples->train_count;
    data->hash = data->samples->hash;
    data->files = data->samples->files.count;
    return HC_OK;
}

HcStatus hc_data_open(HcData *data, const HcPlan *plan, const char *const *given, int32_t n_given,
                      int64_t positions, const json_t *config, HcError *error) {
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
    HcStatus status;
    if (strcmp(source, "text") == 0) {
        const char *path =
            n_given ? given[n_given - 1] : json_string_value(json_object_get(config, "path"));
        status = open_text(data, plan, path, positions, error);
    } else {
        status = open_samples(data, plan, given, n_given, config, error);
    }
    if (status != HC_OK)
        hc_data_free(data);
    return status;
}

json_t *hc_data_json(const HcData *data) {
    char hash[24];
    if (data->samples)
        return hc_samples_json(data->samples);
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)data->hash);
    json_t *json = json_object();
    json_object_set_new(json, "path", json_string(data->path));
    json_object_set_new(json, "files", json_integer(data->files));
    json_object_set_new(json, "bytes", json_integer(data->count));
    json_object_set_new(json, "train_bytes", json_integer(data->train_count));
    json_object_set_new(json, "held_out_bytes", json_integer(data->count - data->train_count));
    json_object_set_new(json, "xxh3", json_string(hash));
    return json;
}
