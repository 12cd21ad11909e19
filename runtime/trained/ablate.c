#include "runtime/trained/ablate.h"
#include "runtime/trained/override.h"
#include "runtime/trained/trained.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Which override a parameter gets; the last that matches. */
typedef struct {
    const HcOverride *override;
    uint32_t parameter;
} Change;

typedef struct {
    HcAblation *to;
    HcOverride *overrides;
    uint32_t n_overrides;
    Change *changes;
    void *kept; /* all parameters, as they were trained */
    HcError *error;
} Ablator;

static void restore(Ablator *a) {
    HcContext *c = a->to->trained->context;
    memcpy(c->params, a->kept, (size_t)c->plan.slab_bytes);
}

static HcStatus find_changes(Ablator *a) {
    const HcPlan *plan = &a->to->trained->context->plan;
    a->changes = calloc(plan->n_parameters + 1, sizeof *a->changes);
    a->to->tensors = calloc(plan->n_parameters + 1, sizeof *a->to->tensors);
    a->kept = malloc((size_t)plan->slab_bytes + 1);
    if (!a->changes || !a->to->tensors || !a->kept)
        return hc_fail_memory(a->error, "overrides");
    memcpy(a->kept, a->to->trained->context->params, (size_t)plan->slab_bytes);
    for (uint32_t p = 0; p < plan->n_parameters; p++) {
        const HcOverride *found = NULL;
        for (uint32_t k = 0; k < a->n_overrides; k++)
            if (hc_override_matches(&a->overrides[k], plan->parameters[p].name))
                found = &a->overrides[k];
        if (!found)
            continue;
        a->changes[a->to->count] = (Change){found, p};
        a->to->tensors[a->to->count++] = (HcAblatedTensor){plan->parameters[p].name, NAN};
    }
    return HC_OK;
}

static HcStatus apply(Ablator *a, uint32_t change) {
    return hc_override_apply(a->changes[change].override, a->to->trained->context,
                             a->changes[change].parameter, a->error);
}

static HcStatus evaluate_each(Ablator *a) {
    HcStatus status = HC_OK;
    for (uint32_t k = 0; k < a->to->count && status == HC_OK; k++) {
        HcEvaluation e = {0};
        status = apply(a, k);
        if (status == HC_OK)
            status = hc_trained_evaluate(a->to->trained, &e, a->error);
        a->to->tensors[k].loss = e.loss;
        if (status == HC_OK)
            hc_evaluation_free(&e);
        restore(a);
    }
    return status;
}

static HcStatus evaluate(Ablator *a) {
    HcAblation *to = a->to;
    HcStatus status = hc_trained_evaluate(to->trained, &to->before, a->error);
    if (status == HC_OK && to->each)
        status = evaluate_each(a);
    for (uint32_t k = 0; k < to->count && status == HC_OK; k++)
        status = apply(a, k);
    return status == HC_OK ? hc_trained_evaluate(to->trained, &to->after, a->error) : status;
}

HcStatus hc_ablate(const HcModel *model, const HcEvalOptions *options, const char *const *overrides,
                   uint32_t n_overrides, bool each, HcAblation *to, HcError *error) {
    Ablator a = {.to = to, .error = error};
    *to = (HcAblation){.each = each};
    a.overrides = calloc(n_overrides + 1, sizeof *a.overrides);
    HcStatus status = a.overrides ? HC_OK : hc_fail_memory(error, "overrides");
    for (uint32_t k = 0; k < n_overrides && status == HC_OK; k++)
        status = hc_override_read(&a.overrides[a.n_overrides++], overrides[k], error);
    if (status == HC_OK && !(to->trained = calloc(1, sizeof *to->trained)))
        status = hc_fail_memory(error, "a model");
    if (status == HC_OK)
        status = hc_trained_open(model, options, "its losses", to->trained, error);
    if (status == HC_OK)
        status = hc_trained_holds_out(to->trained, error);
    for (uint32_t k = 0; k < n_overrides && status == HC_OK; k++)
        status = hc_override_check(&a.overrides[k], &to->trained->context->plan, error);
    if (status == HC_OK)
        status = find_changes(&a);
    if (status == HC_OK)
        status = evaluate(&a);
    for (uint32_t k = 0; k < a.n_overrides; k++)
        hc_override_free(&a.overrides[k]);
    free(a.overrides);
    free(a.changes);
    free(a.kept);
    return status;
}

void hc_ablation_free(HcAblation *a) {
    hc_evaluation_free(&a->before);
    hc_evaluation_free(&a->after);
    free(a->tensors);
    if (a->trained)
        hc_trained_close(a->trained);
    free(a->trained);
    *a = (HcAblation){0};
}
