/* A run while it trains: what its steps (train.c), its checkpoints (keep.c) and its going on after
 * an end (resume.c) have in common. */
#ifndef HC_TRAINER_H
#define HC_TRAINER_H

#include "runtime/data/data.h"
#include "runtime/maps/wiring.h"
#include "runtime/train/events.h"
#include "runtime/train/log.h"
#include "runtime/train/progress.h"
#include "runtime/train/train.h"
#include "runtime/trained/run_tokenizer.h"

enum { TRAIN_LOSSES = 100 };

typedef struct {
    const HcTrainOptions *options;
    HcTrainResult *result;
    HcError *error;
    HcContext *context;
    HcData data;
    HcRunTokenizer tokenizer; /* of a new run */
    HcRun run;
    HcEvents events; /* beside its log, where they are asked for */
    HcProgress progress;
    FILE *batch_log;
    double losses[TRAIN_LOSSES]; /* of the last steps, as a ring */
    double next_save;            /* as hc_now has it */
    int64_t saved;               /* ckpt/last is of this step; -1: of none */
    int64_t first;               /* where this process began: steps that were done before */
    json_t *line;                /* of the last step, while its evaluation is not in it; or NULL */
    json_t *config;              /* of the run that goes on; NULL: this one is new */
    uint64_t sent;               /* bytes to other ranks, in this process's steps */
    json_t *ranks;               /* for config.json: who computes it; NULL: this process alone */
    bool saves;                  /* there is a run's folder, the first rank's */
    bool evaluates;
    bool time_is_up;      /* on any rank */
    bool has_best;        /* the context's parameters are those of the best evaluation */
    HcWiring wiring;      /* of its program of maps, once that was wanted, */
    bool wiring_wanted;   /* whether it could be had or not */
    json_t *last_wiring;  /* for summary.json; or NULL */
    int64_t wiring_every; /* as the options have it */
} Trainer;

/* What evaluations measure, on all ranks, from now on, until the next step: the parameters' average
 * where the recipe asks for one. */
HcStatus trainer_measure(Trainer *trainer);
/* Takes over a failure of the context. */
HcStatus trainer_context_failed(Trainer *trainer, HcStatus status);

/* --- together.c --------------------------------------------------------------------------------*/

/* Whether this process writes the run and speaks: of several ranks the first. */
static inline bool trainer_writes(const Trainer *trainer) {
    return hc_ranks_rank(trainer->options->ranks) == 0;
}
/* Refuses what is not the same on all ranks. */
HcStatus trainer_compare_ranks(Trainer *trainer);
/* Whether passes are of this rank's parts, added up with those of the others. */
HcStatus trainer_share(Trainer *trainer, bool shared);
/* Whether there is a folder to save to, once that is known. */
HcStatus trainer_agree_to_save(Trainer *trainer);
/* *took: how many bytes each rank sent in a step, and has allocated, by rank, as summary.json says
 * it; NULL: there are none, or no step was. */
HcStatus trainer_find_took(Trainer *trainer, json_t **took);
/* What any rank has set. */
HcStatus trainer_any(Trainer *trainer, uint32_t *bits);

/* --- keep.c ------------------------------------------------------------------------------------*/

/* ckpt/last: the newest step that is whole on disk, at any moment. The log is there before it. As
 * all that saves or loads: of all ranks together, of which the first has the files. */
HcStatus trainer_save_last(Trainer *trainer);
/* Whether the recipe asks for that after this step; where it is by time the writing rank knows. */
bool trainer_save_due(const Trainer *trainer);
/* ckpt/best, where the evaluation just made is better than all before. */
HcStatus trainer_save_best(Trainer *trainer);
/* Of checkpoints under their steps' names the recipe's `keep` stay, and none of a later step. */
HcStatus trainer_prune(Trainer *trainer);
/* What was trained, for use elsewhere: parameters alone. */
HcStatus trainer_save_final(Trainer *trainer);
/* Goes on from a checkpoint of this run: context, result, losses and the line that is not finished.
 */
HcStatus trainer_load(Trainer *trainer, const char *checkpoint);

/* --- ending.c ----------------------------------------------------------------------------------*/

/* Once the data are known: the recipe's steps, where it says epochs. */
HcStatus trainer_count_steps(Trainer *trainer);
/* Whether the run ends here, and by what, which is said. */
bool trainer_ended(Trainer *trainer);
/* The parameters of the best evaluation, where it is for them that the run ended. */
HcStatus trainer_take_best(Trainer *trainer);

/* --- wiring_log.c ------------------------------------------------------------------------------*/

/* How often it is looked at; said in config.json. */
void trainer_wiring_begin(Trainer *trainer);
/* Whether it is looked at after this step (from 0); `evaluates`: an evaluation follows it. */
bool trainer_wiring_due(const Trainer *trainer, int64_t step, bool evaluates);
/* Adds `wiring` to the line of the rank that writes. What cannot be had is noted, and no failure.
 */
HcStatus trainer_add_wiring(Trainer *trainer, json_t **line);

/* --- resume.c ----------------------------------------------------------------------------------*/

/* Before the data are opened: reads config.json, and sets the recipe as it was. */
HcStatus trainer_find_run(Trainer *trainer);
/* Goes on at the run's newest checkpoint and leaves its folder to another rank. */
HcStatus trainer_read_run(Trainer *trainer);
/* Last of all that may refuse: takes the run folder over, at its newest checkpoint. */
HcStatus trainer_take_run(Trainer *trainer);

#endif
