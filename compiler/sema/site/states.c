/* What the trunk keeps from site to site: states and carries, declared, begun and written. */
#include "sema/body/body.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/report.h"
#include "sema/site/site.h"
#include "sema/trial_extents.h"
#include "sema/usage.h"
#include <string.h>

/* --- declared ----------------------------------------------------------------------------------*/

void site_state(Site *x, const Target *target) {
    Sema *s = x->s;
    if (!target->name.text || !scope_check_new(s, x->scope, target->name))
        return;
    if (x->n_states == SITE_MAX_STATES) {
        sema_error(s, DIAG_STATE, target->span, "a connection has at most %d states",
                   SITE_MAX_STATES);
        x->failed = true;
        return;
    }
    StateSlot slot = {.name = target->name.text,
                      .span = target->span,
                      .owner = x->use->connection->item->name.text,
                      .path = x->site->path,
                      .rank = target->indices.count,
                      .grows = grow_is_grown(x, target, x->n_states)};
    const bool good = elaborate_shape(s, x->scope, target, slot.dims);
    Symbol *symbol = scope_define(s, x->scope, slot.name, target->name.span, SYMBOL_VALUE);
    symbol->declared = DECLARED_STATE;
    usage_declare(s, DECLARED_STATE, slot.name, target->name.span);
    Usage *usage = usage_at(s, target->name.span);
    if (usage && slot.grows) /* perhaps at some sites only */
        usage->written = true;
    const uint32_t at = x->n_states++;
    x->states[at] = (SiteState){.symbol = symbol, .declared = target};
    if (!good) {
        x->failed = true;
        return;
    }
    if (!x->trunk->begun) {
        symbol->unbegun = parts_begin(&x->use->connection->item->body, slot.name);
        vec_push(s->arena, &x->trunk->states, slot);
        return;
    }
    if (at >= x->trunk->states.count) {
        sema_error(s, DIAG_STATE, x->site->stmt->site.connection->span,
                   "`%s` keeps more states than this trunk has", slot.owner);
        sema_note(s, target->span, "its state `%s`", slot.name);
        x->failed = true;
        return;
    }
    StateSlot *have = &x->trunk->states.at[at];
    bool same = have->rank == slot.rank && have->grows == slot.grows;
    for (uint32_t k = 0; same && k < slot.rank; k++)
        same = have->dims[k] == slot.dims[k];
    if (!same && adapt_fits(x->trunk, &slot)) {
        x->adapted = true;
        symbol->value = adapt_read(s, have, target->span);
        return;
    }
    if (!same) {
        sema_error(s, DIAG_STATE, x->site->stmt->site.connection->span,
                   "`%s` keeps `%s` %s%s, but this trunk's state is `%s` %s%s", slot.owner,
                   slot.name, dims_text(s, slot.rank, slot.dims), slot.grows ? ", which grows" : "",
                   have->name, dims_text(s, have->rank, have->dims),
                   have->grows ? ", which grows" : "");
        sema_note(s, have->span, "the trunk's state was set by `%s`, the connection of `%s`",
                  have->owner, have->path);
        if (slot.rank == have->rank + 1 && !slot.grows && !have->grows)
            sema_help(s,
                      "a connection of one stream adapts to a trunk of several, not the reverse: "
                      "begin the trunk with `%s`",
                      slot.owner);
        else
            sema_help(s, "connections of one trunk share its state; end the trunk and begin "
                         "another, or use connections of one state");
        x->failed = true;
        return;
    }
    symbol->value = have->value;
}

/* What a carry begins as: a tensor of the declared shape, or one number for all of it. */
static Value carry_begin(Site *x, const Binding *b) {
    Sema *s = x->s;
    const Value v = elaborate(s, x->scope, b->value);
    uint32_t dims[TIR_MAX_RANK], have[TIR_MAX_RANK];
    const uint32_t rank = b->target.indices.count;
    const bool good = elaborate_shape(s, x->scope, &b->target, dims) && !is_poison(v);
    const Tensor *t = good ? value_as_real(s, v, b->value->span) : NULL;
    if (!t)
        return POISON;
    const uint32_t n = tensor_bare_dims(t, have, NULL);
    if (n == 0 && rank) {
        const uint8_t none[1] = {0};
        const TirId whole =
            tir_broadcast(sema_builder(s, b->target.span), tensor_use(s, t), rank, dims, none);
        return value_derived(s, whole, t->type.domain, NULL, b->target.span);
    }
    if (b->target.bracketed && (n != rank || memcmp(have, dims, n * sizeof *dims) != 0)) {
        if (n == rank)
            trial_dims_differ(s, n, have, dims);
        sema_error(s, DIAG_SHAPE, b->value->span, "`%s` is %s, this is %s", b->target.name.text,
                   dims_text(s, rank, dims), dims_text(s, n, have));
        sema_note(s, b->target.span, "`%s` is declared here", b->target.name.text);
        return POISON;
    }
    return (Value){.kind = VALUE_TENSOR, .span = b->target.span, .tensor = t};
}

void site_carry(Site *x, const Binding *b) {
    Sema *s = x->s;
    if (!b->target.name.text || !scope_check_new(s, x->scope, b->target.name))
        return;
    if (x->n_carries == SITE_MAX_CARRIES) {
        sema_error(s, DIAG_STATE, b->target.span, "a connection has at most %d carries",
                   SITE_MAX_CARRIES);
        x->failed = true;
        return;
    }
    const Item *item = x->use->connection->item;
    Value v = POISON;
    bool found = false;
    for (uint32_t k = 0; k < x->trunk->carries.count; k++)
        if (x->trunk->carries.at[k].item == item &&
            x->trunk->carries.at[k].name == b->target.name.text) {
            v = x->trunk->carries.at[k].value;
            found = true;
        }
    if (!found) {
        v = carry_begin(x, b);
        vec_push(s->arena, &x->trunk->carries, (CarrySlot){item, b->target.name.text, v});
    }
    given_carry(x, b->target.name.text, &v);
    Symbol *symbol =
        scope_define(s, x->scope, b->target.name.text, b->target.name.span, SYMBOL_VALUE);
    symbol->declared = DECLARED_STATE;
    symbol->value = v;
    usage_declare(s, DECLARED_STATE, symbol->name, symbol->span);
    x->carries[x->n_carries++] = (SiteCarry){symbol, v};
}

/* --- begun and written -------------------------------------------------------------------------*/

static SiteState *find_state(Site *x, const char *name) {
    for (uint32_t k = 0; name && k < x->n_states; k++)
        if (x->states[k].symbol->name == name)
            return &x->states[k];
    return NULL;
}

static SiteCarry *find_carry(Site *x, const char *name) {
    for (uint32_t k = 0; name && k < x->n_carries; k++)
        if (x->carries[k].symbol->name == name)
            return &x->carries[k];
    return NULL;
}

/* What the trunk keeps of it; NULL: nothing, after an error. */
static StateSlot *slot_of(const Site *x, const SiteState *state) {
    const size_t place = (size_t)(state - x->states);
    return place < x->trunk->states.count ? &x->trunk->states.at[place] : NULL;
}

static void unknown_state(Site *x, const Binding *b, const char *word) {
    Sema *s = x->s;
    if (!b->target.name.text)
        return;
    const char *names[SITE_MAX_STATES + SITE_MAX_CARRIES];
    uint32_t n = 0;
    for (uint32_t k = 0; k < x->n_states; k++)
        names[n++] = x->states[k].symbol->name;
    for (uint32_t k = 0; k < x->n_carries; k++)
        names[n++] = x->carries[k].symbol->name;
    const char *near = nearest_name(b->target.name.text, names, n);
    sema_error(s, DIAG_STATE, b->target.name.span,
               "`%s` gives a value to a state, and `%s` is none", word, b->target.name.text);
    if (near)
        sema_help(s, "did you mean `%s`?", near);
    else if (n)
        sema_help(s, "the state is `%s`", names[0]);
    x->failed = true;
}

void site_begin(Site *x, const Binding *b) {
    Sema *s = x->s;
    SiteState *state = find_state(x, b->target.name.text);
    if (!state) {
        unknown_state(x, b, "begin");
        return;
    }
    StateSlot *slot = slot_of(x, state);
    if (!x->first || !slot)
        return;
    const Value known = state->is_begun ? state->symbol->value /* another slice of it */
                                        : slot_zeros(s, slot);
    state->is_begun = true;
    state->symbol->unbegun = false;
    Value v = body_binding(s, x->scope, b, &known);
    if (v.kind == VALUE_NUMBER)
        v = POISON;
    if (is_poison(v))
        x->failed = true;
    given_begun(x, slot, &v);
    slot->value = v;
    state->symbol->value = v;
}

/* The right side of a write; a poisoned `known` gives poison. */
static Value written_value(Site *x, const Symbol *symbol, const Binding *b, const Value *known) {
    Sema *s = x->s;
    Usage *usage = usage_at(s, symbol->span);
    if (usage)
        usage->written = true;
    Value v = POISON;
    if (!is_poison(symbol->value)) {
        Mode mode = s->mode;
        mode.writing = x->calls_branch ? NULL : symbol; /* a branch may see it */
        const Mode outer = mode_enter(s, mode);
        v = body_binding(s, x->scope, b, known);
        mode_leave(s, outer);
    }
    x->failed = x->failed || is_poison(v);
    return v;
}

static void write_state(Site *x, SiteState *state, const Binding *b) {
    Value known = state->is_written ? state->written /* another slice of it */
                                    : state->symbol->value;
    bool widens = false;
    if (!is_poison(state->symbol->value)) {
        known.span = x->adapted ? state->symbol->span : slot_of(x, state)->span;
        widens = width_changes(x, state, b, &known);
    }
    const Value v = written_value(x, state->symbol, b, &known);
    if (is_poison(state->symbol->value))
        return;
    state->written = v;
    state->is_written = true;
    if (widens)
        state->widened = width_written(x, state);
}

void site_write(Site *x, const Binding *b) {
    SiteState *state = find_state(x, b->target.name.text);
    SiteCarry *carry = find_carry(x, b->target.name.text);
    if (state) {
        write_state(x, state, b);
    } else if (carry) {
        const Value v = written_value(x, carry->symbol, b, &carry->symbol->value);
        if (!is_poison(carry->symbol->value))
            carry->written = v;
    } else {
        unknown_state(x, b, "write");
    }
}

void site_append(Site *x, const Binding *b) {
    SiteState *state = find_state(x, b->target.name.text);
    if (!state) {
        unknown_state(x, b, "append");
        return;
    }
    Usage *usage = usage_at(x->s, state->symbol->span);
    if (usage)
        usage->written = true;
    const StateSlot *slot = slot_of(x, state);
    if (slot && slot->grows)
        grow_append(x, state, slot, b);
}

static void commit_state(Site *x, SiteState *state, StateSlot *slot) {
    Symbol *symbol = state->symbol;
    if (state->appended.count) {
        slot->value = grow_commit(x, state, slot, state->is_written ? state->written : slot->value);
        symbol->value = slot->value;
    } else if (state->is_written) {
        slot->value = x->adapted
                          ? adapt_write(x->s, slot, symbol->value, state->written, symbol->span)
                          : state->written;
        symbol->value = state->written; /* of adapted ones: the mean, as it now is */
    }
}

void site_commit(Site *x) {
    for (SiteState *state = x->states; state < x->states + x->n_states; state++)
        if (state->symbol->value.kind == VALUE_TENSOR)
            state->held = state->symbol->value.tensor->id;
    for (SiteState *state = x->states; state < x->states + x->n_states; state++)
        if (slot_of(x, state))
            commit_state(x, state, slot_of(x, state));
    width_commit(x);
    given_written(x);
    for (uint32_t k = 0; k < x->n_carries; k++) {
        const SiteCarry *carry = &x->carries[k];
        carry->symbol->value = carry->written;
        for (uint32_t c = 0; c < x->trunk->carries.count; c++)
            if (x->trunk->carries.at[c].item == x->use->connection->item &&
                x->trunk->carries.at[c].name == carry->symbol->name)
                x->trunk->carries.at[c].value = carry->written;
        given_carried(x, carry->symbol);
    }
}
