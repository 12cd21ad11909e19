/* A connection's library: a program for each of its parts at each site.
 *
 * Sites whose programs are equal share one, and equal kernels of all programs are there once, in
 * the object of the program that comes first. */
#include "base/map.h"
#include "base/text_stream.h"
#include "driver/build.h"
#include "driver/pipeline.h"
#include <string.h>

/* One program. */
typedef struct {
    CompileRun run;
    const char *symbol; /* of its record */
    const char *text;   /* all that it is */
} Program;

typedef struct {
    uint32_t part;
    VEC(Program *) programs;
    uint32_t *of_site; /* which of them */
    uint32_t n_sites;
} Part;

typedef struct {
    Build *b;
    const CompileRun *whole;
    Arena *arena;
    Part parts[CONNECTION_PARTS];
    Map *kernels; /* by symbol: there is an object that defines it */
    VEC(CodegenResult) objects;
} Library;

/* --- programs ----------------------------------------------------------------------------------*/

static const char *kernel_symbol(Arena *arena, const NestKernel *kernel) {
    TextStream *text = text_stream_open(arena);
    nest_print_nameless(kernel, arena, text->to);
    text_stream_close(text);
    const WideHash hash = hash_bytes_wide(text->text, text->length);
    text_stream_free(text);
    return arena_printf(arena, "kernel.%016llx%016llx", (unsigned long long)hash.high,
                        (unsigned long long)hash.low);
}

static const char *program_text(Arena *arena, const CompileRun *run) {
    const char *text = run->manifest;
    for (uint32_t k = 0; k < run->n_kernels; k++)
        text = arena_printf(arena, "%s%s\n", text, kernel_symbol(arena, run->kernels[k]));
    return text;
}

static bool at_one_site(const char *part) {
    return strcmp(part, "begin") == 0 || strcmp(part, "end") == 0;
}

/* The part at a site, as far as its manifest. */
static ExitCode program_make(Library *l, const char *part, const char *site, Program *program) {
    Driver *d = l->b->d;
    CompileOptions options = pipeline_options(d);
    options.export.part = part;
    options.export.site = at_one_site(part) ? NULL : site; /* its trunk's first one, or last */
    program->run = pipeline_begin(d, &options);
    ExitCode code = pipeline_status(d, &program->run, compile_from_cut(&program->run, l->whole));
    if (code == EXIT_OK)
        code = pipeline_to(d, &program->run, PASS_MANIFEST);
    if (code == EXIT_OK)
        program->text = program_text(l->arena, &program->run);
    return code;
}

/* The program of another site that is equal, or the one at hand. */
static uint32_t part_keep(Library *l, Part *part, Program *program) {
    const char *name = l->b->parts[part->part];
    for (uint32_t k = 0; k < part->programs.count; k++)
        if (strcmp(part->programs.at[k]->text, program->text) == 0) {
            compile_end(&program->run);
            return k;
        }
    program->symbol = part->programs.count
                          ? arena_printf(l->arena, "sites.%s.%u", name, part->programs.count)
                          : arena_printf(l->arena, "%s_%s_model", l->b->prefix, name);
    vec_push(l->arena, &part->programs, program);
    return part->programs.count - 1;
}

static ExitCode part_make(Library *l, Part *part) {
    const SiteInfo *sites = l->whole->network->sites.at;
    const char *name = l->b->parts[part->part], *asked = l->b->d->options.site;
    const uint32_t all = l->whole->network->sites.count;
    const bool turns = strcmp(name, "turn") == 0 && all > 1; /* after the last site there is none */
    part->n_sites = asked || at_one_site(name) ? 1 : all - turns;
    part->of_site = ARENA_ARRAY(l->arena, uint32_t, part->n_sites);
    ExitCode code = EXIT_OK;
    for (uint32_t k = 0; k < part->n_sites && code == EXIT_OK; k++) {
        Program *program = ARENA_NEW(l->arena, Program);
        code = program_make(l, name, asked ? asked : sites[k].path, program);
        if (code == EXIT_OK)
            part->of_site[k] = part_keep(l, part, program);
        else
            compile_end(&program->run);
    }
    return code;
}

/* --- code --------------------------------------------------------------------------------------*/

static const CodegenShared *share_kernels(Library *l, const CompileRun *run) {
    const char **symbols = ARENA_ARRAY(l->arena, const char *, run->n_kernels);
    bool *elsewhere = ARENA_ARRAY(l->arena, bool, run->n_kernels);
    CodegenShared *shared = ARENA_NEW(l->arena, CodegenShared);
    for (uint32_t k = 0; k < run->n_kernels; k++) {
        symbols[k] = kernel_symbol(l->arena, run->kernels[k]);
        void **there = map_slot_str(l->kernels, symbols[k]);
        elsewhere[k] = *there != NULL;
        *there = l;
    }
    *shared = (CodegenShared){symbols, elsewhere};
    return shared;
}

/* The first program's record is the part's: it knows those of all sites. */
static ExitCode program_compile(Library *l, const Part *part, uint32_t index) {
    Program *program = part->programs.at[index];
    CodegenModel *model = &program->run.model;
    *model = (CodegenModel){
        .symbol = program->symbol, .shared = share_kernels(l, &program->run), .linked = true};
    if (index == 0) {
        const char **sites = ARENA_ARRAY(l->arena, const char *, part->n_sites);
        for (uint32_t k = 0; k < part->n_sites; k++)
            sites[k] = part->programs.at[part->of_site[k]]->symbol;
        model->sites = sites;
        model->n_sites = part->n_sites;
        model->thunks = build_functions(l->b, part->part, &model->n_thunks);
    }
    const ExitCode code = pipeline_to(l->b->d, &program->run, PASS_OBJECT);
    vec_push(l->arena, &l->objects, program->run.object);
    return code;
}

/* --- the library -------------------------------------------------------------------------------*/

static void print_part(const Part *part, const char *name, FILE *to) {
    fprintf(to, "\n  \"%s\": {\"sites\": [", name);
    for (uint32_t k = 0; k < part->n_sites; k++)
        fprintf(to, "%s%u", k ? ", " : "", part->of_site[k]);
    fprintf(to, "], \"programs\": [");
    for (uint32_t k = 0; k < part->programs.count; k++)
        fprintf(to, "%s%s", k ? ", " : "", part->programs.at[k]->run.manifest);
    fprintf(to, "]}");
}

static const char *manifest_text(const Library *l) {
    TextStream *text = text_stream_open(l->arena);
    fprintf(text->to, "{\"origin\": \"generated by hcc\",\n \"connection\": \"%s\",\n \"parts\": {",
            l->b->model);
    for (uint32_t k = 0; k < l->b->n_parts; k++) {
        fputs(k ? "," : "", text->to);
        print_part(&l->parts[k], l->b->parts[k], text->to);
    }
    fputs("}}\n", text->to);
    text_stream_close(text);
    return arena_copy_string(l->arena, text->text, text->length);
}

static void library_end(Library *l) {
    for (uint32_t k = 0; k < l->b->n_parts; k++)
        for (uint32_t p = 0; p < l->parts[k].programs.count; p++)
            pipeline_end(l->b->d, &l->parts[k].programs.at[p]->run);
}

ExitCode build_connection(Build *b, const CompileRun *run) {
    Library l = {.b = b, .whole = run, .arena = b->d->c->arena};
    l.kernels = map_create(l.arena);
    ExitCode code = EXIT_OK;
    for (uint32_t k = 0; k < b->n_parts && code == EXIT_OK; k++) {
        l.parts[k].part = k;
        code = part_make(&l, &l.parts[k]);
    }
    for (uint32_t k = 0; k < b->n_parts; k++)
        for (uint32_t p = 0; p < l.parts[k].programs.count && code == EXIT_OK; p++)
            code = program_compile(&l, &l.parts[k], p);
    if (code == EXIT_OK)
        code = build_link(b, l.objects.at, l.objects.count);
    if (code == EXIT_OK)
        code = build_beside(b, manifest_text(&l));
    library_end(&l);
    return code;
}
