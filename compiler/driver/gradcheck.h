/* Finite differences against the gradient, whoever computes the two. */
#ifndef HCC_DRIVER_GRADCHECK_H
#define HCC_DRIVER_GRADCHECK_H

#include "driver/driver.h"
#include "sema/network.h"
#include "tir/interp.h"

/* Computes a loss, and on request its gradients, in double precision. */
typedef struct GradEvaluator GradEvaluator;
struct GradEvaluator {
    /* params[k]: all elements of parameter k. moved: the one parameter that differs from what it
     * was at the last call with GRAD_ALL_MOVED. gradients: NULL, or per parameter an array to fill
     * (or NULL for one without a gradient). Returns NULL, or what went wrong. */
    const char *(*evaluate)(GradEvaluator *self, double *const *params, uint32_t moved,
                            double *loss, double *const *gradients);
    /* Gives input `index` of the program other values. Returns NULL, or what went wrong. */
    const char *(*set_input)(GradEvaluator *self, uint32_t index, const double *values,
                             uint64_t count);
    void (*destroy)(GradEvaluator *self); /* or NULL */
};

#define GRAD_ALL_MOVED UINT32_MAX

typedef enum {
    GRAD_OK,
    /* Zero at every point tried: the gradient to its own rounding, the differences to the loss's;
     * or there is no path to the loss, and nothing to measure (bound 0). */
    GRAD_NONE,
    /* So small that the rounding of the loss hides more than a millionth of it at every point
     * tried; the two differ by less than differences can tell. */
    GRAD_TINY,
    /* At every point tried the loss has a kink along every direction drawn, or bends within any
     * step: not checked. */
    GRAD_KINK,
    GRAD_WRONG,
} GradVerdict;

typedef struct {
    uint32_t param;
    GradVerdict verdict;
    double analytic, numeric; /* norms of the derivatives along the directions drawn */
    double relative_error;
    double bound; /* a derivative of this size or less cannot be told from zero */
} GradResult;

enum { GRADCHECK_DIRECTIONS = 3 };
#define GRADCHECK_TOLERANCE 1e-6

/* The plain interpreter on tiny data drawn from `seed`. `program` has its gradient. */
GradEvaluator *gradcheck_interpreter(const TirProgram *program, uint32_t samples,
                                     uint32_t positions, uint64_t seed, Arena *arena);

/* Loss and gradients from `at_point`; where one parameter is moved, the loss from `between`, whose
 * program takes what stop_gradient holds as inputs: the values of pass_hold's `values` at the last
 * point. Both are destroyed with it. */
GradEvaluator *gradcheck_holding(GradEvaluator *at_point, GradEvaluator *between,
                                 const TirProgram *values, uint32_t samples, uint32_t positions,
                                 uint64_t seed, Arena *arena);
/* What the interpreter is given: data drawn from `seed`, and the key of the random numbers that
 * compiled code draws from it. */
TirBinding gradcheck_binding(const TirProgram *program, uint32_t samples, uint32_t positions,
                             uint64_t seed, Arena *arena);

/* One input's data: tokens below their limit, reals from a normal distribution. */
void gradcheck_fill_input(const TirInput *input, uint64_t seed, uint64_t count, double *to);
/* Elements of an input for a batch of that size. */
uint64_t gradcheck_input_elements(const TirInput *input, uint32_t samples, uint32_t positions);

/* Checks every parameter that is trained; results[k] belong to those, in order. Returns NULL, or
 * what went wrong. */
const char *gradcheck_run(const TirProgram *program, GradEvaluator *evaluator, uint64_t seed,
                          Arena *arena, GradResult **results, uint32_t *count, double *loss);

/* Compiled code in f64. network->program has its gradient. */
ExitCode native_gradcheck_evaluator(Driver *d, const Network *network, uint32_t samples,
                                    uint32_t positions, uint64_t seed, GradEvaluator **evaluator);

#endif
