/* What `x[...]` does to x.
 *
 * A subscript is an index (labels the axis), a number (one entry), a position such as `t - 1` of a
 * value that lives there (a shift), or an expression of indices and numbers, which is evaluated for
 * all their values: a run of neighbours becomes SLICE, one entry for all of them BROADCAST, an axis
 * split into two RESHAPE, anything else TAKE. What differs from position to position or is known
 * only when the model runs is looked up (lookup.c). */
#include "sema/expr/subscript.h"
#include "sema/budget.h"
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/report.h"
#include "sema/site/trunk.h"
#include "sema/trial_extents.h"
#include "sema/usage.h"
#include <math.h>
#include <string.h>

static bool work_drop_axis(Sema *s, Work *w, uint32_t axis, Span span) {
    for (uint32_t k = axis; k + 1 < w->rank; k++) {
        w->dims[k] = w->dims[k + 1];
        w->axes[k] = w->axes[k + 1];
    }
    w->rank--;
    w->id = tir_reshape(sema_builder(s, span), w->id, w->rank, w->dims);
    return true;
}

static bool work_split_axis(Sema *s, Work *w, uint32_t axis, uint32_t n, Index *const *indices,
                            Span span) {
    if (w->rank + n - 1 > TIR_MAX_RANK) {
        sema_error(s, DIAG_RANK, span, "a tensor has at most %d axes", TIR_MAX_RANK);
        return false;
    }
    for (uint32_t k = w->rank; k-- > axis + 1;) {
        w->dims[k + n - 1] = w->dims[k];
        w->axes[k + n - 1] = w->axes[k];
    }
    for (uint32_t k = 0; k < n; k++) {
        w->dims[axis + k] = indices[k]->extent;
        w->axes[axis + k] = indices[k];
    }
    w->rank += n - 1;
    if (n > 1)
        w->id = tir_reshape(sema_builder(s, span), w->id, w->rank, w->dims);
    return true;
}

/* Where what is indexed comes from; of a state, and of how many. */
static void note_base(Sema *s, Scope *scope, const Expr *base, uint32_t dim) {
    const Symbol *symbol = base->kind == EXPR_NAME ? scope_find(s, scope, base->name) : NULL;
    if (!symbol || symbol->kind != SYMBOL_VALUE)
        return;
    if (symbol->declared == DECLARED_STATE)
        sema_note(s, symbol->span, "the state `%s` keeps %u of them", base->name, dim);
    else
        sema_note(s, symbol->span, "`%s` comes from here", base->name);
}

static bool bind_label(Sema *s, Scope *scope, Work *w, uint32_t axis, Index *index,
                       const Expr *base, Span span) {
    index_fix(index, w->dims[axis], span);
    if (index->bounded && index->extent < w->dims[axis]) {
        w->id = tir_slice(sema_builder(s, span), w->id, axis, 0, index->extent);
        w->dims[axis] = index->extent;
    }
    if (index->extent != w->dims[axis]) {
        trial_differ(s, index->extent, w->dims[axis]);
        sema_error(s, DIAG_INDEX_CLASH, span, "`%s` ranges over %u, but this axis of %s has %u",
                   index->name, index->extent, subscript_base_text(s, base), w->dims[axis]);
        sema_note(s, index->extent_at, "`%s` got its range of %u here", index->name, index->extent);
        note_base(s, scope, base, w->dims[axis]);
        return false;
    }
    w->axes[axis] = index;
    return true;
}

/* One entry of the axis, `count` times. */
static TirId repeat_entry(Sema *s, const Work *w, uint32_t axis, uint32_t entry, uint32_t count,
                          Span span) {
    TirBuilder *b = sema_builder(s, span);
    uint32_t dims[TIR_MAX_RANK];
    uint8_t axes[TIR_MAX_RANK];
    for (uint32_t k = 0; k < w->rank; k++)
        dims[k] = w->dims[k];
    for (uint32_t k = 0; k + 1 < w->rank; k++)
        axes[k] = (uint8_t)(k < axis ? k : k + 1);
    TirId x = tir_slice(b, w->id, axis, entry, 1);
    uint32_t left = 0, rest[TIR_MAX_RANK];
    for (uint32_t k = 0; k < w->rank; k++)
        if (k != axis)
            rest[left++] = w->dims[k];
    dims[axis] = count;
    return tir_broadcast(b, tir_reshape(b, x, left, rest), w->rank, dims, axes);
}

static bool bind_map(Sema *s, Scope *scope, Work *w, uint32_t axis, const Expr *e, uint32_t n,
                     Index **indices, const Expr *base) {
    uint64_t count = 1;
    for (uint32_t k = 0; k < n; k++) {
        if (!indices[k]->extent) {
            if (diag_error_count(s->d)) /* what would have told it may be poisoned */
                return false;
            sema_error(s, DIAG_INDEX_EXTENT, e->span, "the range of index `%s` cannot be told here",
                       indices[k]->name);
            sema_help(s, "give it on the left: `[%s < 4]`", indices[k]->name);
            return false;
        }
        count *= indices[k]->extent;
        if (count > NUMERIC_LARGEST) {
            sema_error(s, DIAG_SIZE, e->span, "an index map of more than %u entries is too large",
                       NUMERIC_LARGEST);
            return false;
        }
    }
    double *values = budget_table(s, count, e->span);
    if (!values || (n > 1 && !index_order_by_stride(s, scope, e, n, indices)) ||
        !numeric_evaluate(s, scope, e, n, indices, values))
        return false;
    bool run = true, same = true;
    for (uint64_t k = 0; k < count; k++) {
        if (!subscript_in_range(s, values[k], w->dims[axis], base, e->span)) {
            note_base(s, scope, base, w->dims[axis]);
            return false;
        }
        run = run && values[k] == values[0] + (double)k;
        same = same && values[k] == values[0];
    }
    TirBuilder *b = sema_builder(s, e->span);
    if (run && count < w->dims[axis]) {
        w->id = tir_slice(b, w->id, axis, (uint32_t)values[0], (uint32_t)count);
    } else if (same && !run) {
        w->id = repeat_entry(s, w, axis, (uint32_t)values[0], (uint32_t)count, e->span);
    } else if (!run) {
        int32_t *map = ARENA_ARRAY(s->arena, int32_t, count);
        for (uint64_t k = 0; k < count; k++)
            map[k] = (int32_t)values[k];
        w->id = tir_take(b, w->id, axis, (uint32_t)count, map);
    }
    w->dims[axis] = (uint32_t)count;
    return work_split_axis(s, w, axis, n, indices, e->span);
}

/* A subscript that is a value of the run. */
static bool bind_integers(Sema *s, Work *w, uint32_t axis, const Expr *e, const Tensor *t,
                          const Expr *base) {
    if (t->type.elem != TIR_INT) {
        sema_error(s, DIAG_CONSTANT, e->span,
                   "an index is known before the model runs, or a whole number of the run (tokens, "
                   "a position, an `argmax`); this is a real number");
        sema_help(s, "to look rows up by number, write `embed(tokens, E)` or `E[tokens, c]`");
        return false;
    }
    if (tensor_bare_rank(t)) {
        sema_error(s, DIAG_BARE_AXIS, e->span, "a tensor as an index needs its own indices");
        return false;
    }
    const uint32_t limit = t->level == 0 ? token_limit(s, t) : 0;
    if (limit > w->dims[axis]) {
        sema_error(s, DIAG_SHAPE, e->span, "tokens run to %u, but this axis of %s has %u", limit,
                   subscript_base_text(s, base), w->dims[axis]);
        return false;
    }
    return lookup_mark(s, w, axis, e, t);
}

/* `x[2 .. 5]`: entries 2, 3 and 4, along an axis that is still bare. */
static bool bind_slice(Sema *s, Scope *scope, Work *w, uint32_t axis, const Expr *e,
                       const Expr *base) {
    const int64_t dim = w->dims[axis];
    int64_t from = 0, to = dim;
    if ((e->slice.from && !elaborate_whole(s, scope, e->slice.from, "where a slice begins",
                                           INT32_MIN, INT32_MAX, &from)) ||
        (e->slice.to &&
         !elaborate_whole(s, scope, e->slice.to, "where a slice ends", INT32_MIN, INT32_MAX, &to)))
        return false;
    if (from < 0 || to > dim || from >= to) {
        sema_error(s, DIAG_INDEX_RANGE, e->span,
                   from >= to
                       ? "a slice has one entry at least: `%lld .. %lld` has none (the end does "
                         "not belong to it)"
                       : "the slice `%lld .. %lld` reaches past the axis of %s, which has %lld",
                   (long long)from, (long long)to, subscript_base_text(s, base), (long long)dim);
        note_base(s, scope, base, w->dims[axis]);
        return false;
    }
    w->dims[axis] = (uint32_t)(to - from);
    w->id = tir_slice(sema_builder(s, e->span), w->id, axis, (uint32_t)from, w->dims[axis]);
    return true;
}

static bool bind_subscript(Sema *s, Scope *scope, Work *w, uint32_t axis, const Expr *e,
                           const Expr *base) {
    if (e->kind == EXPR_SLICE)
        return bind_slice(s, scope, w, axis, e, base);
    Index *index = index_named(s, scope, e);
    if (index)
        return bind_label(s, scope, w, axis, index, base, e->span);
    if (e->kind == EXPR_NAME) {
        const Symbol *symbol = scope_find(s, scope, e->name);
        if (!symbol && !numeric_names_known(s, scope, e)) {
            sema_error(s, DIAG_INDEX_UNBOUND, e->span, "index `%s` is not bound", e->name);
            sema_help(s, "sum over it, `sum[%s] ...`, or put it on the left side", e->name);
            return false;
        }
    }
    if (!names_value_of_the_run(s, scope, e)) {
        NamedPosition positions[MAX_MENTIONED];
        Index *indices[MAX_MENTIONED];
        if (numeric_positions(s, scope, e, positions))
            return lookup_mark(s, w, axis, e, NULL);
        uint32_t n;
        if (!numeric_indices(s, scope, e, indices, &n))
            return false;
        if (n)
            return bind_map(s, scope, w, axis, e, n, indices, base);
    }
    const Value v = elaborate(s, scope, e);
    if (v.kind == VALUE_TENSOR)
        return bind_integers(s, w, axis, e, v.tensor, base);
    if (v.kind != VALUE_NUMBER) {
        if (!is_poison(v))
            sema_error(s, DIAG_KIND, e->span, "an index is a number, not %s", value_text(s, v));
        return false;
    }
    if (!subscript_in_range(s, v.number, w->dims[axis], base, e->span)) {
        note_base(s, scope, base, w->dims[axis]);
        return false;
    }
    w->id = tir_slice(sema_builder(s, e->span), w->id, axis, (uint32_t)v.number, 1);
    return work_drop_axis(s, w, axis, e->span);
}

/* A[i, i]: axes bound to one index become one. */
static void work_merge_diagonals(Sema *s, Work *w, Span span) {
    uint8_t map[TIR_MAX_RANK];
    uint32_t rank = 0;
    Work out = *w;
    for (uint32_t k = 0; k < w->rank; k++) {
        uint32_t at = rank;
        for (uint32_t j = 0; w->axes[k] && j < rank; j++)
            if (out.axes[j] == w->axes[k])
                at = j;
        if (at == rank) {
            out.axes[rank] = w->axes[k];
            out.dims[rank++] = w->dims[k];
        }
        map[k] = (uint8_t)at;
    }
    if (rank == w->rank)
        return;
    out.rank = rank;
    out.id = tir_broadcast(sema_builder(s, span), w->id, rank, out.dims, map);
    *w = out;
}

/* `t`, `t - 1` among the subscripts of a value that lives at those positions: adds to `moved`, by
 * how much it is taken from earlier along each axis of the space. */
static bool add_shift(Sema *s, Scope *scope, const Expr *e, const Symbol *position,
                      int64_t *moved) {
    int64_t offset;
    if (e->kind == EXPR_NAME)
        return true;
    if (!elaborate_whole(s, scope, e->chain.terms.at[1], "a shift", -(1 << 30), 1 << 30, &offset))
        return false;
    moved[position->axis] += e->chain.ops.at[1] == OP_ADD ? -offset : offset;
    return true;
}

/* A subscript too many may be one of positions: of other ones than those the value lives at, or one
 * that is more than a number added. */
static bool says_other_positions(Sema *s, Scope *scope, const Expr *e, uint32_t space) {
    const char *base = subscript_base_text(s, e->index.base);
    NamedPosition found[MAX_MENTIONED];
    for (uint32_t k = 0; k < e->index.indices.count; k++) {
        const Expr *subscript = e->index.indices.at[k];
        const Symbol *own = position_named(s, scope, subscript);
        if ((own && own->space == space) || !numeric_positions(s, scope, subscript, found))
            continue;
        const char *name = found[0].name;
        const char *lives = space ? s->program->spaces.at[space - 1].name : NULL;
        if (!space) {
            sema_error(s, DIAG_DOMAIN, subscript->span, "%s does not live at positions `%s`", base,
                       name);
        } else if (found[0].space != space) {
            sema_error(s, DIAG_DOMAIN, subscript->span,
                       "%s lives at positions `%s`, and this is a position of `%s`", base, lives,
                       name);
            sema_help(s, "at which of its positions it is taken is said first, as in `%s[%s, ...]`",
                      e->index.base->kind == EXPR_NAME ? e->index.base->name : "x", name);
        } else {
            sema_error(s, DIAG_DOMAIN, subscript->span,
                       "another position of %s is a number of positions away, as in `%s - 1`", base,
                       name);
            sema_help(s, "write `%s + k` with a constant `k`, or `shift` or `window`", name);
        }
        return true;
    }
    return false;
}

static Value axes_missing(Sema *s, Scope *scope, const Expr *e, const Tensor *t, uint32_t given,
                          uint32_t taken) {
    const Expr *base = e->index.base;
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t rank = tensor_bare_dims(t, dims, NULL);
    const char *behind = taken ? arena_printf(s->arena, " behind the %s of its position",
                                              taken == 1 ? "subscript" : "two subscripts")
                               : "";
    sema_error(s, DIAG_INDEX_RANK, e->span, "%s has %u %s%s, and %u %s given",
               subscript_base_text(s, base), rank, rank == 1 ? "axis" : "axes", behind, given,
               given == 1 ? "was" : "were");
    const Symbol *symbol = base->kind == EXPR_NAME ? scope_find(s, scope, base->name) : NULL;
    if (symbol)
        sema_note(s, symbol->span, "it is %s", dims_text(s, rank, dims));
    sema_help(s, "where indices stand on the left, every axis on the right has one");
    return POISON;
}

/* The one subscript of a line that is a whole number of the run. */
static const Tensor *chosen(Sema *s, Scope *scope, const Expr *e, uint32_t rank) {
    const Value v = elaborate(s, scope, e);
    if (v.kind != VALUE_TENSOR) {
        if (!is_poison(v))
            sema_error(s, DIAG_KIND, e->span, "a position is a number, not %s", value_text(s, v));
        return NULL;
    }
    if (v.tensor->type.elem != TIR_INT) {
        sema_error(s, DIAG_CONSTANT, e->span,
                   "a position is known before the model runs, or a whole number of the run (an "
                   "`argmax`, a token); this is a real number");
        return NULL;
    }
    if (rank > 1) {
        sema_error(s, DIAG_DOMAIN, e->span,
                   "a number of the run chooses among positions of a line, not of a grid");
        return NULL;
    }
    if (tensor_bare_rank(v.tensor)) {
        sema_error(s, DIAG_BARE_AXIS, e->span, "a tensor as an index needs its own indices");
        return NULL;
    }
    return v.tensor;
}

static bool is_real(Sema *s, const Work *w, const Expr *e) {
    if (sema_type(s, w->id)->elem == TIR_REAL)
        return true;
    sema_error(s, DIAG_KIND, e->span,
               "%s are taken from other positions as they are only by a number, as in `t - 1`",
               sema_type(s, w->id)->elem == TIR_INT ? "whole numbers" : "conditions");
    sema_help(s, "take what is made of them: a row that is looked up, or `select(..., 1, 0)`");
    return false;
}

/* Takes what lives at positions from those that the first `n` subscripts say: see elsewhere.c. *w
 * gets the axes of their indices first, so many more than before; -1 after an error. */
static int take_elsewhere(Sema *s, Scope *scope, Work *w, uint32_t n, const Expr *e) {
    const TirSpace *space = &s->program->spaces.at[w->domain.space - 1];
    const uint32_t strides[2] = {n == 2 ? space->extents[1] : 1, 1};
    const ExprList *list = &e->index.indices;
    Lookup lookups[2];
    LookupTable table;
    bool of_the_run = false;
    if (!is_real(s, w, e))
        return -1;
    for (uint32_t k = 0; k < n; k++) {
        Index *marker = ARENA_NEW(s->arena, Index), *index = index_named(s, scope, list->at[k]);
        *marker = (Index){.name = "", .span = list->at[k]->span, .extent = space->extents[k]};
        if (index) /* a range of its own stays */
            index_fix(index, space->extents[k], list->at[k]->span);
        lookups[k] = (Lookup){list->at[k], marker, NULL};
        of_the_run = of_the_run || names_position_of_the_run(s, scope, list->at[k]);
    }
    const Tensor *at = of_the_run ? chosen(s, scope, list->at[0], n) : NULL;
    if (of_the_run)
        return at ? elsewhere_apply(s, w, NULL, at, e->span) : -1;
    if (!lookup_table(s, scope, n, lookups, strides, true, e->index.base, e->span, &table))
        return -1;
    return elsewhere_apply(s, w, &table, NULL, e->span);
}

static Value index_tensor(Sema *s, Scope *scope, const Expr *e, const Tensor *t) {
    Work w = {.id = tensor_use(s, t), .domain = t->type.domain, .rank = t->type.rank};
    for (uint32_t k = 0; k < w.rank; k++) {
        w.dims[k] = t->type.dims[k];
        w.axes[k] = t->axes[k];
    }
    const Expr *base = e->index.base, *subscripts[TIR_MAX_RANK];
    uint32_t n = 0, bare[TIR_MAX_RANK];
    const uint32_t rank = tensor_bare_dims(t, NULL, bare);
    int64_t moved[2] = {0, 0};
    const uint32_t taken =
        elsewhere_subscripts(s, scope, &e->index.indices, rank, t->type.domain.space);
    const int more = taken ? take_elsewhere(s, scope, &w, taken, e) : 0;
    if (more < 0)
        return POISON;
    for (uint32_t k = 0; k < rank; k++)
        bare[k] += (uint32_t)more;
    for (uint32_t k = taken; k < e->index.indices.count; k++) {
        const Expr *subscript = e->index.indices.at[k];
        const Symbol *position = position_named(s, scope, subscript);
        if (position && !taken && position->space == t->type.domain.space) {
            if (!add_shift(s, scope, subscript, position, moved))
                return POISON;
        } else if (n < rank) {
            subscripts[n++] = subscript;
        } else if (says_other_positions(s, scope, e, t->type.domain.space)) {
            return POISON;
        } else {
            sema_error(s, DIAG_INDEX_RANK, subscript->span, "%s has %u %s, but this is index %u",
                       subscript_base_text(s, base), rank, rank == 1 ? "axis" : "axes", n + 1);
            if (base->kind == EXPR_NAME) {
                const Symbol *symbol = scope_find(s, scope, base->name);
                if (symbol)
                    sema_note(s, symbol->span, "it is defined here");
            }
            return POISON;
        }
    }
    if (s->mode.every_axis && n < rank)
        return axes_missing(s, scope, e, t, n, taken);
    bool good = true;
    if (moved[0] || moved[1])
        w.id = shift_along(s, w.id, w.domain.space, moved[0], moved[1], e->span);
    for (uint32_t k = n; k-- > 0;)
        good = bind_subscript(s, scope, &w, bare[k], subscripts[k], base) && good;
    if (!good || (w.n_lookups && !lookup_apply(s, scope, &w, base, e->span)))
        return POISON;
    work_merge_diagonals(s, &w, e->span);
    return value_derived(s, w.id, w.domain, w.axes, e->span);
}

/* identity[i, j], onehot(k)[i]: a table of comparisons, or ONEHOT of a value of the run. */
static Value index_pattern(Sema *s, Scope *scope, const Expr *e, Value base) {
    const bool identity = base.pattern->kind == PATTERN_IDENTITY;
    const ExprList *list = &e->index.indices;
    if (list->count != (identity ? 2u : 1u))
        return sema_error(s, DIAG_INDEX_RANK, e->span, "%s takes %s", value_text(s, base),
                          identity ? "two indices" : "one index");
    if (!identity && base.pattern->argument->kind == VALUE_TENSOR) {
        const Tensor *t = base.pattern->argument->tensor;
        Index *index = index_named(s, scope, list->at[0]);
        if (!index || !index->extent) /* a poisoned neighbour may be why */
            return s->trial || diag_error_count(s->d)
                       ? POISON
                       : sema_error(s, DIAG_INDEX_EXTENT, list->at[0]->span,
                                    "`onehot` of a value needs a plain index of known range here");
        if (t->type.elem != TIR_INT)
            return sema_error(s, DIAG_KIND, base.span, "`onehot` takes a token or a constant");
        if (t->type.rank >= TIR_MAX_RANK)
            return sema_error(s, DIAG_RANK, e->span, "a tensor has at most %d axes", TIR_MAX_RANK);
        Index *axes[TIR_MAX_RANK];
        for (uint32_t k = 0; k < t->type.rank; k++)
            axes[k] = t->axes[k];
        axes[t->type.rank] = index;
        const TirId id = tir_onehot(sema_builder(s, e->span), tensor_use(s, t), index->extent);
        return value_derived(s, id, t->type.domain, axes, e->span);
    }
    const Index *only = identity ? NULL : index_named(s, scope, list->at[0]);
    if (only && only->extent)
        onehot_check(s, base.pattern->argument->number, only->extent, base.span);
    Index *indices[MAX_MENTIONED];
    Expr pair = {.kind = EXPR_COMPARE, .span = e->span}; /* as if it were written i == j */
    Expr k = {.kind = EXPR_NUMBER,
              .span = e->span,
              .number = identity ? 0 : base.pattern->argument->number};
    pair.compare.op = OP_EQ;
    pair.compare.left = list->at[0];
    pair.compare.right = identity ? list->at[1] : &k;
    uint32_t n;
    if (!numeric_indices(s, scope, &pair, indices, &n))
        return POISON;
    uint32_t dims[MAX_MENTIONED];
    uint64_t count;
    for (uint32_t j = 0; j < n; j++) {
        if (!indices[j]->extent)
            return s->trial || diag_error_count(s->d)
                       ? POISON
                       : sema_error(s, DIAG_INDEX_EXTENT, e->span,
                                    "the range of index `%s` cannot be told here",
                                    indices[j]->name);
        dims[j] = indices[j]->extent;
    }
    if (!budget_elements(s, n, dims, e->span, &count))
        return POISON;
    double *data = budget_table(s, count, e->span);
    if (!data || !numeric_evaluate(s, scope, &pair, n, indices, data))
        return POISON;
    if (n == 0)
        return value_number(data[0], e->span);
    return value_tensor(s, tir_table(sema_builder(s, e->span), TIR_REAL, n, dims, data), indices,
                        e->span);
}

static Value index_numbers(Sema *s, Scope *scope, const Expr *e, const Symbol *symbol) {
    int64_t at[TIR_MAX_RANK];
    const ExprList *list = &e->index.indices;
    uint32_t dims[TIR_MAX_RANK] = {0};
    const uint32_t rank = symbol->value.kind == VALUE_TENSOR
                              ? tensor_bare_dims(symbol->value.tensor, dims, NULL)
                              : symbol->binding->target.indices.count;
    double entry;
    if (symbol->value.kind == VALUE_REPEAT)
        memcpy(dims, symbol->value.repeat->extents, sizeof dims);
    if (list->count != rank || list->count > TIR_MAX_RANK)
        return sema_error(s, DIAG_INDEX_RANK, e->span, "`%s` has %u axes, not %u", symbol->name,
                          rank, list->count);
    for (uint32_t k = 0; k < list->count; k++) {
        const Value v = elaborate(s, scope, list->at[k]);
        if (v.kind != VALUE_NUMBER)
            return is_poison(v) ? v
                                : sema_error(s, DIAG_CONSTANT, list->at[k]->span,
                                             "an index is a number known now");
        if (dims[k] && !subscript_in_range(s, v.number, dims[k], e->index.base, list->at[k]->span))
            return POISON;
        if (v.number < 0 || v.number != floor(v.number))
            return sema_error(s, DIAG_INDEX_RANGE, list->at[k]->span,
                              "%.10g is not a whole number from 0", v.number);
        at[k] = (int64_t)v.number;
    }
    if (symbol->value.kind == VALUE_TENSOR && table_entry(s, symbol->value.tensor, at, &entry))
        return value_number(entry, e->span);
    return numeric_lookup(s, symbol, list->count, at, e->span);
}

/* A repeated number is that number, wherever its indices are in range. */
static Value index_repeat(Sema *s, Scope *scope, const Expr *e, Value v) {
    Repeat *r = v.repeat;
    if (e->index.indices.count > r->rank)
        return sema_error(s, DIAG_INDEX_RANK, e->span, "%s has %u %s, but there are %u indices",
                          subscript_base_text(s, e->index.base), r->rank,
                          r->rank == 1 ? "axis" : "axes", e->index.indices.count);
    infer_repeat(s, scope, e);
    v = repeat_lay_out(s, v, e->span);
    return is_poison(v) ? v : index_tensor(s, scope, e, v.tensor);
}

/* What is indexed is a value as a whole, also where one element of the result is wanted. */
static Value index_value(Sema *s, Scope *scope, const Expr *e) {
    const Expr *base = e->index.base;
    const Symbol *symbol = base->kind == EXPR_NAME ? scope_find(s, scope, base->name) : NULL;
    if (s->mode.numeric && symbol && symbol->kind == SYMBOL_VALUE &&
        ((symbol->binding && symbol->binding->target.bracketed) ||
         value_is_table(s, symbol->value))) {
        usage_mark(s, symbol);
        return index_numbers(s, scope, e, symbol);
    }
    if (s->mode.numeric && base->kind == EXPR_LIST)
        return numeric_list_entry(s, scope, e);
    Mode mode = s->mode;
    mode.every_axis = false;
    const Mode outer = mode_enter(s, mode);
    const Value v = elaborate(s, scope, base);
    mode_leave(s, outer);
    switch (v.kind) {
    case VALUE_POISON:
        return v;
    case VALUE_TENSOR:
        return index_tensor(s, scope, e, v.tensor);
    case VALUE_REPEAT:
        return index_repeat(s, scope, e, v);
    case VALUE_PATTERN:
        return index_pattern(s, scope, e, v);
    default:
        sema_error(s, DIAG_INDEX_RANK, e->span, "%s has no axes to index", value_text(s, v));
        sema_note(s, v.span, "it is this");
        return POISON;
    }
}

Value elaborate_index(Sema *s, Scope *scope, const Expr *e) {
    for (uint32_t k = 0; k < e->index.indices.count; k++)
        if (e->index.indices.at[k]->kind == EXPR_ERROR)
            return POISON;
    const Expr *base = e->index.base;
    const Symbol *symbol = base->kind == EXPR_NAME ? scope_find(s, scope, base->name) : NULL;
    if (symbol && symbol->value.kind == VALUE_CALLABLE && symbol->value.callable->site)
        return site_entry(s, scope, symbol->value, e);
    Mode mode = s->mode;
    mode.element = NULL;
    const Mode outer = mode_enter(s, mode);
    const Value v = index_value(s, scope, e);
    mode_leave(s, outer);
    return v;
}
