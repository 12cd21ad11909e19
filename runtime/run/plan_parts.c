/* The manifest's word on batches in parts: what is summed over samples, and what runs in a round.
 */
#include "runtime/run/plan_read.h"

#include <stdlib.h>

/* Numbers of calls, ascending. */
static HcStatus read_calls(HcPlanReader *r, const json_t *array, HcCallList *list) {
    const size_t n = json_array_size(array);
    if (!json_is_array(array))
        return hc_plan_bad(r, "calls");
    ALLOCATE(list->at, n);
    list->count = (uint32_t)n;
    for (size_t k = 0; k < n; k++) {
        const json_t *at = json_array_get(array, k);
        const json_int_t call = json_is_integer(at) ? json_integer_value(at) : -1;
        if (call < 0 || call >= (json_int_t)r->plan->n_calls ||
            (k > 0 && call <= (json_int_t)list->at[k - 1]))
            return hc_plan_bad(r, "calls");
        list->at[k] = (uint32_t)call;
    }
    return HC_OK;
}

/* Whether the call writes to that buffer, as the last of its own. */
static bool writes(const HcPlan *plan, uint32_t call, HcBuffer to) {
    const HcCall *c = &plan->calls[call];
    if (c->count == 0)
        return false;
    const HcBuffer last = plan->buffers[c->first + c->count - 1];
    return last.region == to.region && last.offset == to.offset && last.index == to.index &&
           last.element == to.element;
}

static HcStatus read_sum(HcPlanReader *r, const json_t *json, HcSum *sum) {
    int64_t round = 0;
    TRY(hc_field_buffer(r, json_object_get(json, "buffer"), &sum->buffer));
    TRY(hc_field_whole(r, json, "elements", 1, INT64_C(1) << 45, -1, &sum->elements));
    TRY(hc_field_whole(r, json, "round", 0, (int64_t)r->plan->n_rounds - 1, -1, &round));
    TRY(read_calls(r, json_object_get(json, "calls"), &sum->calls));
    sum->round = (uint32_t)round;
    if (sum->calls.count == 0)
        return hc_plan_bad(r, "calls");
    for (uint32_t k = 0; k < sum->calls.count; k++) {
        HcCall *call = &r->plan->calls[sum->calls.at[k]];
        if (call->sum || !writes(r->plan, sum->calls.at[k], sum->buffer))
            return hc_plan_bad(r, "a sum that its calls do not write");
        call->sum = (uint32_t)(sum - r->plan->sums) + 1;
    }
    return HC_OK;
}

/* Runs of calls, first and end by turns. */
static HcStatus read_round(HcPlanReader *r, const json_t *array, HcRound *round) {
    const size_t n = json_array_size(array);
    json_int_t before = 0;
    if (!json_is_array(array) || n % 2 != 0)
        return hc_plan_bad(r, "rounds");
    ALLOCATE(round->bounds, n);
    round->count = (uint32_t)n;
    for (size_t k = 0; k < n; k++) {
        const json_t *at = json_array_get(array, k);
        const json_int_t bound = json_is_integer(at) ? json_integer_value(at) : -1;
        if (bound < before || bound > (json_int_t)r->plan->n_calls)
            return hc_plan_bad(r, "rounds");
        before = bound;
        round->bounds[k] = (uint32_t)bound;
    }
    return HC_OK;
}

HcStatus hc_plan_read_parts(HcPlanReader *r, const json_t *json) {
    HcPlan *plan = r->plan;
    const json_t *sums = json_object_get(json, "sums"), *rounds = json_object_get(json, "rounds");
    r->where = "plan.parts";
    if (!json)
        return HC_OK; /* then a batch runs whole */
    if (!json_is_array(sums) || !json_is_array(rounds) || json_array_size(rounds) == 0)
        return hc_plan_bad(r, "missing");
    ALLOCATE(plan->rounds, json_array_size(rounds));
    plan->n_rounds = (uint32_t)json_array_size(rounds);
    for (uint32_t k = 0; k < plan->n_rounds; k++)
        TRY(read_round(r, json_array_get(rounds, k), &plan->rounds[k]));
    ALLOCATE(plan->sums, json_array_size(sums));
    plan->n_sums = (uint32_t)json_array_size(sums);
    for (uint32_t k = 0; k < plan->n_sums; k++)
        TRY(read_sum(r, json_array_get(sums, k), &plan->sums[k]));
    return HC_OK;
}

void hc_plan_free_parts(HcPlan *plan) {
    for (uint32_t k = 0; k < plan->n_sums; k++)
        free(plan->sums[k].calls.at);
    for (uint32_t k = 0; k < plan->n_rounds; k++)
        free(plan->rounds[k].bounds);
    free(plan->sums);
    free(plan->rounds);
}
