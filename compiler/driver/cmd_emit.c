/* hcc emit: the program at a stage of its compilation, as text that hcc reads back. */
#include "driver/driver.h"
#include "driver/native.h"
#include "driver/outputs.h"
#include "driver/pipeline.h"
#include <string.h>

static bool emit_ends_with(const char *text, const char *ending) {
    size_t length = strlen(text), size = strlen(ending);
    return length > size && strcmp(text + length - size, ending) == 0;
}

static ExitCode emit_ast(Driver *d, FILE *to) {
    Ast *ast;
    ExitCode code = pipeline_parse(d, d->options.argument, &ast);
    if (code == EXIT_OK)
        code = driver_report(d);
    if (code == EXIT_OK)
        ast_dump(d->c, ast, to);
    return code;
}

/* The stages that come from a program: `network` is NULL when it was read as text. */
static ExitCode emit_program(Driver *d, const char *stage, FILE *to) {
    Network *network = NULL;
    TirProgram *program = NULL;
    ExitCode code;
    if (emit_ends_with(d->options.argument, ".tir")) {
        code = pipeline_read_tir(d, d->options.argument, &program);
    } else {
        code = pipeline_network(d, d->options.argument, &network);
        program = network ? network->program : NULL;
    }
    if (code == EXIT_OK && strcmp(stage, "tir") != 0)
        code = pipeline_gradient(d, &program);
    if (code != EXIT_OK)
        return code;
    if (strcmp(stage, "tir") == 0 || strcmp(stage, "grad") == 0) {
        tir_print(program, to);
        return EXIT_OK;
    }
    return native_emit(d, network, program, stage, to);
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
    bool is_tir = emit_ends_with(file, ".tir"), is_nest = emit_ends_with(file, ".nest");
    const char *stage = d->options.stage ? d->options.stage : is_nest ? "nests" : "tir";
    bool has_kernels =
        strcmp(stage, "nests") == 0 || strcmp(stage, "llvm") == 0 || strcmp(stage, "asm") == 0;
    if ((is_tir && strcmp(stage, "ast") == 0) || (is_nest && !has_kernels)) {
        fprintf(d->err, "hcc: '%s' is the text of a later stage than '%s'\n", file, stage);
        return EXIT_USAGE;
    }
    if (d->options.kernel && !has_kernels) {
        fprintf(d->err, "hcc: --kernel goes with --stage nests, llvm or asm; '%s' has no kernels\n",
                stage);
        return EXIT_USAGE;
    }
    OutputFile output;
    ExitCode code = output_open(d, d->options.out, emit_mark(d->c->arena, stage), &output);
    if (code != EXIT_OK)
        return code;
    if (is_nest)
        code = native_emit_nest(d, stage, output.to);
    else if (strcmp(stage, "ast") == 0)
        code = emit_ast(d, output.to);
    else
        code = emit_program(d, stage, output.to);
    if (code != EXIT_OK) {
        output_discard(&output);
        return code;
    }
    return output_finish(d, &output);
}
