/* What calls of a program in its caller's memory (apply.c) need of ours. */
#ifndef HC_APPLIER_H
#define HC_APPLIER_H

#include "runtime/run/exec.h"

typedef struct {
    HcExec exec; /* apart from the context's own: neither changes the other's extents */
    bool made;
    void **inputs, **parameters, **gradients; /* what calls use, by number */
    void **dense;                             /* by input: memory for what was not given dense */
    size_t *dense_bytes;
} HcApplier;

/* Made by the first call, to run where `like` does; nothing when it is there already. */
HcStatus hc_applier_create(HcApplier *applier, const HcExec *like, HcError *error);
void hc_applier_destroy(HcApplier *applier, const HcPlan *plan);
size_t hc_applier_bytes(const HcApplier *applier);
/* inputs[input] is memory of our own, for the extents at hand. */
HcStatus hc_applier_take_dense(HcApplier *applier, uint32_t input, HcError *error);

#endif
