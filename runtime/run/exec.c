#include "runtime/run/exec.h"
#include "abi/layout.h"
#include "runtime/run/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* --- memory ------------------------------------------------------------------------------------*/

/* Whether the system can give that many bytes. It would promise more than it has, and kill us when
 * we take it. What cannot be read is taken for enough. */
static bool memory_has(size_t bytes) {
    FILE *file = bytes < (size_t)64 << 20 ? NULL : fopen("/proc/meminfo", "re");
    if (!file)
        return true;
    char line[128];
    double available = -1, swap = 0, kilobytes;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "MemAvailable: %lf", &kilobytes) == 1)
            available = kilobytes;
        else if (sscanf(line, "SwapFree: %lf", &kilobytes) == 1)
            swap = kilobytes;
    }
    fclose(file);
    return available < 0 || (double)bytes <= 1024 * (available + swap);
}

/* Large pages halve the cost of streaming through it. */
static size_t alignment_of(size_t bytes) {
    return bytes >= (size_t)4 << 20 ? (size_t)2 << 20 : 64;
}

/* As it comes; NULL when there is none. */
static void *aligned(size_t bytes) {
    size_t alignment = alignment_of(bytes), size = (bytes + alignment - 1) / alignment * alignment;
    if (size < bytes || !memory_has(size))
        return NULL;
    void *memory = aligned_alloc(alignment, size ? size : alignment);
    if (!memory)
        return NULL;
    if (alignment > 64)
        madvise(memory, size, MADV_HUGEPAGE);
    return memory;
}

void *hc_aligned_zero(size_t bytes) {
    void *memory = aligned(bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

/* Zeros, of which those are made that are used: a text may end long before the last position. The
 * block is what to free; NULL when there is none. */
static void *aligned_lazily(size_t bytes, void **block) {
    const size_t alignment = alignment_of(bytes), size = bytes + alignment;
    *block = size < bytes || !memory_has(size) ? NULL : calloc(1, size);
    if (!*block)
        return NULL;
    uint8_t *memory = (uint8_t *)*block + (alignment - (uintptr_t)*block % alignment) % alignment;
    if (alignment > 64)
        madvise(memory, bytes / alignment * alignment, MADV_HUGEPAGE);
    return memory;
}

HcStatus hc_exec_create(HcExec *exec, const HcPlan *plan, const HcModel *model, HcPool *pool,
                        HcError *error) {
    *exec = (HcExec){.plan = plan, .model = model, .pool = pool};
    HcStatus status = hc_blas_open(&exec->blas, error);
    if (status != HC_OK)
        return status;
    size_t threads = (size_t)hc_pool_threads(pool);
    /* one page apart, so that threads do not share lines or sets */
    exec->scratch_stride = ((size_t)plan->scratch_bytes + 4095) / 4096 * 4096 + 192;
    exec->scratch =
        aligned(exec->scratch_stride * threads); /* no task reads what it did not write */
    exec->addresses = calloc(plan->n_buffers + 1, sizeof *exec->addresses);
    exec->bound = calloc(plan->n_calls + 1, sizeof *exec->bound);
    exec->chunk_addresses = calloc(plan->n_buffers + 1, sizeof *exec->chunk_addresses);
    if (exec->scratch && exec->addresses && exec->bound && exec->chunk_addresses)
        return HC_OK;
    const bool large = !exec->scratch;
    const double bytes = (double)exec->scratch_stride * (double)threads;
    hc_exec_destroy(exec);
    return large ? hc_fail_size(error, "what the kernels of all threads work in", bytes)
                 : hc_fail_memory(error, "the model's plan");
}

void hc_exec_destroy(HcExec *exec) {
    free(exec->workspace_block);
    free(exec->scratch);
    free(exec->addresses);
    free(exec->bound);
    free(exec->chunk_addresses);
    free(exec->latest);
    *exec = (HcExec){0};
}

/* --- extents -----------------------------------------------------------------------------------*/

static int64_t tasks_of(const HcExec *exec, const HcCall *call) {
    const bool of_samples = call->domain == HC_SAMPLE || call->domain == HC_POSITION;
    if (call->per_sample > 0)
        return (int64_t)hc_sample_tasks(of_samples, (uint64_t)exec->samples,
                                        (uint64_t)call->per_sample);
    return (int64_t)hc_tile_tasks((uint64_t)exec->instances[call->domain]);
}

static void set_extents(HcExec *exec, int64_t samples, int64_t positions) {
    exec->samples = samples;
    exec->positions = positions;
    exec->instances[HC_GLOBAL] = 1;
    exec->instances[HC_SAMPLE] = samples;
    exec->instances[HC_POSITION] = samples * positions;
    exec->instances[HC_TIME] = positions;
    const uint64_t all = (uint64_t)exec->instances[HC_POSITION];
    const uint64_t chunk = (uint64_t)exec->plan->chunks.positions;
    exec->chunk = (int64_t)hc_chunk(chunk, all);
    exec->units[HC_REGION_GLOBAL] = 1;
    exec->units[HC_REGION_SAMPLE] = (int64_t)hc_units((uint64_t)samples);
    exec->units[HC_REGION_TIME] = (int64_t)hc_units((uint64_t)positions);
    exec->units[HC_REGION_POSITION] = (int64_t)hc_units(all);
    exec->units[HC_REGION_CHUNK] =
        (int64_t)(exec->whole ? hc_units(all) : hc_chunk_units(chunk, all));
    for (int k = HC_REGION_GLOBAL + 1; exec->room && k < HC_REGION_COUNT; k++)
        exec->units[k] += HC_TILE_STEP;
    exec->units[HC_REGION_PARTIAL] = 1;
    for (uint32_t k = 0; k < exec->plan->n_calls; k++) {
        const HcCall *call = &exec->plan->calls[k];
        if (call->kind != HC_CALL_KERNEL && call->kind != HC_CALL_REDUCE)
            continue;
        int64_t tasks = tasks_of(exec, call);
        if (tasks > exec->units[HC_REGION_PARTIAL])
            exec->units[HC_REGION_PARTIAL] = tasks;
    }
}

static int64_t size_of(const HcExec *exec, HcSize size) {
    return size.domain < 0 ? size.value : exec->instances[size.domain] * size.value;
}

/* Of a product over `positions` of all positions, where it is over positions. */
static HcGemmSplit split_of(const HcExec *exec, const HcCall *call, int64_t positions) {
    HcSize sizes[] = {call->m, call->n, call->k};
    int64_t mnk[3];
    for (int k = 0; k < 3; k++)
        mnk[k] =
            sizes[k].domain == HC_POSITION ? positions * sizes[k].value : size_of(exec, sizes[k]);
    return hc_gemm_split(mnk[0], mnk[1], mnk[2], call->k.domain >= 0);
}

static bool is_chunked(const HcPlan *plan, uint32_t call) {
    const HcChunks *c = &plan->chunks;
    return (call >= c->forward[0] && call < c->forward[1]) ||
           (call >= c->backward[0] && call < c->backward[1]);
}

static void bind_call(HcExec *exec, const HcCall *call, HcBoundCall *bound) {
    int64_t instances = exec->instances[call->domain];
    bound->extents = (HcExtents){.samples = exec->samples,
                                 .positions = exec->positions,
                                 .instances = instances,
                                 .tile = (int64_t)hc_tile((uint64_t)instances)};
    bound->tasks = tasks_of(exec, call);
    if (call->kind == HC_CALL_GEMM)
        bound->gemm = split_of(exec, call, exec->instances[HC_POSITION]);
}

/* What a call's buffers hold; of a product and a sum all of them. */
static int64_t call_element_bytes(const HcExec *exec, const HcCall *call, uint32_t k) {
    return hc_element_bytes(exec->plan->buffers[call->first + k].element);
}

/* Bytes that products need beside their operands. */
static int64_t slice_bytes(const HcExec *exec) {
    int64_t most = 0, all = exec->instances[HC_POSITION];
    for (uint32_t k = 0; k < exec->plan->n_calls; k++) {
        const HcCall *call = &exec->plan->calls[k];
        int64_t part = all < exec->chunk ? all : exec->chunk, rest = part ? all % part : 0;
        bool chunked = is_chunked(exec->plan, k);
        int64_t counts[] = {chunked ? part : all, chunked ? rest : 0,
                            chunked && exec->whole ? all : 0}; /* one call by itself */
        for (int c = 0; call->kind == HC_CALL_GEMM && c < 3; c++) {
            if (counts[c] == 0)
                continue;
            HcGemmSplit split = split_of(exec, call, counts[c]);
            int64_t bytes = hc_gemm_slice_elements(&split) * call_element_bytes(exec, call, 2);
            most = bytes > most ? bytes : most;
        }
    }
    return most;
}

/* Regions one after the other, each 64-byte aligned; then the slices of products. */
static bool place_regions(const HcExec *exec, size_t offsets[HC_REGION_COUNT + 1], size_t *total) {
    *total = 0;
    for (int k = HC_REGION_GLOBAL; k < HC_REGION_COUNT; k++) {
        size_t bytes;
        if (__builtin_mul_overflow((size_t)exec->plan->region_bytes[k], (size_t)exec->units[k],
                                   &bytes) ||
            bytes > (size_t)1 << 56)
            return false;
        offsets[k] = *total;
        *total += hc_align(bytes);
    }
    offsets[HC_REGION_COUNT] = *total;
    *total += (size_t)slice_bytes(exec);
    return *total < (size_t)1 << 56;
}

static void write_tables(HcExec *exec) {
    for (uint32_t k = 0; k < exec->plan->n_tables; k++) {
        const HcTable *table = &exec->plan->tables[k];
        memcpy(hc_exec_address(exec, table->buffer, NULL, NULL, NULL), table->bytes, table->size);
    }
}

HcStatus hc_exec_bind(HcExec *exec, int64_t samples, int64_t positions, HcError *error) {
    if (samples < 1 || positions < 1 || samples > INT32_MAX || positions > INT32_MAX ||
        samples * positions > INT32_MAX)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "a batch of %lld samples of %lld positions: both must be at least 1, their "
                       "product below 2^31",
                       (long long)samples, (long long)positions);
    int64_t old_samples = exec->samples, old_positions = exec->positions;
    set_extents(exec, samples, positions);
    size_t offsets[HC_REGION_COUNT + 1], total;
    bool fits = place_regions(exec, offsets, &total);
    if (!fits || total > exec->workspace_bytes) {
        void *block = NULL;
        uint8_t *grown = fits ? aligned_lazily(total, &block) : NULL;
        if (!grown) {
            if (old_samples > 0)
                set_extents(exec, old_samples, old_positions);
            return hc_fail(error, HC_ERROR_MEMORY,
                           "out of memory: %lld samples of %lld positions need a workspace of %.1f "
                           "GiB",
                           (long long)samples, (long long)positions,
                           fits ? (double)total / (1 << 30) : 0x1p30);
        }
        free(exec->workspace_block);
        exec->workspace_block = block;
        exec->workspace = grown;
        exec->workspace_bytes = total;
    }
    for (int k = HC_REGION_GLOBAL; k < HC_REGION_COUNT; k++)
        exec->region[k] = exec->workspace + offsets[k];
    exec->slices = exec->workspace + offsets[HC_REGION_COUNT];
    for (uint32_t k = 0; k < exec->plan->n_calls; k++)
        bind_call(exec, &exec->plan->calls[k], &exec->bound[k]);
    write_tables(exec);
    return HC_OK;
}

/* Regions with one property more. */
static HcStatus bind_with(HcExec *exec, bool *property, HcError *error) {
    *property = true;
    HcStatus status = hc_exec_bind(exec, exec->samples, exec->positions, error);
    if (status == HC_OK)
        return HC_OK;
    *property = false;
    set_extents(exec, exec->samples, exec->positions);
    return status;
}

HcStatus hc_exec_keep_whole(HcExec *exec, HcError *error) {
    return bind_with(exec, &exec->whole, error);
}

HcStatus hc_exec_make_room(HcExec *exec, HcError *error) {
    return bind_with(exec, &exec->room, error);
}

/* --- addresses ---------------------------------------------------------------------------------*/

static void *address(const HcExec *exec, HcBuffer buffer, int64_t unit, void *params, void *grads,
                     void *const *inputs) {
    uint8_t *base;
    int64_t offset = buffer.offset * unit;
    switch (buffer.region) {
    case HC_REGION_PARAMS:
    case HC_REGION_GRADS:
        base = buffer.region == HC_REGION_PARAMS ? params : grads;
        offset = buffer.offset + exec->plan->parameters[buffer.index].offset;
        break;
    case HC_REGION_INPUT:
        base = inputs[buffer.index];
        offset = 0;
        break;
    default:
        base = exec->region[buffer.region];
    }
    return base + offset;
}

void *hc_exec_address(const HcExec *exec, HcBuffer buffer, void *params, void *grads,
                      void *const *inputs) {
    return address(exec, buffer, exec->units[buffer.region], params, grads, inputs);
}

void hc_exec_resolve(HcExec *exec, void *params, void *grads, void *const *inputs) {
    for (uint32_t c = 0; c < exec->plan->n_calls; c++) {
        const HcCall *call = &exec->plan->calls[c];
        for (uint32_t k = call->first; k < call->first + call->count; k++) {
            HcBuffer buffer = exec->plan->buffers[k];
            int64_t unit = buffer.region == HC_REGION_PARTIAL ? exec->bound[c].tasks
                                                              : exec->units[buffer.region];
            exec->addresses[k] = address(exec, buffer, unit, params, grads, inputs);
        }
    }
}

void hc_exec_begin(HcExec *exec, bool training, uint64_t random_key, int64_t batch,
                   int64_t first_sample) {
    for (uint32_t k = 0; k < exec->plan->n_calls; k++) {
        HcExtents *extents = &exec->bound[k].extents;
        extents->training = training;
        extents->random_key = (int64_t)random_key;
        extents->batch = batch;
        extents->first_sample = first_sample;
    }
}

/* --- calls -------------------------------------------------------------------------------------*/

typedef struct {
    HcExec *exec;
    const HcCall *call;
    const HcBoundCall *bound;
    void *const *buffers;
    int64_t bytes; /* ZERO: in all */
} Job;

typedef struct {
    const HcExec *exec;
    HcKernel *kernel;
    const HcExtents *extents;
    void *const *buffers;
    int64_t first_task;
} KernelJob;

static void kernel_task(void *argument, int64_t task, int32_t worker) {
    const KernelJob *job = argument;
    void *scratch = job->exec->scratch + (size_t)worker * job->exec->scratch_stride;
    job->kernel(job->buffers, job->extents, job->first_task + task, scratch);
}

void hc_exec_run_kernel(HcExec *exec, uint32_t call, const HcExtents *extents, int64_t first_task,
                        int64_t tasks, void *const *buffers) {
    KernelJob job = {exec, exec->model->kernels[exec->plan->calls[call].kernel], extents, buffers,
                     first_task};
    hc_pool_run(exec->pool, tasks, kernel_task, &job);
}

enum { REDUCE_ELEMENTS = 2048, ZERO_BYTES = 1 << 18, SCATTER_ELEMENTS = 64 };

/* Sums rows of `partial` in a fixed order: elements are shared out, rows are walked. */
#define DEFINE_REDUCE(name, real)                                                                  \
    static void name(void *argument, int64_t task, int32_t worker) {                               \
        (void)worker;                                                                              \
        const Job *job = argument;                                                                 \
        int64_t elements = job->call->elements, first = task * REDUCE_ELEMENTS;                    \
        int64_t n = elements - first < REDUCE_ELEMENTS ? elements - first : REDUCE_ELEMENTS;       \
        const real *partial = (const real *)job->buffers[0] + first;                               \
        real *to = (real *)job->buffers[1] + first;                                                \
        real sum[REDUCE_ELEMENTS];                                                                 \
        memcpy(sum, partial, (size_t)n * sizeof(real));                                            \
        for (int64_t row = 1; row < job->bound->tasks; row++) {                                    \
            const real *from = partial + row * elements;                                           \
            for (int64_t k = 0; k < n; k++)                                                        \
                sum[k] += from[k];                                                                 \
        }                                                                                          \
        memcpy(to, sum, (size_t)n * sizeof(real));                                                 \
    }
DEFINE_REDUCE(reduce_f32, float)
DEFINE_REDUCE(reduce_f64, double)

static void zero_task(void *argument, int64_t task, int32_t worker) {
    (void)worker;
    const Job *job = argument;
    int64_t first = task * ZERO_BYTES, left = job->bytes - first;
    memset((uint8_t *)job->buffers[0] + first, 0, (size_t)(left < ZERO_BYTES ? left : ZERO_BYTES));
}

/* Which instance of `outer` instance `k` of `inner` belongs to. */
static int64_t instance_of(const HcExec *exec, HcDomain outer, HcDomain inner, int64_t k) {
    if (outer == inner || outer == HC_GLOBAL)
        return outer == HC_GLOBAL ? 0 : k;
    return outer == HC_SAMPLE ? k / exec->positions : k % exec->positions;
}

/* The instances of a call's domain that belong to instance `to` of `to_domain`. */
typedef struct {
    int64_t first, step, count;
} Walk;

static Walk walk_of(const HcExec *exec, const HcCall *call, int64_t to) {
    if (call->to_domain == call->domain)
        return (Walk){to, 1, 1};
    if (call->to_domain == HC_GLOBAL)
        return (Walk){0, 1, exec->instances[call->domain]};
    return call->to_domain == HC_SAMPLE ? (Walk){to * exec->positions, 1, exec->positions}
                                        : (Walk){to, exec->positions, exec->samples};
}

static int64_t scatter_chunks(const HcCall *call) {
    return (call->elements + SCATTER_ELEMENTS - 1) / SCATTER_ELEMENTS;
}

/* Adds each instance's values to the rows that its indices name. Features, and what is added to
 * different places, are shared out; instances are walked, so equal indices meet in order. Indices
 * outside the rows are skipped. */
#define DEFINE_SCATTER(name, real)                                                                 \
    static void name(void *argument, int64_t task, int32_t worker) {                               \
        (void)worker;                                                                              \
        const Job *job = argument;                                                                 \
        const HcCall *call = job->call;                                                            \
        int64_t elements = call->elements, indices = call->indices;                                \
        int64_t place = task / scatter_chunks(call);                                               \
        int64_t first = task % scatter_chunks(call) * SCATTER_ELEMENTS;                            \
        int64_t n = elements - first < SCATTER_ELEMENTS ? elements - first : SCATTER_ELEMENTS;     \
        real *to = (real *)job->buffers[2] + place * call->rows * elements + first;                \
        Walk walk = walk_of(job->exec, call, place);                                               \
        for (int64_t w = 0; w < walk.count; w++) {                                                 \
            int64_t k = walk.first + w * walk.step;                                                \
            int64_t at = instance_of(job->exec, call->index_domain, call->domain, k) * indices;    \
            const int32_t *index = (const int32_t *)job->buffers[0] + at;                          \
            at = instance_of(job->exec, call->values_domain, call->domain, k) * indices;           \
            const real *values = (const real *)job->buffers[1] + at * elements + first;            \
            for (int64_t i = 0; i < indices; i++, values += elements) {                            \
                if (index[i] < 0 || index[i] >= call->rows)                                        \
                    continue;                                                                      \
                real *row = to + index[i] * elements;                                              \
                for (int64_t e = 0; e < n; e++)                                                    \
                    row[e] += values[e];                                                           \
            }                                                                                      \
        }                                                                                          \
    }
DEFINE_SCATTER(scatter_f32, float)
DEFINE_SCATTER(scatter_f64, double)

/* What is added up: the second buffer of sums and scatters alike. */
static bool is_f32(const HcExec *exec, const HcCall *call) {
    return exec->plan->buffers[call->first + 1].element == HC_ELEMENT_F32;
}

static void run_other(Job *job) {
    HcExec *exec = job->exec;
    const HcCall *call = job->call;
    switch (call->kind) {
    case HC_CALL_REDUCE:
        hc_pool_run(exec->pool, (call->elements + REDUCE_ELEMENTS - 1) / REDUCE_ELEMENTS,
                    is_f32(exec, call) ? reduce_f32 : reduce_f64, job);
        break;
    case HC_CALL_ZERO: {
        HcRegion region = exec->plan->buffers[call->first].region;
        int64_t unit =
            region < HC_REGION_GLOBAL ? job->bound->extents.instances : exec->units[region];
        job->bytes = call->cleared * unit;
        hc_pool_run(exec->pool, (job->bytes + ZERO_BYTES - 1) / ZERO_BYTES, zero_task, job);
        break;
    }
    default:
        hc_pool_run(exec->pool, exec->instances[call->to_domain] * scatter_chunks(call),
                    is_f32(exec, call) ? scatter_f32 : scatter_f64, job);
        break;
    }
}

static void watch(HcExec *exec, uint32_t call) {
    if (exec->watch)
        exec->watch(exec->watcher, call);
}

static void run_call(HcExec *exec, uint32_t c) {
    const HcCall *call = &exec->plan->calls[c];
    const HcBoundCall *bound = &exec->bound[c];
    Job job = {
        .exec = exec, .call = call, .bound = bound, .buffers = exec->addresses + call->first};
    double start = exec->latest ? hc_now() : 0;
    if (call->kind == HC_CALL_KERNEL)
        hc_exec_run_kernel(exec, c, &bound->extents, 0, bound->tasks, job.buffers);
    else if (call->kind == HC_CALL_GEMM)
        hc_gemm_run(&exec->blas, exec->pool, call, &bound->gemm, call_element_bytes(exec, call, 2),
                    job.buffers, exec->slices);
    else
        run_other(&job);
    if (exec->latest)
        exec->latest[c] += hc_now() - start;
    watch(exec, c);
}

/* --- chunks -----------------------------------------------------------------------------------
 *
 * A chunk is a run of positions of the batch. Kernels run those of their tasks that make them, told
 * nothing else; the memory of a chunk's buffers lies as if it were that part of a whole. */

/* Rows first .. first + count - 1 of a product's operands, by position. */
static void run_chunk_gemm(HcExec *exec, const HcCall *call, int64_t first, int64_t count,
                           void *const *buffers) {
    HcCall part = *call;
    uint8_t *abc[3] = {buffers[0], buffers[1], buffers[2]};
    const int64_t size = call_element_bytes(exec, call, 2);
    if (call->m.domain >= 0) {
        int64_t rows = first * call->m.value;
        abc[0] += (call->transpose_a ? rows : rows * call->lda) * size;
        abc[2] += rows * call->ldc * size;
    } else {
        int64_t rows = first * call->k.value;
        abc[0] += (call->transpose_a ? rows * call->lda : rows) * size;
        abc[1] += (call->transpose_b ? rows : rows * call->ldb) * size;
        part.beta = first > 0 ? 1 : call->beta;
    }
    HcGemmSplit split = split_of(exec, call, count);
    hc_gemm_run(&exec->blas, exec->pool, &part, &split, size, (void *const *)abc, exec->slices);
}

static void run_chunk_call(HcExec *exec, uint32_t c, int64_t first, int64_t count) {
    const HcCall *call = &exec->plan->calls[c];
    const HcBoundCall *bound = &exec->bound[c];
    void **buffers = exec->chunk_addresses;
    double start = exec->latest ? hc_now() : 0;
    for (uint32_t k = 0; k < call->count; k++) {
        const HcBuffer *buffer = &exec->plan->buffers[call->first + k];
        bool moves = buffer->region == HC_REGION_CHUNK && !exec->whole;
        uintptr_t back = moves ? (uintptr_t)(first * buffer->index) : 0;
        buffers[k] = (void *)((uintptr_t)exec->addresses[call->first + k] - back);
    }
    if (call->kind == HC_CALL_GEMM) {
        run_chunk_gemm(exec, call, first, count, buffers);
    } else {
        int64_t tile = bound->extents.tile;
        hc_exec_run_kernel(exec, c, &bound->extents, first / tile, (count + tile - 1) / tile,
                           buffers);
    }
    if (exec->latest)
        exec->latest[c] += hc_now() - start;
}

/* Whether it is among those that run; NULL: all do. */
static bool runs_call(const bool *runs, uint32_t call) {
    return !runs || runs[call];
}

void hc_exec_run_chunks(HcExec *exec, HcPass pass, const bool *runs) {
    const HcChunks *chunks = &exec->plan->chunks;
    int64_t positions = exec->instances[HC_POSITION];
    for (int64_t first = 0; chunks->positions && first < positions; first += exec->chunk) {
        int64_t count = positions - first < exec->chunk ? positions - first : exec->chunk;
        for (uint32_t c = chunks->forward[0]; c < chunks->forward[1]; c++)
            if (runs_call(runs, c) && (pass & HC_FORWARD || exec->plan->calls[c].repeated))
                run_chunk_call(exec, c, first, count);
        for (uint32_t c = chunks->backward[0]; c < chunks->backward[1] && pass & HC_BACKWARD; c++)
            if (runs_call(runs, c))
                run_chunk_call(exec, c, first, count);
    }
    for (uint32_t c = chunks->forward[0]; c < chunks->forward[1] && exec->whole; c++) {
        if (runs_call(runs, c))
            watch(exec, c); /* what it made is there for all positions */
    }
}

static void run_calls(HcExec *exec, uint32_t first, uint32_t end) {
    for (uint32_t c = first; c < end; c++)
        run_call(exec, c);
}

void hc_exec_clear_times(HcExec *exec, HcPass pass) {
    const HcPlan *plan = exec->plan;
    for (uint32_t c = pass & HC_FORWARD ? 0 : plan->n_forward; exec->latest && c < plan->n_calls;
         c++)
        exec->latest[c] = 0;
}

void hc_exec_run(HcExec *exec, HcPass pass) {
    const HcPlan *plan = exec->plan;
    const HcChunks *chunks = &plan->chunks;
    hc_exec_clear_times(exec, pass);
    if (pass & HC_FORWARD)
        run_calls(exec, 0, chunks->forward[0]);
    if (pass & HC_BACKWARD)
        run_calls(exec, plan->n_forward, chunks->backward[0]);
    hc_exec_run_chunks(exec, pass, NULL);
    if (pass & HC_FORWARD)
        run_calls(exec, chunks->forward[1], plan->n_forward);
    if (pass & HC_BACKWARD)
        run_calls(exec, chunks->backward[1], plan->n_calls);
}

void hc_exec_run_call(HcExec *exec, uint32_t call) {
    run_call(exec, call);
}
