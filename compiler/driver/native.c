/* From a program with its gradient to machine code, through plan and kernels. */
#include "driver/native.h"
#include "driver/memory.h"
#include "driver/pipeline.h"
#include "nest/lower.h"
#include "plan/manifest.h"
#include <string.h>

/* What a kernel works in is known once it is lowered. */
static ExitCode native_check_scratch(Driver *d, const Plan *plan, NestKernel *const *kernels) {
    bool fits = true;
    for (uint32_t k = 0; k < plan->kernels.count; k++) {
        const PlanKernel *of = &plan->kernels.at[k];
        const TirId value = of->group ? of->group->values.at[0] : of->value;
        const uint64_t bytes = nest_scratch_bytes(kernels[k]);
        if (bytes <= PLAN_MAX_ELEMENTS)
            continue;
        fits = false;
        diag_error(d->c->diagnostics, DIAG_SIZE, tir_node(plan->program->block, value)->span,
                   "what is computed together from here on would work in %.4g GiB for each "
                   "thread; the most is 2^48 bytes",
                   (double)bytes / (1 << 30));
    }
    return fits ? EXIT_OK : driver_report(d);
}

static ExitCode native_plan(Driver *d, const Network *network, TirProgram *program, bool f64,
                            Plan **plan) {
    bool optimise = !d->options.optimise.given || d->options.optimise.value > 0;
    double begun = pipeline_begin(d, "plan");
    *plan = plan_build(program, (PlanOptions){.f64 = f64,
                                              .fuse = optimise,
                                              .recompute = optimise,
                                              .step = memory_step(d, network, f64)});
    pipeline_end(d, "plan", begun);
    const PlanRefusal *refused = &(*plan)->refused;
    if (refused->message) {
        diag_error(d->c->diagnostics, refused->code, refused->at, "%s", refused->message);
        if (refused->help)
            diag_help(d->c->diagnostics, "%s", refused->help);
        return driver_report(d);
    }
    if (d->options.explain_fusion) {
        plan_explain(*plan, d->c->sources, d->err);
        plan_print_replays(&(*plan)->replays, "", d->err);
    }
    if (pipeline_prints(d, "plan"))
        plan_print(*plan, d->err);
    return memory_check(d, network, f64, &(*plan)->replays);
}

bool native_sanitized(const Driver *d) {
#ifdef __SANITIZE_ADDRESS__
    if (d->options.command != CMD_EMIT) /* prints the same, however hcc was built */
        return true;
#endif
    return d->options.sanitize;
}

/* Objects are kept from one run to the next. */
static ExitCode native_cache(Driver *d, NativeProgram *native) {
    const char *why = NULL;
    if (d->options.command == CMD_EMIT) /* prints what it makes */
        return EXIT_OK;
    if (!driver_open_cache(d, &native->cache, &why))
        return EXIT_USAGE;
    if (native->cache)
        codegen_target_keep(native->target, native->cache);
    else
        d->cache_use = arena_printf(d->c->arena, "none (%s)", why);
    return EXIT_OK;
}

static void native_note_cache(Driver *d, const NativeProgram *native) {
    uint32_t found, missed;
    if (!native->cache)
        return;
    cache_counts(native->cache, &found, &missed);
    d->cache_use = arena_printf(d->c->arena, "%u found, %u compiled, in %s", found, missed,
                                cache_folder(native->cache));
}

static ExitCode native_target(Driver *d, CodegenTarget **target) {
    CodegenOptions options = {
        .triple = d->options.target,
        .cpu = d->options.cpu,
        .opt_level = d->options.optimise.given ? (int)d->options.optimise.value : 3,
        .sanitize_address = native_sanitized(d),
    };
    const char *error = NULL;
    *target = codegen_target_create(d->c->arena, &options, &error);
    if (*target)
        return EXIT_OK;
    uint32_t count;
    const char *const *names = codegen_cpu_names(&count);
    const char *near = d->options.cpu ? nearest_name(d->options.cpu, names, count) : NULL;
    if (near && strcmp(near, d->options.cpu) == 0)
        near = NULL; /* a processor of another kind of machine */
    fprintf(d->err, "hcc: %s%s%s%s\n", error, near ? "; did you mean '" : "", near ? near : "",
            near ? "'?" : "");
    return EXIT_USAGE;
}

static ExitCode native_describe(Driver *d, NativeProgram *native, uint32_t vector_bytes,
                                uint32_t lanes) {
    double begun = pipeline_begin(d, "manifest");
    ManifestMachine machine = {.cpu = codegen_target_cpu(native->target),
                               .vector_bytes = vector_bytes,
                               .micro_tile = lanes};
    machine.features = codegen_target_features(native->target, &machine.n_features);
    native->manifest =
        plan_manifest(native->plan, native->network, native->kernels, &machine, d->c->sources);
    pipeline_end(d, "manifest", begun);
    if (native->manifest)
        return EXIT_OK;
    driver_error(d, "a name or a path in the model is not UTF-8, as its manifest must be");
    return EXIT_SPEC;
}

ExitCode native_lower(Driver *d, const Network *network, TirProgram *program, bool f64,
                      NativeProgram *native) {
    *native = (NativeProgram){.network = network, .element_size = f64 ? 8 : 4};
    ExitCode code = native_target(d, &native->target);
    if (code == EXIT_OK)
        code = native_cache(d, native);
    if (code == EXIT_OK)
        code = native_plan(d, network, program, f64, &native->plan);
    if (code != EXIT_OK) {
        native_free(native);
        return code;
    }
    double begun = pipeline_begin(d, "lower");
    uint32_t vector_bytes = codegen_target_vector_bytes(native->target);
    LowerOptions options = {.real = f64 ? NEST_F64 : NEST_F32,
                            .lanes = (uint16_t)(vector_bytes / native->element_size),
                            .samples = network->recipe.batch,
                            .registers = codegen_target_vector_registers(native->target)};
    native->kernels = nest_lower(native->plan, options);
    pipeline_end(d, "lower", begun);
    for (uint32_t k = 0; k < native->plan->kernels.count && code == EXIT_OK; k++) {
        if (pipeline_prints(d, "lower"))
            nest_print(native->kernels[k], d->err);
        const char *wrong = nest_verify(native->kernels[k]);
        if (wrong)
            code = driver_fault(d, "lower", wrong);
    }
    if (code == EXIT_OK)
        code = native_check_scratch(d, native->plan, native->kernels);
    if (code == EXIT_OK)
        code = native_describe(d, native, vector_bytes, options.lanes);
    if (code != EXIT_OK)
        native_free(native);
    return code;
}

void native_free(NativeProgram *native) {
    codegen_target_destroy(native->target);
    cache_close(native->cache);
    native->target = NULL;
    native->cache = NULL;
}

static void wrap(const Driver *d, const NativeProgram *native, CodegenModel *wrapping) {
    wrapping->kernels = (const NestKernel *const *)native->kernels;
    wrapping->n_kernels = native->plan->kernels.count;
    wrapping->manifest = native->manifest;
    wrapping->element_size = native->element_size;
    wrapping->sources = d->options.debug ? d->c->sources : NULL;
}

ExitCode native_compile(Driver *d, const NativeProgram *native, CodegenModel wrapping,
                        CodegenForm form, CodegenResult *result) {
    wrap(d, native, &wrapping);
    double begun = pipeline_begin(d, "code");
    *result = codegen_compile(d->c->arena, native->target, &wrapping, form);
    pipeline_end(d, "code", begun);
    native_note_cache(d, native);
    return result->error ? driver_fault(d, "code", result->error) : EXIT_OK;
}

ExitCode native_load(Driver *d, const Network *network, TirProgram *program, bool f64,
                     NativeModel *loaded) {
    static const char symbol[] = "hc_compiled_model";
    *loaded = (NativeModel){0};
    NativeProgram native;
    ExitCode code = native_lower(d, network, program, f64, &native);
    if (code != EXIT_OK)
        return code;
    CodegenModel wrapping = {.symbol = symbol};
    wrap(d, &native, &wrapping);
    double begun = pipeline_begin(d, "code");
    const char *error = NULL;
    loaded->jit = codegen_load(d->c->arena, native.target, &wrapping, 0, &loaded->model, &error);
    pipeline_end(d, "code", begun);
    native_note_cache(d, &native);
    native_free(&native);
    return loaded->jit ? EXIT_OK : driver_fault(d, "code", error);
}

void native_unload(NativeModel *loaded) {
    jit_unload(loaded->jit);
    *loaded = (NativeModel){0};
}

/* --- emit ---------------------------------------------------------------------------------------
 */

/* By its name, or its number as stage `fused` has it. */
static bool native_kernel_named(const char *kernel, uint32_t number, const char *asked) {
    char numbered[16];
    snprintf(numbered, sizeof numbered, "k%u", number);
    return strcmp(asked, numbered) == 0 || strcmp(asked, kernel) == 0;
}

/* With --kernel: keeps only those kernels. Their numbers no longer fit the manifest, which matters
 * to nobody who only reads them. */
static ExitCode native_select_kernels(Driver *d, NativeProgram *native) {
    const char *asked = d->options.kernel;
    uint32_t count = native->plan->kernels.count, kept = 0;
    if (!asked)
        return EXIT_OK;
    const char **names = ARENA_ARRAY(d->c->arena, const char *, count);
    for (uint32_t k = 0; k < count; k++) {
        names[k] = native->kernels[k]->name;
        if (native_kernel_named(names[k], k, asked))
            native->kernels[kept++] = native->kernels[k];
    }
    native->plan->kernels.count = kept;
    native->manifest = "{}";
    if (kept > 0)
        return EXIT_OK;
    const char *near = nearest_name(asked, names, count);
    fprintf(d->err, "hcc: there is no kernel '%s'%s%s%s\nThere are:", asked,
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    for (uint32_t k = 0; k < count; k++)
        fprintf(d->err, " %s", names[k]);
    fputc('\n', d->err);
    return EXIT_USAGE;
}

static ExitCode native_emit_code(Driver *d, const NativeProgram *native, const char *stage,
                                 FILE *to) {
    CodegenResult result;
    CodegenForm form = strcmp(stage, "asm") == 0 ? CODEGEN_ASM : CODEGEN_LLVM;
    CodegenModel wrapping = {.symbol = "hc_compiled_model"};
    ExitCode code = native_compile(d, native, wrapping, form, &result);
    if (code == EXIT_OK)
        fwrite(result.bytes, 1, result.length, to);
    return code;
}

ExitCode native_emit(Driver *d, const Network *network, TirProgram *program, const char *stage,
                     FILE *to) {
    if (strcmp(stage, "fused") == 0) {
        Plan *plan;
        ExitCode code = native_plan(d, network, program, d->options.f64, &plan);
        if (code == EXIT_OK)
            plan_print(plan, to);
        return code;
    }
    Network unnamed = {.name = "program", .program = program};
    NativeProgram native;
    ExitCode code = native_lower(d, network ? network : &unnamed, program, d->options.f64, &native);
    if (code != EXIT_OK)
        return code;
    code = native_select_kernels(d, &native);
    if (code != EXIT_OK) {
        native_free(&native);
        return code;
    }
    if (strcmp(stage, "nests") == 0)
        for (uint32_t k = 0; k < native.plan->kernels.count; k++)
            nest_print(native.kernels[k], to);
    else
        code = native_emit_code(d, &native, stage, to);
    native_free(&native);
    return code;
}

ExitCode native_emit_nest(Driver *d, const char *stage, FILE *to) {
    uint32_t file;
    ExitCode code = driver_read_source(d, d->options.argument, &file);
    if (code != EXIT_OK)
        return code;
    double begun = pipeline_begin(d, "read");
    NestKernelVec kernels = {0};
    bool read = nest_read_all(d->c, file, &kernels);
    pipeline_end(d, "read", begun);
    code = driver_report(d);
    if (code == EXIT_OK && !read)
        return driver_fault(d, "read", "no kernels and no message");
    for (uint32_t k = 0; k < kernels.count && code == EXIT_OK; k++) {
        const char *wrong = nest_verify(kernels.at[k]);
        if (wrong) {
            driver_error(d, "'%s' is not a valid loop nest: %s", d->options.argument, wrong);
            code = EXIT_SPEC;
        }
    }
    if (code != EXIT_OK)
        return code;
    if (strcmp(stage, "llvm") != 0 && strcmp(stage, "asm") != 0) {
        for (uint32_t k = 0; k < kernels.count; k++)
            nest_print(kernels.at[k], to);
        return EXIT_OK;
    }
    Plan plan = {0};
    for (uint32_t k = 0; k < kernels.count; k++)
        vec_push(d->c->arena, &plan.kernels, (PlanKernel){.name = kernels.at[k]->name});
    NativeProgram native = {
        .plan = &plan, .kernels = kernels.at, .manifest = "{}", .element_size = 4};
    code = native_target(d, &native.target);
    if (code == EXIT_OK)
        code = native_emit_code(d, &native, stage, to);
    native_free(&native);
    return code;
}
