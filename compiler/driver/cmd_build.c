/* hcc build: files made from a model, by the ending of the output's name. */
#include "driver/driver.h"
#include "driver/header.h"
#include "driver/outputs.h"
#include "driver/pipeline.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum { MAKE_EXECUTABLE, MAKE_SHARED, MAKE_OBJECT, MAKE_LLVM, MAKE_ASM } BuildForm;

typedef struct {
    Driver *d;
    const char *model;  /* prefix of symbols */
    const char *output; /* path */
    const char *stem;   /* path without the ending */
    BuildForm form;
} Build;

static const char *const runtime_libraries[] = {
    "-ljansson",
    "-lpcre2-8",
    "-lpthread",
    "-lm",
#ifdef __SANITIZE_ADDRESS__
    "-fsanitize=undefined", /* the runtime beside this hcc is sanitized, too */
#endif
};

/* Endings and what they ask for. Programs need none. */
static const struct {
    const char *ending;
    BuildForm form;
} build_endings[] = {{".so", MAKE_SHARED},     {".o", MAKE_OBJECT},       {".ll", MAKE_LLVM},
                     {".s", MAKE_ASM},         {".out", MAKE_EXECUTABLE}, {".bin", MAKE_EXECUTABLE},
                     {".exe", MAKE_EXECUTABLE}};
enum { BUILD_ENDINGS = sizeof build_endings / sizeof *build_endings };

/* What follows the last dot of the file's name, the dot included; a version (".5") is a part of the
 * name, but for that of a library (".so.1"). */
static const char *build_ending(const char *output) {
    const char *slash = strrchr(output, '/'), *name = slash ? slash + 1 : output;
    const char *dot = *name ? strrchr(name + 1, '.') : NULL;
    if (dot && dot[1] && strspn(dot + 1, "0123456789") == strlen(dot + 1)) {
        const char *library = strstr(name + 1, ".so.");
        return library ? library : "";
    }
    return dot ? dot : "";
}

static ExitCode build_form(Build *b) {
    const char *ending = build_ending(b->output);
    b->stem = arena_copy_string(b->d->c->arena, b->output, strlen(b->output) - strlen(ending));
    b->form = MAKE_EXECUTABLE;
    if (!*ending)
        return EXIT_OK;
    for (size_t k = 0; k < BUILD_ENDINGS; k++) {
        if (strcmp(ending, build_endings[k].ending) == 0) {
            b->form = build_endings[k].form;
            return EXIT_OK;
        }
    }
    driver_error(
        b->d,
        "cannot make '%s': the ending %s is not known. There are .so (library and header), "
        ".o (object), .ll (LLVM IR) and .s (assembly); a program has none, or .out, .bin, "
        ".exe",
        b->output, ending);
    return EXIT_USAGE;
}

/* The runtime's library: beside hcc in the build folder, or where an installation puts it. */
static const char *build_runtime(Driver *d) {
    static const char *const places[] = {"runtime/libhcrt.a", HCC_RUNTIME_FOLDER "/libhcrt.a"};
    const char *folder = driver_program_folder(d);
    for (size_t k = 0; folder && k < sizeof places / sizeof *places; k++) {
        const char *path = arena_printf(d->c->arena, "%s/%s", folder, places[k]);
        if (access(path, R_OK) == 0)
            return path;
    }
    driver_error(d, "the runtime library libhcrt.a is not beside hcc, nor where it is installed");
    return NULL;
}

static ExitCode build_wrote(Build *b, const char *path, const char *error) {
    if (error) {
        driver_error(b->d, "%s", error);
        return EXIT_RESOURCE;
    }
    fprintf(b->d->out, "%s\n", path);
    return EXIT_OK;
}

static ExitCode build_write(Build *b, const char *path, const char *text, size_t length) {
    return build_wrote(b, path, codegen_write_file(b->d->c->arena, path, text, length));
}

/* What lies beside a library. */
static const char *build_header(const Build *b) {
    return arena_printf(b->d->c->arena, "%s.h", b->stem);
}

static const char *build_manifest(const Build *b) {
    return arena_printf(b->d->c->arena, "%s.manifest.json", b->stem);
}

/* The functions of a library: those of hc.h, with the model's name before them. */
static const char **build_functions(Build *b, uint32_t *count) {
    Arena *arena = b->d->c->arena;
    NameVec functions = header_functions(arena);
    const char **names = ARENA_ARRAY(arena, const char *, functions.count);
    for (uint32_t k = 0; k < functions.count; k++)
        names[k] = arena_printf(arena, "%s_%s", b->model, functions.at[k]);
    *count = functions.count;
    return names;
}

/* None of a library's functions has the name of one that it is linked with. */
static ExitCode build_named(Build *b, const Network *network) {
    uint32_t count;
    const char *runtime = build_runtime(b->d), **names = build_functions(b, &count);
    if (!runtime)
        return EXIT_FAULT;
    const char *taken = codegen_archive_defines(b->d->c->arena, runtime, names, count);
    if (!taken)
        return EXIT_OK;
    diag_error(b->d->c->diagnostics, DIAG_MODEL_NAME, network->named,
               "a library of the model `%s` would have a function `%s`, which the runtime has",
               b->model, taken);
    diag_help(b->d->c->diagnostics, "give the model a name that does not begin with `hc`");
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
    if (code == EXIT_OK && b->form == MAKE_SHARED)
        code = output_allowed(b->d, build_header(b));
    if (code == EXIT_OK && b->form == MAKE_SHARED)
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

/* Links the object, which lies in a temporary folder of its own meanwhile. */
static ExitCode build_link(Build *b, const CodegenResult *object) {
    Arena *arena = b->d->c->arena;
    const char *runtime = build_runtime(b->d);
    if (!runtime)
        return EXIT_FAULT;
    const char *base = getenv("TMPDIR");
    char *folder = arena_printf(arena, "%s/hcc-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(folder)) {
        driver_error(b->d, "cannot make a temporary folder: %s", strerror(errno));
        return EXIT_RESOURCE;
    }
    const char *path = arena_printf(arena, "%s/model.o", folder);
    const char *error = codegen_write_file(arena, path, object->bytes, object->length);
    LinkJob job = {
        .objects = &path,
        .n_objects = 1,
        .runtime = runtime,
        .libraries = runtime_libraries,
        .n_libraries = sizeof runtime_libraries / sizeof *runtime_libraries,
        .sanitize_address = pipeline_sanitized(b->d),
        .output = b->output,
    };
    double begun = pipeline_step(b->d, "link");
    if (!error && b->form == MAKE_EXECUTABLE) {
        error = link_executable(arena, &job);
    } else if (!error) {
        NameVec functions = header_functions(arena);
        const char **aliases = ARENA_ARRAY(arena, const char *, functions.count);
        for (uint32_t k = 0; k < functions.count; k++)
            if (strcmp(functions.at[k], "create") != 0) /* a thunk of the object */
                aliases[job.n_aliases++] =
                    arena_printf(arena, "%s_%s=hc_%s", b->model, functions.at[k], functions.at[k]);
        const char *exports = arena_printf(arena, "%s_*", b->model);
        job.aliases = aliases;
        job.exports = &exports;
        job.n_exports = 1;
        error = link_shared(arena, &job);
    }
    pipeline_stepped(b->d, "link", begun);
    unlink(path);
    rmdir(folder);
    return build_wrote(b, b->output, error);
}

static ExitCode build_make(Build *b, CompileRun *run) {
    Arena *arena = b->d->c->arena;
    CodegenThunk create = {arena_printf(arena, "%s_create", b->model), "hc_create", 3};
    run->model = (CodegenModel){.symbol = arena_printf(arena, "%s_model", b->model),
                                .linked = b->form == MAKE_EXECUTABLE || b->form == MAKE_SHARED};
    if (b->form == MAKE_EXECUTABLE)
        run->model.main_callee = "hc_main";
    if (b->form == MAKE_SHARED) {
        run->model.thunks = &create;
        run->model.n_thunks = 1;
    }
    run->code = b->form == MAKE_LLVM  ? CODEGEN_LLVM
                : b->form == MAKE_ASM ? CODEGEN_ASM
                                      : CODEGEN_OBJECT;
    ExitCode code = pipeline_to(b->d, run, PASS_OBJECT);
    if (code != EXIT_OK)
        return code;
    if (b->form == MAKE_LLVM || b->form == MAKE_ASM)
        return build_write_text(b, &run->object);
    if (b->form == MAKE_OBJECT)
        return build_write(b, b->output, run->object.bytes, run->object.length);
    code = build_link(b, &run->object);
    if (code != EXIT_OK || b->form == MAKE_EXECUTABLE)
        return code;
    const char *header = header_text(arena, b->model);
    code = build_write(b, build_header(b), header, strlen(header));
    if (code != EXIT_OK)
        return code;
    return build_write(b, build_manifest(b), run->manifest, strlen(run->manifest));
}

static ExitCode build_run(Driver *d, CompileRun *run) {
    ExitCode code = pipeline_model(d, run, PASS_SEMA);
    if (code != EXIT_OK)
        return code;
    Build b = {.d = d, .model = run->network->name};
    b.output = d->options.run.out ? d->options.run.out : run->network->name;
    code = build_form(&b);
    if (code == EXIT_OK)
        code = build_allowed(&b);
    if (code == EXIT_OK && b.form == MAKE_SHARED)
        code = build_named(&b, run->network);
    if (code == EXIT_OK)
        code = pipeline_to(d, run, PASS_MANIFEST);
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
    return build_make(&b, run);
}

ExitCode command_build(Driver *d) {
    const CompileOptions options = pipeline_options(d);
    CompileRun run = pipeline_begin(d, &options);
    ExitCode code = build_run(d, &run);
    pipeline_end(d, &run);
    return code;
}
