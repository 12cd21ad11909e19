/* What no machine holds is refused, with its size, before anything counts with it.
 *
 * A tensor has at most TIR_MAX_ELEMENTS entries: the text's own are refused where they are
 * declared, what passes make of them in tir_too_large. Here it is their sums: all parameters, and
 * what lies in memory at a position, a sample, a task. */
#include "plan/plan_internal.h"

static void refuse(Plan *plan, Span at, const char *what, uint64_t bytes) {
    plan->refused = (PlanRefusal){.code = DIAG_SIZE, .at = at};
    plan->refused.message =
        arena_printf(plan->arena, "%s would take %.4g bytes, more than 2^50", what, (double)bytes);
    plan->refused.help = "this is the largest part of it: make it smaller, or have fewer of it";
}

static void check_parameters(Plan *plan) {
    const TirProgram *p = plan->program;
    uint64_t all = 0, most = 0;
    Span at = {0};
    for (uint32_t k = 0; k < p->params.count; k++) {
        const uint64_t bytes = plan_type_bytes(&plan->options, &p->params.at[k].type);
        all += bytes;
        if (bytes > most) {
            most = bytes;
            at = p->params.at[k].span;
        }
    }
    if (all > PLAN_MAX_BYTES)
        refuse(plan, at, "the parameters of the model", all);
}

static Span largest_in(const Plan *plan, Region region) {
    const TirBlock *block = plan->program->block;
    uint64_t most = 0;
    Span at = {0};
    for (uint32_t c = 0; c < plan->calls.count; c++) {
        const Call *call = &plan->calls.at[c];
        for (uint32_t k = call->n_reads; k < call->buffers.count; k++) {
            const CallBuffer *b = &call->buffers.at[k];
            const TirId id = region == REGION_CHUNK || region == REGION_PARTIAL ? 0 : b->index;
            const TirId value =
                id && id < plan->slots.count ? plan->slots.at[id].value : call->value;
            const uint64_t bytes = plan_value_bytes(plan, value);
            if (b->region == region && bytes > most) {
                most = bytes;
                at = tir_node(block, value)->span;
            }
        }
    }
    return at;
}

void plan_check_sizes(Plan *plan) {
    static const char *const what[] = {
        [REGION_GLOBAL] = "what a step computes once",
        [REGION_SAMPLE] = "what a step computes of each sample",
        [REGION_TIME] = "what a step computes at each position of all samples",
        [REGION_POSITION] = "what a step computes at each position",
        [REGION_PARTIAL] = "what each task of a step sums",
        [REGION_CHUNK] = "what a step computes at each position",
    };
    check_parameters(plan);
    for (Region r = REGION_GLOBAL; r < REGION_NONE && !plan->refused.message; r++)
        if (plan->region_bytes[r] > PLAN_MAX_BYTES)
            refuse(plan, largest_in(plan, r), what[r > REGION_CHUNK ? REGION_POSITION : r],
                   plan->region_bytes[r]);
}
