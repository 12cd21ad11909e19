/* Optimisers over the parameter slab, one pass each, split into fixed chunks. */
#ifndef HC_OPTIM_H
#define HC_OPTIM_H

#include "runtime/run/muon.h"
#include "runtime/run/threads.h"

typedef struct {
    uint32_t parameter;
    int64_t first, second, count; /* bytes into slab and second moments; elements */
} HcChunk;

typedef struct {
    const HcPlan *plan;
    HcChunk *chunks; /* of parameters that are trained, in order */
    int64_t n_chunks;
    double *sums;         /* per chunk */
    void *first, *second; /* moments: a slab; of those that have a second, one behind the other */
    int64_t *second_at;   /* by parameter: bytes into `second` */
    HcMuon muon;          /* of matrices, where that is the optimiser */
    uint64_t bytes;
} HcOptim;

/* What updates a parameter: the recipe's optimiser, or what it leaves the rest to. */
HcOptimizer hc_optim_of(const HcRecipe *recipe, const HcParameterPlan *parameter);
/* `blas` is for matrices and must stay. */
HcStatus hc_optim_create(HcOptim *optim, const HcPlan *plan, const HcRecipe *recipe,
                         const HcBlas *blas, HcError *error);
void hc_optim_destroy(HcOptim *optim);
/* A parameter's moment; NULL where hc_optimizer_moments has no name for it. */
void *hc_optim_moment(const HcOptim *optim, const HcRecipe *recipe, uint32_t parameter,
                      uint32_t moment);
/* Euclidean norm over all trained gradients, in double, summed in a fixed tree. */
double hc_optim_norm(HcOptim *optim, HcPool *pool, const void *gradients);
/* One update. step: 0 for the first; gradients are multiplied by `scale` (clipping); lr is times
 * the parameter's own and, of a connection's, the recipe's connection_lr.
 *   AdamW: p -= lr*wd*p; m += (1-b1)(g-m); v = b2*v + (1-b2)g^2;
 *          p -= lr/(1-b1^t) * m / (sqrt(v)/sqrt(1-b2^t) + eps), t = step + 1
 *   SGD:   g += wd*p; m = momentum*m + g; p -= lr*m
 *   Lion:  p -= lr*(sign(b1*m + (1-b1)g) + wd*p); m = b2*m + (1-b2)g
 *   Muon:  see muon.h, for matrices; AdamW for the rest, at adamw_lr where the recipe has lr */
void hc_optim_step(HcOptim *optim, HcPool *pool, const HcRecipe *recipe, int64_t step, double lr,
                   double scale, void *params, const void *gradients);

#endif
