/* What each row of passes.def does: calls the pass, and keeps what it gives in the run. */
#include "artifact/manifest.h"
#include "compile/compile_internal.h"
#include "compile/memory.h"
#include "lower/lower.h"
#include "machine/limits.h"
#include "pass/cut.h"
#include "pass/maps.h"
#include "pass/pass.h"
#include "syntax/parse.h"
#include <string.h>

CompileStatus compile_reported(const CompileRun *run) {
    return diag_error_count(run->c->diagnostics) ? COMPILE_REFUSED : COMPILE_DONE;
}

/* The text's errors and those of its meaning are said together. */
CompileStatus run_parse(CompileRun *run) {
    run->ast = parse_file(run->c, run->file);
    compile_uses(run);
    return COMPILE_DONE;
}

/* Maps in the place of all that a network gives otherwise; a loss there must be. */
static void only_maps(Network *network) {
    TirBuilder b = tir_builder(network->program, network->program->block);
    network->program->outputs.count = 0;
    network->recipe.batch /= network->recipe.parts ? network->recipe.parts : 1;
    network->recipe.parts = 1; /* means over a batch are of all its samples */
    tir_add_output(network->program, TIR_OUT_LOSS, "loss", 0, tir_real(&b, 0));
    pass_maps(network);
}

CompileStatus run_sema(CompileRun *run) {
    compile_prepare_export(run);
    run->network = sema_check(run->c, run->ast, &run->options.sema);
    CompileStatus status = compile_reported(run);
    if (run->network && status == COMPILE_DONE) {
        if (run->options.sema.maps)
            only_maps(run->network);
        else if (run->options.export.later)
            return status; /* what stands there is no program yet */
        else if (run->options.sema.exports)
            status = compile_export(run);
        else
            pass_upstream(run->network->program);
    }
    run->program = run->network ? run->network->program : NULL;
    return status;
}

/* --- tensor IR ---------------------------------------------------------------------------------*/

/* The network's program is the one with its gradient: that is what the manifest speaks of. */
static CompileStatus keep(CompileRun *run, TirProgram *program) {
    run->program = run->network->program = program;
    return COMPILE_DONE;
}

CompileStatus run_write_out(CompileRun *run) {
    return keep(run, pass_write_out(run->program));
}

CompileStatus run_grad(CompileRun *run) {
    if (run->options.sema.maps) /* nothing of it is trained */
        return COMPILE_DONE;
    pass_grad(run->program);
    return COMPILE_DONE;
}

CompileStatus run_canon(CompileRun *run) {
    return keep(run, pass_canon(run->program));
}

CompileStatus run_dce(CompileRun *run) {
    return keep(run, pass_dce(run->program));
}

static CompileStatus refused(CompileRun *run, PlanRefusal why) {
    run->refused = why;
    return why.message ? COMPILE_REFUSED : COMPILE_DONE;
}

CompileStatus run_unroll(CompileRun *run) {
    TirId loop;
    uint64_t values;
    if (pass_unroll_fits(run->program, &loop, &values)) {
        run->program = pass_unroll(run->program);
        return COMPILE_DONE;
    }
    return refused(
        run,
        (PlanRefusal){
            .code = DIAG_SIZE,
            .at = tir_node(run->program->block, loop)->span,
            .message = arena_printf(run->c->arena,
                                    "written out, the loop makes %llu values or more; a program "
                                    "may have %d of such",
                                    (unsigned long long)values, UNROLL_MOST),
            .help = "a kernel runs a loop of small values at one position, without a loop inside; "
                    "what is around one, or reads other positions, is written out: fewer turns"});
}

CompileStatus run_pieces(CompileRun *run) {
    run->program = pass_pieces(run->program, PLAN_PIECE_ELEMENTS);
    return COMPILE_DONE;
}

CompileStatus run_merge_products(CompileRun *run) {
    run->program = pass_merge_products(run->program);
    return COMPILE_DONE;
}

CompileStatus run_legalise(CompileRun *run) {
    const bool rounds = hc_precision_rounds(compile_precision(run));
    run->program = pass_legalise(run->program, rounds ? PRODUCT_THIN : PRODUCT_SIDE);
    return COMPILE_DONE;
}

CompileStatus run_halo(CompileRun *run) {
    run->program = plan_halo(run->program);
    return COMPILE_DONE;
}

CompileStatus run_name_results(CompileRun *run) {
    pass_name_results(run->program);
    return COMPILE_DONE;
}

/* --- the plan ----------------------------------------------------------------------------------*/

CompileStatus run_fuse(CompileRun *run) {
    const bool optimise = !run->options.plain;
    const HcPrecision precision = compile_precision(run);
    const CompileStatus status = compile_target(run); /* which products are its kernels' */
    if (status != COMPILE_DONE)
        return status;
    run->plan = plan_create(
        run->program,
        (PlanOptions){.precision = precision,
                      .fuse = optimise,
                      .recompute = optimise && !run->options.load,
                      .machine = run->machine,
                      .step = memory_step(run->network, run->options.memory, precision)});
    plan_fuse(run->plan);
    return refused(run, run->plan->refused);
}

CompileStatus run_recompute(CompileRun *run) {
    plan_recompute(run->plan);
    return COMPILE_DONE;
}

CompileStatus run_calls(CompileRun *run) {
    plan_calls(run->plan);
    return COMPILE_DONE;
}

CompileStatus run_chunks(CompileRun *run) {
    plan_chunks(run->plan);
    return COMPILE_DONE;
}

CompileStatus run_replay(CompileRun *run) {
    plan_replay(run->plan);
    return COMPILE_DONE;
}

CompileStatus run_extend(CompileRun *run) {
    plan_extend(run->plan);
    return COMPILE_DONE;
}

CompileStatus run_keep(CompileRun *run) {
    plan_keep(run->plan);
    return COMPILE_DONE;
}

CompileStatus run_rounds(CompileRun *run) {
    plan_rounds(run->plan);
    return COMPILE_DONE;
}

CompileStatus run_memory(CompileRun *run) {
    plan_memory(run->plan);
    plan_check_sizes(run->plan);
    if (run->plan->refused.message)
        return refused(run, run->plan->refused);
    run->message =
        memory_exceeded(run->network, compile_precision(run), &run->plan->replays, run->c->arena);
    return run->message ? COMPILE_RESOURCES : COMPILE_DONE;
}

/* --- kernels and code --------------------------------------------------------------------------*/

static uint32_t element_size(const CompileRun *run) {
    const PlanOptions options = {.precision = compile_precision(run)};
    return (uint32_t)plan_element_bytes(plan_real(&options));
}

/* What a kernel works in is known once it is lowered. */
static CompileStatus check_scratch(CompileRun *run) {
    const Plan *plan = run->plan;
    for (uint32_t k = 0; k < plan->kernels.count; k++) { /* products work in little */
        const PlanKernel *of = &plan->kernels.at[k];
        const TirId value = of->group ? of->group->values.at[0] : of->value;
        const uint64_t bytes = nest_scratch_bytes(run->kernels[k]);
        if (bytes > PLAN_MAX_SCRATCH)
            return refused(run, (PlanRefusal){.code = DIAG_SIZE,
                                              .at = tir_node(plan->program->block, value)->span,
                                              .message = arena_printf(
                                                  run->c->arena,
                                                  "what is computed together from here on would "
                                                  "work in %.4g GiB for each thread; the most is "
                                                  "2^48 bytes",
                                                  (double)bytes / (1 << 30))});
    }
    return COMPILE_DONE;
}

CompileStatus run_schedule(CompileRun *run) {
    const ScheduleOptions options = {.real_bytes = element_size(run),
                                     .samples = run->network->recipe.batch,
                                     .machine = run->machine};
    run->products = schedule_products(run->plan);
    run->schedules = schedule_create(run->plan, &options, run->products);
    run->n_kernels = run->plan->kernels.count + products_kernels(run->products);
    return COMPILE_DONE;
}

CompileStatus run_lower(CompileRun *run) {
    run->kernels = lower_kernels(run->c->arena, run->schedules, run->n_kernels);
    return check_scratch(run);
}

/* What products of bf16 are made with is asked for where there are some. */
static const char *const *features_needed(const CompileRun *run, uint32_t *count) {
    const ProductWay way = products_way(run->products);
    uint32_t n, kept = 0;
    const char *const *all = codegen_target_features(run->target, &n);
    const char **needed = ARENA_ARRAY(run->c->arena, const char *, n + 1);
    for (uint32_t k = 0; k < n; k++) {
        const bool tiles = strncmp(all[k], "amx-", 4) == 0,
                   dots = strcmp(all[k], "avx512bf16") == 0, matrices = strcmp(all[k], "bf16") == 0;
        if ((!tiles || way == PRODUCT_TILES) && (!dots || way != PRODUCT_FMA) &&
            (!matrices || way == PRODUCT_MATRICES))
            needed[kept++] = all[k];
    }
    *count = kept;
    return needed;
}

CompileStatus run_manifest(CompileRun *run) {
    ManifestMachine machine = {.cpu = codegen_target_cpu(run->target),
                               .vector_bytes = run->machine.vector_bytes,
                               .micro_tile = run->machine.vector_bytes / element_size(run)};
    machine.features = features_needed(run, &machine.n_features);
    const ManifestKernels kernels = {run->kernels, run->n_kernels, run->products};
    run->manifest = plan_manifest(run->plan, run->network, &kernels, &machine, run->c->sources);
    if (run->manifest)
        return COMPILE_DONE;
    run->message = "a name or a path in the model is not UTF-8, as its manifest must be";
    return COMPILE_REFUSED;
}

static void wrap(CompileRun *run) {
    run->model.kernels = (const NestKernel *const *)run->kernels;
    run->model.n_kernels = run->n_kernels;
    run->model.manifest = run->manifest;
    run->model.element_size = element_size(run);
    run->model.sources = run->options.debug;
}

CompileStatus run_object(CompileRun *run) {
    wrap(run);
    run->object = codegen_compile(run->c->arena, run->target, &run->model, run->code);
    run->message = run->object.error;
    return run->message ? COMPILE_FAULT : COMPILE_DONE;
}

CompileStatus run_load(CompileRun *run) {
    wrap(run);
    run->jit =
        codegen_load(run->c->arena, run->target, &run->model, 0, &run->loaded, &run->message);
    return run->jit ? COMPILE_DONE : COMPILE_FAULT;
}

HcPrecision compile_precision(const CompileRun *run) {
    if (run->options.precision.given)
        return run->options.precision.is;
    return run->network ? run->network->recipe.precision : HC_PRECISION_F32;
}

Machine compile_machine(const CodegenTarget *target) {
    Machine machine =
        machine_of(codegen_target_vector_bytes(target), codegen_target_vector_registers(target));
    const CodegenProducts products = codegen_target_products(target);
    machine.fma = products.fma;
    machine.dots = products.dots;
    machine.matrices = products.matrices;
    machine.tiles = products.tiles;
    return machine;
}

CompileStatus compile_target(CompileRun *run) {
    if (run->target)
        return COMPILE_DONE;
    const CodegenOptions *machine = &run->options.machine;
    const char *error = NULL;
    run->target = codegen_target_create(run->c->arena, machine, &error);
    if (run->target && run->options.cache)
        codegen_target_keep(run->target, run->options.cache);
    if (run->target) {
        run->machine = compile_machine(run->target);
        return COMPILE_DONE;
    }
    uint32_t count;
    const char *const *names = codegen_cpu_names(&count);
    const char *near = machine->cpu ? nearest_name(machine->cpu, names, count) : NULL;
    const bool known = near && strcmp(near, machine->cpu) == 0; /* of another kind of machine */
    run->message =
        near && !known ? arena_printf(run->c->arena, "%s; did you mean '%s'?", error, near) : error;
    return COMPILE_OPTIONS;
}
