/* Maps of a model's sites, gathered over batches; see maps.h. */
#include "runtime/maps/maps.h"
#include "runtime/run/context.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- what there is -----------------------------------------------------------------------------*/

static int32_t names_of(const json_t *site, const char *key) {
    return (int32_t)json_array_size(json_object_get(site, key));
}

/* Every list of names and of numbers of all sites, out of one block. */
typedef struct {
    const char **names; /* NULL while they are counted */
    double *numbers;
    size_t n_names, n_numbers;
} Room;

static const char **room_names(Room *room, const json_t *site, const char *key) {
    const json_t *array = json_object_get(site, key);
    const size_t n = json_array_size(array), at = room->n_names;
    room->n_names += n;
    for (size_t k = 0; room->names && k < n; k++) {
        const char *name = json_string_value(json_array_get(array, k));
        room->names[at + k] = name ? name : "";
    }
    return room->names ? room->names + at : NULL;
}

static double *room_numbers(Room *room, size_t n) {
    const size_t at = room->n_numbers;
    room->n_numbers += n;
    return room->numbers ? room->numbers + at : NULL;
}

static HcMap read_map(Room *room, const json_t *json, int32_t to, int32_t from) {
    HcMap map = {.why = json_string_value(json_object_get(json, "why")), .to = to, .from = from};
    if (map.why || !json)
        return map;
    map.mean = room_numbers(room, (size_t)to * (size_t)from);
    if (json_object_get(json, "variance"))
        map.deviation = room_numbers(room, (size_t)to * (size_t)from);
    return map;
}

static HcSiteMaps read_site(Room *room, const json_t *about, const json_t *site) {
    HcSiteMaps s = {.path = json_string_value(json_object_get(about, "path")),
                    .connection = json_string_value(json_object_get(about, "connection")),
                    .branch = json_string_value(json_object_get(about, "branch")),
                    .site = (int32_t)json_integer_value(json_object_get(about, "site")),
                    .block = (int32_t)json_integer_value(json_object_get(about, "block")),
                    .n_streams = names_of(site, "streams"),
                    .n_written = names_of(site, "written"),
                    .n_reads = names_of(site, "reads"),
                    .n_results = names_of(site, "results"),
                    .n_input = names_of(site, "input"),
                    .n_ended = names_of(site, "ended"),
                    .similarity = json_object_get(site, "similarity") ? 0 : NAN};
    s.streams = room_names(room, site, "streams");
    s.written = room_names(room, site, "written");
    s.reads = room_names(room, site, "reads");
    s.results = room_names(room, site, "results");
    s.input = room_names(room, site, "input");
    s.ended = room_names(room, site, "ended");
    s.read = read_map(room, json_object_get(site, "read"), s.n_reads, s.n_streams);
    s.mix = read_map(room, json_object_get(site, "mix"), s.n_written, s.n_streams);
    s.write = read_map(room, json_object_get(site, "write"), s.n_written, s.n_results);
    s.begin = read_map(room, json_object_get(site, "begin"), s.n_streams, s.n_input);
    s.end = read_map(room, json_object_get(site, "end"), s.n_ended, s.n_written);
    if (json_object_get(site, "norms"))
        s.norms = room_numbers(room, (size_t)s.n_streams);
    return s;
}

HcStatus hc_maps_begin(HcContext *c, HcMaps *maps) {
    const json_t *sites = json_object_get(c->plan.json, "sites");
    const json_t *of = json_object_get(c->plan.json, "maps");
    const size_t n = json_array_size(of);
    *maps = (HcMaps){.n_sites = (int32_t)n};
    if (!of && json_array_size(sites))
        return hc_fail(&c->error, HC_ERROR_ARGUMENT, "the model `%s` is no program of maps",
                       c->plan.model);
    Room room = {0};
    for (size_t k = 0; k < n; k++)
        read_site(&room, json_array_get(sites, k), json_array_get(of, k));
    maps->sites = calloc(n + 1, sizeof *maps->sites);
    maps->memory =
        calloc(1, room.n_names * sizeof *room.names + room.n_numbers * sizeof *room.numbers + 1);
    if (!maps->sites || !maps->memory) {
        hc_maps_free(maps);
        return hc_fail_memory(&c->error, "the maps");
    }
    maps->json = json_incref(c->plan.json);
    Room taken = {.numbers = maps->memory};
    taken.names = (const char **)(taken.numbers + room.n_numbers);
    for (size_t k = 0; k < n; k++)
        maps->sites[k] = read_site(&taken, json_array_get(sites, k), json_array_get(of, k));
    return HC_OK;
}

void hc_maps_free(HcMaps *maps) {
    free(maps->sites);
    free(maps->memory);
    json_decref(maps->json);
    *maps = (HcMaps){0};
}

/* --- gathering ---------------------------------------------------------------------------------*/

static double element(const HcContext *c, const HcView *view, int64_t k) {
    return hc_real_at(view->data, c->plan.element_size, k);
}

static HcStatus view_of(HcContext *c, const json_t *site, const char *key, int64_t count,
                        HcView *view) {
    const char *name = json_string_value(json_object_get(site, key));
    HcStatus status = hc_output(c, name, view);
    return status == HC_OK && view->count != count
               ? hc_fail(&c->error, HC_ERROR_MODEL, "output `%s` has another size than its map",
                         name)
               : status;
}

/* Means and, in `deviation`, sums of squared distances from them, both over all that came before
 * (`before` samples) and what is new. */
static HcStatus add_map(HcContext *c, const json_t *json, HcMap *map, double before, double now) {
    const int64_t count = (int64_t)map->to * map->from;
    HcView mean, variance;
    HcStatus status = map->mean ? view_of(c, json, "mean", count, &mean) : HC_OK;
    if (!map->mean || status != HC_OK)
        return status;
    if (map->deviation)
        status = view_of(c, json, "variance", count, &variance);
    for (int64_t k = 0; status == HC_OK && k < count; k++) {
        const double off = element(c, &mean, k) - map->mean[k];
        map->mean[k] += off * now / (before + now);
        if (map->deviation)
            map->deviation[k] +=
                now * element(c, &variance, k) + off * off * before * now / (before + now);
    }
    return status;
}

/* Its maps, as the manifest calls them. */
enum { MAPS = 5 };
static const char *const map_names[MAPS] = {"read", "mix", "write", "begin", "end"};

static HcMap *map_at(HcSiteMaps *s, int k) {
    HcMap *const maps[MAPS] = {&s->read, &s->mix, &s->write, &s->begin, &s->end};
    return maps[k];
}

static HcStatus add_site(HcContext *c, const json_t *json, HcSiteMaps *s, double before,
                         double now) {
    HcView view;
    HcStatus status = HC_OK;
    for (int k = 0; k < MAPS && status == HC_OK; k++)
        status = add_map(c, json_object_get(json, map_names[k]), map_at(s, k), before, now);
    if (status == HC_OK && s->norms)
        status = view_of(c, json, "norms", s->n_streams, &view);
    for (int32_t k = 0; status == HC_OK && s->norms && k < s->n_streams; k++)
        s->norms[k] += (element(c, &view, k) - s->norms[k]) * now / (before + now);
    if (status == HC_OK && !isnan(s->similarity))
        status = view_of(c, json, "similarity", 1, &view);
    if (status == HC_OK && !isnan(s->similarity))
        s->similarity += (element(c, &view, 0) - s->similarity) * now / (before + now);
    return status;
}

HcStatus hc_maps_add(HcContext *c, HcMaps *maps, int64_t samples) {
    const json_t *of = json_object_get(c->plan.json, "maps");
    HcStatus status = HC_OK;
    for (int32_t k = 0; k < maps->n_sites && status == HC_OK; k++)
        status = add_site(c, json_array_get(of, (size_t)k), &maps->sites[k], (double)maps->samples,
                          (double)samples);
    maps->samples += samples;
    return status;
}

static void finish_map(HcMap *map, double samples) {
    for (int64_t k = 0; map->deviation && k < (int64_t)map->to * map->from; k++)
        map->deviation[k] = sqrt(map->deviation[k] / samples);
}

void hc_maps_finish(HcMaps *maps) {
    for (int32_t k = 0; k < maps->n_sites && maps->samples > 0; k++)
        for (int m = 0; m < MAPS; m++)
            finish_map(map_at(&maps->sites[k], m), (double)maps->samples);
}

/* --- of a run, or of a model as it begins ------------------------------------------------------*/

static const char no_data[] = "it depends on the data, and none were given";

/* Without data only what does not depend on them is known. */
static void forget_dynamic(HcMaps *maps) {
    for (int32_t k = 0; k < maps->n_sites; k++) {
        for (int m = 0; m < MAPS; m++) {
            HcMap *of = map_at(&maps->sites[k], m);
            if (of->deviation)
                *of = (HcMap){.why = no_data, .to = of->to, .from = of->from};
        }
        maps->sites[k].norms = NULL;
        maps->sites[k].similarity = NAN;
    }
    maps->samples = 0;
}

/* Means over all batches; without data one pass over nothing in particular. */
static HcStatus gather(HcInspect *i, HcMaps *maps) {
    HcContext *c = hc_inspect_context(i);
    HcStatus status = hc_maps_begin(c, maps);
    if (status == HC_OK && !hc_inspect_has_data(i)) {
        status = hc_forward(c);
        return status == HC_OK ? hc_maps_add(c, maps, 1) : status;
    }
    int64_t samples = 1;
    for (int64_t k = 0; samples > 0 && status == HC_OK; k++) {
        status = hc_inspect_batch(i, k, &samples);
        if (status == HC_OK && samples > 0)
            status = hc_maps_add(c, maps, samples);
    }
    return status;
}

HcStatus hc_maps_read(const HcModel *model, const HcInspectOptions *o, HcMaps *maps,
                      HcError *error) {
    HcInspect *i;
    *maps = (HcMaps){0};
    HcStatus status = hc_inspect_open(model, o, &i, error);
    if (status != HC_OK)
        return status;
    status = gather(i, maps);
    if (status != HC_OK) {
        if (error)
            *error = hc_inspect_context(i)->error;
        hc_maps_free(maps);
    } else {
        hc_maps_finish(maps);
        maps->of_held_out = hc_inspect_of_held_out(i);
        if (!hc_inspect_has_data(i))
            forget_dynamic(maps);
    }
    hc_inspect_close(i);
    return status;
}
