/* Maps for people and as JSON. */
#include "runtime/files/json.h"
#include "runtime/files/table.h"
#include "runtime/maps/maps.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;
    const HcMap *map;
    const char **to, **from;
} NamedMap;

enum { MAPS = 5 };

static void maps_of(const HcSiteMaps *s, NamedMap named[MAPS]) {
    named[0] = (NamedMap){"read", &s->read, s->reads, s->streams};
    named[1] = (NamedMap){"mix", &s->mix, s->written, s->streams};
    named[2] = (NamedMap){"write", &s->write, s->written, s->results};
    named[3] = (NamedMap){"begin", &s->begin, s->streams, s->input};
    named[4] = (NamedMap){"end", &s->end, s->ended, s->written};
}

bool hc_maps_match(const HcSiteMaps *s, const char *pattern) {
    return !pattern || fnmatch(pattern, s->path, 0) == 0;
}

/* --- for people --------------------------------------------------------------------------------*/

/* A row for each destination, a column for each source, and one for its deviation. */
static bool print_map(const NamedMap *m, FILE *to) {
    const HcMap *map = m->map;
    const int32_t per = map->deviation ? 2 : 1, columns = 1 + per * map->from;
    HcTable table = {.n_columns = (uint32_t)columns};
    char *alignment = calloc(1, (size_t)columns + 1);
    if (!alignment)
        return false;
    alignment[0] = 'l';
    hc_table_add(&table, "  %s", m->name);
    for (int32_t s = 0; s < map->from; s++) {
        memcpy(alignment + 1 + per * s, "rl", (size_t)per);
        hc_table_add(&table, "%s", m->from[s]);
        if (map->deviation)
            hc_table_add(&table, "%s", "");
    }
    for (int64_t k = 0; k < (int64_t)map->to * map->from; k++) {
        if (k % map->from == 0)
            hc_table_add(&table, "    %s", m->to[k / map->from]);
        hc_table_add(&table, "%.4f", map->mean[k]);
        if (map->deviation)
            hc_table_add(&table, "± %.4f", map->deviation[k]);
    }
    const bool printed = hc_table_print(&table, alignment, to);
    hc_table_free(&table);
    free(alignment);
    return printed;
}

static void print_streams(const HcSiteMaps *s, FILE *to) {
    if (!s->norms)
        return;
    fputs("  norms", to);
    for (int32_t k = 0; k < s->n_streams; k++)
        fprintf(to, "  %s %.4g", s->streams[k], s->norms[k]);
    if (!isnan(s->similarity))
        fprintf(to, "  similarity %.4f", s->similarity);
    fputc('\n', to);
}

static bool print_site(const HcSiteMaps *s, FILE *to) {
    NamedMap named[MAPS];
    bool printed = true;
    fprintf(to, "%s: %s around %s\n", s->path, s->connection, s->branch);
    print_streams(s, to);
    maps_of(s, named);
    for (int k = 0; k < MAPS && printed; k++) {
        if (named[k].map->why)
            fprintf(to, "  %s: none: %s\n", named[k].name, named[k].map->why);
        else if (named[k].map->mean)
            printed = print_map(&named[k], to);
    }
    return printed;
}

bool hc_maps_print(const HcMaps *maps, const char *pattern, FILE *to, int32_t *n) {
    bool printed = true;
    *n = 0;
    fputs("maps: destination by source", to);
    if (maps->samples)
        fprintf(to, "; means ± deviations over %lld samples %s", (long long)maps->samples,
                maps->of_held_out ? "held out" : "of the training part");
    fputc('\n', to);
    for (int32_t k = 0; k < maps->n_sites && printed; k++) {
        if (!hc_maps_match(&maps->sites[k], pattern))
            continue;
        ++*n;
        fputc('\n', to);
        printed = print_site(&maps->sites[k], to);
    }
    return printed;
}

/* --- as JSON -----------------------------------------------------------------------------------*/

static json_t *names_json(const char **names, int32_t n) {
    json_t *list = json_array();
    for (int32_t k = 0; k < n; k++)
        hc_json_append(&list, hc_json_text(names[k]));
    return list;
}

static json_t *numbers_json(const double *values, int32_t n) {
    json_t *list = json_array();
    for (int32_t k = 0; k < n; k++)
        hc_json_append(&list, hc_json_number(values[k]));
    return list;
}

static json_t *matrix_json(const double *values, const HcMap *map) {
    json_t *rows = json_array();
    for (int32_t d = 0; d < map->to; d++)
        hc_json_append(&rows, numbers_json(values + (int64_t)d * map->from, map->from));
    return rows;
}

static json_t *map_json(const HcMap *map) {
    json_t *json = json_object();
    if (map->why)
        hc_json_set(&json, "why", hc_json_text(map->why));
    if (map->mean)
        hc_json_set(&json, "mean", matrix_json(map->mean, map));
    if (map->deviation)
        hc_json_set(&json, "deviation", matrix_json(map->deviation, map));
    return json;
}

static json_t *site_json(const HcSiteMaps *s) {
    NamedMap named[MAPS];
    json_t *json = json_object();
    hc_json_set(&json, "path", hc_json_text(s->path));
    hc_json_set(&json, "connection", hc_json_text(s->connection));
    hc_json_set(&json, "branch", hc_json_text(s->branch));
    hc_json_set(&json, "site", json_integer(s->site));
    hc_json_set(&json, "block", json_integer(s->block));
    hc_json_set(&json, "streams", names_json(s->streams, s->n_streams));
    hc_json_set(&json, "written", names_json(s->written, s->n_written));
    hc_json_set(&json, "reads", names_json(s->reads, s->n_reads));
    hc_json_set(&json, "results", names_json(s->results, s->n_results));
    if (s->n_input)
        hc_json_set(&json, "input", names_json(s->input, s->n_input));
    if (s->n_ended)
        hc_json_set(&json, "ended", names_json(s->ended, s->n_ended));
    maps_of(s, named);
    for (int k = 0; k < MAPS; k++)
        if (named[k].map->why || named[k].map->mean)
            hc_json_set(&json, named[k].name, map_json(named[k].map));
    if (s->norms)
        hc_json_set(&json, "norms", numbers_json(s->norms, s->n_streams));
    if (!isnan(s->similarity))
        hc_json_set(&json, "similarity", hc_json_number(s->similarity));
    return json;
}

json_t *hc_maps_json(const HcMaps *maps, const char *pattern, int32_t *n) {
    json_t *json = json_object(), *sites = json_array();
    *n = 0;
    for (int32_t k = 0; k < maps->n_sites; k++) {
        if (!hc_maps_match(&maps->sites[k], pattern))
            continue;
        ++*n;
        hc_json_append(&sites, site_json(&maps->sites[k]));
    }
    hc_json_set(&json, "samples", json_integer(maps->samples));
    if (maps->samples)
        hc_json_set(&json, "part", json_string(maps->of_held_out ? "held_out" : "train"));
    hc_json_set(&json, "sites", sites);
    return json;
}
