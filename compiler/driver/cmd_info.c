/* hcc info: what a model is and costs, before anything is compiled. */
#include "compile/memory.h"
#include "driver/driver.h"
#include "driver/foreseen.h"
#include "driver/pipeline.h"
#include "pass/matrices.h"
#include "plan/cost.h"
#include "runtime/app/info.h"
#include "runtime/files/json.h"
#include <string.h>

/* What a plan says before anything is compiled, in bytes. */
typedef struct {
    PlanTotals totals;
    PlanReplays replays;
    const char *refused; /* or NULL */
} StepCost;

typedef struct {
    HcInfo of; /* what a built executable tells, too */
    uint64_t elements;
    uint32_t positions; /* of one sample */
    uint32_t samples;
    double forward, backward; /* operations a position */
    const char *real;         /* what parameters are in memory */
    double state;             /* bytes of them, of gradients and of the optimizer's state */
    double fixed;             /* bytes beside the workspace */
    bool planned;
    StepCost cost;           /* if planned */
    uint32_t rounds;         /* that a part of a batch takes, if planned */
    VEC(const char *) whole; /* what makes them more than one */
} Info;

/* `program` has its gradient. */
static void info_parameters(Arena *arena, Info *info, const TirProgram *program) {
    bool *reached = ARENA_ARRAY(arena, bool, program->params.count + 1);
    bool *held = ARENA_ARRAY(arena, bool, program->params.count + 1);
    HcInfoParameter *to = ARENA_ARRAY(arena, HcInfoParameter, program->params.count + 1);
    info->of.parameters = to;
    const MatrixAxes *matrices = pass_matrices(program, arena);
    for (uint32_t k = 0; k < program->outputs.count; k++)
        if (program->outputs.at[k].role == TIR_OUT_GRAD)
            reached[program->outputs.at[k].index] = true;
    for (uint32_t k = 0; k < program->outputs.count; k++)
        if (program->outputs.at[k].role == TIR_OUT_PROJECT)
            held[program->outputs.at[k].index] = true;
    for (uint32_t k = 0; k < program->params.count; k++) {
        const TirParam *param = &program->params.at[k];
        if (param->buffer)
            continue;
        to[info->of.n_parameters++] = (HcInfoParameter){.name = param->name,
                                                        .group = param->group,
                                                        .elements = tir_element_count(&param->type),
                                                        .of_connection = param->of_connection,
                                                        .decay = param->decay,
                                                        .held = held[k],
                                                        .lost = !reached[k] && !param->frozen};
        if (matrices[k].free) {
            HcInfoParameter *last = &to[info->of.n_parameters - 1];
            last->apart = matrix_extent(param, matrices[k].apart);
            last->free = matrix_extent(param, matrices[k].free);
            last->summed = matrix_extent(param, matrices[k].summed);
        }
        info->elements += tir_element_count(&param->type);
    }
}

static void info_sites(Arena *arena, Info *info, const Network *network) {
    HcInfoSite *to = ARENA_ARRAY(arena, HcInfoSite, network->sites.count + 1);
    info->of.sites = to;
    info->of.n_sites = network->sites.count;
    for (uint32_t k = 0; k < network->sites.count; k++) {
        const SiteInfo *site = &network->sites.at[k];
        to[k] = (HcInfoSite){site->path, site->connection, site->branch, site->site, site->block};
    }
}

static void info_constants(Arena *arena, Info *info, const Network *network) {
    HcInfoConstant *to = ARENA_ARRAY(arena, HcInfoConstant, network->constants.count + 1);
    info->of.constants = to;
    info->of.n_constants = network->constants.count;
    for (uint32_t k = 0; k < network->constants.count; k++)
        to[k] = (HcInfoConstant){network->constants.at[k].name, network->constants.at[k].value};
}

/* What a batch that runs in parts has to know of all of them before its last round. */
static void info_rounds(Arena *arena, Info *info, const Plan *plan) {
    info->rounds = plan->rounds.count;
    for (uint32_t k = 0; k < plan->sums.count; k++) {
        const PlanSum *sum = &plan->sums.at[k];
        const TirNode *node = tir_node(plan->program->block, plan->slots.at[sum->slot].value);
        const char *name = node->name ? node->name : tir_op_name(node->op);
        bool said = sum->round + 1 >= plan->rounds.count;
        for (uint32_t n = 0; n < info->whole.count; n++)
            said = said || strcmp(info->whole.at[n], name) == 0;
        if (!said)
            vec_push(arena, &info->whole, name);
    }
}

/* A plan that is refused is no fault of the text: it is warned of. */
static ExitCode info_cost(Driver *d, CompileRun *run, Info *info) {
    ExitCode code = EXIT_OK;
    CompileStatus status = compile_target(run); /* who makes products depends on it */
    if (status == COMPILE_DONE)
        status = compile_to(run, PASS_MEMORY);
    info->planned = status == COMPILE_DONE;
    info->cost.refused = run->refused.message;
    if (info->planned) {
        info_rounds(d->c->arena, info, run->plan);
        info->cost.totals = plan_totals(run->plan);
        info->cost.replays = run->plan->replays;
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
    ExitCode code = pipeline_to(d, run, PASS_DCE);
    if (code != EXIT_OK)
        return code;
    const TirProgram *program = network->program;
    info->positions = network->space ? program->spaces.at[network->space - 1].maximum : 1;
    info->samples = network->recipe.batch ? network->recipe.batch : 1;
    info->of = (HcInfo){.model = network->name,
                        .positions = info->positions,
                        .batch = info->samples,
                        .parts = network->recipe.parts > 1 ? (uint64_t)network->recipe.parts : 1};
    info_constants(d->c->arena, info, network);
    info_sites(d->c->arena, info, network);
    info_parameters(d->c->arena, info, program);
    info->forward =
        cost_spread(cost_count(program, true, info->positions), info->samples, info->positions);
    info->backward =
        cost_spread(cost_count(program, false, info->positions), info->samples, info->positions);
    const HcPrecision precision = compile_precision(run);
    const PlanOptions plan = {.precision = precision};
    info->of.precision = hc_precision_word(precision);
    info->real = plan_element_names[plan_real(&plan)];
    info->state = (double)memory_state(network, precision);
    info->fixed = (double)memory_fixed(network, memory_step(network, 0, precision), precision);
    return info_cost(d, run, info);
}

static CompileOptions info_options(Driver *d) {
    CompileOptions options = pipeline_options(d);
    options.plain = false;
    return options;
}

/* What a model's connections are compared with, unless told otherwise. */
static const char *yardstick(const Driver *d) {
    return d->options.against ? d->options.against : "residual";
}

/* The same file with other constants or precision: a second compilation, so that its diagnostics
 * are nobody's business. Names in `info` die with it; only its numbers are used. */
static bool info_other(Driver *d, const OverrideVec *overrides, CompilePrecision precision,
                       uint64_t memory, Info *info) {
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
    options.sema.overrides = overrides->at;
    options.sema.n_overrides = overrides->count;
    options.precision = precision;
    options.memory = memory;
    CompileRun run = pipeline_begin(&driver, &options);
    compile_from_text(&run, file);
    bool valid = compile_to(&run, PASS_SEMA) == COMPILE_DONE && run.network &&
                 info_gather(&driver, &run, info) == EXIT_OK;
    pipeline_end(&driver, &run);
    info->of = (HcInfo){0};
    compilation_destroy(other);
    return valid;
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
    /* what there is without trying hard */
    return info_other(d, &overrides, info_options(d).precision, 0, info);
}

/* What the model costs in each of these; its own is among them. */
typedef struct {
    HcPrecision precision;
    Info of;
    bool valid;
} Priced;
enum { PRICED = HC_PRECISION_COUNT };

/* f64 is for checks: where nobody asks for it, it is left out. Returns how many. */
static uint32_t info_precisions(Driver *d, const Info *own, Priced priced[PRICED]) {
    const HcPrecision is = hc_precision_named(own->of.precision);
    const OverrideVec set = pipeline_overrides(d);
    const uint64_t memory = info_options(d).memory;
    uint32_t n = 0;
    for (HcPrecision p = 0; p < HC_PRECISION_COUNT && own->planned; p++) {
        if (p == HC_PRECISION_F64 && is != p)
            continue;
        Priced *to = &priced[n];
        *to = (Priced){.precision = p, .of = *own, .valid = true};
        if (p != is) {
            to->of = (Info){0};
            to->valid =
                info_other(d, &set, (CompilePrecision){true, p}, memory, &to->of) && to->of.planned;
        }
        n += to->valid;
    }
    return n;
}

static json_t *info_json_totals(const PlanTotals *totals) {
    json_t *json = json_object(), *products = json_object();
    for (HcPrecision p = 0; p < HC_PRECISION_COUNT; p++)
        if (totals->products[p] > 0)
            hc_json_set(&products, hc_precision_word(p), hc_json_number(totals->products[p]));
    hc_json_set(&json, "product_flops_per_position", products);
    hc_json_set(&json, "attention_flops_per_position", hc_json_number(totals->attention));
    hc_json_set(&json, "kernel_flops_per_position", hc_json_number(totals->kernels));
    hc_json_set(&json, "parameter_bytes", json_integer((json_int_t)totals->parameters));
    hc_json_set(&json, "workspace_bytes", json_integer((json_int_t)totals->workspace));
    hc_json_set(&json, "bytes_moved_per_position", hc_json_number(totals->moved));
    return json;
}

static json_t *info_json_precisions(const Priced *priced, uint32_t n) {
    json_t *json = json_object();
    for (uint32_t k = 0; k < n; k++)
        hc_json_set(&json, hc_precision_word(priced[k].precision),
                    info_json_totals(&priced[k].of.cost.totals));
    return json;
}

static json_t *info_json_replays(const PlanReplays *replays) {
    json_t *json = json_object(), *calls = json_array();
    for (uint32_t k = 0; k < replays->calls.count; k++) {
        const PlanReplay *line = &replays->calls.at[k];
        json_t *call = json_object();
        hc_json_set(&call, "name", hc_json_text(line->label));
        hc_json_set(&call, "again", json_integer(line->again));
        hc_json_set(&call, "of", json_integer(line->of));
        hc_json_set(&call, "bytes", hc_json_number(line->bytes));
        hc_json_set(&call, "time_share", hc_json_number(line->seconds / replays->step_seconds));
        hc_json_append(&calls, call);
    }
    hc_json_set(&json, "stored_bytes", json_integer((json_int_t)replays->stored));
    hc_json_set(&json, "time_share", hc_json_number(replays->seconds / replays->step_seconds));
    hc_json_set(&json, "calls", calls);
    return json;
}

static void info_json_flops(json_t **json, const Info *info) {
    hc_json_set(json, "forward_flops_per_position", hc_json_number(info->forward));
    hc_json_set(json, "backward_flops_per_position", hc_json_number(info->backward));
}

static void info_json_rounds(json_t **json, const Info *info) {
    json_t *whole = json_array();
    for (uint32_t k = 0; k < info->whole.count; k++)
        hc_json_append(&whole, hc_json_text(info->whole.at[k]));
    hc_json_set(json, "rounds", json_integer(info->rounds));
    hc_json_set(json, "of_whole_batch", whole);
}

/* What a built executable tells, and what is known of the text alone. */
static ExitCode info_print_json(Driver *d, const Info *info, const Info *plain,
                                const Priced *priced, uint32_t n_priced, const Foreseen *ranks) {
    json_t *json = hc_info_json(&info->of);
    info_json_flops(&json, info);
    if (info->planned) {
        hc_json_set(&json, "workspace_bytes", hc_json_number((double)info->cost.totals.workspace));
        hc_json_set(&json, "other_bytes", hc_json_number(info->fixed));
        info_json_rounds(&json, info);
        hc_json_set(&json, "replays", info_json_replays(&info->cost.replays));
        hc_json_set(&json, "bytes_moved_per_position", hc_json_number(info->cost.totals.moved));
        hc_json_set(&json, "precisions", info_json_precisions(priced, n_priced));
        if (ranks)
            hc_json_set(&json, "of_ranks", foreseen_json(ranks));
    } else {
        hc_json_set(&json, "refused", hc_json_text(info->cost.refused));
    }
    if (plain) {
        json_t *against = json_object();
        hc_json_set(&against, "connection", hc_json_text(yardstick(d)));
        hc_json_set(&against, "parameters", json_integer((json_int_t)plain->elements));
        info_json_flops(&against, plain);
        hc_json_set(&json, "against", against);
    }
    return driver_print_json(d, json);
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

static void info_print_parts(Driver *d, const Info *info) {
    enum { NAMED = 4 };
    fprintf(d->out, "\nparts\n  %-16s %12llu  of %llu samples each\n", "parts",
            (unsigned long long)info->of.parts,
            (unsigned long long)(info->of.batch / info->of.parts));
    fprintf(d->out, "  %-16s %12u  ", "rounds", info->rounds);
    if (info->whole.count == 0) {
        fprintf(d->out, "nothing needs the whole batch before the others are through\n");
        return;
    }
    fprintf(d->out, "each part runs in each: first for ");
    for (uint32_t k = 0; k < info->whole.count && k < NAMED; k++)
        fprintf(d->out, "%s`%s`", k ? ", " : "", info->whole.at[k]);
    if (info->whole.count > NAMED)
        fprintf(d->out, " and %u more", info->whole.count - NAMED);
    fprintf(d->out, " of the whole batch\n");
}

/* A row of the table of precisions; `what` is said behind it. */
static void info_print_row(Driver *d, const char *name, const char *unit, const double *values,
                           uint32_t n, const char *what) {
    fprintf(d->out, "  %-16s", name);
    for (uint32_t k = 0; k < n; k++)
        fprintf(d->out, " %12s",
                arena_printf(d->c->arena, "%s%s", info_scaled(d->c->arena, values[k]), unit));
    fprintf(d->out, "%s%s\n", *what ? "  " : "", what);
}

/* Nothing of what no precision has. */
static void info_print_products(Driver *d, const Priced *priced, uint32_t n) {
    for (HcPrecision p = 0; p < HC_PRECISION_COUNT; p++) {
        double values[PRICED] = {0}, sum = 0;
        for (uint32_t k = 0; k < n; k++)
            sum += values[k] = priced[k].of.cost.totals.products[p];
        const char *name = arena_printf(d->c->arena, "products of %s", hc_precision_word(p));
        if (sum > 0)
            info_print_row(d, name, "", values, n, "operations at one position, a step");
    }
}

static void info_print_precisions(Driver *d, const Priced *priced, uint32_t n) {
    double attention[PRICED], kernels[PRICED], parameters[PRICED], workspace[PRICED], moved[PRICED];
    fprintf(d->out, "\nby precision     ");
    for (uint32_t k = 0; k < n; k++) {
        const PlanTotals *t = &priced[k].of.cost.totals;
        fprintf(d->out, " %12s", hc_precision_word(priced[k].precision));
        attention[k] = t->attention;
        kernels[k] = t->kernels;
        parameters[k] = (double)t->parameters;
        workspace[k] = (double)t->workspace;
        moved[k] = t->moved;
    }
    fputc('\n', d->out);
    info_print_products(d, priced, n);
    if (attention[0] > 0)
        info_print_row(d, "attention", "", attention, n, "");
    info_print_row(d, "kernels", "", kernels, n, "what is computed again included");
    info_print_row(d, "parameters", "B", parameters, n, "");
    info_print_row(d, "workspace", "B", workspace, n, "");
    info_print_row(d, "moved", "B", moved, n, "");
}

ExitCode command_info(Driver *d) {
    Info info = {0}, plain = {0};
    Priced priced[PRICED];
    Foreseen foreseen = {0}, *ranks = d->options.ranks.given ? &foreseen : NULL;
    const CompileOptions options = info_options(d);
    CompileRun run = pipeline_begin(d, &options);
    ExitCode code = pipeline_model(d, &run, PASS_SEMA);
    if (code == EXIT_OK)
        code = info_gather(d, &run, &info);
    if (code == EXIT_OK && ranks && info.planned)
        code = foreseen_make(d, &run, info.fixed + (double)info.cost.totals.workspace, ranks);
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
    const uint32_t n_priced = info_precisions(d, &info, priced);
    if (d->options.run.json)
        return info_print_json(d, &info, compared ? &plain : NULL, priced, n_priced, ranks);

    Arena *arena = d->c->arena;
    if (!hc_info_print(&info.of, d->out))
        arena_exhausted(arena);
    fprintf(d->out, "  %-16s %14s %11sB  with gradients and the optimizer's state, in %s\n",
            "memory", "", info_scaled(arena, info.state), info.real);
    fprintf(d->out, "\noperations at one position (of %u, in a batch of %u)\n", info.positions,
            info.samples);
    fprintf(d->out, "  %-16s %12s\n  %-16s %12s\n", "forward", info_scaled(arena, info.forward),
            "backward", info_scaled(arena, info.backward));
    if (info.planned) {
        fprintf(d->out, "\nmemory\n  %-16s %12sB  for %s\n", "workspace",
                info_scaled(arena, (double)info.cost.totals.workspace),
                info.of.parts > 1 ? "a part of the batch" : "a batch");
        plan_print_replays(&info.cost.replays, "  ", d->out);
        fprintf(d->out, "  %-16s %12sB  read and written at one position, a step\n", "moved",
                info_scaled(arena, info.cost.totals.moved));
    } else {
        fprintf(d->out, "\nmemory\n  not known: it cannot be trained, see the warning\n");
    }
    if (info.planned && info.of.parts > 1)
        info_print_parts(d, &info);
    if (info.planned && ranks)
        foreseen_print(d, ranks);
    if (n_priced > 0)
        info_print_precisions(d, priced, n_priced);
    if (compared) {
        fprintf(d->out, "\nover %s\n", yardstick(d));
        info_print_ratio(d, "parameters", (double)info.elements, (double)plain.elements);
        info_print_ratio(d, "forward", info.forward, plain.forward);
        info_print_ratio(d, "backward", info.backward, plain.backward);
        if (info.planned && plain.planned) {
            info_print_ratio(d, "workspace", (double)info.cost.totals.workspace,
                             (double)plain.cost.totals.workspace);
            info_print_ratio(d, "moved", info.cost.totals.moved, plain.cost.totals.moved);
        }
    }
    return EXIT_OK;
}
