/* Finite differences against the gradient, whoever computes the two.
 *
 *     compile_to(&run, PASS_DCE);
 *     GradReport report;
 *     CompileStatus status = gradcheck_network(&run, interpret, seed, &report); */
#ifndef HCC_GRADCHECK_GRADCHECK_H
#define HCC_GRADCHECK_GRADCHECK_H

#include "abi/spaces.h"
#include "compile/compile.h"
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

/* What came of a check. Everything lies in the run's arena. */
typedef struct {
    GradResult *results; /* of every parameter that is trained, in order */
    uint32_t count;
    uint32_t counts[GRAD_WRONG + 1]; /* of each verdict */
    double loss;                     /* at the first point */
    uint32_t samples;                /* of the batch that it was looked at with */
    uint32_t n_spaces;
    uint32_t positions[HC_SPACES_MOST]; /* by space */
    double worst;                       /* largest relative error of what could be compared */
    const char *wrong;                  /* nothing could be checked, and why; or NULL */
} GradReport;

/* Checks the gradient of run->network, which has come to PASS_DCE: compiled in double precision, or
 * with the interpreter. Inputs, parameters and random numbers are drawn from `seed`. What cannot be
 * compiled or loaded is told as compile_to does. */
CompileStatus gradcheck_network(CompileRun *run, bool interpret, uint64_t seed, GradReport *report);

/* Checks every parameter that is trained, with whatever computes loss and gradient. */
void gradcheck_run(const TirProgram *program, GradEvaluator *evaluator, uint64_t seed, Arena *arena,
                   GradReport *report);

/* One input's data: tokens below their limit, reals from a normal distribution. */
void gradcheck_fill_input(const TirInput *input, uint64_t seed, uint64_t count, double *to);
/* Elements of an input for a batch of that size, with positions by space. */
uint64_t gradcheck_input_elements(const TirInput *input, uint32_t samples,
                                  const uint32_t *positions);

#endif
