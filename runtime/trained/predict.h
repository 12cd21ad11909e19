/* What a trained model makes of data: a value of it, sample by sample. */
#ifndef HC_PREDICT_H
#define HC_PREDICT_H

#include "runtime/trained/eval.h"

#include <stdbool.h>

typedef struct {
    HcEvalOptions eval;
    const char *output; /* an output or probe */
    bool all;           /* of the training part first; else of what is held out alone */
    int64_t limit;      /* samples; 0: all there are */
} HcPredictOptions;

/* What is told of the value before the first sample. */
typedef struct {
    const char *name;
    int64_t samples; /* that will come */
    bool windows;    /* which are windows of a sequence */
    bool positions;  /* the first extent counts positions */
    int32_t rank;
    int64_t dims[HC_MAX_RANK], count; /* of one sample */
    uint32_t element_size;
} HcPredicted;

/* Where they go; a failure ends all. */
typedef struct {
    HcStatus (*begin)(void *user, const HcPredicted *of, HcError *error);
    /* number: of a sample in the order of the files; of a window where it begins. */
    HcStatus (*sample)(void *user, int64_t number, const void *values, HcError *error);
    void *user;
} HcPredictions;

HcStatus hc_predict(const HcModel *model, const HcPredictOptions *options, const HcPredictions *to,
                    HcError *error);

/* --- files -------------------------------------------------------------------------------------*/

typedef enum {
    HC_AS_CSV,  /* a row a position, or a sample: its number, the position, the values */
    HC_AS_JSON, /* a line a sample: {"sample": 0, "logits": [[...], ...]} */
    HC_AS_NPY   /* [samples, positions, ...] */
} HcPredictForm;

typedef struct {
    FILE *to;
    HcPredictForm form;
    HcPredicted of;
    HcPredictions into; /* for hc_predict */
} HcPredictFile;

/* `file` must stay where it is. */
void hc_predict_file(HcPredictFile *file, FILE *to, HcPredictForm form);

#endif
