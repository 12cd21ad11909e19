/* Rounds: how a batch is run in parts.
 *
 * Requires: all calls in order, their buffers still naming slots. Fills plan->sums and
 * plan->rounds; changes nothing else.
 *
 * A part of a batch is some of its samples. What sums over samples has to be added up over the
 * parts, and what needs such a sum at every position can only be made once all parts are through:
 * each part is run again then, in the next round. What is the whole batch's stays so: the weight of
 * a loss, a mean over the batch, its gradient.
 *
 *     w    = sum of weights       ┐ round 0: of all parts
 *     loss = sum of losses / w    ┐
 *     g    = ... / w              │ round 1, the last: forward and backward, part by part
 *     dW   = sum of g x           ┘
 *
 * A round runs a list of calls, in order, for each part: in the last one all that a part needs, in
 * the others only what leads to their sums. Where a sum is complete already, its last call stands
 * in a list for putting it back, as its memory may hold something else by then. What is made of
 * complete sums once for the whole batch comes after the last round. */
#include "plan/plan_internal.h"

enum { NOT_A_SUM = UINT32_MAX };

typedef struct {
    Plan *plan;
    const TirBlock *block;
    bool *by_sample;    /* by call: it sees samples, so it runs for each part */
    uint32_t *round;    /* by call: the first in which all that it reads is there */
    uint32_t *ready;    /* by slot: likewise, of what reads it */
    uint32_t *sum;      /* by slot: index into plan->sums */
    uint32_t *partial;  /* by the value of a partial result: the round that makes it */
    bool *wanted;       /* by slot, while calls are looked for */
    bool *wanted_parts; /* by the value of a partial result */
} Rounds;

static TirDomain domain_of(const Rounds *r, uint32_t slot) {
    return tir_node(r->block, r->plan->slots.at[slot].value)->type.domain;
}

/* Whether a buffer names a slot: memory of a value, and no partial result or gradient's copy. */
static bool is_slot(const CallBuffer *buffer) {
    return buffer->region == REGION_NONE;
}

static bool sees_samples(const Rounds *r, const Call *call) {
    bool sees = call->domain.sample;
    for (uint32_t k = 0; k < call->n_reads; k++)
        if (is_slot(&call->buffers.at[k]))
            sees = sees || domain_of(r, call->buffers.at[k].index).sample;
    return sees;
}

/* --- the first round in which a call may run ---------------------------------------------------*/

static uint32_t round_of(const Rounds *r, const Call *call) {
    uint32_t round = 0;
    for (uint32_t k = 0; k < call->n_reads; k++) {
        const CallBuffer *b = &call->buffers.at[k];
        const uint32_t ready = is_slot(b)                    ? r->ready[b->index]
                               : b->region == REGION_PARTIAL ? r->partial[b->index]
                                                             : 0;
        round = ready > round ? ready : round;
    }
    return round;
}

static PlanSum *sum_of(const Rounds *r, uint32_t slot) {
    return r->sum[slot] == NOT_A_SUM ? NULL : &r->plan->sums.at[r->sum[slot]];
}

static void add_sum(Rounds *r, uint32_t slot) {
    if (sum_of(r, slot))
        return;
    r->sum[slot] = r->plan->sums.count;
    vec_push(r->plan->arena, &r->plan->sums, (PlanSum){.slot = slot});
}

/* What a call writes is ready when the call has run; a sum over samples when all parts have. A sum
 * of several calls belongs to the latest of their rounds. */
static void write_slot(Rounds *r, uint32_t call, uint32_t slot) {
    const bool sums = r->by_sample[call] && !domain_of(r, slot).sample;
    if (sums)
        add_sum(r, slot);
    PlanSum *sum = sum_of(r, slot);
    if (sum)
        sum->round = r->round[call] > sum->round ? r->round[call] : sum->round;
    r->ready[slot] = sum ? sum->round + 1 : r->round[call];
}

static void find_rounds(Rounds *r) {
    const Plan *plan = r->plan;
    for (uint32_t c = 0; c < plan->calls.count; c++) {
        const Call *call = &plan->calls.at[c];
        r->by_sample[c] = sees_samples(r, call);
        r->round[c] = round_of(r, call);
        for (uint32_t k = call->n_reads; k < call->buffers.count; k++) {
            const CallBuffer *b = &call->buffers.at[k];
            if (is_slot(b))
                write_slot(r, c, b->index);
            else if (b->region == REGION_PARTIAL)
                r->partial[b->index] = r->round[c];
        }
    }
}

/* The sums' calls, and rounds that are those of the whole sum: a call that clears its memory, or
 * adds the first of its terms, has no reason to wait by itself. */
static void find_calls(Rounds *r) {
    const Plan *plan = r->plan;
    for (uint32_t c = 0; c < plan->calls.count; c++) {
        const Call *call = &plan->calls.at[c];
        for (uint32_t k = call->n_reads; k < call->buffers.count; k++) {
            PlanSum *sum =
                is_slot(&call->buffers.at[k]) ? sum_of(r, call->buffers.at[k].index) : NULL;
            if (!sum)
                continue;
            vec_push(plan->arena, &sum->calls, c);
            r->round[c] = sum->round;
        }
    }
}

/* --- sums that can wait ------------------------------------------------------------------------*/

static void want(Rounds *r, const Call *call) {
    for (uint32_t k = 0; k < call->n_reads; k++) {
        const CallBuffer *b = &call->buffers.at[k];
        if (is_slot(b))
            r->wanted[b->index] = true;
        else if (b->region == REGION_PARTIAL)
            r->wanted_parts[b->index] = true;
    }
}

static bool is_wanted(const Rounds *r, const Call *call) {
    bool wanted = false;
    for (uint32_t k = call->n_reads; k < call->buffers.count; k++) {
        const CallBuffer *b = &call->buffers.at[k];
        wanted = wanted || (is_slot(b) && r->wanted[b->index]) ||
                 (b->region == REGION_PARTIAL && r->wanted_parts[b->index]);
    }
    return wanted;
}

static void want_nothing(Rounds *r) {
    r->wanted = ARENA_ARRAY(r->plan->arena, bool, r->plan->slots.count);
    r->wanted_parts = ARENA_ARRAY(r->plan->arena, bool, r->block->nodes.count);
}

/* A sum that no part needs, such as the loss itself or a gradient, belongs to the last round. */
static uint32_t put_off(Rounds *r) {
    Plan *plan = r->plan;
    uint32_t last = 0;
    want_nothing(r);
    for (uint32_t c = plan->calls.count; c-- > 0;) {
        const Call *call = &plan->calls.at[c];
        if (r->by_sample[c] && r->round[c] > last)
            last = r->round[c];
        if (r->by_sample[c] || is_wanted(r, call))
            want(r, call);
    }
    for (uint32_t k = 0; k < plan->sums.count; k++) {
        PlanSum *sum = &plan->sums.at[k];
        if (r->wanted[sum->slot])
            continue;
        sum->round = last;
        for (uint32_t i = 0; i < sum->calls.count; i++)
            r->round[sum->calls.at[i]] = last;
    }
    return last;
}

/* --- the lists ---------------------------------------------------------------------------------*/

/* The sum that a call writes, or NULL. */
static const PlanSum *written_sum(const Rounds *r, const Call *call) {
    const CallBuffer *last =
        call->buffers.count ? &call->buffers.at[call->buffers.count - 1] : NULL;
    return last && is_slot(last) && call->n_reads < call->buffers.count ? sum_of(r, last->index)
                                                                        : NULL;
}

/* Whether the call stands in round's list; what it reads is wanted then, unless it only stands
 * there for a sum to be put back. */
static bool enters(Rounds *r, uint32_t c, uint32_t round, bool last) {
    const Call *call = &r->plan->calls.at[c];
    const PlanSum *sum = written_sum(r, call);
    if (r->plan->keep.any && r->plan->keep.alone[c])
        return false;
    if (sum && sum->round < round)
        return (last || r->wanted[sum->slot]) && c == sum->calls.at[sum->calls.count - 1];
    const bool runs =
        r->round[c] <= round && (last || (sum ? sum->round == round : is_wanted(r, call)));
    if (runs)
        want(r, call);
    return runs;
}

static void list_round(Rounds *r, uint32_t round, bool last) {
    Plan *plan = r->plan;
    PlanRound to = {.calls = {0}};
    want_nothing(r);
    bool *runs = ARENA_ARRAY(plan->arena, bool, plan->calls.count + 1);
    for (uint32_t c = plan->calls.count; c-- > 0;)
        runs[c] = enters(r, c, round, last);
    for (uint32_t c = 0; c < plan->calls.count; c++)
        if (runs[c])
            vec_push(plan->arena, &to.calls, c);
    vec_push(plan->arena, &plan->rounds, to);
}

void plan_rounds(Plan *plan) {
    if (plan_is_called(plan->program))
        return; /* its caller has the whole batch, and may call it for any part of it */
    const uint32_t slots = plan->slots.count, calls = plan->calls.count;
    const uint32_t values = plan->program->block->nodes.count;
    Rounds r = {.plan = plan,
                .block = plan->program->block,
                .by_sample = ARENA_ARRAY(plan->arena, bool, calls + 1),
                .round = ARENA_ARRAY(plan->arena, uint32_t, calls + 1),
                .ready = ARENA_ARRAY(plan->arena, uint32_t, slots),
                .sum = ARENA_ARRAY(plan->arena, uint32_t, slots),
                .partial = ARENA_ARRAY(plan->arena, uint32_t, values)};
    for (uint32_t k = 0; k < slots; k++)
        r.sum[k] = NOT_A_SUM;
    find_rounds(&r);
    find_calls(&r);
    const uint32_t last = put_off(&r);
    for (uint32_t round = 0; round <= last; round++)
        list_round(&r, round, round == last);
}
