/* Going on with a run that ended before its last step, however it did: to the bit, if the data and
 * the machine are the same. What is not is said. */
#include "runtime/files/checkpoint.h"
#include "runtime/files/json.h"
#include "runtime/files/paths.h"
#include "runtime/run/context.h"
#include "runtime/train/trainer.h"
#include "runtime/trained/find_run.h"
#include "runtime/trained/other_machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- its settings ------------------------------------------------------------------------------*/

/* What does not change what the steps compute, and where the run ends. */
static bool may_change(const char *key) {
    static const char *const keys[] = {"steps",    "epochs",     "eval_every",   "eval_batches",
                                       "patience", "save_every", "save_minutes", "keep"};
    if (strncmp(key, "train.", 6) == 0)
        key += 6;
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
        if (strcmp(key, keys[k]) == 0)
            return true;
    return false;
}

static HcStatus set_recipe(Trainer *t) {
    HcRecipe *recipe = &t->context->recipe;
    const HcTrainOptions *o = t->options;
    const json_t *was = json_object_get(t->config, "recipe");
    const char *optimizer = json_string_value(json_object_get(was, "optimizer")),
               *schedule = json_string_value(json_object_get(was, "schedule"));
    if (!optimizer || !schedule || strcmp(optimizer, hc_optimizer_names[recipe->optimizer]) != 0 ||
        strcmp(schedule, hc_schedule_names[recipe->schedule]) != 0)
        return hc_fail(
            t->error, HC_ERROR_CHECKPOINT,
            "`%s` is a run of another model: its optimizer or schedule is not this one's",
            o->resume);
    for (int32_t k = 0; k < o->n_settings; k++)
        if (!may_change(o->settings[k].key))
            return hc_fail(
                t->error, HC_ERROR_ARGUMENT,
                "a run goes on with the recipe that it began with, but for where it ends "
                "and when it is evaluated and saved: for another `%s` begin a new one with "
                "--from %s",
                o->settings[k].key, o->resume);
    return hc_recipe_read(recipe, was, t->error);
}

HcStatus trainer_find_run(Trainer *t) {
    const HcTrainOptions *o = t->options;
    HcStatus status = hc_read_config(o->resume, &t->config, t->error);
    const json_t *model = json_object_get(t->config, "model");
    if (status == HC_OK && json_is_string(model) &&
        strcmp(json_string_value(model), t->context->plan.model) != 0)
        status =
            hc_fail(t->error, HC_ERROR_CHECKPOINT, "`%s` is a run of the model `%s`, not of `%s`",
                    o->resume, json_string_value(model), t->context->plan.model);
    if (status == HC_OK && !json_is_object(json_object_get(t->config, "data")))
        status = hc_fail(t->error, HC_ERROR_CHECKPOINT,
                         "the config.json of `%s` does not say what data it read", o->resume);
    return status == HC_OK ? set_recipe(t) : status;
}

/* --- taking it over ----------------------------------------------------------------------------*/

/* What an earlier end left is not true of a run that goes on. */
static HcStatus remove_results(const Trainer *t) {
    static const char *const files[] = {"summary.json", "ckpt/final.safetensors"};
    HcStatus status = HC_OK;
    for (size_t k = 0; k < sizeof files / sizeof files[0] && status == HC_OK; k++) {
        char *path = hc_run_file(&t->run, files[k]);
        if (!path)
            return hc_fail_memory(t->error, "a path");
        if (unlink(path) != 0 && errno != ENOENT)
            status = hc_fail_errno(t->error, HC_ERROR_IO, "replace", path);
        free(path);
    }
    return status;
}

/* The recipe and the precision that it goes on with, in place of those it began with. */
static HcStatus update_config(Trainer *t) {
    json_t *now = json_object();
    hc_json_set(&now, "recipe", hc_recipe_json(&t->context->recipe));
    hc_json_set(&now, "precision", json_string(hc_precision_word(t->context->plan.precision)));
    const bool same =
        now && json_equal(json_object_get(now, "recipe"), json_object_get(t->config, "recipe")) &&
        json_equal(json_object_get(now, "precision"), json_object_get(t->config, "precision"));
    hc_json_update(&t->config, now);
    if (same)
        return HC_OK;
    return hc_run_json(&t->run, "config.json", t->config, t->error);
}

/* What says more than that a file is missing: a run may have ended before its first checkpoint. */
static HcStatus check_there(const Trainer *t, const char *checkpoint) {
    char *parameters = hc_checkpoint_parameters(checkpoint);
    if (!parameters)
        return hc_fail_memory(t->error, "a path");
    const bool there = access(parameters, F_OK) == 0 || errno != ENOENT;
    free(parameters);
    if (there)
        return HC_OK;
    if (!hc_path_ends(checkpoint, "/last"))
        return hc_fail(t->error, HC_ERROR_CHECKPOINT,
                       "there is no checkpoint `%s`: --resume %s goes on from the newest",
                       checkpoint, t->run.path);
    return hc_fail(t->error, HC_ERROR_CHECKPOINT,
                   "there is no checkpoint `%s`: a run that ended before its first is begun anew, "
                   "with --out %s --force",
                   checkpoint, t->run.path);
}

/* *step: of the newest checkpoint; 0: there is none that can be read. */
static HcStatus newest_step(const Trainer *t, uint64_t *step) {
    char *last = hc_run_file(&t->run, "ckpt/last");
    char *path = last ? hc_checkpoint_parameters(last) : NULL;
    HcTensorFile *file = NULL;
    HcStatus status = path ? hc_tensors_open_partial(path, NULL, 0, &file, t->error)
                           : hc_fail_memory(t->error, "a path");
    if (status != HC_OK || !hc_tensors_number(file, "hcc.step", step))
        *step = 0;
    hc_tensors_close(file);
    free(path);
    free(last);
    return status == HC_ERROR_MEMORY ? status : HC_OK;
}

/* What came after an earlier checkpoint goes when its run goes on from there. */
static HcStatus check_newest(const Trainer *t, const char *checkpoint) {
    const int64_t step = t->result->steps;
    uint64_t newest;
    if (t->options->force || hc_path_ends(checkpoint, "/last"))
        return HC_OK;
    const HcStatus status = newest_step(t, &newest);
    if (status != HC_OK || newest <= (uint64_t)step)
        return status;
    return hc_fail(t->error, HC_ERROR_ARGUMENT,
                   "`%s` is of step %lld, and the run was saved after step %llu: going on from it "
                   "takes away what came after (--force does); --from %s begins another run with "
                   "its parameters",
                   checkpoint, (long long)step, (unsigned long long)newest, checkpoint);
}

static HcStatus load(Trainer *t, const char *checkpoint) {
    HcTrainResult *r = t->result;
    const int64_t steps = t->context->recipe.steps;
    HcStatus status = check_there(t, checkpoint);
    if (status == HC_OK)
        status = trainer_load(t, checkpoint);
    if (status != HC_OK)
        return status;
    t->first = r->steps;
    t->saved = t->line ? -1 : r->steps; /* or else it is saved again, without the line */
    if (r->steps > steps)
        return hc_fail(t->error, HC_ERROR_ARGUMENT,
                       "`%s` has done %lld steps, more than the %lld that are asked for",
                       t->options->resume, (long long)r->steps, (long long)steps);
    return HC_OK;
}

HcStatus trainer_read_run(Trainer *t) {
    char *run, *checkpoint;
    HcStatus status = hc_find_run(t->options->resume, &run, &checkpoint, t->error);
    if (status == HC_OK)
        status = load(t, checkpoint);
    free(run);
    free(checkpoint);
    return status;
}

HcStatus trainer_take_run(Trainer *t) {
    char *run, *checkpoint;
    int64_t last;
    HcStatus status = hc_find_run(t->options->resume, &run, &checkpoint, t->error);
    if (status == HC_OK)
        status = hc_run_open_again(&t->run, run, t->error);
    if (status == HC_OK)
        status = load(t, checkpoint);
    if (status == HC_OK)
        status = check_newest(t, checkpoint);
    if (status == HC_OK)
        hc_warn_other_machine(t->config, t->context, "what follows", t->options->progress);
    if (status == HC_OK && t->result->steps < t->context->recipe.steps)
        status = remove_results(t);
    if (status == HC_OK)
        status = trainer_prune(t);
    const int64_t whole = t->result->steps - (t->line != NULL);
    if (status == HC_OK)
        status = hc_run_cut_log(&t->run, whole, &last, t->error);
    if (status == HC_OK && last < whole && t->options->progress)
        fprintf(t->options->progress, "warning: the log of `%s` lacks steps before step %lld\n",
                run, (long long)whole + 1);
    if (status == HC_OK)
        status = update_config(t);
    free(run);
    free(checkpoint);
    return status;
}
