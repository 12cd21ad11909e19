/* Elementwise operations: numbers fold as they go; what is a tensor is built. */
#include "sema/elaboration.h"
#include "sema/report.h"
#include "sema/value/tensor.h"
#include <math.h>

/* --- numbers -----------------------------------------------------------------------------------*/

static bool op_compares(TirOp op) {
    return op == TIR_LT || op == TIR_LE || op == TIR_EQ;
}
static bool op_is_logic(TirOp op) {
    return op == TIR_AND || op == TIR_OR || op == TIR_NOT;
}

/* --- tensors -----------------------------------------------------------------------------------*/

bool domain_meets(Sema *s, TirDomain *all, const Tensor *x, Span span) {
    if (tir_domain_join(*all, x->type.domain, all))
        return true;
    const TirSpace *spaces = s->program->spaces.at;
    sema_error(s, DIAG_DOMAIN, span, "one operand lives at positions `%s`, the other at `%s`",
               spaces[all->space - 1].name, spaces[x->type.domain.space - 1].name);
    sema_help(
        s,
        "take one of them at the other's positions, such as `x[4 * s + k, c]` or `p[floor(t / "
        "4), c]`, or pool it: `mean[%s] ...`",
        spaces[all->space - 1].name);
    return false;
}

Value value_unary(Sema *s, TirOp op, Value a, Span span) {
    if (a.kind == VALUE_NUMBER && op != TIR_NOT)
        return value_number(tir_scalar(op, &a.number), span);
    if (a.kind == VALUE_BOOL && op == TIR_NOT)
        return value_bool(!a.boolean, span);
    const Tensor *t = op == TIR_NOT ? value_as_condition(s, a, span) : value_as_real(s, a, span);
    if (!t)
        return POISON;
    const TirId id = tir_unary(sema_builder(s, span), op, tensor_use(s, t));
    return value_derived(s, id, t->type.domain, t->axes, span);
}

/* Equality of definitions and texts, for conditions such as `wiring == mhc`. */
static bool fold_equal(Value a, Value b, bool *equal) {
    if (a.kind != b.kind)
        return false;
    if (a.kind == VALUE_BOOL)
        *equal = a.boolean == b.boolean;
    else if (a.kind == VALUE_STRING)
        *equal = a.string == b.string;
    else if (a.kind == VALUE_CALLABLE)
        *equal = a.callable->item == b.callable->item &&
                 a.callable->builtin == b.callable->builtin &&
                 a.callable->site == b.callable->site && a.callable->branch == b.callable->branch;
    else
        return false;
    return true;
}

Value value_binary(Sema *s, TirOp op, Value a, Value b, Span span) {
    if (is_poison(a) || is_poison(b)) { /* what is wrong anyway is said */
        if (a.kind == VALUE_CALLABLE && op != TIR_EQ)
            value_as_tensor(s, a, span);
        if (b.kind == VALUE_CALLABLE && op != TIR_EQ)
            value_as_tensor(s, b, span);
        return POISON;
    }
    bool equal;
    if (a.kind == VALUE_NUMBER && b.kind == VALUE_NUMBER && !op_is_logic(op)) {
        const double r = tir_scalar(op, (double[]){a.number, b.number});
        return op_compares(op) ? value_bool(r != 0, span) : value_number(r, span);
    }
    if (a.kind == VALUE_BOOL && b.kind == VALUE_BOOL && op_is_logic(op))
        return value_bool(op == TIR_AND ? a.boolean && b.boolean : a.boolean || b.boolean, span);
    if (op == TIR_EQ && fold_equal(a, b, &equal))
        return value_bool(equal, span);
    const Tensor *x, *y;
    const bool both_integers = op_compares(op) && a.kind == VALUE_TENSOR &&
                               b.kind == VALUE_TENSOR && a.tensor->type.elem == TIR_INT &&
                               b.tensor->type.elem == TIR_INT;
    if (op_is_logic(op)) {
        x = value_as_condition(s, a, span);
        y = value_as_condition(s, b, span);
    } else if (both_integers) {
        x = a.tensor;
        y = b.tensor;
    } else {
        x = value_as_real(s, a, span);
        y = value_as_real(s, b, span);
    }
    Layout layout = {0};
    TirDomain domain = x ? x->type.domain : TIR_GLOBAL;
    if (!x || !y || !domain_meets(s, &domain, y, span) || !layout_join(s, &layout, x, span) ||
        !layout_join(s, &layout, y, span) || !layout_check_size(s, &layout, span))
        return POISON;
    const TirId p = tensor_align(s, x, &layout, span), q = tensor_align(s, y, &layout, span);
    const TirId id = tir_binary(sema_builder(s, span), op, p, q);
    return value_derived(s, id, domain, layout.axes, span);
}

Value value_select(Sema *s, Value condition, Value a, Value b, Span span) {
    if (is_poison(condition) || is_poison(a) || is_poison(b))
        return POISON;
    if (condition.kind == VALUE_BOOL) {
        if (a.kind != VALUE_NUMBER && a.kind != VALUE_TENSOR)
            s->spent.decisions++; /* of what is called */
        return condition.boolean ? a : b;
    }
    const Tensor *c = value_as_condition(s, condition, span);
    const Tensor *x = value_as_real(s, a, span), *y = value_as_real(s, b, span);
    Layout layout = {0};
    TirDomain domain = c ? c->type.domain : TIR_GLOBAL;
    if (!c || !x || !y || !domain_meets(s, &domain, x, span) ||
        !domain_meets(s, &domain, y, span) || !layout_join(s, &layout, c, span) ||
        !layout_join(s, &layout, x, span) || !layout_join(s, &layout, y, span) ||
        !layout_check_size(s, &layout, span))
        return POISON;
    const TirId k = tensor_align(s, c, &layout, span), p = tensor_align(s, x, &layout, span),
                q = tensor_align(s, y, &layout, span);
    const TirId id = tir_select(sema_builder(s, span), k, p, q);
    return value_derived(s, id, domain, layout.axes, span);
}

/* --- composed ----------------------------------------------------------------------------------*/

/* a - n*floor(a/n): what is left has the divisor's sign. */
Value value_modulo(Sema *s, Value a, Value n, Span span) {
    if (is_poison(a) || is_poison(n))
        return POISON;
    if (a.kind == VALUE_NUMBER && n.kind == VALUE_NUMBER) {
        if (n.number == 0)
            return sema_error(s, DIAG_CONSTANT, span, "modulo zero");
        return value_number(a.number - n.number * floor(a.number / n.number), span);
    }
    const Value q = value_unary(s, TIR_FLOOR, value_binary(s, TIR_DIV, a, n, span), span);
    return value_binary(s, TIR_SUB, a, value_binary(s, TIR_MUL, n, q, span), span);
}

Value value_power(Sema *s, Value base, Value exponent, Span span) {
    if (is_poison(base) || is_poison(exponent))
        return POISON;
    if (exponent.kind == VALUE_NUMBER && base.kind != VALUE_NUMBER) {
        const double p = exponent.number;
        if (p == 0.5 || p == -0.5)
            return value_unary(s, p > 0 ? TIR_SQRT : TIR_RSQRT, base, span);
        if (p == floor(p) && fabs(p) >= 1 && fabs(p) <= 4) { /* exact, and fine below zero */
            Value r = base;
            if (fabs(p) >= 2)
                r = value_binary(s, TIR_MUL, base, base, span);
            if (fabs(p) == 3)
                r = value_binary(s, TIR_MUL, r, base, span);
            if (fabs(p) == 4)
                r = value_binary(s, TIR_MUL, r, r, span);
            return p > 0 ? r : value_binary(s, TIR_DIV, value_number(1, span), r, span);
        }
    }
    if (base.kind == VALUE_NUMBER && exponent.kind != VALUE_NUMBER && base.number > 0) {
        const Value scaled =
            value_binary(s, TIR_MUL, exponent, value_number(log(base.number), span), span);
        return value_unary(s, TIR_EXP, scaled, span);
    }
    return value_binary(s, TIR_POW, base, exponent, span);
}
