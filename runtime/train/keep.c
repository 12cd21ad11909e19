/* The checkpoints of a run. Each holds, as a note beside the optimiser's state, what the trainer
 * itself would else have to read from the log: the seconds and the last losses, and the line of a
 * step that is saved before it is evaluated. */
#include "runtime/files/json.h"
#include "runtime/files/json_read.h"
#include "runtime/files/paths.h"
#include "runtime/files/replace.h"
#include "runtime/run/clock.h"
#include "runtime/run/context.h"
#include "runtime/train/trainer.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHECKPOINTS "ckpt"

/* Saves by time are apart by at least so many times what one takes. */
enum { SAVE_PART = 20 };

HcStatus trainer_context_failed(Trainer *t, HcStatus status) {
    if (status != HC_OK && t->error)
        *t->error = t->context->error;
    return status;
}

HcStatus trainer_measure(Trainer *t) {
    const bool averages = t->context->recipe.ema > 0 && t->context->steps_done > 0;
    return trainer_context_failed(t, hc_use_ema(t->context, averages && !t->has_best));
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
    if (isfinite(t->result->best_loss)) {
        hc_json_set(&note, "best_loss", json_real(t->result->best_loss));
        hc_json_set(&note, "best_step", json_integer(t->result->best_step));
    }
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
    const json_t *best = json_object_get(note, "best_loss");
    r->best_loss = best ? json_number_value(best) : NAN;
    r->best_step = json_integer_value(json_object_get(note, "best_step"));
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
                "another processor, --cpu or --precision): from here on results may be rounded "
                "differently\n");
    json_decref(note);
    free(says.note);
    return status;
}

/* --- saving ------------------------------------------------------------------------------------*/

static HcStatus save_as(Trainer *t, const char *name) {
    if (!trainer_writes(t))
        return trainer_context_failed(t, hc_save_checkpoint_note(t->context, NULL, NULL));
    char *checkpoints = hc_run_file(&t->run, CHECKPOINTS), *note = note_text(t);
    char *path = checkpoints ? hc_path_join(checkpoints, name) : NULL;
    HcStatus status =
        path && note ? trainer_context_failed(t, hc_save_checkpoint_note(t->context, path, note))
                     : hc_fail_memory(t->error, "the checkpoint");
    free(checkpoints);
    free(path);
    free(note);
    return status;
}

/* A step that is kept and beyond `most`, or the smallest; -1: none. *count: how many there are. */
static int64_t first_to_go(DIR *folder, int64_t most, int64_t *count) {
    int64_t smallest = -1, beyond = -1;
    *count = 0;
    rewinddir(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        const int64_t step = hc_run_kept_step(entry->d_name);
        *count += step >= 0;
        if (step > most)
            beyond = step;
        if (step >= 0 && (smallest < 0 || step < smallest))
            smallest = step;
    }
    return beyond >= 0 ? beyond : smallest;
}

static HcStatus remove_kept(Trainer *t, const char *checkpoints, int64_t step) {
    char name[40];
    snprintf(name, sizeof name, HC_KEPT "%lld", (long long)step);
    char *path = hc_path_join(checkpoints, name);
    HcStatus status = path ? hc_folder_remove(path, t->error) : hc_fail_memory(t->error, "a path");
    free(path);
    return status;
}

HcStatus trainer_prune(Trainer *t) {
    char *path = hc_run_file(&t->run, CHECKPOINTS);
    DIR *folder = path ? opendir(path) : NULL;
    HcStatus status = path ? HC_OK : hc_fail_memory(t->error, "a path");
    int64_t count, step;
    while (folder && status == HC_OK &&
           (step = first_to_go(folder, t->result->steps, &count)) >= 0 &&
           (count > t->context->recipe.keep || step > t->result->steps))
        status = remove_kept(t, path, step);
    if (folder)
        closedir(folder);
    free(path);
    return status;
}

/* The step under its own name, too, and the oldest of those away. */
static HcStatus keep_step(Trainer *t) {
    char name[40];
    snprintf(name, sizeof name, HC_KEPT "%lld", (long long)t->result->steps);
    HcStatus status = save_as(t, name);
    return status == HC_OK && trainer_writes(t) ? trainer_prune(t) : status;
}

HcStatus trainer_save_last(Trainer *t) {
    if (!t->saves || t->saved == t->result->steps)
        return HC_OK;
    const HcRecipe *recipe = &t->context->recipe;
    const double started = hc_now(), minutes = recipe->save_minutes;
    HcStatus status = trainer_writes(t) ? hc_run_sync(&t->run, t->error) : HC_OK;
    if (status == HC_OK)
        status = save_as(t, "last");
    if (status == HC_OK && recipe->keep > 0 && t->result->steps > 0)
        status = keep_step(t);
    const double ended = hc_now(), least = SAVE_PART * (ended - started);
    t->next_save = minutes > 0 ? ended + (60 * minutes > least ? 60 * minutes : least) : INFINITY;
    if (status == HC_OK)
        t->saved = t->result->steps;
    return status;
}

bool trainer_save_due(const Trainer *t) {
    const int64_t every = t->context->recipe.save_every;
    return (every > 0 && t->result->steps % every == 0) ||
           (trainer_writes(t) && hc_now() >= t->next_save);
}

HcStatus trainer_save_best(Trainer *t) {
    HcTrainResult *r = t->result;
    const double loss = r->evaluation.loss;
    if (!isfinite(loss) || loss >= r->best_loss)
        return HC_OK;
    r->best_loss = loss;
    r->best_step = r->steps;
    return t->saves ? save_as(t, "best") : HC_OK;
}

HcStatus trainer_save_final(Trainer *t) {
    HcStatus status = t->saves ? trainer_measure(t) : HC_OK;
    if (status != HC_OK || !t->run.path)
        return status;
    char *path = hc_run_file(&t->run, "ckpt/final.safetensors");
    status = path ? trainer_context_failed(t, hc_save(t->context, path))
                  : hc_fail_memory(t->error, "a path");
    free(path);
    return status;
}
