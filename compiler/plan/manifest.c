/* Plan and network as the runtime reads them. */
#include "plan/manifest.h"
#include "plan/manifest_plan.h"
#include <string.h>

enum { ALIGN_ELEMENTS = 16 };

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
        json_text_integers(t, "dims", param->type.dims, param->type.rank);
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
        json_text_integers(t, "dims", in->type.dims, in->type.rank);
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

static void add_space(JsonText *t, const Network *network) {
    if (!network->space) {
        json_text_add(t, "space", json_null());
        return;
    }
    const TirSpace *s = &network->program->spaces.at[network->space - 1];
    json_text_open(t, "space", '{');
    json_text_add(t, "name", json_string(s->name));
    json_text_integer(t, "maximum", s->maximum);
    json_text_integers(t, "extents", s->extents, s->rank);
    json_text_close(t, '}');
}

const char *plan_manifest(const Plan *plan, const Network *network, NestKernel *const *kernels,
                          const ManifestMachine *machine, const SourceSet *sources) {
    JsonText t = {.arena = plan->arena};
    json_text_open(&t, NULL, '{');
    json_text_plain(&t, "origin", "generated by hcc"); /* by which hcc knows the file again */
    json_text_integer(&t, "format", 1);
    json_text_add(&t, "model", json_string(network->name));
    json_text_plain(&t, "element", plan->options.f64 ? "f64" : "f32");
    json_text_add(&t, "cpu", machine_json(machine));
    json_text_integer(&t, "vector_bytes", machine->vector_bytes);
    json_text_integer(&t, "micro_tile", machine->micro_tile);
    add_space(&t, network);
    add_inputs(&t, plan->program);
    const uint64_t elements = add_params(&t, plan->program);
    json_text_integer(&t, "param_elements", elements);
    json_text_add(&t, "recipe", recipe_json(&network->recipe));
    json_text_add(&t, "data", data_json(network));
    json_text_add(&t, "constants", constants_json(network));
    json_text_add(&t, "sites", sites_json(network));
    manifest_plan(&t, plan, kernels, sources);
    json_text_close(&t, '}');
    vec_push(t.arena, &t.text, '\0');
    return t.failed ? NULL : t.text.at;
}
