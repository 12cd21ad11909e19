/* The library's runs for a command line. */
#include "driver/pipeline.h"
#include "driver/connection.h"
#include "driver/explain_code.h"
#include "driver/used_files.h"
#include "runtime/run/clock.h"
#include <string.h>

const char *const stage_names[] = {"ast",      "tir",   "grad", "fused",
                                   "schedule", "nests", "llvm", "asm"};
_Static_assert(sizeof stage_names / sizeof *stage_names == STAGE_NAMES, "as pipeline.h says");

static bool pipeline_known(Driver *d, const char *what, const char *name, const char *const *names,
                           uint32_t count) {
    for (uint32_t k = 0; !name || k < count; k++)
        if (!name || strcmp(name, names[k]) == 0)
            return true;
    const char *near = nearest_name(name, names, count);
    fprintf(d->err, "hcc: there is no %s '%s'", what, name);
    if (near)
        fprintf(d->err, "; did you mean '%s'?", near);
    fputs("\nThere are:", d->err);
    for (uint32_t k = 0; k < count; k++)
        fprintf(d->err, " %s", names[k]);
    fputc('\n', d->err);
    return false;
}

bool pipeline_options_valid(Driver *d) {
    const char *passes[PASS_COUNT];
    for (uint32_t k = 0; k < PASS_COUNT; k++)
        passes[k] = compile_passes[k].name;
    return pipeline_known(d, "pass", d->options.print_after, passes, PASS_COUNT) &&
           pipeline_known(d, "stage", d->options.stage, stage_names, STAGE_NAMES);
}

/* --- watching ----------------------------------------------------------------------------------*/

double pipeline_step(Driver *d, const char *name) {
    (void)d;
    fault_handlers_note(name);
    return hc_now();
}

void pipeline_stepped(Driver *d, const char *name, double begun) {
    const double ended = pipeline_step(d, command_name(d->options.command));
    vec_push(d->c->arena, &d->times, (PassTime){name, ended - begun});
}

static void pass_begins(void *context, const char *pass) {
    (void)context;
    fault_handlers_note(pass);
}

static void pass_ended(void *context, const char *pass, double seconds, const CompileRun *run) {
    Driver *d = context;
    fault_handlers_note(command_name(d->options.command));
    vec_push(d->c->arena, &d->times, (PassTime){pass, seconds});
    if (run->message || run->refused.message)
        return;
    if (d->options.print_after && strcmp(d->options.print_after, pass) == 0) {
        if (strcmp(pass, compile_passes[PASS_MANIFEST].name) == 0)
            fprintf(d->err, "%s\n", run->manifest);
        else
            compile_print(run, d->err);
    }
    if (d->options.explain_precision && strcmp(pass, compile_passes[PASS_MEMORY - 1].name) == 0)
        plan_explain_precision(run->plan, d->c->sources, d->err);
    if (d->options.explain_fusion && strcmp(pass, compile_passes[PASS_MEMORY].name) == 0) {
        plan_explain(run->plan, d->c->sources, d->err);
        plan_print_replays(&run->plan->replays, "", d->err);
    }
    if (d->options.explain_fusion && strcmp(pass, compile_passes[PASS_LOWER].name) == 0)
        explain_code(run, d->err);
}

/* --- beginning and ending ----------------------------------------------------------------------*/

OverrideVec pipeline_overrides(Driver *d) {
    OverrideVec overrides = {0};
    for (uint32_t k = 0; k < d->options.run.set.count; k++) {
        const char *text = d->options.run.set.at[k], *equals = strchr(text, '=');
        const char *key = arena_copy_string(d->c->arena, text, (size_t)(equals - text));
        vec_push(d->c->arena, &overrides, (Override){key, equals + 1});
    }
    return overrides;
}

CodegenSanitizer pipeline_sanitizer(const Driver *d) {
    const char *asked = d->options.sanitize;
    CodegenSanitizer here = SANITIZER_NONE;
#if defined(__SANITIZE_ADDRESS__)
    here = SANITIZER_ADDRESS;
#elif defined(__SANITIZE_THREAD__)
    here = SANITIZER_THREAD;
#endif
    if (asked)
        return strcmp(asked, "thread") == 0 ? SANITIZER_THREAD : SANITIZER_ADDRESS;
    return d->options.command == CMD_EMIT ? SANITIZER_NONE : here; /* prints the same, then */
}

bool pipeline_check_sanitizer(Driver *d) {
    const char *asked = d->options.sanitize;
    if (!asked || strcmp(asked, "address") == 0 || strcmp(asked, "thread") == 0)
        return true;
    driver_error(d, "--sanitize is 'address' or 'thread', not '%s'", asked);
    return false;
}

/* A word that is none was refused with the command line. */
static CompilePrecision pipeline_precision(const Driver *d) {
    const char *asked = d->options.precision;
    return asked ? (CompilePrecision){true, hc_precision_named(asked)} : (CompilePrecision){0};
}

CompileOptions pipeline_options(Driver *d) {
    const HcOptionCount level = d->options.optimise;
    const OverrideVec overrides = pipeline_overrides(d);
    const bool exports = /* elsewhere these options mean something else */
        d->options.command == CMD_EMIT || d->options.command == CMD_BUILD;
    return (CompileOptions){
        .uses = used_files_finder(d),
        .sema = {.overrides = overrides.at,
                 .n_overrides = overrides.count,
                 .model = d->options.model},
        .export = {.site = exports ? d->options.site : NULL,
                   .part = d->options.part,
                   .given = d->options.given.at,
                   .n_given = (uint32_t)d->options.given.count,
                   .results = exports ? d->options.output.at : NULL,
                   .n_results = exports ? (uint32_t)d->options.output.count : 0,
                   .apart = d->options.streams_apart,
                   .beside = d->options.beside},
        .machine = {.triple = d->options.target,
                    .cpu = d->options.cpu,
                    .opt_level = level.given ? (int)level.value : 3,
                    .sanitizer = pipeline_sanitizer(d)},
        .precision = pipeline_precision(d),
        .plain = level.given && level.value == 0,
        .memory = d->options.memory.given ? d->options.memory.value : 0,
        .debug = d->options.debug ? d->c->sources : NULL,
    };
}

CompileRun pipeline_begin(Driver *d, const CompileOptions *options) {
    const CompileWatch watch = {d, pass_begins, pass_ended};
    return compile_begin(d->c, options, &watch);
}

void pipeline_end(Driver *d, CompileRun *run) {
    uint32_t found, missed;
    if (d->cache) {
        cache_counts(d->cache, &found, &missed);
        d->cache_use = arena_printf(d->c->arena, "%u found, %u compiled, in %s", found, missed,
                                    cache_folder(d->cache));
        cache_close(d->cache);
        d->cache = NULL;
    }
    compile_end(run);
}

/* --- running -----------------------------------------------------------------------------------*/

ExitCode pipeline_status(Driver *d, CompileRun *run, CompileStatus status) {
    switch (status) {
    case COMPILE_DONE:
        return EXIT_OK;
    case COMPILE_REFUSED:
        compile_say_refusal(run);
        if (!run->message)
            return driver_report(d);
        driver_error(d, "%s", run->message);
        return EXIT_SPEC;
    case COMPILE_OPTIONS:
        fprintf(d->err, "hcc: %s\n", run->message);
        return EXIT_USAGE;
    case COMPILE_RESOURCES:
        driver_error(d, "%s", run->message);
        return EXIT_RESOURCE;
    case COMPILE_FAULT:
        break;
    }
    return driver_fault(d, run->at, run->message);
}

ExitCode pipeline_keep(Driver *d, CompileRun *run) {
    const char *why = NULL;
    run->options.cache = d->cache;
    if (d->cache || d->options.command == CMD_EMIT) /* which prints what it makes */
        return EXIT_OK;
    if (d->options.no_cache) {
        why = "--no-cache";
    } else {
        const char *wrong = cache_open_user(d->c->arena, &d->cache, &why);
        if (wrong) {
            fprintf(d->err, "hcc: %s\n", wrong);
            return EXIT_USAGE;
        }
    }
    run->options.cache = d->cache;
    if (!d->cache)
        d->cache_use = arena_printf(d->c->arena, "none (%s)", why);
    return EXIT_OK;
}

ExitCode pipeline_to(Driver *d, CompileRun *run, PassId last) {
    CompileStatus status = COMPILE_DONE;
    if (run->next <= PASS_SEMA) { /* warnings are said when all is known that there are */
        status = compile_to(run, last < PASS_SEMA ? last : PASS_SEMA);
        if (status == COMPILE_DONE && last >= PASS_SEMA)
            driver_report(d);
    }
    ExitCode code = EXIT_OK;
    const bool lowers = last >= PASS_LOWER && run->form != FORM_TEXT;
    if (status == COMPILE_DONE && lowers)
        code = pipeline_keep(d, run);
    if (status == COMPILE_DONE && code == EXIT_OK && (lowers || d->options.explain_precision))
        status = compile_target(run); /* who makes products depends on it */
    if (status == COMPILE_DONE && code == EXIT_OK)
        status = compile_to(run, last);
    if (run->network) /* who computes with it now meets broken rules, too */
        driver_watch(d, run->network->program);
    return code != EXIT_OK ? code : pipeline_status(d, run, status);
}

ExitCode pipeline_model(Driver *d, CompileRun *run, PassId last) {
    uint32_t file;
    ExitCode code = connection_or_file(d, &file);
    if (code != EXIT_OK)
        return code;
    compile_from_text(run, file);
    code = pipeline_to(d, run, PASS_SEMA);
    if (code == EXIT_OK && !run->network) {
        driver_error(d, "'%s' holds no model", d->options.argument);
        return EXIT_SPEC;
    }
    return code == EXIT_OK ? pipeline_to(d, run, last) : code;
}

ExitCode pipeline_load(Driver *d, CompileRun *run, LoadedModel *loaded) {
    *loaded = (LoadedModel){0};
    ExitCode code = pipeline_to(d, run, PASS_MANIFEST);
    if (code == EXIT_OK) {
        run->model = (CodegenModel){.symbol = "hc_compiled_model"};
        code = pipeline_status(d, run, compile_load(run));
    }
    if (code == EXIT_OK)
        *loaded = (LoadedModel){run->jit, run->loaded};
    return code;
}

void pipeline_unload(LoadedModel *loaded) {
    jit_unload(loaded->jit);
    *loaded = (LoadedModel){0};
}

Driver pipeline_apart(Driver *d, FILE *err) {
    Driver one = {
        .options = d->options, .out = d->out, .err = err, .color = d->color, .fault = d->fault};
    one.c = compilation_create();
    if (!one.c)
        arena_exhausted(d->c->arena);
    one.c->out_of_memory = d->c->out_of_memory;
    return one;
}
