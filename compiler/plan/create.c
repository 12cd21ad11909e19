/* A plan before anything is decided. */
#include "plan/plan.h"

Plan *plan_create(TirProgram *p, PlanOptions options) {
    Plan *plan = ARENA_NEW(p->arena, Plan);
    const uint32_t count = p->block->nodes.count;
    *plan = (Plan){.program = p, .options = options, .arena = p->arena};
    plan->work = ARENA_ARRAY(plan->arena, WorkKind, count);
    plan->level = ARENA_ARRAY(plan->arena, uint32_t, count);
    plan->group_of = ARENA_ARRAY(plan->arena, Group *, count);
    plan->gemm = ARENA_ARRAY(plan->arena, GemmWork, count);
    return plan;
}
