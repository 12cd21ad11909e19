#include "runtime/run/optim.h"

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

static void list_chunks(HcOptim *optim) {
    const int64_t size = optim->plan->element_size;
    for (uint32_t k = 0; k < optim->plan->n_parameters; k++) {
        const HcParameterPlan *p = &optim->plan->parameters[k];
        for (int64_t at = 0; trained(p) && at < p->count; at += CHUNK) {
            int64_t count = p->count - at < CHUNK ? p->count - at : CHUNK;
            if (optim->chunks)
                optim->chunks[optim->n_chunks] = (HcChunk){k, p->offset + at * size, count};
            optim->n_chunks++;
        }
    }
}

HcStatus hc_optim_create(HcOptim *optim, const HcPlan *plan, const HcRecipe *recipe,
                         HcError *error) {
    *optim = (HcOptim){.plan = plan};
    size_t slab = (size_t)plan->slab_bytes;
    bool second = hc_optimizer_moments[recipe->optimizer][1][0];
    list_chunks(optim);
    size_t n = (size_t)optim->n_chunks + 1;
    optim->chunks = calloc(n, sizeof *optim->chunks);
    optim->sums = calloc(n, sizeof *optim->sums);
    optim->first = hc_aligned_zero(slab);
    optim->second = second ? hc_aligned_zero(slab) : NULL;
    if (!optim->chunks || !optim->sums || !optim->first || (second && !optim->second)) {
        hc_optim_destroy(optim);
        return hc_fail_size(error, "the optimiser's moments",
                            (double)slab * (1 + (unsigned)second));
    }
    optim->n_chunks = 0;
    list_chunks(optim);
    optim->bytes = slab * (1 + (unsigned)second);
    return HC_OK;
}

void hc_optim_destroy(HcOptim *optim) {
    free(optim->chunks);
    free(optim->sums);
    free(optim->first);
    free(optim->second);
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

static uint8_t *at(void *slab, const HcChunk *chunk) {
    return slab ? (uint8_t *)slab + chunk->first : NULL; /* not all have second moments */
}

static void update_task(void *argument, int64_t task, int32_t worker) {
    (void)worker;
    const Job *job = argument;
    const HcChunk *chunk = &job->optim->chunks[task];
    const HcParameterPlan *parameter = &job->optim->plan->parameters[chunk->parameter];
    Numbers numbers = job->numbers;
    numbers.lr = job->lr * parameter->lr_scale;
    if (parameter->of_connection)
        numbers.lr *= job->recipe->connection_lr;
    numbers.decay = parameter->decay ? job->recipe->weight_decay : 0;
    numbers.keep = 1 - numbers.lr * numbers.decay;
    numbers.rate = numbers.lr / job->first_correction;
    void *p = job->params + chunk->first;
    const void *g = job->gradients + chunk->first;
    void *m = at(job->optim->first, chunk), *v = at(job->optim->second, chunk);
    if (job->optim->plan->element_size == 4)
        update_f32(job->recipe->optimizer, chunk->count, &numbers, p, g, m, v);
    else
        update_f64(job->recipe->optimizer, chunk->count, &numbers, p, g, m, v);
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
}
