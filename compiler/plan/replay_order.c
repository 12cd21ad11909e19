/* The order of calls that a choice of replays leads to, and the memory it needs.
 *
 * A unit runs again just before the first backward call that wants a dropped result of it, and the
 * units that it reads dropped results of before it. It then writes second copies of what is
 * dropped, and once more what is kept: the same bits in the same place.
 *
 *     forward   a -> x,  b: x -> y,  c: y -> z        x and y dropped
 *     backward  [a b] c' reads y,  b' reads x, ...    */
#include "plan/replay_internal.h"
#include <string.h>

static void decide_dropped(Replay *r) {
    memset(r->dropped, 0, r->n_values * sizeof *r->dropped);
    for (uint32_t u = 0; u < r->units.count; u++) {
        const ReplayUnit *unit = &r->units.at[u];
        for (uint32_t k = 0; unit->chosen && k < unit->writes.count; k++)
            r->dropped[unit->writes.at[k]] = !r->pinned[unit->writes.at[k]];
    }
    for (uint32_t u = 0; u < r->units.count; u++) {
        const ReplayUnit *unit = &r->units.at[u];
        for (uint32_t k = 0; unit->chosen && k < unit->reads.count; k++) {
            TirId value = unit->reads.at[k];
            if (r->dropped[value]) {
                const ReplayUnit *maker = &r->units.at[r->unit_of_value[value]];
                r->dropped[value] = r->segment[maker->calls.at[0]] == r->segment[unit->calls.at[0]];
            }
        }
    }
}

/* Everything that `unit` needs, then its calls. */
static void make_again(Replay *r, uint32_t wanted) {
    vec_push(r->arena, &r->stack, wanted);
    while (r->stack.count) {
        uint32_t u = r->stack.at[r->stack.count - 1];
        const ReplayUnit *unit = &r->units.at[u];
        uint32_t next = NO_UNIT;
        while (r->at[u] < unit->reads.count && next == NO_UNIT) {
            TirId value = unit->reads.at[r->at[u]++];
            if (r->dropped[value] && !r->again[r->unit_of_value[value]])
                next = r->unit_of_value[value];
        }
        if (next != NO_UNIT) {
            vec_push(r->arena, &r->stack, next);
            continue;
        }
        r->stack.count--;
        if (r->again[u])
            continue;
        r->again[u] = true;
        r->seconds += unit->seconds;
        for (uint32_t k = 0; k < unit->calls.count; k++)
            vec_push(r->arena, &r->order, (ReplayStep){unit->calls.at[k], true});
    }
}

static void make_order(Replay *r) {
    const Plan *plan = r->plan;
    r->order.count = 0;
    r->seconds = 0;
    memset(r->again, 0, (r->units.count + 1) * sizeof *r->again);
    memset(r->at, 0, (r->units.count + 1) * sizeof *r->at);
    for (uint32_t c = 0; c < plan->calls.count; c++) {
        const Call *call = &plan->calls.at[c];
        for (uint32_t k = 0; c >= r->n_forward && k < call->n_reads; k++) {
            TirId value = call->buffers.at[k].index;
            if (call->buffers.at[k].region == REGION_NONE && r->dropped[value] &&
                !r->again[r->unit_of_value[value]])
                make_again(r, r->unit_of_value[value]);
        }
        vec_push(r->arena, &r->order, (ReplayStep){c, false});
    }
}

/* Whether a step means the second copy of what is dropped. */
static bool means_second(const Replay *r, const ReplayStep *step) {
    return step->again || step->call >= r->n_forward;
}

static void find_lives(Replay *r) {
    const Plan *plan = r->plan;
    lives_begin(&r->lives);
    for (uint32_t s = 0; s < r->order.count; s++) {
        const ReplayStep *step = &r->order.at[s];
        lives_touch(&r->lives, s, &plan->calls.at[step->call],
                    means_second(r, step) ? r->dropped : NULL);
    }
    lives_keep_outputs(&r->lives, plan->program, r->order.count - 1);
}

/* The regions' worst moments, which need not be the same. */
static void measure(Replay *r) {
    double *change[REGION_NONE] = {0};
    uint32_t length = 2 * r->plan->calls.count + 1;
    memset(r->change, 0, (size_t)REGION_NONE * length * sizeof *r->change);
    for (Region region = REGION_GLOBAL; region < REGION_NONE; region++)
        change[region] = r->change + (size_t)region * length;
    for (uint32_t copy = 0; copy < 2 * r->n_values; copy++) {
        TirId value = copy < r->n_values ? copy : copy - r->n_values;
        if (r->lives.first[copy] == NEVER || r->bytes[value] == 0)
            continue;
        Region region = plan_region(tir_node(r->plan->program->block, value)->type.domain);
        change[region][r->lives.first[copy]] += r->bytes[value];
        change[region][r->lives.last[copy] + 1] -= r->bytes[value];
    }
    r->bytes_needed = 0;
    for (Region region = REGION_GLOBAL; region < REGION_NONE; region++) {
        double now = 0, most = 0;
        for (uint32_t s = 0; s < r->order.count; s++) {
            now += change[region][s];
            most = now > most ? now : most;
        }
        r->bytes_needed += most;
    }
    for (Region region = REGION_PARTIAL; region <= REGION_CHUNK; region++)
        r->bytes_needed += (double)(r->plan->region_bytes[region] * plan_units(r->plan, region));
}

void replay_try(Replay *r) {
    decide_dropped(r);
    make_order(r);
    find_lives(r);
    measure(r);
}

void replay_apply(Replay *r, const Call *calls) {
    Plan *plan = r->plan;
    uint32_t *slot = ARENA_ARRAY(plan->arena, uint32_t, 2 * r->n_values);
    plan->slots.count = r->n_values;
    plan->calls.at = NULL;
    plan->calls.count = plan->calls.capacity = 0;
    for (TirId value = 0; value < r->n_values; value++)
        slot[value] = value;
    for (uint32_t s = 0; s < r->order.count; s++) {
        const ReplayStep *step = &r->order.at[s];
        Call call = calls[step->call];
        call.buffers = (BufferVec){0};
        for (uint32_t k = 0; k < calls[step->call].buffers.count; k++) {
            CallBuffer buffer = calls[step->call].buffers.at[k];
            if (buffer.region == REGION_NONE) {
                const bool second = means_second(r, step) && r->dropped[buffer.index];
                const uint32_t copy = second ? r->n_values + buffer.index : buffer.index;
                if (!slot[copy] && copy != 0) {
                    slot[copy] = plan->slots.count;
                    vec_push(plan->arena, &plan->slots, plan->slots.at[buffer.index]);
                }
                buffer.index = slot[copy];
            }
            vec_push(plan->arena, &call.buffers, buffer);
        }
        vec_push(plan->arena, &plan->calls, call);
    }
}
