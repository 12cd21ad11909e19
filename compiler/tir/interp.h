/* The plain interpreter: every op in double precision, one element at a time, no cleverness. It
 * defines what the ops mean; compiled code is compared with it. */
#ifndef HCC_TIR_INTERP_H
#define HCC_TIR_INTERP_H

#include "tir/tir.h"

/* A tensor over its whole domain: [samples][positions][dims...], absent factors being 1. Integers
 * and booleans are stored as doubles. */
typedef struct {
    TirType type;
    uint64_t instances; /* samples, positions or both, as the domain has them */
    double *at;
} TirTensor;

typedef struct {
    uint32_t samples;
    uint32_t positions;          /* of the first space, and where `further` is NULL of every one */
    const uint32_t *further;     /* of the second on; all <= their maximum */
    const double *const *params; /* by parameter index */
    const double *const *inputs; /* by input index, laid out as TirTensor */
    bool training;
    uint64_t random_key; /* stands for seed and step */
    double step, steps;  /* of training: done, and to be done */
    /* Every result of arithmetic is off by up to this share of itself, at random: what a machine
     * that rounds to so much might find. 0: doubles, as exact as they are. */
    double rounding;
    uint64_t rounding_key; /* draws other errors */
} TirBinding;

/* Evaluates all values that `wanted` needs; tensors[k] receives wanted[k]. Memory from `arena`. */
void tir_interpret(const TirProgram *p, const TirBinding *binding, uint32_t n_wanted,
                   const TirId *wanted, TirTensor *tensors, Arena *arena);

#endif
