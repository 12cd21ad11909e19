/* Reads the manifest (docs/manifest.md). It was made by the compiler, but it may have been damaged
 * or edited since: everything that later code indexes with is checked here, once. */
#include "runtime/run/plan.h"
#include "abi/layout.h"
#include "runtime/files/json_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of a region's unit or all parameters, so that sums stay far below 2^63. */
#define MAX_BYTES (INT64_C(1) << 50)

typedef struct {
    HcPlan *plan;
    HcError *error;
    const char *where; /* what is being read, for messages */
    uint32_t buffer_capacity;
} Reader;

static HcStatus bad(Reader *r, const char *what) {
    return hc_fail(r->error, HC_ERROR_MODEL, "the model's manifest is malformed: %s: %s", r->where,
                   what);
}

#define TRY(expression)                                                                            \
    do {                                                                                           \
        HcStatus status_ = (expression);                                                           \
        if (status_ != HC_OK)                                                                      \
            return status_;                                                                        \
    } while (0)

static void *take(Reader *r, size_t count, size_t size, HcStatus *status) {
    void *memory = calloc(count ? count : 1, size);
    *status = memory ? HC_OK : hc_fail_memory(r->error, "the model's plan");
    return memory;
}

#define ALLOCATE(to, n)                                                                            \
    do {                                                                                           \
        HcStatus status_;                                                                          \
        (to) = take(r, (n), sizeof *(to), &status_);                                               \
        if (status_ != HC_OK)                                                                      \
            return status_;                                                                        \
    } while (0)

/* --- scalars -----------------------------------------------------------------------------------*/

static HcStatus whole(Reader *r, const json_t *object, const char *key, int64_t low, int64_t high,
                      int64_t fallback, int64_t *to) {
    const json_t *value = json_object_get(object, key);
    if (!value && fallback >= low) {
        *to = fallback;
        return HC_OK;
    }
    if (!json_is_integer(value) || json_integer_value(value) < low ||
        json_integer_value(value) > high)
        return bad(r, key);
    *to = json_integer_value(value);
    return HC_OK;
}

static HcStatus text(Reader *r, const json_t *object, const char *key, const char **to) {
    *to = json_string_value(json_object_get(object, key));
    return *to ? HC_OK : bad(r, key);
}

static HcStatus real(Reader *r, const json_t *object, const char *key, double fallback,
                     double *to) {
    const json_t *value = json_object_get(object, key);
    if (value && !json_is_number(value))
        return bad(r, key);
    *to = value ? json_number_value(value) : fallback;
    return HC_OK;
}

static bool flag(const json_t *object, const char *key, bool fallback) {
    const json_t *value = json_object_get(object, key);
    return value ? json_is_true(value) : fallback;
}

/* --- words -------------------------------------------------------------------------------------*/

static const char *const region_names[HC_REGION_COUNT] = {
#define HC_REGION(ident, text) [HC_REGION_##ident] = text,
#include "abi/words.def"
};
static const char *const element_names[HC_ELEMENT_COUNT] = {
#define HC_ELEMENT(ident, text, bytes) [HC_ELEMENT_##ident] = text,
#include "abi/words.def"
};
static const char *const domain_names[HC_DOMAIN_COUNT] = {
#define HC_DOMAIN(ident, text) [HC_##ident] = text,
#include "abi/words.def"
};
static const char *const call_names[HC_CALL_COUNT] = {
#define HC_CALL(ident, text) [HC_CALL_##ident] = text,
#include "abi/words.def"
};
static const char *const init_names[HC_INIT_COUNT] = {
#define HC_INITIALISER(ident, text) [HC_INIT_##ident] = text,
#include "abi/words.def"
};

/* Which of the words it is, as an enumerator. */
static HcStatus word(Reader *r, const json_t *value, const char *const *words, int count,
                     const char *wrong, int *to) {
    const char *name = json_string_value(value);
    for (*to = 0; name && *to < count; ++*to)
        if (strcmp(name, words[*to]) == 0)
            return HC_OK;
    return bad(r, wrong);
}

static HcStatus element(Reader *r, const json_t *value, HcElement *to) {
    int k;
    TRY(word(r, value, element_names, HC_ELEMENT_COUNT, "unknown element type", &k));
    *to = (HcElement)k;
    return HC_OK;
}

static HcStatus domain(Reader *r, const json_t *value, HcDomain *to) {
    int k;
    TRY(word(r, value, domain_names, HC_DOMAIN_COUNT, "unknown domain", &k));
    *to = (HcDomain)k;
    return HC_OK;
}

static HcStatus domain_or(Reader *r, const json_t *value, HcDomain fallback, HcDomain *to) {
    *to = fallback;
    return value ? domain(r, value, to) : HC_OK;
}

/* Whether each instance of `inner` belongs to one of `outer`. */
static bool is_within(HcDomain outer, HcDomain inner) {
    return outer == HC_GLOBAL || outer == inner || inner == HC_POSITION;
}

/* dims[], and their product, which must stay below 2^48. */
static HcStatus shape(Reader *r, const json_t *array, int32_t *rank, int64_t *dims,
                      int64_t *count) {
    size_t n = json_array_size(array);
    if (!json_is_array(array) || n > HC_MAX_RANK)
        return bad(r, "dims");
    *rank = (int32_t)n;
    *count = 1;
    for (size_t k = 0; k < n; k++) {
        dims[k] = json_integer_value(json_array_get(array, k));
        if (dims[k] < 1 || __builtin_mul_overflow(*count, dims[k], count) ||
            *count > INT64_C(1) << 48)
            return bad(r, "dims");
    }
    return HC_OK;
}

/* A region with a count holds whole tiles of units, so what lies before is a multiple of so many.
 */
static bool is_aligned(const HcBuffer *buffer) {
    const bool counted = buffer->region > HC_REGION_GLOBAL && buffer->region != HC_REGION_PARTIAL;
    return buffer->offset * (counted ? HC_TILE_STEP : 1) % hc_element_bytes(buffer->element) == 0;
}

static HcStatus buffer(Reader *r, const json_t *array, HcBuffer *to) {
    const json_t *offset = json_array_get(array, 2);
    int region;
    TRY(element(r, json_array_get(array, 1), &to->element));
    TRY(word(r, json_array_get(array, 0), region_names, HC_REGION_COUNT, "unknown region",
             &region));
    if (!json_is_integer(offset) || json_integer_value(offset) < 0 ||
        json_integer_value(offset) > MAX_BYTES)
        return bad(r, "buffer");
    to->region = (HcRegion)region;
    to->offset = json_integer_value(offset);
    to->index = 0;
    if (to->region == HC_REGION_CHUNK) {
        int64_t bytes = json_integer_value(json_array_get(array, 3));
        if (bytes < 1 || bytes > INT32_MAX)
            return bad(r, "bytes of a chunk's buffer");
        to->index = (uint32_t)bytes;
    }
    if (!is_aligned(to))
        return bad(r, "a buffer where none of its elements may lie");
    if (to->region > HC_REGION_INPUT)
        return to->offset <= r->plan->region_bytes[to->region] ? HC_OK : bad(r, "buffer offset");
    int64_t limit = to->region == HC_REGION_INPUT ? r->plan->n_inputs : r->plan->n_parameters;
    const json_t *index = json_array_get(array, 3);
    if (!json_is_integer(index) || json_integer_value(index) < 0 ||
        json_integer_value(index) >= limit)
        return bad(r, "buffer index");
    to->index = (uint32_t)json_integer_value(index);
    return HC_OK;
}

/* --- parameters, inputs, recipe, data ----------------------------------------------------------*/

static HcStatus initialiser(Reader *r, const json_t *json, HcParameterPlan *p) {
    int kind;
    TRY(word(r, json_object_get(json, "kind"), init_names, HC_INIT_COUNT, "unknown initialiser",
             &kind));
    p->init = (HcInitKind)kind;
    if (p->init == HC_INIT_FILL)
        return real(r, json, "value", 0, &p->a);
    if (p->init == HC_INIT_NORMAL) {
        TRY(real(r, json, "mean", 0, &p->a));
        return real(r, json, "std", 1, &p->b);
    }
    if (p->init == HC_INIT_UNIFORM) {
        TRY(real(r, json, "low", 0, &p->a));
        return real(r, json, "high", 1, &p->b);
    }
    p->data = json_object_get(json, "values");
    if (!json_is_array(p->data) || (int64_t)json_array_size(p->data) != p->count)
        return bad(r, "initial values do not match the shape");
    return HC_OK;
}

static HcStatus read_parameters(Reader *r, const json_t *root) {
    HcPlan *plan = r->plan;
    const json_t *array = json_object_get(root, "params");
    r->where = "params";
    TRY(whole(r, root, "param_bytes", 0, MAX_BYTES, -1, &plan->slab_bytes));
    size_t n = json_array_size(array);
    if (!json_is_array(array) || n > UINT32_MAX / 2)
        return bad(r, "missing");
    ALLOCATE(plan->parameters, n);
    plan->n_parameters = (uint32_t)n;
    for (size_t k = 0; k < n; k++) {
        const json_t *json = json_array_get(array, k);
        HcParameterPlan *p = &plan->parameters[k];
        TRY(text(r, json, "name", &p->name));
        r->where = p->name;
        p->group = json_string_value(json_object_get(json, "group"));
        p->group = p->group ? p->group : "";
        TRY(shape(r, json_object_get(json, "dims"), &p->rank, p->dims, &p->count));
        TRY(whole(r, json, "offset", 0, plan->slab_bytes, -1, &p->offset));
        TRY(element(r, json_object_get(json, "element"), &p->element));
        if (p->element != hc_plan_real(plan))
            return bad(r, "a parameter of another type than the model's");
        if (p->count * hc_element_bytes(p->element) > plan->slab_bytes - p->offset ||
            p->offset % HC_ALIGN != 0)
            return bad(r, "offset");
        TRY(initialiser(r, json_object_get(json, "init"), p));
        p->decay = flag(json, "decay", true);
        p->frozen = flag(json, "frozen", false);
        p->buffer = flag(json, "buffer", false);
        p->gradient = flag(json, "grad", true);
        TRY(real(r, json, "lr_scale", 1, &p->lr_scale));
    }
    return HC_OK;
}

static HcStatus read_inputs(Reader *r, const json_t *root) {
    HcPlan *plan = r->plan;
    const json_t *array = json_object_get(root, "inputs");
    r->where = "inputs";
    size_t n = json_array_size(array);
    if (!json_is_array(array) || n > 1 << 20)
        return bad(r, "missing");
    ALLOCATE(plan->inputs, n);
    plan->n_inputs = (uint32_t)n;
    for (size_t k = 0; k < n; k++) {
        const json_t *json = json_array_get(array, k);
        HcInputPlan *input = &plan->inputs[k];
        TRY(text(r, json, "name", &input->name));
        r->where = input->name;
        TRY(element(r, json_object_get(json, "element"), &input->element));
        input->integer = input->element == HC_ELEMENT_I32;
        if (!input->integer && input->element != hc_plan_real(plan))
            return bad(r, "an input of another type than the model's");
        TRY(domain(r, json_object_get(json, "domain"), &input->domain));
        TRY(shape(r, json_object_get(json, "dims"), &input->rank, input->dims, &input->count));
        TRY(whole(r, json, "limit", 0, INT64_C(1) << 31, 0, &input->limit));
        input->target = flag(json, "target", false);
    }
    return HC_OK;
}

static HcStatus read_recipe(Reader *r, const json_t *root) {
    HcRecipe *recipe = &r->plan->recipe;
    const json_t *json = json_object_get(root, "recipe");
    r->where = "recipe";
    *recipe = (HcRecipe){.optimizer = HC_ADAMW, .schedule = HC_CONSTANT, .batch = 1, .steps = 1};
    if (!json_is_object(json))
        return HC_OK; /* a model without a train block runs, but is not trained here */
    int optimizer, schedule;
    TRY(word(r, json_object_get(json, "optimizer"), hc_optimizer_names, HC_OPTIMIZER_COUNT,
             "unknown optimizer", &optimizer));
    TRY(word(r, json_object_get(json, "schedule"), hc_schedule_names, HC_SCHEDULE_COUNT,
             "unknown schedule", &schedule));
    recipe->optimizer = (HcOptimizer)optimizer;
    recipe->schedule = (HcSchedule)schedule;
    HcError why = {0};
    return hc_recipe_read(recipe, json, &why) == HC_OK ? HC_OK : bad(r, why.message);
}

/* --- the plan ----------------------------------------------------------------------------------*/

static HcStatus read_regions(Reader *r, const json_t *json) {
    r->where = "plan.regions";
    for (int k = HC_REGION_GLOBAL; k < HC_REGION_COUNT; k++)
        TRY(whole(r, json, region_names[k], 0, MAX_BYTES, 0, &r->plan->region_bytes[k]));
    return HC_OK;
}

static HcStatus read_kernels(Reader *r, const json_t *array, uint64_t provided) {
    HcPlan *plan = r->plan;
    r->where = "plan.kernels";
    size_t n = json_array_size(array);
    if (n != provided)
        return bad(r, "their number differs from the table's");
    ALLOCATE(plan->kernel_names, n);
    plan->n_kernels = (uint32_t)n;
    for (size_t k = 0; k < n; k++) {
        const json_t *json = json_array_get(array, k);
        int64_t scratch = 0;
        TRY(text(r, json, "name", &plan->kernel_names[k]));
        TRY(whole(r, json, "scratch", 0, INT64_C(1) << 48, 0, &scratch));
        if (scratch > plan->scratch_bytes)
            plan->scratch_bytes = scratch;
    }
    return HC_OK;
}

static int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool base64(const char *from, uint8_t *to, size_t size) {
    uint32_t bits = 0;
    int held = 0;
    size_t n = 0;
    for (; *from && *from != '='; from++) {
        int digit = base64_digit(*from);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            if (n == size)
                return false;
            to[n++] = (uint8_t)(bits >> held);
        }
    }
    return n == size;
}

/* A number, or what JSON has no number for. */
static bool table_entry(const json_t *value, double *x) {
    const char *word = json_string_value(value);
    *x = json_number_value(value);
    if (!word)
        return json_is_number(value);
    if (strcmp(word, "nan") == 0)
        *x = NAN;
    else
        *x = word[0] == '-' ? -INFINITY : INFINITY;
    return strcmp(word, "nan") == 0 || strcmp(word, "inf") == 0 || strcmp(word, "-inf") == 0;
}

static HcStatus table_numbers(Reader *r, const json_t *array, HcTable *table) {
    const HcElement type = table->buffer.element;
    if ((int64_t)json_array_size(array) != table->count)
        return bad(r, "number of elements");
    for (int64_t k = 0; k < table->count; k++) {
        double x;
        if (!table_entry(json_array_get(array, (size_t)k), &x))
            return bad(r, "not a number");
        if (type == HC_ELEMENT_I32) {
            if (!(x >= INT32_MIN && x <= INT32_MAX))
                return bad(r, "not an i32");
            int32_t integer = (int32_t)x;
            memcpy(table->bytes + 4 * k, &integer, 4);
        } else if (type == HC_ELEMENT_F64) {
            memcpy(table->bytes + 8 * k, &x, 8);
        } else {
            float single = (float)x;
            memcpy(table->bytes + 4 * k, &single, 4);
        }
    }
    return HC_OK;
}

static HcStatus read_tables(Reader *r, const json_t *array) {
    HcPlan *plan = r->plan;
    r->where = "plan.tables";
    size_t n = json_array_size(array);
    ALLOCATE(plan->tables, n);
    plan->n_tables = (uint32_t)n;
    for (size_t k = 0; k < n; k++) {
        const json_t *json = json_array_get(array, k), *data = json_object_get(json, "data");
        HcTable *table = &plan->tables[k];
        TRY(buffer(r, json_object_get(json, "buffer"), &table->buffer));
        if (table->buffer.region < HC_REGION_GLOBAL || table->buffer.region >= HC_REGION_PARTIAL)
            return bad(r, "a table outside the workspace");
        TRY(whole(r, json, "elements", 1, INT64_C(1) << 32, -1, &table->count));
        table->size = (size_t)table->count * (size_t)hc_element_bytes(table->buffer.element);
        ALLOCATE(table->bytes, table->size);
        if (!json_is_string(data))
            TRY(table_numbers(r, data, table));
        else if (!base64(json_string_value(data), table->bytes, table->size))
            return bad(r, "base64 data");
    }
    return HC_OK;
}

static HcStatus add_buffer(Reader *r, HcCall *call, const json_t *json) {
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
    TRY(buffer(r, json, to));
    if (to->region == HC_REGION_PARTIAL && call->kind != HC_CALL_KERNEL &&
        call->kind != HC_CALL_REDUCE)
        return bad(r, "partial buffers belong to kernels and reductions");
    plan->n_buffers++;
    call->count++;
    return HC_OK;
}

static HcStatus size(Reader *r, const json_t *json, const char *key, HcSize *to) {
    const json_t *value = json_object_get(json, key);
    *to = (HcSize){.domain = -1};
    if (json_is_string(value)) {
        HcDomain d = HC_GLOBAL;
        TRY(domain(r, value, &d));
        to->domain = (int32_t)d;
        return whole(r, json, "per_instance", 1, INT32_MAX, 1, &to->value);
    }
    return whole(r, json, key, 1, INT32_MAX, 0, &to->value);
}

static HcStatus read_kernel_call(Reader *r, const json_t *json, HcCall *call) {
    int64_t kernel = 0;
    TRY(domain(r, json_object_get(json, "domain"), &call->domain));
    TRY(whole(r, json, "kernel", 0, (int64_t)r->plan->n_kernels - 1, -1, &kernel));
    call->kernel = (uint32_t)kernel;
    if (!call->name)
        call->name = r->plan->kernel_names[kernel];
    const char *tasks = json_string_value(json_object_get(json, "tasks"));
    if (tasks && strcmp(tasks, "samples") == 0)
        TRY(whole(r, json, "per_sample", 1, INT32_MAX, 1, &call->per_sample));
    else if (tasks && strcmp(tasks, "tiles") != 0)
        return bad(r, "tasks");
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(json, "buffers"), i, item) TRY(add_buffer(r, call, item));
    return HC_OK;
}

static HcStatus read_gemm(Reader *r, const json_t *json, HcCall *call) {
    TRY(size(r, json, "m", &call->m));
    TRY(size(r, json, "n", &call->n));
    TRY(size(r, json, "k", &call->k));
    TRY(whole(r, json, "lda", 1, INT32_MAX, -1, &call->lda));
    TRY(whole(r, json, "ldb", 1, INT32_MAX, -1, &call->ldb));
    TRY(whole(r, json, "ldc", 1, INT32_MAX, -1, &call->ldc));
    TRY(real(r, json, "beta", 0, &call->beta));
    call->transpose_a = flag(json, "ta", false);
    call->transpose_b = flag(json, "tb", false);
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

static HcStatus read_call(Reader *r, const json_t *json, HcCall *call) {
    int kind;
    TRY(word(r, json_object_get(json, "kind"), call_names, HC_CALL_COUNT, "unknown kind of call",
             &kind));
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
        TRY(whole(r, json, "clears", 1, MAX_BYTES, -1, &call->cleared));
        TRY(domain(r, json_object_get(json, "domain"), &call->domain));
        return add_buffer(r, call, json_object_get(json, "buffer"));
    }
    TRY(whole(r, json, "elements", 1, INT64_C(1) << 45, -1, &call->elements));
    if (call->kind == HC_CALL_REDUCE) {
        TRY(domain(r, json_object_get(json, "tasks_of"), &call->domain));
        TRY(whole(r, json, "per_sample", 0, INT32_MAX, 0, &call->per_sample));
        TRY(add_buffer(r, call, json_object_get(json, "partial")));
        return add_buffer(r, call, json_object_get(json, "to"));
    }
    TRY(domain(r, json_object_get(json, "domain"), &call->domain));
    TRY(whole(r, json, "rows", 1, INT64_C(1) << 31, -1, &call->rows));
    TRY(whole(r, json, "indices", 1, INT64_C(1) << 31, 1, &call->indices));
    TRY(domain_or(r, json_object_get(json, "index_domain"), call->domain, &call->index_domain));
    TRY(domain_or(r, json_object_get(json, "values_domain"), call->domain, &call->values_domain));
    TRY(domain_or(r, json_object_get(json, "to_domain"), HC_GLOBAL, &call->to_domain));
    if (!is_within(call->index_domain, call->domain) ||
        !is_within(call->values_domain, call->domain) || !is_within(call->to_domain, call->domain))
        return bad(r, "a scatter's domains do not lie in its own");
    TRY(add_buffer(r, call, json_object_get(json, "index")));
    TRY(add_buffer(r, call, json_object_get(json, "values")));
    return add_buffer(r, call, json_object_get(json, "to"));
}

static HcStatus read_calls(Reader *r, const json_t *json) {
    HcPlan *plan = r->plan;
    const json_t *forward = json_object_get(json, "forward");
    const json_t *backward = json_object_get(json, "backward");
    size_t n_forward = json_array_size(forward), n = n_forward + json_array_size(backward);
    r->where = "plan.forward";
    if (!json_is_array(forward))
        return bad(r, "missing");
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
static HcStatus read_range(Reader *r, const json_t *pair, uint32_t base, uint32_t end,
                           uint32_t range[2]) {
    for (size_t k = 0; k < 2; k++) {
        const json_t *at = json_array_get(pair, k);
        if (!json_is_integer(at) || json_integer_value(at) < 0 ||
            json_integer_value(at) > (json_int_t)(end - base))
            return bad(r, "a range of calls");
        range[k] = base + (uint32_t)json_integer_value(at);
    }
    return range[0] <= range[1] ? HC_OK : bad(r, "a range of calls");
}

/* Whether a call can run on a part of the positions. */
static bool is_by_position(const HcCall *call) {
    if (call->kind == HC_CALL_KERNEL)
        return call->domain == HC_POSITION && call->per_sample == 0;
    return call->kind == HC_CALL_GEMM &&
           (call->m.domain == HC_POSITION) != (call->k.domain == HC_POSITION);
}

static HcStatus read_chunks(Reader *r, const json_t *json) {
    HcPlan *plan = r->plan;
    HcChunks *c = &plan->chunks;
    uint32_t n = plan->n_forward;
    *c = (HcChunks){.forward = {n, n}, .backward = {n, n}};
    r->where = "plan.chunks";
    if (json) {
        TRY(whole(r, json, "positions", 1, INT32_MAX, 0, &c->positions));
        TRY(read_range(r, json_object_get(json, "forward"), 0, n, c->forward));
        TRY(read_range(r, json_object_get(json, "backward"), n, plan->n_calls, c->backward));
    }
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(json, "repeated"), i, item) {
        json_int_t k = json_is_integer(item) ? json_integer_value(item) : -1;
        if (k < c->forward[0] || k >= c->forward[1])
            return bad(r, "a repeated call");
        plan->calls[k].repeated = true;
    }
    for (uint32_t k = 0; k < plan->n_calls; k++) {
        const HcCall *call = &plan->calls[k];
        bool inside = is_in(k, c->forward) || is_in(k, c->backward);
        if (inside && !is_by_position(call))
            return bad(r, "a call that needs all positions");
        for (uint32_t b = call->first; !inside && b < call->first + call->count; b++)
            if (plan->buffers[b].region == HC_REGION_CHUNK)
                return bad(r, "a chunk's buffer outside its calls");
    }
    return HC_OK;
}

/* A buffer, or an object with "buffer" and "dims". */
static HcStatus output(Reader *r, const char *name, const json_t *json, HcOutput *to) {
    int64_t count;
    const json_t *dims = json_object_get(json, "dims");
    to->name = name;
    to->rank = -1;
    if (dims)
        TRY(shape(r, dims, &to->rank, to->dims, &count));
    TRY(buffer(r, json_is_object(json) ? json_object_get(json, "buffer") : json, &to->buffer));
    return to->buffer.region != HC_REGION_PARTIAL ? HC_OK : bad(r, "an output in partial memory");
}

static HcStatus read_outputs(Reader *r, const json_t *json) {
    HcPlan *plan = r->plan;
    r->where = "plan.outputs";
    const json_t *metrics = json_object_get(json, "metrics"),
                 *probes = json_object_get(json, "probes");
    size_t n = json_array_size(metrics), m = json_array_size(probes);
    ALLOCATE(plan->outputs, n + m + 2);
    if (json_object_get(json, "loss") && !json_is_null(json_object_get(json, "loss"))) {
        TRY(output(r, "loss", json_object_get(json, "loss"), &plan->outputs[plan->n_outputs]));
        plan->outputs[plan->n_outputs++].rank = 0;
    }
    if (json_object_get(json, "logits") && !json_is_null(json_object_get(json, "logits"))) {
        HcOutput *logits = &plan->outputs[plan->n_outputs++];
        TRY(output(r, "logits", json_object_get(json, "logits"), logits));
        const json_t *dims = json_object_get(json, "logits_dims");
        int64_t count;
        if (dims)
            TRY(shape(r, dims, &logits->rank, logits->dims, &count));
        /* one logit for each value of the target */
        for (uint32_t k = 0; k < plan->n_inputs && logits->rank < 0; k++) {
            if (plan->inputs[k].target && plan->inputs[k].limit > 0) {
                logits->rank = 1;
                logits->dims[0] = plan->inputs[k].limit;
            }
        }
    }
    plan->first_metric = plan->n_outputs;
    plan->n_metrics = (uint32_t)n;
    for (size_t k = 0; k < n + m; k++) {
        const json_t *item = k < n ? json_array_get(metrics, k) : json_array_get(probes, k - n);
        const char *name;
        TRY(text(r, item, "name", &name));
        HcOutput *to = &plan->outputs[plan->n_outputs++];
        TRY(output(r, name, item, to));
        if (k < n && to->rank < 0)
            to->rank = 0; /* metrics are scalars */
    }
    return HC_OK;
}

static HcStatus read_updates(Reader *r, const json_t *array) {
    HcPlan *plan = r->plan;
    r->where = "plan.outputs.updates";
    size_t n = json_array_size(array);
    ALLOCATE(plan->updates, n);
    for (size_t k = 0; k < n; k++) {
        const json_t *json = json_array_get(array, k);
        HcUpdate *update = &plan->updates[k];
        int64_t parameter = 0;
        TRY(whole(r, json, "param", 0, (int64_t)plan->n_parameters - 1, -1, &parameter));
        TRY(buffer(r, json_object_get(json, "buffer"), &update->from));
        update->parameter = (uint32_t)parameter;
        if (update->from.region != HC_REGION_GLOBAL ||
            update->from.element != plan->parameters[parameter].element ||
            plan->parameters[parameter].count * hc_element_bytes(update->from.element) >
                plan->region_bytes[HC_REGION_GLOBAL] - update->from.offset)
            return bad(r, "a value outside its region");
        plan->n_updates++;
    }
    return HC_OK;
}

/* Of the space of positions; without them it is a line. */
static HcStatus read_extents(Reader *r, const json_t *array) {
    HcPlan *plan = r->plan;
    const size_t n = json_array_size(array);
    plan->space_rank = n == 2 ? 2 : 1;
    plan->space_extents[0] = plan->max_positions;
    plan->space_extents[1] = 1;
    if (n > 2)
        return bad(r, "extents");
    for (size_t k = 0; k < n; k++)
        plan->space_extents[k] = json_integer_value(json_array_get(array, k));
    const int64_t *e = plan->space_extents;
    return e[0] >= 1 && e[1] >= 1 && e[0] <= INT32_MAX && e[1] <= INT32_MAX &&
                   e[0] * e[1] == plan->max_positions
               ? HC_OK
               : bad(r, "extents");
}

static HcStatus other_version(HcError *error, const char *what, int64_t has, int64_t reads) {
    return hc_fail(error, HC_ERROR_MODEL,
                   "the model was built by %s hcc than this runtime (its %s is %lld, here %lld): "
                   "build it again",
                   has < reads ? "an older" : "a newer", what, (long long)has, (long long)reads);
}

static HcStatus read_root(Reader *r, const HcModel *model, const json_t *root) {
    HcPlan *plan = r->plan;
    int64_t format = 0;
    r->where = "manifest";
    TRY(whole(r, root, "format", 1, INT32_MAX, -1, &format));
    if (format != HC_MANIFEST_FORMAT)
        return other_version(r->error, "format", format, HC_MANIFEST_FORMAT);
    TRY(text(r, root, "model", &plan->model));
    const json_t *space = json_object_get(root, "space");
    if (json_is_object(space)) {
        TRY(text(r, space, "name", &plan->space));
        TRY(whole(r, space, "maximum", 1, INT32_MAX, -1, &plan->max_positions));
        TRY(read_extents(r, json_object_get(space, "extents")));
    }
    TRY(read_inputs(r, root));
    TRY(read_parameters(r, root));
    TRY(read_recipe(r, root));
    TRY(hc_plan_read_data(plan, json_object_get(root, "data"), r->error));
    const json_t *json = json_object_get(root, "plan");
    TRY(read_regions(r, json_object_get(json, "regions")));
    TRY(read_kernels(r, json_object_get(json, "kernels"), model->kernel_count));
    TRY(read_tables(r, json_object_get(json, "tables")));
    TRY(read_calls(r, json));
    TRY(read_chunks(r, json_object_get(json, "chunks")));
    TRY(read_outputs(r, json_object_get(json, "outputs")));
    TRY(read_updates(r, json_object_get(json_object_get(json, "outputs"), "updates")));
    r->where = "plan";
    const char *wrong = hc_plan_check(plan);
    return wrong ? bad(r, wrong) : HC_OK;
}

HcStatus hc_plan_read(const HcModel *model, HcPlan *plan, HcError *error) {
    *plan = (HcPlan){0};
    Reader r = {plan, error, "manifest", 0};
    if (!model)
        return hc_fail(error, HC_ERROR_MODEL, "there is no model");
    if (model->abi_version != HC_ABI_VERSION)
        return other_version(error, "ABI", model->abi_version, HC_ABI_VERSION);
    if (model->element_size != 4 && model->element_size != 8)
        return bad(&r, "elements of a size that there is not");
    if (model->manifest_seal &&
        model->manifest_seal != hc_manifest_seal(model->manifest, model->manifest_length))
        return bad(&r, "it is not the one that the model's code was compiled with");
    HcJsonRead read;
    plan->element_size = model->element_size;
    plan->json = hc_json_read(model->manifest, model->manifest_length, UINT64_MAX, &read);
    if (read.outcome == HC_JSON_NO_MEMORY)
        return hc_fail_memory(error, "the model's manifest");
    if (!plan->json)
        return hc_fail(error, HC_ERROR_MODEL, "the model's manifest is malformed: line %d: %s",
                       read.line, read.what);
    HcStatus status = read_root(&r, model, plan->json);
    if (status != HC_OK)
        hc_plan_free(plan);
    return status;
}

int64_t hc_plan_parameter_elements(const HcPlan *plan) {
    int64_t elements = 0;
    for (uint32_t k = 0; k < plan->n_parameters; k++)
        elements += plan->parameters[k].buffer ? 0 : plan->parameters[k].count;
    return elements;
}

void hc_plan_free(HcPlan *plan) {
    for (uint32_t k = 0; k < plan->n_tables; k++)
        free(plan->tables[k].bytes);
    free(plan->parameters);
    free(plan->inputs);
    free(plan->bindings);
    free(plan->data_files);
    free(plan->outputs);
    free(plan->updates);
    free(plan->tables);
    free(plan->buffers);
    free(plan->calls);
    free(plan->kernel_names);
    json_decref(plan->json);
    *plan = (HcPlan){0};
}
