/* What a profile tells of a call besides its time. */
#ifndef HCC_ARTIFACT_CALL_PROFILE_H
#define HCC_ARTIFACT_CALL_PROFILE_H

#include "base/json_text.h"
#include "base/source.h"
#include "plan/plan.h"

/* Adds to the call's object "operations" and "bytes", each [a step, a sample, a position], and
 * unless `sources` is NULL "lines", where the call's values come from: `gpt.hc:18, mhc.hc:14-31`.
 */
void call_profile_add(JsonText *t, const Plan *plan, const Call *call, const SourceSet *sources);

#endif
