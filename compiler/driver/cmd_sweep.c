/* hcc sweep: a grid of values, a run for each, some at a time. */
#include "base/text_stream.h"
#include "driver/compare.h"
#include "driver/pipeline.h"
#include "driver/sweep/table.h"
#include "runtime/app/signals.h"
#include "runtime/hc.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WORKERS = 8 }; /* unless more are asked for: each needs memory of its own */

/* --- what is to be done ------------------------------------------------------------------------*/

static uint32_t sweep_least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static bool sweep_wants(const HcOptionList *only, const char *name) {
    bool wanted = only->count == 0;
    for (uint32_t k = 0; k < only->count && !wanted; k++)
        wanted = strcmp(only->at[k], name) == 0;
    return wanted;
}

static void sweep_tasks(Sweep *s) {
    Driver *d = s->d;
    s->tasks = ARENA_ARRAY(d->c->arena, SweepTask, s->grid.runs.count);
    for (uint32_t k = 0; k < s->grid.runs.count; k++) {
        const SweepRun *run = &s->grid.runs.at[k];
        if (!sweep_wants(&d->options.only, run->name))
            continue;
        SweepTask *task = &s->tasks[s->n_tasks++];
        *task = (SweepTask){
            .run = run, .folder = arena_printf(d->c->arena, "%s/%s", s->folder.path, run->name)};
        task_look(d, task, d->options.retry);
    }
}

static ExitCode sweep_check_only(Driver *d, const SweepGrid *grid) {
    const HcOptionList *only = &d->options.only;
    for (uint32_t k = 0; k < only->count; k++) {
        bool there = false;
        for (uint32_t n = 0; n < grid->runs.count && !there; n++)
            there = strcmp(grid->runs.at[n].name, only->at[k]) == 0;
        if (!there) {
            driver_error(d, "--only %s: no run of this sweep has that name; the first is %s",
                         only->at[k], grid->runs.at[0].name);
            return EXIT_USAGE;
        }
    }
    return EXIT_OK;
}

static void sweep_say_plan(const Sweep *s, uint32_t cores) {
    uint32_t finished = 0, go_on = 0, failed = 0;
    for (uint32_t k = 0; k < s->n_tasks; k++) {
        const SweepTask *task = &s->tasks[k];
        finished += task->state == TASK_FINISHED;
        go_on += task->state == TASK_WAITING && task->goes_on;
        failed += task->state == TASK_FAILED || task->state == TASK_DIVERGED;
    }
    FILE *to = s->d->err;
    const char *threads = json_string_value(json_object_get(s->folder.made, "threads"));
    if (s->n_tasks == 1)
        fprintf(to, "hcc: %s in `%s`", s->tasks[0].run->name, s->folder.path);
    else
        fprintf(to, "hcc: %" PRIu32 " runs in `%s`", s->n_tasks, s->folder.path);
    if (finished)
        fprintf(to, ", %" PRIu32 " finished", finished);
    if (go_on)
        fprintf(to, ", %" PRIu32 " to go on with", go_on);
    if (failed)
        fprintf(to, ", %" PRIu32 " failed (--retry tries them again)", failed);
    fprintf(to, "; %" PRIu32 " at a time, %s thread%s each (cores: %" PRIu32 ")\n", s->workers,
            threads, strcmp(threads, "1") == 0 ? "" : "s", cores);
}

/* --- checking before anything begins -----------------------------------------------------------*/

typedef struct {
    VEC(const char *) checked, compiled; /* settings, and constants alone */
    const char *said;                    /* last, of warnings: they are the same for most */
} SweepChecks;

static const char *sweep_joined(Arena *arena, const char *const *texts, uint32_t count) {
    const char *all = "";
    for (uint32_t k = 0; k < count; k++)
        all = arena_printf(arena, "%s%s%s", all, k ? ", " : "", texts[k]);
    return all;
}

static bool sweep_had(const SweepChecks *checks, bool compiled, const char *text) {
    const uint32_t count = compiled ? checks->compiled.count : checks->checked.count;
    const char *const *at = compiled ? checks->compiled.at : checks->checked.at;
    for (uint32_t k = 0; k < count; k++)
        if (strcmp(at[k], text) == 0)
            return true;
    return false;
}

/* In a compilation of its own, so that a large sweep takes no more memory than one run. */
static ExitCode sweep_compile(Driver *one, bool whole) {
    const CompileOptions options = pipeline_options(one);
    CompileRun run = pipeline_begin(one, &options);
    LoadedModel loaded = {0};
    ExitCode code = train_model(one, &run);
    if (code == EXIT_OK && whole)
        code = pipeline_load(one, &run, &loaded);
    pipeline_end(one, &run);
    pipeline_unload(&loaded);
    return code;
}

static void sweep_add_settings(Driver *one, const SweepRun *run) {
    const HcOptionList given = one->options.run.set;
    HcOptionList all = {.capacity = given.count + run->n_settings};
    all.at = ARENA_ARRAY(one->c->arena, const char *, all.capacity + 1);
    for (uint32_t k = 0; k < given.count; k++)
        all.at[all.count++] = given.at[k];
    for (uint32_t k = 0; k < run->n_settings; k++)
        all.at[all.count++] = run->settings[k];
    one->options.run.set = all;
}

/* What it says is headed by what it is of, and said once. */
static ExitCode sweep_check_run(Driver *d, SweepChecks *checks, const SweepRun *run, bool whole) {
    TextStream *err = text_stream_open(d->c->arena);
    Driver one = pipeline_apart(d, err->to);
    sweep_add_settings(&one, run);
    const ExitCode code = sweep_compile(&one, whole);
    compilation_destroy(one.c);
    text_stream_close(err);
    const char *said = arena_copy_string(d->c->arena, err->text ? err->text : "", err->length);
    if (err->length && (!checks->said || strcmp(checks->said, said) != 0)) {
        if (run->n_settings)
            fprintf(d->err, "hcc: with %s:\n",
                    sweep_joined(d->c->arena, run->settings, run->n_settings));
        fputs(said, d->err);
        checks->said = said;
    }
    text_stream_free(err);
    return code;
}

/* Every combination of what is to begin anew; a network is compiled once, for all of its recipes
 * and seeds: the workers find it in the cache. All mistakes are told. */
static ExitCode sweep_check(Sweep *s) {
    SweepChecks checks = {0};
    ExitCode first = EXIT_OK;
    Arena *arena = s->d->c->arena;
    for (uint32_t k = 0; k < s->n_tasks; k++) {
        const SweepRun *run = s->tasks[k].run;
        if (s->tasks[k].state != TASK_WAITING || s->tasks[k].goes_on)
            continue;
        const char *settings = sweep_joined(arena, run->settings, run->n_settings),
                   *constants = sweep_joined(arena, run->constants, run->n_constants);
        const bool whole = !sweep_had(&checks, true, constants);
        if (sweep_had(&checks, false, settings))
            continue;
        const ExitCode code = sweep_check_run(s->d, &checks, run, whole);
        vec_push(arena, &checks.checked, settings);
        if (whole && code == EXIT_OK)
            vec_push(arena, &checks.compiled, constants);
        first = first == EXIT_OK ? code : first;
    }
    return first;
}

/* --- its end -----------------------------------------------------------------------------------*/

/* What a task's end means for the sweep's. */
static ExitCode sweep_task_code(const Sweep *s, const SweepTask *task) {
    if (task->state == TASK_WAITING || task->state == TASK_ELSEWHERE)
        return s->changed ? EXIT_USAGE : EXIT_OK;
    return (ExitCode)task->exit_code;
}

static ExitCode sweep_tell(const Sweep *s) {
    ExitCode code = EXIT_OK;
    for (uint32_t k = 0; k < s->n_tasks; k++) {
        const SweepTask *task = &s->tasks[k];
        const ExitCode of = sweep_task_code(s, task);
        if (task->state == TASK_FAILED || task->state == TASK_DIVERGED ||
            (task->state == TASK_STOPPED && !s->stopped))
            fprintf(s->d->err, "hcc: %s: %s, exit code %d%s%s\n", task->run->name,
                    task_state_names[task->state], task->exit_code, task->why[0] ? ": " : "",
                    task->why);
        if (code == EXIT_OK || (code == EXIT_DIVERGED && of != EXIT_OK))
            code = of;
    }
    if (s->changed)
        driver_error(s->d, "'%s' has changed meanwhile: what had not begun was not begun",
                     s->folder.file);
    return code;
}

/* Whether there is something that can be compared. */
static bool sweep_has_runs(const Sweep *s) {
    for (uint32_t k = 0; k < s->n_tasks; k++)
        if (s->tasks[k].step > 0 || s->tasks[k].state == TASK_FINISHED)
            return true;
    return false;
}

static ExitCode sweep_end(const Sweep *s) {
    const char *paths[] = {s->folder.path};
    const HcOptionList list = {.at = paths, .count = 1, .capacity = 1};
    ExitCode code = sweep_tell(s);
    if (s->stopped) {
        fprintf(s->d->err, "hcc: interrupted; the same command goes on\n");
        return (ExitCode)hc_signals_exit_code(HC_INTERRUPTED);
    }
    const bool whole = s->d->options.only.count == 0;
    const ExitCode compared = whole && sweep_has_runs(s) ? compare_runs(s->d, &list) : EXIT_OK;
    return code == EXIT_OK ? compared : code;
}

/* --- the command -------------------------------------------------------------------------------*/

static ExitCode sweep_run(Sweep *s, uint32_t cores) {
    SweepTable table = sweep_table(s->d->options.run.quiet ? NULL : s->d->err);
    sweep_tasks(s);
    if (table.to && !s->d->options.jobs)
        sweep_say_plan(s, cores);
    ExitCode code = sweep_check(s);
    if (code == EXIT_OK)
        code = sweep_folder_write(s->d, &s->folder, &s->grid);
    if (code != EXIT_OK || s->d->options.jobs)
        return code == EXIT_OK ? sweep_print_jobs(s) : code;
    hc_signals_install();
    fault_handlers_note("training");
    s->watch = sweep_table_show;
    s->user = &table;
    sweep_work(s);
    return sweep_end(s);
}

ExitCode command_sweep(Driver *d) {
    Sweep s = {.d = d};
    const HcRunOptions *o = &d->options.run;
    if (strcmp(d->options.argument, "-") == 0) {
        fprintf(d->err, "hcc: 'sweep' reads FILE again for each run: it cannot be '-'\n");
        return EXIT_USAGE;
    }
    ExitCode code = sweep_grid(d, &s.grid);
    if (code == EXIT_OK)
        code = sweep_check_only(d, &s.grid);
    if (code != EXIT_OK)
        return code;
    const uint32_t cores = (uint32_t)hc_cpu_count();
    const uint32_t runs = d->options.only.count ? d->options.only.count : s.grid.runs.count;
    s.workers = d->options.workers.given ? (uint32_t)d->options.workers.value
                                         : sweep_least(sweep_least(runs, cores), MOST_WORKERS);
    const uint32_t share = cores > s.workers ? cores / s.workers : 1;
    code = sweep_folder_open(d, &s.folder, o->threads.given ? (uint32_t)o->threads.value : share);
    if (code == EXIT_OK)
        code = sweep_run(&s, cores);
    sweep_folder_close(&s.folder);
    return code;
}
