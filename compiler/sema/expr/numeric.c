/* Expressions of numbers and indices, evaluated now: index maps, tables, initial values. The same
 * elaborator does it, with every index standing for one number at a time.
 *
 * Smallest example: x[2*f + a] evaluates 2*f + a for all f, a and finds 0, 1, 2, ...: a reshape. */
#include "sema/budget.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/report.h"
#include <math.h>

/* --- evaluation --------------------------------------------------------------------------------*/

static bool numeric_step(uint32_t n, Index *const *indices) {
    for (uint32_t k = n; k-- > 0;) {
        if (++indices[k]->current < indices[k]->extent)
            return true;
        indices[k]->current = 0;
    }
    return false;
}

bool numeric_evaluate(Sema *s, Scope *scope, const Expr *e, uint32_t n, Index *const *indices,
                      double *out) {
    Mode mode = s->mode;
    mode.numeric = true;
    const Mode outer = mode_enter(s, mode);
    for (uint32_t k = 0; k < n; k++) {
        indices[k]->fixed = true;
        indices[k]->current = 0;
    }
    bool good = true;
    uint64_t at = 0;
    do {
        const Value v = elaborate(s, scope, e);
        good = v.kind == VALUE_NUMBER || v.kind == VALUE_BOOL;
        if (!good && !is_poison(v))
            sema_error(s, DIAG_CONSTANT, e->span, "a number known now is needed here, not %s",
                       value_text(s, v));
        else if (good)
            out[at++] = v.kind == VALUE_BOOL ? v.boolean : v.number;
    } while (good && numeric_step(n, indices));
    for (uint32_t k = 0; k < n; k++)
        indices[k]->fixed = false;
    mode_leave(s, outer);
    return good;
}

static void sort_by_serial(uint32_t n, Index **indices) {
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = i; k > 0 && indices[k - 1]->serial > indices[k]->serial; k--) {
            Index *swap = indices[k];
            indices[k] = indices[k - 1];
            indices[k - 1] = swap;
        }
}

static bool extents_known(Sema *s, uint32_t n, Index *const *indices, Span span) {
    for (uint32_t k = 0; k < n; k++)
        if (!indices[k]->extent) {
            sema_error(s, DIAG_INDEX_EXTENT, span,
                       "the range of index `%s` cannot be told: it indexes nothing",
                       indices[k]->name);
            sema_help(s, "give it on the left: `[%s < 4]`", indices[k]->name);
            return false;
        }
    return true;
}

Value numeric_table(Sema *s, Scope *scope, const Expr *e) {
    Index *indices[MAX_MENTIONED];
    const uint32_t n = numeric_mentioned(s, scope, e, indices);
    if (n == 0) /* all fixed */
        return POISON;
    sort_by_serial(n, indices);
    if (!extents_known(s, n, indices, e->span))
        return POISON;
    uint32_t dims[TIR_MAX_RANK];
    for (uint32_t k = 0; k < n; k++)
        dims[k] = indices[k]->extent;
    uint64_t count;
    if (!budget_elements(s, n, dims, e->span, &count))
        return POISON;
    double *data = budget_table(s, count, e->span);
    if (!data || !numeric_evaluate(s, scope, e, n, indices, data))
        return POISON;
    const TirId id = tir_table(sema_builder(s, e->span), TIR_REAL, n, dims, data);
    return value_tensor(s, id, indices, e->span);
}

/* T[3, 0] of `let T[i, j] = ...`, by evaluating its right side there. */
Value numeric_lookup(Sema *s, const Symbol *symbol, uint32_t n, const int64_t *at, Span span) {
    const Binding *b = symbol->binding;
    Scope *inner = scope_create(s, symbol->scope, symbol->scope->frame);
    for (uint32_t k = 0; k < n; k++) {
        const Expr *ie = b->target.indices.at[k];
        if (ie->kind == EXPR_COMPARE)
            ie = ie->compare.left;
        if (ie->kind != EXPR_NAME)
            return sema_error(s, DIAG_CONSTANT, span, "`%s` is not a constant table", symbol->name);
        Index *index = index_add(s, inner, ie->name, ie->span);
        index->fixed = true;
        index->current = at[k];
    }
    Mode mode = s->mode;
    mode.table_at = mode.table ? mode.table_at : span;
    mode.table = symbol;
    mode.numeric = true;
    mode.element = NULL;
    const Mode outer = mode_enter(s, mode);
    Frame *const frame = frame_switch(s, symbol->scope->frame);
    const Value v = elaborate(s, inner, b->value);
    frame_switch(s, frame);
    mode_leave(s, outer);
    return v;
}

/* sum[k] and the like, over numbers. */
bool numeric_reduce(Sema *s, Scope *scope, const Expr *e, Value *result) {
    Index *indices[TIR_MAX_RANK];
    Scope *inner = scope_create(s, scope, scope->frame);
    if (e->reduce.indices.count > TIR_MAX_RANK || e->reduce.op == REDUCE_SOFTMAX)
        return false;
    for (uint32_t k = 0; k < e->reduce.indices.count; k++) {
        indices[k] = index_create(s, inner, e->reduce.indices.at[k]);
        if (!indices[k] || !index_bound(s, scope, indices[k], e->reduce.ranges.at[k]))
            return false;
    }
    infer_extents(s, inner, e->reduce.operand);
    uint32_t extents[TIR_MAX_RANK];
    uint64_t count;
    if (!extents_known(s, e->reduce.indices.count, indices, e->span))
        return false;
    for (uint32_t k = 0; k < e->reduce.indices.count; k++)
        extents[k] = indices[k]->extent;
    if (!budget_elements(s, e->reduce.indices.count, extents, e->span, &count) || count > 1u << 20)
        return false;
    double *data = budget_table(s, count, e->span);
    if (!data ||
        !numeric_evaluate(s, inner, e->reduce.operand, e->reduce.indices.count, indices, data))
        return false;
    double r = e->reduce.op == REDUCE_PROD ? 1 : 0, best = data[0];
    uint64_t where = 0;
    for (uint64_t k = 0; k < count; k++) {
        r = e->reduce.op == REDUCE_PROD        ? r * data[k]
            : e->reduce.op == REDUCE_LOGSUMEXP ? r + exp(data[k])
                                               : r + data[k];
        if (e->reduce.op == REDUCE_MIN ? data[k] < best : data[k] > best) {
            best = data[k];
            where = k;
        }
    }
    if (e->reduce.op == REDUCE_MAX || e->reduce.op == REDUCE_MIN)
        r = best;
    else if (e->reduce.op == REDUCE_MEAN)
        r /= (double)count;
    else if (e->reduce.op == REDUCE_LOGSUMEXP)
        r = log(r);
    else if (e->reduce.op == REDUCE_ARGMAX)
        r = (double)where;
    *result = value_number(r, e->span);
    return true;
}
