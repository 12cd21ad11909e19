/* The runs of a sweep as their folders tell of them, each of which may be at work. All that a sweep
 * knows lies in its folder, so that it can be killed at any moment:
 *
 *     OUT/sweep.json          what all runs are made with, and the settings and seed of each
 *     OUT/NAME/               an ordinary run
 *     OUT/NAME/output.txt     what `hcc train` said
 *     OUT/NAME/failed.json    how it ended, where it ended by itself and not well
 *
 *     OUT/NAME/claim-N        which sweep works at it (claim.h), until it has finished
 *
 * A run that somebody works at is locked (train/log.h), by a lock that dies with its process. */
#ifndef HCC_DRIVER_SWEEP_TASK_H
#define HCC_DRIVER_SWEEP_TASK_H

#include "driver/sweep/claim.h"
#include "driver/sweep/grid.h"
#include <sys/types.h>

typedef enum {
    TASK_WAITING,
    TASK_RUNNING,
    TASK_ELSEWHERE, /* another process works at it, or another sweep has claimed it */
    TASK_FINISHED,
    TASK_STOPPED, /* it was ended from outside, and can go on */
    TASK_DIVERGED,
    TASK_FAILED,
} TaskState;
extern const char *const task_state_names[];

typedef struct {
    const SweepRun *run;
    const char *folder;
    TaskState state;
    bool goes_on; /* it has a checkpoint */
    bool there;   /* or at least files, of which nothing can be made */
    int exit_code;
    char why[400]; /* what it said last, where it did not end well */
    pid_t worker;  /* RUNNING */
    Claim claim;   /* this sweep's, against those of others */
    bool lost;     /* RUNNING: another has taken it over, and the worker was killed for that */
    int64_t step, steps, first_step;
    double began, loss, held_out; /* NAN: not known */
} SweepTask;

/* What its folder tells. `retry`: what failed waits like what never began. */
void task_look(Driver *d, SweepTask *task, bool retry);
/* How far it has come, of a run that somebody works at. */
void task_progress(SweepTask *task);
/* The process `worker` ended so (as waitpid has it). */
void task_ended(Driver *d, SweepTask *task, int status);

#endif
