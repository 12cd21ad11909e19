#include "runtime/trained/predict.h"
#include "abi/nearest.h"
#include "runtime/trained/evaluate.h"
#include "runtime/trained/trained.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const HcPredictOptions *options;
    const HcPredictions *to;
    HcError *error;
    HcTrained trained;
    uint32_t output;
    HcPredicted of;
    int64_t *starts; /* of a batch */
} Predictor;

static HcStatus no_output(const Predictor *p, const HcPlan *plan) {
    const char **names = calloc(plan->n_outputs + 1, sizeof *names);
    if (!names)
        return hc_fail_memory(p->error, "names");
    char list[300] = "";
    for (uint32_t k = 0; k < plan->n_outputs; k++) {
        const size_t used = strlen(list);
        names[k] = plan->outputs[k].name;
        if (used < sizeof list)
            snprintf(list + used, sizeof list - used, "%s%s", k ? ", " : "", names[k]);
    }
    const char *near = hc_nearest_name(p->options->output, names, plan->n_outputs);
    free(names);
    return hc_fail(p->error, HC_ERROR_ARGUMENT,
                   "the model `%s` has no output `%s`%s%s%s; `probe NAME;` in it makes one of any "
                   "value; there are: %s",
                   plan->model, p->options->output, near ? " (did you mean `" : "",
                   near ? near : "", near ? "`?)" : "", list);
}

/* Whether the value has samples, and positions. */
static void extents_of(const HcPlan *plan, const HcOutput *o, bool *samples, bool *positions) {
    const HcRegion region = o->buffer.region;
    const HcDomain domain =
        region == HC_REGION_INPUT ? plan->inputs[o->buffer.index].domain : hc_region_domain(region);
    *samples = hc_is_by_sample(domain);
    *positions = *samples && hc_is_by_position(domain);
}

static HcStatus find_output(Predictor *p) {
    const HcPlan *plan = &p->trained.context->plan;
    bool samples;
    while (p->output < plan->n_outputs &&
           strcmp(plan->outputs[p->output].name, p->options->output) != 0)
        p->output++;
    if (p->output == plan->n_outputs)
        return no_output(p, plan);
    const HcOutput *o = &plan->outputs[p->output];
    extents_of(plan, o, &samples, &p->of.positions);
    if (!samples)
        return hc_fail(p->error, HC_ERROR_ARGUMENT,
                       "`%s` has no value for each sample: it is of the whole batch, or the same "
                       "for all",
                       o->name);
    if (o->buffer.element == HC_ELEMENT_I32)
        return hc_fail(p->error, HC_ERROR_ARGUMENT, "`%s` is not of numbers with fractions",
                       o->name);
    p->of.name = o->name;
    p->of.element_size = (uint32_t)hc_element_bytes(o->buffer.element);
    return HC_OK;
}

static int64_t context_of(const HcContext *c) {
    return hc_max_positions(c) ? hc_max_positions(c) : 1;
}

static HcStatus run(Predictor *p, int64_t first, int64_t n, HcView *view) {
    HcContext *c = p->trained.context;
    const HcData *data = &p->trained.data;
    const int64_t positions = context_of(c);
    const int64_t before = p->options->all ? hc_data_windows(data, c, positions, HC_TRAIN_PART) : 0;
    HcStatus status =
        n == hc_samples(c) && positions == hc_positions(c) ? HC_OK : hc_resize(c, n, positions);
    for (int64_t s = 0; s < n && status == HC_OK; s++) {
        const int64_t k = first + s;
        p->starts[s] = k < before
                           ? hc_data_window(data, c, positions, HC_TRAIN_PART, k)
                           : hc_data_window(data, c, positions, HC_HELD_OUT_PART, k - before);
        status = hc_data_fill(data, c, s, p->starts[s]);
    }
    if (status == HC_OK)
        status = hc_forward(c);
    if (status == HC_OK)
        status = hc_output_at(c, p->output, view);
    if (status != HC_OK && p->error)
        *p->error = c->error;
    return status;
}

static HcStatus begin(Predictor *p, const HcView *view) {
    p->of.rank = view->rank - 1;
    p->of.count = view->count / view->dims[0];
    memcpy(p->of.dims, view->dims + 1, (size_t)p->of.rank * sizeof *p->of.dims);
    return p->to->begin(p->to->user, &p->of, p->error);
}

static HcStatus predict(Predictor *p) {
    const int64_t batch = hc_samples(p->trained.context);
    HcStatus status = HC_OK;
    p->starts = calloc((size_t)batch, sizeof *p->starts);
    if (!p->starts)
        return hc_fail_memory(p->error, "predictions");
    for (int64_t first = 0; first < p->of.samples && status == HC_OK; first += batch) {
        const int64_t left = p->of.samples - first, n = left < batch ? left : batch;
        HcView view;
        status = run(p, first, n, &view);
        if (status == HC_OK && first == 0)
            status = begin(p, &view);
        for (int64_t s = 0; s < n && status == HC_OK; s++)
            status = p->to->sample(
                p->to->user, p->starts[s],
                (const char *)view.data + (size_t)(s * p->of.count) * p->of.element_size, p->error);
    }
    return status;
}

/* How many there are. */
static HcStatus count(Predictor *p) {
    const HcTrained *t = &p->trained;
    const int64_t positions = context_of(t->context), limit = p->options->limit;
    int64_t n = hc_data_windows(&t->data, t->context, positions, HC_HELD_OUT_PART);
    if (p->options->all)
        n += hc_data_windows(&t->data, t->context, positions, HC_TRAIN_PART);
    p->of.samples = limit > 0 && limit < n ? limit : n;
    p->of.windows = t->data.sequence != NULL;
    return n > 0 ? HC_OK
                 : hc_fail(p->error, HC_ERROR_DATA,
                           p->options->all ? "the data hold no window of %lld positions"
                                           : "nothing is held out that holds %lld positions: give "
                                             "--all for the training part as well",
                           (long long)positions);
}

HcStatus hc_predict(const HcModel *model, const HcPredictOptions *options, const HcPredictions *to,
                    HcError *error) {
    Predictor p = {.options = options, .to = to, .error = error};
    HcEvalOptions eval = options->eval;
    eval.whole_data = options->all;
    HcStatus status = hc_trained_open(model, &eval, "its values", &p.trained, error);
    if (status == HC_OK)
        status = find_output(&p);
    if (status == HC_OK)
        status = count(&p);
    if (status == HC_OK)
        status = predict(&p);
    free(p.starts);
    hc_trained_close(&p.trained);
    return status;
}
