/* Objects into this process: the bytes that would be linked, loaded by LLVM's LLJIT.
 *
 * A whole model is one object that holds its record; kernels each in an object of its own get a
 * record made here, so that nothing but kernels need be compiled. */
#include "base/map.h"
#include "codegen/emit.h"
#include <stdlib.h>
#include <string.h>

struct Jit {
    ArenaOwned *owned;
    LLVMOrcLLJITRef lljit;
    HcModel record; /* of jit_load_kernels */
    HcKernel **kernels;
    char *manifest;
};

static const char *jit_error(Arena *arena, const char *what, LLVMErrorRef failed) {
    char *text = LLVMGetErrorMessage(failed);
    const char *error = arena_printf(arena, "%s: %s", what, text);
    LLVMDisposeErrorMessage(text);
    return error;
}

static const char *jit_start(Arena *arena, Jit *jit) {
    LLVMErrorRef failed = LLVMOrcCreateLLJIT(&jit->lljit, LLVMOrcCreateLLJITBuilder());
    if (failed)
        return jit_error(arena, "starting the JIT", failed);
    LLVMOrcDefinitionGeneratorRef process;
    failed = LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
        &process, LLVMOrcLLJITGetGlobalPrefix(jit->lljit), NULL, NULL);
    if (failed)
        return jit_error(arena, "symbols of this process", failed);
    LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(jit->lljit), process);
    return NULL;
}

/* Names differ: what an object begins with (under a sanitizer it has constructors) is found by it.
 */
static const char *jit_add(Arena *arena, Jit *jit, const char *name, const void *bytes,
                           size_t length) {
    LLVMMemoryBufferRef copy = LLVMCreateMemoryBufferWithMemoryRangeCopy(bytes, length, name);
    LLVMErrorRef failed =
        LLVMOrcLLJITAddObjectFile(jit->lljit, LLVMOrcLLJITGetMainJITDylib(jit->lljit), copy);
    return failed ? jit_error(arena, "loading generated code", failed) : NULL;
}

static const char *jit_find(Arena *arena, Jit *jit, const char *symbol, uintptr_t *address) {
    LLVMOrcExecutorAddress found = 0;
    LLVMErrorRef failed = LLVMOrcLLJITLookup(jit->lljit, &found, symbol);
    *address = (uintptr_t)found;
    return failed ? jit_error(arena, "generated code", failed) : NULL;
}

static void jit_release(void *jit) {
    jit_unload(jit);
}

/* Unloading is the caller's to time, but for where memory runs out. */
static Jit *jit_create(Arena *arena) {
    ArenaOwned *owned = arena_own(arena, jit_release);
    Jit *jit = calloc(1, sizeof *jit);
    if (!jit)
        arena_exhausted(arena);
    jit->owned = owned;
    owned->object = jit;
    return jit;
}

Jit *jit_load(Arena *arena, const void *object, size_t length, const char *symbol,
              const HcModel **model, const char **error) {
    *model = NULL;
    Jit *jit = jit_create(arena);
    uintptr_t address = 0;
    *error = jit_start(arena, jit);
    if (!*error)
        *error = jit_add(arena, jit, symbol, object, length);
    if (!*error)
        *error = jit_find(arena, jit, symbol, &address);
    if (*error) {
        jit_unload(jit);
        return NULL;
    }
    *model = (const HcModel *)address;
    return jit;
}

static void jit_make_record(Arena *arena, Jit *jit, const CodegenModel *model) {
    const char *manifest = model->manifest ? model->manifest : "{}";
    jit->kernels = calloc(model->n_kernels ? model->n_kernels : 1, sizeof *jit->kernels);
    jit->manifest = strdup(manifest);
    if (!jit->kernels || !jit->manifest)
        arena_exhausted(arena);
    jit->record = (HcModel){.abi_version = HC_ABI_VERSION,
                            .element_size = model->element_size,
                            .manifest = jit->manifest,
                            .manifest_length = strlen(manifest),
                            .kernels = jit->kernels,
                            .kernel_count = model->n_kernels,
                            .manifest_seal = hc_manifest_seal(manifest, strlen(manifest))};
}

Jit *jit_load_kernels(Arena *arena, const CodegenModel *model, const JitKernel *kernels,
                      const HcModel **loaded, const char **error) {
    *loaded = NULL;
    Map *added = map_create(arena);
    Jit *jit = jit_create(arena);
    jit_make_record(arena, jit, model);
    *error = jit_start(arena, jit);
    for (uint32_t k = 0; k < model->n_kernels && !*error; k++) {
        void **slot = map_slot_str(added, kernels[k].name);
        if (!*slot)
            *error = jit_add(arena, jit, kernels[k].name, kernels[k].bytes, kernels[k].length);
        *slot = jit;
    }
    for (uint32_t k = 0; k < model->n_kernels && !*error; k++) {
        uintptr_t address = 0;
        *error = jit_find(arena, jit, kernels[k].name, &address);
        jit->kernels[k] = (HcKernel *)address;
    }
    if (*error) {
        jit_unload(jit);
        return NULL;
    }
    *loaded = &jit->record;
    return jit;
}

void jit_unload(Jit *jit) {
    if (!jit)
        return;
    LLVMErrorRef failed = jit->lljit ? LLVMOrcDisposeLLJIT(jit->lljit) : NULL;
    if (failed)
        LLVMConsumeError(failed);
    free(jit->kernels);
    free(jit->manifest);
    jit_disown(jit);
    free(jit);
}

void jit_disown(Jit *jit) {
    if (jit->owned)
        jit->owned->object = NULL;
    jit->owned = NULL;
}
