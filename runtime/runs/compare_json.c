/* A comparison for programs, as docs/compare.md describes it. */
#include "runtime/files/json.h"
#include "runtime/runs/compare.h"

#include <math.h>

static const char *const state_words[] = {[HC_RUN_FINISHED] = "finished",
                                          [HC_RUN_UNFINISHED] = "unfinished",
                                          [HC_RUN_DIVERGED] = "diverged",
                                          [HC_RUN_UNREADABLE] = "unreadable",
                                          [HC_RUN_REPEATED] = "repeated"};

static json_t *mean_json(const HcMean *m) {
    json_t *json = json_object();
    hc_json_set(&json, "n", json_integer(m->n));
    hc_json_set(&json, "mean", hc_json_number(m->mean));
    hc_json_set(&json, "deviation", hc_json_number(m->deviation));
    return json;
}

/* bytes: a loss can be told in bits a byte. */
static json_t *standing_json(const HcRunGroup *group, const HcStanding *s, bool bytes) {
    json_t *json = mean_json(&s->loss);
    if (bytes)
        hc_json_set(&json, "bits_per_byte", hc_json_number(hc_bits_per_byte(group, s->loss.mean)));
    hc_json_set(&json, "first_step", s->loss.n ? json_integer(s->first_step) : json_null());
    hc_json_set(&json, "last_step", s->loss.n ? json_integer(s->last_step) : json_null());
    hc_json_set(&json, "gap", hc_json_number(s->gap));
    hc_json_set(&json, "spread", hc_json_number(s->spread));
    hc_json_set(&json, "exceeds",
                s->kind == HC_GAP_EXCEEDS  ? json_true()
                : s->kind == HC_GAP_WITHIN ? json_false()
                                           : json_null());
    return json;
}

static json_t *settings_json(const HcComparison *c, uint32_t run) {
    json_t *json = json_object();
    for (uint32_t k = 0; k < c->n_differ; k++) {
        json_t *value = json_object_get(c->runs[run].settings, c->differ[k]);
        hc_json_set(&json, c->differ[k], value ? json_incref(value) : json_null());
    }
    return json;
}

static json_t *group_json(const HcComparison *c, uint32_t g) {
    const HcRunGroup *group = &c->groups[g];
    json_t *json = json_object(), *seeds = json_array();
    for (uint32_t k = 0; k < c->n_runs; k++)
        if (c->group_of[k] == (int32_t)g)
            hc_json_append(&seeds, json_integer(c->runs[k].seed));
    hc_json_set(&json, "name", hc_json_text(group->name));
    hc_json_set(&json, "settings", settings_json(c, group->first));
    hc_json_set(&json, "seeds", seeds);
    hc_json_set(&json, "at_equal_step", standing_json(group, &group->at_step, c->bytes));
    hc_json_set(&json, "at_equal_time", standing_json(group, &group->at_time, c->bytes));
    hc_json_set(&json, "best", standing_json(group, &group->best, c->bytes));
    hc_json_set(&json, "parameters", mean_json(&group->parameters));
    hc_json_set(&json, "flops_per_position", mean_json(&group->flops_per_position));
    hc_json_set(&json, "positions_per_s", mean_json(&group->positions_per_s));
    hc_json_set(&json, "memory_bytes", mean_json(&group->memory_bytes));
    hc_json_set(&json, "minutes", mean_json(&group->minutes));
    return json;
}

static json_t *run_json(const HcComparison *c, uint32_t k) {
    const HcPastRun *run = &c->runs[k];
    json_t *json = json_object();
    const bool counts = c->group_of[k] >= 0;
    hc_json_set(&json, "run", hc_json_path(run->path));
    hc_json_set(&json, "state", json_string(state_words[run->state]));
    if (*run->why)
        hc_json_set(&json, "why", hc_json_text(run->why));
    hc_json_set(&json, "group", counts ? json_integer(c->group_of[k]) : json_null());
    hc_json_set(&json, "seed", run->settings ? json_integer(run->seed) : json_null());
    hc_json_set(&json, "steps", json_integer(run->steps));
    return json;
}

json_t *hc_comparison_json(const HcComparison *c) {
    json_t *json = json_object(), *differ = json_array(), *groups = json_array(),
           *runs = json_array();
    for (uint32_t k = 0; k < c->n_differ; k++)
        hc_json_append(&differ, hc_json_text(c->differ[k]));
    for (uint32_t g = 0; g < c->n_groups; g++)
        hc_json_append(&groups, group_json(c, g));
    for (uint32_t k = 0; k < c->n_runs; k++)
        hc_json_append(&runs, run_json(c, k));
    hc_json_set(&json, "differ", differ);
    hc_json_set(&json, "baseline", c->n_groups ? json_integer(c->baseline) : json_null());
    hc_json_set(&json, "equal_step", c->step >= 0 ? json_integer(c->step) : json_null());
    hc_json_set(&json, "equal_seconds", hc_json_number(c->seconds));
    hc_json_set(&json, "groups", groups);
    hc_json_set(&json, "runs", runs);
    return json;
}
