/* Builders of elementwise ops, with the folding that every caller profits from:
 *
 *     constants of constants · x+0 x-0 x*1 x/1 x^1 · x*0 · --x · x^2 = x*x · f(repeat c) = repeat
 * f(c)
 *
 * A folded result has the shape the op would have had; its domain may be an outer one. */
#include "tir/tir_internal.h"

static const TirType *type_of(const TirBuilder *b, TirId id) {
    return &b->block->nodes.at[id].type;
}

static TirId append(TirBuilder *b, TirOp op, uint32_t n, const TirId *operands) {
    TirNode node = {.op = op, .n_operands = n, .operands = operands};
    return tir_append(b, &node);
}

/* `x` repeated to the shape of `like`; itself when it has that shape. */
static TirId shaped_like(TirBuilder *b, TirId x, TirType like) {
    if (type_of(b, x)->rank == like.rank)
        return x;
    return tir_broadcast(b, x, like.rank, like.dims, NULL);
}

static TirId constant_like(TirBuilder *b, TirElem elem, double value, TirType like) {
    TirNode node = {.op = TIR_CONST, .attr.number = value, .type.elem = elem};
    return shaped_like(b, tir_append(b, &node), like);
}

/* The rank-0 value that `x` repeats, or x. */
static TirId repeated_scalar(const TirBuilder *b, TirId x) {
    const TirNode *node = tir_node(b->block, x);
    if (node->op == TIR_BROADCAST && type_of(b, node->operands[0])->rank == 0)
        return node->operands[0];
    return x;
}

/* Checks with the shape rule; then all operands constant: the constant. */
static bool fold_constants(TirBuilder *b, TirNode *node, TirId *folded) {
    double values[3];
    const char *wrong = tir_infer(b->program, b->block, node);
    if (wrong)
        tir_fault(b, node->op, wrong);
    for (uint32_t k = 0; k < node->n_operands; k++)
        if (!tir_is_constant(b->block, node->operands[k], &values[k]))
            return false;
    *folded = constant_like(b, node->type.elem, tir_scalar(node->op, values), node->type);
    return true;
}

TirId tir_unary(TirBuilder *b, TirOp op, TirId x) {
    TirNode node = {.op = op, .n_operands = 1, .operands = &x};
    TirId folded;
    if (fold_constants(b, &node, &folded))
        return folded;
    const TirNode *inner = tir_node(b->block, x);
    if ((op == TIR_NEG && inner->op == TIR_NEG) || (op == TIR_NOT && inner->op == TIR_NOT))
        return inner->operands[0];
    if (op == TIR_STOP_GRADIENT && inner->op == TIR_STOP_GRADIENT)
        return x;
    const TirId scalar = repeated_scalar(b, x);
    if (scalar != x)
        return shaped_like(b, tir_unary(b, op, scalar), node.type);
    return tir_insert(b, &node);
}

static TirId fold_power(TirBuilder *b, TirId x, double exponent) {
    if (exponent == 2)
        return tir_binary(b, TIR_MUL, x, x);
    if (exponent == 3)
        return tir_binary(b, TIR_MUL, tir_binary(b, TIR_MUL, x, x), x);
    if (exponent == 0.5)
        return tir_unary(b, TIR_SQRT, x);
    if (exponent == -0.5)
        return tir_unary(b, TIR_RSQRT, x);
    if (exponent == -1)
        return tir_binary(b, TIR_DIV, tir_real(b, 1), x);
    return 0;
}

/* One operand is the constant c; 0 when nothing is gained. */
static TirId fold_left(TirBuilder *b, TirOp op, double c, TirId y, const TirType *out) {
    if (op == TIR_ADD && c == 0)
        return shaped_like(b, y, *out);
    if (op == TIR_SUB && c == 0)
        return shaped_like(b, tir_unary(b, TIR_NEG, y), *out);
    if (op == TIR_MUL && c == 1)
        return shaped_like(b, y, *out);
    if (op == TIR_MUL && c == -1)
        return shaped_like(b, tir_unary(b, TIR_NEG, y), *out);
    if ((op == TIR_MUL || op == TIR_DIV) && c == 0)
        return constant_like(b, out->elem, 0, *out);
    if (op == TIR_AND)
        return c != 0 ? shaped_like(b, y, *out) : constant_like(b, TIR_BOOL, 0, *out);
    if (op == TIR_OR)
        return c == 0 ? shaped_like(b, y, *out) : constant_like(b, TIR_BOOL, 1, *out);
    return 0;
}

static TirId fold_right(TirBuilder *b, TirOp op, TirId x, double c, const TirType *out) {
    if (op == TIR_ADD || op == TIR_MUL || op == TIR_AND || op == TIR_OR)
        return fold_left(b, op, c, x, out);
    if (op == TIR_SUB && c == 0)
        return shaped_like(b, x, *out);
    if (op == TIR_DIV && c == 1)
        return shaped_like(b, x, *out);
    if (op == TIR_DIV && c == -1)
        return shaped_like(b, tir_unary(b, TIR_NEG, x), *out);
    if (op == TIR_POW && c == 1)
        return shaped_like(b, x, *out);
    if (op == TIR_POW && c == 0)
        return constant_like(b, out->elem, 1, *out);
    if (op == TIR_POW) {
        const TirId power = fold_power(b, x, c);
        return power ? shaped_like(b, power, *out) : 0;
    }
    return 0;
}

TirId tir_binary(TirBuilder *b, TirOp op, TirId x, TirId y) {
    TirId operands[2] = {x, y}, folded;
    TirNode node = {.op = op, .n_operands = 2, .operands = operands};
    double c;
    if (fold_constants(b, &node, &folded))
        return folded;
    const TirType out = node.type;
    if (tir_is_constant(b->block, x, &c) && (folded = fold_left(b, op, c, y, &out)))
        return folded;
    if (tir_is_constant(b->block, y, &c) && (folded = fold_right(b, op, x, c, &out)))
        return folded;
    /* Repeating is implicit here; a view less. Two repeated scalars meet before repeating. */
    const TirId sx = repeated_scalar(b, x), sy = repeated_scalar(b, y);
    if (out.rank && type_of(b, sx)->rank == 0 && type_of(b, sy)->rank == 0)
        return shaped_like(b, tir_binary(b, op, sx, sy), out);
    operands[0] = sx;
    operands[1] = sy;
    return append(b, op, 2, operands);
}

TirId tir_select(TirBuilder *b, TirId condition, TirId x, TirId y) {
    TirId operands[3] = {condition, x, y}, folded;
    TirNode node = {.op = TIR_SELECT, .n_operands = 3, .operands = operands};
    double c;
    if (fold_constants(b, &node, &folded))
        return folded;
    const TirType out = node.type;
    if (x == y)
        return shaped_like(b, x, out);
    if (tir_is_constant(b->block, condition, &c))
        return shaped_like(b, c != 0 ? x : y, out);
    uint32_t full = 0;
    TirId scalars[3];
    for (uint32_t k = 0; k < 3; k++) {
        scalars[k] = repeated_scalar(b, operands[k]);
        full += type_of(b, scalars[k])->rank > 0;
    }
    if (out.rank && full == 0)
        return shaped_like(b, tir_select(b, scalars[0], scalars[1], scalars[2]), out);
    return append(b, TIR_SELECT, 3, scalars);
}
