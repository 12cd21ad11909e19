/* When a run looks at its wiring, and what the log has of it. */
#include "runtime/files/json.h"
#include "runtime/run/context.h"
#include "runtime/train/trainer.h"

#include <math.h>

void trainer_wiring_begin(Trainer *t) {
    const json_t *was = json_object_get(t->config, "wiring_every");
    t->wiring_every = t->options->wiring_every;
    if (t->wiring_every == 0 && json_is_integer(was))
        t->wiring_every = json_integer_value(was);
    t->wiring.gain = NAN;
}

bool trainer_wiring_due(const Trainer *t, int64_t step, bool evaluates) {
    if (t->wiring_every > 0)
        return (step + 1) % t->wiring_every == 0;
    return t->wiring_every == 0 && evaluates;
}

static void warn(Trainer *t, const char *why) {
    hc_progress_note(&t->progress, "warning: the wiring is not looked at: %s", why);
    hc_wiring_close(&t->wiring);
}

/* A model without sites has no wiring, and a program of maps is not compiled for it. */
static void want(Trainer *t) {
    const char *why = "out of memory";
    HcError error;
    t->wiring_wanted = true;
    if (!t->options->maps || !json_array_size(json_object_get(t->context->plan.json, "sites")))
        return;
    const HcModel *maps = t->options->maps(t->options->maps_user, t->run.path, &why);
    if (!maps)
        warn(t, why);
    else if (hc_wiring_open(&t->wiring, maps, t->context, &error) != HC_OK)
        warn(t, error.message);
}

HcStatus trainer_add_wiring(Trainer *t, json_t **line) {
    json_t *found = NULL;
    if (t->wiring_every < 0)
        return HC_OK;
    HcStatus status = trainer_measure(t); /* of what evaluations are */
    if (status != HC_OK || !trainer_writes(t))
        return status;
    if (!t->wiring_wanted)
        want(t);
    if (!t->wiring.context)
        return HC_OK;
    status = hc_wiring_look(&t->wiring, &t->data, t->context, t->result->steps, &found);
    if (status == HC_OK)
        hc_json_set(line, "wiring", found);
    else
        warn(t, t->wiring.context->error.message);
    return HC_OK;
}
