#include "runtime/run/parts.h"
#include "abi/layout.h"
#include "runtime/run/elements.h"

#include <stdlib.h>
#include <string.h>

HcStatus hc_parts_create(HcParts *parts, HcExec *exec, HcError *error) {
    const HcPlan *plan = exec->plan;
    *parts = (HcParts){.exec = exec, .count = 1, .end = 1};
    parts->places = calloc(plan->n_sums + 1, sizeof *parts->places);
    parts->ends = calloc(plan->n_rounds + 1, sizeof *parts->ends);
    parts->runs = calloc(plan->n_calls + 1, sizeof *parts->runs);
    if (parts->places && parts->ends && parts->runs)
        return HC_OK;
    hc_parts_destroy(parts);
    return hc_fail_memory(error, "the model's plan");
}

void hc_parts_destroy(HcParts *parts) {
    free(parts->memory);
    free(parts->places);
    free(parts->ends);
    free(parts->bounds);
    free(parts->runs);
    hc_parts_meet_destroy(parts);
    *parts = (HcParts){0};
}

/* --- memory ------------------------------------------------------------------------------------*/

/* Gradients lie in memory of their own, where nothing comes over them. */
static bool stays(const HcSum *sum) {
    return sum->buffer.region == HC_REGION_GRADS;
}

/* Whether the owners of a gradient's elements keep it. */
static bool is_kept(const HcParts *parts, const HcSum *sum) {
    return parts->ranks && stays(sum) &&
           parts->shards->sum[sum->buffer.index] == 1 + (uint32_t)(sum - parts->exec->plan->sums);
}

static int64_t elements_of(const HcParts *parts, const HcSum *sum) {
    return sum->elements * (stays(sum) ? 1 : parts->exec->units[sum->buffer.region]);
}

static size_t bytes_of(const HcParts *parts, const HcSum *sum) {
    return (size_t)elements_of(parts, sum) * (size_t)hc_element_bytes(sum->buffer.element);
}

/* Ranks meet after each round, so its sums lie side by side, behind them all gradients that their
 * owners keep, in the order in which the backward pass has them; alone those lie first that have no
 * other memory for what they come to. */
static uint32_t group_of(const HcParts *parts, const HcSum *sum) {
    if (!parts->ranks)
        return stays(sum);
    return is_kept(parts, sum) ? parts->exec->plan->n_rounds : sum->round;
}

static void place_sum(HcParts *parts, const HcSum *sum) {
    parts->places[sum - parts->exec->plan->sums] = parts->stride;
    parts->stride += hc_align(bytes_of(parts, sum)); /* far below 2^63: of tensors that are there */
}

static void place_group(HcParts *parts, uint32_t group) {
    const HcPlan *plan = parts->exec->plan;
    for (uint32_t k = 0; k < plan->n_sums; k++)
        if (group_of(parts, &plan->sums[k]) == group)
            place_sum(parts, &plan->sums[k]);
}

/* Bytes of the last slot, which holds what the sums came to. */
static size_t place_sums(HcParts *parts) {
    const HcPlan *plan = parts->exec->plan;
    const uint32_t groups = parts->ranks ? plan->n_rounds : 1;
    parts->stride = 0;
    for (uint32_t group = 0; group < groups; group++) {
        place_group(parts, group);
        parts->ends[group] = parts->stride;
    }
    const size_t in_last_slot = parts->stride;
    if (!parts->ranks && !parts->only_forward)
        place_group(parts, groups);
    for (uint32_t k = 0; parts->ranks && k < parts->shards->n_ready; k++) {
        const uint32_t sum = parts->shards->sum[parts->shards->ready[k]];
        if (sum)
            place_sum(parts, &plan->sums[sum - 1]);
    }
    return in_last_slot;
}

/* The most that waits after any part, the last one's sum not with it where it ends the batch. */
static uint32_t most_waiting(int64_t first, int64_t end, bool alone) {
    HcPartNode nodes[HC_PART_NODES];
    uint32_t most = 0;
    for (int64_t k = first + 1; k < end + !alone; k++) {
        const uint32_t waiting = hc_part_nodes(first, k, nodes);
        most = waiting > most ? waiting : most;
    }
    return most;
}

static HcStatus bind_memory(HcParts *parts, HcError *error) {
    parts->slots = most_waiting(parts->first, parts->end, !parts->ranks);
    const size_t last = place_sums(parts), total = parts->slots * parts->stride + last;
    if (parts->count > 1 && total > parts->bytes) {
        uint8_t *grown = hc_aligned_zero(parts->imagined ? HC_ALIGN : total);
        if (!grown)
            return hc_fail_size(error, "the sums of a batch's parts", (double)total);
        free(parts->memory);
        parts->memory = grown;
        parts->bytes = total;
    }
    return parts->ranks ? hc_parts_meet_bind(parts, error) : HC_OK;
}

static HcStatus share_out(HcParts *parts, HcError *error) {
    const int32_t size = hc_ranks_size(parts->ranks), rank = hc_ranks_rank(parts->ranks);
    parts->first = 0;
    parts->end = parts->count;
    if (!parts->ranks)
        return HC_OK;
    if (parts->count < size)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "%d ranks and %lld parts of a batch: each rank needs one, so give "
                       "`batch B in %d;` or a multiple of it (--set train.batch=\"B in %d\")",
                       size, (long long)parts->count, size, size);
    int64_t *bounds = calloc((size_t)size + 1, sizeof *bounds);
    HcStatus status = bounds ? hc_part_bounds(parts->count, size, bounds, error)
                             : hc_fail_memory(error, "the parts of a batch");
    if (status != HC_OK) {
        free(bounds);
        return status;
    }
    free(parts->bounds);
    parts->bounds = bounds;
    parts->first = bounds[rank];
    parts->end = bounds[rank + 1];
    return HC_OK;
}

HcStatus hc_parts_bind(HcParts *parts, int64_t count, HcError *error) {
    const HcPlan *plan = parts->exec->plan;
    if (count > 1 && plan->n_rounds == 0)
        return hc_fail(error, HC_ERROR_MODEL,
                       "the model `%s` was built without a way to run a batch in parts: build it "
                       "again",
                       plan->model);
    parts->count = count;
    HcStatus status = share_out(parts, error);
    return status == HC_OK ? bind_memory(parts, error) : status;
}

HcStatus hc_parts_share(HcParts *parts, const HcShards *shards, HcError *error) {
    const HcShards *before = parts->shards;
    parts->shards = shards;
    parts->ranks = shards ? shards->ranks : NULL;
    HcStatus status = hc_parts_bind(parts, parts->count, error);
    if (status != HC_OK) {
        parts->shards = before;
        parts->ranks = before ? before->ranks : NULL;
        hc_parts_bind(parts, parts->count, NULL);
    }
    return status;
}

/* --- the tree ----------------------------------------------------------------------------------*/

static void move(HcParts *parts, const HcSum *sum, void *to, const void *from, bool add) {
    const int64_t count = elements_of(parts, sum);
    if (add)
        hc_elements_add(parts->exec->pool, to, from, count, sum->buffer.element);
    else
        hc_elements_copy(parts->exec->pool, to, from, count, sum->buffer.element);
}

static void *place_of(const HcParts *parts, const HcSum *sum) {
    return hc_exec_address(parts->exec, sum->buffer, &parts->outside);
}

static uint8_t *slot_of(const HcParts *parts, const HcSum *sum, uint32_t slot) {
    return parts->memory + parts->places[sum - parts->exec->plan->sums] + slot * parts->stride;
}

/* Adds a part's sum, which lies in its place, to those before it. After the last part, where there
 * are no ranks, what they came to lies there. */
static void add_up(HcParts *parts, const HcSum *sum) {
    HcPartNode waiting[HC_PART_NODES], mine = {parts->part, 0};
    void *place = place_of(parts, sum);
    const bool last = !parts->ranks && parts->part + 1 == parts->count;
    uint32_t count = hc_part_nodes(parts->first, parts->part, waiting);
    for (; count > 0 && (last || hc_part_pair(waiting[count - 1], mine)); count--) {
        move(parts, sum, place, slot_of(parts, sum, count - 1), true);
        mine = (HcPartNode){waiting[count - 1].first, mine.level + 1};
    }
    if (!last)
        move(parts, sum, slot_of(parts, sum, count), place, false);
    else if (!stays(sum))
        move(parts, sum, slot_of(parts, sum, parts->slots), place, false);
    if (parts->expects && is_kept(parts, sum))
        hc_parts_meet_ready(parts, sum);
}

/* Another value may have had its place since. */
static void put_back(HcParts *parts, const HcSum *sum) {
    if (!stays(sum))
        move(parts, sum, place_of(parts, sum), slot_of(parts, sum, parts->slots), false);
}

/* What the sums of a round came to, from all ranks. */
static HcStatus meet(HcParts *parts, HcError *error) {
    const HcPlan *plan = parts->exec->plan;
    HcStatus status = parts->ranks ? hc_parts_meet(parts, error) : HC_OK;
    for (uint32_t k = 0; k < plan->n_sums && parts->ranks && status == HC_OK; k++)
        if (plan->sums[k].round == parts->round && stays(&plan->sums[k]) &&
            !is_kept(parts, &plan->sums[k]))
            move(parts, &plan->sums[k], place_of(parts, &plan->sums[k]),
                 slot_of(parts, &plan->sums[k], parts->slots), false);
    return status;
}

/* --- a part ------------------------------------------------------------------------------------*/

/* Whether there is a call for each part, and not one for the batch. */
static bool is_by_part(const HcCall *call) {
    switch (call->kind) {
    case HC_CALL_GEMM:
        return (call->m.domain >= 0 && hc_is_by_sample((HcDomain)call->m.domain)) ||
               (call->k.domain >= 0 && hc_is_by_sample((HcDomain)call->k.domain));
    default:
        return hc_is_by_sample(call->domain);
    }
}

/* A term of a sum that is the same for all parts counts once. */
static bool counts_once(const HcParts *parts, const HcCall *call) {
    return parts->part > 0 && call->kind == HC_CALL_GEMM && !is_by_part(call);
}

static void run_term(HcParts *parts, uint32_t c, const HcSum *sum) {
    const HcCall *call = &parts->exec->plan->calls[c];
    if (!counts_once(parts, call))
        hc_exec_run_call(parts->exec, c);
    else if (call->beta == 0)
        memset(place_of(parts, sum), 0, bytes_of(parts, sum));
}

/* The sum that a call adds to, or NULL. */
static const HcSum *sum_of(const HcPlan *plan, uint32_t call) {
    const uint32_t sum = plan->calls[call].sum;
    return sum ? &plan->sums[sum - 1] : NULL;
}

static bool is_last(const HcSum *sum, uint32_t call) {
    return call == sum->calls.at[sum->calls.count - 1];
}

static void run_part_call(HcParts *parts, uint32_t c) {
    const HcPlan *plan = parts->exec->plan;
    const HcSum *sum = sum_of(plan, c);
    if (!parts->runs[c])
        return;
    if (parts->expects)
        hc_parts_meet_move_on(parts);
    if (!sum) {
        hc_exec_run_call(parts->exec, c);
    } else if (sum->round < parts->round) {
        put_back(parts, sum);
    } else {
        run_term(parts, c, sum);
        if (is_last(sum, c))
            add_up(parts, sum);
    }
}

/* What the walk through chunks summed is there after it. */
static void close_walk(HcParts *parts, const uint32_t range[2]) {
    const HcPlan *plan = parts->exec->plan;
    for (uint32_t c = range[0]; c < range[1]; c++) {
        const HcSum *sum = sum_of(plan, c);
        if (!sum || !is_last(sum, c))
            continue;
        if (parts->runs[c])
            add_up(parts, sum);
        else if (sum->round < parts->round)
            put_back(parts, sum);
    }
}

static void run_range(HcParts *parts, uint32_t first, uint32_t end) {
    for (uint32_t c = first; c < end; c++)
        run_part_call(parts, c);
}

/* As hc_exec_run runs a pass. */
static void run_part(HcParts *parts, HcPass pass) {
    HcExec *exec = parts->exec;
    const HcPlan *plan = exec->plan;
    const HcChunks *chunks = &plan->chunks;
    run_range(parts, 0, chunks->forward[0]);
    if (pass & HC_BACKWARD)
        run_range(parts, plan->n_forward, chunks->backward[0]);
    hc_exec_run_chunks(exec, pass, parts->runs);
    close_walk(parts, chunks->forward);
    if (pass & HC_BACKWARD)
        close_walk(parts, chunks->backward);
    run_range(parts, chunks->forward[1], plan->n_forward);
    if (pass & HC_BACKWARD)
        run_range(parts, chunks->backward[1], plan->n_calls);
}

/* --- all of them -------------------------------------------------------------------------------*/

static void take_round(HcParts *parts, uint32_t number) {
    const HcPlan *plan = parts->exec->plan;
    const HcRound *round = &plan->rounds[number];
    memset(parts->runs, 0, plan->n_calls * sizeof *parts->runs);
    for (uint32_t k = 0; k < round->count; k += 2)
        for (uint32_t c = round->bounds[k]; c < round->bounds[k + 1]; c++)
            parts->runs[c] = true;
    parts->round = number;
    /* within a walk a sum that is complete is not added to again */
    const uint32_t *ranges[] = {plan->chunks.forward, plan->chunks.backward};
    for (int r = 0; r < 2; r++)
        for (uint32_t c = ranges[r][0]; c < ranges[r][1]; c++)
            if (sum_of(plan, c) && sum_of(plan, c)->round < number)
                parts->runs[c] = false;
}

/* What is made once for the batch, of complete sums. */
static void run_whole(HcParts *parts, HcPass pass) {
    const HcPlan *plan = parts->exec->plan;
    const uint32_t end = pass & HC_BACKWARD ? plan->n_calls : plan->n_forward;
    for (uint32_t c = 0; c < end; c++) {
        const HcSum *sum = sum_of(plan, c);
        if (sum && is_last(sum, c))
            put_back(parts, sum);
        else if (!sum && !is_by_part(&plan->calls[c]) && !plan->calls[c].keeps)
            hc_exec_run_call(parts->exec, c);
    }
}

HcStatus hc_parts_run(HcParts *parts, HcPass pass, HcPlaces outside, const HcPartsUser *user,
                      HcError *error) {
    const HcPlan *plan = parts->exec->plan;
    HcStatus status = HC_OK;
    if (pass & HC_BACKWARD && parts->only_forward && !parts->ranks)
        return hc_fail(error, HC_ERROR_ARGUMENT, "a backward pass needs the other ranks");
    parts->outside = outside;
    hc_exec_clear_times(parts->exec, pass);
    for (uint32_t round = 0; round < plan->n_rounds && status == HC_OK; round++) {
        take_round(parts, round);
        for (parts->part = parts->first; parts->part < parts->end; parts->part++) {
            user->begin(user->user, parts->part);
            if (parts->ranks && parts->part + 1 == parts->end && pass & HC_BACKWARD)
                hc_parts_meet_expect(parts);
            run_part(parts, pass);
            if (round + 1 == plan->n_rounds)
                user->end(user->user, parts->part);
        }
        status = meet(parts, error);
    }
    if (status == HC_OK)
        run_whole(parts, pass);
    return status;
}
