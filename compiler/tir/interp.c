/* The interpreter's frame: which values are needed, in which order; leaves, maps and loops.
 * Every op computes its value over the whole domain at once. */
#include "abi/spaces.h"
#include "base/philox.h"
#include "tir/interp_internal.h"
#include <string.h>

/* --- leaves ------------------------------------------------------------------------------------*/

void tir_eval_PARAM(const Eval *e, const TirNode *node, EvalValue *value) {
    value->at = (double *)e->binding->params[node->attr.index]; /* never written to */
}

void tir_eval_INPUT(const Eval *e, const TirNode *node, EvalValue *value) {
    value->at = (double *)e->binding->inputs[node->attr.index];
}

void tir_eval_TABLE(const Eval *e, const TirNode *node, EvalValue *value) {
    value->at = (double *)e->p->tables.at[node->attr.index].data;
}

void tir_eval_ARG(const Eval *e, const TirNode *node, EvalValue *value) {
    value->at = e->arguments[node->attr.index];
}

void tir_eval_CONST(const Eval *e, const TirNode *node, EvalValue *value) {
    value->at = eval_alloc(e, &node->type);
    value->at[0] = node->attr.number;
}

void tir_eval_POSITION(const Eval *e, const TirNode *node, EvalValue *value) {
    value->at = eval_alloc(e, &node->type);
    for (uint32_t t = 0; t < eval_positions(e, (uint8_t)node->attr.index); t++)
        value->at[t] = t;
}

void tir_eval_COUNT(const Eval *e, const TirNode *node, EvalValue *value) {
    value->at = eval_alloc(e, &node->type);
    value->at[0] = (double)eval_instances(e, node->attr.domain);
}

void tir_eval_TRAINING(const Eval *e, const TirNode *node, EvalValue *value) {
    value->at = eval_alloc(e, &node->type);
    value->at[0] = e->binding->training;
}

void tir_eval_STEP(const Eval *e, const TirNode *node, EvalValue *value) {
    value->at = eval_alloc(e, &node->type);
    value->at[0] = e->binding->step;
}

void tir_eval_STEPS(const Eval *e, const TirNode *node, EvalValue *value) {
    value->at = eval_alloc(e, &node->type);
    value->at[0] = e->binding->steps;
}

/* The counter: element, position, sample, call. */
void tir_eval_RANDOM(const Eval *e, const TirNode *node, EvalValue *value) {
    const uint64_t n = tir_element_count(&node->type);
    const uint32_t call = (uint32_t)(int32_t)eval_operand(e, 0, (EvalPlace){0, 0})[0];
    const TirDomain d = node->type.domain;
    value->at = eval_alloc(e, &node->type);
    EvalPlace at = {0, 0};
    double *out = value->at;
    do {
        for (uint64_t i = 0; i < n; i++) {
            uint32_t block[4];
            philox_block(e->binding->random_key,
                         (uint32_t[]){(uint32_t)i, d.space ? at.position : 0,
                                      d.sample ? at.sample : 0, call},
                         block);
            *out++ = philox_uniform(block);
        }
    } while (eval_next(e, d, &at));
}

/* --- maps --------------------------------------------------------------------------------------*/

static void eval_map(const Eval *e, const TirNode *node, EvalValue *value) {
    const uint64_t n = tir_element_count(&node->type);
    value->at = eval_alloc(e, &node->type);
    EvalPlace at = {0, 0};
    double *out = value->at;
    do {
        const double *in[3];
        double v[3];
        for (uint32_t k = 0; k < node->n_operands; k++)
            in[k] = eval_operand(e, k, at);
        for (uint64_t i = 0; i < n; i++) {
            for (uint32_t k = 0; k < node->n_operands; k++)
                v[k] = in[k][eval_type(e, k)->rank ? i : 0];
            *out++ = tir_scalar(node->op, v);
        }
    } while (eval_next(e, node->type.domain, &at));
}

#define EVAL_MAP(ident)                                                                            \
    void tir_eval_##ident(const Eval *e, const TirNode *node, EvalValue *value) {                  \
        eval_map(e, node, value);                                                                  \
    }
EVAL_MAP(NEG)
EVAL_MAP(ABS)
EVAL_MAP(EXP)
EVAL_MAP(LOG)
EVAL_MAP(SQRT)
EVAL_MAP(RSQRT)
EVAL_MAP(TANH)
EVAL_MAP(SIGMOID)
EVAL_MAP(ERF)
EVAL_MAP(SIN)
EVAL_MAP(COS)
EVAL_MAP(FLOOR)
EVAL_MAP(NOT)
EVAL_MAP(TO_REAL)
EVAL_MAP(STOP_GRADIENT)
EVAL_MAP(ADD)
EVAL_MAP(SUB)
EVAL_MAP(MUL)
EVAL_MAP(DIV)
EVAL_MAP(POW)
EVAL_MAP(MIN)
EVAL_MAP(MAX)
EVAL_MAP(LT)
EVAL_MAP(LE)
EVAL_MAP(EQ)
EVAL_MAP(AND)
EVAL_MAP(OR)
EVAL_MAP(SELECT)

/* --- loops -------------------------------------------------------------------------------------*/

/* Copies `from`, which lies in domain `outer`, to every place of `t`. */
static void eval_spread(const Eval *e, const TirType *t, TirDomain outer, const double *from,
                        double *to) {
    const uint64_t n = tir_element_count(t);
    EvalPlace at = {0, 0};
    do {
        memcpy(to + eval_instance(e, t->domain, at) * n, from + eval_instance(e, outer, at) * n,
               n * sizeof *to);
    } while (eval_next(e, t->domain, &at));
}

/* Copies slice `trip` of a stack into `slice`, which may lie in an inner domain; or back. */
static void eval_slice(const Eval *e, const TirType *slice, TirDomain domain, uint32_t trips,
                       uint32_t trip, double *stack, double *at_slice, bool back) {
    const uint64_t n = tir_element_count(slice);
    EvalPlace at = {0, 0};
    do {
        double *in_stack = stack + (eval_instance(e, domain, at) * trips + trip) * n;
        double *in_slice = at_slice + eval_instance(e, slice->domain, at) * n;
        memcpy(back ? in_stack : in_slice, back ? in_slice : in_stack, n * sizeof *stack);
    } while (eval_next(e, slice->domain, &at));
}

/* Evaluates what the results need of a block. */
static void eval_block(Eval *e, uint32_t n_wanted, const TirId *wanted);

static void eval_trip(const Eval *e, const TirNode *node, EvalValue *value, double **arguments,
                      uint32_t trip) {
    const TirAttr *a = &node->attr;
    const TirBlock *body = a->body;
    const uint32_t n = node->n_operands;
    for (uint32_t k = a->n_carried + a->n_invariant; k < n; k++)
        eval_slice(e, &body->arguments.at[k], eval_type(e, k)->domain, a->trips, trip,
                   e->values[e->operands[k]].at, arguments[k], false);
    arguments[n][0] = trip;
    Eval inner = *e;
    inner.block = body;
    inner.arguments = arguments;
    inner.arena = arena_create_child(e->arena);
    inner.values = ARENA_ARRAY(inner.arena, EvalValue, body->nodes.count);
    eval_block(&inner, body->results.count, body->results.at);
    for (uint32_t k = a->n_carried; k < body->results.count; k++) {
        const TirId id = body->results.at[k];
        const TirType *t = &body->nodes.at[id].type;
        eval_slice(e, t, t->domain, a->trips, trip, value->results[k], inner.values[id].at, true);
    }
    /* A carried value may be another's argument: all are read before any is written. */
    double **next = ARENA_ARRAY(inner.arena, double *, a->n_carried);
    for (uint32_t k = 0; k < a->n_carried; k++) {
        const TirType *t = &body->arguments.at[k];
        const TirId id = body->results.at[k];
        next[k] = eval_alloc(&inner, t);
        eval_spread(e, t, body->nodes.at[id].type.domain, inner.values[id].at, next[k]);
    }
    for (uint32_t k = 0; k < a->n_carried; k++)
        eval_spread(e, &body->arguments.at[k], body->arguments.at[k].domain, next[k], arguments[k]);
    arena_destroy(inner.arena);
}

void tir_eval_SCAN(const Eval *e, const TirNode *node, EvalValue *value) {
    const TirAttr *a = &node->attr;
    const TirBlock *body = a->body;
    double **arguments = ARENA_ARRAY(e->arena, double *, body->arguments.count);
    for (uint32_t k = 0; k < body->arguments.count; k++)
        arguments[k] = eval_alloc(e, &body->arguments.at[k]);
    for (uint32_t k = 0; k < a->n_carried + a->n_invariant; k++)
        eval_spread(e, &body->arguments.at[k], eval_type(e, k)->domain,
                    e->values[e->operands[k]].at, arguments[k]);
    value->results = ARENA_ARRAY(e->arena, double *, node->n_results);
    for (uint32_t k = 0; k < node->n_results; k++)
        value->results[k] = k < a->n_carried ? arguments[k] : eval_alloc(e, &node->result_types[k]);
    for (uint32_t i = 0; i < a->trips; i++)
        eval_trip(e, node, value, arguments, a->reverse ? a->trips - 1 - i : i);
}

/* Copies a value's elements at `position` to a place without positions but that one; or back. */
static void eval_at(const Eval *e, const TirType *t, uint32_t position, double *whole, double *one,
                    bool back) {
    const uint64_t n = tir_element_count(t);
    EvalPlace at = {0, position};
    for (; at.sample < (t->domain.sample ? e->binding->samples : 1); at.sample++) {
        double *there = whole + eval_instance(e, t->domain, at) * n;
        double *here = one + at.sample * n;
        memcpy(back ? there : here, back ? here : there, n * sizeof *one);
    }
}

/* The body at one position, as if there were no other. */
static void eval_position(const Eval *e, const TirNode *node, EvalValue *value,
                          double *const *whole, double **arguments, uint32_t position) {
    const TirAttr *a = &node->attr;
    const TirBlock *body = a->body;
    const uint8_t space = node->type.domain.space;
    TirBinding one = *e->binding;
    uint32_t further[HC_SPACES_MOST];
    for (uint32_t k = 0; k + 1 < e->p->spaces.count && k < HC_SPACES_MOST; k++)
        further[k] = k + 2 == space ? 1 : eval_positions(e, (uint8_t)(k + 2));
    one.positions = space == 1 ? 1 : e->binding->positions;
    one.further = further;
    Eval inner = *e;
    inner.binding = &one;
    inner.block = body;
    inner.arguments = arguments;
    inner.arena = arena_create_child(e->arena);
    inner.values = ARENA_ARRAY(inner.arena, EvalValue, body->nodes.count);
    for (uint32_t k = a->n_carried; k < node->n_operands; k++)
        if (body->arguments.at[k].domain.space)
            eval_at(e, &body->arguments.at[k], position, whole[k], arguments[k], false);
    eval_block(&inner, body->results.count, body->results.at);
    double **next = ARENA_ARRAY(inner.arena, double *, a->n_carried);
    for (uint32_t k = 0; k < a->n_carried; k++) {
        const TirId id = body->results.at[k];
        next[k] = eval_alloc(&inner, &body->arguments.at[k]);
        eval_spread(&inner, &body->arguments.at[k], body->nodes.at[id].type.domain,
                    inner.values[id].at, next[k]);
    }
    for (uint32_t k = 0; k < a->n_carried; k++) {
        const TirType *t = &body->arguments.at[k];
        memcpy(arguments[k], next[k],
               eval_instances(&inner, t->domain) * tir_element_count(t) * sizeof *next[k]);
        eval_at(e, t, position, value->results[k], arguments[k], true);
    }
    arena_destroy(inner.arena);
}

void tir_eval_SEQUENCE(const Eval *e, const TirNode *node, EvalValue *value) {
    const TirAttr *a = &node->attr;
    const TirBlock *body = a->body;
    const uint32_t positions = eval_positions(e, node->type.domain.space);
    double **arguments = ARENA_ARRAY(e->arena, double *, body->arguments.count);
    double **whole = ARENA_ARRAY(e->arena, double *, body->arguments.count);
    value->results = ARENA_ARRAY(e->arena, double *, node->n_results);
    for (uint32_t k = 0; k < body->arguments.count; k++)
        arguments[k] = eval_alloc(e, &body->arguments.at[k]);
    for (uint32_t k = a->n_carried; k < node->n_operands; k++) {
        const TirType *t = &body->arguments.at[k];
        whole[k] = t->domain.space ? eval_alloc(e, t) : arguments[k];
        eval_spread(e, t, eval_type(e, k)->domain, e->values[e->operands[k]].at, whole[k]);
    }
    for (uint32_t k = 0; k < a->n_carried; k++) { /* at one position */
        TirType t = body->arguments.at[k];
        t.domain.space = 0;
        eval_spread(e, &t, eval_type(e, k)->domain, e->values[e->operands[k]].at, arguments[k]);
        value->results[k] = eval_alloc(e, &node->result_types[k]);
    }
    for (uint32_t i = 0; i < positions; i++)
        eval_position(e, node, value, whole, arguments, a->reverse ? positions - 1 - i : i);
}

void tir_eval_RESULT(const Eval *e, const TirNode *node, EvalValue *value) {
    value->at = e->values[e->operands[0]].results[node->attr.index];
}

/* --- rounding ----------------------------------------------------------------------------------*/

static void eval_round_values(const Eval *e, const TirType *type, double *at) {
    const uint64_t n = eval_instances(e, type->domain) * tir_element_count(type);
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t drawn = (*e->errors)++;
        uint32_t block[4];
        philox_block(e->binding->rounding_key,
                     (uint32_t[]){(uint32_t)drawn, (uint32_t)(drawn >> 32), 0, 0}, block);
        at[i] *= 1 + e->binding->rounding * (2 * philox_uniform(block) - 1);
    }
}

static void eval_round(const Eval *e, const TirNode *node, EvalValue *value) {
    if (!tir_op_rounds(node->op))
        return;
    if (!value->results && node->type.elem == TIR_REAL)
        eval_round_values(e, &node->type, value->at);
    for (uint32_t k = 0; value->results && k < node->n_results; k++)
        eval_round_values(e, &node->result_types[k], value->results[k]);
}

/* --- blocks ------------------------------------------------------------------------------------*/

static EvalRule *const eval_rules[] = {
#define OP(ident, ...) tir_eval_##ident,
#include "tir/tir_ops.def"
};

static void eval_block(Eval *e, uint32_t n_wanted, const TirId *wanted) {
    const TirBlock *block = e->block;
    bool *needed = ARENA_ARRAY(e->arena, bool, block->nodes.count);
    for (uint32_t k = 0; k < n_wanted; k++)
        needed[wanted[k]] = true;
    for (TirId id = block->nodes.count; id-- > 1;)
        for (uint32_t k = 0; needed[id] && k < block->nodes.at[id].n_operands; k++)
            needed[block->nodes.at[id].operands[k]] = true;
    for (TirId id = 1; id < block->nodes.count; id++) {
        if (!needed[id])
            continue;
        const TirNode *node = &block->nodes.at[id];
        e->operands = node->operands;
        eval_rules[node->op](e, node, &e->values[id]);
        if (e->binding->rounding != 0)
            eval_round(e, node, &e->values[id]);
    }
}

void tir_interpret(const TirProgram *p, const TirBinding *binding, uint32_t n_wanted,
                   const TirId *wanted, TirTensor *tensors, Arena *arena) {
    uint64_t errors = 0;
    Eval e = {.p = p,
              .binding = binding,
              .block = p->block,
              .errors = &errors,
              .arena = arena_create_child(arena)};
    e.values = ARENA_ARRAY(e.arena, EvalValue, p->block->nodes.count);
    eval_block(&e, n_wanted, wanted);
    for (uint32_t k = 0; k < n_wanted; k++) {
        TirTensor *t = &tensors[k];
        t->type = p->block->nodes.at[wanted[k]].type;
        t->instances = eval_instances(&e, t->type.domain);
        const uint64_t n = t->instances * tir_element_count(&t->type);
        t->at = ARENA_ARRAY(arena, double, n);
        memcpy(t->at, e.values[wanted[k]].at, n * sizeof *t->at);
    }
    arena_destroy(e.arena);
}
