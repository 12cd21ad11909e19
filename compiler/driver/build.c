/* What hcc build writes: the file itself, linked where it is, and what lies beside it. */
#include "driver/build.h"
#include "abi/needs.h"
#include "driver/header.h"
#include "driver/pipeline.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

const char *build_runtime(Driver *d) {
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

ExitCode build_write(Build *b, const char *path, const char *text, size_t length) {
    return build_wrote(b, path, codegen_write_file(b->d->c->arena, path, text, length));
}

bool build_callable(const Build *b) {
    return b->form == MAKE_SHARED || b->form == MAKE_OBJECT;
}

const char *build_header(const Build *b) {
    return arena_printf(b->d->c->arena, "%s.h", b->stem);
}

const char *build_manifest(const Build *b) {
    return arena_printf(b->d->c->arena, "%s.manifest.json", b->stem);
}

const CodegenThunk *build_functions(Build *b, uint32_t part, uint32_t *count) {
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

ExitCode build_link(Build *b, const CodegenResult *objects, uint32_t count) {
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

ExitCode build_beside(Build *b, const char *manifest) {
    const char *header = header_text(b->d->c->arena, b->model, b->prefix, b->parts, b->n_parts);
    const ExitCode code = build_write(b, build_header(b), header, strlen(header));
    if (code != EXIT_OK)
        return code;
    return build_write(b, build_manifest(b), manifest, strlen(manifest));
}
