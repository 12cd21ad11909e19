/* What computes loss and gradient for a check. */
#ifndef HCC_GRADCHECK_GRADCHECK_INTERNAL_H
#define HCC_GRADCHECK_GRADCHECK_INTERNAL_H

#include "gradcheck/gradcheck.h"

/* How much is computed with, and what data are drawn from. */
typedef struct {
    uint32_t samples;
    uint32_t positions[HC_SPACES_MOST]; /* by space */
    uint64_t seed;
    int64_t step, steps; /* of training: done, and to be done */
} GradSize;

/* What the interpreter is given: data drawn from the seed, and the key of the random numbers that
 * compiled code draws from it. */
TirBinding gradcheck_binding(const TirProgram *program, GradSize size, Arena *arena);

/* The plain interpreter. `program` has its gradient. */
GradEvaluator *gradcheck_interpreter(const TirProgram *program, GradSize size, Arena *arena);
/* Compiled code in double precision, on one thread; network->program has its gradient. Compiled as
 * `run` says, which is told what goes wrong. */
CompileStatus gradcheck_native(CompileRun *run, const Network *network, GradSize size,
                               GradEvaluator **evaluator);
/* Loss and gradients from `at_point`; where one parameter is moved, the loss from `between`, whose
 * program takes what stop_gradient holds as inputs: the values of pass_hold's `values` at the last
 * point. Both are destroyed with it. */
GradEvaluator *gradcheck_holding(GradEvaluator *at_point, GradEvaluator *between,
                                 const TirProgram *values, GradSize size, Arena *arena);

#endif
