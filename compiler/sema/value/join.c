/* Tensors side by side.
 *
 *     [a, -b]         one axis more than its entries have, in front of theirs
 *     concat(x, z)    along the first axis of each
 *
 * Labels ride along: the new axis stands behind them. Of numbers alone a list is a table, which may
 * index. */
#include "sema/budget.h"
#include "sema/elaboration.h"
#include "sema/report.h"
#include "sema/trial_extents.h"
#include "sema/value/tensor.h"

/* All labels of the parts, in order; their domains joined. */
static bool join_labels(Sema *s, uint32_t n, const Tensor *const *parts, Layout *labels,
                        TirDomain *domain, Span span) {
    for (uint32_t k = 0; k < n; k++) {
        Tensor bare_off = *parts[k];
        bare_off.type.rank = 0;
        for (uint32_t a = 0; a < parts[k]->type.rank; a++)
            if (parts[k]->axes[a]) {
                bare_off.axes[bare_off.type.rank] = parts[k]->axes[a];
                bare_off.type.dims[bare_off.type.rank++] = parts[k]->type.dims[a];
            }
        if (!layout_join(s, labels, &bare_off, span))
            return false;
        if (!tir_domain_join(*domain, parts[k]->type.domain, domain)) {
            sema_error(s, DIAG_DOMAIN, span, "these live at positions of two spaces");
            return false;
        }
    }
    return true;
}

/* Each part with all labels, then `rank` axes of its own; joined along the first of these. */
static Value join_parts(Sema *s, uint32_t n, const Tensor *const *parts, const Layout *labels,
                        TirDomain domain, bool stacked, Span span) {
    TirId *ids = ARENA_ARRAY(s->arena, TirId, n);
    Layout all = *labels;
    uint32_t extent = 0, rank = 0, axes[TIR_MAX_RANK];
    for (uint32_t k = 0; k < n; k++) { /* a single value repeats */
        const uint32_t own = tensor_bare_dims(parts[k], axes, NULL);
        rank = own > rank ? own : rank;
    }
    if (labels->rank + rank + stacked > TIR_MAX_RANK)
        return sema_error(s, DIAG_RANK, span, "a tensor has at most %d axes", TIR_MAX_RANK);
    uint32_t own[TIR_MAX_RANK] = {0};
    const Tensor *first = NULL;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t dims[TIR_MAX_RANK];
        const uint32_t has = tensor_bare_dims(parts[k], dims, NULL);
        bool same = has == rank || (stacked && has == 0);
        for (uint32_t a = 0; same && first && has && a < rank; a++)
            same = own[a] == dims[a] || (!stacked && a == 0);
        if (!same && first && has == rank)
            trial_dims_differ(s, rank, own, dims);
        if (!same && first)
            return sema_error(s, DIAG_SHAPE, span, "%s and %s do not fit side by side",
                              dims_text(s, tensor_bare_dims(first, own, NULL), own),
                              dims_text(s, has, dims));
        if (!same)
            return sema_error(s, DIAG_SHAPE, span,
                              "%s and what has %u axes do not fit side by side",
                              dims_text(s, has, dims), rank);
        if (has == rank)
            first = parts[k];
        for (uint32_t a = 0; has == rank && a < rank; a++)
            own[a] = dims[a];
        extent += stacked ? 1 : dims[0];
    }
    for (uint32_t k = 0; k < n; k++) {
        Layout layout = *labels;
        if (!stacked)
            tensor_bare_dims(parts[k], own, NULL);
        for (uint32_t a = 0; a < rank; a++)
            layout.dims[layout.rank++] = own[a]; /* their axes are NULL: bare */
        const TirId id = tensor_align(s, parts[k], &layout, span);
        TirBuilder *b = sema_builder(s, span);
        ids[k] = layout.rank && sema_type(s, id)->rank == 0
                     ? tir_broadcast(b, id, layout.rank, layout.dims, NULL)
                     : id;
        if (stacked) {
            for (uint32_t a = layout.rank++; a > labels->rank; a--)
                layout.dims[a] = layout.dims[a - 1];
            layout.dims[labels->rank] = 1;
            ids[k] = tir_reshape(b, ids[k], layout.rank, layout.dims);
        }
    }
    for (uint32_t a = 0; a < rank + stacked; a++) {
        all.axes[all.rank] = NULL;
        all.dims[all.rank++] = a == 0 ? extent : own[a - stacked];
    }
    if (!layout_check_size(s, &all, span))
        return POISON;
    const TirId id = tir_concat(sema_builder(s, span), labels->rank, n, ids);
    return value_derived(s, id, domain, all.axes, span);
}

/* Lists of numbers, and of such lists, as one table; false where something is computed. */
static bool list_of_numbers(Sema *s, uint32_t n, const BoundArgument *entries, Span span,
                            Value *table) {
    uint32_t dims[TIR_MAX_RANK] = {n}, rank = 0;
    uint64_t inside = 1, count;
    for (uint32_t k = 0; k < n; k++) {
        const bool number = entries[k].value.kind == VALUE_NUMBER;
        if (!number &&
            (!value_is_table(s, entries[k].value) ||
             tir_node(s->loop->builder.block, entries[k].value.tensor->id)->op != TIR_TABLE))
            return false;
        const uint32_t own = number ? 0 : entries[k].value.tensor->type.rank;
        if ((k && own != rank) || own + 1 > TIR_MAX_RANK)
            return false;
        rank = own;
        for (uint32_t a = 0; a < rank; a++) {
            if (k && dims[a + 1] != entries[k].value.tensor->type.dims[a])
                return false;
            dims[a + 1] = entries[k].value.tensor->type.dims[a];
        }
    }
    for (uint32_t a = 0; a < rank; a++)
        inside *= dims[a + 1];
    double *data;
    if (!budget_elements(s, rank + 1, dims, span, &count) ||
        !(data = budget_table(s, count, span))) {
        *table = POISON;
        return true;
    }
    for (uint32_t k = 0; k < n; k++)
        for (uint64_t j = 0; j < inside; j++) {
            int64_t at[TIR_MAX_RANK] = {0};
            uint64_t rest = j;
            for (uint32_t a = rank; a-- > 0; rest /= dims[a + 1])
                at[a] = (int64_t)(rest % dims[a + 1]);
            if (entries[k].value.kind == VALUE_NUMBER)
                data[k] = entries[k].value.number;
            else
                table_entry(s, entries[k].value.tensor, at, &data[k * inside + j]);
        }
    *table = value_tensor(s, tir_table(sema_builder(s, span), TIR_REAL, rank + 1, dims, data), NULL,
                          span);
    return true;
}

Value values_stacked(Sema *s, uint32_t n, const BoundArgument *entries, Span span) {
    Value table;
    if (list_of_numbers(s, n, entries, span, &table))
        return table;
    const Tensor **parts = ARENA_ARRAY(s->arena, const Tensor *, n);
    for (uint32_t k = 0; k < n; k++) {
        parts[k] = value_as_real(s, entries[k].value, entries[k].at);
        if (!parts[k])
            return POISON;
    }
    Layout labels = {0};
    TirDomain domain = TIR_GLOBAL;
    if (!join_labels(s, n, parts, &labels, &domain, span))
        return POISON;
    return join_parts(s, n, parts, &labels, domain, true, span);
}

Value values_joined(Sema *s, uint32_t n, const BoundArgument *a, Span span) {
    const Tensor **parts = ARENA_ARRAY(s->arena, const Tensor *, n);
    for (uint32_t k = 0; k < n; k++) {
        parts[k] = value_as_real(s, a[k].value, a[k].at);
        if (!parts[k])
            return POISON;
        if (!tensor_bare_rank(parts[k])) {
            sema_error(s, DIAG_BARE_AXIS, a[k].at, "`concat` joins tensors, and this is %s",
                       value_text(s, a[k].value));
            sema_help(s, "single values side by side are a list: `[a, b]`");
            return POISON;
        }
    }
    Layout labels = {0};
    TirDomain domain = TIR_GLOBAL;
    if (!join_labels(s, n, parts, &labels, &domain, span))
        return POISON;
    return join_parts(s, n, parts, &labels, domain, false, span);
}
