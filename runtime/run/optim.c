#include "runtime/run/optim.h"

#include "abi/layout.h"
#include "runtime/run/exec.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One function for each generation of vectors, chosen when the program is loaded. The sanitizers do
 * not survive the choosing. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                             \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HC_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define HC_CLONES
#endif

/* What a step does to the elements of one parameter. */
typedef struct {
    double lr, keep; /* keep: 1 - lr * decay */
    double rate;     /* AdamW's: lr / (1 - beta1^t) */
    double root;     /* 1 / sqrt(1 - beta2^t) */
    double eps, beta1, beta2, momentum, decay, scale;
} Numbers;

#define REAL float
#define SQRT sqrtf
#define NAME(x) x##_f32
#include "runtime/run/optim_loops.inc"
#undef REAL
#undef SQRT
#undef NAME
#define REAL double
#define SQRT sqrt
#define NAME(x) x##_f64
#include "runtime/run/optim_loops.inc"

void *hc_optim_moment(const HcOptim *optim, const HcRecipe *recipe, const HcChunk *chunk,
                      uint32_t moment) {
    const HcParameterPlan *p = &optim->plan->parameters[chunk->parameter];
    if (!hc_optimizer_moments[hc_optim_of(recipe, p)][moment][0])
        return NULL;
    return moment ? (uint8_t *)optim->second + chunk->second : (uint8_t *)optim->first + chunk->own;
}

HcChunk hc_optim_part(const HcOptim *optim, uint32_t parameter, int64_t first, int64_t count) {
    const HcShards *s = &optim->shards;
    HcChunk part = s->chunks[s->first[parameter]];
    const int64_t at = first * optim->plan->element_size;
    part.at += at;
    part.own += at;
    part.second += at;
    part.count = count;
    return part;
}

/* False when there is no memory. */
static bool make_moments(HcOptim *optim) {
    const HcShards *s = &optim->shards;
    const size_t first = (size_t)s->own_bytes, second = (size_t)s->own_second;
    optim->bytes = first + second;
    optim->first = hc_aligned_zero(first);
    optim->second = second ? hc_aligned_zero(second) : NULL;
    return optim->first && (optim->second || !second);
}

/* What sums of chunks are sent in. */
static bool make_ways(HcOptim *optim) {
    const HcShards *s = &optim->shards;
    const size_t size = (size_t)hc_ranks_size(s->ranks), n = (size_t)s->n_trained;
    optim->sums = calloc(n + 1, sizeof *optim->sums);
    optim->packed = calloc(n + 1, sizeof *optim->packed);
    optim->of_rank = calloc(size + 2, sizeof *optim->of_rank);
    optim->messages = calloc(2 * size, sizeof *optim->messages);
    if (!optim->sums || !optim->packed || !optim->of_rank || !optim->messages)
        return false;
    for (size_t k = 0; k < n; k++)
        optim->of_rank[s->chunks[k].owner + 1]++;
    for (size_t r = 0; r < size; r++)
        optim->of_rank[r + 1] += optim->of_rank[r];
    return true;
}

HcStatus hc_optim_create(HcOptim *optim, const HcPlan *plan, const HcRecipe *recipe,
                         const HcBlas *blas, HcRanks *ranks, HcError *error) {
    *optim = (HcOptim){.plan = plan};
    HcStatus status = hc_shards_create(&optim->shards, plan, recipe, ranks, error);
    if (status == HC_OK && !make_ways(optim))
        status = hc_fail_memory(error, "the norm of gradients");
    if (status == HC_OK && !make_moments(optim))
        status = hc_fail_size(error, "the optimiser's moments", (double)optim->bytes);
    if (status == HC_OK && recipe->optimizer == HC_MUON)
        status = hc_muon_create(&optim->muon, &optim->shards, plan, blas, error);
    if (status == HC_OK && ranks)
        status = hc_way_back_create(&optim->way_back, &optim->shards, error);
    if (status != HC_OK) {
        hc_optim_destroy(optim);
        return status;
    }
    optim->bytes += optim->muon.bytes;
    return HC_OK;
}

void hc_optim_destroy(HcOptim *optim) {
    hc_way_back_destroy(&optim->way_back);
    hc_shards_destroy(&optim->shards);
    free(optim->sums);
    free(optim->packed);
    free(optim->of_rank);
    free(optim->messages);
    free(optim->first);
    free(optim->second);
    hc_muon_destroy(&optim->muon);
    *optim = (HcOptim){0};
}

typedef struct {
    HcOptim *optim;
    const HcRecipe *recipe;
    Numbers numbers; /* as far as they are the same for all parameters */
    double lr, first_correction;
    uint8_t *params;
    const uint8_t *gradients;
    const int64_t *chunks; /* of ranks: whose tasks are at hand */
} Job;

static void square_task(void *argument, int64_t task, int32_t worker) {
    (void)worker;
    const Job *job = argument;
    const HcChunk *chunk = &job->optim->shards.chunks[task];
    uint32_t size = job->optim->plan->element_size;
    const void *g = job->gradients + chunk->at;
    if (hc_shards_own(&job->optim->shards, chunk))
        job->optim->sums[task] =
            size == 4 ? squares_f32(chunk->count, g) : squares_f64(chunk->count, g);
}

/* Each rank's sums to all. */
static HcStatus hand_sums(HcOptim *optim, HcError *error) {
    const HcShards *s = &optim->shards;
    const int32_t me = hc_ranks_rank(s->ranks), size = hc_ranks_size(s->ranks);
    const int64_t *of = optim->of_rank;
    int64_t at = of[me];
    uint32_t count = 0;
    for (int64_t k = 0; k < s->n_trained; k++)
        if (hc_shards_own(s, &s->chunks[k]))
            optim->packed[at++] = optim->sums[k];
    for (int32_t k = 1; k < size; k++) {
        const int32_t from = (me + size - k) % size;
        optim->messages[count++] =
            (HcMessage){from, false, optim->packed + of[from],
                        (size_t)(of[from + 1] - of[from]) * sizeof *optim->packed};
    }
    for (int32_t k = 1; k < size; k++)
        optim->messages[count++] =
            (HcMessage){(me + k) % size, true, optim->packed + of[me],
                        (size_t)(of[me + 1] - of[me]) * sizeof *optim->packed};
    HcStatus status = hc_ranks_exchange(s->ranks, optim->messages, count, error);
    for (int32_t r = 0; r < size && status == HC_OK; r++) {
        at = of[r];
        for (int64_t k = 0; k < s->n_trained; k++)
            if (s->chunks[k].owner == r)
                optim->sums[k] = optim->packed[at++];
    }
    return status;
}

HcStatus hc_optim_norm(HcOptim *optim, HcPool *pool, const void *gradients, double *norm,
                       HcError *error) {
    Job job = {.optim = optim, .gradients = gradients};
    int64_t n = optim->shards.n_trained;
    *norm = 0;
    hc_pool_run(pool, n, square_task, &job);
    HcStatus status = optim->shards.ranks ? hand_sums(optim, error) : HC_OK;
    if (n == 0 || status != HC_OK)
        return status;
    for (; n > 1; n = (n + 1) / 2) {
        int64_t half = (n + 1) / 2;
        for (int64_t k = 0; k + half < n; k++)
            optim->sums[k] += optim->sums[k + half];
    }
    *norm = sqrt(optim->sums[0]);
    return HC_OK;
}

/* The rate of a parameter. */
static double rate_of(const Job *job, const HcParameterPlan *parameter) {
    const HcRecipe *recipe = job->recipe;
    double lr = job->lr * parameter->lr_scale;
    if (hc_optim_of(recipe, parameter) != recipe->optimizer) /* scheduled as lr is */
        lr = recipe->lr > 0 ? lr / recipe->lr * recipe->adamw_lr : 0;
    return parameter->of_connection ? lr * recipe->connection_lr : lr;
}

static double decay_of(const Job *job, const HcParameterPlan *parameter) {
    return parameter->decay ? job->recipe->weight_decay : 0;
}

static void update(const Job *job, const HcChunk *chunk) {
    const HcOptim *optim = job->optim;
    const HcParameterPlan *parameter = &optim->plan->parameters[chunk->parameter];
    const HcOptimizer kind = hc_optim_of(job->recipe, parameter);
    Numbers numbers = job->numbers;
    numbers.lr = rate_of(job, parameter);
    numbers.decay = decay_of(job, parameter);
    numbers.keep = 1 - numbers.lr * numbers.decay;
    numbers.rate = numbers.lr / job->first_correction;
    void *p = job->params + chunk->at, *m = (uint8_t *)optim->first + chunk->own;
    const void *g = job->gradients + chunk->at;
    void *v = optim->second ? (uint8_t *)optim->second + chunk->second : NULL;
    if (optim->plan->element_size == 4)
        update_f32(kind, chunk->count, &numbers, p, g, m, v);
    else
        update_f64(kind, chunk->count, &numbers, p, g, m, v);
}

static void update_task(void *argument, int64_t task, int32_t worker) {
    (void)worker;
    const Job *job = argument;
    const HcOptim *optim = job->optim;
    const HcBehind *behind = optim->behind;
    const int64_t k = job->chunks ? job->chunks[task] : task;
    const HcChunk *chunk = &(behind ? behind->chunks : optim->shards.chunks)[k];
    update(job, chunk);
    if (behind)
        behind->run(behind->of, chunk);
}

static void update_matrix(const Job *job, HcPool *pool, uint32_t k) {
    HcMuon *muon = &job->optim->muon;
    const HcShards *shards = &job->optim->shards;
    const HcParameterPlan *p = &job->optim->plan->parameters[muon->matrices[k].parameter];
    const double lr = rate_of(job, p);
    const HcMuonNumbers numbers = {.lr = lr,
                                   .keep = 1 - lr * decay_of(job, p),
                                   .momentum = job->recipe->momentum,
                                   .scale = job->numbers.scale};
    const HcChunk *first = &shards->chunks[shards->first[muon->matrices[k].parameter]];
    hc_muon_step(muon, pool, k, &numbers, job->params + p->offset, job->gradients + p->offset,
                 (uint8_t *)job->optim->first + first->own);
}

static void update_all(Job *job, HcPool *pool) {
    const HcOptim *optim = job->optim;
    hc_pool_run(pool, optim->behind ? optim->behind->n_chunks : optim->shards.n_trained,
                update_task, job);
    for (uint32_t k = 0; k < optim->muon.n_matrices; k++)
        update_matrix(job, pool, k);
}

/* Turn by turn, as they are sent. */
static void update_own(Job *job, HcPool *pool) {
    HcOptim *optim = job->optim;
    const HcShards *s = &optim->shards;
    hc_way_back_begin(&optim->way_back, job->params);
    for (uint32_t turn = 0; turn < s->n_buckets; turn++) {
        const int64_t first = turn ? s->own_ends[turn - 1] : 0;
        job->chunks = s->own + first;
        hc_pool_run(pool, s->own_ends[turn] - first, update_task, job);
        for (uint32_t k = 0; k < optim->muon.n_matrices; k++)
            if (hc_shards_turn(s, optim->muon.matrices[k].parameter) == turn)
                update_matrix(job, pool, k);
        hc_way_back_send(&optim->way_back);
    }
}

void hc_optim_step(HcOptim *optim, HcPool *pool, const HcRecipe *recipe, int64_t step, double lr,
                   double scale, void *params, const void *gradients) {
    double t = (double)(step + 1);
    Job job = {
        .optim = optim,
        .recipe = recipe,
        .numbers = {.root = 1 / sqrt(1 - pow(recipe->beta2, t)),
                    .eps = recipe->eps,
                    .beta1 = recipe->beta1,
                    .beta2 = recipe->beta2,
                    .momentum = recipe->momentum,
                    .scale = scale},
        .lr = lr,
        .first_correction = 1 - pow(recipe->beta1, t),
        .params = params,
        .gradients = gradients,
    };
    if (optim->shards.ranks)
        update_own(&job, pool);
    else
        update_all(&job, pool);
}
