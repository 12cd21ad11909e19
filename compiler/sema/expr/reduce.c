/* Reductions over indices. A sum over a product becomes pairwise contractions, so that what is a
 * matrix product is seen as one; the rest become REDUCE ops, or compositions of them.
 *
 *     sum[j,c] P[i,j,c] * H[j,c]  ->  contract P(i,j,c), H(j,c) -> (i)
 *     softmax[k] e                ->  exp(e - max) / sum exp(e - max) */
#include "sema/budget.h"
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/report.h"

typedef struct {
    uint32_t n;
    Index *at[TIR_MAX_RANK];
} Indices;

static bool indices_have(const Indices *list, const Index *index) {
    for (uint32_t k = 0; k < list->n; k++)
        if (list->at[k] == index)
            return true;
    return false;
}

static uint32_t axis_mask(const Tensor *t, const Indices *over) {
    uint32_t mask = 0;
    for (uint32_t k = 0; k < t->type.rank; k++)
        if (t->axes[k] && indices_have(over, t->axes[k]))
            mask |= 1u << k;
    return mask;
}

/* REDUCE_* over those of `over` that t has. */
static const Tensor *reduce_axes(Sema *s, TirOp op, const Tensor *t, const Indices *over,
                                 Span span) {
    const uint32_t mask = axis_mask(t, over);
    if (!mask)
        return t;
    Index *axes[TIR_MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t k = 0; k < t->type.rank; k++)
        if (!(mask >> k & 1))
            axes[rank++] = t->axes[k];
    const TirId id = tir_reduce(sema_builder(s, span), op, tensor_use(s, t), mask);
    return value_derived(s, id, t->type.domain, axes, span).tensor;
}

/* --- sums of products --------------------------------------------------------------------------*/

enum { FACTORS_APART = 64 }; /* that are paired in the best order; more multiply what is there */

typedef struct {
    const Tensor *at[FACTORS_APART];
    uint32_t n;
} Factors;

/* Small numbers for axes: labels by identity, bare axes by their order. */
static void label_axes(const Tensor *t, Index **known, uint32_t *n_known, uint8_t *labels) {
    uint32_t bare = 0;
    for (uint32_t k = 0; k < t->type.rank; k++) {
        if (!t->axes[k]) {
            labels[k] = (uint8_t)(100 + bare++);
            continue;
        }
        uint32_t at = 0;
        while (at < *n_known && known[at] != t->axes[k])
            at++;
        if (at == *n_known)
            known[(*n_known)++] = t->axes[k];
        labels[k] = (uint8_t)at;
    }
}

static const Tensor *contract(Sema *s, const Tensor *a, const Tensor *b, const Indices *summed,
                              Span span) {
    Layout all = {0}, out = {0};
    TirDomain domain;
    if (!layout_join(s, &all, a, span) || !layout_join(s, &all, b, span))
        return NULL;
    if (!tir_domain_join(a->type.domain, b->type.domain, &domain)) {
        value_binary(s, TIR_MUL, (Value){.kind = VALUE_TENSOR, .tensor = a},
                     (Value){.kind = VALUE_TENSOR, .tensor = b}, span); /* says so */
        return NULL;
    }
    Index *known[2 * TIR_MAX_RANK];
    uint32_t n_known = 0, bare = 0;
    uint8_t la[TIR_MAX_RANK], lb[TIR_MAX_RANK], lo[TIR_MAX_RANK];
    label_axes(a, known, &n_known, la);
    label_axes(b, known, &n_known, lb);
    for (uint32_t k = 0; k < all.rank; k++) {
        if (all.axes[k] && indices_have(summed, all.axes[k]))
            continue;
        uint32_t at = 0;
        while (all.axes[k] && known[at] != all.axes[k])
            at++;
        lo[out.rank] = all.axes[k] ? (uint8_t)at : (uint8_t)(100 + bare++);
        out.axes[out.rank] = all.axes[k];
        out.dims[out.rank++] = all.dims[k];
    }
    uint64_t count;
    if (!budget_elements(s, out.rank, out.dims, span, &count))
        return NULL;
    const TirId x = tensor_use(s, a), y = tensor_use(s, b);
    TirDomain local = sema_type(s, x)->domain;
    tir_domain_join(local, sema_type(s, y)->domain, &local);
    const TirId id = tir_contract(sema_builder(s, span), x, y, la, lb, out.rank, lo, local);
    return value_derived(s, id, domain, out.axes, span).tensor;
}

/* What a pair leaves when all that only they have is summed. */
static double pair_size(const Factors *f, uint32_t i, uint32_t j, const Indices *over) {
    double size = f->at[i]->type.domain.sample || f->at[j]->type.domain.sample ? 1e3 : 1;
    const Tensor *pair[2] = {f->at[i], f->at[j]};
    for (uint32_t p = 0; p < 2; p++)
        for (uint32_t k = 0; k < pair[p]->type.rank; k++) {
            const Index *label = pair[p]->axes[k];
            bool counted = false, elsewhere = false;
            for (uint32_t q = 0; p && q < pair[0]->type.rank; q++)
                counted = counted || (label && pair[0]->axes[q] == label);
            for (uint32_t m = 0; m < f->n; m++)
                for (uint32_t q = 0; m != i && m != j && q < f->at[m]->type.rank; q++)
                    elsewhere = elsewhere || (label && f->at[m]->axes[q] == label);
            if (!counted && (!label || !indices_have(over, label) || elsewhere))
                size *= pair[p]->type.dims[k];
        }
    return size;
}

static Indices only_in_pair(const Factors *f, uint32_t i, uint32_t j, const Indices *over) {
    Indices out = {0};
    for (uint32_t k = 0; k < over->n; k++) {
        bool elsewhere = false;
        for (uint32_t m = 0; m < f->n; m++)
            for (uint32_t q = 0; m != i && m != j && q < f->at[m]->type.rank; q++)
                elsewhere = elsewhere || f->at[m]->axes[q] == over->at[k];
        if (!elsewhere)
            out.at[out.n++] = over->at[k];
    }
    return out;
}

static const Tensor *combine(Sema *s, const Tensor *a, const Tensor *b, const Indices *summed,
                             Span span) {
    Indices shared = {0};
    for (uint32_t k = 0; k < summed->n; k++)
        if (axis_mask(a, &(Indices){1, {summed->at[k]}}) ||
            axis_mask(b, &(Indices){1, {summed->at[k]}}))
            shared.at[shared.n++] = summed->at[k];
    if (shared.n)
        return contract(s, a, b, &shared, span);
    const Value v =
        value_binary(s, TIR_MUL, (Value){.kind = VALUE_TENSOR, .span = span, .tensor = a},
                     (Value){.kind = VALUE_TENSOR, .span = span, .tensor = b}, span);
    return v.kind == VALUE_TENSOR ? v.tensor : NULL;
}

/* A label that one factor alone has is summed there at once. */
static void sum_loners(Sema *s, Factors *f, const Indices *over, Span span) {
    for (uint32_t m = 0; m < f->n; m++) {
        Indices own = {0};
        for (uint32_t k = 0; k < over->n; k++) {
            const Indices one = {1, {over->at[k]}};
            uint32_t holders = 0;
            for (uint32_t j = 0; j < f->n; j++)
                holders += axis_mask(f->at[j], &one) != 0;
            if (holders == 1 && axis_mask(f->at[m], &one))
                own.at[own.n++] = over->at[k];
        }
        f->at[m] = reduce_axes(s, TIR_REDUCE_SUM, f->at[m], &own, span);
    }
}

static Value sum_product(Sema *s, Factors *f, double scale, const Indices *over, Span span) {
    for (uint32_t k = 0; k < over->n; k++) { /* an index nobody has: its sum counts */
        const Indices one = {1, {over->at[k]}};
        bool found = false;
        for (uint32_t m = 0; m < f->n; m++)
            found = found || axis_mask(f->at[m], &one);
        if (!found)
            scale *= over->at[k]->extent;
    }
    sum_loners(s, f, over, span);
    Value result = value_number(scale, span);
    for (uint32_t m = 0; m < f->n;) { /* what lacks every index stands outside */
        if (axis_mask(f->at[m], over)) {
            m++;
            continue;
        }
        result =
            value_binary(s, TIR_MUL, result,
                         (Value){.kind = VALUE_TENSOR, .span = span, .tensor = f->at[m]}, span);
        for (uint32_t k = m + 1; k < f->n; k++)
            f->at[k - 1] = f->at[k];
        f->n--;
    }
    while (f->n > 1) {
        uint32_t bi = 0, bj = 1;
        double best = -1;
        for (uint32_t i = 0; i < f->n; i++)
            for (uint32_t j = i + 1; j < f->n; j++) {
                const double size = pair_size(f, i, j, over);
                if (best < 0 || size < best) {
                    best = size;
                    bi = i;
                    bj = j;
                }
            }
        const Indices summed = only_in_pair(f, bi, bj, over);
        const Tensor *t = combine(s, f->at[bi], f->at[bj], &summed, span);
        if (!t)
            return POISON;
        f->at[bi] = t;
        for (uint32_t k = bj + 1; k < f->n; k++)
            f->at[k - 1] = f->at[k];
        f->n--;
    }
    if (f->n == 0)
        return result;
    const Tensor *t = reduce_axes(s, TIR_REDUCE_SUM, f->at[0], over, span);
    const Value sum = {.kind = VALUE_TENSOR, .span = span, .tensor = t};
    if (result.kind == VALUE_NUMBER && result.number == 1)
        return sum;
    return value_binary(s, TIR_MUL, result, sum, span);
}

static bool add_factor(Sema *s, Factors *f, const Tensor *t, Span span) {
    if (f->n < FACTORS_APART) {
        f->at[f->n++] = t;
        return true;
    }
    const Tensor **last = &f->at[FACTORS_APART - 1];
    const Value product =
        value_binary(s, TIR_MUL, (Value){.kind = VALUE_TENSOR, .span = span, .tensor = *last},
                     (Value){.kind = VALUE_TENSOR, .span = span, .tensor = t}, span);
    if (product.kind != VALUE_TENSOR)
        return false;
    *last = product.tensor;
    return true;
}

/* The multiplicative terms of e; false when some are poison. */
static bool collect_factors(Sema *s, Scope *scope, const Expr *e, Factors *f, double *scale) {
    if (e->kind == EXPR_UNARY && e->unary.op == OP_NEG) {
        *scale = -*scale;
        return collect_factors(s, scope, e->unary.operand, f, scale);
    }
    bool modulo = false;
    if (e->kind == EXPR_PRODUCT)
        for (uint32_t k = 0; k < e->chain.terms.count; k++)
            modulo = modulo || e->chain.ops.at[k] == OP_MOD;
    if (e->kind == EXPR_PRODUCT && !modulo && !numeric_is_table(s, scope, e)) {
        bool good = true;
        for (uint32_t k = 0; k < e->chain.terms.count; k++) {
            const Expr *term = e->chain.terms.at[k];
            if (e->chain.ops.at[k] == OP_MUL) {
                good = collect_factors(s, scope, term, f, scale) && good;
                continue;
            }
            const Value d = value_binary(s, TIR_DIV, value_number(1, term->span),
                                         elaborate(s, scope, term), term->span);
            if (d.kind == VALUE_NUMBER)
                *scale *= d.number;
            else
                good = d.kind == VALUE_TENSOR && add_factor(s, f, d.tensor, term->span) && good;
        }
        return good;
    }
    const Value v = elaborate(s, scope, e);
    if (v.kind == VALUE_NUMBER) {
        *scale *= v.number;
        return true;
    }
    const Tensor *t = value_as_real(s, v, e->span);
    if (!t)
        return false;
    return add_factor(s, f, t, e->span);
}

static Value elaborate_sum_over(Sema *s, Scope *inner, const Expr *e, const Indices *over) {
    Factors f = {.n = 0};
    double scale = 1;
    if (!collect_factors(s, inner, e->reduce.operand, &f, &scale))
        return POISON;
    if (e->reduce.op == REDUCE_MEAN)
        for (uint32_t k = 0; k < over->n; k++)
            scale /= over->at[k]->extent;
    return sum_product(s, &f, scale, over, e->span);
}

/* --- the other reductions ----------------------------------------------------------------------*/

static Value tensor_as_value(const Tensor *t, Span span) {
    return t ? (Value){.kind = VALUE_TENSOR, .span = span, .tensor = t} : POISON;
}

/* exp(e - max e), max without gradient: the value does not depend on it. */
static Value exp_shifted(Sema *s, const Tensor *t, const Indices *over, Value *max, Span span) {
    const Tensor *m = reduce_axes(s, TIR_REDUCE_MAX, t, over, span);
    *max = value_unary(s, TIR_STOP_GRADIENT, tensor_as_value(m, span), span);
    const Value shifted = value_binary(s, TIR_SUB, tensor_as_value(t, span), *max, span);
    return value_unary(s, TIR_EXP, shifted, span);
}

static Value reduce_value(Sema *s, ReduceKind kind, const Tensor *t, const Indices *over,
                          Span span) {
    Value max, exps, sum;
    switch (kind) {
    case REDUCE_MAX:
        return tensor_as_value(reduce_axes(s, TIR_REDUCE_MAX, t, over, span), span);
    case REDUCE_MIN:
        return tensor_as_value(reduce_axes(s, TIR_REDUCE_MIN, t, over, span), span);
    case REDUCE_PROD:
        return tensor_as_value(reduce_axes(s, TIR_REDUCE_PROD, t, over, span), span);
    case REDUCE_LOGSUMEXP:
        exps = exp_shifted(s, t, over, &max, span);
        sum = tensor_as_value(reduce_axes(s, TIR_REDUCE_SUM, exps.tensor, over, span), span);
        return value_binary(s, TIR_ADD, max, value_unary(s, TIR_LOG, sum, span), span);
    case REDUCE_SOFTMAX:
        exps = exp_shifted(s, t, over, &max, span);
        sum = tensor_as_value(reduce_axes(s, TIR_REDUCE_SUM, exps.tensor, over, span), span);
        return value_binary(s, TIR_DIV, exps, sum, span);
    case REDUCE_ARGMAX: {
        Index *axes[TIR_MAX_RANK];
        uint32_t axis = 0, rank = 0;
        for (uint32_t k = 0; k < t->type.rank; k++)
            if (t->axes[k] == over->at[0])
                axis = k;
            else
                axes[rank++] = t->axes[k];
        TirId id = tensor_use(s, t);
        TirBuilder *b = sema_builder(s, span);
        id = tir_reduce(b, TIR_ARGMAX, id, 1u << axis);
        return value_derived(s, id, t->type.domain, axes, span);
    }
    default:
        return POISON;
    }
}

static Value elaborate_other(Sema *s, Scope *inner, const Expr *e, const Indices *over) {
    const Tensor *t =
        value_as_real(s, elaborate(s, inner, e->reduce.operand), e->reduce.operand->span);
    if (!t)
        return POISON;
    if (e->reduce.op == REDUCE_ARGMAX && over->n != 1)
        return sema_error(s, DIAG_INDEX_RANK, e->span, "`argmax` takes one index");
    for (uint32_t k = 0; k < over->n; k++)
        if (!axis_mask(t, &(Indices){1, {over->at[k]}})) {
            sema_error(s, DIAG_INDEX_UNBOUND, over->at[k]->span,
                       "index `%s` does not occur in what is reduced", over->at[k]->name);
            return POISON;
        }
    return reduce_value(s, e->reduce.op, t, over, e->span);
}

/* sum[t], mean[t] over positions. */
static Value reduce_positions(Sema *s, const Expr *e, Value v, uint32_t space, Span span) {
    const Tensor *t = value_as_real(s, v, span);
    if (!t)
        return POISON;
    if (e->reduce.op != REDUCE_SUM && e->reduce.op != REDUCE_MEAN) {
        sema_error(s, DIAG_DOMAIN, span, "only `sum` and `mean` go over positions");
        sema_help(s, "give the values at all positions an axis: `max[u] all_positions(x)[u]`");
        return POISON;
    }
    if (t->type.domain.space != space) {
        sema_error(s, DIAG_DOMAIN, span, "what is reduced does not live at these positions");
        return POISON;
    }
    TirDomain to = t->type.domain;
    to.space = 0;
    const TirId id = tensor_use(s, t);
    const TirId all = tir_domain_sum(sema_builder(s, span), id, t->type.domain, to);
    const Value sum = value_derived(s, all, to, t->axes, span);
    if (e->reduce.op == REDUCE_SUM)
        return sum;
    const TirId n = tir_count(sema_builder(s, span), (TirDomain){0, (uint8_t)space});
    return value_binary(s, TIR_DIV, sum, value_tensor(s, n, NULL, span), span);
}

/* softmax[k] e keeps k: the index is one that is bound outside. */
static Value elaborate_softmax(Sema *s, Scope *scope, const Expr *e) {
    Indices over = {0};
    for (uint32_t k = 0; k < e->reduce.indices.count; k++) {
        const Name name = e->reduce.indices.at[k];
        const Symbol *symbol = name.text ? scope_find_local(scope, name.text) : NULL;
        if (!symbol || symbol->kind != SYMBOL_INDEX) {
            sema_error(s, DIAG_INDEX_UNBOUND, name.span,
                       "`softmax` keeps its index, and `%s` is not bound",
                       name.text ? name.text : "?");
            sema_help(s, "put it on the left side: `let a[%s] = softmax[%s] ...`",
                      name.text ? name.text : "k", name.text ? name.text : "k");
            return POISON;
        }
        if (e->reduce.ranges.at[k])
            return sema_error(s, DIAG_INDEX_EXTENT, e->reduce.ranges.at[k]->span,
                              "`softmax` keeps its index: its range stands on the left side");
        if (over.n == TIR_MAX_RANK)
            return sema_error(s, DIAG_RANK, name.span, "at most %d indices", TIR_MAX_RANK);
        over.at[over.n++] = symbol->index;
    }
    return elaborate_other(s, scope, e, &over);
}

Value elaborate_reduce(Sema *s, Scope *scope, const Expr *e) {
    Value v;
    if (s->mode.numeric)
        return numeric_reduce(s, scope, e);
    if (e->reduce.op == REDUCE_SOFTMAX)
        return elaborate_softmax(s, scope, e);
    Indices over = {0};
    uint32_t space = 0;
    Scope *inner = scope_create(s, scope, scope->frame);
    for (uint32_t k = 0; k < e->reduce.indices.count; k++) {
        const Name name = e->reduce.indices.at[k];
        const Symbol *old = name.text ? scope_find(s, scope, name.text) : NULL;
        if (old && old->kind == SYMBOL_POSITION) {
            if (e->reduce.ranges.at[k])
                return sema_error(s, DIAG_INDEX_EXTENT, e->reduce.ranges.at[k]->span,
                                  "a reduction over positions goes over all of them");
            space = old->space;
            continue;
        }
        if (over.n == TIR_MAX_RANK)
            return sema_error(s, DIAG_RANK, name.span, "at most %d indices", TIR_MAX_RANK);
        Index *index = index_create(s, inner, name);
        if (!index || !index_bound(s, scope, index, e->reduce.ranges.at[k]))
            return POISON;
        over.at[over.n++] = index;
    }
    infer_extents(s, inner, e->reduce.operand);
    for (uint32_t k = 0; k < over.n; k++)
        if (!over.at[k]->extent) {
            const uint32_t errors = diag_error_count(s->d);
            const Value quiet = elaborate(s, inner, e->reduce.operand); /* a better reason? */
            if (diag_error_count(s->d) != errors || is_poison(quiet))
                return POISON;
            if (over.at[k]->extent)
                continue;
            sema_error(s, DIAG_INDEX_EXTENT, over.at[k]->span,
                       "the range of index `%s` cannot be told: nothing in the operand has it",
                       over.at[k]->name);
            return POISON;
        }
    if (space && over.n == 0)
        v = elaborate(s, inner, e->reduce.operand);
    else if (e->reduce.op == REDUCE_SUM || e->reduce.op == REDUCE_MEAN)
        v = elaborate_sum_over(s, inner, e, &over);
    else
        v = elaborate_other(s, inner, e, &over);
    return space && !is_poison(v) ? reduce_positions(s, e, v, space, e->span) : v;
}
