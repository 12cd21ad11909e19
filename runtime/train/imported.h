/* A run that was trained elsewhere: its parameters and what its model is compiled from, without a
 * log and without data of its own. */
#ifndef HC_IMPORTED_H
#define HC_IMPORTED_H

#include "runtime/files/checkpoint.h"

typedef struct {
    const char *run; /* its folder */
    int force;       /* replace a run that is there */
    const char *model, *from, *map;
    const char *config_extra; /* text of a JSON object: joins config.json */
    const HcTensor *tensors;
    int64_t count;
    const json_t *metadata; /* of its parameters' file */
} HcImported;

HcStatus hc_write_imported(const HcImported *imported, HcError *error);

#endif
