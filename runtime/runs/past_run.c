#include "runtime/runs/past_run.h"
#include "runtime/files/json.h"
#include "runtime/files/json_file.h"
#include "runtime/files/paths.h"
#include "runtime/runs/read_log.h"
#include "runtime/trained/find_run.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the log -----------------------------------------------------------------------------------*/

static HcStatus add_point(HcPastRun *run, int64_t step, double loss, HcError *error) {
    if (run->n_points && run->points[run->n_points - 1].step == step)
        return HC_OK;
    if (run->n_points == run->capacity) {
        const uint32_t capacity = run->capacity ? 2 * run->capacity : 16;
        HcRunPoint *points = realloc(run->points, capacity * sizeof *points);
        if (!points)
            return hc_fail_memory(error, "the evaluations of a run");
        run->points = points;
        run->capacity = capacity;
    }
    run->points[run->n_points++] = (HcRunPoint){step, run->seconds, loss};
    return HC_OK;
}

/* Positions of a step, in all its samples; NAN: config.json does not say. */
static double step_positions(const json_t *config) {
    const json_t *batch = json_object_get(json_object_get(config, "recipe"), "batch"),
                 *space = json_object_get(config, "space"),
                 *positions = json_object_get(space, "maximum");
    const double of_sample = json_is_number(positions) ? json_number_value(positions) : 1;
    const double all = json_is_number(batch) ? json_number_value(batch) * of_sample : NAN;
    return all > 0 ? all : NAN;
}

void hc_past_run_is(HcPastRun *run, HcRunState state, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    run->state = state;
    vsnprintf(run->why, sizeof run->why, format, arguments);
    hc_make_printable(run->why);
    va_end(arguments);
}

static HcStatus take_line(HcPastRun *run, const json_t *line, double positions, HcError *error) {
    const int64_t step = json_integer_value(json_object_get(line, "step"));
    const json_t *loss = json_object_get(line, "val_loss"),
                 *diverged = json_object_get(line, "diverged"),
                 *speed = json_object_get(line, "positions_per_s");
    if (diverged) {
        const char *where = json_string_value(diverged);
        hc_past_run_is(run, HC_RUN_DIVERGED, "diverged at step %lld%s%.400s", (long long)step,
                       where ? ": " : "", where ? where : "");
        return HC_OK;
    }
    if (step != run->steps + 1 || !json_is_number(speed) || json_number_value(speed) <= 0)
        run->seconds = NAN;
    else
        run->seconds += positions / json_number_value(speed);
    if (!isfinite(run->seconds))
        run->seconds = NAN;
    run->steps = step;
    return json_is_number(loss) ? add_point(run, step, json_number_value(loss), error) : HC_OK;
}

static HcStatus read_log(HcPastRun *run, HcError *error) {
    HcLogReader reader;
    const double positions = step_positions(run->config);
    HcStatus status = hc_log_open(&reader, run->path, error);
    if (status != HC_OK)
        return status;
    json_t *line;
    while ((status = hc_log_next(&reader, &line)) == HC_OK && line) {
        status = take_line(run, line, positions, error);
        json_decref(line);
        if (status != HC_OK)
            break;
    }
    run->torn = reader.torn;
    hc_log_close(&reader);
    return status;
}

/* --- how it ended ------------------------------------------------------------------------------*/

static HcStatus read_summary(HcPastRun *run, HcError *error) {
    char *path = hc_path_join(run->path, "summary.json");
    HcStatus status = HC_OK;
    if (!path)
        return hc_fail_memory(error, "a path");
    if (access(path, F_OK) == 0)
        status = hc_json_file(path, &run->summary, error);
    free(path);
    return status;
}

static bool is_imported(const HcPastRun *run) {
    return json_object_get(run->config, "imported");
}

/* The last evaluation stands in summary.json alone. */
static HcStatus judge(HcPastRun *run, HcError *error) {
    const json_t *loss = json_object_get(run->summary, "val_loss"),
                 *steps = json_object_get(run->summary, "steps");
    if (run->state == HC_RUN_DIVERGED)
        return HC_OK;
    if (is_imported(run)) {
        hc_past_run_is(run, HC_RUN_UNFINISHED, "it was imported, not trained here");
        return HC_OK;
    }
    if (!run->summary) {
        const json_t *asked = json_object_get(json_object_get(run->config, "recipe"), "steps");
        const json_int_t all = json_integer_value(asked);
        if (run->steps < all)
            hc_past_run_is(run, HC_RUN_UNFINISHED, "unfinished: %lld of %lld steps",
                           (long long)run->steps, (long long)all);
        else
            hc_past_run_is(run, HC_RUN_UNFINISHED,
                           "unfinished: it ended before its last evaluation");
        return HC_OK;
    }
    if (json_is_null(loss)) {
        hc_past_run_is(run, HC_RUN_DIVERGED, "its held-out loss at the end is not finite");
        return HC_OK;
    }
    if (!json_is_number(loss) || !json_is_integer(steps)) {
        hc_past_run_is(run, HC_RUN_UNFINISHED, "it was not evaluated at its end");
        return HC_OK;
    }
    if (json_integer_value(steps) < run->steps)
        return hc_fail(error, HC_ERROR_CHECKPOINT,
                       "`%s` is damaged: its summary.json tells of fewer steps than its log",
                       run->path);
    if (json_integer_value(steps) != run->steps)
        run->seconds = NAN;
    return add_point(run, json_integer_value(steps), json_number_value(loss), error);
}

static HcStatus read_config(HcPastRun *run, const char *path, HcError *error) {
    HcStatus status = hc_read_config(path, &run->config, error);
    const json_t *recipe = json_object_get(run->config, "recipe"),
                 *seed = json_object_get(recipe, "seed");
    if (status != HC_OK)
        return status;
    if (!json_is_string(json_object_get(run->config, "model")) ||
        (!json_is_integer(seed) && !is_imported(run)))
        return hc_fail(error, HC_ERROR_CHECKPOINT,
                       "`%s` is not the folder of a run of hcc: its config.json is another's",
                       run->path);
    run->seed = json_integer_value(seed); /* of what was imported 0: nothing was drawn */
    run->settings = hc_run_settings(run->config);
    return run->settings ? HC_OK : hc_fail_memory(error, "the settings of a run");
}

HcStatus hc_past_run_read(HcPastRun *run, const char *path, HcError *error) {
    char *checkpoint;
    *run = (HcPastRun){0};
    HcStatus status = hc_find_run(path, &run->path, &checkpoint, error);
    free(checkpoint);
    if (status == HC_OK)
        status = read_config(run, path, error);
    if (status == HC_OK)
        status = read_log(run, error);
    if (status == HC_OK)
        status = read_summary(run, error);
    if (status == HC_OK)
        status = judge(run, error);
    if (status != HC_OK)
        hc_past_run_is(run, HC_RUN_UNREADABLE, "%s", error->message);
    return status;
}

void hc_past_run_free(HcPastRun *run) {
    json_decref(run->config);
    json_decref(run->summary);
    json_decref(run->settings);
    free(run->points);
    free(run->path);
    *run = (HcPastRun){0};
}
