/* Memory and traffic, read off a plan. */
#include "driver/native.h"
#include "pass/cost.h"

bool native_cost(TirProgram *program, PlanStep step, NativeCost *cost) {
    Plan *plan = plan_build(program, (PlanOptions){.fuse = true, .recompute = true, .step = step});
    if (plan->unsupported || plan->written)
        return false;
    cost->workspace = (double)plan_workspace(plan);
    cost->replays = plan->replays;
    cost->moved = 0;
    for (uint32_t k = 0; k < plan->calls.count; k++)
        cost->moved += plan_call_cost(plan, &plan->calls.at[k]).bytes.per_position;
    return true;
}
