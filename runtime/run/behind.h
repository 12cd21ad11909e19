/* Weights that stay packed (kept.c) are packed again by the optimiser's step: right behind the
 * update of some of their rows, while these are in the cache. */
#ifndef HC_BEHIND_H
#define HC_BEHIND_H

#include "runtime/run/exec.h"
#include "runtime/run/optim.h"

/* Before a step: what it packs, if `exec` keeps weights. Nothing where several ranks share them
 * out, or there is no memory for a list of chunks. */
HcBehind hc_behind_begin(HcExec *exec, const HcOptim *optim, const HcRecipe *recipe,
                         const void *params);
/* After it, and after whatever else it writes: of all that is kept that alone is good. */
void hc_behind_end(HcBehind *behind);

#endif
