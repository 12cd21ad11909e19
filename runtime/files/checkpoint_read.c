/* Reading checkpoints: everything is checked before anything is taken. */
#include "runtime/files/checkpoint_internal.h"
#include "runtime/files/json_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    uint32_t *element_size; /* as stored, per tensor */
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

/* Type, shape and place of one tensor. */
static HcStatus check_tensor(File *f, const HcTensor *t, int64_t k) {
    const json_t *entry = json_object_get(f->json, t->name);
    if (!entry)
        return tensor_wrong(f, t, "is missing: it belongs to another model");
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    const json_t *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    if (!type || !json_is_array(shape) || json_array_size(offsets) != 2)
        return tensor_wrong(f, t, "has a malformed entry");
    if (strcmp(type, "F32") != 0 && strcmp(type, "F64") != 0)
        return tensor_wrong(f, t, "is neither F32 nor F64");
    f->element_size[k] = strcmp(type, "F64") == 0 ? 8 : 4;
    bool same = json_array_size(shape) == (size_t)t->rank;
    for (int32_t d = 0; same && d < t->rank; d++) {
        const json_t *dim = json_array_get(shape, (size_t)d);
        same = json_is_integer(dim) && json_integer_value(dim) == t->dims[d];
    }
    if (!same)
        return tensor_wrong(f, t, "has another shape than the model's");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (!json_is_integer(begin) || !json_is_integer(end) || json_integer_value(begin) < 0 ||
        json_integer_value(end) < json_integer_value(begin) ||
        json_integer_value(end) > (json_int_t)f->data_bytes ||
        json_integer_value(end) - json_integer_value(begin) != t->count * f->element_size[k])
        return tensor_wrong(f, t, "has wrong offsets");
    f->offset[k] = json_integer_value(begin);
    return HC_OK;
}

typedef struct {
    int64_t begin, end;
} Range;

static int by_begin(const void *a, const void *b) {
    const Range *x = a, *y = b;
    return x->begin < y->begin   ? -1
           : x->begin > y->begin ? 1
           : x->end < y->end     ? -1
                                 : x->end > y->end;
}

/* Tensors must tile the data: no gap, no overlap, nothing behind. */
static HcStatus check_tiling(File *f, const HcTensor *tensors, int64_t count) {
    Range *ranges = calloc((size_t)count + 1, sizeof *ranges);
    if (!ranges)
        return hc_fail_memory(f->error, "the checkpoint");
    for (int64_t k = 0; k < count; k++)
        ranges[k] = (Range){f->offset[k], f->offset[k] + tensors[k].count * f->element_size[k]};
    qsort(ranges, (size_t)count, sizeof *ranges, by_begin);
    int64_t at = 0;
    for (int64_t k = 0; k < count && at >= 0; k++)
        at = ranges[k].begin == at ? ranges[k].end : -1;
    free(ranges);
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
        if (status == HC_OK && strcmp(name, "__metadata__") != 0 && !json_object_get(known, name))
            status = hc_fail(f->error, HC_ERROR_CHECKPOINT,
                             "checkpoint `%s`: the model has no tensor `%s`", f->path, name);
    }
    json_decref(known);
    return status;
}

static HcStatus check_metadata(File *f, bool *ours) {
    json_t *metadata = json_object_get(f->json, "__metadata__"), *value;
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
    const json_t *metadata = json_object_get(f->json, "__metadata__");
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
    if (status == HC_OK)
        status = check_names(f, tensors, count);
    if (status == HC_OK)
        status = check_tiling(f, tensors, count);
    if (status != HC_OK)
        return status;
    /* from here on the size is what the model itself asks for */
    f->data = malloc(f->data_bytes + 1);
    if (!f->data)
        return hc_fail_memory(f->error, "the checkpoint");
    status = read_exactly(f, f->data, f->data_bytes);
    return status == HC_OK && ours ? check_sum(f) : status;
}

HcStatus hc_tensors_open(const char *path, const HcTensor *tensors, int64_t count,
                         HcTensorFile **file, HcError *error) {
    File *f = *file = calloc(1, sizeof *f);
    if (!f)
        return hc_fail_memory(error, "the checkpoint");
    *f = (File){.path = path, .tensors = tensors, .count = count, .file = -1, .error = error};
    HcStatus status = read_file(f);
    if (f->file >= 0)
        close(f->file);
    if (status != HC_OK) {
        hc_tensors_close(f);
        *file = NULL;
    }
    return status;
}

const char *hc_tensors_text(const File *f, const char *key) {
    const json_t *metadata = json_object_get(f->json, "__metadata__");
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
