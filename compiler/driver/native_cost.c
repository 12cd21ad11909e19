/* Memory and traffic, read off a plan. */
#include "driver/native.h"
#include "pass/cost.h"

bool native_cost(Driver *d, TirProgram *program, PlanStep step, NativeCost *cost) {
    Plan *plan = plan_build(program, (PlanOptions){.fuse = true, .recompute = true, .step = step});
    cost->refused = plan->refused.message;
    if (cost->refused) {
        diag_warning(d->c->diagnostics, plan->refused.code, plan->refused.at,
                     "it cannot be trained, and what it would take is not known: %s",
                     cost->refused);
        if (plan->refused.help)
            diag_help(d->c->diagnostics, "%s", plan->refused.help);
        driver_report(d);
        return false;
    }
    cost->workspace = (double)plan_workspace(plan);
    cost->replays = plan->replays;
    cost->moved = 0;
    for (uint32_t k = 0; k < plan->calls.count; k++)
        cost->moved += plan_call_cost(plan, &plan->calls.at[k]).bytes.per_position;
    return true;
}
