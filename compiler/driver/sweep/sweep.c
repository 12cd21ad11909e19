#include "driver/sweep/sweep.h"
#include "driver/sweep/words.h"
#include "driver/sweep/worker.h"
#include "runtime/app/signals.h"
#include "runtime/run/clock.h"
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK 0.2      /* seconds between looks at how far runs have come */
#define ELSEWHERE 1.0 /* and at runs that other processes work at */

/* --- one run -----------------------------------------------------------------------------------*/

static void sweep_says(Sweep *s, const SweepTask *task) {
    memset(s->counts, 0, sizeof s->counts);
    for (uint32_t k = 0; k < s->n_tasks; k++)
        s->counts[s->tasks[k].state]++;
    s->watch(s->user, s, task);
}

static void sweep_cannot(Sweep *s, SweepTask *task, const char *what) {
    task->state = TASK_FAILED;
    task->exit_code = EXIT_RESOURCE;
    snprintf(task->why, sizeof task->why, "cannot %s: %s", what, strerror(errno));
    sweep_says(s, task);
}

/* False: others work at it, and it is looked at again later; or it cannot be had. */
static bool sweep_claim(Sweep *s, SweepTask *task) {
    if (task->claim.number)
        return true;
    if (mkdir(task->folder, 0777) != 0 && errno != EEXIST) {
        sweep_cannot(s, task, "make its folder");
        return false;
    }
    const ClaimResult result = claim_take(&task->claim, task->folder, &s->clock);
    if (result == CLAIM_IMPOSSIBLE)
        sweep_cannot(s, task, "claim it");
    else if (result == CLAIM_OF_OTHERS)
        task->state = TASK_ELSEWHERE;
    return result == CLAIM_MINE;
}

static void sweep_give_up(SweepTask *task) {
    claim_give_up(&task->claim, task->folder, task->state == TASK_FINISHED);
}

static void sweep_start(Sweep *s, SweepTask *task) {
    Driver *d = s->d;
    const char *output = arena_printf(d->c->arena, "%s/output.txt", task->folder);
    const char *const *words =
        task->goes_on ? sweep_resume_words(d, s->folder.made, task->folder)
                      : sweep_train_words(d, s->folder.made, task->run, task->folder, task->there);
    unlink(arena_printf(d->c->arena, "%s/failed.json", task->folder));
    task->worker = worker_start(words, output);
    if (task->worker < 0) {
        sweep_cannot(s, task, "start a process for it");
        sweep_give_up(task);
        return;
    }
    task->state = TASK_RUNNING;
    task->lost = false;
    task->first_step = -1;
    task->loss = NAN;
    sweep_says(s, task);
}

/* A new run is one of the file as it is now, which must be as it was. */
static bool sweep_is_as_it_was(Sweep *s, const SweepTask *task) {
    if (!task->goes_on)
        s->changed = s->changed || !sweep_folder_same_source(&s->folder);
    return task->goes_on || !s->changed;
}

/* Looked at before, as a worker of a killed sweep may have gone on until now, and again when nobody
 * else can begin it any more. */
static bool sweep_may_start(Sweep *s, SweepTask *task) {
    for (uint32_t looks = 0; looks < 2 && task->state == TASK_WAITING; looks++) {
        task_look(s->d, task, s->d->options.retry);
        if (task->state != TASK_WAITING) {
            if (task->state != TASK_ELSEWHERE)
                sweep_says(s, task);
            sweep_give_up(task);
        } else if (looks == 0 && (!sweep_is_as_it_was(s, task) || !sweep_claim(s, task))) {
            return false;
        }
    }
    return task->state == TASK_WAITING;
}

/* --- all of them -------------------------------------------------------------------------------*/

/* Who takes a run over goes on from what is on the disk, which nobody else may then change. */
static void sweep_beat(Sweep *s) {
    for (uint32_t k = 0; k < s->n_tasks; k++) {
        SweepTask *task = &s->tasks[k];
        if (task->state == TASK_RUNNING && !task->lost && !claim_beat(&task->claim, task->folder)) {
            task->lost = true;
            kill(task->worker, SIGKILL);
        }
    }
}

static void sweep_ended(Sweep *s, SweepTask *task, int status) {
    task_ended(s->d, task, status);
    if (task->lost)
        task->state = TASK_ELSEWHERE;
    sweep_give_up(task);
    sweep_says(s, task);
}

static void sweep_reap(Sweep *s) {
    for (uint32_t k = 0; k < s->n_tasks; k++) {
        SweepTask *task = &s->tasks[k];
        int status;
        if (task->state == TASK_RUNNING && worker_ended(task->worker, &status))
            sweep_ended(s, task, status);
    }
}

static uint32_t sweep_count(const Sweep *s, TaskState state) {
    uint32_t count = 0;
    for (uint32_t k = 0; k < s->n_tasks; k++)
        count += s->tasks[k].state == state;
    return count;
}

static void sweep_fill(Sweep *s) {
    uint32_t running = sweep_count(s, TASK_RUNNING);
    for (uint32_t k = 0; k < s->n_tasks && running < s->workers; k++)
        if (sweep_may_start(s, &s->tasks[k])) {
            sweep_start(s, &s->tasks[k]);
            running += s->tasks[k].state == TASK_RUNNING;
        }
}

/* What others have ended, or left; what they may yet go on with waits where it is. */
static void sweep_look_elsewhere(Sweep *s) {
    uint32_t running = sweep_count(s, TASK_RUNNING);
    for (uint32_t k = 0; k < s->n_tasks; k++) {
        SweepTask *task = &s->tasks[k];
        if (task->state != TASK_ELSEWHERE)
            continue;
        task_look(s->d, task, false);
        if (task->state == TASK_WAITING && (running >= s->workers || s->stopped))
            task->state = TASK_ELSEWHERE;
        else if (task->state == TASK_WAITING)
            running += sweep_claim(s, task);
        else if (task->state != TASK_ELSEWHERE)
            sweep_says(s, task);
    }
}

static void sweep_progress(Sweep *s) {
    for (uint32_t k = 0; k < s->n_tasks; k++) {
        SweepTask *task = &s->tasks[k];
        if (task->state != TASK_RUNNING)
            continue;
        task_progress(task);
        if (task->first_step < 0 && !isnan(task->loss)) { /* from here on its speed is known */
            task->first_step = task->step;
            task->began = hc_now();
        }
    }
    sweep_says(s, NULL);
}

/* As it came: each run then ends with the code of that signal. */
static void sweep_stop(Sweep *s) {
    const int number = hc_signals_exit_code(HC_INTERRUPTED) - 128;
    s->stopped = true;
    for (uint32_t k = 0; k < s->n_tasks; k++)
        if (s->tasks[k].state == TASK_RUNNING)
            kill(s->tasks[k].worker, number);
}

/* Whether there is, or will be, something to do. */
static bool sweep_active(const Sweep *s) {
    for (uint32_t k = 0; k < s->n_tasks; k++) {
        const SweepTask *task = &s->tasks[k];
        if (task->state == TASK_RUNNING || (!s->stopped && task->state == TASK_ELSEWHERE) ||
            (!s->stopped && task->state == TASK_WAITING && (task->goes_on || !s->changed)))
            return true;
    }
    return false;
}

void sweep_work(Sweep *s) {
    double looked = hc_now(), progressed = -TICK;
    worker_begin();
    while (sweep_active(s)) {
        sweep_reap(s);
        sweep_beat(s);
        if (hc_signals_stop(NULL) && !s->stopped)
            sweep_stop(s);
        if (!s->stopped)
            sweep_fill(s);
        if (hc_now() - looked >= ELSEWHERE) {
            sweep_look_elsewhere(s);
            looked = hc_now();
        }
        if (hc_now() - progressed >= TICK) {
            sweep_progress(s);
            progressed = hc_now();
        }
        if (sweep_count(s, TASK_RUNNING) || sweep_count(s, TASK_ELSEWHERE))
            worker_wait(TICK);
    }
    for (uint32_t k = 0; k < s->n_tasks; k++)
        sweep_give_up(&s->tasks[k]);
    sweep_progress(s);
}
