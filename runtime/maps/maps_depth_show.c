/* Trunks unfolded, for people and as JSON. */
#include "runtime/files/json.h"
#include "runtime/files/table.h"
#include "runtime/maps/maps_depth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- for people --------------------------------------------------------------------------------*/

static void add_value(HcTable *t, double x, const char *format) {
    if (isnan(x))
        hc_table_add(t, "%s", "-");
    else if (strcmp(format, "g") == 0)
        hc_table_add(t, "%.4g", x);
    else
        hc_table_add(t, "%.3f", x);
}

static bool print_gains(const HcMaps *maps, const HcDepth *d, FILE *to) {
    HcTable t = {.n_columns = 5};
    static const char *const heading[] = {"gain", "forward", "to the end", "backward",
                                          "to the end"};
    for (int k = 0; k < 5; k++)
        hc_table_add(&t, "%s", heading[k]);
    for (int32_t k = 0; k < d->n_sites; k++) {
        hc_table_add(&t, "%s", maps->sites[d->first + k].path);
        add_value(&t, d->own[k].forward, "g");
        add_value(&t, d->composite[k].forward, "g");
        add_value(&t, d->own[k].backward, "g");
        add_value(&t, d->composite[k].backward, "g");
    }
    const bool printed = hc_table_print(&t, "lrrrr", to);
    hc_table_free(&t);
    return printed;
}

/* Sites by number, as all their paths would be wide. */
static bool print_unfolded(const HcMaps *maps, const HcDepth *d, FILE *to) {
    const int32_t n = d->n_sites;
    HcTable t = {.n_columns = (uint32_t)n + 2};
    char *alignment = malloc((size_t)n + 3);
    if (!alignment)
        return false;
    memset(alignment, 'r', (size_t)n + 2);
    alignment[0] = 'l';
    alignment[n + 2] = '\0';
    hc_table_add(&t, "%s", "read of");
    hc_table_add(&t, "%s", "input");
    for (int32_t j = 0; j < n; j++)
        hc_table_add(&t, "%d", (int)j);
    for (int32_t k = 0; k <= n; k++) {
        if (k < n)
            hc_table_add(&t, "%d %s", (int)k, maps->sites[d->first + k].path);
        else
            hc_table_add(&t, "%s", "the end");
        for (int32_t j = 0; j <= n; j++) {
            if (j > k)
                hc_table_add(&t, "%s", "");
            else
                add_value(&t, d->unfolded[(int64_t)k * (n + 1) + j], "f");
        }
    }
    const bool printed = hc_table_print(&t, alignment, to);
    hc_table_free(&t);
    free(alignment);
    return printed;
}

bool hc_depths_print(const HcMaps *maps, const HcDepths *depths, FILE *to) {
    bool printed = true;
    for (int32_t k = 0; k < depths->n_trunks && printed; k++) {
        fputc('\n', to);
        printed = print_gains(maps, &depths->trunks[k], to);
        fputc('\n', to);
        printed = printed && print_unfolded(maps, &depths->trunks[k], to);
    }
    return printed;
}

/* --- as JSON -----------------------------------------------------------------------------------*/

static json_t *gains_json(const HcGain *gains, int32_t n, bool forward) {
    json_t *list = json_array();
    for (int32_t k = 0; k < n; k++)
        hc_json_append(&list, hc_json_number(forward ? gains[k].forward : gains[k].backward));
    return list;
}

static json_t *depth_json(const HcMaps *maps, const HcDepth *d) {
    json_t *json = json_object(), *sites = json_array(), *rows = json_array();
    const int32_t n = d->n_sites + 1;
    for (int32_t k = 0; k < d->n_sites; k++)
        hc_json_append(&sites, hc_json_text(maps->sites[d->first + k].path));
    for (int32_t k = 0; k < n; k++) {
        json_t *row = json_array();
        for (int32_t j = 0; j < n; j++)
            hc_json_append(&row, hc_json_number(d->unfolded[(int64_t)k * n + j]));
        hc_json_append(&rows, row);
    }
    hc_json_set(&json, "sites", sites);
    hc_json_set(&json, "gain_forward", gains_json(d->own, d->n_sites, true));
    hc_json_set(&json, "gain_backward", gains_json(d->own, d->n_sites, false));
    hc_json_set(&json, "composite_forward", gains_json(d->composite, d->n_sites, true));
    hc_json_set(&json, "composite_backward", gains_json(d->composite, d->n_sites, false));
    hc_json_set(&json, "unfolded", rows);
    return json;
}

json_t *hc_depths_json(const HcMaps *maps, const HcDepths *depths) {
    json_t *list = json_array();
    for (int32_t k = 0; k < depths->n_trunks; k++)
        hc_json_append(&list, depth_json(maps, &depths->trunks[k]));
    return list;
}
