/* Curves of losses, and quality against speed: pictures, each with the table behind it. */
#include "driver/report/chart.h"
#include "driver/report/page.h"
#include "driver/xml.h"
#include <math.h>

static void picture_legend(const HcComparison *c, FILE *to) {
    fputs("<ul class=\"legend\">\n", to);
    for (uint32_t g = 0; g < c->n_groups; g++) {
        fputs("<li>", to);
        chart_print_key(g, to);
        xml_text(to, c->groups[g].name);
        fputs("</li>\n", to);
    }
    fputs("</ul>\n", to);
}

/* All numbers of a chart: a row a point, as groups may have other ones. */
static void picture_table(const Chart *chart, FILE *to) {
    page_details_begin(to, "The numbers");
    page_table_begin(to, chart->title);
    page_head(to, (const char *const[]){"group", chart->x, chart->y}, 3);
    for (uint32_t k = 0; k < chart->n_lines; k++)
        for (uint32_t i = 0; i < chart->lines[k].n; i++) {
            page_row_begin(to, chart->lines[k].name);
            page_number(to, "%.6g", chart->lines[k].x[i]);
            page_number(to, "%.4f", chart->lines[k].y[i]);
            page_row_end(to);
        }
    page_table_end(to);
    page_details_end(to);
}

static void picture_print(const Chart *chart, FILE *to) {
    if (chart_empty(chart))
        return;
    fputs("<figure><figcaption>", to);
    xml_text(to, chart->title);
    fputs("</figcaption>\n", to);
    chart_print(chart, to);
    picture_table(chart, to);
    fputs("</figure>\n", to);
}

typedef const Curve *PickCurve(const GroupCurves *curves);
static const Curve *pick_train(const GroupCurves *curves) {
    return &curves->train;
}
static const Curve *pick_held_out(const GroupCurves *curves) {
    return &curves->held_out;
}
static const Curve *pick_by_time(const GroupCurves *curves) {
    return &curves->by_time;
}

/* Less the baseline's after the same step, of which small differences are seen. */
static void picture_gaps(const Report *r, FILE *to) {
    const HcComparison *c = r->comparison;
    const Curve *baseline = &r->curves[c->baseline].held_out;
    ChartLine *lines = ARENA_ARRAY(r->arena, ChartLine, c->n_groups + 1);
    for (uint32_t g = 0; g < c->n_groups; g++) {
        const Curve *curve = &r->curves[g].held_out;
        double *gaps = ARENA_ARRAY(r->arena, double, curve->n + 1);
        for (uint32_t k = 0, i = 0; k < curve->n; k++) {
            while (i < baseline->n && baseline->x[i] < curve->x[k])
                i++;
            const bool both = i < baseline->n && baseline->x[i] == curve->x[k];
            gaps[k] = both ? curve->y[k] - baseline->y[i] : (double)NAN;
        }
        lines[g] = (ChartLine){
            .name = c->groups[g].name, .x = curve->x, .y = gaps, .n = curve->n, .series = g};
    }
    const Chart chart = {.title = "Held-out loss less the baseline's, by step",
                         .x = "step",
                         .y = "gap",
                         .lines = lines,
                         .n_lines = c->n_groups,
                         .marks = true};
    if (c->n_groups > 1)
        picture_print(&chart, to);
}

static const Curve *pick_gain(const GroupCurves *curves) {
    return &curves->gain;
}

static void picture_curves(const Report *r, PickCurve *pick, const char *title, const char *x,
                           const char *y, bool marks, FILE *to) {
    const HcComparison *c = r->comparison;
    ChartLine *lines = ARENA_ARRAY(r->arena, ChartLine, c->n_groups + 1);
    for (uint32_t g = 0; g < c->n_groups; g++) {
        const Curve *curve = pick(&r->curves[g]);
        lines[g] = (ChartLine){
            .name = c->groups[g].name, .x = curve->x, .y = curve->y, .n = curve->n, .series = g};
    }
    const Chart chart = {
        .title = title, .x = x, .y = y, .lines = lines, .n_lines = c->n_groups, .marks = marks};
    picture_print(&chart, to);
}

void page_curves(const Report *r, FILE *to) {
    fputs("<section id=\"curves\"><h2>Loss curves</h2>\n", to);
    picture_legend(r->comparison, to);
    fputs("<div class=\"figures\">\n", to);
    picture_curves(r, pick_held_out, "Held-out loss by step, means over the seeds", "step", "loss",
                   true, to);
    picture_gaps(r, to);
    picture_curves(r, pick_by_time, "Held-out loss by time of training", "minutes", "loss", true,
                   to);
    picture_curves(r, pick_train, "Training loss, means of steps in a row and over the seeds",
                   "step", "loss", false, to);
    picture_curves(r, pick_gain,
                   "Composite gain of the trunk while training, the larger of forward and backward",
                   "step", "gain", true, to);
    fputs("</div></section>\n", to);
}

void page_quality(const Report *r, FILE *to) {
    const HcComparison *c = r->comparison;
    ChartLine *lines = ARENA_ARRAY(r->arena, ChartLine, c->n_groups + 1);
    for (uint32_t g = 0; g < c->n_groups; g++) {
        const HcRunGroup *group = &c->groups[g];
        lines[g] = (ChartLine){.name = group->name,
                               .x = &group->positions_per_s.mean,
                               .y = &group->best.loss.mean,
                               .deviation = &group->best.loss.deviation,
                               .n = 1,
                               .series = g};
    }
    const Chart chart = {.title = "Best held-out loss against speed: the lower and the further to "
                                  "the right, the better; bars are deviations over the seeds",
                         .x = "positions a second",
                         .y = "best held-out loss",
                         .lines = lines,
                         .n_lines = c->n_groups,
                         .marks = true,
                         .alone = true};
    if (chart_empty(&chart))
        return;
    fputs("<section id=\"quality\"><h2>Quality against speed</h2>\n<div class=\"figures\">\n", to);
    picture_print(&chart, to);
    fputs("</div></section>\n", to);
}
