/* Tables of a page: cells, and the comparison. */
#include "driver/report/page.h"
#include "driver/xml.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* --- cells -------------------------------------------------------------------------------------*/

void page_tag(FILE *to, const char *tag, const char *text) {
    fprintf(to, "<%s>", tag);
    xml_text(to, text);
    fprintf(to, "</%s>\n", tag);
}

/* What is wider than a window scrolls within itself, by keys as well. */
void page_table_begin(FILE *to, const char *caption) {
    fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"", to);
    xml_text(to, caption);
    fputs("\"><table><caption>", to);
    xml_text(to, caption);
    fputs("</caption>\n", to);
}

void page_table_end(FILE *to) {
    fputs("</tbody></table></div>\n", to);
}

void page_head(FILE *to, const char *const *names, uint32_t count) {
    fputs("<thead><tr>", to);
    for (uint32_t k = 0; k < count; k++) {
        fputs("<th scope=\"col\">", to);
        xml_text(to, names[k]);
        fputs("</th>", to);
    }
    fputs("</tr></thead><tbody>\n", to);
}

void page_row_begin(FILE *to, const char *heading) {
    fputs("<tr><th scope=\"row\">", to);
    xml_text(to, heading);
    fputs("</th>", to);
}

void page_cell(FILE *to, const char *text) {
    fputs("<td>", to);
    xml_text(to, text);
    fputs("</td>", to);
}

void page_number(FILE *to, const char *format, double value) {
    char text[64] = "";
    if (isfinite(value))
        snprintf(text, sizeof text, format, value);
    page_cell(to, text);
}

void page_row_end(FILE *to) {
    fputs("</tr>\n", to);
}

void page_details_begin(FILE *to, const char *summary) {
    fputs("<details><summary>", to);
    xml_text(to, summary);
    fputs("</summary>\n", to);
}

void page_details_end(FILE *to) {
    fputs("</details>\n", to);
}

#define HEAD(to, ...)                                                                              \
    page_head((to), (const char *const[]){__VA_ARGS__},                                            \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* --- the comparison ----------------------------------------------------------------------------*/

static const char *const gap_words[] = {[HC_GAP_NONE] = "",
                                        [HC_GAP_ONE_SEED] = "one seed",
                                        [HC_GAP_WITHIN] = "no",
                                        [HC_GAP_EXCEEDS] = "yes"};

static void table_mean(FILE *to, const HcMean *m) {
    char text[80] = "";
    if (isfinite(m->deviation))
        snprintf(text, sizeof text, "%.4f \xC2\xB1 %.4f", m->mean, m->deviation);
    else if (isfinite(m->mean))
        snprintf(text, sizeof text, "%.4f", m->mean);
    page_cell(to, text);
}

static void table_seeds(const HcComparison *c, uint32_t group, FILE *to) {
    fputs("<td>", to);
    for (uint32_t k = 0, n = 0; k < c->n_runs; k++)
        if (c->group_of[k] == (int32_t)group)
            fprintf(to, "%s%" JSON_INTEGER_FORMAT, n++ ? " " : "", c->runs[k].seed);
    fputs("</td>", to);
}

static void table_standing(const HcComparison *c, uint32_t g, const HcStanding *s, FILE *to) {
    table_mean(to, &s->loss);
    page_number(to, "%+.4f", s->gap);
    page_number(to, "%.4f", s->spread);
    page_cell(to, g == c->baseline ? "baseline" : gap_words[s->kind]);
}

static void table_at_step(const HcComparison *c, FILE *to) {
    char caption[120];
    if (c->step < 0) {
        page_tag(to, "p", "There is no step after which all of them were evaluated.");
        return;
    }
    snprintf(caption, sizeof caption,
             "After step %" PRId64 ", the last at which all were evaluated", c->step);
    page_table_begin(to, caption);
    HEAD(to, "group", "seeds", "held-out loss", "gap", "spread", "exceeds it", "bits a byte");
    for (uint32_t g = 0; g < c->n_groups; g++) {
        page_row_begin(to, c->groups[g].name);
        table_seeds(c, g, to);
        table_standing(c, g, &c->groups[g].at_step, to);
        page_number(to, "%.4f",
                    c->bytes ? hc_bits_per_byte(&c->groups[g], c->groups[g].at_step.loss.mean)
                             : NAN);
        page_row_end(to);
    }
    page_table_end(to);
}

static void table_at_time(const HcComparison *c, FILE *to) {
    char caption[120], steps[48];
    if (isnan(c->seconds))
        return;
    snprintf(caption, sizeof caption, "After %.3g minutes of training, as long as all trained",
             c->seconds / 60);
    page_table_begin(to, caption);
    HEAD(to, "group", "at step", "held-out loss", "gap", "spread", "exceeds it");
    for (uint32_t g = 0; g < c->n_groups; g++) {
        const HcStanding *s = &c->groups[g].at_time;
        page_row_begin(to, c->groups[g].name);
        snprintf(steps, sizeof steps,
                 s->loss.n == 0                  ? ""
                 : s->first_step == s->last_step ? "%" PRId64
                                                 : "%" PRId64 "\xE2\x80\x93%" PRId64,
                 s->first_step, s->last_step);
        page_cell(to, steps);
        table_standing(c, g, s, to);
        page_row_end(to);
    }
    page_table_end(to);
}

static void table_costs(const HcComparison *c, FILE *to) {
    page_table_begin(to, "The best of each run, and what it took");
    HEAD(to, "group", "best held-out loss", "parameters", "FLOPs a position, M",
         "positions a second", "memory, MB", "minutes");
    for (uint32_t g = 0; g < c->n_groups; g++) {
        const HcRunGroup *group = &c->groups[g];
        page_row_begin(to, group->name);
        table_mean(to, &group->best.loss);
        page_number(to, "%.0f", group->parameters.mean);
        page_number(to, "%.3f", group->flops_per_position.mean / 1e6);
        page_number(to, "%.0f", group->positions_per_s.mean);
        page_number(to, "%.1f", group->memory_bytes.mean / 1e6);
        page_number(to, "%.2f", group->minutes.mean);
        page_row_end(to);
    }
    page_table_end(to);
}

static bool differs(const HcComparison *c, const char *name) {
    for (uint32_t k = 0; k < c->n_differ; k++)
        if (strcmp(c->differ[k], name) == 0)
            return true;
    return false;
}

/* What was trained, on what and how: what all groups have. */
static void table_common(const HcComparison *c, FILE *to) {
    const HcPastRun *run = &c->runs[c->groups[c->baseline].first];
    const char *name;
    json_t *value;
    page_details_begin(to, "What all have: model, data, recipe");
    page_table_begin(to, "Settings that all groups have");
    HEAD(to, "setting", "value");
    json_object_foreach(run->settings, name, value) {
        char text[256];
        if (differs(c, name))
            continue;
        hc_run_setting_text(run, name, text, sizeof text);
        page_row_begin(to, name);
        page_cell(to, text);
        page_row_end(to);
    }
    page_table_end(to);
    page_details_end(to);
}

/* What groups differ in. */
static void table_settings(const HcComparison *c, FILE *to) {
    if (c->n_differ == 0)
        return;
    page_table_begin(to, "Settings in which the groups differ");
    fputs("<thead><tr><th scope=\"col\">setting</th>", to);
    for (uint32_t g = 0; g < c->n_groups; g++) {
        fputs("<th scope=\"col\">", to);
        xml_text(to, c->groups[g].name);
        fputs("</th>", to);
    }
    fputs("</tr></thead><tbody>\n", to);
    for (uint32_t k = 0; k < c->n_differ; k++) {
        page_row_begin(to, c->differ[k]);
        for (uint32_t g = 0; g < c->n_groups; g++) {
            char value[256];
            hc_run_setting_text(&c->runs[c->groups[g].first], c->differ[k], value, sizeof value);
            page_cell(to, *value ? value : "\xE2\x80\x93");
        }
        page_row_end(to);
    }
    page_table_end(to);
}

static void table_runs(const HcComparison *c, FILE *to) {
    page_details_begin(to, "All runs");
    page_table_begin(to, "All runs");
    HEAD(to, "run", "group", "seed", "steps", "why it does not count");
    for (uint32_t k = 0; k < c->n_runs; k++) {
        const HcPastRun *run = &c->runs[k];
        const bool counts = c->group_of[k] >= 0;
        page_row_begin(to, run->path);
        page_cell(to, counts ? c->groups[c->group_of[k]].name : "");
        page_number(to, "%.0f", run->settings ? (double)run->seed : NAN);
        page_number(to, "%.0f", (double)run->steps);
        page_cell(to, run->why);
        page_row_end(to);
    }
    page_table_end(to);
    page_details_end(to);
}

static void table_left_out(const HcComparison *c, FILE *to) {
    uint32_t left = 0;
    for (uint32_t k = 0; k < c->n_runs; k++)
        left += c->group_of[k] < 0;
    if (left == 0)
        return;
    page_table_begin(to, "Runs that do not count");
    HEAD(to, "run", "why");
    for (uint32_t k = 0; k < c->n_runs; k++) {
        if (c->group_of[k] >= 0)
            continue;
        page_row_begin(to, c->runs[k].path);
        page_cell(to, c->runs[k].why);
        page_row_end(to);
    }
    page_table_end(to);
}

void page_comparison(const Report *r, FILE *to) {
    const HcComparison *c = r->comparison;
    fputs("<section id=\"comparison\"><h2>Comparison</h2>\n", to);
    if (c->n_groups) {
        table_at_step(c, to);
        table_at_time(c, to);
        table_costs(c, to);
        if (c->n_groups > 1)
            page_tag(
                to, "p",
                "Losses are means and deviations over the seeds. A gap to the baseline exceeds "
                "the seeds' spread where it is more than 2 \xE2\x88\x9A(s\xE2\x82\x81\xC2\xB2"
                "/n\xE2\x82\x81 + s\xE2\x82\x82\xC2\xB2/n\xE2\x82\x82), of the deviations s "
                "over n seeds.");
        if (differs(c, "data"))
            page_tag(to, "p",
                     "Their data differ: a gap is then between losses of different data as well.");
        page_tag(to, "p",
                 "After equal time each group stands where it was last evaluated until then: the "
                 "more often (train.eval_every), the fairer.");
        table_settings(c, to);
        table_common(c, to);
    }
    table_left_out(c, to);
    table_runs(c, to);
    fputs("</section>\n", to);
}
