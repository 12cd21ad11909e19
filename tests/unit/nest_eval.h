/* A plain evaluator of loop nests for tests: one lane at a time, no cleverness. Results of f32
 * operations are rounded to f32. Covers every operation; transcendental ones come from libm. */
#ifndef HCC_TESTS_NEST_EVAL_H
#define HCC_TESTS_NEST_EVAL_H

#include "abi/abi.h"
#include "base/philox.h"
#include "nest/nest.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double real[256];
    int64_t whole[256];
} EvalValue;

typedef struct {
    const NestKernel *kernel;
    EvalValue *value;
    void **memory; /* by buffer */
    const HcExtents *extents;
    int64_t task;
} Eval;

static bool eval_is_real(NestElem elem) {
    return elem == NEST_F32 || elem == NEST_F64;
}

static void eval_body(Eval *e, const NestBody *body);

static int64_t eval_i64(const Eval *e, NestId id) {
    return e->value[id].whole[0];
}

static int64_t eval_address(const Eval *e, const NestAddress *at) {
    int64_t sum = at->offset;
    for (uint32_t k = 0; k < at->n_terms; k++)
        sum += at->coefficient[k] * eval_i64(e, at->value[k]);
    return sum;
}

static double eval_round(NestElem elem, double x) {
    return elem == NEST_F32 ? (float)x : x;
}

static void eval_get(const Eval *e, uint32_t buffer, int64_t at, EvalValue *to, uint32_t lane) {
    const void *memory = e->memory[buffer];
    switch (e->kernel->buffers.at[buffer].elem) {
    case NEST_F32:
        to->real[lane] = ((const float *)memory)[at];
        break;
    case NEST_F64:
        to->real[lane] = ((const double *)memory)[at];
        break;
    case NEST_I32:
        to->whole[lane] = ((const int32_t *)memory)[at];
        break;
    default:
        to->whole[lane] = ((const int64_t *)memory)[at];
        break;
    }
}

static void eval_put(const Eval *e, uint32_t buffer, int64_t at, const EvalValue *x,
                     uint32_t lane) {
    void *memory = e->memory[buffer];
    switch (e->kernel->buffers.at[buffer].elem) {
    case NEST_F32:
        ((float *)memory)[at] = (float)x->real[lane];
        break;
    case NEST_F64:
        ((double *)memory)[at] = x->real[lane];
        break;
    case NEST_I32:
        ((int32_t *)memory)[at] = (int32_t)x->whole[lane];
        break;
    default:
        ((int64_t *)memory)[at] = x->whole[lane];
        break;
    }
}

static double eval_real_op(NestOp op, double x, double y, double z) {
    switch (op) {
    case NEST_NEG:
        return -x;
    case NEST_ABS:
        return fabs(x);
    case NEST_EXP:
        return exp(x);
    case NEST_EXP2:
        return x < -126 ? 0 : exp2(x);
    case NEST_LOG:
        return log(x);
    case NEST_SQRT:
        return sqrt(x);
    case NEST_RSQRT:
        return 1 / sqrt(x);
    case NEST_TANH:
        return tanh(x);
    case NEST_SIGMOID:
        return 1 / (1 + exp(-x));
    case NEST_ERF:
        return erf(x);
    case NEST_SIN:
        return sin(x);
    case NEST_COS:
        return cos(x);
    case NEST_FLOOR:
        return floor(x);
    case NEST_ADD:
    case NEST_SUM_LANES:
        return x + y;
    case NEST_SUB:
        return x - y;
    case NEST_MUL:
        return x * y;
    case NEST_DIV:
        return x / y;
    case NEST_POW:
        return pow(x, y);
    case NEST_MIN:
    case NEST_MIN_LANES:
        return x < y ? x : y;
    case NEST_MAX:
    case NEST_MAX_LANES:
        return x > y ? x : y;
    case NEST_FMA:
        return fma(x, y, z);
    default:
        return NAN;
    }
}

static int64_t eval_whole_op(NestOp op, int64_t x, int64_t y) {
    switch (op) {
    case NEST_NEG:
        return -x;
    case NEST_ABS:
        return x < 0 ? -x : x;
    case NEST_ADD:
    case NEST_SUM_LANES:
        return x + y;
    case NEST_SUB:
        return x - y;
    case NEST_MUL:
        return x * y;
    case NEST_DIV:
        return x / y;
    case NEST_REM:
        return x % y;
    case NEST_MIN:
    case NEST_MIN_LANES:
        return x < y ? x : y;
    case NEST_MAX:
    case NEST_MAX_LANES:
        return x > y ? x : y;
    case NEST_AND:
        return x && y;
    case NEST_OR:
        return x || y;
    case NEST_NOT:
        return !x;
    default:
        return 0;
    }
}

static void eval_loop(Eval *e, const NestLoop *loop) {
    EvalValue *held = calloc(loop->n_carried + 1, sizeof *held);
    for (uint32_t k = 0; k < loop->n_carried; k++)
        e->value[loop->inner[k]] = e->value[loop->initial[k]];
    for (int64_t v = eval_i64(e, loop->begin); v < eval_i64(e, loop->end); v += loop->step) {
        e->value[loop->variable].whole[0] = v;
        eval_body(e, &loop->body);
        for (uint32_t k = 0; k < loop->n_carried; k++)
            held[k] = e->value[loop->yield[k]];
        for (uint32_t k = 0; k < loop->n_carried; k++)
            e->value[loop->inner[k]] = held[k];
    }
    free(held);
}

static void eval_memory(Eval *e, const NestInstruction *i, EvalValue *r) {
    int64_t at = eval_address(e, &i->address);
    bool load = i->op == NEST_LOAD;
    uint32_t lanes = load ? i->type.lanes : nest_type(e->kernel, i->operands[0]).lanes;
    bool counted = load ? i->n_operands > 0 : i->n_operands > 1;
    int64_t valid = counted ? eval_i64(e, i->operands[load ? 0 : 1]) : lanes;
    for (uint32_t k = 0; k < lanes; k++) {
        if ((int64_t)k >= valid)
            continue; /* a load has zeroed r already */
        if (load)
            eval_get(e, i->buffer, at + (int64_t)k * i->stride, r, k);
        else
            eval_put(e, i->buffer, at + k, &e->value[i->operands[0]], k);
    }
}

static void eval_lanes(Eval *e, const NestInstruction *i, NestType from, EvalValue *r) {
    EvalValue x = e->value[i->operands[0]];
    for (uint32_t half = from.lanes / 2; half; half /= 2)
        for (uint32_t k = 0; k < half; k++) {
            x.real[k] = eval_round(from.elem, eval_real_op(i->op, x.real[k], x.real[k + half], 0));
            x.whole[k] = eval_whole_op(i->op, x.whole[k], x.whole[k + half]);
        }
    *r = x;
}

static void eval_lane(Eval *e, const NestInstruction *i, NestType from, EvalValue *r, uint32_t k) {
    const EvalValue *x = &e->value[i->operands[0]];
    const EvalValue *y = i->n_operands > 1 ? &e->value[i->operands[1]] : x;
    const EvalValue *z = i->n_operands > 2 ? &e->value[i->operands[2]] : x;
    bool real = eval_is_real(from.elem);
    switch (i->op) {
    case NEST_CONST:
        r->real[k] = eval_round(i->type.elem, i->number);
        r->whole[k] = (int64_t)i->number;
        break;
    case NEST_LANES:
        r->whole[k] = k;
        break;
    case NEST_SPLAT:
        r->real[k] = x->real[0];
        r->whole[k] = x->whole[0];
        break;
    case NEST_LANE:
        r->real[k] = x->real[i->index];
        r->whole[k] = x->whole[i->index];
        break;
    case NEST_SELECT:
        r->real[k] = x->whole[k] ? y->real[k] : z->real[k];
        r->whole[k] = x->whole[k] ? y->whole[k] : z->whole[k];
        break;
    case NEST_LT:
        r->whole[k] = real ? x->real[k] < y->real[k] : x->whole[k] < y->whole[k];
        break;
    case NEST_LE:
        r->whole[k] = real ? x->real[k] <= y->real[k] : x->whole[k] <= y->whole[k];
        break;
    case NEST_EQ:
        r->whole[k] = real ? x->real[k] == y->real[k] : x->whole[k] == y->whole[k];
        break;
    case NEST_CAST:
        if (i->type.elem == NEST_BOOL)
            r->whole[k] = real ? x->real[k] != 0 : x->whole[k] != 0;
        else if (eval_is_real(i->type.elem))
            r->real[k] = eval_round(i->type.elem, real ? x->real[k] : (double)x->whole[k]);
        else
            r->whole[k] = real ? (int64_t)x->real[k] : x->whole[k];
        break;
    case NEST_RANDOM: {
        uint32_t counter[4], block[4];
        for (uint32_t w = 0; w < 4; w++)
            counter[w] = (uint32_t)e->value[i->operands[w]].whole[k];
        philox_block((uint64_t)e->value[i->operands[4]].whole[0], counter, block);
        r->real[k] = i->type.elem == NEST_F64 ? philox_uniform(block) : (block[1] >> 8) * 0x1p-24;
        break;
    }
    default:
        if (real)
            r->real[k] =
                eval_round(from.elem, eval_real_op(i->op, x->real[k], y->real[k], z->real[k]));
        else
            r->whole[k] = eval_whole_op(i->op, x->whole[k], y->whole[k]);
    }
}

static void eval_body(Eval *e, const NestBody *body) {
    for (uint32_t n = 0; n < body->instructions.count; n++) {
        NestId id = body->instructions.at[n];
        const NestInstruction *i = &e->kernel->instructions.at[id];
        EvalValue *r = &e->value[id], blank = {{0}, {0}};
        NestType from = i->n_operands ? nest_type(e->kernel, i->operands[0]) : i->type;
        switch (i->op) {
        case NEST_EXTENT:
            r->whole[0] = ((const int64_t *)e->extents)[i->index];
            break;
        case NEST_TASK:
            r->whole[0] = e->task;
            break;
        case NEST_LOOP:
            eval_loop(e, i->loop);
            break;
        case NEST_IF:
            if (eval_i64(e, i->operands[0]))
                eval_body(e, i->body);
            break;
        case NEST_RESULT:
            *r = e->value[i->loop->inner[i->index]];
            break;
        case NEST_PREFETCH:
            break;
        case NEST_LOAD:
            *r = blank;
            eval_memory(e, i, r);
            break;
        case NEST_STORE:
            eval_memory(e, i, NULL);
            break;
        case NEST_SUM_LANES:
        case NEST_MAX_LANES:
        case NEST_MIN_LANES:
            eval_lanes(e, i, from, r);
            break;
        default:
            *r = blank;
            for (uint32_t k = 0; k < i->type.lanes; k++)
                eval_lane(e, i, from, r, k);
        }
    }
}

/* Runs one task; `arguments` are the ARGUMENT buffers in order. */
static inline void eval_kernel(const NestKernel *kernel, void *const *arguments,
                               const HcExtents *extents, int64_t task) {
    Eval e = {.kernel = kernel, .extents = extents, .task = task};
    e.value = calloc(kernel->instructions.count, sizeof *e.value);
    e.memory = calloc(kernel->buffers.count + 1, sizeof *e.memory);
    for (uint32_t k = 0, argument = 0; k < kernel->buffers.count; k++) {
        const NestBuffer *b = &kernel->buffers.at[k];
        e.memory[k] = b->kind == NEST_SCRATCH ? calloc(b->elements + 1, 8) : arguments[argument++];
    }
    eval_body(&e, &kernel->body);
    for (uint32_t k = 0; k < kernel->buffers.count; k++)
        if (kernel->buffers.at[k].kind == NEST_SCRATCH)
            free(e.memory[k]);
    free(e.memory);
    free(e.value);
}

#endif
