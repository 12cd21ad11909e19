/* What one call of a plan reads, writes and computes. */
#include "plan/cost.h"

static uint32_t call_positions(const Plan *plan, const Call *call) {
    if (!call->domain.space)
        return 1;
    return plan->program->spaces.at[call->domain.space - 1].maximum;
}

/* What a call reads or writes of a value: as the elements that its buffer holds. */
static void add_bytes(CallCost *cost, const TirType *type, const CallBuffer *in,
                      uint32_t positions) {
    const uint64_t bytes = tir_element_count(type) * plan_element_bytes(in->element);
    cost_add(&cost->bytes, type->domain, (double)bytes, positions);
}

static void add_values(CallCost *cost, const Plan *plan, const TirIdVec *values,
                       const CallBuffer *in, uint32_t positions) {
    for (uint32_t k = 0; k < values->count; k++)
        add_bytes(cost, &tir_node(plan->program->block, values->at[k])->type, &in[k], positions);
}

static CallCost group_cost(const Plan *plan, const Call *call, uint32_t positions) {
    const Group *group = call->group;
    CallCost cost = {0};
    for (uint32_t k = 0; k < group->values.count; k++)
        cost_add_value(&cost.operations, plan->program->block, group->values.at[k], positions);
    add_values(&cost, plan, &group->inputs, call->buffers.at, positions);
    add_values(&cost, plan, &group->outputs, call->buffers.at + call->n_reads, positions);
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
    const CallBuffer *in = call->buffers.at;
    add_bytes(&cost, &tir_node(block, g->a)->type, &in[0], positions);
    add_bytes(&cost, &tir_node(block, g->b)->type, &in[1], positions);
    add_bytes(&cost, &tir_node(block, call->value)->type, &in[call->n_reads], positions);
    return cost;
}

CallCost plan_call_cost(const Plan *plan, const Call *call) {
    const uint32_t positions = call_positions(plan, call);
    CallCost cost = {0};
    switch (call->kind) {
    case CALL_KERNEL:
        return group_cost(plan, call, positions);
    case CALL_GEMM:
        return gemm_cost(plan, call, positions);
    case CALL_ATTEND:
    case CALL_RECUR:
    case CALL_SEQUENCE:
    case CALL_SUM_INSTANCES:
    case CALL_SCATTER_ADD: {
        const TirBlock *block = plan->program->block;
        const TirNode *node = tir_node(block, call->value);
        cost_add_value(&cost.operations, block, call->value, positions);
        const CallBuffer *reads = call->buffers.at, *writes = reads + call->n_reads;
        for (uint32_t k = 0; k < node->n_operands; k++)
            add_bytes(&cost, &tir_node(block, node->operands[k])->type, &reads[k], positions);
        for (uint32_t k = 0; k < node->n_results; k++)
            add_bytes(&cost, &node->result_types[k], &writes[k], positions);
        if (node->type.elem != TIR_TUPLE)
            add_bytes(&cost, &node->type, writes, positions);
        break;
    }
    case CALL_REDUCE: /* partial sums: a few rows */
    case CALL_ZERO:
        break;
    }
    return cost;
}
