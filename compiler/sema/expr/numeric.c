/* Expressions of numbers and indices, evaluated now: index maps, tables, initial values. The same
 * elaborator does it, with every index standing for one number at a time.
 *
 * Smallest example: x[2*f + a] evaluates 2*f + a for all f, a and finds 0, 1, 2, ...: a reshape. */
#include "sema/budget.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/expr/subscript.h"
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
            if (diag_error_count(s->d)) /* what would have told it may be poisoned */
                return false;
            sema_error(s, DIAG_INDEX_EXTENT, span,
                       "the range of index `%s` cannot be told: it indexes nothing",
                       indices[k]->name);
            sema_help(s, "give it on the left: `[%s < 4]`", indices[k]->name);
            return false;
        }
    return true;
}

/* Larger strides first, so that a split or merge in either order reads as a reshape. An index of
 * one value has no stride: it goes in front, where it does not stand between features and their
 * lanes. */
bool index_order_by_stride(Sema *s, Scope *scope, const Expr *e, uint32_t n, Index **indices) {
    double stride[MAX_MENTIONED] = {0};
    for (uint32_t k = 0; k < n; k++) {
        if (indices[k]->extent < 2) {
            stride[k] = INFINITY;
            continue;
        }
        double pair[2];
        const uint32_t extent = indices[k]->extent;
        for (uint32_t j = 0; j < n; j++) {
            indices[j]->fixed = j != k;
            indices[j]->current = 0;
        }
        indices[k]->extent = 2;
        const bool good = numeric_evaluate(s, scope, e, 1, &indices[k], pair);
        indices[k]->extent = extent;
        for (uint32_t j = 0; j < n; j++)
            indices[j]->fixed = false;
        if (!good)
            return false;
        stride[k] = fabs(pair[1] - pair[0]);
    }
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = i; k > 0 && stride[k - 1] < stride[k]; k--) {
            Index *index = indices[k];
            indices[k] = indices[k - 1];
            indices[k - 1] = index;
            const double swap = stride[k];
            stride[k] = stride[k - 1];
            stride[k - 1] = swap;
        }
    return true;
}

Value numeric_table(Sema *s, Scope *scope, const Expr *e) {
    Index *indices[MAX_MENTIONED];
    uint32_t n;
    if (!numeric_indices(s, scope, e, indices, &n) || n == 0) /* all fixed */
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

/* --- reductions --------------------------------------------------------------------------------*/

/* By the largest, which one knows by then: no term overflows, and one is 1. */
static double log_of_sum(const double *data, uint64_t count, double largest) {
    double sum = 0;
    if (isinf(largest))
        return largest;
    for (uint64_t k = 0; k < count; k++)
        sum += exp(data[k] - largest);
    return largest + log(sum);
}

static double reduce_numbers(ReduceKind op, const double *data, uint64_t count) {
    double r = op == REDUCE_PROD ? 1 : 0, best = data[0];
    uint64_t where = 0;
    for (uint64_t k = 0; k < count; k++) {
        r = op == REDUCE_PROD ? r * data[k] : r + data[k];
        if (op == REDUCE_MIN ? data[k] < best : data[k] > best) {
            best = data[k];
            where = k;
        }
    }
    switch (op) {
    case REDUCE_MAX:
    case REDUCE_MIN:
        return best;
    case REDUCE_MEAN:
        return r / (double)count;
    case REDUCE_LOGSUMEXP:
        return log_of_sum(data, count, best);
    case REDUCE_ARGMAX:
        return (double)where;
    default:
        return r;
    }
}

/* The indices of a reduction and how many values they take together; false, perhaps with an error,
 * when that is not known or too many. */
static bool reduced_indices(Sema *s, Scope *scope, Scope *inner, const Expr *e, Index **indices,
                            uint64_t *count) {
    const uint32_t n = e->reduce.indices.count;
    uint32_t extents[TIR_MAX_RANK];
    for (uint32_t k = 0; k < n; k++) {
        indices[k] = index_create(s, inner, e->reduce.indices.at[k]);
        if (!indices[k] || !index_bound(s, scope, indices[k], e->reduce.ranges.at[k]))
            return false;
    }
    infer_extents(s, inner, e->reduce.operand);
    if (!extents_known(s, n, indices, e->span))
        return false;
    for (uint32_t k = 0; k < n; k++)
        extents[k] = indices[k]->extent;
    return budget_elements(s, n, extents, e->span, count);
}

Value numeric_reduce(Sema *s, Scope *scope, const Expr *e) {
    Index *indices[TIR_MAX_RANK];
    uint64_t count;
    Scope *inner = scope_create(s, scope, scope->frame);
    const uint32_t n = e->reduce.indices.count;
    if (n > TIR_MAX_RANK)
        return sema_error(s, DIAG_RANK, e->reduce.indices.at[TIR_MAX_RANK].span,
                          "at most %d indices", TIR_MAX_RANK);
    if (e->reduce.op != REDUCE_SOFTMAX && reduced_indices(s, scope, inner, e, indices, &count)) {
        if (count > NUMERIC_REDUCED)
            return sema_error(s, DIAG_SIZE, e->span,
                              "%llu numbers are too many to be reduced to a constant (at most %u)",
                              (unsigned long long)count, NUMERIC_REDUCED);
        double *data = budget_table(s, count, e->span);
        if (data && numeric_evaluate(s, inner, e->reduce.operand, n, indices, data))
            return value_number(reduce_numbers(e->reduce.op, data, count), e->span);
    }
    return sema_error(s, DIAG_CONSTANT, e->span, "this is not a constant");
}

/* --- lists
 * ---------------------------------------------------------------------------------------*/

/* The entry of an initial value that is wanted, of the list that stands for all of them. */
Value numeric_list_element(Sema *s, Scope *scope, const Expr *e) {
    Element *const wanted = s->mode.element;
    const uint32_t n = e->tuple.count;
    wanted->pattern_used = wanted->table_used = true;
    if (wanted->rank == 0 || wanted->dims[0] != n)
        return sema_error(s, DIAG_INIT, e->span,
                          wanted->rank ? "this axis has %u entries, and the list has %u"
                                       : "%u entries are left for the %u of this list",
                          wanted->rank ? wanted->dims[0] : 1, n);
    Element inner = {.rank = wanted->rank - 1, .dims = wanted->dims + 1};
    for (uint32_t k = 0; k < inner.rank; k++)
        inner.at[k] = wanted->at[k + 1];
    Mode mode = s->mode;
    mode.element = &inner;
    const Mode outer = mode_enter(s, mode);
    const Value v = elaborate(s, scope, e->tuple.at[wanted->at[0]]);
    mode_leave(s, outer);
    return v;
}

Value numeric_list_entry(Sema *s, Scope *scope, const Expr *e) {
    const Expr *of = e->index.base;
    for (uint32_t k = 0; k < e->index.indices.count; k++) {
        const Expr *subscript = e->index.indices.at[k];
        if (of->kind != EXPR_LIST)
            return sema_error(s, DIAG_INDEX_RANK, e->span, "this list has %u %s, not %u", k,
                              k == 1 ? "axis" : "axes", e->index.indices.count);
        const Value at = elaborate(s, scope, subscript);
        if (at.kind != VALUE_NUMBER)
            return is_poison(at) ? at
                                 : sema_error(s, DIAG_CONSTANT, subscript->span,
                                              "an index is a number known now");
        if (!subscript_in_range(s, at.number, of->tuple.count, of, subscript->span))
            return POISON;
        of = of->tuple.at[(uint32_t)at.number];
    }
    return elaborate(s, scope, of);
}
