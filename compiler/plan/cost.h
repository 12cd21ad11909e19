/* What a program and the calls of its plan cost, counted before anything is compiled. */
#ifndef HCC_PLAN_COST_H
#define HCC_PLAN_COST_H

#include "plan/plan.h"

typedef struct {
    double per_position; /* at one position of one sample */
    double per_sample;
    double per_step; /* whatever the batch */
} Cost;

/* `amount` at each element of a domain; one that the samples share counts once, for `positions`. */
void cost_add(Cost *cost, TirDomain domain, double amount, uint32_t positions);
/* The arithmetic operations that computing a value once takes. */
void cost_add_value(Cost *cost, const TirBlock *block, TirId id, uint32_t positions);

/* Arithmetic operations. `forward`: values up to n_forward (all when there is no gradient); else
 * the others. Additions, multiplications and functions such as exp count 1 each; attention over
 * `positions` positions. */
Cost cost_count(const TirProgram *p, bool forward, uint32_t positions);
/* All of it, spread over the positions of a step. */
double cost_spread(Cost cost, uint32_t samples, uint32_t positions);

typedef struct {
    Cost operations; /* arithmetic; functions such as exp count 1 */
    Cost bytes;      /* of memory read and written, each value once a call */
} CallCost;

/* Of one run of a call. Attention is counted for the model's largest number of positions. */
CallCost plan_call_cost(const Plan *plan, const Call *call);

/* All calls of a step as it is planned, what is computed again included. Operations and `moved` are
 * at a position. */
typedef struct {
    double products[HC_PRECISION_COUNT]; /* operations, by what they take */
    double attention, kernels;           /* all others */
    double moved;                        /* bytes read and written */
    uint64_t parameters, workspace;      /* bytes */
} PlanTotals;

PlanTotals plan_totals(const Plan *plan);

#endif
