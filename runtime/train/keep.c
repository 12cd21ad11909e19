/* The checkpoints of a run. Each holds, as a note beside the optimiser's state, what the trainer
 * itself would else have to read from the log: the seconds and the last losses, and the line of a
 * step that is saved before it is evaluated. */
#include "runtime/files/json.h"
#include "runtime/files/json_read.h"
#include "runtime/run/clock.h"
#include "runtime/run/context.h"
#include "runtime/train/trainer.h"

#include <stdlib.h>
#include <string.h>

/* Between saves of ckpt/last; at least 20 times what a save takes. */
#define SAVE_SECONDS 60.0

HcStatus trainer_context_failed(Trainer *t, HcStatus status) {
    if (status != HC_OK && t->error)
        *t->error = t->context->error;
    return status;
}

/* --- the note ----------------------------------------------------------------------------------*/

/* How many of the last steps' losses there are. */
static int64_t losses_kept(const Trainer *t) {
    return t->result->steps < TRAIN_LOSSES ? t->result->steps : TRAIN_LOSSES;
}

static char *note_text(const Trainer *t) {
    const int64_t steps = t->result->steps, kept = losses_kept(t);
    json_t *note = json_object(), *losses = json_array();
    hc_json_set(&note, "seconds", hc_json_number(t->result->seconds));
    for (int64_t k = steps - kept; k < steps; k++)
        hc_json_append(&losses, json_real(t->losses[k % TRAIN_LOSSES]));
    hc_json_set(&note, "losses", losses);
    if (t->line)
        hc_json_set(&note, "line", json_incref(t->line));
    char *text = hc_json_dump(note, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(note);
    return text;
}

/* What a note of ours says; false: it is none. */
static bool take_note(Trainer *t, const json_t *note) {
    HcTrainResult *r = t->result;
    const json_t *losses = json_object_get(note, "losses"), *line = json_object_get(note, "line");
    r->steps = t->context->steps_done;
    r->seconds = json_number_value(json_object_get(note, "seconds"));
    const int64_t kept = losses_kept(t);
    if (json_array_size(losses) != (size_t)kept || (line && !json_is_object(line)))
        return false;
    for (int64_t k = 0; k < kept; k++)
        t->losses[(r->steps - kept + k) % TRAIN_LOSSES] = r->last_loss =
            json_number_value(json_array_get(losses, (size_t)k));
    t->line = json_incref((json_t *)(uintptr_t)line);
    return true;
}

HcStatus trainer_load(Trainer *t, const char *checkpoint) {
    HcCheckpointSays says = {0};
    HcStatus status =
        trainer_context_failed(t, hc_load_checkpoint_says(t->context, checkpoint, &says));
    if (status != HC_OK)
        return status;
    HcJsonRead read = {0};
    json_t *note = says.note
                       ? hc_json_read(says.note, strlen(says.note), 2 * TRAIN_LOSSES + 4096, &read)
                       : NULL;
    if (read.outcome == HC_JSON_NO_MEMORY)
        status = hc_fail_memory(t->error, "the checkpoint");
    else if (!take_note(t, note))
        status = hc_fail(t->error, HC_ERROR_CHECKPOINT,
                         "checkpoint `%s` was not made by training: it does not say how far a run "
                         "was; begin a new one from it with --from",
                         checkpoint);
    if (status == HC_OK && says.other_build && t->options->progress)
        fprintf(t->options->progress,
                "warning: the run was made by a model that was compiled otherwise (another hcc, "
                "another processor or --cpu): from here on results may be rounded differently\n");
    json_decref(note);
    free(says.note);
    return status;
}

/* --- saving ------------------------------------------------------------------------------------*/

HcStatus trainer_save_last(Trainer *t) {
    if (!t->run.path || t->saved == t->result->steps)
        return HC_OK;
    double started = hc_now();
    HcStatus status = hc_run_sync(&t->run, t->error);
    if (status != HC_OK)
        return status;
    char *path = hc_run_file(&t->run, "ckpt/last"), *note = note_text(t);
    status = path && note
                 ? trainer_context_failed(t, hc_save_checkpoint_note(t->context, path, note))
                 : hc_fail_memory(t->error, "the checkpoint");
    free(path);
    free(note);
    double spent = hc_now() - started;
    t->next_save = hc_now() + (20 * spent > SAVE_SECONDS ? 20 * spent : SAVE_SECONDS);
    if (status == HC_OK)
        t->saved = t->result->steps;
    return status;
}

HcStatus trainer_save_final(Trainer *t) {
    if (!t->run.path)
        return HC_OK;
    char *path = hc_run_file(&t->run, "ckpt/final.safetensors");
    HcStatus status = path ? trainer_context_failed(t, hc_save(t->context, path))
                           : hc_fail_memory(t->error, "a path");
    free(path);
    return status;
}
