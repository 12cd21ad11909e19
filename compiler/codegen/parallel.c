/* Compiling a model on several threads and loading it. Every kernel becomes an object of its own,
 * named after what is in it where there is a cache: a kernel of any model compiled before is there
 * already. The largest begin, so that the threads end together. */
#include "base/vec.h"
#include "codegen/emit.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { PARALLEL_MOST = 16 };

typedef struct {
    CacheEntry entry; /* the object */
    bool keyed, read; /* the entry has a key; it came from the cache */
    const char *name;
} ParallelKernel;

typedef struct {
    const CodegenTarget *target;
    const CodegenModel *model;
    const uint32_t *order;
    ParallelKernel *kernels;
    atomic_uint next; /* in `order` */
    atomic_bool failed;
    atomic_bool exhausted; /* memory, of one of the threads */
} ParallelWork;

typedef struct {
    ParallelWork *work;
    Arena *arena; /* the thread's own */
    jmp_buf out_of_memory;
    LLVMTargetMachineRef machine; /* once it has compiled */
    const char *error;
    pthread_t thread;
    bool started;
} ParallelThread;

static void parallel_exhausted(void *context) {
    ParallelThread *thread = context;
    longjmp(thread->out_of_memory, 1);
}

static void parallel_compile(ParallelThread *thread, const NestKernel *kernel, ParallelKernel *to) {
    const ParallelWork *work = thread->work;
    CodegenTarget target = *work->target;
    target.arena = thread->arena;
    if (!thread->machine)
        thread->machine = codegen_target_machine(&target, &thread->error);
    target.machine = thread->machine;
    if (!target.machine)
        return;
    CodegenResult result =
        module_compile_kernel(thread->arena, &target, work->model, kernel, to->name);
    thread->error = result.error;
    to->entry.bytes = result.bytes;
    to->entry.length = result.length;
}

static void parallel_kernel(ParallelThread *thread, uint32_t index) {
    const ParallelWork *work = thread->work;
    const NestKernel *kernel = work->model->kernels[index];
    ParallelKernel *to = &work->kernels[index];
    to->keyed = key_kernel(thread->arena, work->target, work->model, kernel, &to->entry.key);
    if (to->keyed) {
        to->name = arena_printf(thread->arena, "kernel.%016llx%016llx",
                                (unsigned long long)to->entry.key.high,
                                (unsigned long long)to->entry.key.low);
        to->read = cache_read(work->target->cache, thread->arena, &to->entry);
    } else {
        to->name = arena_printf(thread->arena, "kernel.%u", index);
    }
    if (!to->read)
        parallel_compile(thread, kernel, to);
}

static void *parallel_work(void *context) {
    ParallelThread *volatile thread = context;
    ParallelWork *volatile work = thread->work;
    if (setjmp(thread->out_of_memory)) {
        atomic_store(&work->exhausted, true);
        thread->error = "out of memory";
    } else {
        while (!thread->error && !atomic_load(&work->failed)) {
            uint32_t next = atomic_fetch_add(&work->next, 1);
            if (next >= work->model->n_kernels)
                break;
            parallel_kernel(thread, work->order[next]);
        }
    }
    if (thread->error)
        atomic_store(&work->failed, true);
    if (thread->machine)
        LLVMDisposeTargetMachine(thread->machine);
    return NULL;
}

typedef struct {
    uint32_t index, size;
} ParallelSize;

static int parallel_larger(const void *x, const void *y) {
    const ParallelSize *a = x, *b = y;
    if (a->size != b->size)
        return a->size > b->size ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

static const uint32_t *parallel_order(Arena *arena, const CodegenModel *model) {
    ParallelSize *sizes = ARENA_ARRAY(arena, ParallelSize, model->n_kernels);
    uint32_t *order = ARENA_ARRAY(arena, uint32_t, model->n_kernels);
    for (uint32_t k = 0; k < model->n_kernels; k++)
        sizes[k] = (ParallelSize){k, model->kernels[k]->instructions.count};
    qsort(sizes, model->n_kernels, sizeof *sizes, parallel_larger);
    for (uint32_t k = 0; k < model->n_kernels; k++)
        order[k] = sizes[k].index;
    return order;
}

static const char *parallel_run(Arena *arena, ParallelThread *threads, uint32_t n_threads) {
    for (uint32_t t = 1; t < n_threads; t++)
        threads[t].started =
            pthread_create(&threads[t].thread, NULL, parallel_work, &threads[t]) == 0;
    parallel_work(&threads[0]);
    const char *error = threads[0].error;
    for (uint32_t t = 1; t < n_threads; t++) {
        if (threads[t].started)
            pthread_join(threads[t].thread, NULL);
        if (!error)
            error = threads[t].error;
    }
    return error ? arena_printf(arena, "%s", error) : NULL;
}

static Jit *parallel_load(Arena *arena, const ParallelWork *work, const HcModel **loaded,
                          const char **error) {
    uint32_t n = work->model->n_kernels;
    JitKernel *kernels = ARENA_ARRAY(arena, JitKernel, n);
    for (uint32_t k = 0; k < n; k++)
        kernels[k] = (JitKernel){work->kernels[k].name, work->kernels[k].entry.bytes,
                                 work->kernels[k].entry.length};
    return jit_load_kernels(arena, work->model, kernels, loaded, error);
}

/* Once the code has been loaded, and so is known to be whole. */
static void parallel_keep(Arena *arena, const ParallelWork *work) {
    VEC(CacheEntry) made = {0};
    for (uint32_t k = 0; k < work->model->n_kernels; k++)
        if (work->kernels[k].keyed && !work->kernels[k].read)
            vec_push(arena, &made, work->kernels[k].entry);
    if (made.count)
        cache_write(work->target->cache, arena, made.at, made.count);
}

static void parallel_end(ParallelThread *threads, uint32_t n_threads) {
    for (uint32_t t = 0; t < n_threads; t++)
        arena_destroy(threads[t].arena);
}

Jit *codegen_load(Arena *arena, const CodegenTarget *target, const CodegenModel *model,
                  uint32_t n_threads, const HcModel **loaded, const char **error) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t n = n_threads ? n_threads : processors > 0 ? (uint32_t)processors : 1;
    if (n > PARALLEL_MOST)
        n = PARALLEL_MOST;
    if (n > model->n_kernels)
        n = model->n_kernels ? model->n_kernels : 1;
    ParallelWork work = {.target = target,
                         .model = model,
                         .order = parallel_order(arena, model),
                         .kernels = ARENA_ARRAY(arena, ParallelKernel, model->n_kernels)};
    ParallelThread *threads = ARENA_ARRAY(arena, ParallelThread, n);
    *error = NULL;
    *loaded = NULL;
    for (uint32_t t = 0; t < n; t++) {
        threads[t].work = &work;
        threads[t].arena = arena_create(parallel_exhausted, &threads[t]);
        if (!threads[t].arena)
            atomic_store(&work.exhausted, true);
    }
    if (!atomic_load(&work.exhausted))
        *error = parallel_run(arena, threads, n);
    if (atomic_load(&work.exhausted)) {
        parallel_end(threads, n);
        arena_exhausted(arena);
    }
    Jit *jit = *error ? NULL : parallel_load(arena, &work, loaded, error);
    if (jit)
        parallel_keep(arena, &work);
    parallel_end(threads, n);
    return jit;
}
