/* What the commands of hcc and of built executables do: train, evaluate, sample, measure. Nothing
 * here prints but to the FILE it is given; options are zero-initialised by the caller. */
#ifndef HC_TRAIN_H
#define HC_TRAIN_H

#include "runtime/hc.h"

#include <jansson.h>
#include <stdio.h>

/* --- training ----------------------------------------------------------------------------------*/

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
    int (*stop)(void *user); /* asked after every step, and after every batch of an evaluation: not
                                0 saves and ends; or NULL */
    void *user;
} HcTrainOptions;

typedef struct {
    const char *name;
    double value; /* mean */
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

typedef enum { HC_ENDED_BY_STEPS, HC_ENDED_BY_TIME, HC_ENDED_BY_PATIENCE } HcEnding;
extern const char *const hc_ending_names[]; /* "steps", "minutes", "patience" */

typedef struct {
    char run[4096]; /* run folder; "": none */
    int64_t steps;  /* done */
    HcEnding ended_by;
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
 *                 positions_per_s; val_loss and val_metrics where it was evaluated; gradient_norms
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

/* --- evaluation and sampling -------------------------------------------------------------------*/

/* The parameters of a run folder (ckpt/final.safetensors, else those of ckpt/last) or of a
 * checkpoint's folder, or `path` itself when it is a file. *checkpoint is the caller's to free. */
HcStatus hc_find_checkpoint(const char *path, char **checkpoint, HcError *error);
/* Of a run folder: the folder and its newest checkpoint; of one of its checkpoints (RUN/ckpt/NAME):
 * its run, and the checkpoint. Both are the caller's to free, and NULL after a failure. */
HcStatus hc_find_run(const char *path, char **run, char **checkpoint, HcError *error);
/* config.json of a run folder, or of that of a checkpoint in one; the caller releases it. */
HcStatus hc_read_config(const char *run, json_t **config, HcError *error);

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
/* {"val_loss": ..., "val_windows": ..., "val_metrics": {...}}, "val_not_finite" where something is
 * not; the caller releases it. */
json_t *hc_evaluation_json(const HcEvaluation *evaluation);
void hc_evaluation_print(const HcEvaluation *evaluation, FILE *to); /* for people */
/* ", accuracy 0.9712, ..." of all metrics; nothing without any. */
void hc_metrics_print(const HcEvaluation *evaluation, FILE *to);
void hc_evaluation_free(HcEvaluation *evaluation); /* its metrics */

/* Unless something else is asked for. */
enum { HC_SAMPLE_LENGTH = 400 };
#define HC_SAMPLE_TEMPERATURE 0.8

/* What a model's tokens stand for: bytes where its vocabulary is at most 256, text where there is a
 * tokenizer (given, or kept by the run), else they are numbers, and prompts as well. */
typedef struct {
    const char *checkpoint; /* run folder or file */
    const char *tokenizer;  /* NULL: the run's own, if it keeps one */
    const char *prompt;     /* bytes */
    size_t prompt_length;   /* 0: begins after a newline, if the vocabulary holds one */
    int64_t length;         /* tokens to draw */
    int64_t samples;        /* 0: one */
    double temperature;     /* 0: always the likeliest */
    int64_t top_k;          /* draw among the k likeliest; 0: all */
    double top_p; /* of those among the likeliest that have so much together; 0: all, as for 1 */
    uint64_t seed;
    int32_t threads;
    int whole; /* 1: each token is computed from all of the window, also where the positions before
                  it need not be computed again */
    FILE *notes; /* is told why that is so where it is not asked for; NULL: nobody is */
    /* Receives the prompt and then what each token stands for; not 0 ends early. */
    int (*emit)(void *user, const char *bytes, size_t count);
    int (*next)(void *user); /* between two samples; not 0 ends early; or NULL */
    void *user;
} HcSampleOptions;

HcStatus hc_sample(const HcModel *model, const HcSampleOptions *options, HcError *error);

/* --- measuring ---------------------------------------------------------------------------------*/

typedef struct {
    int64_t steps;              /* measured; 0: 20 */
    int64_t warmup;             /* before; 0: 3, below 0: none */
    int64_t samples, positions; /* 0: the recipe's batch, the model's maximum */
    int32_t threads;
    uint64_t seed;
    int profile; /* 1: fill `calls` */
} HcBenchOptions;

typedef struct {
    const char *name; /* kernel or kind of call; owned by the result */
    int64_t calls;    /* a step */
    double ms;        /* of its calls in a step, each in its fastest */
    int backward, gemm;
    double operations, bytes; /* of its calls in a step: arithmetic, memory read and written */
    double roofline;          /* bytes at `bandwidth` and operations at `peak`, over `ms` */
    char *lines;              /* of the model's source, `gpt.hc:18, mhc.hc:14-31`; or NULL */
} HcBenchCall;

typedef struct {
    int64_t samples, positions, parameters;
    int32_t threads;
    double step_ms, forward_ms, backward_ms, optimizer_ms; /* medians */
    double positions_per_s;
    uint64_t peak_bytes; /* all memory of the context */
    double gemm_share;   /* of the step's time spent in matrix products by BLAS */
    HcBenchCall *calls;  /* slowest first */
    int64_t n_calls;
    double bandwidth; /* with calls: bytes a second of a copy between large buffers */
    double peak;      /* with calls: operations a second of matrix products */
} HcBenchResult;

/* Times training steps on random inputs. */
HcStatus hc_bench(const HcModel *model, const HcBenchOptions *options, HcBenchResult *result,
                  HcError *error);
void hc_bench_free(HcBenchResult *result);
json_t *hc_bench_json(const HcBenchResult *result);
void hc_bench_print(const HcBenchResult *result, FILE *to); /* for people */

#endif
