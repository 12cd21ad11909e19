/* Text as bytes: files and folders, a held-out tail, batches drawn from (seed, step) alone. */
#ifndef HC_DATA_H
#define HC_DATA_H

#include "runtime/context.h"

typedef struct {
    uint8_t *bytes;
    int64_t count;
    int64_t train_count; /* the first floor(count * (1 - held_out)); the rest is held out */
    uint64_t hash;       /* XXH3 of all bytes */
    int64_t files;
} HcData;

typedef enum { HC_TRAIN_PART, HC_HELD_OUT_PART } HcPart;

/* A file, or a folder: all regular files below it, names sorted as bytes, hidden ones skipped. */
HcStatus hc_data_load(HcData *data, const char *path, double held_out, HcError *error);
void hc_data_free(HcData *data);
/* Whether a model can read windows of `positions` from both parts: bindings, lengths, vocabulary.
 * held_out: whether the held-out part must hold a window too. */
HcStatus hc_data_check(const HcData *data, const HcPlan *plan, int64_t positions, bool held_out,
                       HcError *error);
/* First and last start of a window inside a part; last < first: none fits. */
void hc_data_starts(const HcData *data, const HcPlan *plan, int64_t positions, HcPart part,
                    int64_t *first, int64_t *last);
/* Start of sample `sample` of the batch of `step`: uniform over the training part's starts. */
int64_t hc_batch_start(const HcData *data, const HcPlan *plan, int64_t positions, uint64_t seed,
                       int64_t step, int64_t sample);
/* Fills the bound inputs' memory of one sample with the window at `start`. */
void hc_data_fill(const HcData *data, HcContext *context, int64_t sample, int64_t start);
/* The whole batch of a step. */
void hc_data_batch(const HcData *data, HcContext *context, uint64_t seed, int64_t step);
/* Mean loss over the held-out part in windows that do not overlap, each of the full context; a last
 * piece shorter than that is left out. `training` is 0. Restores the context. windows may be NULL.
 */
HcStatus hc_data_evaluate(const HcData *data, HcContext *context, int64_t batch, double *loss,
                          int64_t *windows);

#endif
