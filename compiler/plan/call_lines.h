/* Where the values of a call come from: `gpt.hc:18, mhc.hc:14-31`, most values first; empty when
 * nowhere. */
#ifndef HCC_PLAN_CALL_LINES_H
#define HCC_PLAN_CALL_LINES_H

#include "base/source.h"
#include "plan/plan.h"

enum { CALL_LINES_TEXT = 256 };

void call_lines(const Plan *plan, const Call *call, const SourceSet *sources,
                char text[CALL_LINES_TEXT]);
void value_lines(const Plan *plan, TirId id, const SourceSet *sources, char text[CALL_LINES_TEXT]);

#endif
