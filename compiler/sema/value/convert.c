/* What a value is where a tensor, a number or a condition is wanted. */
#include "sema/budget.h"
#include "sema/report.h"
#include "sema/value/tensor.h"

/* A REPEAT whose extents are all known, as a tensor. */
Value repeat_lay_out(Sema *s, Value v, Span span) {
    const Repeat *r = v.repeat;
    for (uint32_t k = 0; k < r->rank; k++)
        if (!r->extents[k]) {
            Value poison = sema_error(s, DIAG_INDEX_EXTENT, v.span,
                                      "the extent of axis %u cannot be told: nothing on the right "
                                      "side has this index, and no later use settles it",
                                      k + 1);
            sema_note(s, span, "it is needed here");
            sema_help(s, "give the range: `let u[k < 4] = ...`");
            return poison;
        }
    const Tensor *e = value_as_tensor(s, *r->element, span);
    if (!e)
        return POISON;
    Layout layout = {0};
    uint8_t map[TIR_MAX_RANK];
    for (uint32_t k = 0; k < e->type.rank; k++) { /* labels that ride along come first */
        bool repeated = false;
        for (uint32_t r_axis = 0; r_axis < r->rank; r_axis++)
            if (r->labels[r_axis] == e->axes[k]) {
                map[k] = (uint8_t)r_axis; /* shifted below */
                repeated = true;
            }
        if (!repeated) {
            layout.axes[layout.rank] = e->axes[k];
            layout.dims[layout.rank] = e->type.dims[k];
            map[k] = (uint8_t)(0x80 | layout.rank++);
        }
    }
    const uint32_t leading = layout.rank;
    if (leading + r->rank > TIR_MAX_RANK)
        return sema_error(s, DIAG_RANK, span, "a tensor has at most %d axes", TIR_MAX_RANK);
    for (uint32_t k = 0; k < r->rank; k++) {
        layout.axes[layout.rank] = NULL;
        layout.dims[layout.rank++] = r->extents[k];
    }
    for (uint32_t k = 0; k < e->type.rank; k++)
        map[k] = map[k] & 0x80 ? map[k] & 0x7f : (uint8_t)(map[k] + leading);
    uint64_t count;
    if (!budget_elements(s, layout.rank, layout.dims, span, &count))
        return POISON;
    const TirId id =
        tir_broadcast(sema_builder(s, span), tensor_use(s, e), layout.rank, layout.dims, map);
    return value_derived(s, id, e->type.domain, layout.axes, v.span);
}

const Tensor *value_as_tensor(Sema *s, Value v, Span span) {
    switch (v.kind) {
    case VALUE_POISON:
        return NULL;
    case VALUE_NUMBER:
        return value_tensor(s, tir_real(sema_builder(s, span), v.number), NULL, span).tensor;
    case VALUE_BOOL:
        return value_tensor(s, tir_bool(sema_builder(s, span), v.boolean), NULL, span).tensor;
    case VALUE_TENSOR:
        return v.tensor;
    case VALUE_REPEAT:
        v = repeat_lay_out(s, v, span);
        return is_poison(v) ? NULL : v.tensor;
    case VALUE_PATTERN:
        sema_error(s, DIAG_BARE_AXIS, span, "%s needs its indices here", value_text(s, v));
        sema_help(s, v.pattern->kind == PATTERN_IDENTITY ? "write `identity[i, j]`"
                                                         : "write `onehot(...)[i]`");
        return NULL;
    case VALUE_CALLABLE:
        sema_error(s, DIAG_KIND, span, "%s stands where a number is needed", value_text(s, v));
        if (v.callable->item && v.callable->item->kind == ITEM_FN)
            sema_help(s, "call it: `%s(...)`", v.callable->item->name.text);
        return NULL;
    default:
        sema_error(s, DIAG_KIND, span, "%s stands where a number is needed", value_text(s, v));
        return NULL;
    }
}

/* Integers become reals; conditions do not. */
const Tensor *value_as_real(Sema *s, Value v, Span span) {
    const Tensor *t = value_as_tensor(s, v, span);
    if (!t || t->type.elem == TIR_REAL)
        return t;
    if (t->type.elem == TIR_BOOL) {
        sema_error(s, DIAG_CONDITION, span, "a condition stands where a number is needed");
        sema_help(s, "write `select(condition, 1, 0)`");
        return NULL;
    }
    const TirId id = tir_unary(sema_builder(s, span), TIR_TO_REAL, tensor_use(s, t));
    return value_derived(s, id, t->type.domain, t->axes, span).tensor;
}

const Tensor *value_as_condition(Sema *s, Value v, Span span) {
    const Tensor *t = value_as_tensor(s, v, span);
    if (t && t->type.elem != TIR_BOOL) {
        sema_error(s, DIAG_CONDITION, span, "a number stands where a condition is needed");
        sema_help(s, "compare it: `... > 0`");
        return NULL;
    }
    return t;
}
