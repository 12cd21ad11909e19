/* hcc info: what a model is and costs, before anything is compiled. */
#include "compile/memory.h"
#include "driver/driver.h"
#include "driver/pipeline.h"
#include "plan/cost.h"
#include "runtime/app/info.h"
#include <string.h>

/* What a plan says before anything is compiled, in bytes of f32 values. */
typedef struct {
    double workspace; /* between kernels, for a batch */
    double moved;     /* read and written by kernels and products at one position, a step */
    PlanReplays replays;
    const char *refused; /* or NULL */
} StepCost;

typedef struct {
    VEC(HcInfoGroup) params;
    VEC(HcInfoSite) sites;
    VEC(const char *) lost; /* trained parameters without a path to the loss */
    uint64_t elements, undecayed, of_connections;
    uint32_t positions; /* of one sample */
    uint32_t samples;
    double forward, backward; /* operations a position */
    double fixed;             /* bytes beside the workspace */
    bool planned;
    StepCost cost; /* if planned */
} Info;

static HcInfoGroup *info_param_group(Arena *arena, Info *info, const TirParam *param) {
    for (uint32_t k = 0; k < info->params.count; k++)
        if (strcmp(info->params.at[k].name, param->group) == 0)
            return &info->params.at[k];
    vec_push(arena, &info->params, (HcInfoGroup){param->group, 0, 0, param->of_connection});
    return &info->params.at[info->params.count - 1];
}

static void info_count_site(Arena *arena, Info *info, const SiteInfo *site) {
    for (uint32_t k = 0; k < info->sites.count; k++) {
        HcInfoSite *group = &info->sites.at[k];
        if (strcmp(group->connection, site->connection) == 0 &&
            strcmp(group->branch, site->branch) == 0) {
            group->count++;
            return;
        }
    }
    vec_push(arena, &info->sites, (HcInfoSite){site->connection, site->branch, 1});
}

/* `program` has its gradient. */
static void info_list_lost(Arena *arena, Info *info, const TirProgram *program) {
    bool *reached = ARENA_ARRAY(arena, bool, program->params.count + 1);
    for (uint32_t k = 0; k < program->outputs.count; k++)
        if (program->outputs.at[k].role == TIR_OUT_GRAD)
            reached[program->outputs.at[k].index] = true;
    for (uint32_t k = 0; k < program->params.count; k++) {
        const TirParam *param = &program->params.at[k];
        if (!reached[k] && !param->frozen && !param->buffer)
            vec_push(arena, &info->lost, param->name);
    }
}

/* A plan that is refused is no fault of the text: it is warned of. */
static ExitCode info_cost(Driver *d, CompileRun *run, Info *info) {
    ExitCode code = EXIT_OK;
    CompileStatus status = compile_to(run, PASS_MEMORY);
    info->planned = status == COMPILE_DONE;
    info->cost.refused = run->refused.message;
    if (info->planned) {
        info->cost.workspace = (double)plan_workspace(run->plan);
        info->cost.replays = run->plan->replays;
        for (uint32_t k = 0; k < run->plan->calls.count; k++)
            info->cost.moved +=
                plan_call_cost(run->plan, &run->plan->calls.at[k]).bytes.per_position;
    } else if (info->cost.refused) {
        diag_warning(d->c->diagnostics, run->refused.code, run->refused.at,
                     "it cannot be trained, and what it would take is not known: %s",
                     info->cost.refused);
        if (run->refused.help)
            diag_help(d->c->diagnostics, "%s", run->refused.help);
        driver_report(d);
    } else {
        code = pipeline_status(d, run, status);
    }
    return code;
}

static ExitCode info_gather(Driver *d, CompileRun *run, Info *info) {
    const Network *network = run->network;
    const TirProgram *program = network->program;
    for (uint32_t k = 0; k < program->params.count; k++) {
        const TirParam *param = &program->params.at[k];
        if (param->buffer)
            continue;
        uint64_t elements = tir_element_count(&param->type);
        HcInfoGroup *group = info_param_group(d->c->arena, info, param);
        group->tensors++;
        group->elements += elements;
        info->elements += elements;
        info->undecayed += param->decay ? 0 : elements;
        info->of_connections += param->of_connection ? elements : 0;
    }
    for (uint32_t k = 0; k < network->sites.count; k++)
        info_count_site(d->c->arena, info, &network->sites.at[k]);
    info->positions = network->space ? program->spaces.at[network->space - 1].maximum : 1;
    info->samples = network->recipe.batch ? network->recipe.batch : 1;
    ExitCode code = pipeline_to(d, run, PASS_DCE);
    if (code != EXIT_OK)
        return code;
    program = network->program;
    info_list_lost(d->c->arena, info, program);
    info->forward =
        cost_spread(cost_count(program, true, info->positions), info->samples, info->positions);
    info->backward =
        cost_spread(cost_count(program, false, info->positions), info->samples, info->positions);
    info->fixed = (double)memory_fixed(network, memory_step(network, 0, false), false);
    return info_cost(d, run, info);
}

/* In single precision, as its bytes are counted. */
static CompileOptions info_options(Driver *d) {
    CompileOptions options = pipeline_options(d);
    options.f64 = options.plain = false;
    return options;
}

/* What a model's connections are compared with, unless told otherwise. */
static const char *yardstick(const Driver *d) {
    return d->options.against ? d->options.against : "residual";
}

/* The same file with every constant that names a connection set to the one to compare with. False
 * when there is no such constant, all say that already, or the other network is not valid. */
static bool info_against(Driver *d, const Network *network, Info *info) {
    const char *name = yardstick(d);
    OverrideVec overrides = {0};
    for (uint32_t k = 0; k < network->constants.count; k++)
        for (uint32_t s = 0; s < network->sites.count; s++)
            if (strcmp(network->constants.at[k].value, network->sites.at[s].connection) == 0 &&
                strcmp(network->constants.at[k].value, name) != 0) {
                vec_push(d->c->arena, &overrides, (Override){network->constants.at[k].name, name});
                break;
            }
    if (overrides.count == 0)
        return false;
    const OverrideVec set = pipeline_overrides(d);
    for (uint32_t k = 0; k < set.count; k++) {
        bool replaced = false;
        for (uint32_t o = 0; o < overrides.count; o++)
            replaced = replaced || strcmp(overrides.at[o].key, set.at[k].key) == 0;
        if (!replaced)
            vec_push(d->c->arena, &overrides, set.at[k]);
    }
    /* A second compilation, so that its diagnostics are nobody's business. */
    Compilation *own = d->c, *other = compilation_create();
    if (!other)
        arena_exhausted(own->arena);
    other->out_of_memory = own->out_of_memory;
    size_t length;
    const char *text = source_text(own->sources, 1, &length);
    uint32_t file = source_add(other->sources, source_name(own->sources, 1), text, length);
    Driver driver = *d;
    driver.c = other;
    driver.options.print_after = NULL;
    CompileOptions options = info_options(&driver);
    options.sema.overrides = overrides.at;
    options.sema.n_overrides = overrides.count;
    options.memory = 0; /* what there is without trying hard */
    CompileRun run = pipeline_begin(&driver, &options);
    compile_from_text(&run, file);
    bool valid = compile_to(&run, PASS_SEMA) == COMPILE_DONE && run.network &&
                 info_gather(&driver, &run, info) == EXIT_OK;
    pipeline_end(&driver, &run);
    /* Names in `info` die with the other compilation; only its numbers are used. */
    info->params.count = info->sites.count = info->lost.count = 0;
    compilation_destroy(other);
    return valid;
}

static void info_json_replays(JsonText *t, const PlanReplays *replays) {
    json_text_open(t, "replays", '{');
    json_text_integer(t, "stored_bytes", replays->stored);
    json_text_real(t, "time_share", replays->seconds / replays->step_seconds);
    json_text_open(t, "calls", '[');
    for (uint32_t k = 0; k < replays->calls.count; k++) {
        const PlanReplay *line = &replays->calls.at[k];
        json_text_open(t, NULL, '{');
        json_text_string(t, "name", line->label);
        json_text_integer(t, "again", line->again);
        json_text_integer(t, "of", line->of);
        json_text_real(t, "bytes", line->bytes);
        json_text_real(t, "time_share", line->seconds / replays->step_seconds);
        json_text_close(t, '}');
    }
    json_text_close(t, ']');
    json_text_close(t, '}');
}

static void info_json_groups(JsonText *t, const Info *info) {
    json_text_open(t, "groups", '[');
    for (uint32_t k = 0; k < info->params.count; k++) {
        const HcInfoGroup *group = &info->params.at[k];
        json_text_open(t, NULL, '{');
        json_text_string(t, "group", group->name);
        json_text_integer(t, "tensors", group->tensors);
        json_text_integer(t, "elements", group->elements);
        json_text_boolean(t, "of_connection", group->of_connection);
        json_text_close(t, '}');
    }
    json_text_close(t, ']');
}

static void info_json_sites(JsonText *t, const Network *network) {
    json_text_open(t, "sites", '[');
    for (uint32_t k = 0; k < network->sites.count; k++) {
        const SiteInfo *site = &network->sites.at[k];
        json_text_open(t, NULL, '{');
        json_text_string(t, "path", site->path);
        json_text_string(t, "connection", site->connection);
        json_text_string(t, "branch", site->branch);
        json_text_integer(t, "site", site->site);
        json_text_integer(t, "block", site->block);
        json_text_close(t, '}');
    }
    json_text_close(t, ']');
}

static void info_json_flops(JsonText *t, const Info *info) {
    json_text_real(t, "forward_flops_per_position", info->forward);
    json_text_real(t, "backward_flops_per_position", info->backward);
}

static void info_print_json(Driver *d, const Network *network, const Info *info,
                            const Info *plain) {
    JsonText t = {.arena = d->c->arena, .pretty = true};
    json_text_open(&t, NULL, '{');
    json_text_string(&t, "model", network->name);
    json_text_open(&t, "constants", '{');
    for (uint32_t k = 0; k < network->constants.count; k++)
        json_text_string(&t, network->constants.at[k].name, network->constants.at[k].value);
    json_text_close(&t, '}');
    json_text_integer(&t, "parameters", info->elements);
    json_text_integer(&t, "connection_parameters", info->of_connections);
    info_json_groups(&t, info);
    info_json_sites(&t, network);
    json_text_integer(&t, "positions", info->positions);
    json_text_integer(&t, "batch", info->samples);
    info_json_flops(&t, info);
    json_text_open(&t, "no_path", '[');
    for (uint32_t k = 0; k < info->lost.count; k++)
        json_text_string(&t, NULL, info->lost.at[k]);
    json_text_close(&t, ']');
    if (info->planned) {
        json_text_real(&t, "workspace_bytes", info->cost.workspace);
        json_text_real(&t, "other_bytes", info->fixed);
        info_json_replays(&t, &info->cost.replays);
        json_text_real(&t, "bytes_moved_per_position", info->cost.moved);
    } else {
        json_text_string(&t, "refused", info->cost.refused);
    }
    if (plain) {
        json_text_open(&t, "against", '{');
        json_text_string(&t, "connection", yardstick(d));
        json_text_integer(&t, "parameters", plain->elements);
        info_json_flops(&t, plain);
        json_text_close(&t, '}');
    }
    json_text_close(&t, '}');
    json_text_print(&t, d->out);
}

static const char *info_scaled(Arena *arena, double value) {
    static const char *const suffixes[] = {"", " K", " M", " G", " T"};
    uint32_t k = 0;
    for (; value >= 9999.5 && k < 4; k++)
        value /= 1000;
    return arena_printf(arena, value < 100 && k ? "%.1f%s" : "%.0f%s", value, suffixes[k]);
}

/* A factor where a percentage would be long. */
static void info_print_ratio(Driver *d, const char *name, double value, double plain) {
    double ratio = value / plain;
    if (ratio < 11)
        fprintf(d->out, "  %-16s %+12.2f %%\n", name, 100 * (ratio - 1));
    else
        fprintf(d->out, "  %-16s %12.4g times\n", name, ratio);
}

/* What a built executable tells as well. */
static void info_print_model(Driver *d, const Network *network, const Info *info) {
    const uint32_t n = network->constants.count;
    HcInfoConstant *constants = ARENA_ARRAY(d->c->arena, HcInfoConstant, n + 1);
    for (uint32_t k = 0; k < n; k++)
        constants[k] =
            (HcInfoConstant){network->constants.at[k].name, network->constants.at[k].value};
    const HcInfo of = {.model = network->name,
                       .constants = constants,
                       .sites = info->sites.at,
                       .groups = info->params.at,
                       .lost = info->lost.at,
                       .n_constants = n,
                       .n_sites = info->sites.count,
                       .n_groups = info->params.count,
                       .n_lost = info->lost.count,
                       .elements = info->elements,
                       .undecayed = info->undecayed};
    hc_info_print(&of, d->out);
    fprintf(d->out, "  %-16s %14s %11sB  value, gradient and two moments in f32\n", "memory", "",
            info_scaled(d->c->arena, 16.0 * (double)info->elements));
}

ExitCode command_info(Driver *d) {
    Info info = {0}, plain = {0};
    const CompileOptions options = info_options(d);
    CompileRun run = pipeline_begin(d, &options);
    ExitCode code = pipeline_model(d, &run, PASS_SEMA);
    if (code == EXIT_OK)
        code = info_gather(d, &run, &info);
    pipeline_end(d, &run);
    if (code != EXIT_OK)
        return code;
    const Network *network = run.network;
    bool compared = info_against(d, network, &plain);
    if (d->options.against && !compared) {
        fprintf(
            d->err,
            "hcc: --against: there is no comparing with '%s': no constant of the model names a "
            "connection, they all name this one, or the model is not valid with it ('hcc check' "
            "says why)\n",
            d->options.against);
        return EXIT_USAGE;
    }
    if (d->options.run.json) {
        info_print_json(d, network, &info, compared ? &plain : NULL);
        return EXIT_OK;
    }

    Arena *arena = d->c->arena;
    info_print_model(d, network, &info);
    fprintf(d->out, "\noperations at one position (of %u, in a batch of %u)\n", info.positions,
            info.samples);
    fprintf(d->out, "  %-16s %12s\n  %-16s %12s\n", "forward", info_scaled(arena, info.forward),
            "backward", info_scaled(arena, info.backward));
    if (info.planned) {
        fprintf(d->out, "\nmemory\n  %-16s %12sB  for a batch, in f32\n", "workspace",
                info_scaled(arena, info.cost.workspace));
        plan_print_replays(&info.cost.replays, "  ", d->out);
        fprintf(d->out, "  %-16s %12sB  read and written at one position, a step\n", "moved",
                info_scaled(arena, info.cost.moved));
    } else {
        fprintf(d->out, "\nmemory\n  not known: it cannot be trained, see the warning\n");
    }
    if (compared) {
        fprintf(d->out, "\nover %s\n", yardstick(d));
        info_print_ratio(d, "parameters", (double)info.elements, (double)plain.elements);
        info_print_ratio(d, "forward", info.forward, plain.forward);
        info_print_ratio(d, "backward", info.backward, plain.backward);
        if (info.planned && plain.planned) {
            info_print_ratio(d, "workspace", info.cost.workspace, plain.cost.workspace);
            info_print_ratio(d, "moved", info.cost.moved, plain.cost.moved);
        }
    }
    return EXIT_OK;
}
