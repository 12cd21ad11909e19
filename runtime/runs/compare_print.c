/* A comparison for people, and as CSV. */
#include "runtime/files/table.h"
#include "runtime/runs/compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const gap_words[] = {[HC_GAP_NONE] = "",
                                        [HC_GAP_ONE_SEED] = "one seed",
                                        [HC_GAP_WITHIN] = "no",
                                        [HC_GAP_EXCEEDS] = "yes"};

static bool in_group(const HcComparison *c, uint32_t run, uint32_t group) {
    return c->group_of[run] == (int32_t)group;
}

/* Seeds of a group, one behind the other, to be freed. */
static char *seeds_of(const HcComparison *c, uint32_t group, const char *between) {
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    for (uint32_t k = 0, n = 0; to && k < c->n_runs; k++)
        if (in_group(c, k, group))
            fprintf(to, "%s%" JSON_INTEGER_FORMAT, n++ ? between : "", c->runs[k].seed);
    const bool whole = to && !ferror(to);
    if (to && fclose(to) == 0 && whole)
        return text;
    free(text);
    return NULL;
}

/* --- for people --------------------------------------------------------------------------------*/

static void add_steps(HcTable *t, const HcStanding *s) {
    if (s->loss.n == 0)
        hc_table_add(t, "%s", "");
    else if (s->first_step == s->last_step)
        hc_table_add(t, "%" PRId64, s->first_step);
    else
        hc_table_add(t, "%" PRId64 "-%" PRId64, s->first_step, s->last_step);
}

/* Nothing where it is not known. */
static void add_real(HcTable *t, const char *before, int digits, double value, const char *behind) {
    if (isnan(value))
        hc_table_add(t, "%s", "");
    else
        hc_table_add(t, "%s%.*f%s", before, digits, value, behind);
}

static void add_mean(HcTable *t, const HcMean *m) {
    add_real(t, "", 4, m->mean, "");
    add_real(t, "± ", 4, m->deviation, "");
}

/* Mean and deviation, gap, what that must exceed, and whether it does. */
static void add_standing(HcTable *t, const HcStanding *s, bool baseline) {
    add_mean(t, &s->loss);
    add_real(t, s->gap < 0 ? "" : "+", 4, s->gap, "");
    add_real(t, "", 4, s->spread, "");
    hc_table_add(t, "%s", baseline ? "baseline" : gap_words[s->kind]);
}

/* What stands first in every table's heading: what its rows are told apart by. */
static void add_heading(const HcComparison *c, HcTable *t) {
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    for (uint32_t k = 0; to && !c->lettered && k < c->n_differ; k++)
        fprintf(to, "%s%s", k ? ", " : "", c->differ[k]);
    const bool whole = to && !ferror(to);
    if (to && fclose(to) == 0 && whole)
        hc_table_add(t, "%s", c->lettered ? "group" : c->n_differ ? text : "model");
    else
        t->failed = true;
    free(text);
}

static void add_words(HcTable *t, const char *const *words, uint32_t n) {
    for (uint32_t k = 0; k < n; k++)
        hc_table_add(t, "%s", words[k]);
}

#define WORDS(table, ...)                                                                          \
    add_words((table), (const char *const[]){__VA_ARGS__},                                         \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static bool print_table(HcTable *t, const char *alignment, FILE *to) {
    const bool good = hc_table_print(t, alignment, to);
    hc_table_free(t);
    return good;
}

static bool print_at_step(const HcComparison *c, FILE *to) {
    HcTable t = {.n_columns = c->bytes ? 8 : 7};
    if (c->step < 0) {
        fputs("\nthere is no step after which all of them were evaluated\n", to);
        return true;
    }
    fprintf(to, "\nat step %" PRId64 ", the last at which all were evaluated\n", c->step);
    add_heading(c, &t);
    WORDS(&t, "seeds", "loss", "", "gap", "spread", "exceeds");
    if (c->bytes)
        hc_table_add(&t, "bits/byte");
    for (uint32_t g = 0; g < c->n_groups; g++) {
        const HcStanding *s = &c->groups[g].at_step;
        char *seeds = seeds_of(c, g, " ");
        hc_table_add(&t, "%s", c->groups[g].name);
        hc_table_add(&t, "%s", seeds ? seeds : "");
        add_standing(&t, s, g == c->baseline);
        if (c->bytes)
            add_real(&t, "", 4, hc_bits_per_byte(&c->groups[g], s->loss.mean), "");
        t.failed |= !seeds;
        free(seeds);
    }
    return print_table(&t, "llrrrrlr", to);
}

static void print_duration(double seconds, FILE *to) {
    if (seconds < 60)
        fprintf(to, "%.3g seconds", seconds);
    else
        fprintf(to, "%.1f minutes", seconds / 60);
}

static bool print_at_time(const HcComparison *c, FILE *to) {
    HcTable t = {.n_columns = 7};
    if (isnan(c->seconds)) {
        fputs("\ntheir times cannot be compared: a log lacks steps, or their speed\n", to);
        return true;
    }
    fputs("\nafter ", to);
    print_duration(c->seconds, to);
    fputs(" of training, as long as all trained\n", to);
    add_heading(c, &t);
    WORDS(&t, "at step", "loss", "", "gap", "spread", "exceeds");
    for (uint32_t g = 0; g < c->n_groups; g++) {
        hc_table_add(&t, "%s", c->groups[g].name);
        add_steps(&t, &c->groups[g].at_time);
        add_standing(&t, &c->groups[g].at_time, g == c->baseline);
    }
    const bool good = print_table(&t, "lrrrrrl", to);
    fputs("each where it was last evaluated until then: the more often, the fairer "
          "(train.eval_every)\n",
          to);
    for (uint32_t g = 0; g < c->n_groups; g++)
        if (c->groups[g].at_time.loss.n == 0)
            fprintf(to, "%s was not evaluated until then: train.eval_every says how often one is\n",
                    c->groups[g].name);
    return good;
}

static bool print_costs(const HcComparison *c, FILE *to) {
    HcTable t = {.n_columns = 9};
    fputs("\nbest of each run, and what it took\n", to);
    add_heading(c, &t);
    WORDS(&t, "best", "", "at step", "parameters", "FLOPs/position", "positions/s", "memory",
          "minutes");
    for (uint32_t g = 0; g < c->n_groups; g++) {
        const HcRunGroup *group = &c->groups[g];
        hc_table_add(&t, "%s", group->name);
        add_mean(&t, &group->best.loss);
        add_steps(&t, &group->best);
        add_real(&t, "", 0, group->parameters.mean, "");
        add_real(&t, "", 3, group->flops_per_position.mean / 1e6, " M");
        add_real(&t, "", 0, group->positions_per_s.mean, "");
        add_real(&t, "", 1, group->memory_bytes.mean / 1e6, " MB");
        add_real(&t, "", 2, group->minutes.mean, "");
    }
    return print_table(&t, "lrrrrrrrr", to);
}

/* What groups differ in, where their names do not say it. */
static bool print_groups(const HcComparison *c, FILE *to) {
    HcTable t = {.n_columns = 1 + c->n_groups};
    char *alignment = malloc(t.n_columns + 1);
    if (!alignment)
        return false;
    memset(alignment, 'l', t.n_columns);
    fputs("\nwhat they differ in\n", to);
    hc_table_add(&t, "group");
    for (uint32_t g = 0; g < c->n_groups; g++)
        hc_table_add(&t, "%s", c->groups[g].name);
    for (uint32_t k = 0; k < c->n_differ; k++) {
        hc_table_add(&t, "%s", c->differ[k]);
        for (uint32_t g = 0; g < c->n_groups; g++) {
            char value[256];
            hc_run_setting_text(&c->runs[c->groups[g].first], c->differ[k], value, sizeof value);
            hc_table_add(&t, "%s", *value ? value : "-");
        }
    }
    const bool good = print_table(&t, alignment, to);
    free(alignment);
    return good;
}

static bool print_left_out(const HcComparison *c, FILE *to) {
    HcTable t = {.n_columns = 2};
    for (uint32_t k = 0; k < c->n_runs; k++) {
        if (c->group_of[k] >= 0)
            continue;
        hc_table_add(&t, "%s", c->runs[k].path);
        hc_table_add(&t, "%s", c->runs[k].why);
    }
    if (t.n_cells || t.failed)
        fputs("\nnot counted\n", to);
    return print_table(&t, "ll", to);
}

static uint32_t n_counted(const HcComparison *c) {
    uint32_t n = 0;
    for (uint32_t k = 0; k < c->n_runs; k++)
        n += c->group_of[k] >= 0;
    return n;
}

static void print_title(const HcComparison *c, FILE *to) {
    fprintf(to, "%u of %u runs, %u group%s", (unsigned)n_counted(c), (unsigned)c->n_runs,
            (unsigned)c->n_groups, c->n_groups == 1 ? "" : "s");
    for (uint32_t k = 0; k < c->n_differ; k++)
        fprintf(to, "%s%s",
                k == 0                ? " that differ in "
                : k + 1 < c->n_differ ? ", "
                                      : " and ",
                c->differ[k]);
    fputc('\n', to);
}

/* What must be known to believe the numbers. */
static void print_notes(const HcComparison *c, FILE *to) {
    bool data = false;
    for (uint32_t k = 0; k < c->n_differ; k++)
        data |= strcmp(c->differ[k], "data") == 0;
    if (data)
        fputs("\nTheir data differ: a gap is then between losses of different data as well.\n", to);
    if (c->n_groups > 1)
        fputs(
            "\nA gap counts where it exceeds the seeds' spread, 2 sqrt(s1^2/n1 + s2^2/n2), of the "
            "deviations s over n seeds.\n",
            to);
}

bool hc_comparison_print(const HcComparison *c, FILE *to) {
    bool good = true;
    print_title(c, to);
    if (c->lettered)
        good = print_groups(c, to);
    if (c->n_groups > 0)
        good = good && print_at_step(c, to) && print_at_time(c, to) && print_costs(c, to);
    good = good && print_left_out(c, to);
    print_notes(c, to);
    return good;
}

/* --- CSV ---------------------------------------------------------------------------------------*/

/* All of it; nothing where it is not known. */
static void add_number(HcTable *t, double value) {
    if (isnan(value))
        hc_table_add(t, "%s", "");
    else
        hc_table_add(t, "%.17g", value);
}

static void add_whole(HcTable *t, bool known, int64_t value) {
    if (known)
        hc_table_add(t, "%" PRId64, value);
    else
        hc_table_add(t, "%s", "");
}

static void add_csv_heading(const HcComparison *c, HcTable *t) {
    hc_table_add(t, "group");
    for (uint32_t k = 0; k < c->n_differ; k++)
        hc_table_add(t, "%s", c->differ[k]);
    WORDS(t, "seeds", "step", "loss", "deviation", "gap", "spread", "exceeds", "bits_per_byte",
          "seconds", "time_first_step", "time_last_step", "time_loss", "time_deviation", "time_gap",
          "time_spread", "time_exceeds", "best_loss", "best_deviation", "best_first_step",
          "best_last_step", "parameters", "flops_per_position", "positions_per_s", "memory_bytes",
          "minutes");
}

static void add_csv_standing(HcTable *t, const HcStanding *s) {
    add_number(t, s->loss.mean);
    add_number(t, s->loss.deviation);
    add_number(t, s->gap);
    add_number(t, s->spread);
    hc_table_add(t, "%s", gap_words[s->kind]);
}

static void add_csv_steps(HcTable *t, const HcStanding *s) {
    add_whole(t, s->loss.n > 0, s->first_step);
    add_whole(t, s->loss.n > 0, s->last_step);
}

static void add_csv_row(const HcComparison *c, HcTable *t, uint32_t g) {
    const HcRunGroup *group = &c->groups[g];
    char *seeds = seeds_of(c, g, " ");
    hc_table_add(t, "%s", group->name);
    for (uint32_t k = 0; k < c->n_differ; k++) {
        char value[256];
        hc_run_setting_text(&c->runs[group->first], c->differ[k], value, sizeof value);
        hc_table_add(t, "%s", value);
    }
    hc_table_add(t, "%s", seeds ? seeds : "");
    add_whole(t, c->step >= 0, c->step);
    add_csv_standing(t, &group->at_step);
    add_number(t, c->bytes ? hc_bits_per_byte(group, group->at_step.loss.mean) : NAN);
    add_number(t, c->seconds);
    add_csv_steps(t, &group->at_time);
    add_csv_standing(t, &group->at_time);
    add_number(t, group->best.loss.mean);
    add_number(t, group->best.loss.deviation);
    add_csv_steps(t, &group->best);
    add_number(t, group->parameters.mean);
    add_number(t, group->flops_per_position.mean);
    add_number(t, group->positions_per_s.mean);
    add_number(t, group->memory_bytes.mean);
    add_number(t, group->minutes.mean);
    t->failed |= !seeds;
    free(seeds);
}

bool hc_comparison_print_csv(const HcComparison *c, FILE *to) {
    HcTable t = {.n_columns = 26 + c->n_differ};
    add_csv_heading(c, &t);
    for (uint32_t g = 0; g < c->n_groups; g++)
        add_csv_row(c, &t, g);
    const bool good = hc_table_print_csv(&t, to);
    hc_table_free(&t);
    return good;
}
