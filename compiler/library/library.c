/* What hcc.h says: one compilation from its text to the model in this process, and what is to be
 * said of it copied to where it outlives the compilation. */
#include "base/find_text.h"
#include "base/read_text.h"
#include "base/text_stream.h"
#include "compile/compile.h"
#include "compile/connection.h"
#include "library/hcc.h"
#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct HccModule {
    HccStatus status;
    char *report, *diagnostics, *message, *name;
    Jit *jit;
    const HcModel *model;
};

/* What is asked for, and what has to be closed whatever comes of it. */
typedef struct {
    const char *text; /* NULL: the file's */
    size_t length;
    const char *name;
    HccOptions options;
    Compilation *c;
    CompileRun run;
    const char *message;
    FILE *file;
    Cache *cache;
} LibraryJob;

/* --- options -----------------------------------------------------------------------------------*/

static HccStatus refused(LibraryJob *job, HccStatus status, const char *message) {
    job->message = message;
    return status;
}

static HccStatus check_names(LibraryJob *job, const char *const *names, uint64_t count) {
    for (uint64_t k = 0; names && k < count; k++)
        if (!names[k])
            return refused(job, HCC_ERROR_ARGUMENT, "the name of a value is NULL");
    return HCC_OK;
}

/* Those of an older caller are fewer; what a newer one says beyond ours is refused. */
static HccStatus take_options(LibraryJob *job, const HccOptions *given) {
    if (!given)
        return HCC_OK;
    if (given->size < sizeof given->size)
        return refused(job, HCC_ERROR_ARGUMENT,
                       "HccOptions.size is not set: it is sizeof(HccOptions)");
    if (given->size > sizeof job->options)
        return refused(job, HCC_ERROR_ARGUMENT,
                       arena_printf(job->c->arena,
                                    "HccOptions.size is %u: this libhcc knows options of %u bytes",
                                    given->size, (unsigned)sizeof job->options));
    memcpy(&job->options, given, given->size);
    const HccOptions *o = &job->options;
    if (o->precision && hc_precision_named(o->precision) == HC_PRECISION_COUNT)
        return refused(job, HCC_ERROR_ARGUMENT,
                       arena_printf(job->c->arena,
                                    "the precision is f32, bf16, bf16_streams or f64, not '%s'",
                                    o->precision));
    const HccStatus status = check_names(job, o->results, o->n_results);
    return status == HCC_OK ? check_names(job, o->given, o->n_given) : status;
}

/* NULL and a message where one of them sets nothing. */
static const Override *take_overrides(LibraryJob *job) {
    const HccOptions *o = &job->options;
    Arena *arena = job->c->arena;
    Override *overrides = ARENA_ARRAY(arena, Override, o->set ? o->n_set : 0);
    for (uint64_t k = 0; o->set && k < o->n_set; k++) {
        const char *text = o->set[k] ? o->set[k] : "", *equals = strchr(text, '=');
        if (!equals || equals == text) {
            job->message = arena_printf(arena, "a setting is KEY=VALUE, not '%s'", text);
            return NULL;
        }
        overrides[k] =
            (Override){arena_copy_string(arena, text, (size_t)(equals - text)), equals + 1};
    }
    return overrides;
}

/* Without one, everything is compiled. */
static HccStatus take_cache(LibraryJob *job) {
    const char *why;
    if (job->options.no_cache)
        return HCC_OK;
    const char *wrong = cache_open_user(job->c->arena, &job->cache, &why);
    return wrong ? refused(job, HCC_ERROR_ARGUMENT, wrong) : HCC_OK;
}

/* --- the text ----------------------------------------------------------------------------------*/

static HccStatus read_file(LibraryJob *job) {
    Arena *arena = job->c->arena;
    struct stat status;
    job->file = fopen(job->name, "rb");
    if (job->file && fstat(fileno(job->file), &status) == 0 && S_ISDIR(status.st_mode))
        errno = EISDIR;
    else if (job->file)
        switch (read_text(arena, job->file, READ_SOURCE_MOST, &job->text, &job->length)) {
        case READ_WHOLE:
            return HCC_OK;
        case READ_TOO_LONG:
            return refused(job, HCC_ERROR_TEXT,
                           arena_printf(arena, "'%s' is longer than %d MiB", job->name,
                                        READ_SOURCE_MOST / 1024 / 1024));
        case READ_FAILED:
            break;
        }
    return refused(job, HCC_ERROR_ARGUMENT,
                   arena_printf(arena, "cannot read '%s': %s", job->name, strerror(errno)));
}

static HccStatus take_text(LibraryJob *job, uint32_t *file) {
    const HccStatus status = job->text ? HCC_OK : read_file(job);
    if (status != HCC_OK)
        return status;
    if (job->options.connection) {
        job->text =
            connection_text(job->c->arena, job->options.connection, job->length ? job->text : NULL);
        if (!job->text)
            return refused(job, HCC_ERROR_ARGUMENT, "the connection does not begin with its name");
        job->length = strlen(job->text);
    }
    *file = source_add(job->c->sources, job->name, job->text, job->length);
    return *file ? HCC_OK : refused(job, HCC_ERROR_TEXT, "the text is too long");
}

/* --- compiling ---------------------------------------------------------------------------------*/

static HccStatus status_of(LibraryJob *job, CompileStatus status) {
    job->message = job->run.message;
    switch (status) {
    case COMPILE_DONE:
        return HCC_OK;
    case COMPILE_REFUSED:
        compile_say_refusal(&job->run);
        return HCC_ERROR_TEXT;
    case COMPILE_OPTIONS:
        return HCC_ERROR_ARGUMENT;
    case COMPILE_RESOURCES:
        return HCC_ERROR_MEMORY;
    case COMPILE_FAULT:
        break;
    }
    job->message = arena_printf(job->c->arena, "internal fault of the compiler in %s: %s",
                                job->run.at, job->message ? job->message : "no reason given");
    return HCC_FAULT;
}

/* Files that a file uses lie beside it, or where HCC_PATH says; a text as such has none. */
static UsedFile find_used(void *context, const char *by, const char *said) {
    const LibraryJob *job = context;
    Arena *arena = job->c->arena;
    FolderList folders = {0};
    if (!job->file)
        return (UsedFile){.why = "a text that is no file uses none"};
    find_text_folders(arena, getenv("HCC_PATH"), &folders);
    const FoundText found = find_text(arena, by ? by : job->name, said, &folders);
    return (UsedFile){found.name, found.text, found.length, found.why};
}

static CompileOptions compile_options(LibraryJob *job, const Override *overrides) {
    const HccOptions *o = &job->options;
    return (CompileOptions){
        .uses = {job, find_used},
        .sema = {.overrides = overrides,
                 .n_overrides = o->set ? (uint32_t)o->n_set : 0,
                 .model = o->model,
                 .maps = o->maps != 0},
        .export = {.site = o->site,
                   .part = o->part,
                   .given = o->given,
                   .n_given = o->given ? (uint32_t)o->n_given : 0,
                   .results = o->results,
                   .n_results = o->results ? (uint32_t)o->n_results : 0,
                   .apart = o->streams_apart != 0,
                   .beside = o->beside != 0},
        .machine =
            {
                .cpu = o->cpu,
                .opt_level = 3,
#if defined(__SANITIZE_ADDRESS__)
                .sanitizer = SANITIZER_ADDRESS,
#elif defined(__SANITIZE_THREAD__)
                .sanitizer = SANITIZER_THREAD,
#endif
            },
        .precision = {o->precision != NULL,
                      o->precision ? hc_precision_named(o->precision) : HC_PRECISION_F32},
        .memory = o->memory,
        .cache = job->cache,
    };
}

static HccStatus run_passes(LibraryJob *job, uint32_t file) {
    compile_from_text(&job->run, file);
    CompileStatus status = compile_to(&job->run, PASS_MANIFEST);
    if (status == COMPILE_DONE && !job->run.network)
        return refused(job, HCC_ERROR_TEXT,
                       arena_printf(job->c->arena, "'%s' holds no model", job->name));
    if (status == COMPILE_DONE) {
        job->run.model = (CodegenModel){.symbol = "hc_compiled_model"};
        status = compile_load(&job->run);
    }
    return status_of(job, status);
}

static HccStatus compile(LibraryJob *job, const HccOptions *options) {
    uint32_t file = 0;
    HccStatus status = take_options(job, options);
    if (status == HCC_OK)
        status = take_text(job, &file);
    if (status == HCC_OK)
        status = take_cache(job);
    const Override *overrides = status == HCC_OK ? take_overrides(job) : NULL;
    if (!overrides)
        return status == HCC_OK ? HCC_ERROR_ARGUMENT : status;
    const CompileOptions compiled = compile_options(job, overrides);
    job->run = compile_begin(job->c, &compiled, NULL);
    return run_passes(job, file);
}

/* --- what outlives it --------------------------------------------------------------------------*/

static char *kept(const LibraryJob *job, const char *text, size_t length) {
    char *copy = malloc(length + 1);
    if (!copy)
        arena_exhausted(job->c->arena);
    if (length)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

static char *printed(const LibraryJob *job, bool json) {
    const Diagnostics *diagnostics = job->c->diagnostics;
    TextStream *stream = text_stream_open(job->c->arena);
    if (json)
        diag_render_json(diagnostics, stream->to);
    else
        diag_render_text(diagnostics, stream->to, false);
    if (!json && job->message)
        fprintf(stream->to, "hcc: error: %s\n", job->message);
    text_stream_close(stream);
    char *copy = kept(job, stream->text, stream->length);
    text_stream_free(stream);
    return copy;
}

static void keep(LibraryJob *job, HccModule *module) {
    const char *message = job->message ? job->message : "";
    module->message = kept(job, message, strlen(message));
    module->report = printed(job, false);
    module->diagnostics = printed(job, true);
    const char *name = job->run.network ? job->run.network->name : NULL;
    if (name)
        module->name = kept(job, name, strlen(name));
    if (!job->run.jit)
        return;
    module->jit = job->run.jit;
    module->model = job->run.loaded;
    jit_disown(module->jit);
}

/* Whatever allocates may come back here. */
static void guarded(LibraryJob *job, const HccOptions *options, HccModule *module) {
    jmp_buf exhausted;
    if (setjmp(exhausted)) {
        module->status = HCC_ERROR_MEMORY;
    } else {
        job->c->out_of_memory = &exhausted;
        module->status = compile(job, options);
        keep(job, module);
    }
    job->c->out_of_memory = NULL;
}

static HccModule *compile_job(LibraryJob *job, const HccOptions *options) {
    HccModule *module = calloc(1, sizeof *module);
    if (!module)
        return NULL;
    module->status = HCC_ERROR_MEMORY;
    job->c = compilation_create();
    if (!job->c)
        return module;
    guarded(job, options, module);
    if (job->file)
        fclose(job->file);
    cache_close(job->cache);
    compile_end(&job->run);
    compilation_destroy(job->c);
    return module;
}

/* --- the interface -----------------------------------------------------------------------------*/

HccModule *hcc_compile_text(const char *text, uint64_t length, const char *name,
                            const HccOptions *options) {
    LibraryJob job = {.text = text ? text : "",
                      .length = text ? (size_t)length : 0,
                      .name = name ? name : "<text>"};
    return compile_job(&job, options);
}

HccModule *hcc_compile_file(const char *path, const HccOptions *options) {
    LibraryJob job = {.name = path ? path : ""};
    return compile_job(&job, options);
}

void hcc_free(HccModule *module) {
    if (!module)
        return;
    jit_unload(module->jit);
    free(module->report);
    free(module->diagnostics);
    free(module->message);
    free(module->name);
    free(module);
}

HccStatus hcc_status(const HccModule *module) {
    return module ? module->status : HCC_ERROR_MEMORY;
}

const char *hcc_report(const HccModule *module) {
    return module && module->report ? module->report : "hcc: error: out of memory\n";
}

const char *hcc_diagnostics(const HccModule *module) {
    return module && module->diagnostics ? module->diagnostics : "[]\n";
}

const char *hcc_message(const HccModule *module) {
    return module && module->message ? module->message : "out of memory";
}

const HcModel *hcc_model(const HccModule *module) {
    return module ? module->model : NULL;
}

const char *hcc_model_name(const HccModule *module) {
    return module && module->name ? module->name : "";
}

const char *hcc_manifest(const HccModule *module) {
    return module && module->model ? module->model->manifest : "";
}

const char *hcc_version(void) {
    return HCC_VERSION;
}
