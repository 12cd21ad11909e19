#include "runtime/train/trained.h"
#include "runtime/run/context.h"
#include "runtime/train/train.h"

#include <stdlib.h>

HcStatus hc_open_trained(const HcModel *model, const char *path, int32_t threads, int64_t samples,
                         HcContext **context, HcError *error) {
    char *checkpoint;
    *context = NULL;
    HcStatus status = hc_find_checkpoint(path, &checkpoint, error);
    if (status != HC_OK)
        return status;
    HcOptions options = {.threads = threads, .samples = samples};
    status = hc_create(model, &options, context, error);
    if (status == HC_OK && (status = hc_load_evaluated(*context, checkpoint)) != HC_OK && error)
        *error = (*context)->error;
    free(checkpoint);
    if (status == HC_OK)
        hc_set_training(*context, 0);
    return status;
}
