/* safetensors files: eight bytes of header length, a JSON header, then the tensors without a gap.
 * Ours carry a checksum over header and tensors in their metadata; files of others need none. */
#ifndef HC_CHECKPOINT_H
#define HC_CHECKPOINT_H

#include "runtime/error.h"
#include <jansson.h>
#include <stdbool.h>

typedef struct {
    const char *name;
    void *data;
    uint32_t element_size; /* 4: F32, 8: F64 */
    int32_t rank;
    const int64_t *dims;
    int64_t count;
} HcTensor;

/* metadata: object of strings, may be NULL; the file is complete or not there. */
HcStatus hc_tensors_write(const char *path, const HcTensor *tensors, int64_t count,
                          const json_t *metadata, HcError *error);
/* Reads exactly these tensors (F32 and F64 convert into each other). Nothing is written to them
 * unless the whole file is good. metadata may be NULL, else *metadata is the caller's to release.
 */
HcStatus hc_tensors_read(const char *path, const HcTensor *tensors, int64_t count,
                         json_t **metadata, HcError *error);
/* Writes a text file in the same way: temporary file, sync, rename, sync of the folder. */
HcStatus hc_file_replace(const char *path, const void *bytes, size_t count, HcError *error);

#endif
