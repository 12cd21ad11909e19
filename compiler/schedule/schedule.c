/* Schedules from plan kernels; see schedule.h. */
#include "schedule/schedule_internal.h"
#include <inttypes.h>

static void schedule_group(Schedule *s, uint32_t samples) {
    const Plan *plan = s->plan;
    Scheduler b = {.s = s, .arena = plan->arena, .block = plan->program->block, .samples = samples};
    s->rows = s->sequence || tir_domain_equal(s->group->domain, TIR_GLOBAL) ? 1 : s->lanes;
    s->accumulators = machine_block_accumulators(s->machine);
    schedule_values(&b);
    b.drafts = ARENA_ARRAY(b.arena, ScheduleDraft, s->n_values);
    schedule_sides(&b);
    schedule_stages(&b);
    schedule_places(&b);
    schedule_steps(&b);
}

/* Kernels are numbered behind the plan's. */
static void schedule_product(Schedule *s, uint32_t number, const Products *products, uint32_t k) {
    Arena *arena = s->plan->arena;
    const uint32_t packs = products->packs.count, each = 1 + products->rounds;
    const ProductPack *pack = k < packs ? &products->packs.at[k] : NULL;
    s->kind = CALL_GEMM;
    s->product = &products->shape;
    s->pack = pack;
    s->rounds = !pack && (k - packs) % each;
    if (k >= packs + each)
        s->direct = products->directs.at[(k - packs) / each - 1];
    s->name = pack ? arena_printf(arena, "k%u_pack_%s_%s_%" PRId64 "%s", number,
                                  pack->right ? "right" : "left", pack->across ? "across" : "along",
                                  pack->step, pack->from == OPERAND_F32 ? "" : "_bf16")
              : s->direct
                  ? arena_printf(arena, "k%u_multiply_%" PRId64 "%s", number, s->direct,
                                 s->rounds ? "_round" : "")
                  : arena_printf(arena, "k%u_multiply%s", number, s->rounds ? "_round" : "");
}

static void schedule_attention(Schedule *s, const Products *products) {
    const TirProgram *program = s->plan->program;
    const TirDomain domain = schedule_node(s, s->value)->result_types[0].domain;
    const TirSpace *space = &program->spaces.at[domain.space - 1];
    s->columns = machine_attend_columns(s->machine);
    s->product = products->attends ? &products->shape : NULL;
    s->longest = space->extents[0] * (space->rank == 2 ? space->extents[1] : 1);
}

Schedule **schedule_create(const Plan *plan, const ScheduleOptions *options,
                           const Products *products) {
    Arena *arena = plan->arena;
    Machine *machine = ARENA_NEW(arena, Machine);
    *machine = options->machine;
    const uint32_t n = plan->kernels.count, n_products = products_kernels(products);
    Schedule **schedules = ARENA_ARRAY(arena, Schedule *, n + n_products + 1);
    for (uint32_t k = 0; k < n_products; k++) {
        Schedule *s = schedules[n + k] = ARENA_NEW(arena, Schedule);
        *s = (Schedule){.plan = plan, .machine = machine, .real_bytes = options->real_bytes};
        s->lanes = products->shape.lanes;
        schedule_product(s, n + k, products, k);
    }
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
        if (of->kind == CALL_SEQUENCE) {
            s->sequence = of->sequence;
            s->plan = of->sequence->plan;
            s->group = of->sequence->group;
        }
        if (s->group)
            schedule_group(s, options->samples);
        else if (of->kind == CALL_ATTEND)
            schedule_attention(s, products);
        else if (of->kind == CALL_RECUR)
            s->run = plan_recur_run(&schedule_node(s, s->value)->type);
    }
    return schedules;
}
