/* What a run's streams and maps become while it trains: its program of maps beside it, run now and
 * then over a few held-out samples with the parameters of the moment. */
#ifndef HC_WIRING_H
#define HC_WIRING_H

#include "runtime/data/data.h"
#include "runtime/maps/maps_depth.h"

typedef struct {
    HcContext *context; /* of the program of maps, with the run's parameters */
    double gain;        /* the last composite gain of a whole trunk, the largest; NaN: none yet */
} HcWiring;

/* `run`: the context that trains, whose parameters are read where they are. */
HcStatus hc_wiring_open(HcWiring *wiring, const HcModel *maps, const HcContext *run,
                        HcError *error);
void hc_wiring_close(HcWiring *wiring);

/* *found: by site, what the log says of it:
 *   gain   the largest composite gain of a whole trunk, forward or backward
 *   sites  by path: `forward` and `backward`, the composite gains from there to the end of the
 *          trunk; `similarity` of its streams; and by stream `norm`, and `use`, its share by size
 *          in what the branch reads
 * Of the held-out part the same samples every time; where none is held out, of training at `step`.
 * What has no map, or one stream, is left out. The caller releases it. */
HcStatus hc_wiring_look(HcWiring *wiring, const HcData *data, HcContext *run, int64_t step,
                        json_t **found);

/* The norm of the gradient of each group of parameters, by the definition that declares them. */
json_t *hc_gradient_norms(const HcContext *run);

#endif
