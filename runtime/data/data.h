/* What training and evaluation read: windows of a sequence (sequence.h), or separate samples
 * (samples.h). Batches depend on (seed, step) alone. */
#ifndef HC_DATA_H
#define HC_DATA_H

#include "runtime/data/samples.h"
#include "runtime/data/sequence.h"

typedef struct {
    HcSequence *sequence; /* or: */
    HcSamples *samples;
    int64_t count, train_count; /* tokens or samples; those of the training part come first */
    uint64_t hash;
} HcData;

/* What the plan asks for, checked. To train, a sequence must hold a window of `positions` in every
 * part that is used. To evaluate, what the run's config.json names is read again, and must be what
 * it was; what the command line gives instead is not compared. */
HcStatus hc_data_open(HcData *data, const HcPlan *plan, const HcDataRequest *request,
                      int64_t positions, HcError *error);
void hc_data_free(HcData *data);
/* Whether the file is one of the data, or a text in their folder. */
bool hc_data_holds(const HcData *data, const char *path);
/* What config.json says of the data: where they are, sizes, a hash. The caller releases it. */
json_t *hc_data_json(const HcData *data);

/* Whether a window of `positions` fits into a part of a sequence; samples are as they are. */
HcStatus hc_data_check(const HcData *data, const HcPlan *plan, int64_t positions, HcPart part,
                       HcError *error);
/* First and last start of a window inside a part; last < first: none fits. */
void hc_data_starts(const HcData *data, const HcPlan *plan, int64_t positions, HcPart part,
                    int64_t *first, int64_t *last);
/* Sample `sample` of the batch of `step`. Of a sequence: where its window starts, uniform over the
 * training part's starts. Else: the sample's number, in order of the files (see
 * hc_samples_of_batch). */
int64_t hc_batch_start(const HcData *data, const HcPlan *plan, int64_t positions, uint64_t seed,
                       int64_t step, int64_t batch, int64_t sample);
/* Fills the bound inputs' memory of one sample with the window at `start`, or with that sample.
 * What is wrong is in the context's error. */
HcStatus hc_data_fill(const HcData *data, HcContext *context, int64_t sample, int64_t start);
/* The whole batch of a step. */
HcStatus hc_data_batch(const HcData *data, HcContext *context, uint64_t seed, int64_t step);

#endif
