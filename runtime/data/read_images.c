/* Pictures and their labels: the IDX format of MNIST and its kin, the binary format of CIFAR-10. */
#include "runtime/data/samples.h"

#include <stdlib.h>
#include <string.h>

/* --- IDX: 0, 0, type, number of axes, extents (32 bits, most significant byte first), elements --
 */

static bool idx_element(uint8_t code, HcStreamElement *element) {
    switch (code) {
    case 0x08:
        *element = HC_U8;
        return true;
    case 0x09:
        *element = HC_I8;
        return true;
    case 0x0b:
        *element = HC_I16;
        return true;
    case 0x0c:
        *element = HC_I32;
        return true;
    case 0x0d:
        *element = HC_F32;
        return true;
    case 0x0e:
        *element = HC_F64;
        return true;
    }
    return false;
}

/* To the byte order of every machine that we run on: least significant first. */
static void swap_bytes(uint8_t *bytes, size_t count, size_t element) {
    for (size_t k = 0; element > 1 && k < count; k++)
        for (size_t i = 0; i < element / 2; i++) {
            uint8_t *low = bytes + k * element + i, *high = bytes + (k + 1) * element - 1 - i;
            const uint8_t swap = *low;
            *low = *high;
            *high = swap;
        }
}

typedef struct {
    HcStreamElement element;
    int32_t rank;
    int64_t samples, dims[HC_MAX_RANK], elements;
    size_t header;
} IdxHeader;

static HcStatus idx_header(const char *path, const uint8_t *bytes, size_t size, IdxHeader *h,
                           HcError *error) {
    *h = (IdxHeader){.elements = 1};
    if (size < 4 || bytes[0] || bytes[1] || !idx_element(bytes[2], &h->element))
        return hc_fail(error, HC_ERROR_DATA,
                       "`%s` is no IDX file: it begins with %02x %02x %02x %02x, not 00 00 and a "
                       "type",
                       path, bytes[0], size > 1 ? bytes[1] : 0, size > 2 ? bytes[2] : 0,
                       size > 3 ? bytes[3] : 0);
    const int axes = bytes[3];
    if (axes < 1 || axes > HC_MAX_RANK + 1)
        return hc_fail(error, HC_ERROR_DATA, "`%s`: an IDX file of %d axes cannot be used", path,
                       axes);
    h->header = 4 + 4 * (size_t)axes;
    if (size < h->header)
        return hc_fail(error, HC_ERROR_DATA, "`%s` is cut short, within its header", path);
    h->rank = axes - 1;
    for (int k = 0; k < axes; k++) {
        const uint8_t *at = bytes + 4 + 4 * k;
        const int64_t extent =
            (int64_t)at[0] << 24 | (int64_t)at[1] << 16 | (int64_t)at[2] << 8 | at[3];
        if (k == 0)
            h->samples = extent;
        else
            h->dims[k - 1] = extent;
        if (k > 0 && (extent == 0 || __builtin_mul_overflow(h->elements, extent, &h->elements)))
            return hc_fail(error, HC_ERROR_DATA, "`%s`: axis %d has %lld entries", path, k,
                           (long long)extent);
    }
    int64_t bytes_wanted;
    if (__builtin_mul_overflow(h->samples, h->elements, &bytes_wanted) ||
        __builtin_mul_overflow(bytes_wanted, (int64_t)hc_stream_element_bytes(h->element),
                               &bytes_wanted) ||
        (uint64_t)bytes_wanted > size - h->header)
        return hc_fail(error, HC_ERROR_DATA,
                       "`%s` is cut short: its header promises %lld samples of %lld elements, the "
                       "file has %zu bytes",
                       path, (long long)h->samples, (long long)h->elements, size);
    if ((uint64_t)bytes_wanted < size - h->header)
        return hc_fail(error, HC_ERROR_DATA, "`%s` has %zu bytes more than its header promises",
                       path, size - h->header - (size_t)bytes_wanted);
    return HC_OK;
}

static bool idx_fits(const HcStream *s, const IdxHeader *h) {
    bool same = s->element == h->element && s->rank == h->rank;
    for (int32_t k = 0; same && k < h->rank; k++)
        same = s->dims[k] == h->dims[k];
    return same;
}

HcStatus hc_read_idx(HcSamples *samples, HcPartFile *file, HcError *error) {
    uint8_t *bytes;
    size_t size = 0;
    IdxHeader h;
    HcStatus status = hc_samples_read(samples, file, &bytes, &size, error);
    if (status == HC_OK)
        status = idx_header(file->path, bytes, size, &h, error);
    HcStream *s = status == HC_OK ? hc_stream(samples, file->stream) : NULL;
    if (status == HC_OK && !s)
        status = hc_fail(error, HC_ERROR_DATA, "data have at most %d streams", HC_MAX_STREAMS);
    if (status == HC_OK && s->samples == 0) {
        s->element = h.element;
        s->rank = h.rank;
        memcpy(s->dims, h.dims, sizeof s->dims);
        s->elements = h.elements;
        s->stride = (size_t)h.elements * hc_stream_element_bytes(h.element);
    }
    if (status == HC_OK && !idx_fits(s, &h))
        status = hc_fail(error, HC_ERROR_DATA,
                         "`%s` differs in shape or type from the files before it", file->path);
    if (status == HC_OK) {
        swap_bytes(bytes + h.header, (size_t)(h.samples * h.elements),
                   hc_stream_element_bytes(h.element));
        status =
            hc_block_append(&samples->blocks[s->block], bytes + h.header, size - h.header, error);
        file->first = s->samples;
        file->count = h.samples;
        s->samples += h.samples;
    }
    free(bytes);
    return status;
}

/* --- CIFAR-10: records of a label and 3 x 32 x 32 bytes ----------------------------------------*/

enum { CIFAR_RECORD = 1 + 3 * 32 * 32 };

HcStatus hc_read_cifar10(HcSamples *samples, HcPartFile *file, HcError *error) {
    uint8_t *bytes;
    size_t size = 0;
    HcStatus status = hc_samples_read(samples, file, &bytes, &size, error);
    if (status == HC_OK && size % CIFAR_RECORD != 0)
        status = hc_fail(error, HC_ERROR_DATA,
                         "`%s` has %zu bytes, which is no multiple of %d: it is cut short, or not "
                         "CIFAR-10's binary form",
                         file->path, size, CIFAR_RECORD);
    for (size_t k = 0; status == HC_OK && k < size; k += CIFAR_RECORD)
        if (bytes[k] > 9)
            status = hc_fail(error, HC_ERROR_DATA,
                             "`%s`: the label of picture %zu is %d, but there are ten (0 to 9)",
                             file->path, k / CIFAR_RECORD, bytes[k]);
    HcStream *labels = hc_stream(samples, "labels"), *images = hc_stream(samples, "images");
    if (status == HC_OK) {
        file->first = labels->samples;
        file->count = (int64_t)(size / CIFAR_RECORD);
        labels->elements = 1;
        images->elements = 3 * 32 * 32;
        images->rank = 3;
        images->dims[0] = 3;
        images->dims[1] = images->dims[2] = 32;
        images->offset = 1;
        images->block = labels->block; /* records hold both */
        labels->stride = images->stride = CIFAR_RECORD;
        labels->samples += file->count;
        images->samples += file->count;
        status = hc_block_append(&samples->blocks[labels->block], bytes, size, error);
    }
    free(bytes);
    return status;
}
