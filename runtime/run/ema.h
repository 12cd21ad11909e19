/* The exponential moving average of a context's parameters over its steps (the recipe's `ema`). */
#ifndef HC_EMA_H
#define HC_EMA_H

#include "runtime/files/error.h"

/* After step t (from 1 on) it is the mean of the parameters after steps 1 .. t, those after step k
 * with weight b^(t - k); what is not trained is as it is:
 *   e += (1 - b) / (1 - b^t) * (p - e) */
typedef struct {
    void *own;     /* as HcChunk says, alone a slab; or NULL: the recipe asks for none */
    void *trained; /* the parameters, while the average stands in for them */
} HcEma;

/* Once there is an optimiser. */
HcStatus hc_ema_create(HcContext *context, HcError *error);
void hc_ema_destroy(HcContext *context);
/* After the step that is counted already. */
void hc_ema_step(HcContext *context);

#endif
