#include "runtime/trained/trained.h"
#include "runtime/run/context.h"
#include "runtime/trained/evaluate.h"
#include "runtime/trained/find_run.h"
#include "runtime/trained/other_machine.h"

#include <stdlib.h>

HcStatus hc_open_trained(const HcModel *model, const char *path, int32_t threads, int64_t samples,
                         HcContext **context, HcError *error) {
    char *checkpoint;
    *context = NULL;
    HcStatus status = hc_find_checkpoint(path, &checkpoint, error);
    if (status != HC_OK)
        return status;
    HcOptions options = {.threads = threads, .samples = samples};
    status = hc_create(model, &options, context, error);
    if (status == HC_OK && (status = hc_load_evaluated(*context, checkpoint)) != HC_OK && error)
        *error = (*context)->error;
    free(checkpoint);
    if (status == HC_OK)
        hc_set_training(*context, 0);
    return status;
}

HcStatus hc_trained_open(const HcModel *model, const HcEvalOptions *o, const char *of, HcTrained *t,
                         HcError *error) {
    *t = (HcTrained){0};
    HcStatus status = hc_open_trained(model, o->checkpoint, o->threads, 0, &t->context, error);
    if (status == HC_OK)
        status = hc_eval_config(o, &t->config, error);
    const json_t *about = json_object_get(t->config, "data");
    if (status == HC_OK && !o->n_data && !about)
        status =
            hc_fail(error, HC_ERROR_CHECKPOINT,
                    "`%s/config.json` does not name the data: give --data PATH", o->checkpoint);
    const HcDataRequest request = {.given = o->data,
                                   .n_given = o->n_data,
                                   .run = about ? about : t->config,
                                   .whole = o->whole_data,
                                   .as_bytes = o->data_is_bytes,
                                   .may_differ = o->changed_data,
                                   .notes = o->notes};
    if (status == HC_OK)
        status =
            hc_data_open(&t->data, &t->context->plan, &request, hc_positions(t->context), error);
    if (status == HC_OK)
        hc_warn_other_machine(t->config, t->context, of, o->notes);
    return status;
}

void hc_trained_close(HcTrained *t) {
    json_decref(t->config);
    hc_data_free(&t->data);
    hc_destroy(t->context);
    *t = (HcTrained){0};
}

HcStatus hc_trained_holds_out(const HcTrained *t, HcError *error) {
    if (t->data.train_count < t->data.count)
        return HC_OK;
    return hc_fail(error, HC_ERROR_DATA,
                   "the model `%s` holds nothing out: its train block needs `held_out`",
                   t->context->plan.model);
}

HcStatus hc_trained_evaluate(HcTrained *t, HcEvaluation *evaluation, HcError *error) {
    const HcEvaluationSize size = {.batch = hc_samples(t->context)};
    HcStatus status = hc_data_evaluate(&t->data, t->context, &size, NULL, evaluation);
    if (status != HC_OK && error)
        *error = t->context->error;
    return status;
}
