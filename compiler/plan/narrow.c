/* Which values are stored as bf16 though they are computed in f32. Of those that a kernel makes:
 *
 *   - where products are rounded, what only products read that round it anyway. What they see is
 * the same; half the bytes are written, read as often as they are packed, and kept for the backward
 *     pass.
 *   - in precision bf16_streams also what kernels hand to kernels at each position, streams and
 *     their gradients above all: they are rounded on the way.
 *
 * Requires: groups with inputs and outputs. Changes elements of slots, before calls are made. */
#include "plan/plan_internal.h"

/* Who reads a value. Products that round it are nobody. */
enum {
    BY_KERNELS = 1 << 0,
    BY_OTHERS = 1 << 1,
};

typedef struct {
    Plan *plan;
    const TirBlock *block;
    bool *made;       /* by value: a kernel stores it */
    uint8_t *readers; /* by value: BY_... */
} Narrow;

static void note_read(const Narrow *n, TirId id, uint8_t by) {
    n->readers[tir_storage(n->block, id)] |= by;
}

/* What its own kernel reads it may read again as others see it. */
static void note_group(const Narrow *n, const Group *group) {
    for (uint32_t k = 0; k < group->outputs.count; k++)
        n->made[group->outputs.at[k]] = true;
    for (uint32_t k = 0; k < group->inputs.count; k++)
        note_read(n, group->inputs.at[k], BY_KERNELS);
    for (uint32_t k = 0; k < group->values.count; k++) {
        const TirNode *node = tir_node(n->block, group->values.at[k]);
        for (uint32_t o = 0; o < node->n_operands; o++)
            if (n->plan->group_of[tir_storage(n->block, node->operands[o])] == group)
                note_read(n, node->operands[o], BY_KERNELS);
    }
    for (uint32_t k = 0; k < group->sums.count; k++)
        note_read(n, group->sums.at[k], BY_OTHERS);
}

static void note_barrier(const Narrow *n, TirId id) {
    const Plan *plan = n->plan;
    if (plan->work[id] == WORK_GEMM && plan_gemm_has_kernels(plan, id))
        return;
    const TirNode *node = tir_node(n->block, id);
    for (uint32_t k = 0; k < node->n_operands; k++)
        note_read(n, node->operands[k], BY_OTHERS);
}

/* Of reals, of which a packed pair lies in one value, and rows lie without gaps; and there is more
 * than one value of it. */
static bool may_be_narrow(const TirType *type) {
    return type->elem == TIR_REAL && tir_element_count(type) % 2 == 0 &&
           plan_region(type->domain) != REGION_GLOBAL;
}

/* Coefficients are few: what they weigh is what takes memory. */
static bool is_like_a_stream(const TirType *type) {
    return type->domain.sample && type->domain.space && tir_element_count(type) >= NARROW_STREAM;
}

void plan_narrow(Plan *plan) {
    const HcPrecision precision = plan->options.precision;
    if (!hc_precision_rounds(precision) || !machine_has_products(&plan->options.machine))
        return;
    const TirBlock *block = plan->program->block;
    const uint32_t count = block->nodes.count;
    const Narrow n = {.plan = plan,
                      .block = block,
                      .made = ARENA_ARRAY(plan->arena, bool, count),
                      .readers = ARENA_ARRAY(plan->arena, uint8_t, count)};
    for (uint32_t k = 0; k < plan->groups.count; k++)
        note_group(&n, plan->groups.at[k]);
    for (TirId id = 1; id < count; id++)
        if (plan_is_barrier(plan->work[id]))
            note_barrier(&n, id);
    for (uint32_t k = 0; k < plan->program->outputs.count; k++)
        note_read(&n, plan->program->outputs.at[k].value, BY_OTHERS);
    for (TirId id = 1; id < count; id++) {
        const TirType *type = &tir_node(block, id)->type;
        const bool streams = precision == HC_PRECISION_BF16_STREAMS && is_like_a_stream(type);
        const uint8_t wide = streams ? BY_OTHERS : BY_KERNELS | BY_OTHERS;
        if (n.made[id] && !(n.readers[id] & wide) && may_be_narrow(type))
            plan->slots.at[id].element = ELEMENT_BF16;
    }
}
