/* Plan and network as the runtime reads them. */
#include "plan/manifest.h"
#include "plan/call_profile.h"
#include "plan/json_text.h"
#include <string.h>

enum { ALIGN_ELEMENTS = 16 };

static json_t *size(uint64_t n) {
    return json_integer((json_int_t)n);
}

static void add_dims(JsonText *t, const TirType *type) {
    json_text_open(t, "dims", '[');
    for (uint32_t k = 0; k < type->rank; k++)
        json_text_integer(t, NULL, type->dims[k]);
    json_text_close(t, ']');
}

static void add_buffer(JsonText *t, const char *key, const Buffer *b) {
    static const char *const names[] = {"params", "grads",    "input",   "global", "sample",
                                        "time",   "position", "partial", "chunk",  "none"};
    json_text_open(t, key, '[');
    json_text_plain(t, NULL, names[b->region]);
    json_text_integer(t, NULL, b->offset);
    if (b->region <= REGION_INPUT || b->region == REGION_CHUNK)
        json_text_integer(t, NULL, b->index);
    json_text_close(t, ']');
}

static json_t *machine_json(const ManifestMachine *machine) {
    json_t *features = json_array();
    for (uint32_t k = 0; k < machine->n_features; k++)
        json_array_append_new(features, json_string(machine->features[k]));
    return json_pack("{s:s, s:o}", "name", machine->cpu, "features", features);
}

static json_t *init_json(const TirParam *p) {
    switch (p->init) {
    case TIR_INIT_NORMAL:
        return json_pack("{s:s, s:f, s:f}", "kind", "normal", "mean", p->init_a, "std", p->init_b);
    case TIR_INIT_UNIFORM:
        return json_pack("{s:s, s:f, s:f}", "kind", "uniform", "low", p->init_a, "high", p->init_b);
    case TIR_INIT_DATA: {
        json_t *values = json_array();
        for (uint64_t i = 0; i < tir_element_count(&p->type); i++)
            json_array_append_new(values, json_real(p->data[i]));
        return json_pack("{s:s, s:o}", "kind", "data", "values", values);
    }
    default:
        return json_pack("{s:s, s:f}", "kind", "fill", "value", p->init_a);
    }
}

/* Parameters lie one behind the other; returns how many elements all take. */
static uint64_t add_params(JsonText *t, const TirProgram *p) {
    bool *has_gradient = ARENA_ARRAY(t->arena, bool, p->params.count);
    for (uint32_t k = 0; k < p->outputs.count; k++)
        if (p->outputs.at[k].role == TIR_OUT_GRAD)
            has_gradient[p->outputs.at[k].index] = true;
    uint64_t elements = 0;
    json_text_open(t, "params", '[');
    for (uint32_t k = 0; k < p->params.count; k++) {
        const TirParam *param = &p->params.at[k];
        json_text_open(t, NULL, '{');
        json_text_members(t, json_pack("{s:s, s:s, s:I, s:o, s:b, s:b, s:b, s:f, s:b, s:b}", "name",
                                       param->name, "group", param->group ? param->group : "",
                                       "offset", (json_int_t)elements, "init", init_json(param),
                                       "decay", param->decay, "frozen", param->frozen, "buffer",
                                       param->buffer, "lr_scale", param->lr_scale, "of_connection",
                                       param->of_connection, "grad", has_gradient[k]));
        add_dims(t, &param->type);
        json_text_close(t, '}');
        uint64_t n = tir_element_count(&param->type);
        elements += (n + ALIGN_ELEMENTS - 1) / ALIGN_ELEMENTS * ALIGN_ELEMENTS;
    }
    json_text_close(t, ']');
    return elements;
}

static void add_inputs(JsonText *t, const TirProgram *p) {
    json_text_open(t, "inputs", '[');
    for (uint32_t k = 0; k < p->inputs.count; k++) {
        const TirInput *in = &p->inputs.at[k];
        json_text_open(t, NULL, '{');
        json_text_members(t, json_pack("{s:s, s:s, s:s, s:I, s:b}", "name", in->name, "element",
                                       in->type.elem == TIR_REAL ? "real" : "i32", "domain",
                                       plan_domain_name(in->type.domain), "limit",
                                       (json_int_t)in->limit, "target", in->is_target));
        add_dims(t, &in->type);
        json_text_close(t, '}');
    }
    json_text_close(t, ']');
}

static json_t *recipe_json(const Recipe *r) {
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:s, s:I, s:f, s:I, s:I, s:f, s:I, s:I}",
                     "optimizer", r->optimizer == OPTIMIZER_SGD ? "sgd" : "adamw", "lr", r->lr,
                     "beta1", r->beta1, "beta2", r->beta2, "eps", r->eps, "weight_decay",
                     r->weight_decay, "momentum", r->momentum, "schedule",
                     r->schedule == SCHEDULE_COSINE ? "cosine" : "constant", "warmup",
                     (json_int_t)r->warmup, "floor", r->floor, "batch", (json_int_t)r->batch,
                     "steps", (json_int_t)r->steps, "clip", r->clip, "seed", (json_int_t)r->seed,
                     "eval_every", (json_int_t)r->eval_every);
}

static json_t *subscript_json(const DataSubscript *s, uint32_t n_positions, uint32_t rank) {
    json_t *positions = json_array(), *axes = json_array();
    for (uint32_t k = 0; k < n_positions; k++)
        json_array_append_new(positions, json_integer(s->coefficients[k]));
    for (uint32_t k = 0; k < rank; k++)
        json_array_append_new(axes, json_integer(s->coefficients[n_positions + k]));
    return json_pack("{s:I, s:o, s:o, s:s*}", "base", (json_int_t)s->base, "positions", positions,
                     "axes", axes, "column", s->column);
}

static json_t *binding_json(const Network *n, const DataBinding *b) {
    const TirInput *input = &n->program->inputs.at[b->input];
    const uint8_t space = input->type.domain.space;
    const uint32_t positions = space ? n->program->spaces.at[space - 1].rank : 0;
    if (strcmp(n->data.source, "text") == 0)
        return json_pack("{s:s, s:s, s:i}", "input", input->name, "stream", b->stream, "offset",
                         (int)b->offset);
    json_t *subscripts = json_array();
    for (uint32_t k = 0; k < b->subscripts.count; k++)
        json_array_append_new(subscripts,
                              subscript_json(&b->subscripts.at[k], positions, input->type.rank));
    return json_pack("{s:s, s:s, s:o, s:b, s:f, s:f, s:b}", "input", input->name, "stream",
                     b->stream, "subscripts", subscripts, "whole", b->whole, "scale", b->scale,
                     "shift", b->shift, "standardise", b->standardise);
}

static void add_files(json_t *list, const char *part, const DataFile *files, uint32_t count) {
    for (uint32_t k = 0; k < count; k++)
        json_array_append_new(list, json_pack("{s:s, s:s*, s:s}", "part", part, "stream",
                                              files[k].stream, "path", files[k].path));
}

static json_t *data_json(const Network *n) {
    const DataSpec *data = &n->data;
    if (!data->source)
        return json_null();
    json_t *bindings = json_array(), *files = json_array();
    for (uint32_t k = 0; k < data->bindings.count; k++)
        json_array_append_new(bindings, binding_json(n, &data->bindings.at[k]));
    add_files(files, "train", data->train_files.at, data->train_files.count);
    add_files(files, "held_out", data->held_out_files.at, data->held_out_files.count);
    json_t *json =
        json_pack("{s:s, s:f, s:b, s:o, s:o}", "source", data->source, "held_out", data->held_out,
                  "shuffled", data->shuffled, "files", files, "bindings", bindings);
    if (strcmp(data->source, "table") == 0) {
        if (data->header != DATA_HEADER_GUESSED)
            json_object_set_new(json, "header", json_boolean(data->header == DATA_HEADER));
        if (data->separator)
            json_object_set_new(json, "separator", json_string(data->separator));
        json_object_set_new(json, "skip", json_integer(data->skip));
    }
    return json;
}

static json_t *sites_json(const Network *n) {
    json_t *list = json_array();
    for (uint32_t k = 0; k < n->sites.count; k++) {
        const SiteInfo *s = &n->sites.at[k];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:I, s:I}", "path", s->path, "connection",
                                        s->connection, "branch", s->branch, "site",
                                        (json_int_t)s->site, "block", (json_int_t)s->block));
    }
    return list;
}

static json_t *constants_json(const Network *n) {
    json_t *object = json_object();
    for (uint32_t k = 0; k < n->constants.count; k++)
        json_object_set_new(object, n->constants.at[k].name, json_string(n->constants.at[k].value));
    return object;
}

/* --- the plan ------------------------------------------------------------------------------------
 */

static void add_call_buffer(JsonText *t, const char *key, const Call *call, uint32_t k) {
    add_buffer(t, key, &call->buffers.at[k]);
}

/* So many an instance of the domain, which is named; or a number. */
static void add_extent(JsonText *t, const char *key, bool per_instance, const char *domain,
                       uint64_t number) {
    if (per_instance)
        json_text_plain(t, key, domain);
    else
        json_text_integer(t, key, number);
}

static void add_gemm(JsonText *t, const Call *call) {
    const GemmWork *g = &call->gemm;
    const char *domain = plan_domain_name(g->domain);
    json_text_plain(t, "kind", "gemm");
    json_text_boolean(t, "ta", g->transpose_a);
    json_text_boolean(t, "tb", g->transpose_b);
    add_extent(t, "m", g->m_per_instance, domain, g->m);
    json_text_integer(t, "n", g->n);
    add_extent(t, "k", g->k_per_instance, domain, g->k);
    add_call_buffer(t, "a", call, 0);
    json_text_integer(t, "lda", g->lda);
    add_call_buffer(t, "b", call, 1);
    json_text_integer(t, "ldb", g->ldb);
    add_call_buffer(t, "c", call, 2);
    json_text_integer(t, "ldc", g->ldc);
    json_text_integer(t, "alpha", 1);
    json_text_integer(t, "beta", g->accumulate);
    json_text_integer(t, "per_instance", /* several where the operand has free axes */
                      g->m_per_instance   ? g->m
                      : g->k_per_instance ? g->k
                                          : 1);
}

static void add_reduce(JsonText *t, const Call *call) {
    json_text_plain(t, "kind", "reduce");
    add_call_buffer(t, "partial", call, 0);
    json_text_plain(t, "tasks_of", plan_domain_name(call->domain));
    json_text_integer(t, "elements", call->elements);
    add_call_buffer(t, "to", call, 1);
    json_text_integer(t, "scale", 1);
    json_text_boolean(t, "accumulate", false);
}

static void add_zero(JsonText *t, const Call *call) {
    json_text_plain(t, "kind", "zero");
    add_call_buffer(t, "buffer", call, 0);
    json_text_integer(t, "elements", call->elements);
    json_text_plain(t, "domain", plan_domain_name(call->domain));
}

static void add_scatter(JsonText *t, const Call *call) {
    json_text_plain(t, "kind", "scatter_add");
    add_call_buffer(t, "index", call, 0);
    add_call_buffer(t, "values", call, 1);
    json_text_plain(t, "domain", plan_domain_name(call->domain));
    json_text_integer(t, "elements", call->elements);
    json_text_integer(t, "rows", call->rows);
    add_call_buffer(t, "to", call, 2);
    json_text_integer(t, "indices", call->indices);
    json_text_plain(t, "index_domain", plan_domain_name(call->scatter_domains[0]));
    json_text_plain(t, "values_domain", plan_domain_name(call->scatter_domains[1]));
    json_text_plain(t, "to_domain", plan_domain_name(call->scatter_domains[2]));
}

static void add_kernel(JsonText *t, const Call *call) {
    json_text_plain(t, "kind", "kernel");
    json_text_integer(t, "kernel", call->kernel);
    json_text_plain(t, "domain", plan_domain_name(call->domain));
    json_text_open(t, "buffers", '[');
    for (uint32_t k = 0; k < call->buffers.count; k++)
        add_call_buffer(t, NULL, call, k);
    json_text_close(t, ']');
    json_text_plain(t, "tasks", call->kind == CALL_ATTEND ? "samples" : "tiles");
    if (call->kind == CALL_ATTEND)
        json_text_integer(t, "per_sample", call->per_sample);
}

static void add_call(JsonText *t, const Plan *plan, const Call *call, const SourceSet *sources) {
    json_text_open(t, NULL, '{');
    switch (call->kind) {
    case CALL_GEMM:
        add_gemm(t, call);
        break;
    case CALL_REDUCE:
        add_reduce(t, call);
        break;
    case CALL_ZERO:
        add_zero(t, call);
        break;
    case CALL_SCATTER:
        add_scatter(t, call);
        break;
    default:
        add_kernel(t, call);
    }
    call_profile_add(t, plan, call, sources);
    json_text_close(t, '}');
}

static json_t *kernels_json(const Plan *plan, NestKernel *const *kernels) {
    json_t *list = json_array();
    for (uint32_t k = 0; k < plan->kernels.count; k++)
        json_array_append_new(list, json_pack("{s:s, s:I}", "name", kernels[k]->name, "scratch",
                                              (json_int_t)nest_scratch_bytes(kernels[k])));
    return list;
}

static void add_tables(JsonText *t, const Plan *plan) {
    json_text_open(t, "tables", '[');
    for (uint32_t k = 0; k < plan->tables.count; k++) {
        const PlanTable *of = &plan->tables.at[k];
        const TirNode *node = tir_node(plan->program->block, of->value);
        const TirTable *table = &plan->program->tables.at[node->attr.index];
        const uint64_t elements = tir_element_count(&table->type);
        json_t *data = json_array();
        for (uint64_t i = 0; i < elements; i++)
            json_array_append_new(data, json_real(table->data[i]));
        json_text_open(t, NULL, '{');
        add_buffer(t, "buffer", &of->buffer);
        json_text_integer(t, "elements", elements);
        json_text_plain(t, "element",
                        table->type.elem == TIR_INT ? "i32"
                        : plan->options.f64         ? "f64"
                                                    : "f32");
        json_text_add(t, "data", data);
        json_text_close(t, '}');
    }
    json_text_close(t, ']');
}

static void add_output(JsonText *t, const char *key, const Plan *plan, const TirOutput *out) {
    add_buffer(t, key, &plan->buffer[plan_storage(plan->program->block, out->value)]);
}

/* The outputs of some roles as a list of objects. */
static void add_output_list(JsonText *t, const char *key, const Plan *plan, TirOutputRole role,
                            TirOutputRole or_role) {
    const TirProgram *p = plan->program;
    json_text_open(t, key, '[');
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        const TirOutput *out = &p->outputs.at[k];
        const TirType *type = &tir_node(p->block, out->value)->type;
        if (out->role != role && out->role != or_role)
            continue;
        json_text_open(t, NULL, '{');
        if (role == TIR_OUT_UPDATE)
            json_text_integer(t, "param", out->index);
        else
            json_text_add(t, "name", json_string(out->name));
        if (role == TIR_OUT_PROBE) {
            add_dims(t, type);
            json_text_plain(t, "domain", plan_domain_name(type->domain));
        }
        add_output(t, "buffer", plan, out);
        json_text_close(t, '}');
    }
    json_text_close(t, ']');
}

static void add_outputs(JsonText *t, const Plan *plan) {
    json_text_open(t, "outputs", '{');
    for (uint32_t k = 0; k < plan->program->outputs.count; k++) {
        const TirOutput *out = &plan->program->outputs.at[k];
        if (out->role == TIR_OUT_LOSS || out->role == TIR_OUT_LOGITS)
            add_output(t, out->role == TIR_OUT_LOSS ? "loss" : "logits", plan, out);
    }
    add_output_list(t, "metrics", plan, TIR_OUT_METRIC, TIR_OUT_METRIC);
    add_output_list(t, "probes", plan, TIR_OUT_PROBE, TIR_OUT_NAMED);
    add_output_list(t, "updates", plan, TIR_OUT_UPDATE, TIR_OUT_UPDATE);
    json_text_close(t, '}');
}

/* NULL when every call runs over all positions at once. */
static json_t *chunks_json(const Plan *plan) {
    const uint32_t *f = plan->chunks.forward, *b = plan->chunks.backward;
    if (!plan->chunks.positions)
        return NULL;
    json_t *repeated = json_array();
    for (uint32_t k = f[0]; k < f[1]; k++)
        if (plan->calls.at[k].repeated)
            json_array_append_new(repeated, size(k));
    const uint32_t n = plan->n_forward_calls;
    return json_pack("{s:I, s:[I, I], s:[I, I], s:o}", "positions",
                     (json_int_t)plan->chunks.positions, "forward", (json_int_t)f[0],
                     (json_int_t)f[1], "backward", (json_int_t)(b[0] - n), (json_int_t)(b[1] - n),
                     "repeated", repeated);
}

static void add_calls(JsonText *t, const char *key, const Plan *plan, const SourceSet *sources,
                      uint32_t from, uint32_t to) {
    json_text_open(t, key, '[');
    for (uint32_t k = from; k < to; k++)
        add_call(t, plan, &plan->calls.at[k], sources);
    json_text_close(t, ']');
}

static json_t *regions_json(const Plan *plan) {
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "global",
                     (json_int_t)plan->region_size[REGION_GLOBAL], "sample",
                     (json_int_t)plan->region_size[REGION_SAMPLE], "time",
                     (json_int_t)plan->region_size[REGION_TIME], "position",
                     (json_int_t)plan->region_size[REGION_POSITION], "partial",
                     (json_int_t)plan->region_size[REGION_PARTIAL], "chunk",
                     (json_int_t)plan->region_size[REGION_CHUNK]);
}

static void add_plan(JsonText *t, const Plan *plan, NestKernel *const *kernels,
                     const SourceSet *sources) {
    json_text_open(t, "plan", '{');
    json_text_add(t, "regions", regions_json(plan));
    add_tables(t, plan);
    json_text_add(t, "kernels", kernels_json(plan, kernels));
    add_calls(t, "forward", plan, sources, 0, plan->n_forward_calls);
    add_calls(t, "backward", plan, sources, plan->n_forward_calls, plan->calls.count);
    add_outputs(t, plan);
    json_text_add_if(t, "chunks", chunks_json(plan));
    json_text_close(t, '}');
}

static json_t *space_json(const Network *network) {
    if (!network->space)
        return json_null();
    const TirSpace *s = &network->program->spaces.at[network->space - 1];
    json_t *extents = json_array();
    for (uint32_t k = 0; k < s->rank; k++)
        json_array_append_new(extents, size(s->extents[k]));
    return json_pack("{s:s, s:I, s:o}", "name", s->name, "maximum", (json_int_t)s->maximum,
                     "extents", extents);
}

const char *plan_manifest(const Plan *plan, const Network *network, NestKernel *const *kernels,
                          const ManifestMachine *machine, const SourceSet *sources) {
    JsonText t = {.arena = plan->arena};
    json_text_open(&t, NULL, '{');
    json_text_add(&t, "format", json_integer(1));
    json_text_add(&t, "model", json_string(network->name));
    json_text_add(&t, "element", json_string(plan->options.f64 ? "f64" : "f32"));
    json_text_add(&t, "cpu", machine_json(machine));
    json_text_add(&t, "vector_bytes", size(machine->vector_bytes));
    json_text_add(&t, "micro_tile", size(machine->micro_tile));
    json_text_add(&t, "space", space_json(network));
    add_inputs(&t, plan->program);
    const uint64_t elements = add_params(&t, plan->program);
    json_text_add(&t, "param_elements", size(elements));
    json_text_add(&t, "recipe", recipe_json(&network->recipe));
    json_text_add(&t, "data", data_json(network));
    json_text_add(&t, "constants", constants_json(network));
    json_text_add(&t, "sites", sites_json(network));
    add_plan(&t, plan, kernels, sources);
    json_text_close(&t, '}');
    vec_push(t.arena, &t.text, '\0');
    return t.failed ? NULL : t.text.at;
}
