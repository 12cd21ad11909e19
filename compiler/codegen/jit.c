/* Objects into this process: the bytes that would be linked, loaded by LLVM's LLJIT. */
#include "codegen/emit.h"
#include <stdlib.h>

struct Jit {
    LLVMOrcLLJITRef lljit;
};

static const char *jit_error(Arena *arena, const char *what, LLVMErrorRef failed) {
    char *text = LLVMGetErrorMessage(failed);
    const char *error = arena_printf(arena, "%s: %s", what, text);
    LLVMDisposeErrorMessage(text);
    return error;
}

static const char *jit_add(Arena *arena, LLVMOrcLLJITRef lljit, const JitObject *objects,
                           uint32_t n) {
    LLVMOrcJITDylibRef library = LLVMOrcLLJITGetMainJITDylib(lljit);
    LLVMOrcDefinitionGeneratorRef process;
    LLVMErrorRef failed = LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
        &process, LLVMOrcLLJITGetGlobalPrefix(lljit), NULL, NULL);
    if (failed)
        return jit_error(arena, "symbols of this process", failed);
    LLVMOrcJITDylibAddGenerator(library, process);
    for (uint32_t k = 0; k < n; k++) {
        LLVMMemoryBufferRef copy =
            LLVMCreateMemoryBufferWithMemoryRangeCopy(objects[k].bytes, objects[k].length, "model");
        failed = LLVMOrcLLJITAddObjectFile(lljit, library, copy);
        if (failed)
            return jit_error(arena, "loading generated code", failed);
    }
    return NULL;
}

Jit *jit_load(Arena *arena, const void *object, size_t length, const char *symbol,
              const HcModel **model, const char **error) {
    return jit_load_all(arena, &(JitObject){object, length}, 1, symbol, model, error);
}

Jit *jit_load_all(Arena *arena, const JitObject *objects, uint32_t n, const char *symbol,
                  const HcModel **model, const char **error) {
    *model = NULL;
    *error = NULL;
    LLVMOrcLLJITRef lljit = NULL;
    LLVMErrorRef failed = LLVMOrcCreateLLJIT(&lljit, LLVMOrcCreateLLJITBuilder());
    if (failed) {
        *error = jit_error(arena, "starting the JIT", failed);
        return NULL;
    }
    Jit *jit = malloc(sizeof *jit); /* outlives arenas: unloading is the caller's to time */
    LLVMOrcExecutorAddress address = 0;
    *error = jit ? jit_add(arena, lljit, objects, n) : "out of memory";
    if (!*error) {
        failed = LLVMOrcLLJITLookup(lljit, &address, symbol);
        if (failed)
            *error = jit_error(arena, "generated code", failed);
    }
    if (*error) {
        LLVMConsumeError(LLVMOrcDisposeLLJIT(lljit));
        free(jit);
        return NULL;
    }
    jit->lljit = lljit;
    *model = (const HcModel *)(uintptr_t)address;
    return jit;
}

void jit_unload(Jit *jit) {
    if (!jit)
        return;
    LLVMErrorRef failed = LLVMOrcDisposeLLJIT(jit->lljit);
    if (failed)
        LLVMConsumeError(failed);
    free(jit);
}
