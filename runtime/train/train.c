/* The training loop of `hcc train` and of built executables. */
#include "runtime/files/json.h"
#include "runtime/files/json_read.h"
#include "runtime/files/paths.h"
#include "runtime/run/clock.h"
#include "runtime/run/context.h"
#include "runtime/train/trainer.h"
#include "runtime/trained/evaluate.h"
#include "runtime/trained/find_run.h"
#include "runtime/trained/tokenizer_copy.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- config.json -------------------------------------------------------------------------------*/

static void copy_member(json_t **to, const json_t *from, const char *key) {
    json_t *value = json_object_get(from, key);
    if (value)
        hc_json_set(to, key, json_incref(value));
}

/* Who makes them: how many calls each, and with what. */
static json_t *products_json(const HcContext *c) {
    const HcProductCalls calls = hc_plan_products(&c->plan);
    json_t *json = json_object();
    hc_json_set(&json, "own", json_integer(calls.own));
    if (c->plan.product_way)
        hc_json_set(&json, "way", json_string(c->plan.product_way));
    hc_json_set(&json, "openblas", json_integer(calls.openblas));
    return json;
}

static HcStatus write_config(Trainer *t) {
    const HcContext *c = t->context;
    json_t *config = json_object();
    hc_json_set(&config, "format", json_integer(1));
    static const char *const members[] = {"model", "cpu", "space", "constants"};
    for (size_t k = 0; k < sizeof members / sizeof members[0]; k++)
        copy_member(&config, c->plan.json, members[k]);
    hc_json_set(&config, "precision", json_string(hc_precision_word(c->plan.precision)));
    hc_json_set(&config, "recipe", hc_recipe_json(&c->recipe));
    hc_json_set(&config, "parameters", json_integer(t->result->parameters));
    json_t *data = hc_data_json(&t->data);
    hc_run_tokenizer_set_json(&t->tokenizer, &data);
    hc_json_set(&config, "data", data);
    if (t->options->from)
        hc_json_set(&config, "from", hc_json_path(t->options->from));
    hc_json_set(&config, "threads", json_integer(hc_threads(c)));
    hc_json_set(&config, "products", products_json(c));
    if (hc_uses_openblas(c)) {
        hc_json_set(&config, "blas_core", json_string(c->exec.blas.core));
        hc_json_set(&config, "blas_core_by", json_string(hc_core_by_names[c->exec.blas.core_by]));
    }
    if (t->ranks)
        hc_json_set(&config, "processes", json_incref(t->ranks));
    if (t->wiring_every)
        hc_json_set(&config, "wiring_every", json_integer(t->wiring_every));
    if (t->options->config_extra) {
        HcJsonRead read;
        const char *extra = t->options->config_extra;
        hc_json_update(&config, hc_json_read(extra, strlen(extra), UINT64_MAX, &read));
    }
    HcStatus status = hc_run_json(&t->run, "config.json", config, t->error);
    json_decref(config);
    return status;
}

/* --- steps -------------------------------------------------------------------------------------*/

static HcStatus log_batch(Trainer *t, int64_t step) {
    HcContext *c = t->context;
    for (int64_t s = 0; t->batch_log && s < hc_samples(c); s++) {
        int64_t start = hc_batch_start(&t->data, &c->plan, hc_positions(c), c->recipe.seed, step,
                                       hc_samples(c), s);
        uint8_t bytes[8];
        for (int k = 0; k < 8; k++)
            bytes[k] = (uint8_t)((uint64_t)start >> (8 * k));
        if (fwrite(bytes, 1, sizeof bytes, t->batch_log) != sizeof bytes)
            return hc_fail_errno(t->error, HC_ERROR_IO, "write", t->options->batch_log);
    }
    return HC_OK;
}

static HcStatus log_line(Trainer *t, const json_t *line, HcError *error) {
    HcStatus status = hc_run_log(&t->run, line, error);
    return status == HC_OK ? hc_events_add(&t->events, line, error) : status;
}

/* The loss or a gradient was not finite at this step: says where it began. */
static HcStatus diverged(Trainer *t, int64_t step, double loss) {
    char where[400];
    json_t *line = json_object();
    trainer_share(t, false); /* one rank may look by itself */
    if (isfinite(loss)) {    /* then hc_step found a gradient, and said which */
        snprintf(where, sizeof where, "%.399s", t->context->error.message);
        hc_fail(t->error, HC_ERROR_DIVERGED, "training diverged: %s", where);
    } else {
        HcBatch batch = {.data = &t->data, .step = step, .n = hc_samples(t->context)};
        hc_data_name_not_finite(&batch, t->context, where, sizeof where);
        hc_fail(t->error, HC_ERROR_DIVERGED, "training diverged: the loss of step %lld is %s: %s",
                (long long)step + 1, isnan(loss) ? "not a number" : "infinite", where);
    }
    hc_json_set(&line, "step", json_integer(step + 1));
    hc_json_set(&line, "loss", hc_json_number(loss));
    hc_json_set(&line, "diverged", hc_json_text(where));
    log_line(t, line, NULL);
    json_decref(line);
    return HC_ERROR_DIVERGED;
}

/* What was trained so far is saved first, so that nothing that happens here can lose it. */
static HcStatus evaluate(Trainer *t) {
    HcEvaluation *e = &t->result->evaluation;
    const HcTrainOptions *o = t->options;
    HcStop stop = {o->ranks ? NULL : o->stop, o->user}; /* ranks stop together, after a step */
    const HcRecipe *r = &t->context->recipe;
    const HcEvaluationSize size = {r->batch, r->eval_batches, o->ranks};
    HcStatus status = trainer_save_last(t);
    if (status == HC_OK)
        status = trainer_share(t, false);
    hc_evaluation_free(e); /* the one before */
    if (status == HC_OK)
        status = trainer_measure(t);
    if (status == HC_OK)
        status = trainer_context_failed(t, hc_data_evaluate(&t->data, t->context, &size, &stop, e));
    if (status == HC_OK)
        status = trainer_save_best(t);
    if (status == HC_OK && e->not_finite[0])
        hc_progress_note(&t->progress, "warning: after step %lld: %s", (long long)t->result->steps,
                         e->not_finite);
    return status;
}

static HcStatus interrupted(Trainer *t, const char *when) {
    HcStatus status = trainer_save_last(t);
    if (status != HC_OK)
        return status;
    return hc_fail(t->error, HC_INTERRUPTED, "interrupted %sstep %lld%s", when,
                   (long long)t->result->steps, t->run.path ? ", saved as ckpt/last" : "");
}

/* Joins the step's line. */
static void add_evaluation(Trainer *t, json_t **line) {
    const HcEvaluation *e = &t->result->evaluation;
    json_t *found = hc_evaluation_json(e);
    json_object_del(found, "val_windows");
    hc_json_update(line, found);
    FILE *to = hc_progress_begin_note(&t->progress);
    if (to) {
        fprintf(to, "step %lld: held-out loss %.4f", (long long)t->result->steps, e->loss);
        hc_metrics_print(e, to);
    }
    hc_progress_end_note(&t->progress);
}

static bool evaluates_after(const Trainer *t, int64_t step) {
    const HcRecipe *r = &t->context->recipe;
    return t->evaluates && r->eval_every > 0 && (step + 1) % r->eval_every == 0 &&
           step + 1 < r->steps;
}

/* Evaluates after the last step where that is due, and logs its line whatever becomes of that. */
static HcStatus close_line(Trainer *t) {
    HcStatus status = HC_OK;
    if (evaluates_after(t, t->result->steps - 1)) {
        status = evaluate(t);
        if (status == HC_OK)
            add_evaluation(t, &t->line);
        else if (status == HC_INTERRUPTED)
            interrupted(t, "while evaluating after ");
    }
    if (status == HC_OK && json_object_get(t->line, "gradient_norms"))
        status = trainer_add_wiring(t, &t->line);
    HcStatus logged = log_line(t, t->line, status == HC_OK ? t->error : NULL);
    json_decref(t->line);
    t->line = NULL;
    return status != HC_OK ? status : logged;
}

/* Of the batch just trained on, before its step. */
static void add_metrics(Trainer *t) {
    HcContext *c = t->context;
    json_t *of[] = {json_object(), json_object()}; /* metrics, terms */
    for (uint32_t k = 0; k < c->plan.n_metrics; k++) {
        const HcOutput *output = &c->plan.outputs[c->plan.first_metric + k];
        HcView view;
        if (hc_output_at(c, c->plan.first_metric + k, &view) == HC_OK)
            hc_json_set(&of[output->term], output->name,
                        hc_json_number(hc_real_at(view.data, c->plan.element_size, 0)));
    }
    hc_json_set_filled(&t->line, "metrics", of[0]);
    hc_json_set_filled(&t->line, "terms", of[1]);
}

static HcStatus finish_step(Trainer *t, int64_t step, double loss, double lr, double seconds) {
    HcContext *c = t->context;
    double positions = (double)hc_samples(c) * (double)hc_positions(c);
    t->line = json_object();
    hc_json_set(&t->line, "step", json_integer(step + 1));
    hc_json_set(&t->line, "loss", hc_json_number(loss));
    add_metrics(t);
    hc_json_set(&t->line, "grad_norm", hc_json_number(c->gradient_norm));
    hc_json_set(&t->line, "lr", hc_json_number(lr));
    hc_json_set(&t->line, "positions_per_s", hc_json_number(positions / seconds));
    HcStatus status = HC_OK;
    if (trainer_wiring_due(t, step, evaluates_after(t, step))) {
        status = trainer_context_failed(t, hc_gather_gradients(c));
        hc_json_set(&t->line, "gradient_norms", hc_gradient_norms(c));
    }
    if (status == HC_OK)
        status = close_line(t);
    t->progress.gain = t->wiring.gain;
    hc_progress_step(&t->progress, step + 1, loss, c->gradient_norm, lr,
                     t->data.samples ? (double)hc_samples(c) : positions);
    return status;
}

static HcStatus train_step(Trainer *t, int64_t step) {
    HcContext *c = t->context;
    double started = hc_now(), loss, lr = hc_recipe_lr(&c->recipe, step);
    HcStatus status = log_batch(t, step);
    if (status == HC_OK)
        status = trainer_share(t, true);
    if (status != HC_OK)
        return status;
    status = trainer_context_failed(t, hc_data_batch(&t->data, c, c->recipe.seed, step));
    if (status != HC_OK)
        return status;
    hc_parameters_ours(c);
    const uint64_t sent = hc_ranks_sent(t->options->ranks);
    status = trainer_context_failed(t, hc_forward_backward(c));
    if (status == HC_OK)
        status = trainer_context_failed(t, hc_loss(c, &loss));
    if (status != HC_OK)
        return status;
    if (!isfinite(loss))
        return diverged(t, step, loss);
    status = hc_step(c, lr);
    if (status == HC_ERROR_DIVERGED)
        return diverged(t, step, loss);
    if (status != HC_OK)
        return trainer_context_failed(t, status);
    double seconds = hc_now() - started;
    t->sent += hc_ranks_sent(t->options->ranks) - sent;
    t->result->seconds += seconds;
    t->result->steps = step + 1;
    t->result->last_loss = loss;
    t->losses[step % TRAIN_LOSSES] = loss;
    return finish_step(t, step, loss, lr, seconds);
}

/* What ranks tell each other behind a step; else a bit of the number that `stop` gave. */
enum { TIME_IS_UP = 1, STOPS = 31 };
#define SAVE_IS_DUE (1u << STOPS)

static uint32_t wants_to_end(const Trainer *t) {
    const HcTrainOptions *o = t->options;
    const bool goes_on = t->result->steps < t->context->recipe.steps;
    const int stopped = goes_on && o->stop ? o->stop(o->user) : 0;
    const bool late = o->minutes > 0 && t->result->seconds >= 60 * o->minutes;
    return (stopped ? 1u << stopped : 0) | (late ? TIME_IS_UP : 0) |
           (trainer_save_due(t) ? SAVE_IS_DUE : 0);
}

/* What comes behind a step, on all ranks alike. */
static HcStatus end_step(Trainer *t) {
    uint32_t now = wants_to_end(t);
    HcStatus status = trainer_any(t, &now);
    if (status == HC_OK && now & SAVE_IS_DUE)
        status = trainer_save_last(t);
    t->time_is_up = now & TIME_IS_UP;
    for (int k = 1; k < STOPS && !t->result->stopped; k++)
        t->result->stopped = now >> k & 1 ? k : 0;
    return status == HC_OK && t->result->stopped ? interrupted(t, "after ") : status;
}

static HcStatus train_loop(Trainer *t) {
    int64_t steps = t->context->recipe.steps;
    hc_progress_begin(&t->progress, t->options->progress, t->first, steps,
                      t->data.samples ? "samples/s" : "tok/s");
    if (t->options->resume && t->first < steps)
        hc_progress_note(&t->progress, "%s goes on after step %lld of %lld", t->run.path,
                         (long long)t->first, (long long)steps);
    else if (t->options->resume)
        hc_progress_note(&t->progress, "%s has done its %lld steps: --steps N lets it go on",
                         t->run.path, (long long)steps);
    /* a new run is saved before its first step: what cannot be written shows now */
    HcStatus status = t->line ? close_line(t) : trainer_save_last(t);
    while (status == HC_OK && !trainer_ended(t)) {
        status = train_step(t, t->result->steps);
        if (status == HC_OK)
            status = end_step(t);
    }
    hc_progress_end(&t->progress);
    return status;
}

/* --- from beginning to end ---------------------------------------------------------------------*/

static void summarise(Trainer *t) {
    HcTrainResult *r = t->result;
    int64_t n = r->steps < TRAIN_LOSSES ? r->steps : TRAIN_LOSSES;
    double sum = 0;
    for (int64_t k = 0; k < n; k++)
        sum += t->losses[k];
    r->train_loss = n ? sum / (double)n : NAN;
    double positions = (double)hc_samples(t->context) * (double)hc_positions(t->context);
    r->positions_per_s = r->seconds > 0 ? (double)r->steps * positions / r->seconds : 0;
    r->memory_bytes = hc_memory_bytes(t->context);
}

/* took: taken; NULL: there are no ranks. */
static HcStatus write_summary(Trainer *t, json_t *took, HcError *error) {
    if (!t->run.path) {
        json_decref(took);
        return HC_OK;
    }
    json_t *summary = hc_train_json(t->result);
    copy_member(&summary, t->context->plan.json, "model");
    hc_json_set(&summary, "seed", json_integer((json_int_t)t->context->recipe.seed));
    hc_json_set(&summary, "threads", json_integer(hc_threads(t->context)));
    if (took)
        hc_json_update(&summary, took);
    if (t->last_wiring)
        hc_json_set(&summary, "wiring", json_incref(t->last_wiring));
    HcStatus status = hc_run_json(&t->run, "summary.json", summary, error);
    json_decref(summary);
    return status;
}

/* What the log does not hold, because summary.json does. Where patience ended the run that is of an
 * earlier step, whose line has it. */
static HcStatus add_last_event(Trainer *t) {
    if (t->result->ended_by == HC_ENDED_BY_PATIENCE)
        return HC_OK;
    json_t *line = hc_evaluation_json(&t->result->evaluation);
    if (line)
        json_object_del(line, "val_windows");
    if (t->last_wiring)
        hc_json_set(&line, "wiring", json_incref(t->last_wiring));
    hc_json_set(&line, "step", json_integer(t->result->steps));
    HcStatus status =
        line ? hc_events_add(&t->events, line, t->error) : hc_fail_memory(t->error, "an event");
    json_decref(line);
    return status;
}

/* Of what was trained: in summary.json, as its evaluation is. */
static HcStatus look_last(Trainer *t) {
    json_t *line = json_object();
    HcStatus status = trainer_add_wiring(t, &line);
    t->last_wiring = json_incref(json_object_get(line, "wiring"));
    json_decref(line);
    return status;
}

static HcStatus evaluate_last(Trainer *t) {
    const HcEvaluation *e = &t->result->evaluation;
    HcStatus status = evaluate(t);
    if (status == HC_INTERRUPTED)
        return hc_fail(t->error, status, "interrupted while evaluating after the last step%s",
                       t->run.path ? ", saved as ckpt/final.safetensors" : "");
    if (status != HC_OK)
        return status;
    FILE *to = hc_progress_begin_note(&t->progress);
    if (to) {
        fprintf(to, "held-out loss %.4f", e->loss);
        hc_metrics_print(e, to);
        fprintf(to, " over %lld %s", (long long)e->windows, e->samples ? "samples" : "windows");
    }
    hc_progress_end_note(&t->progress);
    status = look_last(t);
    return status == HC_OK ? add_last_event(t) : status;
}

/* A run whose evaluation failed is a run nevertheless. */
static HcStatus finish(Trainer *t) {
    summarise(t);
    HcStatus status = trainer_save_last(t);
    if (status == HC_OK)
        status = trainer_take_best(t);
    if (status == HC_OK)
        status = trainer_save_final(t);
    if (status != HC_OK)
        return status;
    if (t->evaluates)
        status = evaluate_last(t);
    json_t *took = NULL;
    if (status == HC_OK)
        status = trainer_find_took(t, &took);
    if (!trainer_writes(t)) {
        json_decref(took);
        return status;
    }
    HcStatus written = write_summary(t, took, status == HC_OK ? t->error : NULL);
    return status != HC_OK ? status : written;
}

static HcStatus load_from(Trainer *t) {
    char *path;
    HcStatus status = hc_find_checkpoint(t->options->from, &path, t->error);
    if (status == HC_OK)
        status =
            trainer_context_failed(t, hc_load_matching(t->context, path, t->options->progress));
    free(path);
    return status;
}

/* Everything that may refuse comes before the first file is written. */
static HcStatus prepare(Trainer *t, const HcModel *model) {
    const HcTrainOptions *o = t->options;
    HcOptions create = {.threads = o->threads, .samples = 1};
    HcStatus status = hc_create(model, &create, &t->context, t->error);
    if (status != HC_OK)
        return status;
    HcContext *c = t->context;
    hc_keep_a_share(c, o->ranks);
    if (o->resume)
        status = trainer_find_run(t);
    for (int32_t k = 0; k < o->n_settings && status == HC_OK; k++)
        status = hc_recipe_set(&c->recipe, o->settings[k].key, o->settings[k].value, t->error);
    int64_t positions = c->plan.max_positions ? c->plan.max_positions : 1;
    const HcDataRequest request = {.given = o->data,
                                   .n_given = o->n_data,
                                   .run = json_object_get(t->config, "data"),
                                   .trains = true,
                                   .may_differ = o->changed_data,
                                   .folder = o->data_folder,
                                   .as_bytes = o->data_is_bytes,
                                   .notes = o->progress};
    if (status == HC_OK)
        status = hc_data_open(&t->data, &c->plan, &request, positions, t->error);
    if (status == HC_OK)
        status = hc_run_tokenizer_read(&t->tokenizer, o->tokenizer, &c->plan, &t->data, t->error);
    t->evaluates = status == HC_OK && t->data.train_count < t->data.count;
    if (status == HC_OK)
        status = trainer_count_steps(t);
    if (status == HC_OK && c->recipe.eval_every > 0 && !t->evaluates)
        status = hc_fail(t->error, HC_ERROR_ARGUMENT,
                         "eval_every is %lld, but no data are held out to evaluate on: give "
                         "`held_out` in the data block, or train.eval_every=0",
                         (long long)c->recipe.eval_every);
    if (status == HC_OK)
        status = trainer_context_failed(t, hc_resize(c, c->recipe.batch, positions));
    if (status != HC_OK)
        return status;
    c->data_hash = t->data.hash;
    hc_init(c, c->recipe.seed);
    if (o->from)
        status = load_from(t);
    t->result->parameters = hc_plan_parameter_elements(&c->plan);
    t->result->flops_per_position = hc_plan_operations(&c->plan, hc_samples(c), hc_positions(c)) /
                                    ((double)hc_samples(c) * (double)hc_positions(c));
    if (status == HC_OK)
        status = trainer_context_failed(t, hc_ensure_optim(c));
    if (status == HC_OK && c->recipe.optimizer == HC_MUON && !hc_muon_finds(&c->plan) &&
        o->progress)
        fprintf(o->progress, "warning: the model has no matrix for muon: all of it is trained by "
                             "adamw, at train.adamw_lr\n");
    if (status == HC_OK && hc_uses_openblas(c))
        hc_blas_note(&c->exec.blas, o->progress);
    return status;
}

/* Its numbers carry no mark of who wrote them: any file that is not empty may be missed. */
static HcStatus check_batch_log(const Trainer *t, const char *path) {
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return HC_OK;
    const char *from = t->options->from;
    if (hc_data_holds(&t->data, path) || (from && hc_same_file(from, path)))
        return hc_fail(t->error, HC_ERROR_ARGUMENT,
                       "the batch log `%s` is what this run reads: choose another file", path);
    if (info.st_size > 0 && !t->options->force)
        return hc_fail(t->error, HC_ERROR_ARGUMENT,
                       "the batch log `%s` is there: choose another file, or replace it with "
                       "--force",
                       path);
    return HC_OK;
}

/* A run that has such files goes on with one. */
static HcStatus open_events(Trainer *t) {
    bool wanted = t->options->tensorboard;
    HcStatus status = HC_OK;
    if (t->options->resume && !wanted)
        status = hc_events_find(t->run.path, &wanted, t->error);
    if (status != HC_OK || !wanted)
        return status;
    const int64_t done = t->result->steps - (t->line != NULL);
    return hc_events_open(&t->events, t->run.path, done + 1, t->error);
}

/* Before anything is written. */
static HcStatus check_all(Trainer *t, const HcModel *model) {
    const HcTrainOptions *o = t->options;
    HcStatus status = prepare(t, model);
    if (status == HC_OK && o->batch_log)
        status = check_batch_log(t, o->batch_log);
    if (status == HC_OK && o->resume && hc_ranks_size(o->ranks) > 1)
        status = trainer_read_run(t); /* before the first changes it */
    return status;
}

static HcStatus open_outputs(Trainer *t) {
    const HcTrainOptions *o = t->options;
    HcStatus status = HC_OK;
    if (!trainer_writes(t))
        return HC_OK;
    if (o->resume)
        status = trainer_take_run(t);
    else if (o->out)
        status = hc_run_open(&t->run, o->out, o->force, t->error);
    else if (o->runs)
        status = hc_run_open_new(&t->run, o->runs, t->context->plan.model, t->error);
    if (status == HC_OK && t->run.path && !o->resume)
        status = write_config(t);
    if (status == HC_OK && t->run.path && t->tokenizer.path)
        status = hc_tokenizer_copy(t->run.path, &t->tokenizer.files, t->error);
    if (status != HC_OK)
        return status;
    if (t->run.path)
        status = open_events(t);
    if (status != HC_OK)
        return status;
    if (t->run.path)
        snprintf(t->result->run, sizeof t->result->run, "%s", t->run.path);
    if (o->batch_log) {
        t->batch_log = fopen(o->batch_log, "wbe");
        if (!t->batch_log)
            return hc_fail_errno(t->error, HC_ERROR_IO, "write", o->batch_log);
    }
    return HC_OK;
}

HcStatus hc_train(const HcModel *model, const HcTrainOptions *options, HcTrainResult *result,
                  HcError *error) {
    Trainer t = {.options = options, .result = result, .error = error, .saved = -1};
    *result = (HcTrainResult){
        .evaluation = {.loss = NAN}, .best_loss = NAN, .train_loss = NAN, .last_loss = NAN};
    HcStatus status = hc_ranks_agree(options->ranks, check_all(&t, model), error);
    if (status == HC_OK)
        status = trainer_compare_ranks(&t);
    trainer_wiring_begin(&t);
    if (status == HC_OK)
        status = hc_ranks_agree(options->ranks, open_outputs(&t), error);
    if (status == HC_OK)
        status = trainer_agree_to_save(&t);
    if (status == HC_OK)
        status = train_loop(&t);
    if (status == HC_OK)
        status = finish(&t);
    if (t.batch_log && fclose(t.batch_log) != 0 && status == HC_OK)
        status = hc_fail_errno(error, HC_ERROR_IO, "write", options->batch_log);
    HcStatus events = hc_events_close(&t.events, status == HC_OK ? error : NULL);
    status = status == HC_OK ? events : status;
    HcStatus closed = hc_run_close(&t.run, status == HC_OK ? error : NULL);
    hc_wiring_close(&t.wiring);
    json_decref(t.last_wiring);
    json_decref(t.config);
    json_decref(t.ranks);
    json_decref(t.line);
    hc_run_tokenizer_free(&t.tokenizer);
    hc_data_free(&t.data);
    hc_destroy(t.context);
    status = status == HC_OK ? closed : status;
    if (status != HC_OK)
        hc_evaluation_free(&result->evaluation);
    return status;
}

json_t *hc_train_json(const HcTrainResult *r) {
    json_t *json = hc_evaluation_json(&r->evaluation);
    if (isfinite(r->best_loss)) {
        hc_json_set(&json, "best_val_loss", json_real(r->best_loss));
        hc_json_set(&json, "best_step", json_integer(r->best_step));
    }
    if (r->steps > 0) {
        hc_json_set(&json, "train_loss", hc_json_number(r->train_loss));
        hc_json_set(&json, "last_loss", hc_json_number(r->last_loss));
    }
    hc_json_set(&json, "steps", json_integer(r->steps));
    hc_json_set(&json, "ended_by", json_string(hc_ending_names[r->ended_by]));
    hc_json_set(&json, "parameters", json_integer(r->parameters));
    hc_json_set(&json, "flops_per_position", hc_json_number(r->flops_per_position));
    hc_json_set(&json, "seconds", hc_json_number(r->seconds));
    hc_json_set(&json, "positions_per_s", hc_json_number(r->positions_per_s));
    hc_json_set(&json, "memory_bytes", json_integer((json_int_t)r->memory_bytes));
    return json;
}
