/* Reads the manifest (docs/manifest.md). It was made by the compiler, but it may have been damaged
 * or edited since: everything that later code indexes with is checked here, once. */
#include "abi/layout.h"
#include "runtime/files/json_read.h"
#include "runtime/run/plan_read.h"

#include <stdlib.h>
#include <string.h>

static const char *const init_names[HC_INIT_COUNT] = {
#define HC_INITIALISER(ident, text) [HC_INIT_##ident] = text,
#include "abi/words.def"
};

/* --- parameters, inputs, recipe, data ----------------------------------------------------------*/

static HcStatus initialiser(HcPlanReader *r, const json_t *json, HcParameterPlan *p) {
    int kind;
    TRY(hc_field_word(r, json_object_get(json, "kind"), init_names, HC_INIT_COUNT,
                      "unknown initialiser", &kind));
    p->init = (HcInitKind)kind;
    if (p->init == HC_INIT_FILL)
        return hc_field_real(r, json, "value", 0, &p->a);
    if (p->init == HC_INIT_NORMAL) {
        TRY(hc_field_real(r, json, "mean", 0, &p->a));
        return hc_field_real(r, json, "std", 1, &p->b);
    }
    if (p->init == HC_INIT_UNIFORM) {
        TRY(hc_field_real(r, json, "low", 0, &p->a));
        return hc_field_real(r, json, "high", 1, &p->b);
    }
    p->data = json_object_get(json, "values");
    if (!json_is_array(p->data) || (int64_t)json_array_size(p->data) != p->count)
        return hc_plan_bad(r, "initial values do not match the shape");
    return HC_OK;
}

static HcStatus read_axes(HcPlanReader *r, const json_t *list, int32_t rank, uint32_t *axes) {
    for (size_t k = 0; k < json_array_size(list); k++) {
        const json_t *axis = json_array_get(list, k);
        if (!json_is_integer(axis) || json_integer_value(axis) < 0 ||
            json_integer_value(axis) >= rank || *axes & 1u << json_integer_value(axis))
            return hc_plan_bad(r, "matrix");
        *axes |= 1u << json_integer_value(axis);
    }
    return HC_OK;
}

/* Every axis stands in one of the lists. */
static HcStatus read_matrix(HcPlanReader *r, const json_t *json, HcParameterPlan *p) {
    if (!json)
        return HC_OK;
    TRY(read_axes(r, json_object_get(json, "apart"), p->rank, &p->matrix.apart));
    TRY(read_axes(r, json_object_get(json, "free"), p->rank, &p->matrix.free));
    TRY(read_axes(r, json_object_get(json, "summed"), p->rank, &p->matrix.summed));
    const uint32_t a = p->matrix.apart, f = p->matrix.free, s = p->matrix.summed;
    if (!f || !s || a & f || a & s || f & s || (a | f | s) != (1u << p->rank) - 1)
        return hc_plan_bad(r, "matrix");
    return HC_OK;
}

static HcStatus read_parameters(HcPlanReader *r, const json_t *root) {
    HcPlan *plan = r->plan;
    const json_t *array = json_object_get(root, "params");
    r->where = "params";
    TRY(hc_field_whole(r, root, "param_bytes", 0, MAX_BYTES, -1, &plan->slab_bytes));
    size_t n = json_array_size(array);
    if (!json_is_array(array) || n > UINT32_MAX / 2)
        return hc_plan_bad(r, "missing");
    ALLOCATE(plan->parameters, n);
    plan->n_parameters = (uint32_t)n;
    for (size_t k = 0; k < n; k++) {
        const json_t *json = json_array_get(array, k);
        HcParameterPlan *p = &plan->parameters[k];
        TRY(hc_field_text(r, json, "name", &p->name));
        r->where = p->name;
        p->group = json_string_value(json_object_get(json, "group"));
        p->group = p->group ? p->group : "";
        TRY(hc_field_shape(r, json_object_get(json, "dims"), &p->rank, p->dims, &p->count));
        TRY(hc_field_whole(r, json, "offset", 0, plan->slab_bytes, -1, &p->offset));
        TRY(hc_field_element(r, json_object_get(json, "element"), &p->element));
        if (p->element != hc_plan_real(plan))
            return hc_plan_bad(r, "a parameter of another type than the model's");
        if (p->count * hc_element_bytes(p->element) > plan->slab_bytes - p->offset ||
            p->offset % HC_ALIGN != 0)
            return hc_plan_bad(r, "offset");
        TRY(initialiser(r, json_object_get(json, "init"), p));
        p->decay = hc_field_flag(json, "decay", true);
        p->frozen = hc_field_flag(json, "frozen", false);
        p->buffer = hc_field_flag(json, "buffer", false);
        p->of_connection = hc_field_flag(json, "of_connection", false);
        p->gradient = hc_field_flag(json, "grad", true);
        TRY(hc_field_real(r, json, "lr_scale", 1, &p->lr_scale));
        TRY(read_matrix(r, json_object_get(json, "matrix"), p));
    }
    return HC_OK;
}

/* A manifest of before there was a choice has elements alone. */
static HcStatus read_precision(HcPlanReader *r, const json_t *root) {
    HcPlan *plan = r->plan;
    const json_t *word = json_object_get(root, "precision");
    const bool wide = plan->element_size == 8;
    plan->precision = wide ? HC_PRECISION_F64 : HC_PRECISION_F32;
    if (!word)
        return HC_OK;
    plan->precision =
        json_is_string(word) ? hc_precision_named(json_string_value(word)) : HC_PRECISION_COUNT;
    if (plan->precision == HC_PRECISION_COUNT)
        return hc_plan_bad(r, "unknown precision");
    return (plan->precision == HC_PRECISION_F64) == wide
               ? HC_OK
               : hc_plan_bad(r, "elements of another size than its precision's");
}

static HcStatus read_inputs(HcPlanReader *r, const json_t *root) {
    HcPlan *plan = r->plan;
    const json_t *array = json_object_get(root, "inputs");
    r->where = "inputs";
    size_t n = json_array_size(array);
    if (!json_is_array(array) || n > 1 << 20)
        return hc_plan_bad(r, "missing");
    ALLOCATE(plan->inputs, n);
    plan->n_inputs = (uint32_t)n;
    for (size_t k = 0; k < n; k++) {
        const json_t *json = json_array_get(array, k);
        HcInputPlan *input = &plan->inputs[k];
        TRY(hc_field_text(r, json, "name", &input->name));
        r->where = input->name;
        TRY(hc_field_element(r, json_object_get(json, "element"), &input->element));
        input->integer = input->element == HC_ELEMENT_I32;
        TRY(hc_field_domain(r, json_object_get(json, "domain"), &input->domain));
        TRY(hc_field_shape(r, json_object_get(json, "dims"), &input->rank, input->dims,
                           &input->count));
        TRY(hc_field_whole(r, json, "limit", 0, INT64_C(1) << 31, 0, &input->limit));
        input->target = hc_field_flag(json, "target", false);
        input->of_result = input->of_input = -1;
        const bool given = !json_object_get(json, "upstream") && !json_object_get(json, "beside");
        if (given && k > plan->n_given)
            return hc_plan_bad(r, "an input behind gradients");
        plan->n_given += given;
    }
    return HC_OK;
}

static HcStatus read_recipe(HcPlanReader *r, const json_t *root) {
    HcRecipe *recipe = &r->plan->recipe;
    const json_t *json = json_object_get(root, "recipe");
    r->where = "recipe";
    *recipe = (HcRecipe){
        .optimizer = HC_ADAMW, .schedule = HC_CONSTANT, .connection_lr = 1, .batch = 1, .steps = 1};
    if (!json_is_object(json))
        return HC_OK; /* a model without a train block runs, but is not trained here */
    int optimizer, schedule;
    TRY(hc_field_word(r, json_object_get(json, "optimizer"), hc_optimizer_names, HC_OPTIMIZER_COUNT,
                      "unknown optimizer", &optimizer));
    TRY(hc_field_word(r, json_object_get(json, "schedule"), hc_schedule_names, HC_SCHEDULE_COUNT,
                      "unknown schedule", &schedule));
    recipe->optimizer = (HcOptimizer)optimizer;
    recipe->schedule = (HcSchedule)schedule;
    HcError why = {0};
    return hc_recipe_read(recipe, json, &why) == HC_OK ? HC_OK : hc_plan_bad(r, why.message);
}

/* --- the plan ----------------------------------------------------------------------------------*/

static HcStatus read_regions(HcPlanReader *r, const json_t *json, const json_t *saved) {
    HcPlan *plan = r->plan;
    r->where = "plan.regions";
    for (int k = HC_REGION_GLOBAL; k < HC_REGION_COUNT; k++) {
        const char *name = hc_region_names[k];
        TRY(hc_field_whole(r, json, name, 0, MAX_BYTES, 0, &plan->region_bytes[k]));
        const bool passed_on = k != HC_REGION_PARTIAL && k != HC_REGION_CHUNK;
        const int64_t most = passed_on ? plan->region_bytes[k] : 0;
        TRY(hc_field_whole(r, saved, name, 0, most, 0, &plan->saved_bytes[k]));
        if (plan->saved_bytes[k] % (k == HC_REGION_GLOBAL ? HC_ALIGN : HC_ALIGN / HC_TILE_STEP))
            return hc_plan_bad(r, "what is saved ends where no buffer may begin");
    }
    return HC_OK;
}

static HcStatus read_kernels(HcPlanReader *r, const json_t *array, uint64_t provided) {
    HcPlan *plan = r->plan;
    r->where = "plan.kernels";
    size_t n = json_array_size(array);
    if (n != provided)
        return hc_plan_bad(r, "their number differs from the table's");
    ALLOCATE(plan->kernel_names, n);
    plan->n_kernels = (uint32_t)n;
    for (size_t k = 0; k < n; k++) {
        const json_t *json = json_array_get(array, k);
        int64_t scratch = 0;
        TRY(hc_field_text(r, json, "name", &plan->kernel_names[k]));
        TRY(hc_field_whole(r, json, "scratch", 0, INT64_C(1) << 48, 0, &scratch));
        if (scratch > plan->scratch_bytes)
            plan->scratch_bytes = scratch;
    }
    return HC_OK;
}

/* How products with kernels of their own are made. Panels and blocks are small, so that what is
 * packed is not much more than what it is packed of. */
static HcStatus read_products(HcPlanReader *r, const json_t *json) {
    HcPlan *plan = r->plan;
    HcProductShape *p = &plan->products;
    int64_t kernel = 0;
    if (!json)
        return HC_OK;
    r->where = "plan.products";
    TRY(hc_field_whole(r, json, "kernel", 0, (int64_t)plan->n_kernels - 1, -1, &kernel));
    TRY(hc_field_text(r, json, "way", &plan->product_way));
    TRY(hc_field_whole(r, json, "rows", 1, 256, -1, &p->rows));
    TRY(hc_field_whole(r, json, "columns", 1, 256, -1, &p->columns));
    TRY(hc_field_whole(r, json, "depth", 1, 1 << 16, -1, &p->depth));
    TRY(hc_field_whole(r, json, "block", 1, 1 << 16, -1, &p->block));
    TRY(hc_field_whole(r, json, "width", 1, 1 << 16, -1, &p->width));
    TRY(hc_field_whole(r, json, "bytes", 2, 4, -1, &p->bytes));
    if (p->block % p->rows != 0 || p->width % p->columns != 0 ||
        p->depth * p->bytes % HC_ALIGN != 0)
        return hc_plan_bad(r, "blocks that are not whole");
    plan->multiply = (uint32_t)kernel;
    plan->products_round = hc_field_flag(json, "rounds", false);
    plan->products_keep = hc_field_flag(json, "keeps", false);
    if (plan->products_round && kernel + 1 >= (int64_t)plan->n_kernels)
        return hc_plan_bad(r, "no kernel that rounds");
    return HC_OK;
}

/* A buffer, or an object with "buffer" and "dims". */
static HcStatus output(HcPlanReader *r, const char *name, const json_t *json, HcOutput *to) {
    int64_t count;
    const json_t *dims = json_object_get(json, "dims");
    to->name = name;
    to->rank = -1;
    if (dims)
        TRY(hc_field_shape(r, dims, &to->rank, to->dims, &count));
    TRY(hc_field_buffer(r, json_is_object(json) ? json_object_get(json, "buffer") : json,
                        &to->buffer));
    return to->buffer.region != HC_REGION_PARTIAL ? HC_OK
                                                  : hc_plan_bad(r, "an output in partial memory");
}

static HcStatus read_outputs(HcPlanReader *r, const json_t *json) {
    HcPlan *plan = r->plan;
    r->where = "plan.outputs";
    const json_t *metrics = json_object_get(json, "metrics"),
                 *probes = json_object_get(json, "probes");
    size_t n = json_array_size(metrics), m = json_array_size(probes);
    ALLOCATE(plan->outputs, n + m + json_array_size(json_object_get(json, "results")) + 2);
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
            TRY(hc_field_shape(r, dims, &logits->rank, logits->dims, &count));
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
        TRY(hc_field_text(r, item, "name", &name));
        HcOutput *to = &plan->outputs[plan->n_outputs++];
        TRY(output(r, name, item, to));
        if (k < n && to->rank < 0)
            to->rank = 0; /* metrics are scalars */
        to->term = k < n && json_is_true(json_object_get(item, "term"));
    }
    return HC_OK;
}

/* What callers get of a program that is part of theirs, and of what they give the gradient. */
static HcStatus read_results(HcPlanReader *r, const json_t *array) {
    HcPlan *plan = r->plan;
    plan->first_result = plan->n_outputs;
    for (size_t k = 0; k < plan->n_results; k++) {
        const json_t *json = json_array_get(array, k);
        const char *name;
        r->where = "plan.outputs.results";
        TRY(hc_field_text(r, json, "name", &name));
        HcOutput *result = &plan->outputs[plan->n_outputs++];
        TRY(output(r, name, json, result));
        TRY(hc_field_domain(r, json_object_get(json, "domain"), &result->domain));
        if (result->rank < 0 || result->buffer.region == HC_REGION_CHUNK)
            return hc_plan_bad(r, "a result that is never whole");
    }
    return HC_OK;
}

static void find_read_back(HcPlan *plan) {
    for (uint32_t c = plan->n_forward; c < plan->n_calls; c++)
        for (uint32_t k = plan->calls[c].first; k < plan->calls[c].first + plan->calls[c].count;
             k++)
            if (plan->buffers[k].region == HC_REGION_OUTPUT &&
                plan->buffers[k].index < plan->n_results)
                plan->outputs[plan->first_result + plan->buffers[k].index].read_back = true;
}

static int32_t find_result(const HcPlan *plan, const char *name) {
    for (uint32_t i = 0; i < plan->n_results; i++)
        if (strcmp(plan->outputs[plan->first_result + i].name, name) == 0)
            return (int32_t)i;
    return -1;
}

static int32_t find_given(const HcPlan *plan, const char *name) {
    for (uint32_t i = 0; i < plan->n_given; i++)
        if (strcmp(plan->inputs[i].name, name) == 0)
            return (int32_t)i;
    return -1;
}

static bool same_place(const HcInputPlan *a, const HcInputPlan *b) {
    return a->element == b->element && a->domain == b->domain && a->count == b->count;
}

static HcStatus read_gradients(HcPlanReader *r, const json_t *inputs) {
    HcPlan *plan = r->plan;
    for (uint32_t k = plan->n_given; k < plan->n_inputs; k++) {
        const json_t *json = json_array_get(inputs, k);
        const char *name = NULL;
        HcInputPlan *input = &plan->inputs[k];
        r->where = input->name;
        if (json_object_get(json, "beside")) {
            TRY(hc_field_text(r, json, "beside", &name));
            input->of_input = find_given(plan, name);
            if (input->of_input < 0 || !same_place(input, &plan->inputs[input->of_input]))
                return hc_plan_bad(r, "the gradient of an input that there is not");
            continue;
        }
        TRY(hc_field_text(r, json, "upstream", &name));
        input->of_result = find_result(plan, name);
        if (input->of_result < 0)
            return hc_plan_bad(r, "the gradient of a result that there is not");
    }
    return HC_OK;
}

static HcStatus read_input_gradients(HcPlanReader *r, const json_t *array) {
    HcPlan *plan = r->plan;
    r->where = "plan.outputs.input_grads";
    for (size_t k = 0; k < json_array_size(array); k++) {
        const json_t *json = json_array_get(array, k);
        int64_t index = 0;
        TRY(hc_field_whole(r, json, "input", 0, (int64_t)plan->n_given - 1, -1, &index));
        HcInputPlan *input = &plan->inputs[index];
        TRY(hc_field_buffer(r, json_object_get(json, "buffer"), &input->gradient));
        if (input->gradient.region == HC_REGION_CHUNK ||
            input->gradient.region == HC_REGION_PARTIAL)
            return hc_plan_bad(r, "a gradient that is never whole");
        input->has_gradient = true;
    }
    return HC_OK;
}

const HcOutput *hc_plan_output(const HcPlan *plan, const char *name) {
    for (uint32_t k = 0; k < plan->n_outputs; k++)
        if (strcmp(plan->outputs[k].name, name) == 0)
            return &plan->outputs[k];
    return NULL;
}

static HcStatus read_updates(HcPlanReader *r, const json_t *array, HcUpdate *updates,
                             uint32_t *n_updates) {
    HcPlan *plan = r->plan;
    for (size_t k = 0; k < json_array_size(array); k++) {
        const json_t *json = json_array_get(array, k);
        HcUpdate *update = &updates[k];
        int64_t parameter = 0;
        TRY(hc_field_whole(r, json, "param", 0, (int64_t)plan->n_parameters - 1, -1, &parameter));
        TRY(hc_field_buffer(r, json_object_get(json, "buffer"), &update->from));
        update->parameter = (uint32_t)parameter;
        if (update->from.region != HC_REGION_GLOBAL ||
            update->from.element != plan->parameters[parameter].element ||
            plan->parameters[parameter].count * hc_element_bytes(update->from.element) >
                plan->region_bytes[HC_REGION_GLOBAL] - update->from.offset)
            return hc_plan_bad(r, "a value outside its region");
        ++*n_updates;
    }
    return HC_OK;
}

/* What changes parameters and buffers after a step. */
static HcStatus read_after_step(HcPlanReader *r, const json_t *outputs) {
    HcPlan *plan = r->plan;
    const json_t *updates = json_object_get(outputs, "updates"),
                 *projects = json_object_get(outputs, "projects");
    r->where = "plan.outputs.updates";
    ALLOCATE(plan->updates, json_array_size(updates));
    TRY(read_updates(r, updates, plan->updates, &plan->n_updates));
    r->where = "plan.outputs.projects";
    ALLOCATE(plan->projects, json_array_size(projects));
    return read_updates(r, projects, plan->projects, &plan->n_projects);
}

/* Without extents it is a line. */
static HcStatus read_space(HcPlanReader *r, const json_t *json, HcSpacePlan *space) {
    const json_t *array = json_object_get(json, "extents");
    const size_t n = json_array_size(array);
    TRY(hc_field_text(r, json, "name", &space->name));
    TRY(hc_field_whole(r, json, "maximum", 1, INT32_MAX, -1, &space->maximum));
    space->rank = n == 2 ? 2 : 1;
    space->extents[0] = space->maximum;
    space->extents[1] = 1;
    if (n > 2)
        return hc_plan_bad(r, "extents");
    for (size_t k = 0; k < n; k++)
        space->extents[k] = json_integer_value(json_array_get(array, k));
    const int64_t *e = space->extents;
    return e[0] >= 1 && e[1] >= 1 && e[0] <= INT32_MAX && e[1] <= INT32_MAX &&
                   e[0] * e[1] == space->maximum
               ? HC_OK
               : hc_plan_bad(r, "extents");
}

/* The first, and behind it the further ones. */
static HcStatus read_spaces(HcPlanReader *r, const json_t *root) {
    HcPlan *plan = r->plan;
    const json_t *first = json_object_get(root, "space"),
                 *further = json_object_get(root, "further_spaces");
    if (!json_is_object(first))
        return HC_OK;
    if (json_array_size(further) >= HC_SPACES_MOST)
        return hc_plan_bad(r, "further_spaces");
    TRY(read_space(r, first, &plan->spaces[0]));
    plan->max_positions = plan->spaces[0].maximum;
    plan->n_spaces = 1;
    for (size_t k = 0; k < json_array_size(further); k++)
        TRY(read_space(r, json_array_get(further, k), &plan->spaces[plan->n_spaces++]));
    return HC_OK;
}

static HcStatus other_version(HcError *error, const char *what, int64_t has, int64_t reads) {
    return hc_fail(error, HC_ERROR_MODEL,
                   "the model was built by %s hcc than this runtime (its %s is %lld, here %lld): "
                   "build it again",
                   has < reads ? "an older" : "a newer", what, (long long)has, (long long)reads);
}

static HcStatus read_root(HcPlanReader *r, const HcModel *model, const json_t *root) {
    HcPlan *plan = r->plan;
    int64_t format = 0;
    r->where = "manifest";
    TRY(hc_field_whole(r, root, "format", 1, INT32_MAX, -1, &format));
    if (format != HC_MANIFEST_FORMAT)
        return other_version(r->error, "format", format, HC_MANIFEST_FORMAT);
    TRY(hc_field_text(r, root, "model", &plan->model));
    TRY(read_precision(r, root));
    TRY(read_spaces(r, root));
    TRY(read_inputs(r, root));
    TRY(read_parameters(r, root));
    TRY(read_recipe(r, root));
    TRY(hc_plan_read_data(r, json_object_get(root, "data")));
    const json_t *json = json_object_get(root, "plan");
    TRY(read_regions(r, json_object_get(json, "regions"), json_object_get(json, "saved")));
    const json_t *outputs = json_object_get(json, "outputs"),
                 *results = json_object_get(outputs, "results");
    if (json_array_size(results) > 1 << 20)
        return hc_plan_bad(r, "results");
    plan->n_results = (uint32_t)json_array_size(results);
    TRY(read_kernels(r, json_object_get(json, "kernels"), model->kernel_count));
    TRY(read_products(r, json_object_get(json, "products")));
    TRY(hc_plan_read_tables(r, json_object_get(json, "tables")));
    TRY(hc_plan_read_calls(r, json));
    TRY(hc_plan_read_chunks(r, json_object_get(json, "chunks")));
    TRY(hc_plan_read_parts(r, json_object_get(json, "parts")));
    TRY(read_outputs(r, outputs));
    TRY(read_results(r, results));
    find_read_back(plan);
    TRY(read_gradients(r, json_object_get(root, "inputs")));
    TRY(read_input_gradients(r, json_object_get(outputs, "input_grads")));
    TRY(hc_plan_read_extend(r, json_object_get(json, "extend"), hc_plan_output(plan, "logits")));
    TRY(read_after_step(r, outputs));
    TRY(hc_plan_read_keep(r, json_object_get(json, "keep")));
    r->where = "plan";
    const char *wrong = hc_plan_check(plan);
    plan->runs_apart = !wrong && hc_plan_runs_apart(plan);
    return wrong ? hc_plan_bad(r, wrong) : HC_OK;
}

HcStatus hc_plan_read(const HcModel *model, HcPlan *plan, HcError *error) {
    *plan = (HcPlan){0};
    HcPlanReader r = {plan, error, "manifest", 0};
    if (!model)
        return hc_fail(error, HC_ERROR_MODEL, "there is no model");
    if (model->abi_version != HC_ABI_VERSION)
        return other_version(error, "ABI", model->abi_version, HC_ABI_VERSION);
    if (model->element_size != 4 && model->element_size != 8)
        return hc_plan_bad(&r, "elements of a size that there is not");
    if (model->manifest_seal &&
        model->manifest_seal != hc_manifest_seal(model->manifest, model->manifest_length))
        return hc_plan_bad(&r, "it is not the one that the model's code was compiled with");
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

HcProductCalls hc_plan_products(const HcPlan *plan) {
    HcProductCalls calls = {0};
    for (uint32_t k = 0; k < plan->n_calls; k++)
        if (plan->calls[k].kind == HC_CALL_GEMM)
            *(plan->calls[k].pack_a >= 0 ? &calls.own : &calls.openblas) += 1;
    return calls;
}

int64_t hc_plan_parameter_elements(const HcPlan *plan) {
    int64_t elements = 0;
    for (uint32_t k = 0; k < plan->n_parameters; k++)
        elements += plan->parameters[k].buffer ? 0 : plan->parameters[k].count;
    return elements;
}

int64_t hc_plan_input_elements(const HcInputPlan *input, int64_t samples, int64_t positions) {
    int64_t count = input->count;
    bool overflow = false;
    if (hc_is_by_sample(input->domain))
        overflow |= __builtin_mul_overflow(count, samples, &count);
    if (hc_is_by_position(input->domain))
        overflow |= __builtin_mul_overflow(count, positions, &count);
    return overflow || count > INT64_C(1) << 48 ? 0 : count;
}

HcStatus hc_check_positions(const HcPlan *plan, int64_t positions, HcError *error) {
    const int64_t limit = plan->max_positions ? plan->max_positions : 1;
    if (positions <= limit)
        return HC_OK;
    return hc_fail(error, HC_ERROR_ARGUMENT, "%lld positions: the model `%s` holds at most %lld",
                   (long long)positions, plan->model, (long long)limit);
}

double hc_plan_operations(const HcPlan *plan, int64_t samples, int64_t positions) {
    const double n = (double)samples, t = (double)positions;
    double sum = 0;
    for (uint32_t k = 0; k < plan->n_calls; k++) {
        const double *each = plan->calls[k].operations; /* a step, a sample, a position */
        sum += each[0] + n * (each[1] + t * each[2]);
    }
    return sum;
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
    free(plan->projects);
    free(plan->keeping);
    free(plan->tables);
    free(plan->buffers);
    free(plan->calls);
    free(plan->kernel_names);
    hc_plan_free_parts(plan);
    json_decref(plan->json);
    *plan = (HcPlan){0};
}
