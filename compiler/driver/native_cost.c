/* Memory and traffic, read off a plan. */
#include "driver/native.h"

enum { TASKS = 16 }; /* partial results: one row a task, at most 16 for common batches */

/* Elements that a stored value holds at one position; values of outer domains stay in caches. */
static double cost_elements(const TirProgram *program, TirId id) {
    const TirType *type = &tir_node(program->block, id)->type;
    return type->domain.sample && type->domain.space ? (double)tir_element_count(type) : 0;
}

static double cost_of_ids(const TirProgram *program, const TirId *ids, uint32_t count) {
    double elements = 0;
    for (uint32_t k = 0; k < count; k++)
        elements += cost_elements(program, ids[k]);
    return elements;
}

static double cost_of_call(const Plan *plan, const Call *call) {
    const TirProgram *program = plan->program;
    if (call->kind == CALL_KERNEL) {
        const Group *group = plan->kernels.at[call->kernel].group;
        return cost_of_ids(program, group->inputs.at, group->inputs.count) +
               cost_of_ids(program, group->outputs.at, group->outputs.count);
    }
    if (call->kind == CALL_REDUCE || call->kind == CALL_ZERO || call->value == 0)
        return 0;
    const TirNode *node = tir_node(program->block, call->value);
    double elements = cost_of_ids(program, node->operands, node->n_operands);
    for (uint32_t k = 0; k < node->n_results; k++)
        elements += (double)tir_element_count(&node->result_types[k]);
    return elements + (node->n_results ? 0 : cost_elements(program, call->value));
}

bool native_cost(TirProgram *program, uint32_t samples, uint32_t positions, NativeCost *cost) {
    Plan *plan = plan_build(program, (PlanOptions){.fuse = true, .recompute = true});
    if (plan->unsupported)
        return false;
    const uint64_t *size = plan->region_size;
    double instances = (double)samples * positions;
    cost->workspace =
        4 * ((double)size[REGION_GLOBAL] + (double)size[REGION_SAMPLE] * samples +
             (double)size[REGION_TIME] * positions + (double)size[REGION_POSITION] * instances +
             (double)size[REGION_PARTIAL] * TASKS);
    cost->moved = 0;
    for (uint32_t k = 0; k < plan->calls.count; k++)
        cost->moved += 4 * cost_of_call(plan, &plan->calls.at[k]);
    return true;
}
