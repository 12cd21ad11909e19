/* hcc build: files made from a model, by the ending of the output's name. */
#include "abi/needs.h"
#include "driver/build.h"
#include "driver/connection.h"
#include "driver/outputs.h"
#include "driver/pipeline.h"
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* Endings and what they ask for. Programs need none. */
static const struct {
    const char *ending;
    BuildForm form;
} build_endings[] = {{".so", MAKE_SHARED},     {".o", MAKE_OBJECT},       {".ll", MAKE_LLVM},
                     {".s", MAKE_ASM},         {".out", MAKE_EXECUTABLE}, {".bin", MAKE_EXECUTABLE},
                     {".exe", MAKE_EXECUTABLE}};
enum { BUILD_ENDINGS = sizeof build_endings / sizeof *build_endings };

/* The file's name in a path. */
static const char *build_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What follows the last dot of the file's name, the dot included; a version (".5") is a part of the
 * name, but for that of a library (".so.1"). */
static const char *build_ending(const char *output) {
    const char *name = build_name(output);
    const char *dot = *name ? strrchr(name + 1, '.') : NULL;
    if (dot && dot[1] && strspn(dot + 1, "0123456789") == strlen(dot + 1)) {
        const char *library = strstr(name + 1, ".so.");
        return library ? library : "";
    }
    return dot ? dot : "";
}

/* ".so.1" and ".so.1.2", of a library that programs ask for by its name and the first number. */
static bool build_versioned(Build *b, const char *ending) {
    const size_t before = strlen(".so.");
    if (strncmp(ending, ".so.", before) != 0 ||
        strspn(ending + before, "0123456789.") != strlen(ending + before))
        return false;
    const char *name = build_name(b->output), *version = ending + before;
    const size_t length = (size_t)(version - name) + strspn(version, "0123456789");
    b->soname = arena_copy_string(b->d->c->arena, name, length);
    b->form = MAKE_SHARED;
    return true;
}

static ExitCode build_form(Build *b) {
    const char *ending = build_ending(b->output);
    b->stem = arena_copy_string(b->d->c->arena, b->output, strlen(b->output) - strlen(ending));
    b->form = MAKE_EXECUTABLE;
    if (!*ending || build_versioned(b, ending))
        return EXIT_OK;
    for (size_t k = 0; k < BUILD_ENDINGS; k++) {
        if (strcmp(ending, build_endings[k].ending) == 0) {
            b->form = build_endings[k].form;
            return EXIT_OK;
        }
    }
    driver_error(
        b->d,
        "cannot make '%s': the ending %s is not known. There are .so and .so.1 (library and "
        "header), .o (object and header), .ll (LLVM IR) and .s (assembly); a program has none, or "
        ".out, .bin, "
        ".exe",
        b->output, ending);
    return EXIT_USAGE;
}

/* The function that the runtime has as well; NULL: none. */
static const char *build_taken(Build *b, const char *runtime) {
    uint32_t count;
    const CodegenThunk *functions = build_functions(b, 0, &count);
    const char **names = ARENA_ARRAY(b->d->c->arena, const char *, count);
    for (uint32_t k = 0; k < count; k++)
        names[k] = functions[k].name;
    return codegen_archive_defines(b->d->c->arena, runtime, names, count);
}

static bool build_is_name(const char *text) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    const size_t digits = 10;
    return *text && !memchr(letters + sizeof letters - 1 - digits, *text, digits) &&
           text[strspn(text, letters)] == '\0';
}

/* What symbols begin with: the model's name, or what --prefix says. None of the functions has the
 * name of one that they are linked with. */
static ExitCode build_prefix(Build *b, const Network *network) {
    const char *given = b->d->options.prefix;
    b->prefix = given ? given : b->model;
    if (!build_is_name(b->prefix)) {
        driver_error(b->d, "--prefix '%s' is not the beginning of a name in C: letters, digits, _",
                     given);
        return EXIT_USAGE;
    }
    const char *runtime = build_runtime(b->d);
    if (!runtime)
        return EXIT_FAULT;
    const char *taken = build_taken(b, runtime);
    if (!taken)
        return EXIT_OK;
    if (given) {
        driver_error(b->d, "--prefix %s would make a function `%s`, which the runtime has", given,
                     taken);
        return EXIT_USAGE;
    }
    diag_error(b->d->c->diagnostics, DIAG_MODEL_NAME, network->named,
               "a library of the model `%s` would have a function `%s`, which the runtime has",
               b->model, taken);
    diag_help(b->d->c->diagnostics,
              "give the model a name that does not begin with `hc`, or the library a `--prefix`");
    return driver_report(b->d);
}

/* Every file that will be written may be. */
static ExitCode build_allowed(const Build *b) {
    struct stat status;
    if (stat(b->output, &status) == 0 && !S_ISREG(status.st_mode)) {
        driver_error(b->d, "cannot write '%s': it is %s", b->output,
                     S_ISDIR(status.st_mode) ? "a folder" : "no regular file");
        return EXIT_RESOURCE;
    }
    ExitCode code = output_allowed(b->d, b->output);
    if (code == EXIT_OK && build_callable(b))
        code = output_allowed(b->d, build_header(b));
    if (code == EXIT_OK && build_callable(b))
        code = output_allowed(b->d, build_manifest(b));
    return code;
}

/* LLVM IR or assembly, whose first line is the mark. */
static ExitCode build_write_text(Build *b, const CodegenResult *result) {
    Arena *arena = b->d->c->arena;
    const char *mark =
        b->form == MAKE_ASM ? output_mark(arena, "/* ", " */") : output_mark(arena, "; ", "");
    const char *text = arena_printf(arena, "%s%s", mark, result->bytes);
    return build_write(b, b->output, text, strlen(text));
}

/* An object, and how a program is linked with it. */
static ExitCode build_object(Build *b, const CompileRun *run) {
    const bool here = !codegen_target_foreign(run->target);
    ExitCode code = build_write(b, b->output, run->object.bytes, run->object.length);
    if (code == EXIT_OK)
        code = build_beside(b, run->manifest);
    if (code != EXIT_OK)
        return code;
    char words[2 * PATH_MAX] = "";
    driver_quote(words, sizeof words, b->output);
    driver_quote(words, sizeof words, here ? build_runtime(b->d) : "-lhcrt");
#define FLAG(name) driver_quote(words, sizeof words, "-l" name);
    HC_LINKED_LIBRARIES(FLAG)
#undef FLAG
    const CodegenSanitizer sanitizer = pipeline_sanitizer(b->d);
    if (sanitizer != SANITIZER_NONE)
        driver_quote(words, sizeof words,
                     sanitizer == SANITIZER_THREAD ? "-fsanitize=thread"
                                                   : "-fsanitize=address,undefined");
    fprintf(b->d->out, "link with: %s\n", words);
    return EXIT_OK;
}

static ExitCode build_make(Build *b, CompileRun *run) {
    run->model = (CodegenModel){.symbol = arena_printf(b->d->c->arena, "%s_model", b->prefix),
                                .main_callee = b->form == MAKE_EXECUTABLE ? "hc_main" : NULL,
                                .linked = b->form == MAKE_EXECUTABLE || b->form == MAKE_SHARED};
    if (build_callable(b))
        run->model.thunks = build_functions(b, 0, &run->model.n_thunks);
    run->code = b->form == MAKE_LLVM  ? CODEGEN_LLVM
                : b->form == MAKE_ASM ? CODEGEN_ASM
                                      : CODEGEN_OBJECT;
    ExitCode code = pipeline_to(b->d, run, PASS_OBJECT);
    if (code != EXIT_OK)
        return code;
    if (b->form == MAKE_LLVM || b->form == MAKE_ASM)
        return build_write_text(b, &run->object);
    if (b->form == MAKE_OBJECT)
        return build_object(b, run);
    code = build_link(b, &run->object, 1);
    return code == EXIT_OK && b->form == MAKE_SHARED ? build_beside(b, run->manifest) : code;
}

static ExitCode build_is_library(const Build *b) {
    if (b->form == MAKE_SHARED)
        return EXIT_OK;
    driver_error(b->d,
                 "a connection is several programs: make a library of it (-o %s.so), or one "
                 "of them with --part",
                 b->stem);
    return EXIT_USAGE;
}

static ExitCode build_run(Driver *d, CompileRun *run) {
    ExitCode code = pipeline_model(d, run, PASS_SEMA);
    if (code != EXIT_OK)
        return code;
    Build b = {.d = d, .model = run->network->name, .prefix = run->network->name};
    b.output = d->options.run.out ? d->options.run.out : run->network->name;
    if (d->options.connection && !d->options.part) {
        b.parts = connection_parts;
        b.n_parts = CONNECTION_PARTS;
    }
    code = build_form(&b);
    if (code == EXIT_OK)
        code = build_allowed(&b);
    if (code == EXIT_OK && build_callable(&b))
        code = build_prefix(&b, run->network);
    if (code == EXIT_OK && b.parts)
        code = build_is_library(&b);
    if (code == EXIT_OK)
        code = b.parts ? pipeline_status(d, run, compile_target(run))
                       : pipeline_to(d, run, PASS_MANIFEST);
    if (code != EXIT_OK)
        return code;
    if (codegen_target_foreign(run->target) &&
        (b.form == MAKE_EXECUTABLE || b.form == MAKE_SHARED)) {
        driver_error(d,
                     "cannot link for %s here: write an object (-o %s.o), and link it there with "
                     "the runtime's library",
                     d->options.target, b.stem);
        return EXIT_RESOURCE;
    }
    return b.parts ? build_connection(&b, run) : build_make(&b, run);
}

ExitCode command_build(Driver *d) {
    if (!pipeline_check_sanitizer(d))
        return EXIT_USAGE;
    CompileOptions options = pipeline_options(d);
    if (d->options.connection && !d->options.part) /* a part after the other */
        options.export.later = true;
    CompileRun run = pipeline_begin(d, &options);
    ExitCode code = build_run(d, &run);
    pipeline_end(d, &run);
    return code;
}
