/* What the manifest says of the plan. */
#ifndef HCC_ARTIFACT_MANIFEST_PLAN_H
#define HCC_ARTIFACT_MANIFEST_PLAN_H

#include "base/json_text.h"
#include "nest/nest.h"
#include "schedule/products.h"

/* Those of the plan, then those of its products. */
typedef struct {
    NestKernel *const *at;
    uint32_t count;
    const Products *products;
} ManifestKernels;

/* Adds the member "plan"; `sources` may be NULL. */
void manifest_plan(JsonText *t, const Plan *plan, const ManifestKernels *kernels,
                   const SourceSet *sources);

#endif
