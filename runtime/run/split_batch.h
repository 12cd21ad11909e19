/* A context's batch: run whole, or split into parts as its recipe says (`batch 32 in 8`). */
#ifndef HC_SPLIT_BATCH_H
#define HC_SPLIT_BATCH_H

#include "runtime/run/parts.h"

typedef struct {
    HcParts parts;
    int64_t samples;   /* of all parts */
    void **inputs;     /* by input: what calls read, the context's or a part of it */
    void **own_inputs; /* by input: memory for a part of it, or NULL */
    size_t *own_bytes; /* by input: capacity of that */
    void **outputs;    /* by output: of all parts, once it was asked for, or NULL */
} HcSplitBatch;

HcStatus hc_split_create(HcContext *context, HcError *error);
void hc_split_destroy(HcContext *context);
/* Extents of the batch. Nothing changes on failure. */
HcStatus hc_split_bind(HcContext *context, int64_t samples, int64_t positions, HcError *error);
/* All that it has allocated. */
size_t hc_split_bytes(const HcContext *context);
/* Before a pass: addresses, where memory has moved. */
void hc_split_resolve(HcContext *context);
/* Tells calls of the step that they run in, from this sample on. The key of random numbers is the
 * step's own, so that nothing has to be saved: the backward pass and a continued run see the same
 * again. */
void hc_split_tell(HcContext *context, int64_t first_sample);
/* Runs a pass, after hc_begin_pass. Of a batch in parts BACKWARD by itself runs the forward pass
 * again. */
HcStatus hc_split_run(HcContext *context, HcPass pass);
/* The parts are shared with the context's ranks, if there are any, from now on, or they are not.
 * Needs the optimiser. */
HcStatus hc_split_share(HcContext *context, bool shared);
/* Where all of an output lies; of what there is one a sample or position, and a batch in parts, the
 * forward pass runs again when it is asked for the first time. */
HcStatus hc_split_output(HcContext *context, uint32_t output, const void **data);

#endif
