/* Writes that give the trunk another width.
 *
 *     state H[n, d];
 *     write H[k, c < e] = ...;     with a range of its own: the sites that follow see d = e
 *
 * A range on the left says so, where the state is declared with `d` itself; without one, or with
 * the range d, the width stays. All states that are declared with `d` change together. */
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/report.h"
#include "sema/site/site.h"

static bool is_width(const Site *x, const Expr *e) {
    return e->kind == EXPR_NAME && e->name == intern_str(x->s->c->interner, "d");
}

/* The number of entries that the left side gives axis `k`; 0: it says nothing. */
static uint32_t range_given(Site *x, const Binding *b, uint32_t k) {
    const Expr *e = b->target.indices.at[k];
    uint32_t extent;
    if (e->kind != EXPR_COMPARE || e->compare.op != OP_LT ||
        !elaborate_extent(x->s, x->scope, e->compare.right, &extent))
        return 0;
    return extent;
}

static bool names_entries(const Binding *b) {
    for (uint32_t k = 0; k < b->target.indices.count; k++)
        if (b->target.indices.at[k]->kind == EXPR_NUMBER)
            return true;
    return false;
}

bool width_changes(Site *x, const SiteState *state, const Binding *b, Value *known) {
    const Target *declared = state->declared;
    StateSlot shape = x->trunk->states.at[state->slot];
    bool changes = false;
    if (state->adapted || shape.grows || state->is_written || names_entries(b) ||
        b->target.indices.count != declared->indices.count)
        return false;
    for (uint32_t k = 0; k < shape.rank; k++) {
        const uint32_t given = range_given(x, b, k);
        if (!given || given == shape.dims[k] || !is_width(x, declared->indices.at[k]))
            continue;
        shape.dims[k] = given;
        changes = true;
    }
    if (changes) {
        *known = slot_zeros(x->s, &shape);
        known->span = shape.span;
    }
    return changes;
}

/* The width that the writes give; the trunk's own where none says another. */
static uint32_t width_given(const Site *x) {
    uint32_t width = x->trunk->width;
    for (; x; x = x->inner)
        for (uint32_t k = 0; k < x->n_states; k++)
            if (x->states[k].widened)
                width = x->states[k].widened;
    return width;
}

/* A state has the new width where it is declared with `d`. */
static void widen_state(Site *x, const SiteState *state, uint32_t width) {
    Sema *s = x->s;
    StateSlot *slot = &x->trunk->states.at[state->slot];
    for (uint32_t a = 0; !state->adapted && a < slot->rank; a++) {
        if (!is_width(x, state->declared->indices.at[a]))
            continue;
        slot->dims[a] = width;
        if (state->widened == width || x->failed)
            continue;
        sema_error(s, DIAG_STATE, slot->span,
                   "the writes of this site make the trunk %u wide, but leave `%s` at %u", width,
                   slot->name, state->widened ? state->widened : x->trunk->width);
        sema_note(s, x->item->name.span, "in the connection `%s`", x->item->name.text);
        x->failed = true;
    }
}

void width_commit(Site *x) {
    const uint32_t width = width_given(x);
    if (width == x->trunk->width)
        return;
    for (Site *at = x; at; at = at->inner)
        for (uint32_t k = 0; k < at->n_states; k++)
            if (at->states[k].slot != NO_SLOT)
                widen_state(at, &at->states[k], width);
    x->trunk->width = width;
    x->trunk->widened_by = x->site->path;
}

uint32_t width_written(const Site *x, const SiteState *state) {
    uint32_t dims[TIR_MAX_RANK];
    if (state->written.kind != VALUE_TENSOR)
        return 0;
    tensor_bare_dims(state->written.tensor, dims, NULL);
    for (uint32_t k = 0; k < state->declared->indices.count; k++)
        if (is_width(x, state->declared->indices.at[k]))
            return dims[k];
    return 0;
}
