#include "driver/report/curves.h"
#include "runtime/runs/read_log.h"
#include <math.h>

enum { BINS = 150 }; /* points of a line: about as many as can be told apart */

typedef struct {
    double sum;
    uint32_t count;
} Bin;

/* What the logs of a group add up to. */
typedef struct {
    int64_t width; /* steps of a bin */
    Bin losses[BINS], gains[BINS];
} LogBins;

static void curve_add(Bin *bins, int64_t bin, const json_t *value) {
    if (!json_is_number(value) || bin < 0 || bin >= BINS)
        return;
    bins[bin].sum += json_number_value(value);
    bins[bin].count++;
}

static HcStatus curve_read_log(const HcPastRun *run, LogBins *bins, HcError *error) {
    HcLogReader reader;
    HcStatus status = hc_log_open(&reader, run->path, error);
    if (status != HC_OK)
        return status;
    json_t *line;
    while ((status = hc_log_next(&reader, &line)) == HC_OK && line) {
        const int64_t step = json_integer_value(json_object_get(line, "step"));
        const int64_t bin = (step - 1) / bins->width;
        curve_add(bins->losses, bin, json_object_get(line, "loss"));
        curve_add(bins->gains, bin, json_object_get(json_object_get(line, "wiring"), "gain"));
        json_decref(line);
    }
    hc_log_close(&reader);
    return status;
}

/* The middle of the steps of a bin stands for them. */
static Curve curve_of_bins(Arena *arena, const Bin *bins, int64_t width) {
    Curve curve = {ARENA_ARRAY(arena, double, BINS), ARENA_ARRAY(arena, double, BINS), 0};
    for (uint32_t k = 0; k < BINS; k++) {
        if (!bins[k].count)
            continue;
        curve.x[curve.n] = ((double)k + 0.5) * (double)width + 0.5;
        curve.y[curve.n++] = bins[k].sum / bins[k].count;
    }
    return curve;
}

static const HcRunPoint *curve_point(const HcPastRun *run, int64_t step) {
    for (uint32_t k = 0; k < run->n_points; k++)
        if (run->points[k].step == step)
            return &run->points[k];
    return NULL;
}

/* Means over the group's runs after `step`; false: not all were evaluated then. */
static bool curve_mean(const HcComparison *c, uint32_t group, int64_t step, double *loss,
                       double *seconds) {
    uint32_t n = 0;
    *loss = *seconds = 0;
    for (uint32_t k = 0; k < c->n_runs; k++) {
        if (c->group_of[k] != (int32_t)group)
            continue;
        const HcRunPoint *point = curve_point(&c->runs[k], step);
        if (!point)
            return false;
        *loss += point->loss;
        *seconds += point->seconds;
        n++;
    }
    *loss /= n;
    *seconds /= n;
    return n > 0;
}

static void curve_evaluations(Arena *arena, const HcComparison *c, uint32_t group,
                              GroupCurves *to) {
    const HcPastRun *first = &c->runs[c->groups[group].first];
    Curve *const curves[] = {&to->held_out, &to->by_time};
    for (uint32_t k = 0; k < 2; k++)
        *curves[k] = (Curve){ARENA_ARRAY(arena, double, first->n_points + 1),
                             ARENA_ARRAY(arena, double, first->n_points + 1), 0};
    for (uint32_t k = 0; k < first->n_points; k++) {
        double loss, seconds;
        if (!curve_mean(c, group, first->points[k].step, &loss, &seconds))
            continue;
        to->held_out.x[to->held_out.n] = (double)first->points[k].step;
        to->held_out.y[to->held_out.n++] = loss;
        if (isnan(seconds))
            continue;
        to->by_time.x[to->by_time.n] = seconds / 60;
        to->by_time.y[to->by_time.n++] = loss;
    }
}

HcStatus report_curves(Arena *arena, const HcComparison *c, GroupCurves **curves, HcError *error) {
    int64_t steps = 1;
    HcStatus status = HC_OK;
    *curves = ARENA_ARRAY(arena, GroupCurves, c->n_groups + 1);
    for (uint32_t k = 0; k < c->n_runs; k++)
        if (c->group_of[k] >= 0 && c->runs[k].steps > steps)
            steps = c->runs[k].steps;
    const int64_t width = (steps + BINS - 1) / BINS;
    for (uint32_t g = 0; g < c->n_groups && status == HC_OK; g++) {
        LogBins bins = {.width = width};
        for (uint32_t k = 0; k < c->n_runs && status == HC_OK; k++)
            if (c->group_of[k] == (int32_t)g)
                status = curve_read_log(&c->runs[k], &bins, error);
        (*curves)[g].train = curve_of_bins(arena, bins.losses, width);
        (*curves)[g].gain = curve_of_bins(arena, bins.gains, width);
        curve_evaluations(arena, c, g, &(*curves)[g]);
    }
    return status;
}
