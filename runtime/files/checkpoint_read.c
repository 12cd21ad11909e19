/* Reading checkpoints: everything is checked before anything is taken. */
#include "runtime/files/checkpoint_internal.h"
#include "runtime/files/json.h"
#include "runtime/files/json_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define METADATA "__metadata__"

enum {
    MAX_HEADER = 100000000,
    /* A file may be another model's, which is then said; beyond this it is not looked through. */
    VALUES_A_TENSOR = 32,
    VALUES_BESIDE = 1000000,
};

typedef struct HcTensorFile {
    const char *path;
    const HcTensor *tensors;
    int64_t count;
    int file;
    int64_t file_bytes;
    char *header;
    size_t header_bytes;
    json_t *json;
    uint8_t *data;
    size_t data_bytes;
    bool partial;           /* it need not hold all of the tensors, and may hold others */
    uint32_t *element_size; /* as stored, per tensor; 0: not there in this shape */
    int64_t *offset;        /* in data, per tensor */
    HcError *error;
} File;

static HcStatus damaged(File *f, const char *what) {
    return hc_fail(f->error, HC_ERROR_CHECKPOINT, "checkpoint `%s`: %s", f->path, what);
}

static HcStatus read_exactly(File *f, void *to, size_t count) {
    uint8_t *at = to;
    while (count > 0) {
        ssize_t n = read(f->file, at, count < 1 << 30 ? count : 1 << 30);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return damaged(f, strerror(errno));
        if (n == 0)
            return damaged(f, "it ends too early");
        at += n;
        count -= (size_t)n;
    }
    return HC_OK;
}

static HcStatus read_header(File *f, int64_t tensors) {
    struct stat info;
    f->file = open(f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* never wait for a pipe */
    if (f->file < 0 || fstat(f->file, &info) != 0)
        return damaged(f, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return damaged(f, "it is not a file");
    f->file_bytes = info.st_size;
    uint8_t length[8];
    uint64_t size = 0;
    if (f->file_bytes < 8)
        return damaged(f, "it is too short to be a safetensors file");
    HcStatus status = read_exactly(f, length, sizeof length);
    for (int k = 7; k >= 0; k--)
        size = size << 8 | length[k];
    if (status != HC_OK)
        return status;
    if (size < 2 || size > MAX_HEADER || size > (uint64_t)f->file_bytes - 8)
        return damaged(f, "it is not a safetensors file, or it is cut off in its header");
    f->header_bytes = size;
    f->header = malloc(size + 1);
    if (!f->header)
        return hc_fail_memory(f->error, "the checkpoint's header");
    status = read_exactly(f, f->header, size);
    if (status != HC_OK)
        return status;
    f->header[size] = 0;
    HcJsonRead read;
    f->json =
        hc_json_read(f->header, size, VALUES_BESIDE + VALUES_A_TENSOR * (uint64_t)tensors, &read);
    if (read.outcome == HC_JSON_NO_MEMORY)
        return hc_fail_memory(f->error, "the checkpoint's header");
    if (read.outcome == HC_JSON_TOO_MANY)
        return damaged(f, "its header holds far more than the model has tensors");
    if (read.outcome == HC_JSON_WRONG)
        return hc_fail(f->error, HC_ERROR_CHECKPOINT, "checkpoint `%s`: its header is damaged: %s",
                       f->path, read.what);
    return json_is_object(f->json) ? HC_OK : damaged(f, "its header is no JSON object");
}

static HcStatus tensor_wrong(File *f, const HcTensor *t, const char *what) {
    return hc_fail(f->error, HC_ERROR_CHECKPOINT, "checkpoint `%s`: tensor `%s` %s", f->path,
                   t->name, what);
}

typedef struct {
    int64_t begin, end;
} Range;

/* Where a tensor's values lie in the data; false: nowhere in it. */
static bool read_range(const File *f, const json_t *entry, Range *range) {
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return false;
    *range = (Range){json_integer_value(begin), json_integer_value(end)};
    return range->begin >= 0 && range->end >= range->begin && range->end <= (int64_t)f->data_bytes;
}

/* Type, shape and place of one tensor. */
static HcStatus check_tensor(File *f, const HcTensor *t, int64_t k) {
    const json_t *entry = json_object_get(f->json, t->name);
    if (!entry && f->partial)
        return HC_OK;
    if (!entry)
        return tensor_wrong(f, t, "is missing: it belongs to another model");
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    const json_t *shape = json_object_get(entry, "shape");
    if (!type || !json_is_array(shape) ||
        json_array_size(json_object_get(entry, "data_offsets")) != 2)
        return tensor_wrong(f, t, "has a malformed entry");
    if (strcmp(type, "F32") != 0 && strcmp(type, "F64") != 0)
        return tensor_wrong(f, t, "is neither F32 nor F64");
    const uint32_t size = strcmp(type, "F64") == 0 ? 8 : 4;
    bool same = json_array_size(shape) == (size_t)t->rank;
    for (int32_t d = 0; same && d < t->rank; d++) {
        const json_t *dim = json_array_get(shape, (size_t)d);
        same = json_is_integer(dim) && json_integer_value(dim) == t->dims[d];
    }
    if (!same && f->partial)
        return HC_OK;
    if (!same)
        return tensor_wrong(f, t, "has another shape than the model's");
    Range range;
    if (!read_range(f, entry, &range) || range.end - range.begin != t->count * size)
        return tensor_wrong(f, t, "has wrong offsets");
    f->offset[k] = range.begin;
    f->element_size[k] = size;
    return HC_OK;
}

static int by_begin(const void *a, const void *b) {
    const Range *x = a, *y = b;
    return x->begin < y->begin   ? -1
           : x->begin > y->begin ? 1
           : x->end < y->end     ? -1
                                 : x->end > y->end;
}

/* All tensors of the file must tile its data: no gap, no overlap, nothing behind. */
static HcStatus check_tiling(File *f) {
    Range *ranges = calloc(json_object_size(f->json) + 1, sizeof *ranges);
    const char *name;
    json_t *entry;
    size_t count = 0;
    bool good = true;
    if (!ranges)
        return hc_fail_memory(f->error, "the checkpoint");
    json_object_foreach(f->json, name, entry) {
        if (strcmp(name, METADATA) != 0)
            good &= read_range(f, entry, &ranges[count++]);
    }
    qsort(ranges, count, sizeof *ranges, by_begin);
    int64_t at = 0;
    for (size_t k = 0; k < count && at >= 0; k++)
        at = ranges[k].begin == at ? ranges[k].end : -1;
    free(ranges);
    if (!good)
        return damaged(f, "a tensor has wrong offsets");
    if (at < 0)
        return damaged(f, "its tensors overlap or leave gaps");
    if (at != (int64_t)f->data_bytes)
        return damaged(f, at < (int64_t)f->data_bytes ? "bytes follow its last tensor"
                                                      : "it ends too early");
    return HC_OK;
}

static HcStatus check_names(File *f, const HcTensor *tensors, int64_t count) {
    const char *name;
    json_t *entry;
    json_t *known = json_object();
    HcStatus status = known ? HC_OK : hc_fail_memory(f->error, "the checkpoint");
    for (int64_t k = 0; status == HC_OK && k < count; k++) {
        if (json_object_set_new(known, tensors[k].name, json_true()) != 0)
            status = hc_fail_memory(f->error, "the checkpoint");
    }
    json_object_foreach(f->json, name, entry) {
        if (status == HC_OK && strcmp(name, METADATA) != 0 && !json_object_get(known, name))
            status = hc_fail(f->error, HC_ERROR_CHECKPOINT,
                             "checkpoint `%s`: the model has no tensor `%s`", f->path, name);
    }
    json_decref(known);
    return status;
}

static HcStatus check_metadata(File *f, bool *ours) {
    json_t *metadata = json_object_get(f->json, METADATA), *value;
    const char *key;
    *ours = false;
    if (metadata && !json_is_object(metadata))
        return damaged(f, "its metadata is not an object");
    json_object_foreach(metadata, key, value) {
        if (!json_is_string(value))
            return damaged(f, "its metadata holds something that is not a string");
        *ours |= strncmp(key, "hcc.", 4) == 0;
    }
    return HC_OK;
}

/* Files that carry any metadata of ours must carry the checksum too. */
static HcStatus check_sum(File *f) {
    const json_t *metadata = json_object_get(f->json, METADATA);
    const char *stored = json_string_value(json_object_get(metadata, CHECKSUM_KEY));
    char *digits = hc_find_checksum(f->header, f->header_bytes);
    if (!stored || !digits || strlen(stored) != CHECKSUM_DIGITS ||
        memcmp(digits, stored, CHECKSUM_DIGITS) != 0)
        return damaged(f, "its checksum is missing or malformed");
    memcpy(digits, CHECKSUM_NONE, CHECKSUM_DIGITS);
    XXH3_state_t hash;
    XXH3_64bits_reset(&hash);
    XXH3_64bits_update(&hash, f->header, f->header_bytes);
    XXH3_64bits_update(&hash, f->data, f->data_bytes);
    char text[CHECKSUM_DIGITS + 1];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)XXH3_64bits_digest(&hash));
    return strcmp(text, stored) == 0 ? HC_OK : damaged(f, "it is damaged: its checksum differs");
}

static void copy_tensor(const File *f, const HcTensor *t, int64_t k) {
    const uint8_t *from = f->data + f->offset[k];
    if (f->element_size[k] == t->element_size) {
        memcpy(t->data, from, hc_tensor_bytes(t));
        return;
    }
    for (int64_t i = 0; i < t->count; i++) {
        float single;
        double wide;
        if (t->element_size == 8) {
            memcpy(&single, from + 4 * i, 4);
            ((double *)t->data)[i] = (double)single;
        } else {
            memcpy(&wide, from + 8 * i, 8);
            ((float *)t->data)[i] = (float)wide;
        }
    }
}

static HcStatus read_file(File *f) {
    const HcTensor *tensors = f->tensors;
    const int64_t count = f->count;
    bool ours;
    HcStatus status = read_header(f, count);
    if (status != HC_OK)
        return status;
    f->data_bytes = (size_t)f->file_bytes - 8 - f->header_bytes;
    f->element_size = calloc((size_t)count + 1, sizeof *f->element_size);
    f->offset = calloc((size_t)count + 1, sizeof *f->offset);
    if (!f->element_size || !f->offset)
        return hc_fail_memory(f->error, "the checkpoint");
    status = check_metadata(f, &ours);
    for (int64_t k = 0; status == HC_OK && k < count; k++)
        status = check_tensor(f, &tensors[k], k);
    if (status == HC_OK && !f->partial)
        status = check_names(f, tensors, count);
    if (status == HC_OK)
        status = check_tiling(f);
    if (status != HC_OK)
        return status;
    /* from here on the size is what tensors ask for: the model's, or of a file that names them all
     */
    f->data = malloc(f->data_bytes + 1);
    if (!f->data)
        return hc_fail_memory(f->error, "the checkpoint");
    status = read_exactly(f, f->data, f->data_bytes);
    return status == HC_OK && ours ? check_sum(f) : status;
}

static HcStatus open_file(const char *path, const HcTensor *tensors, int64_t count, bool partial,
                          HcTensorFile **file, HcError *error) {
    File *f = *file = calloc(1, sizeof *f);
    if (!f)
        return hc_fail_memory(error, "the checkpoint");
    *f = (File){.path = path,
                .tensors = tensors,
                .count = count,
                .partial = partial,
                .file = -1,
                .error = error};
    HcStatus status = read_file(f);
    if (f->file >= 0)
        close(f->file);
    if (status != HC_OK) {
        hc_tensors_close(f);
        *file = NULL;
    }
    return status;
}

HcStatus hc_tensors_open(const char *path, const HcTensor *tensors, int64_t count,
                         HcTensorFile **file, HcError *error) {
    return open_file(path, tensors, count, false, file, error);
}

HcStatus hc_tensors_open_partial(const char *path, const HcTensor *tensors, int64_t count,
                                 HcTensorFile **file, HcError *error) {
    return open_file(path, tensors, count, true, file, error);
}

int64_t hc_tensors_there(const HcTensorFile *f) {
    int64_t n = 0;
    for (int64_t k = 0; k < f->count; k++)
        n += f->element_size[k] > 0;
    return n;
}

/* "[4, 64]". */
static void say_shape(const json_t *shape, FILE *to) {
    fputc('[', to);
    for (size_t d = 0; d < json_array_size(shape); d++)
        fprintf(to, "%s%lld", d ? ", " : "",
                (long long)json_integer_value(json_array_get(shape, d)));
    fputc(']', to);
}

static void say_missing(const File *f, int64_t k, FILE *to) {
    const HcTensor *t = &f->tensors[k];
    const json_t *entry = json_object_get(f->json, t->name);
    fprintf(to, "  keeps its initial value: %s, ", t->name);
    if (entry) {
        fprintf(to, "which is ");
        say_shape(json_object_get(entry, "shape"), to);
        fprintf(to, " there\n");
    } else {
        fprintf(to, "which is not there\n");
    }
}

HcStatus hc_tensors_say(const File *f, FILE *to) {
    const char *name;
    json_t *entry, *known = json_object();
    bool good = known;
    for (int64_t k = 0; good && k < f->count; k++) {
        good = json_object_set_new(known, f->tensors[k].name, json_true()) == 0;
        if (good && !f->element_size[k])
            say_missing(f, k, to);
    }
    json_object_foreach(f->json, name, entry) {
        if (good && strcmp(name, METADATA) != 0 && !json_object_get(known, name)) {
            json_t *printable = hc_json_text(name);
            fprintf(to, "  not taken: %s\n", printable ? json_string_value(printable) : "?");
            json_decref(printable);
        }
    }
    json_decref(known);
    return good ? HC_OK : hc_fail_memory(f->error, "the checkpoint");
}

const char *hc_tensors_text(const File *f, const char *key) {
    const json_t *metadata = json_object_get(f->json, METADATA);
    return json_string_value(json_object_get(metadata, key));
}

bool hc_tensors_number(const File *f, const char *key, uint64_t *value) {
    const char *text = hc_tensors_text(f, key);
    if (!text || strspn(text, "0123456789") != strlen(text) || !text[0] || strlen(text) > 20)
        return false;
    errno = 0;
    *value = strtoull(text, NULL, 10);
    return errno == 0;
}

uint64_t hc_tensors_file_hash(const File *f) {
    XXH3_state_t hash;
    XXH3_64bits_reset(&hash);
    for (int64_t k = 0; k < f->count; k++)
        hc_hash_values(&hash, f->data + f->offset[k], f->tensors[k].count, f->element_size[k]);
    return XXH3_64bits_digest(&hash);
}

void hc_tensors_take(const File *f) {
    for (int64_t k = 0; k < f->count; k++)
        if (f->element_size[k])
            copy_tensor(f, &f->tensors[k], k);
}

void hc_tensors_close(File *f) {
    if (!f)
        return;
    free(f->header);
    free(f->data);
    free(f->element_size);
    free(f->offset);
    json_decref(f->json);
    free(f);
}
