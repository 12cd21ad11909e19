/* What the runtime does with each call of a plan, and the walks through them: passes, chunks. */
#include "abi/layout.h"
#include "runtime/run/clock.h"
#include "runtime/run/exec.h"
#include "runtime/run/way_back.h"

#include <string.h>

typedef struct {
    HcExec *exec;
    const HcCall *call;
    const HcBoundCall *bound;
    void *const *buffers;
    int64_t bytes; /* ZERO: in all */
    int64_t rows;  /* REDUCE */
} Job;

typedef struct {
    HcExec *exec;
    HcKernel *kernel;
    const HcCall *call;
    const HcExtents *extents;
    void *const *buffers;
    int64_t first_task;
    int64_t tasks; /* of each sample that runs by itself; 0: they run at once */
    int64_t tail; /* the last task, whose idle rows the caller's memory has no room for; -1: none */
    bool partial; /* it adds up what tasks sum */
} KernelJob;

/* A kernel's last micro-tile writes rows that there are not, too. Our own memory has room for them,
 * the caller's has not: what the last task gives to it is made in ours, and handed out. */
static int64_t tail_of(const HcExec *exec, const HcCall *call) {
    const int64_t n = exec->instances[call->domain];
    if (!call->gives || call->per_sample > 0 || call->domain == HC_GLOBAL || n % HC_TILE_STEP == 0)
        return -1;
    return hc_exec_last_first(exec, call) / hc_exec_tile(exec, call->domain);
}

static uint8_t *buffer_of(const KernelJob *job, uint32_t k, int64_t sample) {
    const int64_t step = job->exec->steps[job->call->first + k];
    return (uint8_t *)((uintptr_t)job->buffers[k] + (uintptr_t)(sample * step));
}

/* The buffers of a task of a sample by itself, or of a last one. */
static void *const *buffers_of(const KernelJob *job, int64_t sample, bool tail, int32_t worker) {
    const HcExec *exec = job->exec;
    const HcCall *call = job->call;
    void **to = exec->worker_addresses + (size_t)worker * exec->most_addresses;
    uint8_t *at = exec->tails + (exec->apart > 1 ? (size_t)worker * exec->tails_stride : 0);
    for (uint32_t k = 0; k < call->count; k++) {
        const size_t bytes = tail && k >= call->reads ? hc_exec_tail_bytes(exec, call, k) : 0;
        to[k] = buffer_of(job, k, sample);
        if (bytes == 0)
            continue;
        const uint32_t output = exec->plan->buffers[call->first + k].index;
        const int64_t before =
            hc_exec_last_first(exec, call) * hc_plan_given(exec->plan, output).bytes;
        to[k] = (void *)((uintptr_t)at - (uintptr_t)before);
        at += bytes;
    }
    return to;
}

static void hand_out_tail(const KernelJob *job, int64_t sample, void *const *made) {
    const HcExec *exec = job->exec;
    const HcCall *call = job->call;
    const int64_t first = hc_exec_last_first(exec, call),
                  rows = exec->instances[call->domain] - first;
    for (uint32_t k = call->reads; k < call->count; k++) {
        const HcBuffer *b = &exec->plan->buffers[call->first + k];
        if (b->region != HC_REGION_OUTPUT)
            continue;
        const int64_t row = hc_plan_given(exec->plan, b->index).bytes;
        const uintptr_t from = (uintptr_t)made[k] + (uintptr_t)(first * row);
        memcpy(buffer_of(job, k, sample) + first * row, (const void *)from, (size_t)(rows * row));
    }
}

static void kernel_task(void *argument, int64_t task, int32_t worker) {
    const KernelJob *job = argument;
    void *scratch = job->exec->scratch + (size_t)worker * job->exec->scratch_stride;
    const int64_t sample = job->tasks ? task / job->tasks : 0;
    int64_t number = job->first_task + (job->tasks ? task % job->tasks : task);
    const bool tail = number == job->tail;
    void *const *buffers =
        job->tasks || tail ? buffers_of(job, sample, tail, worker) : job->buffers;
    HcExtents extents = *job->extents;
    extents.first_sample += sample;
    if (job->tasks && job->partial) { /* tasks are numbered through all samples, for their sums */
        number += sample * job->tasks;
        extents.first = -sample * job->tasks * extents.tile;
    }
    job->kernel(buffers, &extents, number, scratch);
    if (tail)
        hand_out_tail(job, sample, buffers);
}

static bool has_partial(const HcPlan *plan, const HcCall *call) {
    return call->count > 0 &&
           plan->buffers[call->first + call->count - 1].region == HC_REGION_PARTIAL;
}

void hc_exec_run_kernel(HcExec *exec, uint32_t c, const HcExtents *extents, int64_t first_task,
                        int64_t tasks, void *const *buffers) {
    const HcCall *call = &exec->plan->calls[c];
    const bool apart = exec->apart > 1 && hc_is_by_sample(call->domain);
    KernelJob job = {.exec = exec,
                     .kernel = exec->model->kernels[call->kernel],
                     .call = call,
                     .extents = extents,
                     .buffers = buffers,
                     .first_task = first_task,
                     .tasks = apart ? tasks : 0,
                     .tail = tail_of(exec, call),
                     .partial = has_partial(exec->plan, call)};
    hc_pool_run(exec->pool, apart ? tasks * exec->apart : tasks, kernel_task, &job);
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
        for (int64_t row = 1; row < job->rows; row++) {                                            \
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
    const int64_t positions = hc_exec_positions(exec, inner);
    return outer == HC_SAMPLE ? k / positions : k % positions;
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
    const int64_t positions = hc_exec_positions(exec, call->domain);
    return call->to_domain == HC_SAMPLE ? (Walk){to * positions, 1, positions}
                                        : (Walk){to, positions, exec->samples};
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

/* Whatever runs calls: what this one reads is here then. */
static void await_weights(HcExec *exec, uint32_t call) {
    if (exec->way_back)
        hc_way_back_before(exec->way_back, call);
}

static void watch(HcExec *exec, uint32_t call) {
    if (exec->watch)
        exec->watch(exec->watcher, call);
}

/* A sample's own part of a call's buffers, until the next call of this. */
static void *const *sample_buffers(HcExec *exec, const HcCall *call, int64_t sample) {
    for (uint32_t k = 0; k < call->count; k++)
        exec->chunk_addresses[k] = (void *)((uintptr_t)exec->addresses[call->first + k] +
                                            (uintptr_t)(sample * exec->steps[call->first + k]));
    return exec->chunk_addresses;
}

/* Sample by sample; what a product sums of all of them is added to. */
static void run_apart(HcExec *exec, uint32_t c) {
    HcCall call = exec->plan->calls[c];
    const HcBoundCall *bound = &exec->bound[c];
    for (int64_t sample = 0; sample < exec->apart; sample++) {
        Job job = {.exec = exec, .call = &call, .bound = bound};
        job.buffers = sample_buffers(exec, &call, sample);
        if (call.kind == HC_CALL_GEMM)
            hc_exec_multiply(exec, &call, &bound->gemm, job.buffers);
        else
            run_other(&job);
        if (call.kind == HC_CALL_GEMM && exec->steps[call.first + 2] == 0)
            call.beta = 1;
    }
}

static void run_call(HcExec *exec, uint32_t c) {
    const HcCall *call = &exec->plan->calls[c];
    const HcBoundCall *bound = &exec->bound[c];
    Job job = {.exec = exec,
               .call = call,
               .bound = bound,
               .buffers = exec->addresses + call->first,
               .rows = hc_exec_rows(exec, c)};
    await_weights(exec, c);
    double start = exec->latest ? hc_now() : 0;
    if (call->kind == HC_CALL_KERNEL)
        hc_exec_run_kernel(exec, c, &bound->extents, 0, bound->tasks, job.buffers);
    else if (exec->apart > 1 && call->kind != HC_CALL_REDUCE && hc_call_is_by_sample(call))
        run_apart(exec, c);
    else if (call->kind == HC_CALL_GEMM)
        hc_exec_multiply(exec, call, &bound->gemm, job.buffers);
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
    const HcBuffer *of = &exec->plan->buffers[call->first];
    if (call->m.domain >= 0) {
        int64_t rows = first * call->m.value;
        abc[0] += (call->transpose_a ? rows : rows * call->lda) * hc_element_bytes(of[0].element);
        abc[2] += rows * call->ldc * hc_element_bytes(of[2].element);
    } else {
        int64_t rows = first * call->k.value;
        abc[0] += (call->transpose_a ? rows * call->lda : rows) * hc_element_bytes(of[0].element);
        abc[1] += (call->transpose_b ? rows : rows * call->ldb) * hc_element_bytes(of[1].element);
        part.beta = first > 0 ? 1 : call->beta;
    }
    HcGemmSplit split = hc_exec_split(exec, call, count);
    hc_exec_multiply(exec, &part, &split, (void *const *)abc);
}

void *const *hc_exec_chunk_buffers(const HcExec *exec, const HcCall *call, int64_t first) {
    for (uint32_t k = 0; k < call->count; k++) {
        const HcBuffer *buffer = &exec->plan->buffers[call->first + k];
        const bool moves = buffer->region == HC_REGION_CHUNK && !exec->whole;
        const uintptr_t back = moves ? (uintptr_t)(first * buffer->index) : 0;
        exec->chunk_addresses[k] = (void *)((uintptr_t)exec->addresses[call->first + k] - back);
    }
    return exec->chunk_addresses;
}

static void run_chunk_call(HcExec *exec, uint32_t c, int64_t first, int64_t count) {
    const HcCall *call = &exec->plan->calls[c];
    const HcBoundCall *bound = &exec->bound[c];
    await_weights(exec, c);
    double start = exec->latest ? hc_now() : 0;
    void *const *buffers = hc_exec_chunk_buffers(exec, call, first);
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
    exec->walks = chunks->positions && positions > exec->chunk;
    for (int64_t first = 0; chunks->positions && first < positions; first += exec->chunk) {
        int64_t count = positions - first < exec->chunk ? positions - first : exec->chunk;
        for (uint32_t c = chunks->forward[0]; c < chunks->forward[1]; c++)
            if (runs_call(runs, c) && (pass & HC_FORWARD || exec->plan->calls[c].repeated))
                run_chunk_call(exec, c, first, count);
        for (uint32_t c = chunks->backward[0]; c < chunks->backward[1] && pass & HC_BACKWARD; c++)
            if (runs_call(runs, c))
                run_chunk_call(exec, c, first, count);
    }
    exec->walks = false;
    for (uint32_t c = chunks->forward[0]; c < chunks->forward[1] && exec->whole; c++) {
        if (runs_call(runs, c))
            watch(exec, c); /* what it made is there for all positions */
    }
}

static void run_calls(HcExec *exec, uint32_t first, uint32_t end) {
    for (uint32_t c = first; c < end; c++)
        if (!exec->plan->calls[c].keeps)
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
