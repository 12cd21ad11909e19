/* The manifest's `data`: which files, and what of a sample fills which input. */
#include "runtime/run/plan_read.h"

#include <stdlib.h>
#include <string.h>

/* A whole number small enough that sums of products with extents stay far below 2^63. */
static HcStatus number(HcPlanReader *r, const json_t *value, const char *what, int64_t *to) {
    const int64_t limit = INT64_C(1) << 31;
    if (!json_is_integer(value) || json_integer_value(value) < -limit ||
        json_integer_value(value) > limit)
        return hc_plan_bad(r, what);
    *to = json_integer_value(value);
    return HC_OK;
}

static HcStatus numbers(HcPlanReader *r, const json_t *array, size_t n, const char *what,
                        int64_t *to) {
    if (json_array_size(array) != n)
        return hc_plan_bad(r, what);
    for (size_t k = 0; k < n; k++)
        TRY(number(r, json_array_get(array, k), what, &to[k]));
    return HC_OK;
}

static HcStatus read_binding(HcPlanReader *r, const json_t *json, HcBinding *b) {
    const HcPlan *plan = r->plan;
    const char *name = json_string_value(json_object_get(json, "input"));
    *b = (HcBinding){.scale = 1};
    while (name && b->input < plan->n_inputs && strcmp(plan->inputs[b->input].name, name) != 0)
        b->input++;
    if (!name || b->input == plan->n_inputs)
        return hc_plan_bad(r, "binding of an unknown input");
    b->stream = json_string_value(json_object_get(json, "stream"));
    if (!b->stream)
        return hc_plan_bad(r, "stream");
    if (json_object_get(json, "offset"))
        TRY(number(r, json_object_get(json, "offset"), "offset", &b->offset));
    const json_t *subscripts = json_object_get(json, "subscripts");
    const HcInputPlan *input = &plan->inputs[b->input];
    const int32_t space = hc_space_of(input->domain);
    const size_t positions =
        space >= 0 && space < plan->n_spaces ? (size_t)plan->spaces[space].rank : 0;
    if (json_array_size(subscripts) > HC_MAX_SUBSCRIPTS)
        return hc_plan_bad(r, "subscripts");
    b->n_subscripts = (uint32_t)json_array_size(subscripts);
    for (uint32_t k = 0; k < b->n_subscripts; k++) {
        const json_t *entry = json_array_get(subscripts, k);
        HcSubscript *s = &b->subscripts[k];
        TRY(number(r, json_object_get(entry, "base"), "base", &s->base));
        TRY(numbers(r, json_object_get(entry, "positions"), positions, "positions", s->positions));
        TRY(numbers(r, json_object_get(entry, "axes"), (size_t)input->rank, "axes", s->axes));
        s->column = json_string_value(json_object_get(entry, "column"));
    }
    b->whole = json_is_true(json_object_get(json, "whole"));
    b->standardise = json_is_true(json_object_get(json, "standardise"));
    if (json_is_number(json_object_get(json, "scale")))
        b->scale = json_number_value(json_object_get(json, "scale"));
    if (json_is_number(json_object_get(json, "shift")))
        b->shift = json_number_value(json_object_get(json, "shift"));
    return HC_OK;
}

/* --- files -------------------------------------------------------------------------------------*/

static const HcDataFile mnist[] = {
    {false, "images", "train-images-idx3-ubyte"},
    {false, "labels", "train-labels-idx1-ubyte"},
    {true, "images", "t10k-images-idx3-ubyte"},
    {true, "labels", "t10k-labels-idx1-ubyte"},
};
static const HcDataFile cifar10[] = {
    {false, NULL, "data_batch_1.bin"}, {false, NULL, "data_batch_2.bin"},
    {false, NULL, "data_batch_3.bin"}, {false, NULL, "data_batch_4.bin"},
    {false, NULL, "data_batch_5.bin"}, {true, NULL, "test_batch.bin"},
};

/* The names under which the files of a source are published, when the model gives none. Those held
 * out only if the model does not hold out otherwise. */
static uint32_t standard_files(const HcPlan *plan, const HcDataFile **files) {
    const char *source = plan->data_source ? plan->data_source : "";
    const bool idx = strcmp(source, "idx") == 0;
    *files = idx ? mnist : cifar10;
    uint32_t n = idx ? 4 : strcmp(source, "cifar10") == 0 ? 6 : 0;
    while (n && plan->held_out > 0 && (*files)[n - 1].held_out)
        n--;
    return n;
}

static HcStatus read_files(HcPlanReader *r, const json_t *json) {
    HcPlan *plan = r->plan;
    const json_t *array = json_object_get(json, "files");
    const size_t n = json_array_size(array);
    const HcDataFile *standard;
    const uint32_t n_standard = standard_files(plan, &standard);
    plan->data_files = calloc(n + n_standard + 1, sizeof *plan->data_files);
    if (!plan->data_files)
        return hc_fail_memory(r->error, "the model's plan");
    bool given[2] = {false, false};
    for (size_t k = 0; k < n; k++) {
        const json_t *entry = json_array_get(array, k);
        const char *part = json_string_value(json_object_get(entry, "part"));
        HcDataFile file = {part && strcmp(part, "held_out") == 0,
                           json_string_value(json_object_get(entry, "stream")),
                           json_string_value(json_object_get(entry, "path"))};
        if (!part || !file.path)
            return hc_plan_bad(r, "files");
        given[file.held_out] = true;
        plan->data_files[plan->n_data_files++] = file;
    }
    for (uint32_t k = 0; !given[0] && k < n_standard; k++)
        if (!given[standard[k].held_out])
            plan->data_files[plan->n_data_files++] = standard[k];
    return HC_OK;
}

HcStatus hc_plan_read_data(HcPlanReader *r, const json_t *json) {
    HcPlan *plan = r->plan;
    r->where = "data";
    plan->data_source = json_string_value(json_object_get(json, "source"));
    const json_t *fraction = json_object_get(json, "held_out");
    plan->held_out = json_is_number(fraction) ? json_number_value(fraction) : 0;
    if ((fraction && !json_is_number(fraction)) || !(plan->held_out >= 0 && plan->held_out < 1))
        return hc_plan_bad(r, "held_out");
    plan->shuffled = json_is_true(json_object_get(json, "shuffled"));
    const json_t *header = json_object_get(json, "header");
    plan->table_header = json_is_boolean(header) ? json_is_true(header) : -1;
    const char *separator = json_string_value(json_object_get(json, "separator"));
    plan->table_separator = separator ? separator[0] : '\0';
    if (json_object_get(json, "skip"))
        TRY(number(r, json_object_get(json, "skip"), "skip", &plan->table_skip));
    if (json_object_get(json, "width"))
        TRY(number(r, json_object_get(json, "width"), "width", &plan->token_width));
    if (plan->token_width != 0 && plan->token_width != 16 && plan->token_width != 32)
        return hc_plan_bad(r, "width");
    TRY(read_files(r, json));
    const json_t *array = json_object_get(json, "bindings");
    const size_t n = json_array_size(array);
    plan->bindings = calloc(n + 1, sizeof *plan->bindings);
    if (!plan->bindings)
        return hc_fail_memory(r->error, "the model's plan");
    for (size_t k = 0; k < n; k++) {
        TRY(read_binding(r, json_array_get(array, k), &plan->bindings[k]));
        plan->n_bindings++;
    }
    return HC_OK;
}
