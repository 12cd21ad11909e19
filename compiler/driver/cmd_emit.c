/* hcc emit: the program at a stage of its compilation, as text that hcc reads back. */
#include "driver/connection.h"
#include "driver/driver.h"
#include "driver/outputs.h"
#include "driver/pipeline.h"
#include "runtime/files/paths.h"
#include <string.h>

/* The row after which a stage stands. */
static PassId emit_last(const char *stage) {
    static const struct {
        const char *stage;
        PassId last;
    } lasts[] = {{"ast", PASS_PARSE},    {"tir", PASS_SEMA},          {"grad", PASS_DCE},
                 {"fused", PASS_MEMORY}, {"schedule", PASS_SCHEDULE}, {"nests", PASS_LOWER},
                 {"llvm", PASS_OBJECT},  {"asm", PASS_OBJECT}};
    uint32_t k = 0;
    while (strcmp(lasts[k].stage, stage) != 0) /* it was looked up before */
        k++;
    return lasts[k].last;
}

static ExitCode emit_begin(Driver *d, CompileRun *run) {
    const char *path = d->options.argument;
    uint32_t file;
    ExitCode code = connection_or_file(d, &file);
    if (code != EXIT_OK)
        return code;
    if (hc_path_ends(path, ".tir"))
        return pipeline_status(d, run, compile_from_tir_text(run, file));
    if (hc_path_ends(path, ".nest"))
        return pipeline_status(d, run, compile_from_nest_text(run, file));
    compile_from_text(run, file);
    return EXIT_OK;
}

/* By its name, or its number as stage `fused` has it. */
static bool emit_kernel_named(const char *kernel, uint32_t number, const char *asked) {
    char numbered[16];
    snprintf(numbered, sizeof numbered, "k%u", number);
    return strcmp(asked, numbered) == 0 || strcmp(asked, kernel) == 0;
}

/* With --kernel: keeps only those kernels. Their numbers no longer fit a manifest, which matters to
 * nobody who only reads them. */
static ExitCode emit_select(Driver *d, CompileRun *run) {
    const char *asked = d->options.kernel;
    uint32_t count = run->n_kernels;
    if (!asked)
        return EXIT_OK;
    const char **names = ARENA_ARRAY(d->c->arena, const char *, count);
    run->n_kernels = 0;
    for (uint32_t k = 0; k < count; k++) {
        names[k] = run->kernels ? run->kernels[k]->name : run->schedules[k]->name;
        if (!emit_kernel_named(names[k], k, asked))
            continue;
        if (run->kernels)
            run->kernels[run->n_kernels++] = run->kernels[k];
        else
            run->schedules[run->n_kernels++] = run->schedules[k];
    }
    run->manifest = "{}";
    run->next = PASS_OBJECT;
    if (run->n_kernels > 0)
        return EXIT_OK;
    const char *near = nearest_name(asked, names, count);
    fprintf(d->err, "hcc: there is no kernel '%s'%s%s%s\nThere are:", asked,
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    for (uint32_t k = 0; k < count; k++)
        fprintf(d->err, " %s", names[k]);
    fputc('\n', d->err);
    return EXIT_USAGE;
}

static ExitCode emit_stage(Driver *d, CompileRun *run, const char *stage) {
    const PassId last = emit_last(stage);
    run->model = (CodegenModel){.symbol = "hc_compiled_model"};
    run->code = strcmp(stage, "asm") == 0 ? CODEGEN_ASM : CODEGEN_LLVM;
    ExitCode code = emit_begin(d, run);
    if (code == EXIT_OK && run->next <= last)
        code = pipeline_to(d, run, last < PASS_LOWER ? last : PASS_LOWER);
    if (code == EXIT_OK && last == PASS_PARSE)
        return driver_report(d);
    if (code == EXIT_OK && !run->network && run->form < FORM_NESTS) {
        driver_error(d, "'%s' holds no model", d->options.argument);
        return EXIT_SPEC;
    }
    if (code == EXIT_OK && last >= PASS_SCHEDULE)
        code = emit_select(d, run);
    return code == EXIT_OK && run->next <= last ? pipeline_to(d, run, last) : code;
}

/* The stage's comment with the mark in it. */
static const char *emit_mark(Arena *arena, const char *stage) {
    if (strcmp(stage, "asm") == 0)
        return output_mark(arena, "/* ", " */");
    bool slashes = strcmp(stage, "nests") == 0 || strcmp(stage, "ast") == 0;
    return output_mark(arena, slashes ? "// " : "; ", "");
}

ExitCode command_emit(Driver *d) {
    const char *file = d->options.argument;
    bool is_tir = hc_path_ends(file, ".tir"), is_nest = hc_path_ends(file, ".nest");
    const char *stage = d->options.stage ? d->options.stage : is_nest ? "nests" : "tir";
    const PassId last = emit_last(stage);
    const bool has_kernels = last >= PASS_SCHEDULE;
    if ((is_tir && last < PASS_SEMA) || (is_nest && last < PASS_LOWER)) {
        fprintf(d->err, "hcc: '%s' is the text of a later stage than '%s'\n", file, stage);
        return EXIT_USAGE;
    }
    if (d->options.kernel && !has_kernels) {
        fprintf(
            d->err,
            "hcc: --kernel goes with --stage schedule, nests, llvm or asm; '%s' has no kernels\n",
            stage);
        return EXIT_USAGE;
    }
    if (!pipeline_check_sanitizer(d))
        return EXIT_USAGE;
    OutputFile output;
    ExitCode code = output_open(d, d->options.run.out, emit_mark(d->c->arena, stage), &output);
    if (code != EXIT_OK)
        return code;
    const CompileOptions options = pipeline_options(d);
    CompileRun run = pipeline_begin(d, &options);
    code = emit_stage(d, &run, stage);
    if (code == EXIT_OK)
        compile_print(&run, output.to);
    if (code == EXIT_OK && d->options.explain_fusion && last == PASS_MEMORY)
        code = pipeline_to(d, &run, PASS_LOWER); /* how long kernels are */
    pipeline_end(d, &run);
    if (code != EXIT_OK) {
        output_discard(&output);
        return code;
    }
    return output_finish(d, &output);
}
