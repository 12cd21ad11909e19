/* Values of other positions: `x[t - 1, c]`, `shift(x, 1)`, `window(x, 3)`.
 *
 * A window is the shifts of which it consists, side by side. `recur(f, u)` goes on from each
 * position to the next. */
#include "sema/budget.h"
#include "sema/elaboration.h"
#include "sema/report.h"
#include "sema/value/tensor.h"
#include <stdlib.h>

enum { WINDOW_LARGEST = 1024 };

static TirId zeros_like(TirBuilder *b, const TirType *type) {
    const TirId zero = type->elem == TIR_INT ? tir_int(b, 0) : tir_real(b, 0);
    return tir_broadcast(b, zero, type->rank, type->dims, NULL);
}

TirId shift_along(Sema *s, TirId x, uint8_t space, int64_t first, int64_t second, Span span) {
    if (!space) /* only its shape is looked at */
        return x;
    const TirSpace *sp = &s->program->spaces.at[space - 1];
    const int64_t rows = sp->extents[0], columns = sp->rank == 2 ? sp->extents[1] : 1;
    TirBuilder *b = sema_builder(s, span);
    if (sp->rank == 1)
        second = 0;
    if (llabs(first) >= rows || (second && llabs(second) >= columns))
        return zeros_like(b, sema_type(s, x));
    return tir_shift_in(b, x, (int32_t[2]){(int32_t)first, (int32_t)second}, space);
}

/* The tensor, and how many axes its positions have; 0 after an error. */
static uint32_t across(Sema *s, const char *what, Value x, uint32_t n, Span span,
                       const Tensor **tensor) {
    const Tensor *t = value_as_tensor(s, x, span);
    if (!t)
        return 0;
    if (t->type.elem == TIR_BOOL) {
        sema_error(s, DIAG_CONDITION, span, "a condition stands where a number is needed");
        return 0;
    }
    const uint8_t space = t->type.domain.space;
    *tensor = t;
    if (!space && s->mode.looking) /* a loop may still give it some */
        return n;
    if (!space) {
        sema_error(s, DIAG_DOMAIN, span, "`%s` goes over positions, and this value has none", what);
        return 0;
    }
    const TirSpace *positions = &s->program->spaces.at[space - 1];
    if (positions->rank != n && !s->trial) { /* a definition by itself may be for either */
        sema_error(s, DIAG_ARITY, span,
                   n == 1 ? "the positions are a grid: `%s` takes a number for each of its two axes"
                          : "the positions `%s` are not a grid: `%s` takes one number",
                   n == 1 ? what : positions->name, what);
        sema_help(s, n == 1 ? "write `%s(x, 1, 1)`" : "write `%s(x, 1)`", what);
        return 0;
    }
    return n;
}

Value shift_value(Sema *s, Value x, uint32_t n, const int64_t *offsets, Span span) {
    const Tensor *t;
    if (!across(s, "shift", x, n, span, &t))
        return POISON;
    const TirId id = shift_along(s, tensor_use(s, t), t->type.domain.space, offsets[0],
                                 n == 2 ? offsets[1] : 0, span);
    return value_derived(s, id, t->type.domain, t->axes, span);
}

Value window_value(Sema *s, Value x, uint32_t n, const int64_t *extents, Span span) {
    const Tensor *t;
    uint32_t dims[TIR_MAX_RANK], count = 1;
    Index *axes[TIR_MAX_RANK] = {NULL};
    if (!across(s, "window", x, n, span, &t))
        return POISON;
    if (t->type.rank + n > TIR_MAX_RANK)
        return sema_error(s, DIAG_RANK, span, "a tensor has at most %d axes", TIR_MAX_RANK);
    for (uint32_t k = 0; k < n; k++) {
        dims[k] = (uint32_t)extents[k];
        count *= dims[k];
    }
    if (count > WINDOW_LARGEST)
        return sema_error(s, DIAG_SIZE, span, "a window of %u positions is too large (at most %d)",
                          count, WINDOW_LARGEST);
    for (uint32_t k = 0; k < t->type.rank; k++) {
        dims[n + k] = t->type.dims[k];
        axes[n + k] = t->axes[k];
    }
    uint32_t one[TIR_MAX_RANK] = {1};
    for (uint32_t k = 0; k < t->type.rank; k++)
        one[1 + k] = t->type.dims[k];
    TirId *parts = ARENA_ARRAY(s->arena, TirId, count);
    const TirId id = tensor_use(s, t);
    for (uint32_t k = 0; k < count; k++) {
        /* the last of a sequence is the position itself; of a grid it is the middle */
        const int64_t a = n == 1 ? k : k / dims[1], c = n == 1 ? 0 : k % dims[1];
        const int64_t first = n == 1 ? (int64_t)dims[0] - 1 - a : ((int64_t)dims[0] - 1) / 2 - a;
        const int64_t second = n == 1 ? 0 : ((int64_t)dims[1] - 1) / 2 - c;
        const TirId part = shift_along(s, id, t->type.domain.space, first, second, span);
        parts[k] = tir_reshape(sema_builder(s, span), part, t->type.rank + 1, one);
    }
    TirBuilder *b = sema_builder(s, span);
    const TirId whole = tir_concat(b, 0, count, parts);
    const TirId shaped = tir_reshape(b, whole, t->type.rank + n, dims);
    return value_derived(s, shaped, t->type.domain, axes, span);
}

TirId positions_as_axis(Sema *s, TirId x, uint8_t space, Span span) {
    const TirDomain to = {sema_type(s, x)->domain.sample, 0};
    TirBuilder *b = sema_builder(s, span);
    return tir_scatter_add(b, tir_position(b, space), tir_at_positions(b, x, space),
                           s->program->spaces.at[space - 1].maximum, to);
}

Value all_positions_value(Sema *s, Value x, Span span) {
    const Tensor *t = value_as_real(s, x, span);
    Index *axes[TIR_MAX_RANK] = {NULL};
    uint32_t dims[TIR_MAX_RANK];
    const uint8_t space = t ? t->type.domain.space : 0;
    if (!t)
        return POISON;
    if (!space)
        return sema_error(s, DIAG_DOMAIN, span,
                          "`all_positions` goes over positions, and this value has none");
    const TirSpace *positions = &s->program->spaces.at[space - 1];
    const uint32_t n = positions->rank;
    if (t->type.rank + n > TIR_MAX_RANK)
        return sema_error(s, DIAG_RANK, span, "a tensor has at most %d axes", TIR_MAX_RANK);
    for (uint32_t k = 0; k < n; k++)
        dims[k] = positions->extents[k];
    for (uint32_t k = 0; k < t->type.rank; k++) {
        dims[n + k] = t->type.dims[k];
        axes[n + k] = t->axes[k];
    }
    uint64_t count;
    if (!budget_elements(s, n + t->type.rank, dims, span, &count))
        return POISON;
    const TirId all = positions_as_axis(s, tensor_use(s, t), space, span);
    const TirId id = tir_reshape(sema_builder(s, span), all, n + t->type.rank, dims);
    return value_derived(s, id, (TirDomain){t->type.domain.sample, 0}, axes, span);
}

/* What lives at each position of a sequence. */
static bool is_of_sequence(Sema *s, TirDomain domain, Span span) {
    if (!domain.space) {
        sema_error(s, DIAG_DOMAIN, span,
                   "`recur` goes over positions, and neither of these values has any");
        return false;
    }
    const TirSpace *space = &s->program->spaces.at[domain.space - 1];
    if (space->rank == 1)
        return true;
    if (!s->trial)
        sema_error(s, DIAG_DOMAIN, span,
                   "`recur` goes from one position to the next, and `%s` are those of a grid",
                   space->name);
    return false;
}

Value recur_value(Sema *s, Value f, Value u, bool reverse, Span span) {
    const Tensor *x = value_as_real(s, f, span), *y = value_as_real(s, u, span);
    Layout layout = {0};
    TirDomain domain = x ? x->type.domain : TIR_GLOBAL;
    if (!x || !y || !domain_meets(s, &domain, y, span) || !layout_join(s, &layout, x, span) ||
        !layout_join(s, &layout, y, span) || !layout_check_size(s, &layout, span) ||
        !is_of_sequence(s, domain, span))
        return POISON;
    TirBuilder *b = sema_builder(s, span);
    TirId factor = tensor_align(s, x, &layout, span), added = tensor_align(s, y, &layout, span);
    if (reverse) /* whose state at t is multiplied by the factor at t + 1 */
        factor = shift_along(s, factor, domain.space, 1, 0, span);
    added = tir_at_positions(b, added, domain.space); /* what was folded may have none */
    return value_derived(s, tir_recur(b, factor, added, reverse), domain, layout.axes, span);
}

/* The index of the position a value belongs to, as `t` in a model or `here` in a definition. */
Value position_value(Sema *s, uint32_t space, uint32_t axis, Span span) {
    const TirSpace *sp = &s->program->spaces.at[space - 1];
    const TirId id = tir_position(sema_builder(s, span), space);
    Value v = value_tensor(s, id, NULL, span);
    if (sp->rank == 1)
        return v;
    const Value columns = value_number(sp->extents[1], span);
    const Value first = value_unary(s, TIR_FLOOR, value_binary(s, TIR_DIV, v, columns, span), span);
    if (axis == 0)
        return first;
    return value_binary(s, TIR_SUB, v, value_binary(s, TIR_MUL, first, columns, span), span);
}
