/* What a plan comes to, in all of a step, spread over its positions: by kind of work and precision.
 */
#include "plan/cost.h"

static void add_call(PlanTotals *totals, const Plan *plan, const Call *call) {
    const uint32_t samples = (uint32_t)plan->options.step.samples,
                   positions = (uint32_t)plan->options.step.positions;
    const CallCost cost = plan_call_cost(plan, call);
    const double operations = cost_spread(cost.operations, samples, positions);
    if (call->kind == CALL_GEMM)
        totals->products[plan_product_takes(plan, call)] += operations;
    else if (call->kind == CALL_ATTEND)
        totals->attention += operations;
    else
        totals->kernels += operations;
    totals->moved += cost.bytes.per_position;
}

PlanTotals plan_totals(const Plan *plan) {
    PlanTotals totals = {.workspace = plan_workspace(plan)};
    for (uint32_t c = 0; c < plan->calls.count; c++)
        add_call(&totals, plan, &plan->calls.at[c]);
    for (uint32_t k = 0; k < plan->program->params.count; k++)
        totals.parameters += plan_type_bytes(&plan->options, &plan->program->params.at[k].type);
    return totals;
}
