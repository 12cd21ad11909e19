#include "runtime/app/info.h"
#include "runtime/files/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Parameters that one definition declares. */
typedef struct {
    const char *name;
    uint32_t tensors;
    uint64_t elements;
    bool of_connection;
} Group;

/* Sites with the same connection and branch. */
typedef struct {
    const char *connection, *branch;
    uint32_t count;
} Kind;

/* What lists and sums show of a model; `groups` and `kinds` are owned. */
typedef struct {
    Group *groups;
    Kind *kinds;
    uint32_t n_groups, n_kinds;
    uint64_t elements, of_connections, undecayed, in_matrices;
    uint64_t held;
    uint32_t n_matrices, n_held; /* tensors */
} Summary;

static void count_parameter(Summary *s, const HcInfoParameter *p) {
    uint32_t k = 0;
    while (k < s->n_groups && strcmp(s->groups[k].name, p->group) != 0)
        k++;
    if (k == s->n_groups)
        s->groups[s->n_groups++] = (Group){.name = p->group, .of_connection = p->of_connection};
    s->groups[k].tensors++;
    s->groups[k].elements += p->elements;
    s->elements += p->elements;
    s->of_connections += p->of_connection ? p->elements : 0;
    s->undecayed += p->decay ? 0 : p->elements;
    s->in_matrices += p->free ? p->elements : 0;
    s->n_matrices += p->free ? 1 : 0;
    s->held += p->held ? p->elements : 0;
    s->n_held += p->held ? 1 : 0;
}

static void count_site(Summary *s, const HcInfoSite *site) {
    uint32_t k = 0;
    while (k < s->n_kinds && (strcmp(s->kinds[k].connection, site->connection) != 0 ||
                              strcmp(s->kinds[k].branch, site->branch) != 0))
        k++;
    if (k == s->n_kinds)
        s->kinds[s->n_kinds++] = (Kind){site->connection, site->branch, 0};
    s->kinds[k].count++;
}

static void summary_free(Summary *s) {
    free(s->groups);
    free(s->kinds);
}

static bool summarise(const HcInfo *info, Summary *s) {
    *s = (Summary){.groups = calloc(info->n_parameters + 1, sizeof *s->groups),
                   .kinds = calloc(info->n_sites + 1, sizeof *s->kinds)};
    if (!s->groups || !s->kinds) {
        summary_free(s);
        return false;
    }
    for (uint32_t k = 0; k < info->n_parameters; k++)
        count_parameter(s, &info->parameters[k]);
    for (uint32_t k = 0; k < info->n_sites; k++)
        count_site(s, &info->sites[k]);
    return true;
}

bool hc_info_print(const HcInfo *info, FILE *to) {
    Summary s;
    if (!summarise(info, &s))
        return false;
    fprintf(to, "model %s\nprecision %s\n", info->model, info->precision);
    for (uint32_t k = 0; k < info->n_constants; k++)
        fprintf(to, "  %-16s %s\n", info->constants[k].name, info->constants[k].value);
    fprintf(to, "\nsites\n");
    for (uint32_t k = 0; k < s.n_kinds; k++)
        fprintf(to, "  %u x %s : %s\n", s.kinds[k].count, s.kinds[k].connection, s.kinds[k].branch);
    fprintf(to, "\nparameters\n");
    for (uint32_t k = 0; k < s.n_groups; k++)
        fprintf(to, "  %-16s %6u tensors %12" PRIu64 "%s\n", s.groups[k].name, s.groups[k].tensors,
                s.groups[k].elements, s.groups[k].of_connection ? "  connection" : "");
    fprintf(to, "  %-16s %14s %12" PRIu64 "\n", "all", "", s.elements);
    fprintf(to, "  %-16s %14s %12" PRIu64 "\n", "without decay", "", s.undecayed);
    fprintf(to, "  %-16s %6u tensors %12" PRIu64 "\n", "matrices", s.n_matrices, s.in_matrices);
    if (s.n_held)
        fprintf(to, "  %-16s %6u tensors %12" PRIu64 "\n", "held by project", s.n_held, s.held);
    const char *heading = "no path to loss";
    for (uint32_t k = 0; k < info->n_parameters; k++) {
        if (!info->parameters[k].lost)
            continue;
        fprintf(to, "  %-16s %s\n", heading, info->parameters[k].name);
        heading = "";
    }
    summary_free(&s);
    return true;
}

/* --- JSON --------------------------------------------------------------------------------------*/

static json_t *groups_json(const Summary *s) {
    json_t *list = json_array();
    for (uint32_t k = 0; k < s->n_groups; k++) {
        const Group *g = &s->groups[k];
        json_t *group = json_object();
        hc_json_set(&group, "group", hc_json_text(g->name));
        hc_json_set(&group, "tensors", json_integer(g->tensors));
        hc_json_set(&group, "elements", json_integer((json_int_t)g->elements));
        hc_json_set(&group, "of_connection", json_boolean(g->of_connection));
        hc_json_append(&list, group);
    }
    return list;
}

static json_t *matrices_json(const HcInfo *info) {
    json_t *list = json_array();
    for (uint32_t k = 0; k < info->n_parameters; k++) {
        const HcInfoParameter *p = &info->parameters[k];
        if (!p->free)
            continue;
        json_t *matrix = json_object();
        hc_json_set(&matrix, "name", hc_json_text(p->name));
        hc_json_set(&matrix, "apart", json_integer((json_int_t)p->apart));
        hc_json_set(&matrix, "free", json_integer((json_int_t)p->free));
        hc_json_set(&matrix, "summed", json_integer((json_int_t)p->summed));
        hc_json_append(&list, matrix);
    }
    return list;
}

static json_t *sites_json(const HcInfo *info) {
    json_t *list = json_array();
    for (uint32_t k = 0; k < info->n_sites; k++) {
        const HcInfoSite *s = &info->sites[k];
        json_t *site = json_object();
        hc_json_set(&site, "path", hc_json_text(s->path));
        hc_json_set(&site, "connection", hc_json_text(s->connection));
        hc_json_set(&site, "branch", hc_json_text(s->branch));
        hc_json_set(&site, "site", json_integer(s->site));
        hc_json_set(&site, "block", json_integer(s->block));
        hc_json_append(&list, site);
    }
    return list;
}

json_t *hc_info_json(const HcInfo *info) {
    Summary s;
    if (!summarise(info, &s))
        return NULL;
    json_t *json = json_object(), *constants = json_object(), *lost = json_array(),
           *held = json_array();
    for (uint32_t k = 0; k < info->n_constants; k++)
        hc_json_set(&constants, info->constants[k].name, hc_json_text(info->constants[k].value));
    for (uint32_t k = 0; k < info->n_parameters; k++)
        if (info->parameters[k].lost)
            hc_json_append(&lost, hc_json_text(info->parameters[k].name));
    for (uint32_t k = 0; k < info->n_parameters; k++)
        if (info->parameters[k].held)
            hc_json_append(&held, hc_json_text(info->parameters[k].name));
    hc_json_set(&json, "model", hc_json_text(info->model));
    hc_json_set(&json, "precision", json_string(info->precision));
    hc_json_set(&json, "constants", constants);
    hc_json_set(&json, "parameters", json_integer((json_int_t)s.elements));
    hc_json_set(&json, "connection_parameters", json_integer((json_int_t)s.of_connections));
    hc_json_set(&json, "groups", groups_json(&s));
    hc_json_set(&json, "matrices", matrices_json(info));
    hc_json_set(&json, "sites", sites_json(info));
    hc_json_set(&json, "no_path", lost);
    hc_json_set(&json, "held", held);
    hc_json_set(&json, "positions", json_integer((json_int_t)info->positions));
    hc_json_set(&json, "batch", json_integer((json_int_t)info->batch));
    hc_json_set(&json, "parts", json_integer((json_int_t)info->parts));
    summary_free(&s);
    return json;
}
