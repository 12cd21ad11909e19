/* What readers append to: streams, blocks of bytes, and the hash of what was read. */
#include "runtime/data/read_file.h"
#include "runtime/data/samples.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

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

HcStatus hc_samples_read(HcSamples *samples, HcPartFile *file, uint8_t **bytes, size_t *size,
                         HcError *error) {
    HcStatus status = hc_read_file(file->path, bytes, size, error);
    if (status != HC_OK)
        return status;
    samples->hash = XXH3_64bits_withSeed(*bytes, *size, samples->hash);
    file->hash = XXH3_64bits(*bytes, *size);
    status = hc_part_file_check(file, samples->request, error);
    if (status != HC_OK) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}
