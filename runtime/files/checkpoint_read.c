/* Reading checkpoints: everything is checked before anything is taken. */
#include "runtime/files/checkpoint_internal.h"
#include "runtime/files/json.h"
#include "runtime/files/safetensors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tensor as the file has it; `shape` NULL: not there, or not in this shape. */
typedef HcStored There;

typedef struct HcTensorFile {
    HcStoredFile stored;
    const HcTensor *tensors;
    int64_t count;
    bool partial;    /* it need not hold all of the tensors, and may hold others */
    There *there;    /* per tensor */
    int64_t rounded; /* how many of them lose digits in the model's precision */
    HcError *error;
} File;

static HcStatus tensor_wrong(File *f, const HcTensor *t, const char *what) {
    return hc_fail(f->error, HC_ERROR_CHECKPOINT, "checkpoint `%s`: tensor `%s` %s", f->stored.path,
                   t->name, what);
}

static bool same_shape(const HcTensor *t, const json_t *shape) {
    bool same = json_array_size(shape) == (size_t)t->rank;
    for (int32_t d = 0; same && d < t->rank; d++) {
        const json_t *dim = json_array_get(shape, (size_t)d);
        same = json_is_integer(dim) && json_integer_value(dim) == t->dims[d];
    }
    return same;
}

/* Type, shape and place of one tensor. */
static HcStatus check_tensor(File *f, const HcTensor *t, int64_t k) {
    const json_t *entry = json_object_get(f->stored.json, t->name);
    There there;
    if (!entry && f->partial)
        return HC_OK;
    if (!entry)
        return tensor_wrong(f, t, "is missing: it belongs to another model");
    const HcStoredOutcome outcome = hc_stored_entry(&f->stored, entry, &there);
    if (outcome == HC_STORED_MALFORMED)
        return tensor_wrong(f, t, "has a malformed entry");
    if (outcome == HC_STORED_NO_REAL)
        return tensor_wrong(f, t, "is none of F32, F64, F16 and BF16");
    const bool same = same_shape(t, json_object_get(entry, "shape"));
    if (!same && f->partial)
        return HC_OK;
    if (!same)
        return tensor_wrong(f, t, "has another shape than the model's");
    if (outcome == HC_STORED_MISPLACED)
        return tensor_wrong(f, t, "has wrong offsets");
    f->there[k] = there;
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
    json_object_foreach(f->stored.json, name, entry) {
        if (status == HC_OK && hc_stored_is_tensor(name) && !json_object_get(known, name))
            status = hc_fail(f->error, HC_ERROR_CHECKPOINT,
                             "checkpoint `%s`: the model has no tensor `%s`", f->stored.path, name);
    }
    json_decref(known);
    return status;
}

/* What the model's precision does to the values. */
static HcStatus check_precision(File *f) {
    for (int64_t k = 0; k < f->count; k++) {
        const HcTensor *t = &f->tensors[k];
        if (!f->there[k].shape || t->element_size != sizeof(float))
            continue;
        const HcStoredLoss loss = hc_stored_loss(&f->stored, &f->there[k]);
        if (loss.too_large != 0)
            return hc_fail(f->error, HC_ERROR_CHECKPOINT,
                           "checkpoint `%s`: tensor `%s` holds %g, which is too large for f32",
                           f->stored.path, t->name, loss.too_large);
        f->rounded += loss.rounded;
    }
    return HC_OK;
}

static HcStatus read_file(File *f, const char *path) {
    HcStatus status = hc_stored_open(&f->stored, path, f->count, f->error);
    f->there = calloc((size_t)f->count + 1, sizeof *f->there);
    if (status == HC_OK && !f->there)
        return hc_fail_memory(f->error, "the checkpoint");
    for (int64_t k = 0; status == HC_OK && k < f->count; k++)
        status = check_tensor(f, &f->tensors[k], k);
    if (status == HC_OK && !f->partial)
        status = check_names(f, f->tensors, f->count);
    if (status == HC_OK)
        status = hc_stored_read(&f->stored);
    return status == HC_OK ? check_precision(f) : status;
}

static HcStatus open_file(const char *path, const HcTensor *tensors, int64_t count, bool partial,
                          HcTensorFile **file, HcError *error) {
    File *f = *file = calloc(1, sizeof *f);
    if (!f)
        return hc_fail_memory(error, "the checkpoint");
    *f = (File){.tensors = tensors, .count = count, .partial = partial, .error = error};
    HcStatus status = read_file(f, path);
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
        n += f->there[k].shape != NULL;
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
    const json_t *entry = json_object_get(f->stored.json, t->name);
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
        if (good && !f->there[k].shape)
            say_missing(f, k, to);
    }
    json_object_foreach(f->stored.json, name, entry) {
        if (good && hc_stored_is_tensor(name) && !json_object_get(known, name)) {
            json_t *printable = hc_json_text(name);
            fprintf(to, "  not taken: %s\n", printable ? json_string_value(printable) : "?");
            json_decref(printable);
        }
    }
    json_decref(known);
    if (f->rounded > 0)
        fprintf(to, "  rounded from F64 to f32: %lld tensor%s\n", (long long)f->rounded,
                f->rounded == 1 ? "" : "s");
    return good ? HC_OK : hc_fail_memory(f->error, "the checkpoint");
}

const char *hc_tensors_text(const File *f, const char *key) {
    return json_string_value(json_object_get(hc_stored_metadata(&f->stored), key));
}

bool hc_tensors_number(const File *f, const char *key, uint64_t *value) {
    const char *text = hc_tensors_text(f, key);
    if (!text || strspn(text, "0123456789") != strlen(text) || !text[0] || strlen(text) > 20)
        return false;
    errno = 0;
    *value = strtoull(text, NULL, 10);
    return errno == 0;
}

int64_t hc_tensors_rounded(const File *f) {
    return f->rounded;
}

uint64_t hc_tensors_file_hash(const File *f) {
    enum { CHUNK = 1024 };
    float values[CHUNK];
    XXH3_state_t hash;
    XXH3_64bits_reset(&hash);
    for (int64_t k = 0; k < f->count; k++) {
        const There *t = &f->there[k];
        for (int64_t at = 0; at < t->count; at += CHUNK) {
            const int64_t n = t->count - at < CHUNK ? t->count - at : CHUNK;
            hc_stored_values(&f->stored, t, at, n, values, sizeof *values);
            hc_hash_values(&hash, values, n, sizeof *values);
        }
    }
    return XXH3_64bits_digest(&hash);
}

void hc_tensors_take(const File *f) {
    for (int64_t k = 0; k < f->count; k++) {
        const HcTensor *t = &f->tensors[k];
        if (f->there[k].shape)
            hc_stored_values(&f->stored, &f->there[k], 0, t->count, t->data, t->element_size);
    }
}

void hc_tensors_take_some(const File *f, int64_t k, int64_t first, int64_t count, void *to) {
    hc_stored_values(&f->stored, &f->there[k], first, count, to, f->tensors[k].element_size);
}

void hc_tensors_close(File *f) {
    if (!f)
        return;
    hc_stored_close(&f->stored);
    free(f->there);
    free(f);
}
