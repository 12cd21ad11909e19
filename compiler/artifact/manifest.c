/* Plan and network as the runtime reads them. */
#include "artifact/manifest.h"
#include "abi/abi.h"
#include "abi/layout.h"
#include "abi/needs.h"
#include "artifact/manifest_plan.h"
#include "pass/matrices.h"
#include <string.h>

static void add_machine(JsonText *t, const ManifestMachine *machine) {
    json_text_open(t, "cpu", '{');
    json_text_string(t, "name", machine->cpu);
    json_text_open(t, "features", '[');
    for (uint32_t k = 0; k < machine->n_features; k++)
        json_text_string(t, NULL, machine->features[k]);
    json_text_close(t, ']');
    json_text_close(t, '}');
}

static void add_needs(JsonText *t) {
    static const char *const linked[] = {
#define NAME(name) name,
        HC_LINKED_LIBRARIES(NAME)
#undef NAME
    };
    json_text_open(t, "needs", '{');
    json_text_open(t, "linked", '[');
    for (size_t k = 0; k < sizeof linked / sizeof *linked; k++)
        json_text_string(t, NULL, linked[k]);
    json_text_close(t, ']');
    json_text_open(t, "loaded", '[');
    json_text_string(t, NULL, HC_LOADED_LIBRARY);
    json_text_close(t, ']');
    json_text_close(t, '}');
}

static void add_init(JsonText *t, const TirParam *p) {
    json_text_open(t, "init", '{');
    json_text_plain(t, "kind", tir_init_names[p->init]);
    switch (p->init) {
    case TIR_INIT_NORMAL:
        json_text_real(t, "mean", p->init_a);
        json_text_real(t, "std", p->init_b);
        break;
    case TIR_INIT_UNIFORM:
        json_text_real(t, "low", p->init_a);
        json_text_real(t, "high", p->init_b);
        break;
    case TIR_INIT_DATA:
        json_text_open(t, "values", '[');
        for (uint64_t i = 0; i < tir_element_count(&p->type); i++)
            json_text_real(t, NULL, p->data[i]);
        json_text_close(t, ']');
        break;
    default:
        json_text_real(t, "value", p->init_a);
    }
    json_text_close(t, '}');
}

static void add_element(JsonText *t, const Plan *plan, const TirType *type) {
    json_text_plain(t, "element", plan_element_names[plan_element(&plan->options, type)]);
}

static void add_axes(JsonText *t, const char *key, uint32_t axes) {
    uint32_t list[TIR_MAX_RANK], n = 0;
    for (uint32_t i = 0; i < TIR_MAX_RANK; i++)
        if (axes & 1u << i)
            list[n++] = i;
    json_text_integers(t, key, list, n);
}

static void add_matrix(JsonText *t, const MatrixAxes *axes) {
    if (!axes->free)
        return;
    json_text_open(t, "matrix", '{');
    add_axes(t, "apart", axes->apart);
    add_axes(t, "free", axes->free);
    add_axes(t, "summed", axes->summed);
    json_text_close(t, '}');
}

/* Parameters lie one behind the other; returns how many bytes all take. */
static uint64_t add_params(JsonText *t, const Plan *plan) {
    const TirProgram *p = plan->program;
    bool *has_gradient = ARENA_ARRAY(t->arena, bool, p->params.count);
    for (uint32_t k = 0; k < p->outputs.count; k++)
        if (p->outputs.at[k].role == TIR_OUT_GRAD)
            has_gradient[p->outputs.at[k].index] = true;
    const MatrixAxes *matrices = pass_matrices(p, t->arena);
    uint64_t bytes = 0;
    json_text_open(t, "params", '[');
    for (uint32_t k = 0; k < p->params.count; k++) {
        const TirParam *param = &p->params.at[k];
        json_text_open(t, NULL, '{');
        json_text_string(t, "name", param->name);
        json_text_string(t, "group", param->group ? param->group : "");
        add_element(t, plan, &param->type);
        json_text_integer(t, "offset", bytes);
        add_init(t, param);
        json_text_boolean(t, "decay", param->decay);
        json_text_boolean(t, "frozen", param->frozen);
        json_text_boolean(t, "buffer", param->buffer);
        json_text_real(t, "lr_scale", param->lr_scale);
        json_text_boolean(t, "of_connection", param->of_connection);
        json_text_boolean(t, "grad", has_gradient[k]);
        add_matrix(t, &matrices[k]);
        json_text_integers(t, "dims", param->type.dims, param->type.rank);
        json_text_close(t, '}');
        bytes += hc_align(plan_type_bytes(&plan->options, &param->type));
    }
    json_text_close(t, ']');
    return bytes;
}

static void add_inputs(JsonText *t, const Plan *plan) {
    const TirProgram *p = plan->program;
    json_text_open(t, "inputs", '[');
    for (uint32_t k = 0; k < p->inputs.count; k++) {
        const TirInput *in = &p->inputs.at[k];
        json_text_open(t, NULL, '{');
        json_text_string(t, "name", in->name);
        json_text_plain(t, "element", plan_element_names[plan->input_elements[k]]);
        json_text_plain(t, "domain", plan_domain_name(in->type.domain));
        json_text_integer(t, "limit", in->limit);
        json_text_boolean(t, "target", in->is_target);
        if (in->upstream)
            json_text_string(t, "upstream", in->upstream);
        if (in->beside)
            json_text_string(t, "beside", in->beside);
        json_text_integers(t, "dims", in->type.dims, in->type.rank);
        json_text_close(t, '}');
    }
    json_text_close(t, ']');
}

static void add_recipe(JsonText *t, const Recipe *r) {
    json_text_open(t, "recipe", '{');
    json_text_plain(t, "optimizer", recipe_optimizers[r->optimizer]);
    json_text_plain(t, "schedule", recipe_schedules[r->schedule]);
#define REAL json_text_real
#define WHOLE json_text_integer
#define MEMBER(kind, name) kind(t, #name, r->name);
    HC_SETTING_MEMBERS(MEMBER)
#undef MEMBER
#undef WHOLE
#undef REAL
    json_text_close(t, '}');
}

/* --- data --------------------------------------------------------------------------------------*/

static void add_coefficients(JsonText *t, const char *key, const int64_t *values, uint32_t count) {
    json_text_open(t, key, '[');
    for (uint32_t k = 0; k < count; k++)
        json_text_signed(t, NULL, values[k]);
    json_text_close(t, ']');
}

static void add_subscript(JsonText *t, const DataSubscript *s, uint32_t n_positions,
                          uint32_t rank) {
    json_text_open(t, NULL, '{');
    json_text_signed(t, "base", s->base);
    add_coefficients(t, "positions", s->coefficients, n_positions);
    add_coefficients(t, "axes", s->coefficients + n_positions, rank);
    if (s->column)
        json_text_string(t, "column", s->column);
    json_text_close(t, '}');
}

static void add_binding(JsonText *t, const Network *n, const DataBinding *b) {
    const TirInput *input = &n->program->inputs.at[b->input];
    const uint8_t space = input->type.domain.space;
    const uint32_t positions = space ? n->program->spaces.at[space - 1].rank : 0;
    json_text_open(t, NULL, '{');
    json_text_string(t, "input", input->name);
    json_text_string(t, "stream", b->stream);
    if (n->data.in_windows) {
        json_text_signed(t, "offset", b->offset);
    } else {
        json_text_open(t, "subscripts", '[');
        for (uint32_t k = 0; k < b->subscripts.count; k++)
            add_subscript(t, &b->subscripts.at[k], positions, input->type.rank);
        json_text_close(t, ']');
        json_text_boolean(t, "whole", b->whole);
        json_text_real(t, "scale", b->scale);
        json_text_real(t, "shift", b->shift);
        json_text_boolean(t, "standardise", b->standardise);
    }
    json_text_close(t, '}');
}

static void add_files(JsonText *t, const char *part, const DataFile *files, uint32_t count) {
    for (uint32_t k = 0; k < count; k++) {
        json_text_open(t, NULL, '{');
        json_text_plain(t, "part", part);
        if (files[k].stream)
            json_text_string(t, "stream", files[k].stream);
        json_text_string(t, "path", files[k].path);
        json_text_close(t, '}');
    }
}

static void add_table_format(JsonText *t, const DataSpec *data) {
    if (data->header != DATA_HEADER_GUESSED)
        json_text_boolean(t, "header", data->header == DATA_HEADER);
    if (data->separator)
        json_text_string(t, "separator", data->separator);
    json_text_integer(t, "skip", data->skip);
}

static void add_data(JsonText *t, const Network *n) {
    const DataSpec *data = &n->data;
    if (!data->source) {
        json_text_null(t, "data");
        return;
    }
    json_text_open(t, "data", '{');
    json_text_string(t, "source", data->source);
    json_text_real(t, "held_out", data->held_out);
    json_text_boolean(t, "shuffled", data->shuffled);
    json_text_open(t, "files", '[');
    add_files(t, "train", data->train_files.at, data->train_files.count);
    add_files(t, "held_out", data->held_out_files.at, data->held_out_files.count);
    json_text_close(t, ']');
    json_text_open(t, "bindings", '[');
    for (uint32_t k = 0; k < data->bindings.count; k++)
        add_binding(t, n, &data->bindings.at[k]);
    json_text_close(t, ']');
    if (strcmp(data->source, "table") == 0)
        add_table_format(t, data);
    if (data->width)
        json_text_integer(t, "width", data->width);
    json_text_close(t, '}');
}

/* --- the model ---------------------------------------------------------------------------------*/

static void add_sites(JsonText *t, const Network *n) {
    json_text_open(t, "sites", '[');
    for (uint32_t k = 0; k < n->sites.count; k++) {
        const SiteInfo *s = &n->sites.at[k];
        json_text_open(t, NULL, '{');
        json_text_string(t, "path", s->path);
        json_text_string(t, "connection", s->connection);
        json_text_string(t, "branch", s->branch);
        json_text_integer(t, "site", s->site);
        json_text_integer(t, "block", s->block);
        json_text_close(t, '}');
    }
    json_text_close(t, ']');
}

static void add_names(JsonText *t, const char *key, const MapNames *names) {
    json_text_open(t, key, '[');
    for (uint32_t k = 0; k < names->count; k++)
        json_text_string(t, NULL, names->at[k]);
    json_text_close(t, ']');
}

static void add_map(JsonText *t, const char *key, const SiteMap *map) {
    json_text_open(t, key, '{');
    if (map->why)
        json_text_string(t, "why", map->why);
    else
        json_text_plain(t, "mean", map->mean);
    if (map->variance)
        json_text_plain(t, "variance", map->variance);
    json_text_close(t, '}');
}

/* Of a program of maps alone: by site, the outputs that hold them. */
static void add_maps(JsonText *t, const Network *n) {
    if (n->maps.count == 0)
        return;
    json_text_open(t, "maps", '[');
    for (uint32_t k = 0; k < n->maps.count; k++) {
        const SiteMaps *m = &n->maps.at[k];
        json_text_open(t, NULL, '{');
        add_names(t, "streams", &m->streams);
        add_names(t, "written", &m->written);
        add_names(t, "reads", &m->reads);
        add_names(t, "results", &m->results);
        add_map(t, "read", &m->read);
        add_map(t, "mix", &m->mix);
        add_map(t, "write", &m->write);
        if (m->first) {
            add_names(t, "input", &m->input);
            add_map(t, "begin", &m->begin);
        }
        if (m->last) {
            add_names(t, "ended", &m->ended);
            add_map(t, "end", &m->end);
        }
        if (m->norms)
            json_text_plain(t, "norms", m->norms);
        if (m->similarity)
            json_text_plain(t, "similarity", m->similarity);
        json_text_close(t, '}');
    }
    json_text_close(t, ']');
}

static void add_constants(JsonText *t, const Network *n) {
    json_text_open(t, "constants", '{');
    for (uint32_t k = 0; k < n->constants.count; k++)
        json_text_string(t, n->constants.at[k].name, n->constants.at[k].value);
    json_text_close(t, '}');
}

static void add_space(JsonText *t, const char *key, const TirSpace *space) {
    json_text_open(t, key, '{');
    json_text_string(t, "name", space->name);
    json_text_integer(t, "maximum", space->maximum);
    json_text_integers(t, "extents", space->extents, space->rank);
    json_text_close(t, '}');
}

static void add_spaces(JsonText *t, const TirProgram *p) {
    if (p->spaces.count == 0) {
        json_text_null(t, "space");
        return;
    }
    add_space(t, "space", &p->spaces.at[0]);
    if (p->spaces.count < 2)
        return;
    json_text_open(t, "further_spaces", '[');
    for (uint32_t k = 1; k < p->spaces.count; k++)
        add_space(t, NULL, &p->spaces.at[k]);
    json_text_close(t, ']');
}

/* Whether the model draws random numbers. */
static bool draws(const ManifestKernels *kernels) {
    for (uint32_t k = 0; k < kernels->count; k++)
        for (uint32_t i = 1; i < kernels->at[k]->instructions.count; i++)
            if (kernels->at[k]->instructions.at[i].op == NEST_RANDOM)
                return true;
    return false;
}

const char *plan_manifest(const Plan *plan, const Network *network, const ManifestKernels *kernels,
                          const ManifestMachine *machine, const SourceSet *sources) {
    JsonText t = {.arena = plan->arena};
    json_text_open(&t, NULL, '{');
    json_text_plain(&t, "origin", "generated by hcc"); /* by which hcc knows the file again */
    json_text_integer(&t, "format", HC_MANIFEST_FORMAT);
    json_text_string(&t, "model", network->name);
    json_text_plain(&t, "element", plan_element_names[plan_real(&plan->options)]);
    json_text_plain(&t, "precision", hc_precision_word(plan->options.precision));
    add_machine(&t, machine);
    json_text_integer(&t, "vector_bytes", machine->vector_bytes);
    json_text_integer(&t, "micro_tile", machine->micro_tile);
    add_needs(&t);
    add_spaces(&t, network->program);
    add_inputs(&t, plan);
    json_text_boolean(&t, "random", draws(kernels));
    json_text_integer(&t, "param_bytes", add_params(&t, plan));
    add_recipe(&t, &network->recipe);
    add_data(&t, network);
    add_constants(&t, network);
    add_sites(&t, network);
    add_maps(&t, network);
    manifest_plan(&t, plan, kernels, sources);
    json_text_close(&t, '}');
    return t.not_utf8 ? NULL : json_text_end(&t);
}
