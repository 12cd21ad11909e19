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

enum { CHUNK = 1 << 14 };

static bool trained(const HcParameterPlan *p) {
    return p->gradient && !p->frozen;
}

HcOptimizer hc_optim_of(const HcRecipe *recipe, const HcParameterPlan *parameter) {
    return recipe->optimizer == HC_MUON && !hc_muon_takes(parameter) ? HC_ADAMW : recipe->optimizer;
}

void *hc_optim_moment(const HcOptim *optim, const HcRecipe *recipe, uint32_t parameter,
                      uint32_t moment) {
    const HcParameterPlan *p = &optim->plan->parameters[parameter];
    if (!hc_optimizer_moments[hc_optim_of(recipe, p)][moment][0])
        return NULL;
    return moment ? (uint8_t *)optim->second + optim->second_at[parameter]
                  : (uint8_t *)optim->first + p->offset;
}

/* Returns the bytes of all second moments. */
static size_t place_second(HcOptim *optim, const HcRecipe *recipe) {
    const HcPlan *plan = optim->plan;
    size_t bytes = 0;
    for (uint32_t k = 0; k < plan->n_parameters; k++) {
        const HcParameterPlan *p = &plan->parameters[k];
        optim->second_at[k] = (int64_t)bytes;
        if (hc_optimizer_moments[hc_optim_of(recipe, p)][1][0])
            bytes += hc_round_up((uint64_t)(p->count * plan->element_size), HC_ALIGN);
    }
    return bytes;
}

static void list_chunks(HcOptim *optim) {
    const int64_t size = optim->plan->element_size;
    for (uint32_t k = 0; k < optim->plan->n_parameters; k++) {
        const HcParameterPlan *p = &optim->plan->parameters[k];
        for (int64_t at = 0; trained(p) && at < p->count; at += CHUNK) {
            int64_t count = p->count - at < CHUNK ? p->count - at : CHUNK;
            if (optim->chunks)
                optim->chunks[optim->n_chunks] =
                    (HcChunk){k, p->offset + at * size, optim->second_at[k] + at * size, count};
            optim->n_chunks++;
        }
    }
}

/* False when there is no memory. */
static bool make_moments(HcOptim *optim, const HcRecipe *recipe) {
    const size_t slab = (size_t)optim->plan->slab_bytes;
    optim->second_at = calloc((size_t)optim->plan->n_parameters + 1, sizeof *optim->second_at);
    if (!optim->second_at)
        return false;
    const size_t second = place_second(optim, recipe);
    list_chunks(optim);
    const size_t n = (size_t)optim->n_chunks + 1;
    optim->bytes = slab + second;
    optim->chunks = calloc(n, sizeof *optim->chunks);
    optim->sums = calloc(n, sizeof *optim->sums);
    optim->first = hc_aligned_zero(slab);
    optim->second = second ? hc_aligned_zero(second) : NULL;
    return optim->chunks && optim->sums && optim->first && (optim->second || !second);
}

HcStatus hc_optim_create(HcOptim *optim, const HcPlan *plan, const HcRecipe *recipe,
                         const HcBlas *blas, HcError *error) {
    *optim = (HcOptim){.plan = plan};
    HcStatus status = HC_OK;
    if (!make_moments(optim, recipe))
        status = hc_fail_size(error, "the optimiser's moments", (double)optim->bytes);
    if (status == HC_OK && recipe->optimizer == HC_MUON)
        status = hc_muon_create(&optim->muon, plan, blas, error);
    if (status != HC_OK) {
        hc_optim_destroy(optim);
        return status;
    }
    optim->n_chunks = 0;
    list_chunks(optim);
    optim->bytes += optim->muon.bytes;
    return HC_OK;
}

void hc_optim_destroy(HcOptim *optim) {
    free(optim->chunks);
    free(optim->sums);
    free(optim->first);
    free(optim->second);
    free(optim->second_at);
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
} Job;

static void square_task(void *argument, int64_t task, int32_t worker) {
    (void)worker;
    const Job *job = argument;
    const HcChunk *chunk = &job->optim->chunks[task];
    uint32_t size = job->optim->plan->element_size;
    const void *g = job->gradients + chunk->first;
    job->optim->sums[task] =
        size == 4 ? squares_f32(chunk->count, g) : squares_f64(chunk->count, g);
}

double hc_optim_norm(HcOptim *optim, HcPool *pool, const void *gradients) {
    Job job = {.optim = optim, .gradients = gradients};
    hc_pool_run(pool, optim->n_chunks, square_task, &job);
    int64_t n = optim->n_chunks;
    if (n == 0)
        return 0;
    for (; n > 1; n = (n + 1) / 2) {
        int64_t half = (n + 1) / 2;
        for (int64_t k = 0; k + half < n; k++)
            optim->sums[k] += optim->sums[k + half];
    }
    return sqrt(optim->sums[0]);
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

static void update_task(void *argument, int64_t task, int32_t worker) {
    (void)worker;
    const Job *job = argument;
    const HcOptim *optim = job->optim;
    const HcChunk *chunk = &optim->chunks[task];
    const HcParameterPlan *parameter = &optim->plan->parameters[chunk->parameter];
    const HcOptimizer kind = hc_optim_of(job->recipe, parameter);
    Numbers numbers = job->numbers;
    numbers.lr = rate_of(job, parameter);
    numbers.decay = decay_of(job, parameter);
    numbers.keep = 1 - numbers.lr * numbers.decay;
    numbers.rate = numbers.lr / job->first_correction;
    void *p = job->params + chunk->first, *m = (uint8_t *)optim->first + chunk->first;
    const void *g = job->gradients + chunk->first;
    void *v = optim->second ? (uint8_t *)optim->second + chunk->second : NULL;
    if (optim->plan->element_size == 4)
        update_f32(kind, chunk->count, &numbers, p, g, m, v);
    else
        update_f64(kind, chunk->count, &numbers, p, g, m, v);
}

static void update_matrices(Job *job, HcPool *pool) {
    HcMuon *muon = &job->optim->muon;
    for (uint32_t k = 0; k < muon->n_matrices; k++) {
        const HcParameterPlan *p = &job->optim->plan->parameters[muon->matrices[k].parameter];
        const double lr = rate_of(job, p);
        const HcMuonNumbers numbers = {.lr = lr,
                                       .keep = 1 - lr * decay_of(job, p),
                                       .momentum = job->recipe->momentum,
                                       .scale = job->numbers.scale};
        hc_muon_step(muon, pool, k, &numbers, job->params + p->offset, job->gradients + p->offset,
                     (uint8_t *)job->optim->first + p->offset);
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
    hc_pool_run(pool, optim->n_chunks, update_task, &job);
    update_matrices(&job, pool);
}
