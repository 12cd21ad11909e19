/* What the ranks of a run would send each other, and keep, before there are any: by the code that
 * makes their messages, and without the memory that these are of. */
#ifndef HC_FORESEE_H
#define HC_FORESEE_H

#include "runtime/ranks/imagined.h"
#include "runtime/run/plan.h"

/* Messages that are under way while a part is computed. */
typedef struct {
    uint32_t call; /* gradients: begun behind it; weights: waited for before it. UINT32_MAX: all */
    HcExchanged messages;
} HcTravel;

/* Of one rank. */
typedef struct {
    int64_t parts;       /* that it computes */
    HcTravel *gradients; /* in the last of its parts, by bucket, behind them what all get; */
    HcTravel *weights;   /* in the first, by turn */
    uint32_t n_gradients, n_weights;
    HcExchanges waited;     /* all else in a step */
    uint64_t sent;          /* bytes, in a step */
    uint64_t messages;      /* that it sends */
    uint64_t state_bytes;   /* what the optimiser keeps of its elements, and the average */
    uint64_t waiting_bytes; /* sums that wait to be added up, its own and others' */
    uint64_t scratch_bytes; /* what a thread works in */
} HcForeseen;

/* Rank `rank` of `ranks`; `parts` of so many samples and positions each. HC_ERROR_ARGUMENT where
 * there are fewer parts than ranks. */
HcStatus hc_foresee(const HcPlan *plan, int64_t parts, int64_t samples, int32_t ranks, int32_t rank,
                    HcForeseen *foreseen, HcError *error);
void hc_foreseen_free(HcForeseen *foreseen);

#endif
