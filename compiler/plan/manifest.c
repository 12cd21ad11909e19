/* Plan and network as the runtime reads them. */
#include "plan/manifest.h"
#include "plan/call_profile.h"
#include "plan/json_text.h"
#include <string.h>

enum { ALIGN_ELEMENTS = 16 };

static json_t *size(uint64_t n) {
    return json_integer((json_int_t)n);
}

static json_t *dims_of(const TirType *type) {
    json_t *dims = json_array();
    for (uint32_t k = 0; k < type->rank; k++)
        json_array_append_new(dims, size(type->dims[k]));
    return dims;
}

static json_t *buffer_json(const Buffer *b) {
    static const char *const names[] = {"params", "grads",    "input",   "global", "sample",
                                        "time",   "position", "partial", "chunk",  "none"};
    json_t *pair = json_pack("[s, I]", names[b->region], (json_int_t)b->offset);
    if (b->region <= REGION_INPUT || b->region == REGION_CHUNK)
        json_array_append_new(pair, size(b->index));
    return pair;
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
        json_text_add(t, NULL,
                      json_pack("{s:s, s:s, s:o, s:I, s:o, s:b, s:b, s:b, s:f, s:b, s:b}", "name",
                                param->name, "group", param->group ? param->group : "", "dims",
                                dims_of(&param->type), "offset", (json_int_t)elements, "init",
                                init_json(param), "decay", param->decay, "frozen", param->frozen,
                                "buffer", param->buffer, "lr_scale", param->lr_scale,
                                "of_connection", param->of_connection, "grad", has_gradient[k]));
        uint64_t n = tir_element_count(&param->type);
        elements += (n + ALIGN_ELEMENTS - 1) / ALIGN_ELEMENTS * ALIGN_ELEMENTS;
    }
    json_text_close(t, ']');
    return elements;
}

static json_t *inputs_json(const TirProgram *p) {
    json_t *list = json_array();
    for (uint32_t k = 0; k < p->inputs.count; k++) {
        const TirInput *in = &p->inputs.at[k];
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:s, s:I, s:b}", "name", in->name,
                                              "element", in->type.elem == TIR_REAL ? "real" : "i32",
                                              "dims", dims_of(&in->type), "domain",
                                              plan_domain_name(in->type.domain), "limit",
                                              (json_int_t)in->limit, "target", in->is_target));
    }
    return list;
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

static json_t *buffers_json(const Call *call) {
    json_t *list = json_array();
    for (uint32_t k = 0; k < call->buffers.count; k++)
        json_array_append_new(list, buffer_json(&call->buffers.at[k]));
    return list;
}

static json_t *gemm_json(const Call *call) {
    const GemmWork *g = &call->gemm;
    const char *domain = plan_domain_name(g->domain);
    /* m rows per instance (several per instance when the operand has free axes), or a number. */
    return json_pack("{s:s, s:b, s:b, s:o, s:I, s:o, s:o, s:I, s:o, s:I, s:o, s:I, s:f, s:f, s:I}",
                     "kind", "gemm", "ta", g->transpose_a, "tb", g->transpose_b, "m",
                     g->m_per_instance ? json_string(domain) : size(g->m), "n", (json_int_t)g->n,
                     "k", g->k_per_instance ? json_string(domain) : size(g->k), "a",
                     buffer_json(&call->buffers.at[0]), "lda", (json_int_t)g->lda, "b",
                     buffer_json(&call->buffers.at[1]), "ldb", (json_int_t)g->ldb, "c",
                     buffer_json(&call->buffers.at[2]), "ldc", (json_int_t)g->ldc, "alpha", 1.0,
                     "beta", g->accumulate ? 1.0 : 0.0, "per_instance",
                     (json_int_t)(g->m_per_instance   ? g->m
                                  : g->k_per_instance ? g->k
                                                      : 1));
}

static json_t *call_json(const Call *call) {
    const char *domain = plan_domain_name(call->domain);
    switch (call->kind) {
    case CALL_GEMM:
        return gemm_json(call);
    case CALL_REDUCE:
        return json_pack("{s:s, s:o, s:s, s:I, s:o, s:f, s:b}", "kind", "reduce", "partial",
                         buffer_json(&call->buffers.at[0]), "tasks_of", domain, "elements",
                         (json_int_t)call->elements, "to", buffer_json(&call->buffers.at[1]),
                         "scale", 1.0, "accumulate", false);
    case CALL_ZERO:
        return json_pack("{s:s, s:o, s:I, s:s}", "kind", "zero", "buffer",
                         buffer_json(&call->buffers.at[0]), "elements", (json_int_t)call->elements,
                         "domain", domain);
    case CALL_SCATTER:
        return json_pack("{s:s, s:o, s:o, s:s, s:I, s:I, s:o, s:I, s:s, s:s, s:s}", "kind",
                         "scatter_add", "index", buffer_json(&call->buffers.at[0]), "values",
                         buffer_json(&call->buffers.at[1]), "domain", domain, "elements",
                         (json_int_t)call->elements, "rows", (json_int_t)call->rows, "to",
                         buffer_json(&call->buffers.at[2]), "indices", (json_int_t)call->indices,
                         "index_domain", plan_domain_name(call->scatter_domains[0]),
                         "values_domain", plan_domain_name(call->scatter_domains[1]), "to_domain",
                         plan_domain_name(call->scatter_domains[2]));
    case CALL_ATTEND:
        return json_pack("{s:s, s:I, s:s, s:o, s:s, s:I}", "kind", "kernel", "kernel",
                         (json_int_t)call->kernel, "domain", domain, "buffers", buffers_json(call),
                         "tasks", "samples", "per_sample", (json_int_t)call->per_sample);
    default:
        return json_pack("{s:s, s:I, s:s, s:o, s:s}", "kind", "kernel", "kernel",
                         (json_int_t)call->kernel, "domain", domain, "buffers", buffers_json(call),
                         "tasks", "tiles");
    }
}

static json_t *kernels_json(const Plan *plan, NestKernel *const *kernels) {
    json_t *list = json_array();
    for (uint32_t k = 0; k < plan->kernels.count; k++)
        json_array_append_new(list, json_pack("{s:s, s:I}", "name", kernels[k]->name, "scratch",
                                              (json_int_t)nest_scratch_bytes(kernels[k])));
    return list;
}

static json_t *tables_json(const Plan *plan) {
    json_t *list = json_array();
    for (uint32_t k = 0; k < plan->tables.count; k++) {
        const PlanTable *t = &plan->tables.at[k];
        const TirNode *node = tir_node(plan->program->block, t->value);
        const TirTable *table = &plan->program->tables.at[node->attr.index];
        uint64_t elements = tir_element_count(&table->type);
        json_t *data = json_array();
        for (uint64_t i = 0; i < elements; i++)
            json_array_append_new(data, json_real(table->data[i]));
        json_array_append_new(list,
                              json_pack("{s:o, s:I, s:s, s:o}", "buffer", buffer_json(&t->buffer),
                                        "elements", (json_int_t)elements, "element",
                                        table->type.elem == TIR_INT ? "i32"
                                        : plan->options.f64         ? "f64"
                                                                    : "f32",
                                        "data", data));
    }
    return list;
}

static json_t *outputs_json(const Plan *plan) {
    const TirProgram *p = plan->program;
    json_t *object = json_object(), *metrics = json_array(), *probes = json_array(),
           *updates = json_array();
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        const TirOutput *out = &p->outputs.at[k];
        const TirType *type = &tir_node(p->block, out->value)->type;
        json_t *buffer = buffer_json(&plan->buffer[plan_storage(p->block, out->value)]);
        if (out->role == TIR_OUT_LOSS)
            json_object_set_new(object, "loss", buffer);
        else if (out->role == TIR_OUT_LOGITS)
            json_object_set_new(object, "logits", buffer);
        else if (out->role == TIR_OUT_METRIC)
            json_array_append_new(metrics,
                                  json_pack("{s:s, s:o}", "name", out->name, "buffer", buffer));
        else if (out->role == TIR_OUT_UPDATE)
            json_array_append_new(updates, json_pack("{s:I, s:o}", "param", (json_int_t)out->index,
                                                     "buffer", buffer));
        else if (out->role == TIR_OUT_PROBE || out->role == TIR_OUT_NAMED)
            json_array_append_new(
                probes, json_pack("{s:s, s:o, s:s, s:o}", "name", out->name, "dims", dims_of(type),
                                  "domain", plan_domain_name(type->domain), "buffer", buffer));
        else
            json_decref(buffer);
    }
    json_object_set_new(object, "metrics", metrics);
    json_object_set_new(object, "probes", probes);
    json_object_set_new(object, "updates", updates);
    return object;
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
    for (uint32_t k = from; k < to; k++) {
        json_t *call = call_json(&plan->calls.at[k]);
        call_profile_add(call, plan, &plan->calls.at[k], sources);
        json_text_add(t, NULL, call);
    }
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
    json_text_add(t, "tables", tables_json(plan));
    json_text_add(t, "kernels", kernels_json(plan, kernels));
    add_calls(t, "forward", plan, sources, 0, plan->n_forward_calls);
    add_calls(t, "backward", plan, sources, plan->n_forward_calls, plan->calls.count);
    json_text_add(t, "outputs", outputs_json(plan));
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
    json_text_add(&t, "inputs", inputs_json(plan->program));
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
