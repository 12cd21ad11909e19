#include "runtime/app/with_ranks.h"
#include "runtime/app/signals.h"

#include <string.h>

HcStatus hc_join_ranks(HcTrainOptions *o, HcError *error) {
    HcStatus status = hc_ranks_open(&o->ranks, error);
    if (status != HC_OK || hc_ranks_rank(o->ranks) == 0)
        return status;
    o->out = o->runs = o->batch_log = NULL;
    o->progress = NULL;
    o->tensorboard = 0;
    return HC_OK;
}

/* All ranks come to these together: they have the same losses, and ask each other who was stopped.
 */
static bool is_of_all(const HcTrainOptions *o, HcStatus status) {
    return status == HC_OK || status == HC_INTERRUPTED || status == HC_ERROR_DIVERGED ||
           hc_ranks_failed_alike(o->ranks);
}

bool hc_rank_reports(const HcTrainOptions *o, HcStatus status, const HcTrainResult *result,
                     HcError *error) {
    if (!o->ranks)
        return true;
    if (status == HC_INTERRUPTED)
        hc_signals_came(result->stopped);
    if (is_of_all(o, status))
        return hc_ranks_rank(o->ranks) == 0;
    char message[sizeof error->message];
    snprintf(message, sizeof message, "%s", error->message);
    hc_fail(error, status, "%s: %s", hc_ranks_name(o->ranks, hc_ranks_rank(o->ranks)), message);
    return true;
}

void hc_leave_ranks(HcTrainOptions *o, HcStatus status, int exit_code) {
    if (!o->ranks)
        return;
    if (!is_of_all(o, status))
        hc_ranks_abort(o->ranks, exit_code);
    hc_ranks_close(o->ranks);
    o->ranks = NULL;
}
