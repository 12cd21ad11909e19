/* Keys under which equal kernels are one. */
#ifndef HCC_PLAN_GROUP_KEY_H
#define HCC_PLAN_GROUP_KEY_H

#include "base/map.h"
#include "plan/plan.h"

/* Makes the keys of one plan's kernels; in the plan's arena. */
typedef struct GroupKeys GroupKeys;

/* The plan's slots are there. */
GroupKeys *group_keys_create(const Plan *plan);
/* The same for two groups when their kernels would be the same code (and, but for a chance that
 * does not come, only then): stands for ops, types, attributes and how what lies in memory is
 * stored, with values numbered by place in the group. */
WideHash group_key(GroupKeys *keys, const Group *group);
/* The same for a value that is a kernel by itself (attention, sums over instances) and stores
 * these. */
WideHash single_key(GroupKeys *keys, TirId value, const TirId *results, uint32_t n_results);

#endif
