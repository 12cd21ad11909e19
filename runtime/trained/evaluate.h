/* Losses and metrics over the held-out part, and which sample made one that is not finite. */
#ifndef HC_EVALUATE_H
#define HC_EVALUATE_H

#include "runtime/data/data.h"
#include "runtime/ranks/ranks.h"
#include "runtime/trained/eval.h"

/* Whether to end early: asked after every batch; NULL: never. */
typedef struct {
    int (*ask)(void *user);
    void *user;
} HcStop;

typedef struct {
    int64_t batch;   /* samples at once */
    int64_t batches; /* so many, at equal distances, the same every time; 0: all there are */
    HcRanks *ranks;  /* who run them in turns, all of them evaluating alike; NULL: this process */
} HcEvaluationSize;

/* Windows of a part that do not overlap, of the full context, or its samples: how many, and where
 * the w-th is, as for hc_data_fill. */
int64_t hc_data_windows(const HcData *data, const HcContext *context, int64_t positions,
                        HcPart part);
int64_t hc_data_window(const HcData *data, const HcContext *context, int64_t positions, HcPart part,
                       int64_t w);

/* Mean loss (without penalties) and metrics over the held-out part: its samples; or windows of
 * text that do not overlap, each of the full context, a last piece shorter than that left out.
 * `training` is 0. Values that are not finite are results like others; where the first was is said.
 * Restores the context. HC_INTERRUPTED when it was stopped; then, as after any failure, nothing is
 * in *evaluation. Else its metrics are the caller's to free; what it held before is not looked at.
 */
HcStatus hc_data_evaluate(const HcData *data, HcContext *context, const HcEvaluationSize *size,
                          const HcStop *stop, HcEvaluation *evaluation);

/* Makes the k-th of these batches the context's inputs, and the context as large as it: *n samples,
 * 0 behind the last one. */
HcStatus hc_data_held_out(const HcData *data, HcContext *context, const HcEvaluationSize *size,
                          int64_t k, int64_t *n);

/* A batch that was run: of training, at `step`; or of the held-out part. */
typedef struct {
    const HcData *data;
    bool held_out;
    int64_t step, first; /* first: of the `count` held-out samples that count, from 0 */
    int64_t count, all;  /* of as many as there are */
    int64_t n;           /* samples */
    uint32_t value;      /* held out: 0 the loss, k the k-th metric */
} HcBatch;

/* Which of its samples gives a value that is not finite, and what was not finite first, as a
 * phrase. Resizes the context. */
void hc_data_name_not_finite(const HcBatch *batch, HcContext *context, char *text, size_t size);

#endif
