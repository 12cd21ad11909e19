/* What the manifest says of the plan. */
#ifndef HCC_ARTIFACT_MANIFEST_PLAN_H
#define HCC_ARTIFACT_MANIFEST_PLAN_H

#include "base/json_text.h"
#include "nest/nest.h"
#include "plan/plan.h"

/* Adds the member "plan"; `sources` may be NULL. */
void manifest_plan(JsonText *t, const Plan *plan, NestKernel *const *kernels,
                   const SourceSet *sources);

#endif
