#include "driver/sweep/task.h"
#include "runtime/files/checkpoint.h"
#include "runtime/files/json.h"
#include "runtime/files/json_file.h"
#include "runtime/files/json_read.h"
#include "runtime/files/replace.h"
#include "runtime/runs/past_run.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const task_state_names[] = {
    [TASK_WAITING] = "waiting",   [TASK_RUNNING] = "running", [TASK_ELSEWHERE] = "elsewhere",
    [TASK_FINISHED] = "finished", [TASK_STOPPED] = "stopped", [TASK_DIVERGED] = "diverged",
    [TASK_FAILED] = "failed",
};

/* FOLDER/NAME, in `path`; folders of runs are checked to be short enough when a sweep begins. */
enum { PATH_ROOM = 4096 };
static const char *task_file(const SweepTask *task, const char *name, char path[PATH_ROOM]) {
    snprintf(path, PATH_ROOM, "%s/%s", task->folder, name);
    return path;
}

static void task_says(SweepTask *task, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void task_says(SweepTask *task, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(task->why, sizeof task->why, format, arguments);
    va_end(arguments);
    hc_make_printable(task->why);
}

/* --- what a folder tells -----------------------------------------------------------------------*/

static bool task_locked(const SweepTask *task) {
    const int folder = open(task->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool locked =
        folder >= 0 && flock(folder, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (folder >= 0)
        close(folder);
    return locked;
}

static bool task_has(const SweepTask *task, const char *name) {
    char path[PATH_ROOM];
    return access(task_file(task, name, path), F_OK) == 0;
}

/* Whether there is a run that can be read: its log is there a moment before its config.json. */
static bool task_find_files(Driver *d, SweepTask *task) {
    char path[PATH_ROOM];
    char *parameters = hc_checkpoint_parameters(task_file(task, "ckpt/last", path));
    if (!parameters)
        arena_exhausted(d->c->arena);
    const bool begun = task_has(task, "config.json");
    task->goes_on = begun && access(parameters, F_OK) == 0;
    task->there = begun || task_has(task, "log.jsonl");
    free(parameters);
    return begun;
}

/* Whether it has data to be evaluated on: config.json counts them, whatever they are. */
static bool task_holds_out(const HcPastRun *run) {
    const char *name;
    json_t *count;
    json_object_foreach(json_object_get(run->config, "data"), name, count) {
        if (strncmp(name, "held_out_", 9) == 0 && json_integer_value(count) > 0)
            return true;
    }
    return false;
}

static void task_take_run(SweepTask *task, const HcPastRun *run) {
    const json_t *recipe = json_object_get(run->config, "recipe");
    task->step = run->steps;
    task->steps = json_integer_value(json_object_get(recipe, "steps"));
    task->held_out = run->n_points ? run->points[run->n_points - 1].loss : NAN;
    if (run->state == HC_RUN_DIVERGED) {
        task->state = TASK_DIVERGED;
        task->exit_code = EXIT_DIVERGED;
    } else if (run->state == HC_RUN_UNREADABLE) {
        task->state = TASK_FAILED;
        task->exit_code = EXIT_DATA;
    } else if (run->state == HC_RUN_FINISHED || (run->summary && !task_holds_out(run))) {
        task->state = TASK_FINISHED; /* an interrupted last evaluation leaves a summary, too */
    }
    if (task->state != TASK_FINISHED && run->why[0])
        task_says(task, "%s", run->why);
}

static void task_read_run(Driver *d, SweepTask *task) {
    HcPastRun run;
    HcError error;
    const HcStatus status = hc_past_run_read(&run, task->folder, &error);
    if (status != HC_ERROR_MEMORY)
        task_take_run(task, &run);
    hc_past_run_free(&run);
    if (status == HC_ERROR_MEMORY)
        arena_exhausted(d->c->arena);
}

/* A record of ours: the run ended by itself, and failed. */
static void task_read_failure(SweepTask *task) {
    char path[PATH_ROOM];
    json_t *record = NULL;
    if (task->state != TASK_WAITING || access(task_file(task, "failed.json", path), F_OK) != 0)
        return;
    hc_json_file(path, &record, NULL);
    const json_t *code = json_object_get(record, "exit_code");
    const char *why = json_string_value(json_object_get(record, "why"));
    task->state = TASK_FAILED;
    task->exit_code = json_is_integer(code) ? (int)json_integer_value(code) : EXIT_DATA;
    task_says(task, "%s", why ? why : "");
    json_decref(record);
}

void task_look(Driver *d, SweepTask *task, bool retry) {
    task->state = TASK_WAITING;
    task->exit_code = 0;
    task->why[0] = '\0';
    task->loss = task->held_out = NAN;
    if (task_locked(task)) {
        task->state = TASK_ELSEWHERE;
        return;
    }
    if (task_find_files(d, task))
        task_read_run(d, task);
    task_read_failure(task);
    if (retry && (task->state == TASK_DIVERGED || task->state == TASK_FAILED))
        task->state = TASK_WAITING;
}

/* --- progress ----------------------------------------------------------------------------------*/

/* The last whole line of a log, in `text`; NULL: there is none. */
static char *task_last_line(const SweepTask *task, char *text, size_t size) {
    char path[PATH_ROOM];
    const int file = open(task_file(task, "log.jsonl", path), O_RDONLY | O_CLOEXEC);
    struct stat info;
    ssize_t got = -1;
    if (file >= 0 && fstat(file, &info) == 0) {
        const off_t room = (off_t)size - 1, begin = info.st_size > room ? info.st_size - room : 0;
        got = pread(file, text, size - 1, begin);
    }
    if (file >= 0)
        close(file);
    text[got > 0 ? got : 0] = '\0';
    char *end = strrchr(text, '\n');
    if (!end)
        return NULL;
    *end = '\0';
    char *before = strrchr(text, '\n');
    return before ? before + 1 : text;
}

static void task_read_steps(SweepTask *task) {
    char path[PATH_ROOM];
    json_t *config = NULL;
    hc_json_file(task_file(task, "config.json", path), &config, NULL);
    const json_t *steps = json_object_get(json_object_get(config, "recipe"), "steps");
    task->steps = json_integer_value(steps);
    json_decref(config);
}

void task_progress(SweepTask *task) {
    char text[8192];
    const char *line = task_last_line(task, text, sizeof text);
    HcJsonRead read;
    json_t *json = line ? hc_json_read(line, strlen(line), 1000, &read) : NULL;
    const json_t *step = json_object_get(json, "step"), *loss = json_object_get(json, "loss"),
                 *held_out = json_object_get(json, "val_loss");
    if (json_is_integer(step))
        task->step = json_integer_value(step);
    if (json_is_number(loss))
        task->loss = json_number_value(loss);
    if (json_is_number(held_out))
        task->held_out = json_number_value(held_out);
    json_decref(json);
    if (task->steps == 0 && task->step > 0)
        task_read_steps(task);
}

/* --- its end -----------------------------------------------------------------------------------*/

/* What it said last: a line of `hcc` in what it printed. */
static void task_read_output(SweepTask *task) {
    char path[PATH_ROOM], line[sizeof task->why], last[sizeof task->why] = "";
    FILE *file = fopen(task_file(task, "output.txt", path), "re");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "hcc: ", 5) == 0)
            memcpy(last, line, sizeof last);
    if (file)
        fclose(file);
    last[strcspn(last, "\n")] = '\0';
    task_says(task, "%s", last[0] ? last + 5 : "");
}

/* Without it the next sweep tries again, which is no harm. */
static void task_record_failure(const SweepTask *task) {
    char path[PATH_ROOM];
    json_t *record = json_object();
    hc_json_set(&record, "exit_code", json_integer(task->exit_code));
    hc_json_set(&record, "why", hc_json_text(task->why));
    char *text = hc_json_dump(record, JSON_INDENT(2));
    if (text)
        hc_file_replace(task_file(task, "failed.json", path), text, strlen(text), NULL);
    json_decref(record);
    free(text);
}

static bool task_was_interrupted(int status) {
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return WIFSIGNALED(status) || code == 129 || code == 130 || code == 143;
}

void task_ended(Driver *d, SweepTask *task, int status) {
    const bool was_there = task->there;
    task->worker = 0;
    task_look(d, task, false);
    if (task->state == TASK_WAITING && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        task->state = TASK_FINISHED;
    } else if (task->state == TASK_WAITING && WIFEXITED(status) &&
               WEXITSTATUS(status) == EXIT_USAGE && !was_there && task->there) {
        return; /* another process began it a moment before: it waits, and is gone on with */
    } else if (task->state == TASK_WAITING && task_was_interrupted(status)) {
        task->state = TASK_STOPPED;
        task->exit_code = WIFSIGNALED(status) ? EXIT_RESOURCE : WEXITSTATUS(status);
        if (WIFSIGNALED(status))
            task_says(task, "killed by signal %d%s", WTERMSIG(status),
                      WTERMSIG(status) == 9 ? ", as where memory runs out" : "");
        else
            task_says(task, "ended from outside, and saved");
    } else if (task->state == TASK_WAITING) {
        task->state = TASK_FAILED;
        task->exit_code = WEXITSTATUS(status);
        task_read_output(task);
        task_record_failure(task);
    }
}
