/* Schedules from plan kernels; see schedule.h. */
#include "schedule/schedule_internal.h"

static void schedule_group(Schedule *s, uint32_t samples) {
    const Plan *plan = s->plan;
    Scheduler b = {.s = s, .arena = plan->arena, .block = plan->program->block, .samples = samples};
    s->rows = tir_domain_equal(s->group->domain, TIR_GLOBAL) ? 1 : s->lanes;
    s->accumulators = machine_block_accumulators(s->machine);
    schedule_values(&b);
    b.drafts = ARENA_ARRAY(b.arena, ScheduleDraft, s->n_values);
    schedule_sides(&b);
    schedule_stages(&b);
    schedule_places(&b);
    schedule_steps(&b);
}

Schedule **schedule_create(const Plan *plan, const ScheduleOptions *options) {
    Arena *arena = plan->arena;
    Machine *machine = ARENA_NEW(arena, Machine);
    *machine = options->machine;
    Schedule **schedules = ARENA_ARRAY(arena, Schedule *, plan->kernels.count + 1);
    for (uint32_t k = 0; k < plan->kernels.count; k++) {
        const PlanKernel *of = &plan->kernels.at[k];
        Schedule *s = schedules[k] = ARENA_NEW(arena, Schedule);
        *s = (Schedule){.name = arena_printf(arena, "k%u_%s", k, of->name),
                        .kind = of->kind,
                        .plan = plan,
                        .machine = machine,
                        .real_bytes = options->real_bytes,
                        .lanes = (uint16_t)(machine->vector_bytes / options->real_bytes),
                        .value = of->value,
                        .group = of->group};
        if (of->kind == CALL_KERNEL)
            schedule_group(s, options->samples);
        else if (of->kind == CALL_ATTEND)
            s->columns = machine_attend_columns(machine);
    }
    return schedules;
}
