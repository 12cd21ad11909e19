/* Which values are stored as bf16: those that a kernel makes and only products read that round them
 * to it anyway. The numbers that products see are the same; half the bytes are written, read as
 * often as they are packed, and kept for the backward pass.
 *
 * Requires: groups with inputs and outputs. Changes elements of slots, before calls are made. */
#include "plan/plan_internal.h"

typedef struct {
    Plan *plan;
    const TirBlock *block;
    bool *made;  /* by value: a kernel stores it */
    bool *reads; /* by value: something else than such a product reads it */
} Narrow;

static void note_read(const Narrow *n, TirId id) {
    n->reads[tir_storage(n->block, id)] = true;
}

/* Stored for others, it would be read again in its own kernel as others see it. */
static void note_group(const Narrow *n, const Group *group) {
    for (uint32_t k = 0; k < group->outputs.count; k++)
        n->made[group->outputs.at[k]] = true;
    for (uint32_t k = 0; k < group->inputs.count; k++)
        note_read(n, group->inputs.at[k]);
    for (uint32_t k = 0; k < group->values.count; k++) {
        const TirNode *node = tir_node(n->block, group->values.at[k]);
        for (uint32_t o = 0; o < node->n_operands; o++)
            if (n->plan->group_of[tir_storage(n->block, node->operands[o])] == group)
                note_read(n, node->operands[o]);
    }
    for (uint32_t k = 0; k < group->sums.count; k++)
        note_read(n, group->sums.at[k]);
}

static void note_barrier(const Narrow *n, TirId id) {
    const Plan *plan = n->plan;
    if (plan->work[id] == WORK_GEMM && plan_gemm_has_kernels(plan, id))
        return;
    const TirNode *node = tir_node(n->block, id);
    for (uint32_t k = 0; k < node->n_operands; k++)
        note_read(n, node->operands[k]);
}

/* A packed pair lies in one value, and rows lie without gaps. */
static bool is_even(const TirType *type) {
    return type->elem == TIR_REAL && tir_element_count(type) % 2 == 0;
}

void plan_narrow(Plan *plan) {
    if (plan->options.precision != HC_PRECISION_BF16 ||
        !machine_has_products(&plan->options.machine))
        return;
    const TirBlock *block = plan->program->block;
    const uint32_t count = block->nodes.count;
    const Narrow n = {.plan = plan,
                      .block = block,
                      .made = ARENA_ARRAY(plan->arena, bool, count),
                      .reads = ARENA_ARRAY(plan->arena, bool, count)};
    for (uint32_t k = 0; k < plan->groups.count; k++)
        note_group(&n, plan->groups.at[k]);
    for (TirId id = 1; id < count; id++)
        if (plan_is_barrier(plan->work[id]))
            note_barrier(&n, id);
    for (uint32_t k = 0; k < plan->program->outputs.count; k++)
        note_read(&n, plan->program->outputs.at[k].value);
    for (TirId id = 1; id < count; id++) {
        const TirType *type = &tir_node(block, id)->type;
        if (n.made[id] && !n.reads[id] && is_even(type) &&
            plan_region(type->domain) != REGION_GLOBAL)
            plan->slots.at[id].element = ELEMENT_BF16;
    }
}
