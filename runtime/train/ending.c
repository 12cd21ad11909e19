/* Where a run ends: after its steps or epochs, when its time is up, or when its held-out loss has
 * stopped falling. */
#include "runtime/run/context.h"
#include "runtime/train/trainer.h"
#include "runtime/trained/find_run.h"

#include <math.h>
#include <stdlib.h>

const char *const hc_ending_names[] = {
    [HC_ENDED_BY_STEPS] = "steps",
    [HC_ENDED_BY_TIME] = "minutes",
    [HC_ENDED_BY_PATIENCE] = "patience",
};

HcStatus trainer_count_steps(Trainer *t) {
    HcContext *c = t->context;
    HcRecipe *r = &c->recipe;
    const int64_t positions = c->plan.max_positions ? c->plan.max_positions : 1;
    const int64_t once = t->data.samples ? t->data.train_count : t->data.train_count / positions;
    if (r->patience > 0 && (r->eval_every == 0 || !t->evaluates))
        return hc_fail(t->error, HC_ERROR_ARGUMENT,
                       "patience is %lld, but nothing is evaluated while training: give "
                       "train.eval_every, and `held_out` in the data block, or train.patience=0",
                       (long long)r->patience);
    if (r->epochs > 0)
        r->steps = (int64_t)ceil(r->epochs * (double)(once > 1 ? once : 1) / (double)r->batch);
    return HC_OK;
}

/* How many evaluations ago the best was. */
static int64_t waited(const Trainer *t) {
    const int64_t every = t->context->recipe.eval_every;
    return t->result->steps / every - t->result->best_step / every;
}

bool trainer_ended(Trainer *t) {
    const HcRecipe *r = &t->context->recipe;
    HcTrainResult *of = t->result;
    if (of->steps >= r->steps)
        of->ended_by = HC_ENDED_BY_STEPS;
    else if (r->patience > 0 && waited(t) >= r->patience)
        of->ended_by = HC_ENDED_BY_PATIENCE;
    else if (t->time_is_up)
        of->ended_by = HC_ENDED_BY_TIME;
    else
        return false;
    if (of->ended_by == HC_ENDED_BY_PATIENCE)
        hc_progress_note(&t->progress,
                         "step %lld: no smaller held-out loss for %lld evaluations; the best was "
                         "after step %lld",
                         (long long)of->steps, (long long)waited(t), (long long)of->best_step);
    else if (of->ended_by == HC_ENDED_BY_TIME)
        hc_progress_note(&t->progress, "step %lld: the %g minutes are over", (long long)of->steps,
                         t->options->minutes);
    return true;
}

static HcStatus read_best(Trainer *t) {
    char *best = hc_run_file(&t->run, "ckpt/best"), *path = NULL;
    HcStatus status =
        best ? hc_find_checkpoint(best, &path, t->error) : hc_fail_memory(t->error, "a path");
    if (status == HC_OK)
        status = trainer_context_failed(t, hc_load_evaluated(t->context, path));
    free(best);
    free(path);
    return status;
}

/* The first rank has them in its run's folder; where there is none nothing was kept. */
HcStatus trainer_take_best(Trainer *t) {
    HcContext *c = t->context;
    if (t->result->ended_by != HC_ENDED_BY_PATIENCE || t->result->best_step == 0 || !t->saves)
        return HC_OK;
    HcStatus status = trainer_context_failed(t, hc_settle_weights(c));
    if (status == HC_OK && trainer_writes(t))
        status = read_best(t);
    hc_use_ema(c, 0);
    if (status == HC_OK)
        status =
            hc_ranks_broadcast(t->options->ranks, c->params, (size_t)c->plan.slab_bytes, t->error);
    t->has_best = status == HC_OK;
    return status;
}
