/* What a run has learnt, without its model: names, shapes and values. */
#ifndef HC_STORED_PARAMETERS_H
#define HC_STORED_PARAMETERS_H

#include "runtime/files/tensor_list.h"

/* Of a run, a checkpoint or a file, as it is evaluated: of a checkpoint with a moving average that
 * is the average. *file is what was read, the caller's to free. */
HcStatus hc_stored_parameters(HcTensorList *list, const char *path, char **file, HcError *error);

#endif
