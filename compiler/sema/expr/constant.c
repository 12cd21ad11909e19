/* What is known before the model runs: numbers, conditions, extents, constants by name. */
#include "sema/budget.h"
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/report.h"
#include <math.h>

Value elaborate_constant(Sema *s, Scope *scope, const Expr *e) {
    Mode mode = s->mode;
    mode.numeric = mode.constant = true;
    const Mode outer = mode_enter(s, mode);
    Value v = elaborate(s, scope, e);
    mode_leave(s, outer);
    if (v.kind == VALUE_TENSOR || v.kind == VALUE_REPEAT)
        v = sema_error(s, DIAG_CONSTANT, e->span, "this is not a constant");
    return v;
}

Value symbol_constant(Sema *s, Symbol *symbol) {
    if (symbol->state == CONST_DONE)
        return symbol->value;
    if (symbol->state == CONST_ACTIVE) {
        sema_error(s, DIAG_CYCLE, symbol->span, "the constant `%s` depends on itself",
                   symbol->name);
        return POISON;
    }
    symbol->state = CONST_ACTIVE;
    Mode mode = s->mode;
    mode.numeric = false;
    mode.element = NULL;
    const Mode outer = mode_enter(s, mode);
    Frame *const frame = frame_switch(s, symbol->scope->frame);
    symbol->value = elaborate_constant(s, symbol->scope, symbol->expr);
    const bool overridden = symbol->expr->span.file != symbol->span.file; /* `--set` */
    if (!is_poison(symbol->value))
        symbol->value.span = overridden ? symbol->expr->span : symbol->span;
    frame_switch(s, frame);
    mode_leave(s, outer);
    symbol->state = CONST_DONE;
    return symbol->value;
}

bool elaborate_number(Sema *s, Scope *scope, const Expr *e, const char *what, double *number) {
    const Value v = elaborate_constant(s, scope, e);
    if (is_poison(v))
        return false;
    if (v.kind != VALUE_NUMBER) {
        sema_error(s, DIAG_CONSTANT, e->span, "%s is a number, not %s", what, value_text(s, v));
        return false;
    }
    if (!isfinite(v.number)) {
        sema_error(s, DIAG_CONSTANT, e->span, "%s is not a finite number: %g", what,
                   isnan(v.number) ? fabs(v.number)
                                   : v.number); /* NaN has a sign on some machines */
        return false;
    }
    *number = v.number;
    return true;
}

bool elaborate_bool(Sema *s, Scope *scope, const Expr *e, const char *what, bool *result) {
    const Value v = elaborate_constant(s, scope, e);
    if (is_poison(v))
        return false;
    if (v.kind != VALUE_BOOL) {
        sema_error(s, DIAG_CONSTANT, e->span, "%s is `true` or `false`, not %s", what,
                   value_text(s, v));
        return false;
    }
    *result = v.boolean;
    return true;
}

bool elaborate_whole(Sema *s, Scope *scope, const Expr *e, const char *what, int64_t low,
                     int64_t high, int64_t *result) {
    double number;
    if (!elaborate_number(s, scope, e, what, &number))
        return false;
    if (number == floor(number) && number >= (double)low && number <= (double)high) {
        *result = (int64_t)number;
        return true;
    }
    /* a constant used in many places is wrong in one: where it is set, perhaps by --set */
    Symbol *symbol = e->kind == EXPR_NAME ? scope_find(s, scope, e->name) : NULL;
    const char *name = symbol ? arena_printf(s->arena, "`%s`", e->name) : what;
    const bool given = symbol && symbol->kind == SYMBOL_CONST && symbol->expr &&
                       symbol->expr->span.file != symbol->span.file;
    const Span at = given                         ? symbol->expr->span
                    : symbol && symbol->span.file ? symbol->span
                                                  : e->span;
    if (number != floor(number))
        sema_error(s, DIAG_EXTENT, at, "%s is %.10g, but must be a whole number", name, number);
    else
        sema_error(s, number > (double)high ? DIAG_SIZE : DIAG_EXTENT, at,
                   "%s is %.15g, but must lie between %lld and %lld", name, number, (long long)low,
                   (long long)high);
    if (symbol)
        sema_note(s, e->span, "it serves as %s here", what);
    if (symbol && symbol->kind == SYMBOL_CONST && !s->trial) /* what a trial says may be unsaid */
        symbol->value = POISON;                              /* once is enough */
    return false;
}

bool elaborate_extent(Sema *s, Scope *scope, const Expr *e, uint32_t *extent) {
    int64_t whole;
    if (!elaborate_whole(s, scope, e, "an extent", 1, INT32_MAX, &whole))
        return false;
    *extent = (uint32_t)whole;
    return true;
}

bool elaborate_shape(Sema *s, Scope *scope, const Target *target, uint32_t *dims) {
    const uint32_t rank = target->indices.count;
    if (rank > TIR_MAX_RANK) {
        sema_error(s, DIAG_RANK, target->span, "a tensor has at most %d axes", TIR_MAX_RANK);
        return false;
    }
    bool good = true;
    for (uint32_t k = 0; k < rank; k++)
        good = elaborate_extent(s, scope, target->indices.at[k], &dims[k]) && good;
    uint64_t count;
    return good && budget_elements(s, rank, dims, target->span, &count);
}

bool index_bound(Sema *s, Scope *scope, Index *index, const Expr *range) {
    uint32_t extent;
    if (!range)
        return true;
    if (!elaborate_extent(s, scope, range, &extent))
        return false;
    index_fix(index, extent, range->span);
    index->bounded = true;
    return true;
}
