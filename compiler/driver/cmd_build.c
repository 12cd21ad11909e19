/* hcc build: files made from a model, by the ending of the output's name. */
#include "driver/driver.h"
#include "driver/header.h"
#include "driver/native.h"
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
    "-lopenblas",           "-ljansson", "-lxxhash", "-lpthread", "-lm",
#ifdef __SANITIZE_ADDRESS__
    "-fsanitize=undefined", /* the runtime beside this hcc is sanitized, too */
#endif
};

static BuildForm build_form(Arena *arena, const char *output, const char **stem) {
    static const struct {
        const char *ending;
        BuildForm form;
    } endings[] = {{".so", MAKE_SHARED}, {".o", MAKE_OBJECT}, {".ll", MAKE_LLVM}, {".s", MAKE_ASM}};
    size_t length = strlen(output);
    for (size_t k = 0; k < sizeof endings / sizeof *endings; k++) {
        size_t size = strlen(endings[k].ending);
        if (length > size && strcmp(output + length - size, endings[k].ending) == 0) {
            *stem = arena_copy_string(arena, output, length - size);
            return endings[k].form;
        }
    }
    *stem = output;
    return MAKE_EXECUTABLE;
}

/* The runtime's library: beside hcc in the build folder, or where an installation puts it. */
static const char *build_runtime(Driver *d) {
    static const char *const places[] = {"runtime/libhcrt.a", "../lib/hcc/libhcrt.a",
                                         "../../lib/hcc/libhcrt.a"};
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
        .sanitize_address = native_sanitized(b->d),
        .output = b->output,
    };
    double begun = pipeline_begin(b->d, "link");
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
    pipeline_end(b->d, "link", begun);
    unlink(path);
    rmdir(folder);
    return build_wrote(b, b->output, error);
}

static ExitCode build_make(Build *b, const NativeProgram *native) {
    Arena *arena = b->d->c->arena;
    CodegenThunk create = {arena_printf(arena, "%s_create", b->model), "hc_create", 3};
    CodegenModel wrapping = {.symbol = arena_printf(arena, "%s_model", b->model)};
    if (b->form == MAKE_EXECUTABLE)
        wrapping.main_callee = "hc_main";
    if (b->form == MAKE_SHARED) {
        wrapping.thunks = &create;
        wrapping.n_thunks = 1;
    }
    CodegenForm form = b->form == MAKE_LLVM  ? CODEGEN_LLVM
                       : b->form == MAKE_ASM ? CODEGEN_ASM
                                             : CODEGEN_OBJECT;
    CodegenResult result;
    ExitCode code = native_compile(b->d, native, wrapping, form, &result);
    if (code != EXIT_OK)
        return code;
    if (b->form != MAKE_EXECUTABLE && b->form != MAKE_SHARED)
        return build_write(b, b->output, result.bytes, result.length);
    code = build_link(b, &result);
    if (code != EXIT_OK || b->form == MAKE_EXECUTABLE)
        return code;
    const char *header = header_text(arena, b->model);
    code = build_write(b, arena_printf(arena, "%s.h", b->stem), header, strlen(header));
    if (code != EXIT_OK)
        return code;
    return build_write(b, arena_printf(arena, "%s.manifest.json", b->stem), native->manifest,
                       strlen(native->manifest));
}

ExitCode command_build(Driver *d) {
    Network *network;
    ExitCode code = pipeline_network(d, d->options.argument, &network);
    if (code != EXIT_OK)
        return code;
    Build b = {.d = d, .model = network->name};
    b.output = d->options.out ? d->options.out : network->name;
    b.form = build_form(d->c->arena, b.output, &b.stem);
    struct stat status;
    if (stat(b.output, &status) == 0 && !S_ISREG(status.st_mode)) {
        driver_error(d, "cannot write '%s': it is %s", b.output,
                     S_ISDIR(status.st_mode) ? "a folder" : "no regular file");
        return EXIT_RESOURCE;
    }
    code = pipeline_gradient(d, &network->program);
    NativeProgram native;
    if (code == EXIT_OK)
        code = native_lower(d, network, network->program, d->options.f64, &native);
    if (code != EXIT_OK)
        return code;
    if (codegen_target_foreign(native.target) &&
        (b.form == MAKE_EXECUTABLE || b.form == MAKE_SHARED)) {
        driver_error(d,
                     "cannot link for %s here: write an object (-o %s.o), and link it there with "
                     "the runtime's library",
                     d->options.target, b.stem);
        code = EXIT_RESOURCE;
    } else {
        code = build_make(&b, &native);
    }
    native_free(&native);
    return code;
}
