/* The held-out loss of what a run has trained. */
#include "runtime/train/evaluate.h"
#include "runtime/train/other_machine.h"
#include "runtime/train/train.h"
#include "runtime/train/trained.h"

#include <math.h>

HcStatus hc_evaluate(const HcModel *model, const HcEvalOptions *options, HcEvaluation *evaluation,
                     HcError *error) {
    HcContext *c = NULL;
    HcData data = {0};
    json_t *config = NULL;
    *evaluation = (HcEvaluation){.loss = NAN};
    HcStatus status = hc_open_trained(model, options->checkpoint, options->threads, 0, &c, error);
    if (status == HC_OK)
        status = hc_eval_config(options, &config, error);
    const json_t *about = json_object_get(config, "data");
    if (status == HC_OK && !options->n_data && !about)
        status = hc_fail(error, HC_ERROR_CHECKPOINT,
                         "`%s/config.json` does not name the data: give --data PATH",
                         options->checkpoint);
    const HcDataRequest request = {.given = options->data,
                                   .n_given = options->n_data,
                                   .run = about ? about : config,
                                   .as_bytes = options->data_is_bytes,
                                   .may_differ = options->changed_data,
                                   .notes = options->notes};
    if (status == HC_OK)
        status = hc_data_open(&data, &c->plan, &request, hc_positions(c), error);
    if (status == HC_OK)
        hc_warn_other_machine(config, c, "its losses", options->notes);
    if (status == HC_OK && data.train_count == data.count)
        status = hc_fail(error, HC_ERROR_DATA,
                         "the model `%s` holds nothing out: its train block needs `held_out`",
                         c->plan.model);
    if (status == HC_OK) {
        status =
            hc_data_evaluate(&data, c, &(HcEvaluationSize){hc_samples(c), 0}, NULL, evaluation);
        if (status != HC_OK && error)
            *error = c->error;
    }
    if (status == HC_OK && !isfinite(evaluation->loss))
        status = hc_fail(error, HC_ERROR_DIVERGED, "%s",
                         evaluation->not_finite[0] ? evaluation->not_finite
                                                   : "the held-out loss overflows");
    if (status != HC_OK)
        hc_evaluation_free(evaluation);
    json_decref(config);
    hc_data_free(&data);
    hc_destroy(c);
    return status;
}
