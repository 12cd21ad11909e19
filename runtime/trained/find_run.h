/* What a run left in its folder. */
#ifndef HC_FIND_RUN_H
#define HC_FIND_RUN_H

#include "runtime/hc.h"

#include <jansson.h>

/* The parameters of a run folder (ckpt/final.safetensors, else those of ckpt/last) or of a
 * checkpoint's folder, or `path` itself when it is a file. *checkpoint is the caller's to free. */
HcStatus hc_find_checkpoint(const char *path, char **checkpoint, HcError *error);
/* Of a run folder: the folder and its newest checkpoint; of one of its checkpoints (RUN/ckpt/NAME):
 * its run, and the checkpoint. Both are the caller's to free, and NULL after a failure. */
HcStatus hc_find_run(const char *path, char **run, char **checkpoint, HcError *error);
/* config.json of a run folder, or of that of a checkpoint in one; the caller releases it. */
HcStatus hc_read_config(const char *run, json_t **config, HcError *error);

#endif
