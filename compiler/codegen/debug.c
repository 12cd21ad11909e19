/* Debug information: which line of the .hc text each instruction comes from, so that gdb, perf and
 * the sanitizers speak of the model. Lines only; values are not described. */
#include "base/map.h"
#include "codegen/emit.h"
#include <string.h>

struct EmitDebug {
    Arena *arena;
    const SourceSet *sources;
    LLVMDIBuilderRef builder;
    LLVMMetadataRef unit, main_file;
    Map *files;  /* source file: DIFile */
    Map *scopes; /* source file: scope of the function being emitted */
    LLVMMetadataRef function, function_file;
    unsigned line;
    Span last;
    LLVMMetadataRef last_location;
};

static LLVMMetadataRef debug_file(EmitDebug *d, uint32_t file) {
    void **slot = map_slot_u64(d->files, file);
    if (!*slot) {
        const char *name = file ? source_name(d->sources, file) : "generated";
        const char *base = strrchr(name, '/');
        size_t folder = base ? (size_t)(base - name) : 0;
        base = base ? base + 1 : name;
        *slot = LLVMDIBuilderCreateFile(d->builder, base, strlen(base), name, folder);
    }
    return *slot;
}

static void debug_flag(const Emit *e, const char *name, uint32_t value) {
    LLVMMetadataRef number = LLVMValueAsMetadata(LLVMConstInt(e->elem[NEST_I32], value, false));
    LLVMAddModuleFlag(e->module, LLVMModuleFlagBehaviorWarning, name, strlen(name), number);
}

EmitDebug *debug_open(Emit *e, Arena *arena, const SourceSet *sources) {
    EmitDebug *d = ARENA_NEW(arena, EmitDebug);
    d->arena = arena;
    d->sources = sources;
    d->files = map_create(arena);
    d->builder = LLVMCreateDIBuilder(e->module);
    d->main_file = debug_file(d, 1);
    static const char producer[] = "hcc";
    d->unit = LLVMDIBuilderCreateCompileUnit(
        d->builder, LLVMDWARFSourceLanguageC11, d->main_file, producer, sizeof producer - 1,
        e->target->opt_level > 0, "", 0, 0, "", 0, LLVMDWARFEmissionLineTablesOnly, 0, false, false,
        "", 0, "", 0);
    debug_flag(e, "Debug Info Version", LLVMDebugMetadataVersion());
    debug_flag(e, "Dwarf Version", 4);
    return d;
}

void debug_close(EmitDebug *d) {
    LLVMDIBuilderFinalize(d->builder);
    LLVMDisposeDIBuilder(d->builder);
}

/* The first place in the kernel's text. */
static Span debug_first(const NestKernel *kernel) {
    for (uint32_t k = 1; k < kernel->instructions.count; k++)
        if (kernel->instructions.at[k].span.file)
            return kernel->instructions.at[k].span;
    return (Span){0};
}

void debug_function(Emit *e, const NestKernel *kernel, const char *name) {
    EmitDebug *d = e->debug;
    if (!d)
        return;
    Span first = kernel ? debug_first(kernel) : (Span){0};
    d->line = first.file ? source_line_column(d->sources, first.file, first.begin).line : 0;
    LLVMMetadataRef file = first.file ? debug_file(d, first.file) : d->main_file;
    LLVMMetadataRef type =
        LLVMDIBuilderCreateSubroutineType(d->builder, file, NULL, 0, LLVMDIFlagZero);
    d->function = LLVMDIBuilderCreateFunction(d->builder, file, name, strlen(name), "", 0, file,
                                              d->line, type, true, true, d->line, LLVMDIFlagZero,
                                              e->target->opt_level > 0);
    d->function_file = file;
    d->scopes = map_create(d->arena);
    d->last = (Span){0};
    d->last_location = NULL;
    LLVMSetSubprogram(e->function, d->function);
    debug_at(e, (Span){0});
}

void debug_at(Emit *e, Span at) {
    EmitDebug *d = e->debug;
    if (!d)
        return;
    if (!d->last_location || at.file != d->last.file || at.begin != d->last.begin) {
        LineColumn place = {d->line, 0};
        LLVMMetadataRef scope = d->function;
        if (at.file) {
            place = source_line_column(d->sources, at.file, at.begin);
            void **slot = map_slot_u64(d->scopes, at.file);
            LLVMMetadataRef file = debug_file(d, at.file);
            if (!*slot)
                *slot = file == d->function_file
                            ? d->function
                            : LLVMDIBuilderCreateLexicalBlockFile(d->builder, d->function, file, 0);
            scope = *slot;
        }
        d->last = at;
        d->last_location =
            LLVMDIBuilderCreateDebugLocation(e->context, place.line, place.column, scope, NULL);
    }
    LLVMSetCurrentDebugLocation2(e->builder, d->last_location);
}
