#include "runtime/run/parts.h"
#include "abi/layout.h"

#include <stdlib.h>
#include <string.h>

HcStatus hc_parts_create(HcParts *parts, HcExec *exec, HcError *error) {
    const HcPlan *plan = exec->plan;
    *parts = (HcParts){.exec = exec, .count = 1};
    parts->places = calloc(plan->n_sums + 1, sizeof *parts->places);
    parts->runs = calloc(plan->n_calls + 1, sizeof *parts->runs);
    if (parts->places && parts->runs)
        return HC_OK;
    hc_parts_destroy(parts);
    return hc_fail_memory(error, "the model's plan");
}

void hc_parts_destroy(HcParts *parts) {
    free(parts->memory);
    free(parts->places);
    free(parts->runs);
    *parts = (HcParts){0};
}

/* --- memory ------------------------------------------------------------------------------------*/

/* Gradients lie in memory of their own, where nothing comes over them. */
static bool stays(const HcSum *sum) {
    return sum->buffer.region == HC_REGION_GRADS;
}

static int64_t elements_of(const HcParts *parts, const HcSum *sum) {
    return sum->elements * (stays(sum) ? 1 : parts->exec->units[sum->buffer.region]);
}

static size_t bytes_of(const HcParts *parts, const HcSum *sum) {
    return (size_t)elements_of(parts, sum) * (size_t)hc_element_bytes(sum->buffer.element);
}

static size_t room_for(const HcParts *parts, const HcSum *sum) {
    return hc_align(bytes_of(parts, sum));
}

HcStatus hc_parts_bind(HcParts *parts, int64_t count, HcError *error) {
    const HcPlan *plan = parts->exec->plan;
    const uint32_t levels = hc_part_levels((uint64_t)count);
    if (count > 1 && plan->n_rounds == 0)
        return hc_fail(error, HC_ERROR_MODEL,
                       "the model `%s` was built without a way to run a batch in parts: build it "
                       "again",
                       plan->model);
    size_t total = 0;
    for (uint32_t k = 0; k < plan->n_sums && count > 1; k++) {
        const HcSum *sum = &plan->sums[k];
        const size_t slots = levels + (stays(sum) ? 0 : 1);
        parts->places[k] = total;
        total += slots * room_for(parts, sum); /* far below 2^63: of tensors that are there */
    }
    if (total > parts->bytes) {
        uint8_t *grown = hc_aligned_zero(total);
        if (!grown)
            return hc_fail_size(error, "the sums of a batch's parts", (double)total);
        free(parts->memory);
        parts->memory = grown;
        parts->bytes = total;
    }
    parts->count = count;
    parts->levels = levels;
    return HC_OK;
}

/* --- the tree ----------------------------------------------------------------------------------*/

enum { SUM_ELEMENTS = 1 << 15 };

typedef struct {
    void *to;
    const void *from;
    int64_t count;
    bool add;
    HcElement element;
} Move;

#define DEFINE_ADD(name, real)                                                                     \
    static void name(real *to, const real *earlier, int64_t n) {                                   \
        for (int64_t k = 0; k < n; k++)                                                            \
            to[k] = earlier[k] + to[k];                                                            \
    }
DEFINE_ADD(add_f32, float)
DEFINE_ADD(add_f64, double)

static void move_task(void *argument, int64_t task, int32_t worker) {
    (void)worker;
    const Move *m = argument;
    const int64_t first = task * SUM_ELEMENTS, left = m->count - first;
    const int64_t n = left < SUM_ELEMENTS ? left : SUM_ELEMENTS;
    const int64_t size = hc_element_bytes(m->element);
    uint8_t *to = (uint8_t *)m->to + first * size;
    const uint8_t *from = (const uint8_t *)m->from + first * size;
    if (!m->add)
        memcpy(to, from, (size_t)(n * size));
    else if (m->element == HC_ELEMENT_F64)
        add_f64((double *)(void *)to, (const double *)(const void *)from, n);
    else
        add_f32((float *)(void *)to, (const float *)(const void *)from, n);
}

static void move(HcParts *parts, const HcSum *sum, void *to, const void *from, bool add) {
    Move m = {to, from, elements_of(parts, sum), add, sum->buffer.element};
    hc_pool_run(parts->exec->pool, (m.count + SUM_ELEMENTS - 1) / SUM_ELEMENTS, move_task, &m);
}

static void *place_of(const HcParts *parts, const HcSum *sum) {
    return hc_exec_address(parts->exec, sum->buffer, &parts->outside);
}

static uint8_t *level_of(const HcParts *parts, const HcSum *sum, uint32_t level) {
    return parts->memory + parts->places[sum - parts->exec->plan->sums] +
           level * room_for(parts, sum);
}

/* Adds a part's sum, which lies in its place, to those before it. After the last part what they
 * came to lies there. */
static void add_up(HcParts *parts, const HcSum *sum) {
    void *place = place_of(parts, sum);
    const bool last = parts->part + 1 == parts->count;
    uint32_t level = 0;
    bool pairs = true; /* all levels below have been taken in */
    for (; level < parts->levels; level++) {
        const bool waits = parts->part >> level & 1;
        pairs = pairs && waits;
        if (!pairs && !last)
            break;
        if (waits)
            move(parts, sum, place, level_of(parts, sum, level), true);
    }
    if (!last)
        move(parts, sum, level_of(parts, sum, level), place, false);
    else if (!stays(sum))
        move(parts, sum, level_of(parts, sum, parts->levels), place, false);
}

/* Another value may have had its place since. */
static void put_back(HcParts *parts, const HcSum *sum) {
    if (!stays(sum))
        move(parts, sum, place_of(parts, sum), level_of(parts, sum, parts->levels), false);
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

void hc_parts_run(HcParts *parts, HcPass pass, HcPlaces outside, const HcPartsUser *user) {
    const HcPlan *plan = parts->exec->plan;
    parts->outside = outside;
    hc_exec_clear_times(parts->exec, pass);
    for (uint32_t round = 0; round < plan->n_rounds; round++) {
        take_round(parts, round);
        for (parts->part = 0; parts->part < parts->count; parts->part++) {
            user->begin(user->user, parts->part);
            run_part(parts, pass);
            if (round + 1 == plan->n_rounds)
                user->end(user->user, parts->part);
        }
    }
    run_whole(parts, pass);
}
