/* A run as its folder tells it: what it was made with, how far it came, what it reached. */
#ifndef HC_PAST_RUN_H
#define HC_PAST_RUN_H

#include "runtime/files/error.h"
#include <jansson.h>
#include <stdbool.h>

typedef enum {
    HC_RUN_FINISHED,   /* it ended by itself, and was evaluated then */
    HC_RUN_UNFINISHED, /* or nobody can tell from its log that it was evaluated */
    HC_RUN_DIVERGED,   /* in training, or its held-out loss at the end is not finite */
    HC_RUN_UNREADABLE,
    HC_RUN_REPEATED, /* as another of a comparison, the seed too: it tells nothing new */
} HcRunState;

/* A held-out loss that is finite. */
typedef struct {
    int64_t step;
    double seconds, loss; /* seconds: of training until then; NAN: not known */
} HcRunPoint;

typedef struct {
    char *path;
    HcRunState state;
    char why[500];    /* in words what the state is; "": finished */
    json_t *config;   /* config.json */
    json_t *summary;  /* summary.json; NULL: there is none */
    json_t *settings; /* what a run was made with but for its seed, name by name, as texts */
    json_int_t seed;
    HcRunPoint *points; /* by their steps */
    uint32_t n_points, capacity;
    int64_t steps;  /* done, by the log */
    double seconds; /* of those; NAN where the log lacks steps, or speeds */
    bool torn;      /* the log's last line was not written whole */
} HcPastRun;

/* `path`: the folder, or one of its checkpoints. HC_ERROR_CHECKPOINT for what is no run of ours, or
 * is damaged. Whatever comes of it, hc_past_run_free frees it. */
HcStatus hc_past_run_read(HcPastRun *run, const char *path, HcError *error);
void hc_past_run_free(HcPastRun *run);

/* Sets both, `why` of a format; of control characters it has none. */
void hc_past_run_is(HcPastRun *run, HcRunState state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Runs that paths name: each is a run, one of its checkpoints, or a folder that holds runs. Zero at
 * first; hc_past_runs_free frees them. */
typedef struct {
    HcPastRun *at;
    uint32_t count, capacity;
} HcPastRuns;

/* In the folder of a sweep, beside its runs. */
#define HC_SWEEP_FILE "sweep.json"

/* A path is the folder of a run, or one of such folders, or a sweep's file. A run that is named
 * twice is there once; one that cannot be read is there and says why. HC_ERROR_CHECKPOINT where
 * there is no run. */
HcStatus hc_past_runs_add(HcPastRuns *runs, const char *path, HcError *error);
void hc_past_runs_free(HcPastRuns *runs);

/* What a config.json says of how its run was made, but for the seed: the model, its constants, the
 * recipe as `train.NAME`, the data and the source by their hashes, element, threads, processor.
 * NULL: memory is out. */
json_t *hc_run_settings(const json_t *config);
/* One of them for people, and where it is the hash of a file the file's name, too; "" where the run
 * has none of the name. */
void hc_run_setting_text(const HcPastRun *run, const char *name, char *text, size_t size);

#endif
