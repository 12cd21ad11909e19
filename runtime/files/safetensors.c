#include "runtime/files/safetensors.h"
#include "runtime/files/checkpoint_internal.h"
#include "runtime/files/json_read.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
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
    CHUNK = 1024,
};

typedef HcStoredFile File;

const char *const hc_stored_types[HC_STORED_TYPES] = {"F32", "F64", "F16", "BF16"};
static const uint8_t type_bytes[HC_STORED_TYPES] = {4, 8, 2, 2};

HcStatus hc_stored_wrong(const File *f, const char *what) {
    return hc_fail(f->error, HC_ERROR_CHECKPOINT, "checkpoint `%s`: %s", f->path, what);
}

static HcStatus read_exactly(File *f, void *to, size_t count) {
    uint8_t *at = to;
    while (count > 0) {
        ssize_t n = read(f->file, at, count < 1 << 30 ? count : 1 << 30);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hc_stored_wrong(f, strerror(errno));
        if (n == 0)
            return hc_stored_wrong(f, "it ends too early");
        at += n;
        count -= (size_t)n;
    }
    return HC_OK;
}

/* --- the header --------------------------------------------------------------------------------*/

static HcStatus open_regular(File *f) {
    struct stat info;
    f->file = open(f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* never wait for a pipe */
    if (f->file < 0 || fstat(f->file, &info) != 0)
        return hc_stored_wrong(f, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return hc_stored_wrong(f, "it is not a file");
    f->file_bytes = info.st_size;
    return HC_OK;
}

static HcStatus read_header(File *f) {
    uint8_t length[8];
    uint64_t size = 0;
    if (f->file_bytes < 8)
        return hc_stored_wrong(f, "it is too short to be a safetensors file");
    HcStatus status = read_exactly(f, length, sizeof length);
    for (int k = 7; k >= 0; k--)
        size = size << 8 | length[k];
    if (status != HC_OK)
        return status;
    if (size < 2 || size > MAX_HEADER || size > (uint64_t)f->file_bytes - 8)
        return hc_stored_wrong(f, "it is not a safetensors file, or it is cut off in its header");
    f->header_bytes = size;
    f->data_bytes = (size_t)f->file_bytes - 8 - size;
    f->header = malloc(size + 1);
    if (!f->header)
        return hc_fail_memory(f->error, "the checkpoint's header");
    f->header[size] = 0;
    return read_exactly(f, f->header, size);
}

static HcStatus parse_header(File *f, int64_t tensors) {
    HcJsonRead read;
    f->json = hc_json_read(f->header, f->header_bytes,
                           VALUES_BESIDE + VALUES_A_TENSOR * (uint64_t)tensors, &read);
    if (read.outcome == HC_JSON_NO_MEMORY)
        return hc_fail_memory(f->error, "the checkpoint's header");
    if (read.outcome == HC_JSON_TOO_MANY)
        return hc_stored_wrong(f, "its header holds far more than the model has tensors");
    if (read.outcome == HC_JSON_WRONG)
        return hc_fail(f->error, HC_ERROR_CHECKPOINT, "checkpoint `%s`: its header is damaged: %s",
                       f->path, read.what);
    return json_is_object(f->json) ? HC_OK : hc_stored_wrong(f, "its header is no JSON object");
}

const json_t *hc_stored_metadata(const File *f) {
    return json_object_get(f->json, METADATA);
}

static HcStatus check_metadata(File *f) {
    json_t *metadata = json_object_get(f->json, METADATA), *value;
    const char *key;
    if (metadata && !json_is_object(metadata))
        return hc_stored_wrong(f, "its metadata is not an object");
    json_object_foreach(metadata, key, value) {
        if (!json_is_string(value))
            return hc_stored_wrong(f, "its metadata holds something that is not a string");
        f->ours |= strncmp(key, "hcc.", 4) == 0;
    }
    return HC_OK;
}

HcStatus hc_stored_open(File *f, const char *path, int64_t tensors, HcError *error) {
    *f = (File){.path = path, .file = -1, .error = error};
    HcStatus status = open_regular(f);
    if (status == HC_OK)
        status = read_header(f);
    if (status == HC_OK)
        status = parse_header(f, tensors);
    return status == HC_OK ? check_metadata(f) : status;
}

/* --- tensors -----------------------------------------------------------------------------------*/

bool hc_stored_is_tensor(const char *name) {
    return strcmp(name, METADATA) != 0;
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

/* Entries of a shape; -1: it is none, or of more than anything that is in memory. */
static int64_t count_entries(const json_t *shape) {
    int64_t count = 1;
    for (size_t d = 0; d < json_array_size(shape); d++) {
        const json_t *dim = json_array_get(shape, d);
        const int64_t n = json_is_integer(dim) ? json_integer_value(dim) : -1;
        if (n < 0 || __builtin_mul_overflow(count, n, &count) || count > INT64_MAX / 8)
            return -1;
    }
    return count;
}

HcStoredOutcome hc_stored_entry(const File *f, const json_t *entry, HcStored *t) {
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    const json_t *shape = json_object_get(entry, "shape");
    Range range;
    int kind = 0;
    if (!type || !json_is_array(shape) ||
        json_array_size(json_object_get(entry, "data_offsets")) != 2)
        return HC_STORED_MALFORMED;
    while (kind < HC_STORED_TYPES && strcmp(type, hc_stored_types[kind]) != 0)
        kind++;
    if (kind == HC_STORED_TYPES)
        return HC_STORED_NO_REAL;
    *t = (HcStored){.type = (HcStoredType)kind, .shape = shape, .count = count_entries(shape)};
    if (t->count < 0 || !read_range(f, entry, &range) ||
        range.end - range.begin != t->count * type_bytes[kind])
        return HC_STORED_MISPLACED;
    t->begin = range.begin;
    return HC_STORED_GOOD;
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
        if (hc_stored_is_tensor(name))
            good &= read_range(f, entry, &ranges[count++]);
    }
    qsort(ranges, count, sizeof *ranges, by_begin);
    int64_t at = 0;
    for (size_t k = 0; k < count && at >= 0; k++)
        at = ranges[k].begin == at ? ranges[k].end : -1;
    free(ranges);
    if (!good)
        return hc_stored_wrong(f, "a tensor has wrong offsets");
    if (at < 0)
        return hc_stored_wrong(f, "its tensors overlap or leave gaps");
    if (at != (int64_t)f->data_bytes)
        return hc_stored_wrong(f, at < (int64_t)f->data_bytes ? "bytes follow its last tensor"
                                                              : "it ends too early");
    return HC_OK;
}

/* --- the data ----------------------------------------------------------------------------------*/

/* Files that carry any metadata of ours must carry the checksum too. */
static HcStatus check_sum(File *f) {
    const char *stored = json_string_value(json_object_get(hc_stored_metadata(f), CHECKSUM_KEY));
    char *digits = hc_find_checksum(f->header, f->header_bytes);
    if (!stored || !digits || strlen(stored) != CHECKSUM_DIGITS ||
        memcmp(digits, stored, CHECKSUM_DIGITS) != 0)
        return hc_stored_wrong(f, "its checksum is missing or malformed");
    memcpy(digits, CHECKSUM_NONE, CHECKSUM_DIGITS);
    XXH3_state_t hash;
    XXH3_64bits_reset(&hash);
    XXH3_64bits_update(&hash, f->header, f->header_bytes);
    XXH3_64bits_update(&hash, f->data, f->data_bytes);
    char text[CHECKSUM_DIGITS + 1];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)XXH3_64bits_digest(&hash));
    return strcmp(text, stored) == 0 ? HC_OK
                                     : hc_stored_wrong(f, "it is damaged: its checksum differs");
}

HcStatus hc_stored_read(File *f) {
    HcStatus status = check_tiling(f);
    if (status != HC_OK)
        return status;
    /* from here on the size is what tensors ask for: the model's, or of a file that names them all
     */
    f->data = malloc(f->data_bytes + 1);
    if (!f->data)
        return hc_fail_memory(f->error, "the checkpoint");
    status = read_exactly(f, f->data, f->data_bytes);
    return status == HC_OK && f->ours ? check_sum(f) : status;
}

void hc_stored_close(File *f) {
    if (f->file >= 0)
        close(f->file);
    free(f->header);
    free(f->data);
    json_decref(f->json);
    *f = (File){.file = -1};
}

/* --- numbers -----------------------------------------------------------------------------------*/

static float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Every half is a float. */
static float float_of_half(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31,
                   mantissa = half & 1023;
    if (exponent == 31) /* infinite, or no number */
        return float_of_bits(sign | 0x7f800000 | mantissa << 13);
    if (exponent > 0)
        return float_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
    const float small = (float)mantissa * 0x1p-24F; /* exact */
    return sign ? -small : small;
}

static float float_of(const uint8_t *from, HcStoredType type) {
    uint16_t half;
    float value;
    double wide;
    switch (type) {
    case HC_STORED_F64:
        memcpy(&wide, from, sizeof wide);
        return (float)wide;
    case HC_STORED_F16:
        memcpy(&half, from, sizeof half);
        return float_of_half(half);
    case HC_STORED_BF16:
        memcpy(&half, from, sizeof half);
        return float_of_bits((uint32_t)half << 16);
    case HC_STORED_F32:
        break;
    }
    memcpy(&value, from, sizeof value);
    return value;
}

void hc_stored_values(const File *f, const HcStored *t, int64_t first, int64_t count, void *to,
                      uint32_t element_size) {
    const uint32_t size = type_bytes[t->type];
    const uint8_t *from = f->data + t->begin + first * size;
    if (count == 0)
        return;
    if (size == element_size) {
        memcpy(to, from, (size_t)count * size);
        return;
    }
    for (int64_t k = 0; k < count; k++, from += size) {
        if (element_size == sizeof(float))
            ((float *)to)[k] = float_of(from, t->type);
        else
            ((double *)to)[k] = (double)float_of(from, t->type); /* F64 is copied above */
    }
}

HcStoredLoss hc_stored_loss(const File *f, const HcStored *t) {
    HcStoredLoss loss = {0};
    double wide[CHUNK];
    for (int64_t k = 0; t->type == HC_STORED_F64 && k < t->count; k += CHUNK) {
        const int64_t n = t->count - k < CHUNK ? t->count - k : CHUNK;
        hc_stored_values(f, t, k, n, wide, sizeof *wide);
        for (int64_t i = 0; i < n; i++) {
            const double single = (double)(float)wide[i];
            loss.rounded |= single != wide[i] && !isnan(wide[i]);
            if (isfinite(wide[i]) && !isfinite(single))
                loss.too_large = wide[i];
        }
    }
    return loss;
}
