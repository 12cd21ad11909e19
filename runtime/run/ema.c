#include "runtime/run/ema.h"
#include "runtime/run/context.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

HcStatus hc_ema_create(HcContext *c, HcError *error) {
    const size_t bytes = (size_t)c->optim.shards.own_bytes;
    if (c->ema.own || c->recipe.ema == 0)
        return HC_OK;
    c->ema.own = hc_aligned_zero(bytes);
    return c->ema.own ? HC_OK : hc_fail_size(error, "the average of the parameters", (double)bytes);
}

void hc_ema_destroy(HcContext *c) {
    hc_use_ema(c, 0);
    free(c->ema.own);
    c->ema = (HcEma){0};
}

/* --- a step ------------------------------------------------------------------------------------*/

typedef struct {
    HcContext *context;
    double share; /* of the new parameters */
} Job;

#define DEFINE_MIX(name, real)                                                                     \
    static void name(real *e, const real *p, int64_t n, real share) {                              \
        for (int64_t k = 0; k < n; k++)                                                            \
            e[k] += share * (p[k] - e[k]);                                                         \
    }
DEFINE_MIX(mix_f32, float)
DEFINE_MIX(mix_f64, double)

static void mix_task(void *argument, int64_t task, int32_t worker) {
    (void)worker;
    const Job *job = argument;
    HcContext *c = job->context;
    const HcShards *shards = &c->optim.shards;
    const HcChunk *chunk = &shards->chunks[task];
    uint8_t *e = (uint8_t *)c->ema.own + chunk->own;
    const uint8_t *p = (const uint8_t *)c->params + chunk->at;
    const bool trained = task < shards->n_trained;
    if (!hc_shards_own(shards, chunk))
        return;
    if (!trained || job->share == 1)
        memcpy(e, p, (size_t)(chunk->count * c->plan.element_size));
    else if (c->plan.element_size == 4)
        mix_f32((float *)(void *)e, (const float *)(const void *)p, chunk->count,
                (float)job->share);
    else
        mix_f64((double *)(void *)e, (const double *)(const void *)p, chunk->count, job->share);
}

void hc_ema_step(HcContext *c) {
    const double b = c->recipe.ema, t = (double)c->steps_done;
    Job job = {c, (1 - b) / (1 - pow(b, t))};
    if (c->ema.own)
        hc_pool_run(c->pool, c->optim.shards.n_chunks, mix_task, &job);
}

/* --- use ---------------------------------------------------------------------------------------*/

int hc_uses_ema(const HcContext *c) {
    return c && c->ema.trained;
}

/* Of ranks each has its own elements of the average. The gradients' memory holds all of it then:
 * nobody asks for gradients of averages. What is not trained every rank has. */
static HcStatus bring_together(HcContext *c, void **slab) {
    const HcShards *shards = &c->optim.shards;
    const int64_t size = c->plan.element_size;
    *slab = c->ema.own;
    if (!shards->ranks)
        return HC_OK;
    *slab = c->grads;
    for (int64_t k = 0; k < shards->n_chunks; k++) {
        const HcChunk *chunk = &shards->chunks[k];
        const uint8_t *from = k < shards->n_trained ? (const uint8_t *)c->ema.own + chunk->own
                                                    : (const uint8_t *)c->params + chunk->at;
        if (k >= shards->n_trained || hc_shards_own(shards, chunk))
            memcpy((uint8_t *)*slab + chunk->at, from, (size_t)(chunk->count * size));
    }
    return hc_shards_hand_out(shards, *slab, &c->error);
}

HcStatus hc_use_ema(HcContext *c, int on) {
    if (!c)
        return hc_fail(NULL, HC_ERROR_ARGUMENT, "the context is NULL");
    if ((on != 0) == (c->ema.trained != NULL))
        return HC_OK;
    if (on && (!c->ema.own || c->steps_done == 0))
        return hc_fail(&c->error, HC_ERROR_ARGUMENT, "there is no average of the parameters: %s",
                       c->ema.own ? "no step was made" : "the recipe has no `ema`");
    void *now = c->params, *slab = c->ema.trained;
    HcStatus status = on ? bring_together(c, &slab) : HC_OK;
    if (status != HC_OK)
        return status;
    c->params = slab;
    c->ema.trained = on ? now : NULL;
    c->moved = true;
    hc_exec_forget(&c->exec);
    return HC_OK;
}
