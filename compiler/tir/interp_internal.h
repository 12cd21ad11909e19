/* What the interpreter's files share. */
#ifndef HCC_TIR_INTERP_INTERNAL_H
#define HCC_TIR_INTERP_INTERNAL_H

#include "tir/interp.h"
#include "tir/tir_internal.h"

/* The value of one id over its whole domain; of a tuple, one array a result. */
typedef struct {
    double *at;
    double **results;
} EvalValue;

typedef struct {
    const TirProgram *p;
    const TirBinding *binding;
    const TirBlock *block;
    const TirId *operands; /* of the node being evaluated */
    EvalValue *values;     /* by id */
    double *const *arguments;
    uint64_t *errors; /* how many roundings were drawn */
    Arena *arena;     /* lives as long as `values` */
} Eval;

/* One place of a domain; absent factors are ignored. */
typedef struct {
    uint32_t sample, position;
} EvalPlace;

uint32_t eval_positions(const Eval *e, uint8_t space); /* 1 without one */
uint64_t eval_instances(const Eval *e, TirDomain d);   /* how many places d has */
uint64_t eval_instance(const Eval *e, TirDomain d, EvalPlace at);
/* Steps through the places of d; starts from {0,0}; false after the last. */
bool eval_next(const Eval *e, TirDomain d, EvalPlace *at);

static inline const TirType *eval_type(const Eval *e, uint32_t operand) {
    return &e->block->nodes.at[e->operands[operand]].type;
}
/* The operand's elements as seen from `at`. */
const double *eval_operand(const Eval *e, uint32_t operand, EvalPlace at);
double *eval_alloc(const Eval *e, const TirType *type); /* zeroed, over the whole domain */

/* What an op's rule does: fills *value for `node`. */
typedef void EvalRule(const Eval *e, const TirNode *node, EvalValue *value);
#define OP(ident, ...) EvalRule tir_eval_##ident;
#include "tir/tir_ops.def"

#endif
