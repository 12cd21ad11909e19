/* Maps of a run while it trains; see wiring.h. */
#include "runtime/maps/wiring.h"
#include "runtime/files/json.h"
#include "runtime/run/context.h"
#include "runtime/trained/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Enough for means over positions, and little beside a step. */
enum { WIRING_SAMPLES = 4 };

/* --- beside a run ------------------------------------------------------------------------------*/

HcStatus hc_wiring_open(HcWiring *w, const HcModel *maps, const HcContext *run, HcError *error) {
    *w = (HcWiring){.gain = NAN};
    const HcOptions options = {.threads = hc_threads(run), .samples = 1};
    HcStatus status = hc_create(maps, &options, &w->context, error);
    if (status == HC_OK && !hc_share_parameters(w->context, run))
        status =
            hc_fail(error, HC_ERROR_MODEL,
                    "the program of maps of `%s` has other parameters than it", run->plan.model);
    if (status != HC_OK)
        hc_wiring_close(w);
    else
        hc_set_training(w->context, 0);
    return status;
}

void hc_wiring_close(HcWiring *w) {
    hc_destroy(w->context);
    w->context = NULL;
}

static HcStatus fill(HcContext *c, const HcData *data, HcContext *run, int64_t step, int64_t *n) {
    const HcEvaluationSize size = {.batch = WIRING_SAMPLES, .batches = 1};
    if (data->train_count < data->count)
        return hc_data_held_out(data, c, &size, 0, n);
    *n = hc_samples(run) < WIRING_SAMPLES ? hc_samples(run) : WIRING_SAMPLES;
    const HcStatus status = hc_resize(c, *n, hc_positions(run));
    return status == HC_OK ? hc_data_batch(data, c, run->recipe.seed, step) : status;
}

/* --- what is said of it ------------------------------------------------------------------------*/

static void set_known(json_t **json, const char *key, double value) {
    if (!isnan(value))
        hc_json_set(json, key, hc_json_number(value));
}

/* The share of each stream in what is read: its entries times its norm. */
static json_t *use_json(const HcSiteMaps *s) {
    json_t *json = json_object();
    double all = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int32_t k = 0; k < s->n_streams; k++) {
            double size = 0;
            for (int32_t r = 0; r < s->read.to; r++)
                size += fabs(s->read.mean[(int64_t)r * s->read.from + k]) * s->norms[k];
            if (pass == 0)
                all += size;
            else if (all > 0)
                hc_json_set(&json, s->streams[k], hc_json_number(size / all));
        }
    return json;
}

static json_t *site_json(const HcSiteMaps *s, const HcGain *composite) {
    json_t *json = json_object(), *norm = json_object();
    set_known(&json, "forward", composite->forward);
    set_known(&json, "backward", composite->backward);
    set_known(&json, "similarity", s->similarity);
    for (int32_t k = 0; s->norms && k < s->n_streams; k++)
        hc_json_set(&norm, s->streams[k], hc_json_number(s->norms[k]));
    hc_json_set(&json, "norm", norm);
    if (s->norms && s->read.mean && s->n_streams > 1)
        hc_json_set(&json, "use", use_json(s));
    return json;
}

static json_t *wiring_json(HcWiring *w, const HcMaps *maps, const HcDepths *depths) {
    json_t *json = json_object(), *sites = json_object();
    w->gain = NAN;
    for (int32_t t = 0; t < depths->n_trunks; t++) {
        const HcDepth *d = &depths->trunks[t];
        for (int32_t k = 0; k < d->n_sites; k++) {
            const HcSiteMaps *s = &maps->sites[d->first + k];
            hc_json_set(&sites, s->path, site_json(s, &d->composite[k]));
        }
        w->gain = fmax(w->gain, fmax(d->composite[0].forward, d->composite[0].backward));
    }
    set_known(&json, "gain", w->gain);
    hc_json_set(&json, "sites", sites);
    return json;
}

HcStatus hc_wiring_look(HcWiring *w, const HcData *data, HcContext *run, int64_t step,
                        json_t **found) {
    HcContext *c = w->context;
    HcMaps maps = {0};
    HcDepths depths = {0};
    int64_t n = 0;
    *found = NULL;
    hc_share_parameters(c, run); /* they may have moved */
    HcStatus status = hc_await_weights(run);
    if (status != HC_OK)
        c->error = run->error;
    else
        status = fill(c, data, run, step, &n);
    if (status == HC_OK && n > 0)
        status = hc_forward(c);
    if (status == HC_OK)
        status = hc_maps_begin(c, &maps);
    if (status == HC_OK && n > 0)
        status = hc_maps_add(c, &maps, n);
    if (status == HC_OK) {
        hc_maps_finish(&maps);
        *found = hc_depths_of(&maps, &depths) ? wiring_json(w, &maps, &depths) : NULL;
        if (!*found)
            status = hc_fail_memory(&c->error, "what is said of the wiring");
    }
    hc_depths_free(&depths);
    hc_maps_free(&maps);
    return status;
}

/* --- gradients ---------------------------------------------------------------------------------*/

static double sum_of_squares(const HcContext *c, const HcParameterPlan *p) {
    const uint8_t *at = (const uint8_t *)c->grads + p->offset;
    double sum = 0;
    for (int64_t k = 0; k < p->count; k++) {
        const double g = hc_real_at(at, c->plan.element_size, k);
        sum += g * g;
    }
    return sum;
}

json_t *hc_gradient_norms(const HcContext *c) {
    json_t *json = json_object(), *group;
    const char *name;
    for (uint32_t k = 0; k < c->plan.n_parameters; k++) {
        const HcParameterPlan *p = &c->plan.parameters[k];
        if (!p->gradient || p->frozen)
            continue;
        const double before = json_number_value(json_object_get(json, p->group));
        hc_json_set(&json, p->group, hc_json_number(before + sum_of_squares(c, p)));
    }
    json_object_foreach(json, name, group) {
        if (json_is_real(group))
            json_real_set(group, sqrt(json_real_value(group)));
    }
    return json;
}
