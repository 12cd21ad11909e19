/* Optimisers over the parameter slab, one pass each, split into fixed chunks, of several ranks each
 * its own (shards.h). */
#ifndef HC_OPTIM_H
#define HC_OPTIM_H

#include "runtime/run/muon.h"
#include "runtime/run/shards.h"
#include "runtime/run/threads.h"
#include "runtime/run/way_back.h"

/* What is done behind the update of each chunk, by the thread that made it: then chunks are not the
 * optimiser's own, but these. */
typedef struct {
    HcChunk *chunks;
    int64_t n_chunks;
    void (*run)(void *of, const HcChunk *chunk);
    void *of;
} HcBehind;

typedef struct {
    const HcPlan *plan;
    HcShards shards;        /* its chunks, and which of them are this rank's */
    double *sums;           /* per chunk of what is trained, */
    double *packed;         /* and for the way between ranks, each rank's side by side */
    int64_t *of_rank;       /* of ranks: where its own begin in `packed`, and the end */
    HcMessage *messages;    /* for that way */
    void *first, *second;   /* moments: see HcChunk */
    HcMuon muon;            /* of matrices, where that is the optimiser */
    HcWayBack way_back;     /* of ranks: what steps send them */
    const HcBehind *behind; /* NULL: nothing */
    uint64_t bytes;
} HcOptim;

/* `blas` is for matrices, and must stay, as must the ranks that share the work; NULL: alone. */
HcStatus hc_optim_create(HcOptim *optim, const HcPlan *plan, const HcRecipe *recipe,
                         const HcBlas *blas, HcRanks *ranks, HcError *error);
void hc_optim_destroy(HcOptim *optim);
/* Where a moment of a chunk of this rank's lies; NULL where hc_optimizer_moments has no name for
 * it. */
void *hc_optim_moment(const HcOptim *optim, const HcRecipe *recipe, const HcChunk *chunk,
                      uint32_t moment);
/* Elements of a parameter that is trained, which may be of several chunks, as one: where there is
 * but one rank. */
HcChunk hc_optim_part(const HcOptim *optim, uint32_t parameter, int64_t first, int64_t count);
/* *norm: the Euclidean norm over all trained gradients, in double, summed in a fixed tree. Of
 * several ranks each has looked at its own elements, and all get the same. */
HcStatus hc_optim_norm(HcOptim *optim, HcPool *pool, const void *gradients, double *norm,
                       HcError *error);
/* One update, of this rank's elements, which are then on their way to the others. step: 0 for the
 * first; gradients are multiplied by `scale` (clipping); lr is times the parameter's own and, of a
 * connection's, the recipe's connection_lr.
 *
 *   AdamW: p -= lr*wd*p; m += (1-b1)(g-m); v = b2*v + (1-b2)g^2;
 *          p -= lr/(1-b1^t) * m / (sqrt(v)/sqrt(1-b2^t) + eps), t = step + 1
 *   SGD:   g += wd*p; m = momentum*m + g; p -= lr*m
 *   Lion:  p -= lr*(sign(b1*m + (1-b1)g) + wd*p); m = b2*m + (1-b2)g
 *   Muon:  see muon.h, for matrices; AdamW for the rest, at adamw_lr where the recipe has lr */
void hc_optim_step(HcOptim *optim, HcPool *pool, const HcRecipe *recipe, int64_t step, double lr,
                   double scale, void *params, const void *gradients);

#endif
