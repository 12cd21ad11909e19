/* Values of other positions, by a map from those at which they are wanted: `x[4 * s + k, c]`,
 * `p[floor(t / 4), c]`, `h[0, c]`, `x[chosen, c]`.
 *
 * What lives at positions becomes an axis of its sample, and its entries are looked up: as a sum
 * and a choice, each the other's derivative. A subscript outside the positions finds 0, as a shift
 * does; a map that only moves is shifts. */
#include "sema/elaboration.h"
#include "sema/expr/subscript.h"
#include "sema/report.h"

/* --- maps that only move -----------------------------------------------------------------------*/

enum { MOVES_MOST = 64 }; /* that are written as shifts */

/* Whether entry `k` of every position is as far away as of every other; *offset: how far. */
static bool is_move(const LookupTable *t, uint64_t k, int64_t *offset) {
    bool found = false;
    for (uint64_t p = 0; p < t->positions; p++) {
        const double at = t->data[p * t->entries + k];
        if (at >= 0 && found && (int64_t)p - (int64_t)at != *offset)
            return false;
        if (at >= 0) {
            *offset = (int64_t)p - (int64_t)at;
            found = true;
        }
    }
    for (uint64_t p = 0; found && p < t->positions; p++) {
        const int64_t at = (int64_t)p - *offset;
        const bool inside = at >= 0 && at < (int64_t)t->positions;
        if (inside != (t->data[p * t->entries + k] >= 0))
            return false;
    }
    return found;
}

/* x as shifts side by side; 0: it is none. */
static TirId moved(Sema *s, const LookupTable *t, TirId x, uint8_t space, Span span) {
    int64_t offsets[MOVES_MOST];
    if (t->space != space || t->entries > MOVES_MOST || s->program->spaces.at[space - 1].rank > 1)
        return 0;
    for (uint64_t k = 0; k < t->entries; k++)
        if (!is_move(t, k, &offsets[k]))
            return 0;
    const TirType type = *sema_type(s, x);
    uint32_t one[TIR_MAX_RANK + 1] = {1}, all[TIR_MAX_RANK + 1];
    for (uint32_t k = 0; k < type.rank; k++)
        one[1 + k] = type.dims[k];
    TirId parts[MOVES_MOST];
    for (uint64_t k = 0; k < t->entries; k++) {
        const TirId part = shift_along(s, x, space, offsets[k], 0, span);
        parts[k] =
            t->n_indices ? tir_reshape(sema_builder(s, span), part, type.rank + 1u, one) : part;
    }
    if (!t->n_indices)
        return parts[0];
    for (uint32_t k = 0; k < t->n_indices; k++)
        all[k] = t->indices[k]->extent;
    for (uint32_t k = 0; k < type.rank; k++)
        all[t->n_indices + k] = type.dims[k];
    TirBuilder *b = sema_builder(s, span);
    const TirId whole = tir_concat(b, 0, (uint32_t)t->entries, parts);
    return tir_reshape(b, whole, t->n_indices + type.rank, all);
}

/* --- all others --------------------------------------------------------------------------------*/

const Tensor *lookup_integers(Sema *s, const LookupTable *t, Span span) {
    uint32_t dims[TIR_MAX_RANK + 1] = {t->positions};
    bool itself = t->space && t->n_indices == 0;
    for (uint32_t k = 0; k < t->n_indices; k++)
        dims[1 + k] = t->indices[k]->extent;
    for (uint64_t k = 0; itself && k < t->positions; k++)
        itself = t->data[k] == (double)k;
    TirBuilder *b = sema_builder(s, span);
    TirId id;
    if (!t->space && t->n_indices == 0) {
        id = tir_int(b, (int64_t)t->data[0]);
    } else if (!t->space) {
        id = tir_table(b, TIR_INT, t->n_indices, dims + 1, t->data);
    } else {
        id = tir_position(b, t->space);
        if (!itself)
            id = tir_gather(b, tir_table(b, TIR_INT, 1 + t->n_indices, dims, t->data), id);
    }
    return value_tensor(s, id, t->indices, span).tensor;
}

int elsewhere_apply(Sema *s, Work *w, const LookupTable *table, const Tensor *at, Span span) {
    const uint8_t space = w->domain.space;
    TirId id = table ? moved(s, table, w->id, space, span) : 0;
    at = table && !id ? lookup_integers(s, table, span) : at;
    Index *const *axes = id ? table->indices : at->axes;
    const uint32_t more = id ? table->n_indices : at->type.rank;
    if (more + w->rank > TIR_MAX_RANK) {
        sema_error(s, DIAG_RANK, span, "a tensor has at most %d axes", TIR_MAX_RANK);
        return -1;
    }
    if (!id) {
        const TirId index = tensor_use(s, at), x = positions_as_axis(s, w->id, space, span);
        id = tir_gather(sema_builder(s, span), x, index);
        w->domain.space = 0;
        tir_domain_join(w->domain, at->type.domain, &w->domain);
    }
    for (uint32_t k = w->rank; k-- > 0;) {
        w->axes[more + k] = w->axes[k];
        w->dims[more + k] = w->dims[k];
    }
    for (uint32_t k = 0; k < more; k++) {
        w->axes[k] = axes[k];
        w->dims[k] = sema_type(s, id)->dims[k];
    }
    w->id = id;
    w->rank += more;
    return (int)more;
}
