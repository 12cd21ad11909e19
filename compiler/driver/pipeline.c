/* Text to network to gradient; the machine's half of the pipeline is in native.c. */
#include "driver/pipeline.h"
#include "pass/pass.h"
#include <string.h>
#include <time.h>

static const char *const pass_names[] = {"parse", "sema", "grad", "canon", "dce", "plan", "lower"};
static const char *const stage_names[] = {"ast", "tir", "grad", "fused", "nests", "llvm", "asm"};
enum {
    PASS_NAMES = sizeof pass_names / sizeof *pass_names,
    STAGE_NAMES = sizeof stage_names / sizeof *stage_names
};

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
    return pipeline_known(d, "pass", d->options.print_after, pass_names, PASS_NAMES) &&
           pipeline_known(d, "stage", d->options.stage, stage_names, STAGE_NAMES);
}

double pipeline_begin(Driver *d, const char *name) {
    (void)d;
    struct timespec now;
    fault_handlers_note(name);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void pipeline_end(Driver *d, const char *name, double begun) {
    double ended = pipeline_begin(d, command_name(d->options.command));
    vec_push(d->c->arena, &d->times, (PassTime){name, ended - begun});
}

bool pipeline_prints(const Driver *d, const char *name) {
    return d->options.print_after && strcmp(d->options.print_after, name) == 0;
}

ExitCode pipeline_end_tir(Driver *d, const char *name, double begun, const TirProgram *program) {
    pipeline_end(d, name, begun);
    if (pipeline_prints(d, name))
        tir_print(program, d->err);
    const char *wrong = tir_verify(program);
    return wrong ? driver_fault(d, name, wrong) : EXIT_OK;
}

static Ast *pipeline_parse_file(Driver *d, uint32_t file) {
    double begun = pipeline_begin(d, "parse");
    Ast *ast = parse_file(d->c, file);
    pipeline_end(d, "parse", begun);
    if (pipeline_prints(d, "parse"))
        ast_dump(d->c, ast, d->err);
    return ast;
}

ExitCode pipeline_parse(Driver *d, const char *path, Ast **ast) {
    uint32_t file;
    ExitCode code = driver_read_source(d, path, &file);
    if (code == EXIT_OK)
        *ast = pipeline_parse_file(d, file);
    return code;
}

OverrideList pipeline_overrides(Driver *d) {
    uint32_t count = d->options.set.count;
    Override *overrides = ARENA_ARRAY(d->c->arena, Override, count);
    for (uint32_t k = 0; k < count; k++) {
        const char *text = d->options.set.at[k], *equals = strchr(text, '=');
        overrides[k] =
            (Override){arena_copy_string(d->c->arena, text, (size_t)(equals - text)), equals + 1};
    }
    return (OverrideList){overrides, count};
}

ExitCode pipeline_check(Driver *d, uint32_t file, OverrideList overrides, const char *model,
                        Network **network) {
    Ast *ast = pipeline_parse_file(d, file);
    double begun = pipeline_begin(d, "sema");
    SemaOptions options = {overrides.at, overrides.count, model};
    *network = sema_check(d->c, ast, &options);
    ExitCode code = EXIT_OK;
    if (*network) {
        driver_watch(d, (*network)->program);
        code = pipeline_end_tir(d, "sema", begun, (*network)->program);
    } else {
        pipeline_end(d, "sema", begun);
    }
    ExitCode reported = driver_report(d);
    return reported != EXIT_OK ? reported : code;
}

ExitCode pipeline_network(Driver *d, const char *path, Network **network) {
    uint32_t file;
    *network = NULL;
    ExitCode code = driver_read_source(d, path, &file);
    if (code == EXIT_OK)
        code = pipeline_check(d, file, pipeline_overrides(d), d->options.model, network);
    if (code == EXIT_OK && !*network) {
        driver_error(d, "'%s' holds no model", path);
        return EXIT_SPEC;
    }
    return code;
}

ExitCode pipeline_read_tir(Driver *d, const char *path, TirProgram **program) {
    uint32_t file;
    ExitCode code = driver_read_source(d, path, &file);
    if (code != EXIT_OK)
        return code;
    double begun = pipeline_begin(d, "read");
    *program = tir_read(d->c, file);
    pipeline_end(d, "read", begun);
    code = driver_report(d);
    if (code == EXIT_OK && !*program)
        return driver_fault(d, "read", "no program and no message");
    const char *wrong = code == EXIT_OK ? tir_verify(*program) : NULL;
    if (*program)
        driver_watch(d, *program);
    if (wrong) {
        driver_error(d, "'%s' is not a valid program: %s", path, wrong);
        return EXIT_SPEC;
    }
    return code;
}

static bool pipeline_has_gradient(const TirProgram *program) {
    for (uint32_t k = 0; k < program->outputs.count; k++)
        if (program->outputs.at[k].role == TIR_OUT_GRAD)
            return true;
    return false;
}

ExitCode pipeline_gradient(Driver *d, TirProgram **program) {
    if (pipeline_has_gradient(*program))
        return EXIT_OK; /* text of stage `grad`, which went through all of this */
    double begun = pipeline_begin(d, "grad");
    pass_write_out(*program);
    pass_grad(*program);
    ExitCode code = pipeline_end_tir(d, "grad", begun, *program);
    if (code == EXIT_OK) {
        begun = pipeline_begin(d, "canon");
        *program = pass_canon(*program);
        driver_watch(d, *program);
        code = pipeline_end_tir(d, "canon", begun, *program);
    }
    if (code == EXIT_OK) {
        begun = pipeline_begin(d, "dce");
        *program = pass_dce(*program);
        driver_watch(d, *program);
        code = pipeline_end_tir(d, "dce", begun, *program);
    }
    return code;
}
