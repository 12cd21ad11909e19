/* Compiling a model on several threads and loading it: each thread has a context, a target machine
 * and an object of its own; kernels are dealt out by size, so the parts take about as long. */
#include "codegen/emit.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <unistd.h>

enum { PARALLEL_MOST = 16 };

typedef struct {
    ModulePart part;
    const CodegenTarget *target;
    uint64_t size; /* instructions dealt to it */
    uint32_t *kernels;
    Arena *arena; /* the thread's own */
    jmp_buf out_of_memory;
    CodegenResult result;
    pthread_t thread;
    bool started;
} ParallelPart;

static void parallel_exhausted(void *context) {
    ParallelPart *part = context;
    longjmp(part->out_of_memory, 1);
}

static void *parallel_compile(void *context) {
    ParallelPart *volatile part = context;
    if (setjmp(part->out_of_memory)) {
        part->result.error = "out of memory";
        return NULL;
    }
    CodegenTarget target = *part->target;
    target.arena = part->arena;
    target.machine = codegen_target_machine(&target, &part->result.error);
    if (!target.machine)
        return NULL;
    part->result = module_compile(part->arena, &target, &part->part, CODEGEN_OBJECT);
    LLVMDisposeTargetMachine(target.machine);
    return NULL;
}

/* The largest kernel left goes to the part with the least so far. */
static void parallel_deal(Arena *arena, const CodegenModel *model, ParallelPart *parts,
                          uint32_t n_parts) {
    bool *dealt = ARENA_ARRAY(arena, bool, model->n_kernels);
    for (uint32_t round = 0; round < model->n_kernels; round++) {
        uint32_t largest = model->n_kernels;
        for (uint32_t k = 0; k < model->n_kernels; k++)
            if (!dealt[k] &&
                (largest == model->n_kernels || model->kernels[k]->instructions.count >
                                                    model->kernels[largest]->instructions.count))
                largest = k;
        ParallelPart *least = &parts[0];
        for (uint32_t p = 1; p < n_parts; p++)
            if (parts[p].size < least->size)
                least = &parts[p];
        dealt[largest] = true;
        least->kernels[least->part.n_kernels++] = largest;
        least->size += model->kernels[largest]->instructions.count;
    }
}

static const char *parallel_run(Arena *arena, ParallelPart *parts, uint32_t n_parts) {
    for (uint32_t p = 1; p < n_parts; p++)
        parts[p].started = pthread_create(&parts[p].thread, NULL, parallel_compile, &parts[p]) == 0;
    parallel_compile(&parts[0]);
    const char *error = parts[0].result.error;
    for (uint32_t p = 1; p < n_parts; p++) {
        if (parts[p].started)
            pthread_join(parts[p].thread, NULL);
        else
            parallel_compile(&parts[p]);
        if (!error)
            error = parts[p].result.error;
    }
    return error ? arena_printf(arena, "%s", error) : NULL;
}

Jit *codegen_load(Arena *arena, const CodegenTarget *target, const CodegenModel *model,
                  uint32_t n_threads, const HcModel **loaded, const char **error) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t n = n_threads ? n_threads : processors > 0 ? (uint32_t)processors : 1;
    if (n > PARALLEL_MOST)
        n = PARALLEL_MOST;
    if (n > model->n_kernels)
        n = model->n_kernels ? model->n_kernels : 1;
    ParallelPart *parts = ARENA_ARRAY(arena, ParallelPart, n);
    JitObject objects[PARALLEL_MOST];
    for (uint32_t p = 0; p < n; p++) {
        parts[p].kernels = ARENA_ARRAY(arena, uint32_t, model->n_kernels);
        parts[p].target = target;
        parts[p].part = (ModulePart){.model = model, .kernels = parts[p].kernels, .record = p == 0};
    }
    parallel_deal(arena, model, parts, n);
    *error = NULL;
    *loaded = NULL;
    for (uint32_t p = 0; p < n; p++) {
        parts[p].arena = arena_create(parallel_exhausted, &parts[p]);
        if (!parts[p].arena)
            *error = "out of memory";
    }
    if (!*error)
        *error = parallel_run(arena, parts, n);
    Jit *jit = NULL;
    if (!*error) {
        for (uint32_t p = 0; p < n; p++)
            objects[p] = (JitObject){parts[p].result.bytes, parts[p].result.length};
        jit = jit_load_all(arena, objects, n, model->symbol, loaded, error);
    }
    for (uint32_t p = 0; p < n; p++)
        arena_destroy(parts[p].arena);
    return jit;
}
