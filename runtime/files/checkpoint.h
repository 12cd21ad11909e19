/* safetensors files: eight bytes of header length, a JSON header, then the tensors without a gap.
 * Ours carry a checksum over header and tensors in their metadata; files of others need none. */
#ifndef HC_CHECKPOINT_H
#define HC_CHECKPOINT_H

#include "runtime/files/error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Of a checkpoint's folder. */
#define HC_PARAMETERS_FILE "parameters.safetensors"
#define HC_STATE_FILE "state.safetensors"

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
/* Brings the k-th tensor's values to memory, where they stay until the next are asked for. */
typedef HcStatus HcTensorFetch(void *user, int64_t k, const void **data, HcError *error);
/* The same, with values that are fetched one tensor after the other. */
HcStatus hc_tensors_write_fetched(const char *path, const HcTensor *tensors, int64_t count,
                                  HcTensorFetch *fetch, void *user, const json_t *metadata,
                                  HcError *error);
/* XXH3 of the tensors' values in this order, as floats: the same in either precision. */
uint64_t hc_tensors_hash(const HcTensor *tensors, int64_t count);

/* A file that was read whole and found good. */
typedef struct HcTensorFile HcTensorFile;

/* The file must hold exactly these tensors, each as F32, F64, F16 or BF16, which become the
 * tensor's own precision; what is finite in the file and would not be there is refused. After a
 * failure *file is NULL. */
HcStatus hc_tensors_open(const char *path, const HcTensor *tensors, int64_t count,
                         HcTensorFile **file, HcError *error);
/* The file may be another model's: it is good for those of these tensors that it holds in their
 * shapes. */
HcStatus hc_tensors_open_partial(const char *path, const HcTensor *tensors, int64_t count,
                                 HcTensorFile **file, HcError *error);
/* How many of the tensors it holds. */
int64_t hc_tensors_there(const HcTensorFile *file);
/* How many of them have more digits in it than the tensors take. */
int64_t hc_tensors_rounded(const HcTensorFile *file);
/* A line for each tensor that it does not hold, and for each that it holds besides; and one that
 * says how many lose digits. */
HcStatus hc_tensors_say(const HcTensorFile *file, FILE *to);
/* A text of the file's metadata, which lives as long as the file; NULL: there is none. */
const char *hc_tensors_text(const HcTensorFile *file, const char *key);
/* A number of the file's metadata, as we write it. */
bool hc_tensors_number(const HcTensorFile *file, const char *key, uint64_t *value);
/* Of what it holds, like hc_tensors_hash. */
uint64_t hc_tensors_file_hash(const HcTensorFile *file);
/* Writes the file's values into the tensors it was opened with. */
void hc_tensors_take(const HcTensorFile *file);
/* Some values of the k-th, which it holds: entries first .. first + count - 1. */
void hc_tensors_take_some(const HcTensorFile *file, int64_t k, int64_t first, int64_t count,
                          void *to);
void hc_tensors_close(HcTensorFile *file); /* NULL is fine */

/* The parameters' file of a checkpoint's folder, or of what stands in for it while it is replaced
 * (replace.h); the caller frees it. NULL: out of memory. */
char *hc_checkpoint_parameters(const char *folder);
/* Whether a file is that of a checkpoint's folder, so that its state lies beside it. */
bool hc_is_checkpoints(const char *parameters);

#endif
