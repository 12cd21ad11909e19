/* What an HcContext is made of. */
#ifndef HC_CONTEXT_H
#define HC_CONTEXT_H

#include "runtime/run/applier.h"
#include "runtime/run/ema.h"
#include "runtime/run/exec.h"
#include "runtime/run/optim.h"
#include "runtime/run/split_batch.h"

#include <stdio.h>

struct HcContext {
    const HcModel *model;
    HcPlan plan;
    HcRecipe recipe; /* the plan's, as changed since */
    HcPool *pool;
    HcExec exec; /* of a part of the batch, where that is split */
    HcSplitBatch split;
    HcApplier applier;
    void *own_params, *own_grads;
    void *params, *grads; /* the own, or the caller's */
    void **own_inputs;
    size_t *input_bytes; /* capacity of the own */
    void **grown_inputs; /* of a resize, until nothing can fail any more */
    void **inputs;
    HcOwnOutputs outputs;
    HcRanks *ranks; /* who keep a share each of what the optimiser keeps; NULL: it is all here */
    HcOptim optim;
    HcEma ema;
    bool has_optim;   /* made by the first step */
    bool moved;       /* addresses must be resolved again */
    bool ran;         /* a forward pass at these extents, */
    bool went_back;   /* and its backward pass */
    int64_t extended; /* positions that hc_extend has computed */
    bool unchanged;   /* parameters, since the last pass: see hc_parameters_unchanged */
    bool training;    /* what forward passes are told */
    int64_t steps_done;
    int64_t loaded_step;  /* of the parameters just loaded, while they are that; -1: unknown */
    int64_t loaded_steps; /* that they were to have; -1: unknown */
    double gradient_norm;
    uint64_t seed, data_hash; /* of the last hc_init and of the training data, for checkpoints */
    HcError error;
};

/* Of so many records of so many bytes that begin with their names none has this one. */
HcStatus hc_unknown_name(HcContext *context, const char *what, const char *name, const void *first,
                         uint32_t count, size_t size);

/* Before a pass of training: nobody but the runtime has written to parameters since the last step.
 * Where the plan has weights stay packed, they do. */
void hc_parameters_ours(HcContext *context);

/* A null argument of the C interface is refused: `what` it should have been. */
HcStatus hc_null(HcContext *context, const char *what);

/* A value of the context's passes, dims being those of an instance. */
HcStatus hc_view_at(HcContext *context, HcBuffer buffer, int32_t rank, const int64_t *dims,
                    HcView *view);
static inline HcPlaces hc_context_places(const HcContext *context) {
    return (HcPlaces){.params = context->params,
                      .grads = context->grads,
                      .inputs = context->inputs,
                      .outputs = context->outputs.at};
}
/* Where a buffer of the context's own passes lies. */
static inline void *hc_context_address(const HcContext *context, HcBuffer buffer) {
    const HcPlaces places = hc_context_places(context);
    return hc_exec_address(&context->exec, buffer, &places);
}
/* Whether all integers of an input are such as compiled code looks up without looking again. */
HcStatus hc_check_integers(HcContext *context, const HcInputPlan *input, const int32_t *values,
                           int64_t count);
bool hc_has_output(const HcContext *context, const char *name);
uint32_t hc_find_input(const HcContext *context, const char *name); /* UINT32_MAX: none */
int64_t hc_input_elements(const HcContext *context, uint32_t input);
/* Own memory of an input at the present extents; what it holds is the caller's to write. */
void *hc_input_memory(HcContext *context, uint32_t input);
/* The plan's index-th output, after a forward pass. */
HcStatus hc_output_at(HcContext *context, uint32_t index, HcView *view);
HcStatus hc_ensure_optim(HcContext *context);
void hc_drop_optim(HcContext *context);
/* Until all weights of other ranks are here (way_back.h): before anything reads one but the calls
 * of passes, which wait for what they read. And before ranks wait for each other longer than behind
 * every step, so that none then waits for this one to receive. */
static inline HcStatus hc_await_weights(HcContext *context) {
    return hc_way_back_await(&context->optim.way_back, &context->error);
}
/* And until this rank's are with the others: before anything writes one, on all ranks. */
static inline HcStatus hc_settle_weights(HcContext *context) {
    return hc_way_back_end(&context->optim.way_back, &context->error);
}
/* Before that, and before extents are bound: of several ranks each keeps, and updates, its own
 * elements, and runs backward passes with the others alone. From then on steps,
 * hc_use_ema with 1, and what is said so here, are of all ranks together. */
void hc_keep_a_share(HcContext *context, HcRanks *ranks);
/* Of all ranks together, after a backward pass: each has had the gradients of its own elements. */
HcStatus hc_gather_gradients(HcContext *context);
/* From now on the context's parameters and gradients are those of `of`, which lives longer, where
 * they lie; its own are no more. False, and nothing changes, where the models have others. */
bool hc_share_parameters(HcContext *context, const HcContext *of);
/* Whether inputs in the caller's memory are in range. */
HcStatus hc_check_bound(HcContext *context);
/* What comes before the calls of a pass. */
void hc_begin_pass(HcContext *context);
/* All of what only chunks are kept of, from now on; runs the forward pass again. */
HcStatus hc_make_whole(HcContext *context);

/* --- state.c -----------------------------------------------------------------------------------*/

/* Parameters of another model's file, as far as names and shapes are the same; what they are, and
 * what is not, is said among the notes (NULL: it is not). */
HcStatus hc_load_matching(HcContext *context, const char *path, FILE *notes);

/* hc_load, of what evaluations measured: where that is a checkpoint's parameters, and its state has
 * an average of them, the average. */
HcStatus hc_load_evaluated(HcContext *context, const char *path);

/* hc_save_checkpoint, with a text that comes back when it is loaded; NULL: none. Of several ranks
 * the first writes, and the others give it what they keep. */
HcStatus hc_save_checkpoint_note(HcContext *context, const char *folder, const char *note);

/* Of all that the compiler says of it: another text, or another way to compile it, has another. */
uint64_t hc_model_hash(const HcContext *context);
/* Of all parameters as they are. */
uint64_t hc_slab_hash(const HcContext *context);

typedef struct {
    char *note;       /* the caller's to free; NULL: none */
    bool other_build; /* its model was compiled from another text, or another way */
} HcCheckpointSays;

/* hc_load_checkpoint, and what the checkpoint says; after a failure nothing is in *says. */
HcStatus hc_load_checkpoint_says(HcContext *context, const char *folder, HcCheckpointSays *says);

/* --- finite.c ----------------------------------------------------------------------------------*/

bool hc_all_finite(const void *data, int64_t count, uint32_t element_size);
/* The first parameter of the slab that holds a number that is not finite, or NULL. */
const char *hc_first_not_finite(const HcContext *context, const void *slab);
/* After a forward pass of which something is not finite: what was so first, as a phrase. Runs the
 * pass again, call by call. */
void hc_name_not_finite(HcContext *context, char *text, size_t size);

/* What the optimiser keeps here, and the average of parameters. */
uint64_t hc_state_bytes(const HcContext *context);
/* Whether any of its products is OpenBLAS's: of the plan, or of the optimiser. */
bool hc_uses_openblas(const HcContext *context);

#endif
