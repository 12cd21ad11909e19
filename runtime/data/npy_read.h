/* The header of NumPy's .npy. */
#ifndef HC_NPY_READ_H
#define HC_NPY_READ_H

#include "runtime/files/error.h"

#include <stdbool.h>

typedef struct {
    char type[24];                   /* "<u2" */
    bool records;                    /* of several fields: nothing else is known of them */
    bool fortran;                    /* the first index is the fastest */
    int64_t axes, dims[HC_MAX_RANK]; /* of more axes than that the first */
    int64_t offset;                  /* where the numbers begin */
} HcNpyHeader;

/* Whether a file that begins so has one. */
bool hc_is_npy(const uint8_t *head, size_t n);
/* Of an open file. */
HcStatus hc_npy_header(int file, const char *path, HcNpyHeader *header, HcError *error);

#endif
