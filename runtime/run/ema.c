#include "runtime/run/ema.h"
#include "runtime/run/context.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

HcStatus hc_ema_create(HcContext *c, HcError *error) {
    if (c->ema.slab || c->recipe.ema == 0)
        return HC_OK;
    c->ema.slab = hc_aligned_zero((size_t)c->plan.slab_bytes);
    return c->ema.slab
               ? HC_OK
               : hc_fail_size(error, "the average of the parameters", (double)c->plan.slab_bytes);
}

void hc_ema_destroy(HcContext *c) {
    hc_use_ema(c, 0);
    free(c->ema.slab);
    c->ema = (HcEma){0};
}

/* --- a step ------------------------------------------------------------------------------------*/

enum { CHUNK = 1 << 15 };

typedef struct {
    HcContext *context;
    const HcParameterPlan *parameter;
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
    const int64_t size = c->plan.element_size, first = task * CHUNK;
    const int64_t left = job->parameter->count - first, n = left < CHUNK ? left : CHUNK;
    uint8_t *e = (uint8_t *)c->ema.slab + job->parameter->offset + first * size;
    const uint8_t *p = (const uint8_t *)c->params + job->parameter->offset + first * size;
    if (job->share == 1)
        memcpy(e, p, (size_t)(n * size));
    else if (size == 4)
        mix_f32((float *)(void *)e, (const float *)(const void *)p, n, (float)job->share);
    else
        mix_f64((double *)(void *)e, (const double *)(const void *)p, n, job->share);
}

void hc_ema_step(HcContext *c) {
    const double b = c->recipe.ema, t = (double)c->steps_done;
    for (uint32_t k = 0; c->ema.slab && k < c->plan.n_parameters; k++) {
        const HcParameterPlan *p = &c->plan.parameters[k];
        const bool trained = p->gradient && !p->frozen;
        Job job = {c, p, trained ? (1 - b) / (1 - pow(b, t)) : 1};
        hc_pool_run(c->pool, (p->count + CHUNK - 1) / CHUNK, mix_task, &job);
    }
}

/* --- use ---------------------------------------------------------------------------------------*/

int hc_uses_ema(const HcContext *c) {
    return c && c->ema.trained;
}

HcStatus hc_use_ema(HcContext *c, int on) {
    if (!c)
        return hc_fail(NULL, HC_ERROR_ARGUMENT, "the context is NULL");
    if ((on != 0) == (c->ema.trained != NULL))
        return HC_OK;
    if (on && (!c->ema.slab || c->steps_done == 0))
        return hc_fail(&c->error, HC_ERROR_ARGUMENT, "there is no average of the parameters: %s",
                       c->ema.slab ? "no step was made" : "the recipe has no `ema`");
    void *now = c->params;
    c->params = on ? c->ema.slab : c->ema.trained;
    c->ema.trained = on ? now : NULL;
    c->moved = true;
    hc_exec_forget(&c->exec);
    return HC_OK;
}
