#include "runtime/run/exec.h"
#include "abi/layout.h"

#include <stdlib.h>
#include <string.h>

/* One page apart, so that threads do not share lines or sets. */
static size_t scratch_stride(const HcPlan *plan) {
    const size_t scratch = (size_t)plan->scratch_bytes + hc_exec_multiply_scratch(plan);
    return (scratch + 4095) / 4096 * 4096 + 192;
}

HcStatus hc_exec_create(HcExec *exec, const HcPlan *plan, const HcModel *model, HcPool *pool,
                        HcError *error) {
    *exec = (HcExec){.plan = plan, .model = model, .pool = pool, .apart = 1};
    for (int32_t s = 0; s < plan->n_spaces; s++)
        exec->of_space[s] = plan->spaces[s].maximum;
    HcStatus status = hc_blas_open(&exec->blas, error);
    if (status != HC_OK)
        return status;
    size_t threads = (size_t)hc_pool_threads(pool);
    exec->scratch_stride = scratch_stride(plan);
    exec->scratch =
        hc_aligned(exec->scratch_stride * threads); /* no task reads what it did not write */
    exec->addresses = calloc(plan->n_buffers + 1, sizeof *exec->addresses);
    exec->bound = calloc(plan->n_calls + 1, sizeof *exec->bound);
    exec->chunk_addresses = calloc(plan->n_buffers + 1, sizeof *exec->chunk_addresses);
    exec->steps = calloc(plan->n_buffers + 1, sizeof *exec->steps);
    for (uint32_t c = 0; c < plan->n_calls; c++)
        if (plan->calls[c].count > exec->most_addresses)
            exec->most_addresses = plan->calls[c].count;
    exec->worker_addresses =
        calloc(threads * exec->most_addresses + 1, sizeof *exec->worker_addresses);
    if (exec->scratch && exec->addresses && exec->bound && exec->chunk_addresses && exec->steps &&
        exec->worker_addresses)
        return HC_OK;
    const bool large = !exec->scratch;
    const double bytes = (double)exec->scratch_stride * (double)threads;
    hc_exec_destroy(exec);
    return large ? hc_fail_size(error, "what the kernels of all threads work in", bytes)
                 : hc_fail_memory(error, "the model's plan");
}

void hc_exec_destroy(HcExec *exec) {
    hc_exec_drop_kept(exec);
    free(exec->workspace_block);
    free(exec->scratch);
    free(exec->addresses);
    free(exec->bound);
    free(exec->chunk_addresses);
    free(exec->steps);
    free(exec->worker_addresses);
    free(exec->tails);
    free(exec->latest);
    *exec = (HcExec){0};
}

size_t hc_exec_bytes(const HcExec *exec) {
    const size_t threads = (size_t)hc_pool_threads(exec->pool), buffers = exec->plan->n_buffers + 1,
                 calls = exec->plan->n_calls + 1;
    return exec->workspace_bytes + exec->scratch_stride * threads + exec->tails_bytes +
           hc_exec_kept_bytes(exec) +
           buffers *
               (sizeof *exec->addresses + sizeof *exec->chunk_addresses + sizeof *exec->steps) +
           calls * (sizeof *exec->bound + (exec->latest ? sizeof *exec->latest : 0)) +
           (threads * exec->most_addresses + 1) * sizeof *exec->worker_addresses;
}

/* --- extents -----------------------------------------------------------------------------------*/

static int64_t tasks_of(const HcExec *exec, const HcCall *call) {
    const bool of_samples = hc_is_by_sample(call->domain);
    if (call->per_sample > 0)
        return (int64_t)hc_sample_tasks(of_samples, (uint64_t)exec->samples,
                                        (uint64_t)call->per_sample);
    return (int64_t)hc_divide_up((uint64_t)exec->instances[call->domain],
                                 (uint64_t)hc_exec_tile(exec, call->domain));
}

static void set_extents(HcExec *exec, int64_t samples, int64_t positions) {
    exec->samples = samples;
    exec->positions = positions;
    exec->of_space[0] = positions;
    for (int d = HC_GLOBAL; d < HC_DOMAIN_COUNT; d++)
        exec->instances[d] =
            (hc_is_by_sample((HcDomain)d) ? samples : 1) * hc_exec_positions(exec, (HcDomain)d);
    const uint64_t all = (uint64_t)exec->instances[HC_POSITION];
    const uint64_t chunk = (uint64_t)exec->plan->chunks.positions;
    exec->chunk = (int64_t)hc_chunk(chunk, all);
    exec->units[HC_REGION_GLOBAL] = 1;
    for (int k = HC_REGION_GLOBAL + 1; k < HC_REGION_COUNT; k++)
        exec->units[k] =
            (int64_t)hc_units((uint64_t)exec->instances[hc_region_domain((HcRegion)k)]);
    exec->units[HC_REGION_CHUNK] =
        (int64_t)(exec->whole ? hc_units(all) : hc_chunk_units(chunk, all));
    for (int k = HC_REGION_GLOBAL + 1; exec->room && k < HC_REGION_COUNT; k++)
        exec->units[k] += HC_TILE_STEP;
    exec->units[HC_REGION_PARTIAL] = 1;
    for (uint32_t k = 0; k < exec->plan->n_calls; k++) {
        const HcCall *call = &exec->plan->calls[k];
        if (call->kind != HC_CALL_KERNEL && call->kind != HC_CALL_REDUCE)
            continue;
        const int64_t tasks =
            tasks_of(exec, call) * (hc_is_by_sample(call->domain) ? exec->apart : 1);
        if (tasks > exec->units[HC_REGION_PARTIAL])
            exec->units[HC_REGION_PARTIAL] = tasks;
    }
}

void hc_exec_imagine(HcExec *exec, const HcPlan *plan, int64_t samples, int64_t positions) {
    *exec = (HcExec){.plan = plan, .apart = 1};
    for (int32_t s = 1; s < plan->n_spaces; s++)
        exec->of_space[s] = plan->spaces[s].maximum;
    set_extents(exec, samples, positions);
    exec->scratch_stride = scratch_stride(plan);
}

static int64_t size_of(const HcExec *exec, HcSize size) {
    return size.domain < 0 ? size.value : exec->instances[size.domain] * size.value;
}

HcGemmSplit hc_exec_split(const HcExec *exec, const HcCall *call, int64_t positions) {
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
    const bool by_position = hc_is_by_position(call->domain);
    bound->extents = (HcExtents){.samples = exec->samples,
                                 .positions = by_position ? hc_exec_positions(exec, call->domain)
                                                          : exec->positions,
                                 .instances = instances,
                                 .tile = hc_exec_tile(exec, call->domain)};
    memcpy(bound->extents.of_space, exec->of_space, sizeof exec->of_space);
    bound->tasks = tasks_of(exec, call);
    if (call->kind == HC_CALL_GEMM)
        bound->gemm = hc_exec_split(exec, call, exec->instances[HC_POSITION]);
}

/* Bytes that products need beside their operands. */
static size_t beside_bytes(const HcExec *exec) {
    size_t most = 0;
    const int64_t all = exec->instances[HC_POSITION];
    for (uint32_t k = 0; k < exec->plan->n_calls; k++) {
        const HcCall *call = &exec->plan->calls[k];
        int64_t part = all < exec->chunk ? all : exec->chunk, rest = part ? all % part : 0;
        bool chunked = is_chunked(exec->plan, k);
        int64_t counts[] = {chunked ? part : all, chunked ? rest : 0,
                            chunked && exec->whole ? all : 0}; /* one call by itself */
        for (int c = 0; call->kind == HC_CALL_GEMM && c < 3; c++) {
            if (counts[c] == 0)
                continue;
            HcGemmSplit split = hc_exec_split(exec, call, counts[c]);
            const size_t bytes = hc_exec_multiply_bytes(exec, call, &split);
            most = bytes > most ? bytes : most;
        }
    }
    return most;
}

/* Bytes of what the last task of any kernel gives to its caller, whole micro-tiles. */
static size_t tails_bytes(const HcExec *exec) {
    size_t most = 0;
    for (uint32_t c = 0; c < exec->plan->n_calls; c++) {
        const HcCall *call = &exec->plan->calls[c];
        size_t bytes = 0;
        for (uint32_t k = call->reads; call->gives && k < call->count; k++)
            bytes += hc_exec_tail_bytes(exec, call, k);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static bool grow_tails(HcExec *exec) {
    exec->tails_stride = tails_bytes(exec);
    const size_t bytes =
        exec->tails_stride * (exec->apart > 1 ? (size_t)hc_pool_threads(exec->pool) : 1);
    uint8_t *grown = bytes > exec->tails_bytes ? hc_aligned(bytes) : NULL;
    if (bytes <= exec->tails_bytes || !grown)
        return bytes <= exec->tails_bytes;
    free(exec->tails);
    exec->tails = grown;
    exec->tails_bytes = bytes;
    return true;
}

/* Bytes of a part of a region, `bytes` for each unit of its count; false: they overflow. */
static bool place_part(const HcExec *exec, int region, int64_t bytes, size_t *end) {
    const bool of_samples =
        region != HC_REGION_CHUNK && hc_is_by_sample(hc_region_domain((HcRegion)region));
    size_t all;
    if (__builtin_mul_overflow((size_t)bytes, (size_t)exec->units[region], &all) ||
        __builtin_mul_overflow(all, of_samples ? (size_t)exec->apart : 1, &all) ||
        all > (size_t)1 << 56)
        return false;
    *end += hc_align(all);
    return *end < (size_t)1 << 56;
}

/* Regions one after the other, each 64-byte aligned. */
static bool place_regions(const HcExec *exec, HcRegions *to) {
    const HcPlan *plan = exec->plan;
    *to = (HcRegions){0};
    bool fits = true;
    for (int k = HC_REGION_GLOBAL; k < HC_REGION_COUNT && fits; k++) {
        to->saved[k] = to->saved_bytes;
        to->rest[k] = to->rest_bytes;
        fits = place_part(exec, k, plan->saved_bytes[k], &to->saved_bytes) &&
               place_part(exec, k, plan->region_bytes[k] - plan->saved_bytes[k], &to->rest_bytes);
    }
    to->rest[HC_REGION_COUNT] = to->rest_bytes;
    to->rest_bytes += fits ? beside_bytes(exec) : 0;
    to->rest_bytes = hc_align(to->rest_bytes);
    return fits && to->rest_bytes < (size_t)1 << 56;
}

static void write_tables(HcExec *exec) {
    for (uint32_t k = 0; k < exec->plan->n_tables; k++) {
        const HcTablePlan *table = &exec->plan->tables[k];
        memcpy(hc_exec_address(exec, table->buffer, NULL), table->bytes, table->size);
    }
}

static bool are_extents(int64_t samples, int64_t positions) {
    return samples >= 1 && positions >= 1 && samples <= INT32_MAX && positions <= INT32_MAX &&
           samples * positions <= INT32_MAX;
}

/* So many bytes of workspace of our own. */
static bool grow(HcExec *exec, size_t bytes) {
    void *block = NULL;
    uint8_t *grown = hc_aligned_lazily(bytes, &block);
    if (!grown)
        return false;
    free(exec->workspace_block);
    exec->workspace_block = block;
    exec->workspace = grown;
    exec->workspace_bytes = bytes;
    return true;
}

static bool further_fit(const HcExec *exec, int64_t samples) {
    for (int32_t s = 1; s < exec->plan->n_spaces; s++)
        if (!are_extents(samples, exec->of_space[s]))
            return false;
    return true;
}

void hc_exec_set_positions(HcExec *exec, int32_t space, int64_t positions) {
    exec->bound_once = exec->bound_once && exec->of_space[space] == positions;
    exec->of_space[space] = positions;
}

typedef struct {
    int64_t samples, positions, apart;
} Extents;

/* False, and nothing changes, where such a batch does not fit; *wanted: the bytes that it takes. */
static bool take_extents(HcExec *exec, Extents to, bool own_saved, double *wanted) {
    const Extents old = {exec->samples, exec->positions, exec->apart};
    HcRegions regions;
    exec->apart = to.apart;
    set_extents(exec, to.samples, to.positions);
    const bool fits = place_regions(exec, &regions) && grow_tails(exec);
    const size_t bytes = regions.rest_bytes + (own_saved ? regions.saved_bytes : 0);
    *wanted = fits ? (double)bytes : 0x1p60;
    if (fits && (bytes <= exec->workspace_bytes || grow(exec, bytes))) {
        exec->regions = regions;
        return true;
    }
    exec->apart = old.apart;
    if (old.samples > 0)
        set_extents(exec, old.samples, old.positions);
    exec->tails_stride = old.samples > 0 ? tails_bytes(exec) : 0;
    return false;
}

static bool has_extents(const HcExec *exec, Extents e, bool own_saved) {
    const size_t bytes = exec->regions.rest_bytes + (own_saved ? exec->regions.saved_bytes : 0);
    return exec->bound_once && exec->samples == e.samples && exec->positions == e.positions &&
           exec->apart == e.apart && bytes <= exec->workspace_bytes;
}

static HcStatus bind(HcExec *exec, Extents e, void *memory, HcError *error) {
    double wanted = 0;
    if (!take_extents(exec, e, !memory, &wanted))
        return hc_fail(error, HC_ERROR_MEMORY,
                       "out of memory: %lld samples of %lld positions need a workspace of %.1f GiB",
                       (long long)(e.samples * e.apart), (long long)e.positions,
                       wanted / (1 << 30));
    exec->saved = memory ? memory : exec->workspace + exec->regions.rest_bytes;
    exec->beside = exec->workspace + exec->regions.rest[HC_REGION_COUNT];
    for (uint32_t k = 0; k < exec->plan->n_calls; k++)
        bind_call(exec, &exec->plan->calls[k], &exec->bound[k]);
    write_tables(exec);
    exec->bound_once = true;
    return HC_OK;
}

static HcStatus check_extents(const HcExec *exec, int64_t samples, int64_t positions,
                              HcError *error) {
    if (are_extents(samples, positions) && further_fit(exec, samples))
        return HC_OK;
    return hc_fail(error, HC_ERROR_ARGUMENT,
                   "a batch of %lld samples of %lld positions: both must be at least 1, their "
                   "product below 2^31",
                   (long long)samples, (long long)positions);
}

HcStatus hc_exec_bind(HcExec *exec, int64_t samples, int64_t positions, HcError *error) {
    HcStatus status = check_extents(exec, samples, positions, error);
    return status == HC_OK ? bind(exec, (Extents){samples, positions, 1}, NULL, error) : status;
}

HcStatus hc_exec_bind_in(HcExec *exec, int64_t samples, int64_t positions, bool apart, void *memory,
                         HcError *error) {
    const Extents e = {apart ? 1 : samples, positions, apart ? samples : 1};
    HcStatus status = check_extents(exec, samples, positions, error);
    if (status != HC_OK || !has_extents(exec, e, !memory))
        return status == HC_OK ? bind(exec, e, memory, error) : status;
    exec->saved = memory ? memory : exec->workspace + exec->regions.rest_bytes;
    return HC_OK;
}

size_t hc_exec_saved_bytes(HcExec *exec, int64_t samples, int64_t positions, bool apart) {
    const Extents old = {exec->samples, exec->positions, exec->apart};
    if (!are_extents(samples, positions) || !further_fit(exec, samples))
        return 0;
    HcRegions regions;
    exec->apart = apart ? samples : 1;
    set_extents(exec, apart ? 1 : samples, positions);
    const bool fits = place_regions(exec, &regions);
    exec->apart = old.apart;
    if (old.samples > 0)
        set_extents(exec, old.samples, old.positions);
    return !fits ? 0 : regions.saved_bytes ? regions.saved_bytes : HC_ALIGN;
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

static uint8_t *parameter_at(const HcExec *exec, void *slab, void *const *each, uint32_t index) {
    return each ? each[index] : (uint8_t *)slab + exec->plan->parameters[index].offset;
}

static void *address(const HcExec *exec, HcBuffer buffer, int64_t unit, const HcPlaces *places) {
    switch (buffer.region) {
    case HC_REGION_PARAMS:
        return parameter_at(exec, places->params, places->param_at, buffer.index) + buffer.offset;
    case HC_REGION_GRADS:
        return parameter_at(exec, places->grads, places->grad_at, buffer.index) + buffer.offset;
    case HC_REGION_INPUT:
        return places->inputs[buffer.index];
    case HC_REGION_OUTPUT:
        return places->outputs[buffer.index];
    default:
        break;
    }
    const HcRegion region = buffer.region;
    const int64_t saved = exec->plan->saved_bytes[region];
    return buffer.offset < saved
               ? exec->saved + exec->regions.saved[region] + buffer.offset * unit
               : exec->workspace + exec->regions.rest[region] + (buffer.offset - saved) * unit;
}

void *hc_exec_address(const HcExec *exec, HcBuffer buffer, const HcPlaces *places) {
    return address(exec, buffer, exec->units[buffer.region], places);
}

/* A sample by itself has a region as a batch of it alone would have. */
static int64_t region_step(const HcExec *exec, HcBuffer buffer) {
    const HcRegion region = buffer.region;
    const int64_t saved = exec->plan->saved_bytes[region];
    if (region == HC_REGION_CHUNK || !hc_is_by_sample(hc_region_domain(region)))
        return 0;
    return exec->units[region] *
           (buffer.offset < saved ? saved : exec->plan->region_bytes[region] - saved);
}

int64_t hc_exec_step(const HcExec *exec, HcBuffer buffer, const HcPlaces *places) {
    if (buffer.region == HC_REGION_INPUT)
        return places->input_steps[buffer.index];
    if (buffer.region == HC_REGION_OUTPUT)
        return places->output_steps[buffer.index];
    return region_step(exec, buffer);
}

int64_t hc_exec_output_step(const HcExec *exec, uint32_t output) {
    const HcGiven given = hc_plan_given(exec->plan, output);
    if (!hc_is_by_sample(given.domain))
        return 0;
    return given.bytes * (int64_t)hc_units((uint64_t)exec->instances[given.domain]);
}

void hc_exec_resolve(HcExec *exec, const HcPlaces *places) {
    for (uint32_t c = 0; c < exec->plan->n_calls; c++) {
        const HcCall *call = &exec->plan->calls[c];
        for (uint32_t k = call->first; k < call->first + call->count; k++) {
            HcBuffer buffer = exec->plan->buffers[k];
            int64_t unit = buffer.region == HC_REGION_PARTIAL ? hc_exec_rows(exec, c)
                                                              : exec->units[buffer.region];
            exec->addresses[k] = address(exec, buffer, unit, places);
            exec->steps[k] = exec->apart > 1 ? hc_exec_step(exec, buffer, places) : 0;
        }
    }
}

void hc_exec_begin(HcExec *exec, const HcExecRun *run) {
    for (uint32_t k = 0; k < exec->plan->n_calls; k++) {
        HcExtents *extents = &exec->bound[k].extents;
        extents->training = run->training;
        extents->random_key = (int64_t)run->random_key;
        extents->done = run->done;
        extents->steps = run->steps;
        extents->batch = run->batch;
        extents->first_sample = run->first_sample;
    }
}
