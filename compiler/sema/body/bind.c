/* Bindings: the left side's indices, the right side's value, and how the one is laid out by the
 * other.
 *
 *     let a[i, j] = ...        axes i, j
 *     let w[a < 8] = ...       with its range
 *     let u[f*e + a] = U[f,a]  axes merged into one
 *     v[0] = ...               one slice replaced (in `iterate` and `write`) */
#include "sema/body/body.h"
#include "sema/budget.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/frame.h"
#include "sema/report.h"
#include "sema/trial_extents.h"
#include "sema/usage.h"
#include <math.h>
#include <string.h>

/* --- the left side -----------------------------------------------------------------------------*/

/* For each axis an index, a merge of several, or a constant entry. */
typedef struct {
    uint32_t rank, n_indices;
    Index *axes[TIR_MAX_RANK]; /* NULL: a merge, or the constant entry below */
    const Expr *merges[TIR_MAX_RANK];
    Index *members[TIR_MAX_RANK][MAX_MENTIONED];
    uint32_t n_members[TIR_MAX_RANK], known[TIR_MAX_RANK];
    Index *indices[TIR_MAX_RANK]; /* all, without the constant entries */
    int64_t entries[TIR_MAX_RANK];
    Scope *scope;
    const char *name; /* of the target, and what gave it its shape when that is known */
    Span shape_at;
} Left;

static bool left_constant(Sema *s, Scope *scope, const Expr *e) {
    if (e->kind == EXPR_NUMBER)
        return true;
    if (e->kind != EXPR_NAME)
        return numeric_is_number(s, scope, e);
    const Symbol *symbol = scope_find_local(scope, e->name);
    return symbol && (symbol->kind == SYMBOL_CONST ||
                      (symbol->kind == SYMBOL_VALUE && symbol->value.kind == VALUE_NUMBER));
}

/* f*e + a: names that mean nothing else become indices. */
static bool left_merge_names(Sema *s, Scope *inner, const Expr *e, Left *left, uint32_t at) {
    if (e->kind == EXPR_SUM || e->kind == EXPR_PRODUCT) {
        for (uint32_t k = 0; k < e->chain.terms.count; k++)
            if (!left_merge_names(s, inner, e->chain.terms.at[k], left, at))
                return false;
        return true;
    }
    if (left_constant(s, inner, e))
        return true;
    if (e->kind != EXPR_NAME) {
        sema_error(s, DIAG_INDEX_UNBOUND, e->span, "the left side holds indices and constants");
        return false;
    }
    Index *index = index_create(s, inner, (Name){e->name, e->span});
    if (!index)
        return false;
    if (left->n_indices == TIR_MAX_RANK) { /* and of the members of one merge no more */
        sema_error(s, DIAG_RANK, e->span, "at most %d indices", TIR_MAX_RANK);
        return false;
    }
    left->members[at][left->n_members[at]++] = index;
    left->indices[left->n_indices++] = index;
    return true;
}

/* `H[2, c] = ...` of an axis of `known`. */
static bool left_entry(Sema *s, Scope *inner, const Expr *e, uint32_t known, const Left *left,
                       int64_t *entry) {
    double number;
    if (!elaborate_number(s, inner, e, "an entry", &number))
        return false;
    *entry = (int64_t)number;
    if (number == floor(number) && number >= 0 && number < known)
        return true;
    sema_error(s, DIAG_INDEX_RANGE, e->span,
               number == floor(number)
                   ? "this is entry %.10g, but the axis has %u (0 to %u)"
                   : "%.10g is not a whole number, and the axis has %u entries (0 to %u)",
               number, known, known - 1);
    sema_note(s, left->shape_at, "`%s` got its shape here", left->name);
    return false;
}

static bool left_axis(Sema *s, Scope *inner, const Expr *e, uint32_t known, Left *left) {
    const uint32_t at = left->rank++;
    left->axes[at] = NULL;
    left->known[at] = known;
    left->scope = inner;
    if (known && left_constant(s, inner, e))
        return left_entry(s, inner, e, known, left, &left->entries[at]);
    if (e->kind == EXPR_SUM || e->kind == EXPR_PRODUCT) {
        left->merges[at] = e;
        return left_merge_names(s, inner, e, left, at);
    }
    const Expr *name = e;
    uint32_t extent = 0;
    if (left->n_indices == TIR_MAX_RANK) {
        sema_error(s, DIAG_RANK, e->span, "a tensor has at most %d axes", TIR_MAX_RANK);
        return false;
    }
    if (e->kind == EXPR_COMPARE && e->compare.op == OP_LT) {
        name = e->compare.left;
        if (!elaborate_extent(s, inner, e->compare.right, &extent))
            return false;
    }
    if (name->kind != EXPR_NAME) {
        if (name->kind != EXPR_ERROR)
            sema_error(s, DIAG_INDEX_UNBOUND, e->span,
                       "the left side names its indices: `a[i, j] = ...`");
        return false;
    }
    Index *index = index_create(s, inner, (Name){name->name, name->span});
    if (!index)
        return false;
    if (extent) {
        index_fix(index, extent, e->span);
        index->bounded = true;
    }
    if (known && extent && extent != known) {
        trial_differ(s, known, extent);
        sema_error(s, DIAG_SHAPE, e->span, "this axis has %u entries, not %u", known, extent);
        sema_note(s, left->shape_at, "`%s` got its shape here", left->name);
        return false;
    }
    if (known)
        index_fix(index, known, e->span);
    left->axes[at] = index;
    left->indices[left->n_indices++] = index;
    return true;
}

/* `let u[k] = 1` where nothing tells k's range: a later use will. */
static Value make_repeat(Sema *s, const Left *left, Value v, Span span) {
    Repeat *r = ARENA_NEW(s->arena, Repeat);
    Value *element = ARENA_NEW(s->arena, Value);
    *element = v;
    r->element = element;
    r->rank = left->rank;
    for (uint32_t k = 0; k < left->rank; k++) {
        r->extents[k] = left->axes[k]->extent;
        r->spans[k] = left->axes[k]->span;
        for (uint32_t a = 0; v.kind == VALUE_TENSOR && a < v.tensor->type.rank; a++)
            if (v.tensor->axes[a] == left->axes[k])
                r->labels[k] = left->axes[k];
    }
    return (Value){.kind = VALUE_REPEAT, .span = span, .repeat = r};
}

static bool check_no_bare_axes(Sema *s, const Tensor *t, const Binding *b) {
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t rank = tensor_bare_dims(t, dims, NULL);
    if (rank == 0)
        return true;
    sema_error(s, DIAG_BARE_AXIS, b->value->span,
               "the right side is still a tensor %s: index its axes like those of `%s`",
               dims_text(s, rank, dims), b->target.name.text);
    sema_help(s, "write `norm(x)[c]` for an entry of a whole tensor");
    return false;
}

/* The members of a merge, slowest first; they must count all entries once, in order. */
static bool left_order_merge(Sema *s, Left *left, uint32_t at, uint32_t *extent) {
    const Expr *e = left->merges[at];
    const uint32_t n = left->n_members[at];
    uint32_t extents[MAX_MENTIONED];
    uint64_t count;
    for (uint32_t k = 0; k < n; k++)
        extents[k] = left->members[at][k]->extent;
    if (!budget_elements(s, n, extents, e->span, &count))
        return false;
    double *values = budget_table(s, count, e->span);
    if (!values || !index_order_by_stride(s, left->scope, e, n, left->members[at]) ||
        !numeric_evaluate(s, left->scope, e, n, left->members[at], values))
        return false;
    for (uint64_t k = 0; k < count; k++)
        if (values[k] != (double)k) {
            sema_error(
                s, DIAG_INDEX_RANGE, e->span,
                "on the left an index map counts every entry once; this gives %.10g where %llu "
                "is next",
                values[k], (unsigned long long)k);
            return false;
        }
    if (left->known[at] && left->known[at] != count) {
        sema_error(s, DIAG_SHAPE, e->span, "this axis has %u entries, but these indices count %llu",
                   left->known[at], (unsigned long long)count);
        return false;
    }
    *extent = (uint32_t)count;
    return true;
}

/* Axes in the left side's order; merged ones by a reshape. */
static Value left_arrange(Sema *s, Left *left, const Tensor *t, Span span) {
    Index *order[TIR_MAX_RANK] = {0};
    uint32_t n = 0, dims[TIR_MAX_RANK];
    bool merged = false;
    for (uint32_t k = 0; k < left->rank; k++) {
        if (!left->merges[k]) {
            dims[k] = left->axes[k]->extent;
            order[n++] = left->axes[k];
            continue;
        }
        merged = true;
        if (!left_order_merge(s, left, k, &dims[k]))
            return POISON;
        for (uint32_t m = 0; m < left->n_members[k]; m++)
            order[n++] = left->members[k][m];
    }
    const Value v = tensor_arrange(s, t, n, order, span);
    if (!merged || is_poison(v))
        return v;
    Index *axes[TIR_MAX_RANK] = {0};
    uint32_t all[TIR_MAX_RANK], rank = v.tensor->type.rank - n;
    for (uint32_t k = 0; k < rank; k++) {
        axes[k] = v.tensor->axes[k];
        all[k] = v.tensor->type.dims[k];
    }
    for (uint32_t k = 0; k < left->rank; k++)
        all[rank + k] = dims[k];
    rank += left->rank;
    const TirId id = tir_reshape(sema_builder(s, span), tensor_use(s, v.tensor), rank, all);
    return value_derived(s, id, t->type.domain, axes, v.span);
}

/* `part` in the place of the entries that the left side names by constants: before, part, after
 * along each such axis, so that later reads of constant entries find their part again. */
static TirId replace_entries(Sema *s, const Left *left, uint32_t k, uint32_t leading, TirId whole,
                             TirId part, Span span) {
    while (k < left->rank && (left->axes[k] || left->merges[k]))
        k++;
    if (k == left->rank)
        return part;
    TirBuilder *b = sema_builder(s, span);
    const uint32_t axis = leading + k, entry = (uint32_t)left->entries[k];
    const uint32_t extent = sema_type(s, whole)->dims[axis];
    TirId parts[3];
    uint32_t n = 0;
    if (entry)
        parts[n++] = tir_slice(b, whole, axis, 0, entry);
    const TirId middle = tir_slice(b, whole, axis, entry, 1);
    parts[n++] = replace_entries(s, left, k + 1, leading, middle, part, span);
    if (entry + 1 < extent)
        parts[n++] = tir_slice(b, whole, axis, entry + 1, extent - entry - 1);
    return tir_concat(b, axis, n, parts);
}

static bool layout_has(const Layout *layout, const Index *label) {
    for (uint32_t k = 0; k < layout->rank; k++)
        if (layout->axes[k] == label)
            return true;
    return false;
}

/* One slice of `old` replaced: entries on constant axes, everything on the others. */
static Value update_slice(Sema *s, Left *left, const Tensor *old, const Tensor *t, Span span) {
    Left others = *left; /* the axes that have indices */
    others.rank = 0;
    for (uint32_t k = 0; k < left->rank; k++) {
        if (!left->axes[k] && !left->merges[k])
            continue;
        const uint32_t at = others.rank++;
        others.axes[at] = left->axes[k];
        others.merges[at] = left->merges[k];
        others.n_members[at] = left->n_members[k];
        others.known[at] = left->known[k];
        for (uint32_t m = 0; m < left->n_members[k]; m++)
            others.members[at][m] = left->members[k][m];
    }
    const Value arranged = left_arrange(s, &others, t, span);
    if (is_poison(arranged))
        return arranged;
    const Tensor *part = arranged.tensor;
    Layout all = {0}, slot; /* labels that ride along on either side, then the axes */
    const Tensor *const both[] = {old, part};
    for (uint32_t side = 0; side < 2; side++)
        for (uint32_t k = 0; k < both[side]->type.rank; k++) {
            Index *label = both[side]->axes[k];
            if (!label || layout_has(&all, label) || all.rank == TIR_MAX_RANK)
                continue;
            all.axes[all.rank] = label;
            all.dims[all.rank++] = both[side]->type.dims[k];
        }
    const uint32_t leading = all.rank;
    uint32_t dims[TIR_MAX_RANK], from = 0, inside[TIR_MAX_RANK];
    tensor_bare_dims(old, dims, NULL);
    if (leading + left->rank > TIR_MAX_RANK)
        return sema_error(s, DIAG_RANK, span, "a tensor has at most %d axes", TIR_MAX_RANK);
    for (uint32_t k = 0; k < left->rank; k++) {
        all.axes[all.rank] = NULL;
        all.dims[all.rank++] = dims[k];
        if (left->axes[k] || left->merges[k])
            inside[from++] = leading + k;
    }
    slot = all;
    for (uint32_t k = 0; k < left->rank; k++)
        if (!left->axes[k] && !left->merges[k])
            slot.dims[leading + k] = 1;
    uint8_t map[TIR_MAX_RANK];
    from = 0;
    for (uint32_t k = 0; k < part->type.rank; k++)
        for (uint32_t a = 0; a < leading || !part->axes[k]; a++)
            if (!part->axes[k] || all.axes[a] == part->axes[k]) {
                map[k] = (uint8_t)(part->axes[k] ? a : inside[from++]);
                break;
            }
    const TirId whole = tensor_align(s, old, &all, span);
    const TirId fresh =
        tir_broadcast(sema_builder(s, span), tensor_use(s, part), slot.rank, slot.dims, map);
    TirDomain domain = old->type.domain;
    tir_domain_join(domain, part->type.domain, &domain);
    const TirId changed = replace_entries(s, left, 0, leading, whole, fresh, span);
    return value_derived(s, changed, domain, all.axes, span);
}

static Value whole_binding(Sema *s, Scope *scope, const Binding *b, const Value *known) {
    Value v = elaborate(s, scope, b->value);
    if (!known || is_poison(v) || (known->kind == VALUE_NUMBER && v.kind == VALUE_NUMBER))
        return v;
    const Tensor *old = value_as_tensor(s, *known, b->target.span);
    const Tensor *t = old ? value_as_tensor(s, v, b->value->span) : NULL;
    if (!t)
        return POISON;
    uint32_t have[TIR_MAX_RANK], want[TIR_MAX_RANK];
    const uint32_t n = tensor_bare_dims(t, have, NULL), m = tensor_bare_dims(old, want, NULL);
    bool same = n == m;
    for (uint32_t k = 0; same && k < n; k++)
        same = have[k] == want[k];
    if (same)
        return (Value){.kind = VALUE_TENSOR, .span = b->value->span, .tensor = t};
    if (n == m)
        trial_dims_differ(s, n, have, want);
    sema_error(s, DIAG_SHAPE, b->value->span, "`%s` is %s, this is %s", b->target.name.text,
               dims_text(s, m, want), dims_text(s, n, have));
    sema_note(s, known->span, "`%s` got its shape here", b->target.name.text);
    return POISON;
}

static Value indexed_binding(Sema *s, Scope *scope, const Binding *b, const Value *known) {
    Scope *inner = scope_create(s, scope, scope->frame);
    Left left = {.name = b->target.name.text, .shape_at = known ? known->span : (Span){0}};
    uint32_t dims[TIR_MAX_RANK] = {0};
    const Tensor *old = NULL;
    if (b->target.indices.count > TIR_MAX_RANK)
        return sema_error(s, DIAG_RANK, b->target.span, "a tensor has at most %d axes",
                          TIR_MAX_RANK);
    if (known) {
        old = value_as_tensor(s, *known, b->target.span);
        if (!old)
            return POISON;
        const uint32_t rank = tensor_bare_dims(old, dims, NULL);
        if (rank != b->target.indices.count) {
            sema_error(s, DIAG_INDEX_RANK, b->target.span, "`%s` has %u %s, but %u are given here",
                       b->target.name.text, rank, rank == 1 ? "axis" : "axes",
                       b->target.indices.count);
            sema_note(s, known->span, "`%s` got its shape here", b->target.name.text);
            return POISON;
        }
    }
    bool good = true;
    for (uint32_t k = 0; k < b->target.indices.count; k++)
        good = left_axis(s, inner, b->target.indices.at[k], dims[k], &left) && good;
    if (!good)
        return POISON;
    infer_extents(s, inner, b->value);
    const Value v = elaborate(s, inner, b->value);
    if (is_poison(v))
        return v;
    bool open = false;
    for (uint32_t k = 0; k < left.n_indices; k++)
        open = open || !left.indices[k]->extent;
    bool merged = false;
    for (uint32_t k = 0; k < left.rank; k++)
        merged = merged || left.merges[k];
    if (v.kind == VALUE_NUMBER && !known && !merged)
        return make_repeat(s, &left, v, b->target.span);
    const Tensor *t = value_as_tensor(s, v, b->value->span);
    if (!t || !check_no_bare_axes(s, t, b))
        return POISON;
    if (open && merged)
        return sema_error(s, DIAG_INDEX_EXTENT, b->target.span,
                          "the ranges of these indices cannot be told from the right side");
    if (open)
        return make_repeat(s, &left, v, b->target.span);
    bool constants = false;
    for (uint32_t k = 0; k < left.rank; k++)
        constants = constants || (!left.axes[k] && !left.merges[k]);
    if (constants) {
        t = value_as_real(s, v, b->value->span);
        return t ? update_slice(s, &left, old, t, b->target.span) : POISON;
    }
    return left_arrange(s, &left, t, b->target.span);
}

Value body_binding(Sema *s, Scope *scope, const Binding *b, const Value *known) {
    Mode mode = mode_of_let(s, b->target.name.text, b->value);
    mode.every_axis = b->target.bracketed;
    const Mode outer = mode_enter(s, mode);
    const Value v = b->target.bracketed ? indexed_binding(s, scope, b, known)
                                        : whole_binding(s, scope, b, known);
    mode_leave(s, outer);
    return v;
}

/* For those who ask for a value by its name: the whole tensor, not made in a loop's body. */
static void remember_named(Sema *s, const char *name, Value *v) {
    if (s->loop->level || v->kind != VALUE_TENSOR ||
        tensor_bare_rank(v->tensor) != v->tensor->type.rank)
        return;
    const Held *const held = v->held; /* which stands for nothing else */
    value_remember(s, path_join(s, s->frame->path, name), v);
    v->held = held;
}

static void define_let(Sema *s, Scope *scope, const Binding *b, Value v) {
    const Symbol *old = scope_find_local(scope, b->target.name.text);
    if (old && old->scope == scope) {
        scope_check_new(s, scope, b->target.name);
        return;
    }
    if (v.kind == VALUE_STRING || v.kind == VALUE_TUPLE)
        v = sema_error(s, DIAG_KIND, b->value->span, "a `let` holds a tensor or a number, not %s",
                       value_text(s, v));
    if (v.kind == VALUE_TENSOR || v.kind == VALUE_NUMBER)
        v.span = b->target.span;
    v = value_as_instance(s, v, b->target.name.text, b);
    Symbol *symbol = scope_define(s, scope, b->target.name.text, b->target.name.span, SYMBOL_VALUE);
    symbol->declared = DECLARED_LET;
    symbol->assignable = true;
    symbol->defined = ++s->next_serial;
    symbol->binding = b->of == 1 ? b : NULL;
    remember_named(s, symbol->name, &v);
    symbol->value = v;
    usage_declare(s, DECLARED_LET, symbol->name, symbol->span);
}

/* The results of a call, one for each name; poison for all after an error. */
static void results_of(Sema *s, Scope *scope, const Binding *b, BoundArgumentList *results) {
    const Expr *call = b->value;
    const uint32_t errors = diag_error_count(s->d);
    Mode mode = mode_of_let(s, b->target.name.text, call);
    mode.results_of = call;
    mode.results = results;
    const Mode outer = mode_enter(s, mode);
    const Value v = elaborate(s, scope, call);
    mode_leave(s, outer);
    const bool stand_in = results->count == 1 && !results->at[0].name.text;
    while (stand_in && results->count < b->of) /* whose others nobody knows */
        vec_push(s->arena, results, (BoundArgument){.value = POISON});
    if (results->count == b->of)
        return;
    if (diag_error_count(s->d) == errors && !(is_poison(v) && results->count == 0)) {
        const char *names = "";
        for (uint32_t k = 0; k < results->count; k++)
            names =
                arena_printf(s->arena, "%s%s`%s`", names, k ? ", " : "", results->at[k].name.text);
        sema_error(s, DIAG_OUTPUT, call->span,
                   results->count > 1 ? "this gives %u results, and %u names take them"
                                      : "this gives one result, and several names take it",
                   results->count, b->of);
        if (*names)
            sema_help(s, "its results are %s", names);
    }
    *results = (BoundArgumentList){0};
    for (uint32_t k = 0; k < b->of; k++)
        vec_push(s->arena, results, (BoundArgument){.value = POISON});
}

/* `let n, g = both(h);` */
static void let_results(Sema *s, Scope *scope, const Binding *list) {
    BoundArgumentList results = {0};
    results_of(s, scope, list, &results);
    for (uint32_t k = 0; k < list->of; k++) {
        const Binding *b = &list[k];
        if (b->target.bracketed) {
            sema_error(s, DIAG_OUTPUT, b->target.span, "several results are taken as they are");
            sema_help(s, "take `%s` without its indices", b->target.name.text);
        }
        if (b->target.name.text && strcmp(b->target.name.text, "_") != 0)
            define_let(s, scope, b, b->target.bracketed ? POISON : results.at[k].value);
    }
}

void body_let(Sema *s, Scope *scope, const BindingList *list) {
    for (uint32_t k = 0; k < list->count; k += list->at[k].of) {
        const Binding *b = &list->at[k];
        if (b->of > 1) {
            let_results(s, scope, b);
            continue;
        }
        const Value v = body_binding(s, scope, b, NULL);
        if (b->target.name.text)
            define_let(s, scope, b, v);
    }
}
