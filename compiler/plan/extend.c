/* Extend: which calls make the logits of one more position, where the earlier ones are computed.
 *
 * Requires: all calls in order, their buffers naming slots. Fills plan->extend, and what calls say
 * of it. Changes nothing else.
 *
 * A position is computed by itself where nothing that its logits depend on sees later positions, or
 * is a sum over them. The same calls then run for the new positions alone: what lies in memory for
 * each position has its place there, and what a call reads of earlier ones, keys and values say, is
 * there still when no other value of the forward pass has that memory. So such slots are kept: the
 * memory plan gives them a place of their own. So it does what does not lie at positions, which is
 * computed once.
 *
 *     k, v = gemm x, ..      kept     ┐ for the new positions
 *     o    = attend q, k, v           ┘
 *     y    = kernel o, x              ┐ what nobody sees across positions any more:
 *     logits = gemm y, E              ┘ for the last one
 */
#include "plan/plan_internal.h"

typedef struct {
    Plan *plan;
    const TirBlock *block;
    uint8_t *wanted; /* by slot: PlanExtends, for which positions */
    bool *seen;      /* by value, of the group at hand */
} Extend;

static TirId logits_of(const Plan *plan) {
    for (uint32_t k = 0; k < plan->program->outputs.count; k++)
        if (plan->program->outputs.at[k].role == TIR_OUT_LOGITS)
            return plan->program->outputs.at[k].value;
    return 0;
}

/* --- whether a position can be computed by itself ----------------------------------------------*/

static const char *why_not(const Plan *plan, const TirBlock *block, const TirNode *node) {
    const TirDependence own = tir_own_dependence(plan->program, block, node);
    if (node->op == TIR_COUNT && node->attr.domain.space)
        return "the number of positions is part of what it computes";
    if (node->op == TIR_ATTEND && own == TIR_DEPENDS_ALL)
        return "its attention sees later positions";
    if (node->op == TIR_SHIFT && own == TIR_DEPENDS_ALL)
        return "it takes a value from a later position";
    if ((node->op == TIR_RECUR || node->op == TIR_SEQUENCE) && own == TIR_DEPENDS_ALL)
        return "it goes through the positions from the last one";
    if (own == TIR_DEPENDS_ALL)
        return "a sum over all positions is part of what it computes";
    for (TirId id = 1; node->op == TIR_SCAN && id < node->attr.body->nodes.count; id++) {
        const char *why = why_not(plan, node->attr.body, tir_node(node->attr.body, id));
        if (why)
            return why;
    }
    return NULL;
}

static void refuse(Plan *plan, TirId by, const char *why) {
    plan->extend.refused = why;
    plan->extend.refused_by = by;
}

/* What reads later positions asks how many there are, too: that is the lesser reason. */
static void check_values(Plan *plan, TirId logits) {
    const TirBlock *block = plan->program->block;
    bool *reached = ARENA_ARRAY(plan->arena, bool, block->nodes.count);
    bool settled = false;
    reached[logits] = true;
    for (TirId id = logits; id > 0 && !settled; id--) {
        if (!reached[id])
            continue;
        const TirNode *node = tir_node(block, id);
        const char *why = why_not(plan, block, node);
        settled = why && node->op != TIR_COUNT;
        if (settled || (why && !plan->extend.refused))
            refuse(plan, id, why);
        for (uint32_t k = 0; k < node->n_operands; k++)
            reached[node->operands[k]] = true;
    }
}

static void check(Plan *plan) {
    const TirId logits = logits_of(plan);
    const TirProgram *p = plan->program;
    if (!logits) {
        refuse(plan, 0, "it has no logits");
        return;
    }
    const TirDomain domain = tir_node(p->block, logits)->type.domain;
    if (!domain.sample || !domain.space)
        refuse(plan, logits, "its logits are not those of positions");
    else if (plan_is_leaf(tir_node(p->block, tir_storage(p->block, logits))))
        refuse(plan, logits, "its logits are not computed");
    else if (domain.space > 1)
        refuse(plan, logits, "its logits are those of a space that is not the first");
    else if (p->spaces.at[domain.space - 1].rank > 1)
        refuse(plan, logits, "its positions are a grid");
    else
        check_values(plan, logits);
}

/* --- which calls, and what is kept -------------------------------------------------------------*/

static void want(Extend *e, uint32_t slot, PlanExtends how) {
    if (e->wanted[slot] < how)
        e->wanted[slot] = how;
}

/* A slot of which more is read than what was just written. */
static void keep(Extend *e, uint32_t slot) {
    want(e, slot, EXTENDS_ALL);
    if (!plan_is_leaf(tir_node(e->block, e->plan->slots.at[slot].value)))
        e->plan->extend.kept[slot] = true;
}

/* What a kernel reads at other positions: the inputs that its shifts come to. */
static void keep_shifted(Extend *e, const Group *group) {
    for (uint32_t k = 0; k < group->values.count; k++)
        e->seen[group->values.at[k]] = false;
    for (uint32_t k = 0; k < group->inputs.count; k++)
        e->seen[group->inputs.at[k]] = false;
    for (uint32_t k = group->values.count; k-- > 0;) {
        const TirNode *node = tir_node(e->block, group->values.at[k]);
        const bool across = plan_reads_across(node) || e->seen[group->values.at[k]];
        for (uint32_t o = 0; across && o < node->n_operands; o++)
            e->seen[plan_root(e->plan, node->operands[o])] = true;
    }
    for (uint32_t k = 0; k < group->inputs.count; k++)
        if (e->seen[group->inputs.at[k]])
            keep(e, tir_storage(e->block, group->inputs.at[k]));
}

static void want_reads(Extend *e, const Call *call) {
    for (uint32_t k = 0; k < call->n_reads; k++) {
        const CallBuffer *b = &call->buffers.at[k];
        if (b->region != REGION_NONE)
            continue;
        const TirDomain domain = tir_node(e->block, e->plan->slots.at[b->index].value)->type.domain;
        if (call->domain.space && (!domain.space || (call->kind == CALL_ATTEND && k > 0)))
            keep(e, b->index);
        else
            want(e, b->index, call->extends);
    }
    if (call->kind == CALL_KERNEL)
        keep_shifted(e, call->group);
    const bool goes_on = call->kind == CALL_RECUR || call->kind == CALL_SEQUENCE;
    for (uint32_t k = call->n_reads; goes_on && k < call->buffers.count; k++)
        keep(e, call->buffers.at[k].index); /* it does from the last position's */
}

/* The runtime runs kernels and products for some of the positions. */
static bool runs_for_some(const Call *call) {
    const bool product = call->kind == CALL_GEMM && call->gemm.m_per_instance;
    return !call->domain.space || product || call->kind == CALL_KERNEL ||
           call->kind == CALL_ATTEND || call->kind == CALL_RECUR || call->kind == CALL_SEQUENCE;
}

static void find_calls(Extend *e) {
    Plan *plan = e->plan;
    for (uint32_t c = plan->n_forward_calls; c-- > 0;) {
        Call *call = &plan->calls.at[c];
        for (uint32_t k = call->n_reads; k < call->buffers.count; k++)
            if (call->buffers.at[k].region == REGION_NONE &&
                call->extends < e->wanted[call->buffers.at[k].index])
                call->extends = e->wanted[call->buffers.at[k].index];
        if (!call->extends)
            continue;
        if (call->kind == CALL_RECUR ||
            call->kind == CALL_SEQUENCE) /* no state without those before it */
            call->extends = EXTENDS_ALL;
        if (!runs_for_some(call))
            refuse(plan, call->value, "a value of all positions is part of what it computes");
        want_reads(e, call);
    }
}

static void forget(Plan *plan) {
    for (uint32_t c = 0; c < plan->calls.count; c++)
        plan->calls.at[c].extends = EXTENDS_NOT;
    plan->extend.kept = NULL;
}

void plan_extend(Plan *plan) {
    plan->extend.refused = NULL;
    check(plan);
    if (plan->extend.refused)
        return;
    Extend e = {.plan = plan,
                .block = plan->program->block,
                .wanted = ARENA_ARRAY(plan->arena, uint8_t, plan->slots.count),
                .seen = ARENA_ARRAY(plan->arena, bool, plan->program->block->nodes.count)};
    plan->extend.kept = ARENA_ARRAY(plan->arena, bool, plan->slots.count);
    e.wanted[tir_storage(e.block, logits_of(plan))] = EXTENDS_LAST;
    find_calls(&e);
    if (plan->extend.refused) {
        forget(plan);
        return;
    }
    plan_pack(plan);
    if (plan->options.step.most && plan_workspace(plan) > plan->options.step.most) {
        forget(plan);
        plan_pack(plan);
        refuse(plan, 0, "the memory that it was compiled for holds no earlier positions");
    }
}
