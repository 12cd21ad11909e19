/* Models as training left them. */
#ifndef HC_TRAINED_H
#define HC_TRAINED_H

#include "runtime/data/data.h"
#include "runtime/trained/eval.h"

/* A context with the parameters of a checkpoint (as for hc_find_checkpoint), whose forward passes
 * are not those of training. samples: 0: the recipe's. */
HcStatus hc_open_trained(const HcModel *model, const char *path, int32_t threads, int64_t samples,
                         HcContext **context, HcError *error);

/* What a run has trained, and the data to try it on. */
typedef struct HcTrained {
    HcContext *context;
    HcData data;
    json_t *config;
} HcTrained;

/* of: what its numbers are, for warnings: "its losses". Whatever comes of it, hc_trained_close
 * frees it. */
HcStatus hc_trained_open(const HcModel *model, const HcEvalOptions *options, const char *of,
                         HcTrained *trained, HcError *error);
void hc_trained_close(HcTrained *trained);
/* Over all that is held out. */
HcStatus hc_trained_evaluate(HcTrained *trained, HcEvaluation *evaluation, HcError *error);
/* Fails where nothing is held out. */
HcStatus hc_trained_holds_out(const HcTrained *trained, HcError *error);

#endif
