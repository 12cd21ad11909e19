/* The memory of a training step: how much of it is left for a plan. */
#ifndef HCC_COMPILE_MEMORY_H
#define HCC_COMPILE_MEMORY_H

#include "plan/plan.h"
#include "sema/network.h"

/* Bytes of parameters, gradients and the optimiser's state. */
uint64_t memory_state(const Network *network, HcPrecision precision);
/* Bytes beside the workspace: parameters, gradients, the optimiser's state and inputs. */
uint64_t memory_fixed(const Network *network, PlanStep step, HcPrecision precision);
/* Of these what holds gradients of parts that wait to be added up. */
uint64_t memory_waiting(const Network *network, HcPrecision precision);
/* The step that the recipe asks for, of at most so many bytes (0: no bound). `network` may be NULL.
 */
PlanStep memory_step(const Network *network, uint64_t most, HcPrecision precision);
/* NULL, or that the plan does not fit and what would. */
const char *memory_exceeded(const Network *network, HcPrecision precision,
                            const PlanReplays *replays, Arena *arena);

#endif
