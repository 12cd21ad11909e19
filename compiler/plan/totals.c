/* What a plan comes to, in all of a step, spread over its positions: by kind of work and element.
 */
#include "plan/cost.h"

/* Of the two factors, what is narrower. */
static Element taken(const Call *call) {
    const Element a = call->buffers.at[0].element, b = call->buffers.at[1].element;
    return plan_element_bytes(a) <= plan_element_bytes(b) ? a : b;
}

static void add_call(PlanTotals *totals, const Plan *plan, const Call *call) {
    const uint32_t samples = (uint32_t)plan->options.step.samples,
                   positions = (uint32_t)plan->options.step.positions;
    const CallCost cost = plan_call_cost(plan, call);
    const double operations = cost_spread(cost.operations, samples, positions);
    if (call->kind == CALL_GEMM)
        totals->products[taken(call)] += operations;
    else if (call->kind == CALL_ATTEND)
        totals->attention += operations;
    else
        totals->kernels += operations;
    totals->moved += cost.bytes.per_position;
}

PlanTotals plan_totals(const Plan *plan) {
    PlanTotals totals = {.workspace = plan_workspace(plan)};
    const TirBlock *block = plan->program->block;
    for (uint32_t c = 0; c < plan->calls.count; c++)
        add_call(&totals, plan, &plan->calls.at[c]);
    for (uint32_t k = 0; k < plan->program->params.count; k++)
        totals.parameters += plan_type_bytes(&plan->options, &plan->program->params.at[k].type);
    for (uint32_t slot = block->nodes.count; slot < plan->slots.count; slot++) {
        const PlanSlot *of = &plan->slots.at[slot];
        const TirNode *node = tir_node(block, of->value);
        if (node->op == TIR_PARAM)
            totals.copies += tir_element_count(&node->type) * plan_element_bytes(of->element);
    }
    return totals;
}
