/* hcc build: files made from a model, by the ending of the output's name. */
#include "abi/needs.h"
#include "driver/connection.h"
#include "driver/driver.h"
#include "driver/header.h"
#include "driver/outputs.h"
#include "driver/pipeline.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum { MAKE_EXECUTABLE, MAKE_SHARED, MAKE_OBJECT, MAKE_LLVM, MAKE_ASM } BuildForm;

typedef struct {
    Driver *d;
    const char *model;
    const char *prefix;       /* of symbols */
    const char *output;       /* path */
    const char *stem;         /* path without the ending */
    const char *soname;       /* of a library that has a version: "libm.so.1" for libm.so.1.2 */
    const char *const *parts; /* of a connection; NULL: it is one model */
    uint32_t n_parts;
    BuildForm form;
} Build;

/* Of programs; libraries do without the first ones. */
static const char *const runtime_libraries[] = {
#define FLAG(name) "-l" name,
    HC_PROGRAM_LIBRARIES(FLAG) HC_LINKED_LIBRARIES(FLAG)
#undef FLAG
#ifdef __SANITIZE_ADDRESS__
        "-fsanitize=undefined", /* the runtime beside this hcc is sanitized, too */
#endif
};

#define ONE(name) +1
enum { LIBRARIES_OF_PROGRAMS = HC_PROGRAM_LIBRARIES(ONE) };
#undef ONE

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

/* The runtime's library: beside hcc in the build folder, or where an installation puts it. */
static const char *build_runtime(Driver *d) {
    static const char *const places[] = {"runtime/libhcrt.a", HCC_RUNTIME_FOLDER "/libhcrt.a"};
    const char *folder = driver_program_folder(d);
    for (size_t k = 0; folder && k < sizeof places / sizeof *places; k++) {
        const char *path = arena_printf(d->c->arena, "%s/%s", folder, places[k]);
        char whole[PATH_MAX]; /* without "..", for whoever reads it */
        if (access(path, R_OK) == 0)
            return realpath(path, whole) ? arena_copy_string(d->c->arena, whole, strlen(whole))
                                         : path;
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

/* Objects and libraries have the functions of hc.h under names of their own. */
static bool build_callable(const Build *b) {
    return b->form == MAKE_SHARED || b->form == MAKE_OBJECT;
}

/* What lies beside them. */
static const char *build_header(const Build *b) {
    return arena_printf(b->d->c->arena, "%s.h", b->stem);
}

static const char *build_manifest(const Build *b) {
    return arena_printf(b->d->c->arena, "%s.manifest.json", b->stem);
}

/* The functions: those of hc.h, with the prefix before them; of a connection those that are told a
 * model are there for each part, and the others with the first. */
static const CodegenThunk *build_functions(Build *b, uint32_t part, uint32_t *count) {
    Arena *arena = b->d->c->arena;
    HeaderFunctionVec functions = header_functions(arena);
    CodegenThunk *thunks = ARENA_ARRAY(arena, CodegenThunk, functions.count);
    *count = 0;
    for (uint32_t k = 0; k < functions.count; k++) {
        const HeaderFunction *f = &functions.at[k];
        const bool of_part = b->parts && f->with_model;
        const char *name = of_part
                               ? arena_printf(arena, "%s_%s_%s", b->prefix, b->parts[part], f->name)
                               : arena_printf(arena, "%s_%s", b->prefix, f->name);
        if (part == 0 || of_part)
            thunks[(*count)++] = (CodegenThunk){name, arena_printf(arena, "hc_%s", f->name),
                                                f->with_model, f->n_arguments};
    }
    return thunks;
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

/* Links the objects, which lie in a temporary folder of their own meanwhile. */
static ExitCode build_link(Build *b, const CodegenResult *objects, uint32_t count) {
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
    const char **paths = ARENA_ARRAY(arena, const char *, count), *error = NULL;
    for (uint32_t k = 0; k < count && !error; k++) {
        paths[k] = arena_printf(arena, "%s/model%u.o", folder, k);
        error = codegen_write_file(arena, paths[k], objects[k].bytes, objects[k].length);
    }
    LinkJob job = {
        .objects = paths,
        .n_objects = count,
        .runtime = runtime,
        .libraries = runtime_libraries,
        .n_libraries = sizeof runtime_libraries / sizeof *runtime_libraries,
        .sanitizer = pipeline_sanitizer(b->d),
        .output = b->output,
    };
    double begun = pipeline_step(b->d, "link");
    if (!error && b->form == MAKE_EXECUTABLE) {
        error = link_executable(arena, &job);
    } else if (!error) {
        const char *exports = arena_printf(arena, "%s_*", b->prefix);
        job.libraries += LIBRARIES_OF_PROGRAMS;
        job.n_libraries -= LIBRARIES_OF_PROGRAMS;
        job.soname = b->soname;
        job.exports = &exports;
        job.n_exports = 1;
        error = link_shared(arena, &job);
    }
    pipeline_stepped(b->d, "link", begun);
    for (uint32_t k = 0; k < count; k++)
        if (paths[k])
            unlink(paths[k]);
    rmdir(folder);
    return build_wrote(b, b->output, error);
}

/* Header and manifest. */
static ExitCode build_beside(Build *b, const char *manifest) {
    const char *header = header_text(b->d->c->arena, b->model, b->prefix, b->parts, b->n_parts);
    const ExitCode code = build_write(b, build_header(b), header, strlen(header));
    if (code != EXIT_OK)
        return code;
    return build_write(b, build_manifest(b), manifest, strlen(manifest));
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

/* --- a connection ------------------------------------------------------------------------------*/

/* One part's code, and its place in the manifest. */
static ExitCode build_part(Build *b, uint32_t part, const char **manifest, CodegenResult *object) {
    Arena *arena = b->d->c->arena;
    CompileOptions options = pipeline_options(b->d);
    options.export.part = b->parts[part];
    if (strcmp(b->parts[part], "begin") == 0 || strcmp(b->parts[part], "end") == 0)
        options.export.site = NULL; /* theirs is the trunk's first one, or its last */
    CompileRun run = pipeline_begin(b->d, &options);
    ExitCode code = pipeline_model(b->d, &run, PASS_MANIFEST);
    if (code == EXIT_OK) {
        run.model =
            (CodegenModel){.symbol = arena_printf(arena, "%s_%s_model", b->prefix, b->parts[part]),
                           .linked = true};
        run.model.thunks = build_functions(b, part, &run.model.n_thunks);
        code = pipeline_to(b->d, &run, PASS_OBJECT);
    }
    if (code == EXIT_OK) {
        *manifest = arena_printf(arena, "%s%s\n  \"%s\": %s", *manifest, part ? "," : "",
                                 b->parts[part], run.manifest);
        *object = run.object;
    }
    pipeline_end(b->d, &run);
    return code;
}

static ExitCode build_connection(Build *b) {
    Arena *arena = b->d->c->arena;
    CodegenResult *objects = ARENA_ARRAY(arena, CodegenResult, b->n_parts);
    const char *manifests = "";
    ExitCode code = EXIT_OK;
    for (uint32_t k = 0; k < b->n_parts && code == EXIT_OK; k++)
        code = build_part(b, k, &manifests, &objects[k]);
    if (code == EXIT_OK)
        code = build_link(b, objects, b->n_parts);
    return code == EXIT_OK ? build_beside(b, arena_printf(arena,
                                                          "{\"origin\": \"generated by hcc\",\n"
                                                          " \"connection\": \"%s\",\n"
                                                          " \"programs\": {%s}}\n",
                                                          b->model, manifests))
                           : code;
}

static ExitCode build_is_library(const Build *b) {
    if (b->form == MAKE_SHARED)
        return EXIT_OK;
    driver_error(b->d,
                 "a connection is %d programs: make a library of it (-o %s.so), or one of "
                 "them with --part",
                 CONNECTION_PARTS, b->stem);
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
    return b.parts ? build_connection(&b) : build_make(&b, run);
}

ExitCode command_build(Driver *d) {
    if (!pipeline_check_sanitizer(d))
        return EXIT_USAGE;
    CompileOptions options = pipeline_options(d);
    if (d->options.connection && !d->options.part) /* a part after the other, later */
        options.export = (CompileExport){0};
    CompileRun run = pipeline_begin(d, &options);
    ExitCode code = build_run(d, &run);
    pipeline_end(d, &run);
    return code;
}
