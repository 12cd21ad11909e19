/* The held-out loss and metrics of what a run has trained. Nothing here prints but to the FILE it
 * is given; options are zero-initialised by the caller. */
#ifndef HC_EVAL_H
#define HC_EVAL_H

#include "runtime/hc.h"

#include <jansson.h>
#include <stdio.h>

typedef struct {
    const char *name;
    double value; /* mean */
    int term;     /* 1: a part of the loss, or a penalty */
} HcMetric;

/* Over the whole held-out part. */
typedef struct {
    double loss;     /* mean */
    int64_t windows; /* of text, or samples; 0: nothing was evaluated */
    int samples;     /* 1: those are samples */
    uint32_t n_metrics;
    HcMetric *metrics;    /* with their names one block, hc_evaluation_free's */
    char not_finite[500]; /* where a loss or metric was so first; "": nowhere */
} HcEvaluation;

typedef struct {
    const char *checkpoint;  /* run folder or file */
    const char *const *data; /* none: what the run folder's config.json names */
    int32_t n_data;
    int32_t threads;
    int whole_data;    /* 1: the training part is read, too */
    int data_is_bytes; /* 1: text may be anything, as it may if that was so in training */
    int changed_data;  /* 1: go on although the data are not those of the run */
    FILE *notes;       /* what is to be said of the data; NULL: nothing */
} HcEvalOptions;

/* The run folder's config.json; a checkpoint file alone has none, and an empty object stands in. */
HcStatus hc_eval_config(const HcEvalOptions *options, json_t **config, HcError *error);
/* Loss and metrics over the whole held-out part; after a failure nothing is to be freed. */
HcStatus hc_evaluate(const HcModel *model, const HcEvalOptions *options, HcEvaluation *evaluation,
                     HcError *error);
/* {"val_loss": ..., "val_windows": ..., "val_metrics": {...}, "val_terms": {...}}, "val_not_finite"
 * where something is not; the caller releases it. */
json_t *hc_evaluation_json(const HcEvaluation *evaluation);
void hc_evaluation_print(const HcEvaluation *evaluation, FILE *to); /* for people */
/* ", accuracy 0.9712, ..." of all metrics; nothing without any. */
void hc_metrics_print(const HcEvaluation *evaluation, FILE *to);
void hc_evaluation_free(HcEvaluation *evaluation); /* its metrics */

#endif
