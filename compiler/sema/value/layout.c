/* Alignment by index, and the arrangement of axes.
 *
 * Maintains: the axes of what is joined are labels in order of creation, then bare axes; so the
 * equations of one `let` agree on their layout and transposes appear only where the text
 * transposes.
 */
#include "sema/budget.h"
#include "sema/report.h"
#include "sema/trial_extents.h"
#include "sema/value/tensor.h"

static bool layout_add_label(Sema *s, Layout *layout, Index *label, uint32_t extent, Span span) {
    uint32_t at = 0;
    while (at < layout->rank && layout->axes[at] && layout->axes[at]->serial < label->serial)
        at++;
    if (at < layout->rank && layout->axes[at] == label)
        return true; /* extents agree: both are the index's */
    if (layout->rank == TIR_MAX_RANK) {
        sema_error(s, DIAG_RANK, span, "this has more than %d axes; a tensor has at most that many",
                   TIR_MAX_RANK);
        return false;
    }
    for (uint32_t k = layout->rank++; k > at; k--) {
        layout->axes[k] = layout->axes[k - 1];
        layout->dims[k] = layout->dims[k - 1];
    }
    layout->axes[at] = label;
    layout->dims[at] = extent;
    return true;
}

bool layout_join(Sema *s, Layout *layout, const Tensor *t, Span span) {
    uint32_t have[TIR_MAX_RANK], n_have = 0, dims[TIR_MAX_RANK];
    for (uint32_t k = 0; k < layout->rank; k++)
        if (!layout->axes[k])
            have[n_have++] = layout->dims[k];
    const uint32_t n = tensor_bare_dims(t, dims, NULL);
    if (n && n_have) {
        bool same = n == n_have;
        for (uint32_t k = 0; same && k < n; k++)
            same = dims[k] == have[k];
        if (!same) {
            if (n == n_have)
                trial_dims_differ(s, n, have, dims);
            sema_error(s, DIAG_SHAPE, span, "whole tensors %s and %s do not fit each other",
                       dims_text(s, n_have, have), dims_text(s, n, dims));
            return false;
        }
    } else {
        for (uint32_t k = 0; k < n; k++) {
            if (layout->rank == TIR_MAX_RANK) {
                sema_error(s, DIAG_RANK, span, "a tensor has at most %d axes", TIR_MAX_RANK);
                return false;
            }
            layout->axes[layout->rank] = NULL;
            layout->dims[layout->rank++] = dims[k];
        }
    }
    for (uint32_t k = 0; k < t->type.rank; k++)
        if (t->axes[k] && !layout_add_label(s, layout, t->axes[k], t->type.dims[k], span))
            return false;
    return true;
}

TirId tensor_align(Sema *s, const Tensor *t, const Layout *layout, Span span) {
    const TirId id = tensor_use(s, t);
    if (t->type.rank == 0)
        return id;
    uint8_t map[TIR_MAX_RANK];
    uint32_t bare = 0;
    bool same = t->type.rank == layout->rank;
    for (uint32_t k = 0; k < t->type.rank; k++) {
        uint32_t at = 0, skip = t->axes[k] ? 0 : bare++;
        for (; at < layout->rank; at++)
            if (layout->axes[at] == t->axes[k] && (t->axes[k] || skip-- == 0))
                break;
        map[k] = (uint8_t)at;
        same = same && at == k;
    }
    return same ? id : tir_broadcast(sema_builder(s, span), id, layout->rank, layout->dims, map);
}

bool layout_check_size(Sema *s, const Layout *layout, Span span) {
    uint64_t count;
    return budget_elements(s, layout->rank, layout->dims, span, &count);
}

Value tensor_arrange(Sema *s, const Tensor *t, uint32_t n, Index *const *order, Span span) {
    Layout layout = {0};
    uint8_t map[TIR_MAX_RANK];
    uint32_t leading = 0;
    for (uint32_t k = 0; k < t->type.rank; k++) {
        bool named = false;
        for (uint32_t j = 0; j < n; j++)
            named = named || t->axes[k] == order[j];
        if (!named)
            leading++;
    }
    if (leading + n > TIR_MAX_RANK)
        return sema_error(s, DIAG_RANK, span, "a tensor has at most %d axes", TIR_MAX_RANK);
    for (uint32_t k = 0; k < t->type.rank; k++) {
        uint32_t j = 0;
        while (j < n && order[j] != t->axes[k])
            j++;
        if (j < n) {
            map[k] = (uint8_t)(leading + j);
        } else {
            layout.axes[layout.rank] = t->axes[k];
            layout.dims[layout.rank] = t->type.dims[k];
            map[k] = (uint8_t)layout.rank++;
        }
    }
    for (uint32_t j = 0; j < n; j++) {
        layout.axes[layout.rank] = NULL;
        layout.dims[layout.rank++] = order[j]->extent;
    }
    if (!layout_check_size(s, &layout, span))
        return POISON;
    bool same = t->type.rank == layout.rank;
    for (uint32_t k = 0; same && k < t->type.rank; k++)
        same = map[k] == k;
    TirId id = tensor_use(s, t);
    if (!same)
        id = tir_broadcast(sema_builder(s, span), id, layout.rank, layout.dims, map);
    return value_derived(s, id, t->type.domain, layout.axes, span);
}
