/* The manifest's calls, and which of them run a chunk of positions at a time. */
#include "runtime/run/plan_read.h"

#include <stdlib.h>
#include <string.h>

static const char *const call_names[HC_CALL_COUNT] = {
#define HC_CALL(ident, text) [HC_CALL_##ident] = text,
#include "abi/words.def"
};

static HcStatus domain_or(HcPlanReader *r, const json_t *value, HcDomain fallback, HcDomain *to) {
    *to = fallback;
    return value ? hc_field_domain(r, value, to) : HC_OK;
}

static HcStatus add_buffer(HcPlanReader *r, HcCall *call, const json_t *json) {
    HcPlan *plan = r->plan;
    if (plan->n_buffers == r->buffer_capacity) {
        uint32_t capacity = r->buffer_capacity ? 2 * r->buffer_capacity : 1024;
        HcBuffer *grown = realloc(plan->buffers, capacity * sizeof *grown);
        if (!grown)
            return hc_fail_memory(r->error, "the model's plan");
        plan->buffers = grown;
        r->buffer_capacity = capacity;
    }
    HcBuffer *to = &plan->buffers[plan->n_buffers];
    TRY(hc_field_buffer(r, json, to));
    if (to->region == HC_REGION_PARTIAL && call->kind != HC_CALL_KERNEL &&
        call->kind != HC_CALL_REDUCE)
        return hc_plan_bad(r, "partial buffers belong to kernels and reductions");
    plan->n_buffers++;
    call->count++;
    return HC_OK;
}

static HcStatus size(HcPlanReader *r, const json_t *json, const char *key, HcSize *to) {
    const json_t *value = json_object_get(json, key);
    *to = (HcSize){.domain = -1};
    if (json_is_string(value)) {
        HcDomain d = HC_GLOBAL;
        TRY(hc_field_domain(r, value, &d));
        to->domain = (int32_t)d;
        return hc_field_whole(r, json, "per_instance", 1, INT32_MAX, 1, &to->value);
    }
    return hc_field_whole(r, json, key, 1, INT32_MAX, 0, &to->value);
}

static HcStatus read_kernel_call(HcPlanReader *r, const json_t *json, HcCall *call) {
    int64_t kernel = 0;
    TRY(hc_field_domain(r, json_object_get(json, "domain"), &call->domain));
    TRY(hc_field_whole(r, json, "kernel", 0, (int64_t)r->plan->n_kernels - 1, -1, &kernel));
    call->kernel = (uint32_t)kernel;
    if (!call->name)
        call->name = r->plan->kernel_names[kernel];
    const char *tasks = json_string_value(json_object_get(json, "tasks"));
    if (tasks && strcmp(tasks, "samples") == 0)
        TRY(hc_field_whole(r, json, "per_sample", 1, INT32_MAX, 1, &call->per_sample));
    else if (tasks && strcmp(tasks, "tiles") != 0)
        return hc_plan_bad(r, "tasks");
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(json, "buffers"), i, item) TRY(add_buffer(r, call, item));
    int64_t reads = 0;
    TRY(hc_field_whole(r, json, "reads", 0, call->count, 0, &reads));
    call->reads = (uint32_t)reads;
    for (uint32_t k = call->first + call->reads; k < call->first + call->count; k++)
        call->gives = call->gives || r->plan->buffers[k].region == HC_REGION_OUTPUT;
    return HC_OK;
}

/* -1: there is none. */
static HcStatus product_kernel(HcPlanReader *r, const json_t *json, const char *key, int32_t *to) {
    int64_t kernel = 0;
    const int64_t most = r->plan->products.depth > 0 ? (int64_t)r->plan->n_kernels - 1 : -1;
    *to = -1;
    if (!json_object_get(json, key))
        return HC_OK;
    TRY(hc_field_whole(r, json, key, 0, most, -1, &kernel));
    *to = (int32_t)kernel;
    return HC_OK;
}

static HcStatus read_gemm(HcPlanReader *r, const json_t *json, HcCall *call) {
    TRY(size(r, json, "m", &call->m));
    TRY(size(r, json, "n", &call->n));
    TRY(size(r, json, "k", &call->k));
    TRY(hc_field_whole(r, json, "lda", 1, INT32_MAX, -1, &call->lda));
    TRY(hc_field_whole(r, json, "ldb", 1, INT32_MAX, -1, &call->ldb));
    TRY(hc_field_whole(r, json, "ldc", 1, INT32_MAX, -1, &call->ldc));
    TRY(hc_field_real(r, json, "beta", 0, &call->beta));
    call->transpose_a = hc_field_flag(json, "ta", false);
    call->transpose_b = hc_field_flag(json, "tb", false);
    TRY(product_kernel(r, json, "pack_a", &call->pack_a));
    TRY(product_kernel(r, json, "pack_b", &call->pack_b));
    TRY(product_kernel(r, json, "direct", &call->direct));
    if ((call->pack_a < 0) != (call->pack_b < 0) || (call->pack_a < 0 && call->direct >= 0))
        return hc_plan_bad(r, "a product of which one operand is packed");
    if (call->direct >= 0 && call->transpose_a)
        return hc_plan_bad(r, "a left operand that does not lie along its terms");
    if (r->plan->products_round && call->direct + 1 >= (int64_t)r->plan->n_kernels)
        return hc_plan_bad(r, "no kernel that rounds");
    TRY(add_buffer(r, call, json_object_get(json, "a")));
    TRY(add_buffer(r, call, json_object_get(json, "b")));
    return add_buffer(r, call, json_object_get(json, "c"));
}

/* What profiles tell; a manifest may leave it out. */
static void read_work(const json_t *json, const char *key, double to[3]) {
    const json_t *list = json_object_get(json, key);
    for (size_t k = 0; k < 3; k++)
        to[k] = json_number_value(json_array_get(list, k));
}

static HcStatus read_call(HcPlanReader *r, const json_t *json, HcCall *call) {
    int kind;
    TRY(hc_field_word(r, json_object_get(json, "kind"), call_names, HC_CALL_COUNT,
                      "unknown kind of call", &kind));
    call->kind = (HcCallKind)kind;
    call->first = r->plan->n_buffers;
    call->name = json_string_value(json_object_get(json, "label"));
    call->lines = json_string_value(json_object_get(json, "lines"));
    read_work(json, "operations", call->operations);
    read_work(json, "bytes", call->bytes);
    if (call->kind == HC_CALL_KERNEL)
        return read_kernel_call(r, json, call);
    if (!call->name)
        call->name = call_names[call->kind];
    if (call->kind == HC_CALL_GEMM)
        return read_gemm(r, json, call);
    if (call->kind == HC_CALL_ZERO) {
        TRY(hc_field_whole(r, json, "clears", 1, MAX_BYTES, -1, &call->cleared));
        TRY(hc_field_domain(r, json_object_get(json, "domain"), &call->domain));
        return add_buffer(r, call, json_object_get(json, "buffer"));
    }
    TRY(hc_field_whole(r, json, "elements", 1, INT64_C(1) << 45, -1, &call->elements));
    if (call->kind == HC_CALL_REDUCE) {
        TRY(hc_field_domain(r, json_object_get(json, "tasks_of"), &call->domain));
        TRY(hc_field_whole(r, json, "per_sample", 0, INT32_MAX, 0, &call->per_sample));
        TRY(add_buffer(r, call, json_object_get(json, "partial")));
        return add_buffer(r, call, json_object_get(json, "to"));
    }
    TRY(hc_field_domain(r, json_object_get(json, "domain"), &call->domain));
    TRY(hc_field_whole(r, json, "rows", 1, INT64_C(1) << 31, -1, &call->rows));
    TRY(hc_field_whole(r, json, "indices", 1, INT64_C(1) << 31, 1, &call->indices));
    TRY(domain_or(r, json_object_get(json, "index_domain"), call->domain, &call->index_domain));
    TRY(domain_or(r, json_object_get(json, "values_domain"), call->domain, &call->values_domain));
    TRY(domain_or(r, json_object_get(json, "to_domain"), HC_GLOBAL, &call->to_domain));
    if (!hc_is_within(call->index_domain, call->domain) ||
        !hc_is_within(call->values_domain, call->domain) ||
        !hc_is_within(call->to_domain, call->domain))
        return hc_plan_bad(r, "a scatter's domains do not lie in its own");
    TRY(add_buffer(r, call, json_object_get(json, "index")));
    TRY(add_buffer(r, call, json_object_get(json, "values")));
    return add_buffer(r, call, json_object_get(json, "to"));
}

HcStatus hc_plan_read_calls(HcPlanReader *r, const json_t *json) {
    HcPlan *plan = r->plan;
    const json_t *forward = json_object_get(json, "forward");
    const json_t *backward = json_object_get(json, "backward");
    size_t n_forward = json_array_size(forward), n = n_forward + json_array_size(backward);
    r->where = "plan.forward";
    if (!json_is_array(forward))
        return hc_plan_bad(r, "missing");
    ALLOCATE(plan->calls, n);
    plan->n_calls = (uint32_t)n;
    plan->n_forward = (uint32_t)n_forward;
    for (size_t k = 0; k < n; k++) {
        if (k == n_forward)
            r->where = "plan.backward";
        TRY(read_call(
            r, k < n_forward ? json_array_get(forward, k) : json_array_get(backward, k - n_forward),
            &plan->calls[k]));
    }
    return HC_OK;
}

static bool is_in(uint32_t call, const uint32_t range[2]) {
    return call >= range[0] && call < range[1];
}

/* Calls first .. end - 1 of one pass. */
static HcStatus read_range(HcPlanReader *r, const json_t *pair, uint32_t base, uint32_t end,
                           uint32_t range[2]) {
    for (size_t k = 0; k < 2; k++) {
        const json_t *at = json_array_get(pair, k);
        if (!json_is_integer(at) || json_integer_value(at) < 0 ||
            json_integer_value(at) > (json_int_t)(end - base))
            return hc_plan_bad(r, "a range of calls");
        range[k] = base + (uint32_t)json_integer_value(at);
    }
    return range[0] <= range[1] ? HC_OK : hc_plan_bad(r, "a range of calls");
}

/* Whether a call can run on a part of the positions. */
static bool is_by_position(const HcCall *call) {
    if (call->kind == HC_CALL_KERNEL)
        return call->domain == HC_POSITION && call->per_sample == 0;
    return call->kind == HC_CALL_GEMM &&
           (call->m.domain == HC_POSITION) != (call->k.domain == HC_POSITION);
}

/* Whether a call can run for some of the positions, or has none and runs once. */
static bool is_extending(const HcCall *call) {
    const bool positions = hc_is_by_position(call->domain);
    if (call->kind == HC_CALL_GEMM)
        return call->k.domain < 0 && call->n.domain < 0;
    return call->kind == HC_CALL_KERNEL || !positions;
}

static HcStatus read_extending(HcPlanReader *r, const json_t *array, HcExtends how) {
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item) {
        const json_int_t k = json_is_integer(item) ? json_integer_value(item) : -1;
        if (k < 0 || k >= r->plan->n_forward || !is_extending(&r->plan->calls[k]))
            return hc_plan_bad(r, "a call that needs all positions");
        r->plan->calls[k].extends = how;
    }
    return HC_OK;
}

HcStatus hc_plan_read_extend(HcPlanReader *r, const json_t *json, const HcOutput *logits) {
    HcPlan *plan = r->plan;
    r->where = "plan.extend";
    const char *refused = json_string_value(json_object_get(json, "refused"));
    plan->extends_not = json ? refused : "its manifest does not say how";
    if (plan->n_results > 0 && !plan->extends_not)
        return hc_plan_bad(r, "a program with results is not extended");
    if (plan->extends_not)
        return HC_OK;
    TRY(read_extending(r, json_object_get(json, "all"), HC_EXTENDS_ALL));
    TRY(read_extending(r, json_object_get(json, "last"), HC_EXTENDS_LAST));
    const bool by_position =
        logits && logits->rank >= 0 &&
        (logits->buffer.region == HC_REGION_POSITION || logits->buffer.region == HC_REGION_CHUNK);
    return by_position ? HC_OK : hc_plan_bad(r, "logits of no position");
}

static json_int_t forward_call(const HcPlan *plan, const json_t *item) {
    const json_int_t k = json_is_integer(item) ? json_integer_value(item) : -1;
    return k < plan->n_forward ? k : -1;
}

HcStatus hc_plan_read_keep(HcPlanReader *r, const json_t *json) {
    HcPlan *plan = r->plan;
    const json_t *calls = json_object_get(json, "calls");
    r->where = "plan.keep";
    ALLOCATE(plan->keeping, json_array_size(calls));
    size_t i;
    json_t *item;
    json_array_foreach(calls, i, item) {
        const json_int_t k = forward_call(plan, item);
        if (k < 0)
            return hc_plan_bad(r, "a call that is none of the forward pass");
        plan->keeping[plan->n_keeping++] = (uint32_t)k;
    }
    json_array_foreach(json_object_get(json, "alone"), i, item) {
        const json_int_t k = forward_call(plan, item);
        if (k < 0)
            return hc_plan_bad(r, "a call that is none of the forward pass");
        plan->calls[k].keeps = true;
    }
    return HC_OK;
}

HcStatus hc_plan_read_chunks(HcPlanReader *r, const json_t *json) {
    HcPlan *plan = r->plan;
    HcChunks *c = &plan->chunks;
    uint32_t n = plan->n_forward;
    *c = (HcChunks){.forward = {n, n}, .backward = {n, n}};
    r->where = "plan.chunks";
    if (json) {
        TRY(hc_field_whole(r, json, "positions", 1, INT32_MAX, 0, &c->positions));
        TRY(read_range(r, json_object_get(json, "forward"), 0, n, c->forward));
        TRY(read_range(r, json_object_get(json, "backward"), n, plan->n_calls, c->backward));
    }
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(json, "repeated"), i, item) {
        json_int_t k = json_is_integer(item) ? json_integer_value(item) : -1;
        if (k < c->forward[0] || k >= c->forward[1])
            return hc_plan_bad(r, "a repeated call");
        plan->calls[k].repeated = true;
    }
    for (uint32_t k = 0; k < plan->n_calls; k++) {
        const HcCall *call = &plan->calls[k];
        bool inside = is_in(k, c->forward) || is_in(k, c->backward);
        if (inside && !is_by_position(call))
            return hc_plan_bad(r, "a call that needs all positions");
        for (uint32_t b = call->first; !inside && b < call->first + call->count; b++)
            if (plan->buffers[b].region == HC_REGION_CHUNK)
                return hc_plan_bad(r, "a chunk's buffer outside its calls");
    }
    return HC_OK;
}
