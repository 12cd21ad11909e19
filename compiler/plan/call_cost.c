/* What one call of a plan reads, writes and computes. */
#include "plan/cost.h"

static uint32_t call_positions(const Plan *plan, const Call *call) {
    if (!call->domain.space)
        return 1;
    return plan->program->spaces.at[call->domain.space - 1].maximum;
}

static void add_bytes(CallCost *cost, const Plan *plan, const TirType *type, uint32_t positions) {
    if (type->elem != TIR_TUPLE)
        cost_add(&cost->bytes, type->domain, (double)plan_type_bytes(&plan->options, type),
                 positions);
}

static void add_values(CallCost *cost, const Plan *plan, const TirIdVec *values,
                       uint32_t positions) {
    for (uint32_t k = 0; k < values->count; k++)
        add_bytes(cost, plan, &tir_node(plan->program->block, values->at[k])->type, positions);
}

static CallCost group_cost(const Plan *plan, const Group *group, uint32_t positions) {
    CallCost cost = {0};
    for (uint32_t k = 0; k < group->values.count; k++)
        cost_add_value(&cost.operations, plan->program->block, group->values.at[k], positions);
    add_values(&cost, plan, &group->inputs, positions);
    add_values(&cost, plan, &group->outputs, positions);
    return cost;
}

/* A product of a few that are added to the same memory is not all that its value is. */
static CallCost gemm_cost(const Plan *plan, const Call *call, uint32_t positions) {
    const GemmWork *g = &call->gemm;
    const TirBlock *block = plan->program->block;
    CallCost cost = {0};
    bool instances = g->m_per_instance || g->k_per_instance;
    cost_add(&cost.operations, instances ? g->domain : TIR_GLOBAL,
             2 * (double)g->m * (double)g->n * (double)g->k, positions);
    add_bytes(&cost, plan, &tir_node(block, g->a)->type, positions);
    add_bytes(&cost, plan, &tir_node(block, g->b)->type, positions);
    add_bytes(&cost, plan, &tir_node(block, call->value)->type, positions);
    return cost;
}

CallCost plan_call_cost(const Plan *plan, const Call *call) {
    const uint32_t positions = call_positions(plan, call);
    CallCost cost = {0};
    switch (call->kind) {
    case CALL_KERNEL:
        return group_cost(plan, call->group, positions);
    case CALL_GEMM:
        return gemm_cost(plan, call, positions);
    case CALL_ATTEND:
    case CALL_SUM_INSTANCES:
    case CALL_SCATTER_ADD: {
        const TirBlock *block = plan->program->block;
        const TirNode *node = tir_node(block, call->value);
        cost_add_value(&cost.operations, block, call->value, positions);
        for (uint32_t k = 0; k < node->n_operands; k++)
            add_bytes(&cost, plan, &tir_node(block, node->operands[k])->type, positions);
        for (uint32_t k = 0; k < node->n_results; k++)
            add_bytes(&cost, plan, &node->result_types[k], positions);
        add_bytes(&cost, plan, &node->type, positions);
        break;
    }
    case CALL_REDUCE: /* partial sums: a few rows */
    case CALL_ZERO:
        break;
    }
    return cost;
}
