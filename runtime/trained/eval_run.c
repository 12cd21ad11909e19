/* The held-out loss of what a run has trained. */
#include "runtime/trained/evaluate.h"
#include "runtime/trained/trained.h"

#include <math.h>

HcStatus hc_evaluate(const HcModel *model, const HcEvalOptions *options, HcEvaluation *evaluation,
                     HcError *error) {
    HcTrained t;
    *evaluation = (HcEvaluation){.loss = NAN};
    HcStatus status = hc_trained_open(model, options, "its losses", &t, error);
    if (status == HC_OK)
        status = hc_trained_holds_out(&t, error);
    if (status == HC_OK)
        status = hc_trained_evaluate(&t, evaluation, error);
    if (status == HC_OK && !isfinite(evaluation->loss))
        status = hc_fail(error, HC_ERROR_DIVERGED, "%s",
                         evaluation->not_finite[0] ? evaluation->not_finite
                                                   : "the held-out loss overflows");
    if (status != HC_OK)
        hc_evaluation_free(evaluation);
    hc_trained_close(&t);
    return status;
}
