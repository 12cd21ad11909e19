/* Keys under which equal kernels are one. */
#ifndef HCC_PASS_GROUP_KEY_H
#define HCC_PASS_GROUP_KEY_H

#include "pass/plan.h"

/* A byte string that is the same for two groups exactly when their kernels would be the same code:
 * ops, types and attributes with values numbered by place in the group. */
const void *group_key(const Plan *plan, const Group *group, size_t *length);
/* The same for a value that is a kernel by itself (attention, sums over instances). */
const void *single_key(const Plan *plan, TirId value, size_t *length);

#endif
