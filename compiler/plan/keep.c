/* Keep: what runs after a step of the optimiser.
 *
 * Requires: all calls in order, their buffers still naming slots. Fills plan->keep; changes nothing
 * else.
 *
 * What a parameter is held to is made of parameters alone, by forward calls. They run by themselves
 * once parameters have changed; of them those that make nothing else are left out of a pass.
 *
 *     W' = unit(W)     runs after the step, and in no pass
 *     a  = norms of W  which the loss reads, too: in both */
#include "plan/plan_internal.h"

typedef struct {
    const Plan *plan;
    bool *slots;    /* by slot: it is wanted */
    bool *partials; /* by the value of a partial result */
    bool copies;    /* so are copies of gradients, which have no slot */
} Wanted;

static Wanted want(const Plan *plan, bool copies) {
    return (Wanted){plan, ARENA_ARRAY(plan->arena, bool, plan->slots.count),
                    ARENA_ARRAY(plan->arena, bool, plan->program->block->nodes.count), copies};
}

static bool *wanted_at(const Wanted *w, const CallBuffer *b) {
    return b->region == REGION_NONE      ? &w->slots[b->index]
           : b->region == REGION_PARTIAL ? &w->partials[b->index]
                                         : NULL;
}

static bool makes_wanted(const Wanted *w, const Call *call) {
    bool wanted = false;
    for (uint32_t k = call->n_reads; k < call->buffers.count; k++) {
        const bool *at = wanted_at(w, &call->buffers.at[k]);
        wanted = wanted || (at ? *at : w->copies);
    }
    return wanted;
}

/* Backwards from what is wanted: which calls lead to it. */
static void find_calls(const Wanted *w, bool *makes) {
    for (uint32_t c = w->plan->calls.count; c-- > 0;) {
        const Call *call = &w->plan->calls.at[c];
        if (!makes_wanted(w, call))
            continue;
        makes[c] = true;
        for (uint32_t k = 0; k < call->n_reads; k++) {
            bool *at = wanted_at(w, &call->buffers.at[k]);
            if (at)
                *at = true;
        }
    }
}

void plan_keep(Plan *plan) {
    const TirProgram *p = plan->program;
    Wanted held = want(plan, false), rest = want(plan, true);
    bool *others = ARENA_ARRAY(plan->arena, bool, plan->calls.count + 1);
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        const TirOutput *out = &p->outputs.at[k];
        const bool is_held = out->role == TIR_OUT_PROJECT;
        (is_held ? &held : &rest)->slots[tir_storage(p->block, out->value)] = true;
        plan->keep.any = plan->keep.any || is_held;
    }
    if (!plan->keep.any)
        return;
    plan->keep.makes = ARENA_ARRAY(plan->arena, bool, plan->calls.count + 1);
    plan->keep.alone = ARENA_ARRAY(plan->arena, bool, plan->calls.count + 1);
    find_calls(&held, plan->keep.makes);
    find_calls(&rest, others);
    for (uint32_t c = 0; c < plan->calls.count; c++) {
        const bool forward = c < plan->n_forward_calls;
        plan->keep.makes[c] = plan->keep.makes[c] && forward;
        plan->keep.alone[c] = plan->keep.makes[c] && !others[c];
    }
}
