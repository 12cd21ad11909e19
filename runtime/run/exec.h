/* Runs a plan: memory for one batch shape, then calls in order. */
#ifndef HC_EXEC_H
#define HC_EXEC_H

#include "abi/layout.h"
#include "runtime/run/aligned.h"
#include "runtime/run/blas.h"
#include "runtime/run/plan.h"
#include "runtime/run/product.h"
#include "runtime/run/threads.h"

/* How a matrix product is cut into tasks; a function of its shape alone. */
typedef struct {
    int64_t m, n, k;
    int64_t panel_m, panel_n; /* size of an output panel */
    int64_t panels_m, panels_n;
    int64_t chunk_k; /* products over positions accumulate chunks of this many, in order */
    int64_t slices;  /* > 1: chunks of the sum that are made apart and then added up */
} HcGemmSplit;

/* What bind makes of a call. */
typedef struct {
    HcExtents extents;
    int64_t tasks;
    HcGemmSplit gemm;
} HcBoundCall;

/* Where what is not the workspace's lies. */
typedef struct {
    void *params, *grads;                   /* slabs; */
    void *const *param_at, *const *grad_at; /* where not NULL: each by itself, by parameter */
    void *const *inputs;                    /* by input */
    void *const *outputs;                   /* by number: see hc_plan_given */
    /* Bytes from a sample to the next of what is by sample; used where samples run apart. */
    const int64_t *input_steps, *output_steps;
} HcPlaces;

/* Where regions lie in memory: what the backward pass needs, and the rest, with the slices of
 * products behind it. */
typedef struct {
    size_t saved[HC_REGION_COUNT], rest[HC_REGION_COUNT + 1];
    size_t saved_bytes, rest_bytes;
} HcRegions;

/* A weight that a product has packed: which one, by which kernel, as whose right operand. */
typedef struct {
    HcBuffer from;
    int32_t pack;
    HcProduct of;
    uint8_t *packed;
    bool good;   /* of what lies there now */
    bool behind; /* see behind.h */
} HcKept;

/* Memory of some of them. */
typedef struct {
    uint8_t *at;
    size_t bytes, used;
} HcKeptBlock;

typedef struct {
    const HcPlan *plan;
    const HcModel *model;
    HcPool *pool;
    HcBlas blas;
    int64_t samples, positions;       /* of what runs at once; positions of the first space */
    int64_t of_space[HC_SPACES_MOST]; /* positions of each: of further ones as many as there are at
                                         most, or as hc_exec_set_positions says */
    int64_t apart; /* samples that run each by itself (`samples` is 1 then); 1: all run at once */
    int64_t instances[HC_DOMAIN_COUNT];
    int64_t chunk; /* positions of all samples that chunked calls run over at once */
    bool whole;    /* what they make is kept for all positions nevertheless */
    bool room;     /* of regions by position: for a tile of positions that begins with the last */
    int64_t last_chunk;             /* hc_exec_extend: where the last chunk began */
    int64_t units[HC_REGION_COUNT]; /* what a region's offsets are multiplied with */
    HcRegions regions;
    uint8_t *workspace;
    void *workspace_block; /* which it is a part of */
    size_t workspace_bytes;
    bool bound_once;
    uint8_t *saved; /* in the workspace, or the caller's */
    void *beside;   /* of products: packed operands, or slices (HcGemmSplit) */
    HcKept *kept;   /* see kept.c */
    HcKeptBlock *kept_blocks;
    uint32_t n_kept, n_kept_blocks;
    bool keeps, walks; /* weights: from pass to pass, or through the chunks at hand */
    uint8_t *scratch;
    size_t scratch_stride;   /* per thread */
    void **addresses;        /* of plan->buffers */
    int64_t *steps;          /* of plan->buffers: bytes from a sample to the next, if apart */
    void **chunk_addresses;  /* of one call's, within a chunk */
    void **worker_addresses; /* per thread: of one call's, for the task at hand */
    uint32_t most_addresses; /* of them */
    uint8_t *tails; /* per thread, if apart: what a last task gives, with its idle rows, where the
                       caller's memory has no room for them */
    size_t tails_bytes, tails_stride; /* of all, and per thread */
    HcBoundCall *bound;               /* of plan->calls */
    double *latest;                   /* of plan->calls, when not NULL: seconds of the last pass */
    struct HcWayBack *way_back;       /* what calls wait for, see way_back.h; NULL: nothing */
    void (*watch)(void *watcher, uint32_t call); /* when not NULL: after each call */
    void *watcher;
} HcExec;

HcStatus hc_exec_create(HcExec *exec, const HcPlan *plan, const HcModel *model, HcPool *pool,
                        HcError *error);
/* Extents alone, of a step that never runs. */
void hc_exec_imagine(HcExec *exec, const HcPlan *plan, int64_t samples, int64_t positions);
void hc_exec_destroy(HcExec *exec);
size_t hc_exec_bytes(const HcExec *exec); /* that it has allocated */
/* Extents; grows the workspace when needed; writes tables. Nothing changes on failure. */
HcStatus hc_exec_bind(HcExec *exec, int64_t samples, int64_t positions, HcError *error);
/* Of a further space, from the next binding on. */
void hc_exec_set_positions(HcExec *exec, int32_t space, int64_t positions);
/* Positions where a value lives when the first space has `first`; 1 where it has none. */
static inline int64_t hc_exec_positions_with(const HcExec *exec, HcDomain domain, int64_t first) {
    const int32_t space = hc_space_of(domain);
    return space < 0 ? 1 : space == 0 ? first : exec->of_space[space];
}
static inline int64_t hc_exec_positions(const HcExec *exec, HcDomain domain) {
    return hc_exec_positions_with(exec, domain, exec->positions);
}
/* Keeps what chunked calls make for all positions, from now on. Memory is bound anew: what it held
 * is lost. */
HcStatus hc_exec_keep_whole(HcExec *exec, HcError *error);
/* The same, with what the backward pass needs in memory of the caller's (64-byte aligned,
 * hc_exec_saved_bytes long; NULL: the workspace's). Apart (of a plan that runs so): each sample
 * runs by itself, as if the batch had no other, and may lie anywhere. Costs nothing when nothing
 * but the memory is another. */
HcStatus hc_exec_bind_in(HcExec *exec, int64_t samples, int64_t positions, bool apart, void *memory,
                         HcError *error);
/* Of such memory; 0 when there are no such extents, or that overflows. */
size_t hc_exec_saved_bytes(HcExec *exec, int64_t samples, int64_t positions, bool apart);
static inline int64_t hc_exec_all_samples(const HcExec *exec) {
    return exec->samples * exec->apart;
}
/* Bytes from one sample's part of a buffer to the next's, where samples run apart. */
int64_t hc_exec_step(const HcExec *exec, HcBuffer buffer, const HcPlaces *places);
/* Of an output in our own memory, likewise; 0 where it is the same for all. */
int64_t hc_exec_output_step(const HcExec *exec, uint32_t output);
/* Rows of a call's partial sums. */
static inline int64_t hc_exec_rows(const HcExec *exec, uint32_t call) {
    return exec->bound[call].tasks *
           (hc_is_by_sample(exec->plan->calls[call].domain) ? exec->apart : 1);
}
/* Addresses of all buffers; again whenever parameters, gradients or inputs have moved. */
void hc_exec_resolve(HcExec *exec, const HcPlaces *places);
/* What calls are told of the run they belong to. */
typedef struct {
    bool training;
    uint64_t random_key;
    int64_t done, steps;         /* of training */
    int64_t batch, first_sample; /* the whole batch's, and which of them is the first they see */
} HcExecRun;
/* From now on. */
void hc_exec_begin(HcExec *exec, const HcExecRun *run);
/* The address of a buffer that no call's tasks share (not PARTIAL). */
void *hc_exec_address(const HcExec *exec, HcBuffer buffer, const HcPlaces *places);
/* Instances of a task: as many as of the whole batch, however it runs. */
static inline int64_t hc_exec_tile(const HcExec *exec, HcDomain domain) {
    const int64_t all = exec->instances[domain] * (hc_is_by_sample(domain) ? exec->apart : 1);
    return (int64_t)hc_tile((uint64_t)all);
}
/* The first instance of the last task of a kernel. */
static inline int64_t hc_exec_last_first(const HcExec *exec, const HcCall *call) {
    const int64_t n = exec->instances[call->domain], tile = hc_exec_tile(exec, call->domain);
    return (n - 1) / tile * tile;
}
/* Bytes that it gives in its k-th buffer, with those of idle rows; 0: not to the caller, or there
 * are none. */
static inline size_t hc_exec_tail_bytes(const HcExec *exec, const HcCall *call, uint32_t k) {
    const HcBuffer *b = &exec->plan->buffers[call->first + k];
    const int64_t n = exec->instances[call->domain], rows = n - hc_exec_last_first(exec, call);
    return b->region == HC_REGION_OUTPUT && n % HC_TILE_STEP != 0
               ? hc_align(hc_units((uint64_t)rows) *
                          (uint64_t)hc_plan_given(exec->plan, b->index).bytes)
               : 0;
}
/* From now on regions have what hc_exec_extend needs. Memory is bound anew: what it held is lost.
 */
HcStatus hc_exec_make_room(HcExec *exec, HcError *error);
/* How a product is cut, over `positions` of all positions where it is over positions. */
HcGemmSplit hc_exec_split(const HcExec *exec, const HcCall *call, int64_t positions);
/* --- multiply.c --------------------------------------------------------------------------------*/

/* A product of operands at `abc`, by the model's own kernels or by OpenBLAS. */
void hc_exec_multiply(HcExec *exec, const HcCall *call, const HcGemmSplit *split, void *const *abc);
/* Bytes that it takes beside its operands (exec->beside). */
size_t hc_exec_multiply_bytes(const HcExec *exec, const HcCall *call, const HcGemmSplit *split);
/* Bytes that a thread works in. */
size_t hc_exec_multiply_scratch(const HcPlan *plan);

/* What the operands and the result of a product hold. */
static inline int64_t hc_call_element_bytes(const HcExec *exec, const HcCall *call) {
    return hc_element_bytes(exec->plan->buffers[call->first + 2].element);
}

/* --- kept.c ------------------------------------------------------------------------------------*/

/* Whether what a product packs of its right operand is kept for later ones. */
bool hc_exec_keeps(const HcExec *exec, const HcCall *call);
/* It, packed now if need be; NULL: it is not kept. */
const uint8_t *hc_exec_kept(HcExec *exec, const HcCall *call, const HcProduct *product);
/* Parameters are others now, or may be. */
void hc_exec_forget(HcExec *exec);
size_t hc_exec_kept_bytes(const HcExec *exec);
void hc_exec_drop_kept(HcExec *exec);

/* --- calls.c -----------------------------------------------------------------------------------*/

typedef enum { HC_FORWARD = 1, HC_BACKWARD = 2, HC_BOTH = 3 } HcPass;

/* BOTH: forward and backward pass, with what is chunked walked through once. */
void hc_exec_run(HcExec *exec, HcPass pass);
/* The walk through chunks of a pass, of those of its calls that run (by call; NULL: all). */
void hc_exec_run_chunks(HcExec *exec, HcPass pass, const bool *runs);
/* Of `latest`, before a pass. */
void hc_exec_clear_times(HcExec *exec, HcPass pass);
/* One call over all positions. */
void hc_exec_run_call(HcExec *exec, uint32_t call);
/* A call's buffers while the chunk that begins at position `first` is at hand: those of a chunk lie
 * as if they were part of a whole. Until the next call of this. */
void *const *hc_exec_chunk_buffers(const HcExec *exec, const HcCall *call, int64_t first);
/* Some tasks of a kernel. */
void hc_exec_run_kernel(HcExec *exec, uint32_t call, const HcExtents *extents, int64_t first_task,
                        int64_t tasks, void *const *buffers);

/* --- extend.c ----------------------------------------------------------------------------------*/

/* Calls of the forward pass, of one sample, for positions first .. end - 1 alone; those before have
 * been computed. */
void hc_exec_extend(HcExec *exec, int64_t first, int64_t end);

/* --- gemm.c ------------------------------------------------------------------------------------*/

HcGemmSplit hc_gemm_split(int64_t m, int64_t n, int64_t k, bool over_positions);
/* As panels only, whatever is summed: without slices. */
HcGemmSplit hc_gemm_panels(int64_t m, int64_t n, int64_t k);
/* Elements that `slices` of hc_gemm_run must hold. */
int64_t hc_gemm_slice_elements(const HcGemmSplit *split);
void hc_gemm_run(const HcBlas *blas, HcPool *pool, const HcCall *call, const HcGemmSplit *split,
                 int64_t element_bytes, void *const *abc, void *slices);

/* --- rows.c ------------------------------------------------------------------------------------*/

/* Whether a product has so few rows that this is faster, and the product. */
bool hc_rows_take(const HcCall *call, int64_t m);
void hc_rows_run(HcPool *pool, const HcCall *call, int64_t m, int64_t n, int64_t k,
                 int64_t element_bytes, void *const *abc);

#endif
