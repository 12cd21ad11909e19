/* What training and evaluation read: text as bytes (files and folders, a held-out tail), or
 * separate samples (samples.h). Batches depend on (seed, step) alone. */
#ifndef HC_DATA_H
#define HC_DATA_H

#include "runtime/data/samples.h"

typedef struct {
    uint8_t *bytes;      /* of text */
    int64_t count;       /* bytes, or samples */
    int64_t train_count; /* the first floor(count * (1 - held_out)); the rest is held out */
    uint64_t hash;       /* XXH3 of all bytes */
    int64_t files;
    HcSamples *samples; /* of sources that have samples; NULL for text */
    char *path;         /* of text, absolute */
    bool as_bytes;      /* it was read whatever it is */
} HcData;

/* What the plan asks for, checked. To train, text must hold a window of `positions` in every part
 * that is used. To evaluate, what the run's config.json names is read again, and must be what it
 * was; what the command line gives instead is not compared. Text may be given as held_out=PATH
 * then, all of which is evaluated. */
HcStatus hc_data_open(HcData *data, const HcPlan *plan, const HcDataRequest *request,
                      int64_t positions, HcError *error);
/* Whether the file is one of the data, or a text in their folder. */
bool hc_data_holds(const HcData *data, const char *path);
/* What config.json says of the data: where they are, sizes, a hash. The caller releases it. */
json_t *hc_data_json(const HcData *data);

/* Text: a file, or a folder: all regular files below it, names sorted as bytes, without hidden
 * ones, run folders and what is no text, of which `notes` (or NULL) tells. No text is what holds a
 * zero byte, is packed or is UTF-16; as_bytes: everything is. */
HcStatus hc_data_load(HcData *data, const char *path, double held_out, bool as_bytes, FILE *notes,
                      HcError *error);
bool hc_file_is_text(const char *path); /* false, too, for what cannot be read */
void hc_data_free(HcData *data);
/* Whether a model can read windows of `positions` from both parts: bindings, lengths, vocabulary.
 * held_out: whether the held-out part must hold a window too. */
HcStatus hc_data_check(const HcData *data, const HcPlan *plan, int64_t positions, bool held_out,
                       HcError *error);
/* Bindings and vocabulary alone. */
HcStatus hc_data_check_bytes(const HcData *data, const HcPlan *plan, HcError *error);
/* First and last start of a window inside a part; last < first: none fits. */
void hc_data_starts(const HcData *data, const HcPlan *plan, int64_t positions, HcPart part,
                    int64_t *first, int64_t *last);
/* Sample `sample` of the batch of `step`. Text: where its window starts, uniform over the training
 * part's starts. Else: the sample's number, in order of the files (see hc_samples_of_batch). */
int64_t hc_batch_start(const HcData *data, const HcPlan *plan, int64_t positions, uint64_t seed,
                       int64_t step, int64_t batch, int64_t sample);
/* Fills the bound inputs' memory of one sample with the window at `start`, or with that sample. */
void hc_data_fill(const HcData *data, HcContext *context, int64_t sample, int64_t start);
/* The whole batch of a step. */
void hc_data_batch(const HcData *data, HcContext *context, uint64_t seed, int64_t step);

#endif
