/* Derivative rules of leaves and elementwise ops. Forward results are reused where the derivative
 * is a function of them (exp, tanh, sigmoid, rsqrt, division). */
#include "pass/vjp.h"
#include <math.h>

#define NO_GRADIENT(ident)                                                                         \
    void tir_grad_##ident(Vjp *v, TirId id, const TirNode *node, TirId g) {                        \
        (void)v;                                                                                   \
        (void)id;                                                                                  \
        (void)node;                                                                                \
        (void)g;                                                                                   \
    }
NO_GRADIENT(PARAM)
NO_GRADIENT(INPUT)
NO_GRADIENT(CONST)
NO_GRADIENT(TABLE)
NO_GRADIENT(POSITION)
NO_GRADIENT(COUNT)
NO_GRADIENT(TRAINING)
NO_GRADIENT(STEP)
NO_GRADIENT(STEPS)
NO_GRADIENT(RANDOM)
NO_GRADIENT(ARG)
NO_GRADIENT(FLOOR)
NO_GRADIENT(NOT)
NO_GRADIENT(TO_REAL)
NO_GRADIENT(STOP_GRADIENT)
NO_GRADIENT(LT)
NO_GRADIENT(LE)
NO_GRADIENT(EQ)
NO_GRADIENT(AND)
NO_GRADIENT(OR)

static TirId unary(Vjp *v, TirOp op, TirId x) {
    return tir_unary(v->b, op, x);
}
static TirId binary(Vjp *v, TirOp op, TirId x, TirId y) {
    return tir_binary(v->b, op, x, y);
}
static TirId real(Vjp *v, double c) {
    return tir_real(v->b, c);
}

/* One operand x, result y, adjoint g: the operand's contribution. */
#define UNARY_RULE(ident, contribution)                                                            \
    void tir_grad_##ident(Vjp *v, TirId id, const TirNode *node, TirId g) {                        \
        const TirId x = node->operands[0], y = id;                                                 \
        (void)x;                                                                                   \
        (void)y;                                                                                   \
        vjp_add(v, x, contribution, node->type.domain);                                            \
    }
UNARY_RULE(NEG, unary(v, TIR_NEG, g))
UNARY_RULE(EXP, binary(v, TIR_MUL, g, y))
UNARY_RULE(LOG, binary(v, TIR_DIV, g, x))
UNARY_RULE(SQRT, binary(v, TIR_DIV, binary(v, TIR_MUL, g, real(v, 0.5)), y))
/* y / x and not y^3, which leaves single precision where x and g, as large as x is, do not. */
UNARY_RULE(RSQRT,
           binary(v, TIR_DIV, binary(v, TIR_MUL, binary(v, TIR_MUL, g, real(v, -0.5)), y), x))
UNARY_RULE(TANH, binary(v, TIR_MUL, g, binary(v, TIR_SUB, real(v, 1), binary(v, TIR_MUL, y, y))))
UNARY_RULE(SIGMOID, binary(v, TIR_MUL, g, binary(v, TIR_MUL, y, binary(v, TIR_SUB, real(v, 1), y))))
UNARY_RULE(ERF, binary(v, TIR_MUL, binary(v, TIR_MUL, g, real(v, 1.1283791670955126)),
                       unary(v, TIR_EXP, unary(v, TIR_NEG, binary(v, TIR_MUL, x, x)))))
UNARY_RULE(SIN, binary(v, TIR_MUL, g, unary(v, TIR_COS, x)))
UNARY_RULE(COS, unary(v, TIR_NEG, binary(v, TIR_MUL, g, unary(v, TIR_SIN, x))))
UNARY_RULE(ABS, tir_select(v->b, binary(v, TIR_LT, x, real(v, 0)), unary(v, TIR_NEG, g), g))

void tir_grad_ADD(Vjp *v, TirId id, const TirNode *node, TirId g) {
    (void)id;
    vjp_add(v, node->operands[0], g, node->type.domain);
    vjp_add(v, node->operands[1], g, node->type.domain);
}

void tir_grad_SUB(Vjp *v, TirId id, const TirNode *node, TirId g) {
    (void)id;
    vjp_add(v, node->operands[0], g, node->type.domain);
    if (vjp_wants(v, node->operands[1]))
        vjp_add(v, node->operands[1], unary(v, TIR_NEG, g), node->type.domain);
}

void tir_grad_MUL(Vjp *v, TirId id, const TirNode *node, TirId g) {
    const TirId x = node->operands[0], y = node->operands[1];
    (void)id;
    if (x == y) {
        if (vjp_wants(v, x))
            vjp_add(v, x, binary(v, TIR_MUL, binary(v, TIR_MUL, g, real(v, 2)), x),
                    node->type.domain);
        return;
    }
    if (vjp_wants(v, x))
        vjp_add(v, x, binary(v, TIR_MUL, g, y), node->type.domain);
    if (vjp_wants(v, y))
        vjp_add(v, y, binary(v, TIR_MUL, g, x), node->type.domain);
}

/* d(x/y) = dx/y - (x/y) dy/y; of a reciprocal -(1/y)^2 dy, which divides no more. */
void tir_grad_DIV(Vjp *v, TirId id, const TirNode *node, TirId g) {
    const TirId x = node->operands[0], y = node->operands[1];
    double c;
    if (tir_is_constant(v->b->block, x, &c) && c == 1) {
        const TirId square = binary(v, TIR_MUL, id, id);
        vjp_add(v, y, unary(v, TIR_NEG, binary(v, TIR_MUL, g, square)), node->type.domain);
        return;
    }
    const TirId share = binary(v, TIR_DIV, g, y);
    vjp_add(v, x, share, node->type.domain);
    if (vjp_wants(v, y))
        vjp_add(v, y, unary(v, TIR_NEG, binary(v, TIR_MUL, share, id)), node->type.domain);
}

void tir_grad_POW(Vjp *v, TirId id, const TirNode *node, TirId g) {
    const TirId x = node->operands[0], p = node->operands[1];
    if (vjp_wants(v, x)) {
        const TirId lower = binary(v, TIR_POW, x, binary(v, TIR_SUB, p, real(v, 1)));
        vjp_add(v, x, binary(v, TIR_MUL, g, binary(v, TIR_MUL, p, lower)), node->type.domain);
    }
    if (vjp_wants(v, p)) { /* 0^p does not change with p > 0 */
        const TirId slope = binary(v, TIR_MUL, id, unary(v, TIR_LOG, x));
        const TirId positive = binary(v, TIR_LT, real(v, 0), x);
        vjp_add(v, p, binary(v, TIR_MUL, g, tir_select(v->b, positive, slope, real(v, 0))),
                node->type.domain);
    }
}

/* g goes to x where `first` holds, to y elsewhere. */
static void grad_choice(Vjp *v, const TirNode *node, TirId first, TirId x, TirId y, TirId g) {
    const TirId zero = real(v, 0);
    if (vjp_wants(v, x))
        vjp_add(v, x, tir_select(v->b, first, g, zero), node->type.domain);
    if (vjp_wants(v, y))
        vjp_add(v, y, tir_select(v->b, first, zero, g), node->type.domain);
}

void tir_grad_MIN(Vjp *v, TirId id, const TirNode *node, TirId g) {
    const TirId x = node->operands[0], y = node->operands[1];
    (void)id;
    grad_choice(v, node, binary(v, TIR_LE, x, y), x, y, g);
}

void tir_grad_MAX(Vjp *v, TirId id, const TirNode *node, TirId g) {
    const TirId x = node->operands[0], y = node->operands[1];
    (void)id;
    grad_choice(v, node, binary(v, TIR_LE, y, x), x, y, g);
}

void tir_grad_SELECT(Vjp *v, TirId id, const TirNode *node, TirId g) {
    (void)id;
    grad_choice(v, node, node->operands[0], node->operands[1], node->operands[2], g);
}
