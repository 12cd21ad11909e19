/* Values of the interpreter: over which places they go, and where their elements lie. */
#include "tir/interp_internal.h"

uint32_t eval_positions(const Eval *e, uint8_t space) {
    if (space == 0)
        return 1;
    return space == 1 || !e->binding->further ? e->binding->positions
                                              : e->binding->further[space - 2];
}

uint64_t eval_instances(const Eval *e, TirDomain d) {
    return (uint64_t)(d.sample ? e->binding->samples : 1) * eval_positions(e, d.space);
}

uint64_t eval_instance(const Eval *e, TirDomain d, EvalPlace at) {
    const uint64_t s = d.sample ? at.sample : 0;
    return d.space ? s * eval_positions(e, d.space) + at.position : s;
}

bool eval_next(const Eval *e, TirDomain d, EvalPlace *at) {
    if (d.space && ++at->position < eval_positions(e, d.space))
        return true;
    at->position = 0;
    return d.sample && ++at->sample < e->binding->samples;
}

const double *eval_operand(const Eval *e, uint32_t operand, EvalPlace at) {
    const TirType *t = eval_type(e, operand);
    return e->values[e->operands[operand]].at +
           eval_instance(e, t->domain, at) * tir_element_count(t);
}

double *eval_alloc(const Eval *e, const TirType *type) {
    return ARENA_ARRAY(e->arena, double, eval_instances(e, type->domain) * tir_element_count(type));
}
