/* A run folder: config.json, log.jsonl, summary.json, ckpt/. */
#ifndef HC_LOG_H
#define HC_LOG_H

#include "runtime/files/error.h"
#include <jansson.h>
#include <stdio.h>

typedef struct {
    char *path;
    FILE *log;
    int folder; /* locked while the run is open; -1 for none */
} HcRun;

/* Makes the folder and its parents. Refuses one that another process writes to, and one that holds
 * a run, unless `force`: then removes the earlier run's files. */
HcStatus hc_run_open(HcRun *run, const char *path, int force, HcError *error);
/* The same in a new folder of `runs`: the first of NAME-1, NAME-2, ... that nobody has. Runs that
 * start together get one each. */
HcStatus hc_run_open_new(HcRun *run, const char *runs, const char *name, HcError *error);
/* A run that is there, to go on with; nothing in it changes but that temporaries of killed
 * processes go. Refuses one that another process writes to. */
HcStatus hc_run_open_again(HcRun *run, const char *path, HcError *error);
/* Takes away what the log holds beyond `step`, and what is no line of ours. *last: the step of the
 * last line that is left, 0 without any. */
HcStatus hc_run_cut_log(HcRun *run, int64_t step, int64_t *last, HcError *error);
/* All lines are on the disk. */
HcStatus hc_run_sync(const HcRun *run, HcError *error);
/* Checkpoints that are kept are ckpt/step-N. Of a name in ckpt the N; -1: it is no such name, as
 * trainers write them. */
#define HC_KEPT "step-"
int64_t hc_run_kept_step(const char *name);
/* Reports what the log could not write. */
HcStatus hc_run_close(HcRun *run, HcError *error);
char *hc_run_file(const HcRun *run, const char *name); /* path of a file in it; caller frees */
HcStatus hc_run_json(const HcRun *run, const char *name, const json_t *json, HcError *error);
/* Appends one line to log.jsonl. */
HcStatus hc_run_log(HcRun *run, const json_t *line, HcError *error);

#endif
