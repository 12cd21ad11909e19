/* Writing checkpoints, and the hash of what tensors hold. */
#include "runtime/files/checkpoint_internal.h"
#include "runtime/files/json.h"
#include "runtime/files/replace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- writing -----------------------------------------------------------------------------------*/

size_t hc_tensor_bytes(const HcTensor *t) {
    return (size_t)t->count * t->element_size;
}

static json_t *header_json(const HcTensor *tensors, int64_t count, const json_t *metadata) {
    json_t *header = json_object();
    json_t *meta = json_object();
    if (metadata) /* json_copy leaves out what there is no memory for, and says nothing */
        hc_json_update(&meta, json_incref((json_t *)(uintptr_t)metadata));
    hc_json_set(&meta, CHECKSUM_KEY, json_string(CHECKSUM_NONE));
    hc_json_set(&header, "__metadata__", meta);
    json_int_t at = 0;
    for (int64_t k = 0; header && k < count; k++) {
        const HcTensor *t = &tensors[k];
        json_int_t end = at + (json_int_t)hc_tensor_bytes(t);
        json_t *entry = json_object(), *shape = json_array(), *offsets = json_array();
        for (int32_t d = 0; d < t->rank; d++)
            hc_json_append(&shape, json_integer(t->dims[d]));
        hc_json_append(&offsets, json_integer(at));
        hc_json_append(&offsets, json_integer(end));
        hc_json_set(&entry, "dtype", json_string(t->element_size == 8 ? "F64" : "F32"));
        hc_json_set(&entry, "shape", shape);
        hc_json_set(&entry, "data_offsets", offsets);
        hc_json_set(&header, t->name, entry);
        at = end;
    }
    return header;
}

/* The header as bytes, padded with spaces to a multiple of eight, checksum still zero. */
static char *header_text(const HcTensor *tensors, int64_t count, const json_t *metadata,
                         size_t *size) {
    json_t *json = header_json(tensors, count, metadata);
    char *text = hc_json_dump(json, JSON_COMPACT);
    json_decref(json);
    if (!text)
        return NULL;
    size_t length = strlen(text);
    *size = (length + 7) / 8 * 8;
    char *padded = realloc(text, *size + 1);
    if (!padded) {
        free(text);
        return NULL;
    }
    memset(padded + length, ' ', *size - length);
    padded[*size] = 0;
    return padded;
}

char *hc_find_checksum(char *header, size_t size) {
    static const char before[] = "\"" CHECKSUM_KEY "\":\"";
    char *at = memmem(header, size, before, sizeof before - 1);
    if (!at || (size_t)(header + size - at) < sizeof before - 1 + CHECKSUM_DIGITS)
        return NULL;
    return at + sizeof before - 1;
}

static HcStatus put_tensors(HcWriter *w, const HcTensor *tensors, int64_t count,
                            HcTensorFetch *fetch, void *user, XXH3_state_t *hash) {
    HcStatus status = HC_OK;
    for (int64_t k = 0; status == HC_OK && k < count; k++) {
        const void *data = tensors[k].data;
        if (fetch)
            status = fetch(user, k, &data, w->error);
        if (status != HC_OK)
            break;
        XXH3_64bits_update(hash, data, hc_tensor_bytes(&tensors[k]));
        status = hc_writer_put(w, data, hc_tensor_bytes(&tensors[k]));
    }
    return status;
}

/* The checksum is of all that follows it: it is written last, in its place. */
static HcStatus put_file(HcWriter *w, const HcTensor *tensors, int64_t count, HcTensorFetch *fetch,
                         void *user, const char *header, size_t size, size_t digits) {
    uint8_t length[8];
    char text[CHECKSUM_DIGITS + 1];
    XXH3_state_t hash;
    XXH3_64bits_reset(&hash);
    XXH3_64bits_update(&hash, header, size);
    for (int k = 0; k < 8; k++)
        length[k] = (uint8_t)((uint64_t)size >> (8 * k));
    HcStatus status = hc_writer_put(w, length, sizeof length);
    if (status == HC_OK)
        status = hc_writer_put(w, header, size);
    if (status == HC_OK)
        status = put_tensors(w, tensors, count, fetch, user, &hash);
    snprintf(text, sizeof text, "%016llx", (unsigned long long)XXH3_64bits_digest(&hash));
    return status == HC_OK ? hc_writer_put_at(w, sizeof length + digits, text, CHECKSUM_DIGITS)
                           : status;
}

HcStatus hc_tensors_write_fetched(const char *path, const HcTensor *tensors, int64_t count,
                                  HcTensorFetch *fetch, void *user, const json_t *metadata,
                                  HcError *error) {
    size_t size = 0;
    char *header = header_text(tensors, count, metadata, &size);
    const char *digits = header ? hc_find_checksum(header, size) : NULL;
    if (!digits) {
        free(header);
        return hc_fail_memory(error, "the checkpoint's header");
    }
    HcWriter w;
    HcStatus status = hc_writer_open(&w, path, error);
    if (status == HC_OK) {
        status = put_file(&w, tensors, count, fetch, user, header, size, (size_t)(digits - header));
        status = hc_writer_close(&w, status);
    }
    free(header);
    return status;
}

HcStatus hc_tensors_write(const char *path, const HcTensor *tensors, int64_t count,
                          const json_t *metadata, HcError *error) {
    return hc_tensors_write_fetched(path, tensors, count, NULL, NULL, metadata, error);
}

/* --- what tensors hold -------------------------------------------------------------------------*/

void hc_hash_values(XXH3_state_t *hash, const void *values, int64_t count, uint32_t element_size) {
    float rounded[1024];
    if (element_size == sizeof(float)) {
        XXH3_64bits_update(hash, values, (size_t)count * sizeof(float));
        return;
    }
    for (int64_t k = 0; k < count; k += 1024) {
        int64_t n = count - k < 1024 ? count - k : 1024;
        for (int64_t i = 0; i < n; i++) {
            double wide; /* in a file it may lie anywhere */
            memcpy(&wide, (const uint8_t *)values + 8 * (k + i), 8);
            rounded[i] = (float)wide;
        }
        XXH3_64bits_update(hash, rounded, (size_t)n * sizeof(float));
    }
}

uint64_t hc_tensors_hash(const HcTensor *tensors, int64_t count) {
    XXH3_state_t hash;
    XXH3_64bits_reset(&hash);
    for (int64_t k = 0; k < count; k++)
        hc_hash_values(&hash, tensors[k].data, tensors[k].count, tensors[k].element_size);
    return XXH3_64bits_digest(&hash);
}
