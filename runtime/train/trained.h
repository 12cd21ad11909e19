/* Models as training left them. */
#ifndef HC_TRAINED_H
#define HC_TRAINED_H

#include "runtime/run/context.h"

/* A context with the parameters of a checkpoint (as for hc_find_checkpoint), whose forward passes
 * are not those of training. samples: 0: the recipe's. */
HcStatus hc_open_trained(const HcModel *model, const char *path, int32_t threads, int64_t samples,
                         HcContext **context, HcError *error);

#endif
