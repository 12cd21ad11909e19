/* What calls of a program in its caller's memory (apply.c) need of ours. */
#ifndef HC_APPLIER_H
#define HC_APPLIER_H

#include "runtime/run/exec.h"

/* Memory of our own for outputs that a caller has none for. */
typedef struct {
    void **at;
    size_t *bytes;
} HcOwnOutputs;

HcStatus hc_outputs_create(HcOwnOutputs *outputs, const HcPlan *plan, HcError *error);
void hc_outputs_destroy(HcOwnOutputs *outputs, const HcPlan *plan);
size_t hc_outputs_bytes(const HcOwnOutputs *outputs, const HcPlan *plan);
/* Room for one at the exec's extents; *moved: it lies elsewhere now. */
HcStatus hc_outputs_grow(HcOwnOutputs *outputs, const HcExec *exec, uint32_t output, bool *moved,
                         HcError *error);

typedef struct {
    HcExec exec; /* apart from the context's own: neither changes the other's extents */
    bool made;
    void **inputs, **parameters, **gradients; /* what calls use, by number */
    int64_t *input_steps, *output_steps;      /* likewise: bytes from a sample to the next */
    void **outputs;                           /* likewise: the caller's, or */
    HcOwnOutputs own;                         /* ours */
    void **dense;                             /* by input: memory for what was not given dense */
    size_t *dense_bytes;
} HcApplier;

/* Made by the first call, to run where `like` does; nothing when it is there already. */
HcStatus hc_applier_create(HcApplier *applier, const HcExec *like, HcError *error);
static inline HcPlaces hc_applier_places(const HcApplier *applier) {
    return (HcPlaces){.param_at = applier->parameters,
                      .grad_at = applier->gradients,
                      .inputs = applier->inputs,
                      .outputs = applier->outputs,
                      .input_steps = applier->input_steps,
                      .output_steps = applier->output_steps};
}
void hc_applier_destroy(HcApplier *applier, const HcPlan *plan);
size_t hc_applier_bytes(const HcApplier *applier);
/* inputs[input] is memory of our own, for the extents at hand. */
HcStatus hc_applier_take_dense(HcApplier *applier, uint32_t input, HcError *error);

#endif
