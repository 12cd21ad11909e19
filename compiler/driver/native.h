/* The machine's half of the pipeline: plan, kernels, code, and the runtime that runs them. */
#ifndef HCC_DRIVER_NATIVE_H
#define HCC_DRIVER_NATIVE_H

#include "driver/driver.h"
#include "driver/gradcheck.h"
#include "sema/network.h"

/* Stages fused, nests, llvm and asm of a program with its gradient. `network` may be NULL. */
ExitCode native_emit(Driver *d, const Network *network, TirProgram *program, const char *stage,
                     FILE *to);
/* Stages nests, llvm and asm of a kernel read from the argument's text. */
ExitCode native_emit_nest(Driver *d, const char *stage, FILE *to);

/* Compiled code in f64, for gradcheck. network->program has its gradient. */
ExitCode native_gradcheck_evaluator(Driver *d, const Network *network, uint32_t samples,
                                    uint32_t positions, uint64_t seed, GradEvaluator **evaluator);

#endif
