/* A safetensors file as it lies on the disk, whoever wrote it: eight bytes of header length, a JSON
 * header, then the tensors without a gap. Nothing in it is believed before it was checked. */
#ifndef HC_SAFETENSORS_H
#define HC_SAFETENSORS_H

#include "runtime/files/error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *path; /* the caller's, as long as the file is used */
    int file;
    int64_t file_bytes;
    char *header;
    size_t header_bytes;
    json_t *json;
    bool ours; /* its metadata hold something of ours, so it must carry a checksum */
    uint8_t *data;
    size_t data_bytes;
    HcError *error; /* where failures go, while it is opened and read */
} HcStoredFile;

/* How its numbers are written. */
typedef enum { HC_STORED_F32, HC_STORED_F64, HC_STORED_F16, HC_STORED_BF16 } HcStoredType;
enum { HC_STORED_TYPES = 4 };
extern const char *const hc_stored_types[HC_STORED_TYPES];

/* A tensor of it. */
typedef struct {
    HcStoredType type;
    const json_t *shape;  /* a list of whole numbers, none below 0 */
    int64_t count, begin; /* entries; where it lies in the data */
} HcStored;

typedef enum {
    HC_STORED_GOOD,
    HC_STORED_MALFORMED, /* it lacks a member, or has one that is none */
    HC_STORED_NO_REAL,   /* whole numbers, conditions, or reals of a form of their own */
    HC_STORED_MISPLACED, /* its shape and its offsets do not fit, or lie outside the data */
} HcStoredOutcome;

/* Reads the header alone. tensors: about how many are expected; a header of far more is refused.
 * Whatever comes of it, hc_stored_close frees it. */
HcStatus hc_stored_open(HcStoredFile *file, const char *path, int64_t tensors, HcError *error);
/* Checks that the tensors fill the data without gaps, and reads the data. */
HcStatus hc_stored_read(HcStoredFile *file);
void hc_stored_close(HcStoredFile *file);

/* "checkpoint `PATH`: WHAT". */
HcStatus hc_stored_wrong(const HcStoredFile *file, const char *what);
/* Whether a member of the header is a tensor: all but the metadata. */
bool hc_stored_is_tensor(const char *name);
/* What the header's entry says; where it is good in *tensor. */
HcStoredOutcome hc_stored_entry(const HcStoredFile *file, const json_t *entry, HcStored *tensor);
const json_t *hc_stored_metadata(const HcStoredFile *file);

/* Entries first .. first + count - 1 as floats or doubles (element_size 4 or 8), rounded where the
 * file has more digits. */
void hc_stored_values(const HcStoredFile *file, const HcStored *tensor, int64_t first,
                      int64_t count, void *to, uint32_t element_size);

/* What becomes of a tensor's values as floats. */
typedef struct {
    bool rounded;     /* one has more digits */
    double too_large; /* one that is finite there and would not be; 0: none */
} HcStoredLoss;
HcStoredLoss hc_stored_loss(const HcStoredFile *file, const HcStored *tensor);

#endif
