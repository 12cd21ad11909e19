/* --memory: how much of it is left for a plan, and what the plan made of it. */
#ifndef HCC_DRIVER_MEMORY_H
#define HCC_DRIVER_MEMORY_H

#include "driver/driver.h"
#include "pass/plan.h"
#include "sema/network.h"

/* Bytes beside the workspace: parameters, gradients, the optimiser's state and inputs. */
uint64_t memory_fixed(const Network *network, PlanStep step, bool f64);
/* The step that the recipe asks for, bounded by --memory. `network` may be NULL. */
PlanStep memory_step(const Driver *d, const Network *network, bool f64);
/* Says so when the plan does not fit. */
ExitCode memory_check(Driver *d, const Network *network, bool f64, const PlanReplays *replays);

#endif
