/* Memory and traffic, read off a plan. */
#include "driver/native.h"
#include "pass/cost.h"

enum { TASKS = 16 }; /* partial results: one row a task, at most 16 for common batches */

bool native_cost(TirProgram *program, uint32_t samples, uint32_t positions, NativeCost *cost) {
    Plan *plan = plan_build(program, (PlanOptions){.fuse = true, .recompute = true});
    if (plan->unsupported)
        return false;
    const uint64_t *size = plan->region_size;
    double instances = (double)samples * positions;
    double chunk = instances < plan->chunks.positions ? instances : plan->chunks.positions;
    cost->workspace =
        4 * ((double)size[REGION_GLOBAL] + (double)size[REGION_SAMPLE] * samples +
             (double)size[REGION_TIME] * positions + (double)size[REGION_POSITION] * instances +
             (double)size[REGION_PARTIAL] * TASKS + (double)size[REGION_CHUNK] * chunk);
    cost->moved = 0;
    for (uint32_t k = 0; k < plan->calls.count; k++)
        cost->moved += plan_call_cost(plan, &plan->calls.at[k]).bytes.per_position;
    return true;
}
