/* Training, as the commands of hcc and of built executables do it. Nothing here prints but to the
 * FILE it is given; options are zero-initialised by the caller. */
#ifndef HC_TRAIN_H
#define HC_TRAIN_H

#include "runtime/ranks/ranks.h"
#include "runtime/trained/eval.h"

#include <jansson.h>
#include <stdio.h>

/* A value of the recipe to change before anything else: "train.lr" or "lr", and its text. */
typedef struct {
    const char *key, *value;
} HcSetting;

typedef struct {
    const char *const *data; /* file or folder of text; files of samples, as hc_part_files takes
                                them; none: what the model's train block names */
    int32_t n_data;
    const char *data_folder; /* where relative names of the train block begin, or NULL */
    int data_is_bytes;       /* 1: text may be anything */
    const char *out;         /* run folder, made if missing; NULL: see `runs` */
    const char *runs;        /* without `out` the folder in which the run gets one of its own, the
                                first MODEL-N that is free; NULL, too: nothing is written */
    int force;               /* 1: `out` may hold an earlier run, which is replaced */
    int32_t threads;         /* 0: all */
    const HcSetting *settings;
    int32_t n_settings;
    const char *resume;    /* run folder, or one of its checkpoints' (RUN/ckpt/NAME), to go on with;
                              the recipe and the data are those of the run; of `settings` only where it
                              ends and when it is evaluated and saved may be given; `out`, `runs`,
                              `from`, `batch_log` must not. NULL: a new run */
    const char *tokenizer; /* of which the data's tokens are (as for hc_tokenizer_open); the run
                              keeps a copy. NULL: unknown */
    int changed_data;      /* 1: go on although the data are not those of the run */
    const char *from;      /* checkpoint to begin with instead of drawn values (as for
                              hc_find_checkpoint), as far as names and shapes fit, or NULL */
    const char *config_extra; /* text of a JSON object whose members join config.json, or NULL */
    int tensorboard;          /* 1: event files in the run folder, too; a run that has some goes on
                                 with them */
    double minutes;           /* of training, evaluation and saving apart, after which it ends; 0:
                                 none */
    const char *batch_log;    /* file for every batch's window starts, int64 little-endian
                                 [steps][batch], or NULL; it replaces no data of the run, and what
                                 holds something only with `force` */
    FILE *progress;           /* progress lines, and what is to be said of the data; redrawn in
                                 place on a terminal; NULL: none */
    int64_t wiring_every;     /* steps between looks at the wiring (`wiring` and `gradient_norms` of
                                 the log); 0: with evaluations; -1: never. Of a run that goes on 0: as
                                 it was */
    /* The model's program of maps, wanted once, before the first look; or NULL: there is none, and
     * the log has gradient norms alone. `run`: the run folder; *why: where it gives NULL. */
    const HcModel *(*maps)(void *maps_user, const char *run, const char **why);
    void *maps_user;
    HcRanks *ranks; /* with whom this process computes the run, all of them with options that say
                       the same; the first writes, the others write nothing. NULL: alone */
    int (*stop)(void *user); /* asked after every step, and after every batch of an evaluation: not
                                0, 1 to 31, saves and ends; or NULL */
    void *user;
} HcTrainOptions;

typedef enum { HC_ENDED_BY_STEPS, HC_ENDED_BY_TIME, HC_ENDED_BY_PATIENCE } HcEnding;
extern const char *const hc_ending_names[]; /* "steps", "minutes", "patience" */

typedef struct {
    char run[4096]; /* run folder; "": none */
    int64_t steps;  /* done */
    HcEnding ended_by;
    int stopped;               /* after HC_INTERRUPTED: what `stop` said, of any rank; the least */
    int64_t parameters;        /* elements */
    double flops_per_position; /* of a step, see hc_plan_operations */
    HcEvaluation evaluation;   /* loss NaN without a held-out part */
    double best_loss;          /* the least held-out loss of all evaluations; NaN: there was none */
    int64_t best_step;         /* after which it was */
    double train_loss;         /* mean of the last 100 steps' losses (of all, if fewer) */
    double last_loss;
    double seconds; /* of the steps, without evaluation and saving */
    double positions_per_s;
    uint64_t memory_bytes;
} HcTrainResult;

/* Trains by the model's recipe. Writes, where there is a run folder:
 *   config.json   model, constants, recipe in effect, data, machine
 *   log.jsonl     a line a step: step (from 1), loss (before the step), grad_norm, lr,
 *                 positions_per_s; metrics of its batch, and terms: what the loss is a sum of;
 *                 val_loss, val_metrics and val_terms where it was evaluated; gradient_norms
 *                 and wiring (wiring.h) where that was looked at
 *   events.out.tfevents.*.hcc  the same for TensorBoard where it is asked for, a file each time a
 *                 run goes on; and the evaluation behind the last step
 *   ckpt/last/    of hc_save_checkpoint: the newest step that was saved (before the first step, now
 *                 and then, and before every evaluation); at the end the last
 *   ckpt/best/    likewise: the step with the least held-out loss
 *   ckpt/step-N/  likewise: the last of them, as many as the recipe's `keep`
 *   tokenizer/    a copy of the tokenizer, where one is given
 *   ckpt/final.safetensors at the end: parameters alone, those of ckpt/best where patience ended it
 *   summary.json  hc_train_json of the result
 * HC_INTERRUPTED after a stop (ckpt/last is of the last step that was done), HC_ERROR_DIVERGED when
 * a loss or gradient of training is not finite (ckpt/last is what it was). A held-out loss that is
 * not finite is a result: HC_OK, and only then there are metrics to be freed. */
HcStatus hc_train(const HcModel *model, const HcTrainOptions *options, HcTrainResult *result,
                  HcError *error);
/* The result as a JSON object (what was not measured is left out, what is not finite is null); the
 * caller releases it. */
json_t *hc_train_json(const HcTrainResult *result);
void hc_train_print(const HcTrainResult *result, FILE *to); /* for people */

#endif
