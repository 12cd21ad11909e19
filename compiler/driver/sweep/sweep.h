/* A sweep at work: processes that train, a bounded number at a time. */
#ifndef HCC_DRIVER_SWEEP_SWEEP_H
#define HCC_DRIVER_SWEEP_SWEEP_H

#include "driver/sweep/folder.h"

struct Sweep;
/* Told when the state of a task has changed, and a few times a second with NULL. */
typedef void SweepWatch(void *user, const struct Sweep *sweep, const SweepTask *task);

typedef struct Sweep {
    Driver *d;
    SweepFolder folder;
    SweepGrid grid;
    SweepTask *tasks; /* one a run */
    uint32_t n_tasks, workers;
    uint32_t counts[TASK_FAILED + 1]; /* of tasks, by their states */
    ClaimClock clock;
    bool changed; /* the .hc file is not what it was: nothing new begins */
    bool stopped; /* by a signal */
    SweepWatch *watch;
    void *user;
} Sweep;

/* A line for each task: a command that makes this run alone, whatever was made of it before. Says
 * what is wrong. */
ExitCode sweep_print_jobs(const Sweep *sweep);

/* Until no task waits or runs, or a signal asks to stop: then when all workers have saved. */
void sweep_work(Sweep *sweep);

#endif
