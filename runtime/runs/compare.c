#include "runtime/runs/compare.h"
#include "runtime/files/paths.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool counts(const HcComparison *c, uint32_t run) {
    return c->group_of[run] >= 0;
}

static const json_t *setting(const HcComparison *c, uint32_t run, const char *name) {
    return json_object_get(c->runs[run].settings, name);
}

/* --- groups ------------------------------------------------------------------------------------*/

/* A group of its own for the run, or the one whose settings it has. */
static void place(HcComparison *c, uint32_t run) {
    HcPastRun *of = &c->runs[run];
    for (uint32_t g = 0; g < c->n_groups; g++)
        if (json_equal(c->runs[c->groups[g].first].settings, of->settings)) {
            c->group_of[run] = (int32_t)g;
            break;
        }
    for (uint32_t k = 0; counts(c, run) && k < run; k++)
        if (c->group_of[k] == c->group_of[run] && c->runs[k].seed == of->seed) {
            hc_past_run_is(of, HC_RUN_REPEATED, "the same run as %s, seed and all",
                           c->runs[k].path);
            c->group_of[run] = -1;
            return;
        }
    if (!counts(c, run)) {
        c->group_of[run] = (int32_t)c->n_groups;
        c->groups[c->n_groups++] = (HcRunGroup){.first = run};
    }
}

static bool differs(const HcComparison *c, const char *name) {
    const json_t *first = setting(c, c->groups[0].first, name);
    for (uint32_t g = 1; g < c->n_groups; g++) {
        const json_t *other = setting(c, c->groups[g].first, name);
        if (!first != !other || (first && !json_equal(first, other)))
            return true;
    }
    return false;
}

static bool is_listed(const HcComparison *c, const char *name) {
    for (uint32_t k = 0; k < c->n_differ; k++)
        if (strcmp(c->differ[k], name) == 0)
            return true;
    return false;
}

static HcStatus list_differing(HcComparison *c, HcError *error) {
    size_t most = 1;
    for (uint32_t g = 0; g < c->n_groups; g++)
        most += json_object_size(c->runs[c->groups[g].first].settings);
    c->differ = calloc(most, sizeof *c->differ);
    if (!c->differ)
        return hc_fail_memory(error, "a comparison");
    for (uint32_t g = 0; g < c->n_groups; g++) {
        const char *name;
        json_t *value;
        json_object_foreach(c->runs[c->groups[g].first].settings, name, value) {
            if (differs(c, name) && !is_listed(c, name))
                c->differ[c->n_differ++] = name;
        }
    }
    return HC_OK;
}

/* --- names -------------------------------------------------------------------------------------*/

enum { MOST_NAMED = 3, LONGEST_NAME = 40 };

/* Values of what differs, one behind the other. */
static char *values_of(const HcComparison *c, const HcRunGroup *group) {
    const HcPastRun *run = &c->runs[group->first];
    const char *model = json_string_value(json_object_get(run->config, "model"));
    char *text = NULL, value[256];
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to)
        return NULL;
    for (uint32_t k = 0; k < c->n_differ; k++) {
        hc_run_setting_text(run, c->differ[k], value, sizeof value);
        fprintf(to, "%s%s", k ? ", " : "", *value ? value : "-");
    }
    if (c->n_differ == 0)
        fputs(model ? model : "", to);
    const bool whole = !ferror(to);
    if (fclose(to) != 0 || !whole) {
        free(text);
        return NULL;
    }
    return text;
}

static HcStatus name_groups(HcComparison *c, HcError *error) {
    c->lettered = c->n_differ > MOST_NAMED;
    for (uint32_t g = 0; g < c->n_groups; g++) {
        c->groups[g].name = values_of(c, &c->groups[g]);
        if (!c->groups[g].name)
            return hc_fail_memory(error, "a comparison");
        c->lettered |= strlen(c->groups[g].name) > LONGEST_NAME;
    }
    for (uint32_t g = 0; c->lettered && g < c->n_groups; g++) {
        char number[16];
        snprintf(number, sizeof number, "%u", (unsigned)g + 1);
        free(c->groups[g].name);
        c->groups[g].name = strdup(number);
        if (!c->groups[g].name)
            return hc_fail_memory(error, "a comparison");
    }
    return HC_OK;
}

/* --- the baseline ------------------------------------------------------------------------------*/

/* Whether a value, or NAME=VALUE, of what differs is `text`. */
static bool is_of(const HcComparison *c, const HcRunGroup *group, const char *text) {
    for (uint32_t k = 0; k < c->n_differ; k++) {
        const size_t length = strlen(c->differ[k]);
        const bool named = strncmp(text, c->differ[k], length) == 0 && text[length] == '=';
        const char *value = json_string_value(setting(c, group->first, c->differ[k]));
        if (value && (strcmp(value, text) == 0 || (named && strcmp(value, text + length + 1) == 0)))
            return true;
    }
    return strcmp(group->name, text) == 0;
}

static HcStatus find_baseline(HcComparison *c, const char *text, HcError *error) {
    uint32_t found = 0;
    for (uint32_t k = 0; k < c->n_runs; k++)
        if (counts(c, k) && hc_same_file(c->runs[k].path, text)) {
            c->baseline = (uint32_t)c->group_of[k];
            return HC_OK;
        }
    for (uint32_t g = c->n_groups; g-- > 0;)
        if (is_of(c, &c->groups[g], text)) {
            c->baseline = g;
            found++;
        }
    if (found == 1)
        return HC_OK;
    return hc_fail(error, HC_ERROR_ARGUMENT,
                   found ? "--baseline %s: %u groups have that; name one of its runs"
                         : "--baseline %s: no group that is compared has that, and it is none of "
                           "their runs",
                   text, (unsigned)found);
}

static bool is_residual(const HcComparison *c, const HcRunGroup *group) {
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(c->runs[group->first].config, "constants"), name, value) {
        const char *text = json_string_value(value);
        if (text && strcmp(text, "residual") == 0)
            return true;
    }
    return false;
}

static void choose_baseline(HcComparison *c) {
    while (c->baseline < c->n_groups && !is_residual(c, &c->groups[c->baseline]))
        c->baseline++;
    if (c->baseline == c->n_groups)
        c->baseline = 0;
}

/* --- equal steps, equal time -------------------------------------------------------------------*/

typedef enum { AT_STEP, AT_TIME, BEST } Where;

static const HcRunPoint *point_of(const HcComparison *c, uint32_t run, Where where) {
    const HcPastRun *of = &c->runs[run];
    const HcRunPoint *found = NULL;
    for (uint32_t k = 0; k < of->n_points; k++) {
        const HcRunPoint *p = &of->points[k];
        if ((where == AT_STEP && p->step == c->step) ||
            (where == AT_TIME && p->seconds <= c->seconds) ||
            (where == BEST && (!found || p->loss < found->loss)))
            found = p;
    }
    return found;
}

static bool all_have_step(HcComparison *c, int64_t step) {
    c->step = step;
    for (uint32_t k = 0; k < c->n_runs; k++)
        if (counts(c, k) && !point_of(c, k, AT_STEP))
            return false;
    return true;
}

static void find_step(HcComparison *c) {
    const HcPastRun *first = &c->runs[c->groups[0].first];
    uint32_t k = first->n_points;
    while (k > 0 && !all_have_step(c, first->points[k - 1].step))
        k--;
    if (k == 0)
        c->step = -1;
}

/* Each was evaluated behind its last step: there is a run whose last loss counts. */
static void find_seconds(HcComparison *c) {
    c->seconds = INFINITY;
    for (uint32_t k = 0; k < c->n_runs; k++)
        if (counts(c, k) && (isnan(c->runs[k].seconds) || c->runs[k].seconds < c->seconds))
            c->seconds = isnan(c->seconds) ? NAN : c->runs[k].seconds;
}

/* --- means -------------------------------------------------------------------------------------*/

static void mean_begin(HcMean *m) {
    *m = (HcMean){.mean = NAN, .deviation = NAN};
}

static void mean_add(HcMean *m, double x) {
    const double before = m->n ? m->mean : 0, apart = x - before;
    m->n++;
    m->mean = before + apart / m->n;
    m->squares += apart * (x - m->mean);
    m->deviation = m->n > 1 ? sqrt(m->squares / (m->n - 1)) : NAN;
}

static HcMean mean_of_member(const HcComparison *c, int32_t group, const char *name, double unit) {
    HcMean mean;
    mean_begin(&mean);
    for (uint32_t k = 0; k < c->n_runs; k++) {
        const json_t *value = json_object_get(c->runs[k].summary, name);
        if (c->group_of[k] == group && json_is_number(value))
            mean_add(&mean, json_number_value(value) / unit);
    }
    return mean;
}

/* Where one of its seeds has no loss there is none of the group: the others are no fair sample. */
static HcStanding standing_of(const HcComparison *c, int32_t group, Where where) {
    HcStanding s = {.gap = NAN, .spread = NAN};
    mean_begin(&s.loss);
    for (uint32_t k = 0; k < c->n_runs; k++) {
        const HcRunPoint *p = c->group_of[k] == group ? point_of(c, k, where) : NULL;
        if (c->group_of[k] == group && !p) {
            mean_begin(&s.loss);
            break;
        }
        if (!p)
            continue;
        mean_add(&s.loss, p->loss);
        s.first_step = s.loss.n == 1 || p->step < s.first_step ? p->step : s.first_step;
        s.last_step = p->step > s.last_step ? p->step : s.last_step;
    }
    return s;
}

static void compare_with(HcStanding *s, const HcStanding *baseline) {
    const HcMean *a = &s->loss, *b = &baseline->loss;
    if (s == baseline || a->n == 0 || b->n == 0)
        return;
    s->gap = a->mean - b->mean;
    s->spread = 2 * sqrt(a->deviation * a->deviation / a->n + b->deviation * b->deviation / b->n);
    s->kind = isnan(s->spread)           ? HC_GAP_ONE_SEED
              : fabs(s->gap) > s->spread ? HC_GAP_EXCEEDS
                                         : HC_GAP_WITHIN;
}

static void measure(HcComparison *c) {
    for (uint32_t g = 0; g < c->n_groups; g++) {
        HcRunGroup *group = &c->groups[g];
        const int32_t of = (int32_t)g;
        group->at_step = standing_of(c, of, AT_STEP);
        group->at_time = standing_of(c, of, AT_TIME);
        group->best = standing_of(c, of, BEST);
        group->positions_per_s = mean_of_member(c, of, "positions_per_s", 1);
        group->memory_bytes = mean_of_member(c, of, "memory_bytes", 1);
        group->minutes = mean_of_member(c, of, "seconds", 60);
        group->parameters = mean_of_member(c, of, "parameters", 1);
        group->flops_per_position = mean_of_member(c, of, "flops_per_position", 1);
    }
    const HcRunGroup *baseline = &c->groups[c->baseline];
    for (uint32_t g = 0; g < c->n_groups; g++) {
        compare_with(&c->groups[g].at_step, &baseline->at_step);
        compare_with(&c->groups[g].at_time, &baseline->at_time);
        compare_with(&c->groups[g].best, &baseline->best);
    }
}

/* Text is read byte by byte; of tokens a run knows it that was given their tokenizer. */
static double bytes_of(const HcPastRun *run) {
    const json_t *data = json_object_get(run->config, "data"),
                 *text = json_object_get(data, "held_out_text_bytes");
    const json_int_t tokens = json_integer_value(json_object_get(data, "held_out_tokens"));
    if (json_object_get(data, "held_out_bytes"))
        return 1;
    return json_is_integer(text) && tokens > 0 ? (double)json_integer_value(text) / (double)tokens
                                               : NAN;
}

static void count_bytes(HcComparison *c) {
    c->bytes = c->n_groups > 0;
    for (uint32_t g = 0; g < c->n_groups; g++) {
        c->groups[g].bytes = bytes_of(&c->runs[c->groups[g].first]);
        c->bytes = c->bytes && c->groups[g].bytes > 0;
    }
}

double hc_bits_per_byte(const HcRunGroup *group, double loss) {
    return loss / log(2) / group->bytes;
}

/* --- all of it ---------------------------------------------------------------------------------*/

static HcStatus group_runs(HcComparison *c, HcError *error) {
    c->group_of = calloc(c->n_runs + 1, sizeof *c->group_of);
    c->groups = calloc(c->n_runs + 1, sizeof *c->groups);
    if (!c->group_of || !c->groups)
        return hc_fail_memory(error, "a comparison");
    for (uint32_t k = 0; k < c->n_runs; k++)
        c->group_of[k] = -1;
    for (uint32_t k = 0; k < c->n_runs; k++)
        if (c->runs[k].state == HC_RUN_FINISHED)
            place(c, k);
    return HC_OK;
}

HcStatus hc_compare(HcComparison *c, const HcPastRuns *runs, const char *baseline, HcError *error) {
    *c = (HcComparison){.runs = runs->at, .n_runs = runs->count, .step = -1, .seconds = NAN};
    HcStatus status = group_runs(c, error);
    if (status != HC_OK || c->n_groups == 0)
        return status;
    status = list_differing(c, error);
    if (status == HC_OK)
        status = name_groups(c, error);
    if (status == HC_OK && baseline)
        status = find_baseline(c, baseline, error);
    if (status != HC_OK)
        return status;
    if (!baseline)
        choose_baseline(c);
    find_step(c);
    find_seconds(c);
    measure(c);
    count_bytes(c);
    return HC_OK;
}

void hc_comparison_free(HcComparison *c) {
    for (uint32_t g = 0; g < c->n_groups; g++)
        free(c->groups[g].name);
    free(c->groups);
    free(c->group_of);
    free(c->differ);
    *c = (HcComparison){0};
}
