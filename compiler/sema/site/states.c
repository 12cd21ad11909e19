/* What the trunk keeps from site to site: states and carries, declared, begun and written. */
#include "sema/body/body.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/report.h"
#include "sema/site/held.h"
#include "sema/site/site.h"
#include "sema/trial_extents.h"
#include "sema/usage.h"
#include <string.h>

/* --- declared ----------------------------------------------------------------------------------*/

/* A name stands for one shape in all of a trunk. */
static void shapes_differ(Site *x, const Target *target, const StateSlot *slot,
                          const StateSlot *have) {
    Sema *s = x->s;
    sema_error(s, DIAG_STATE, x->site->stmt->site.connection->span,
               "`%s` keeps `%s` %s%s, but this trunk's state is `%s` %s%s", slot->owner, slot->name,
               dims_text(s, slot->rank, slot->dims), slot->grows ? ", which grows" : "", have->name,
               dims_text(s, have->rank, have->dims), have->grows ? ", which grows" : "");
    sema_note(s, have->span, "the trunk's state was set by `%s`, the connection of `%s`",
              have->owner, have->path);
    sema_note(s, target->span, "and `%s` declares it here", slot->owner);
    if (slot->rank == have->rank + 1 && !slot->grows && !have->grows)
        sema_help(s,
                  "a connection of one stream adapts to a trunk of several, not the reverse: "
                  "begin the trunk with `%s`",
                  slot->owner);
    else if (x->trunk->widened_by && slot->rank == have->rank)
        sema_help(s, "`%s` made the trunk %u wide, and does not keep `%s`", x->trunk->widened_by,
                  x->trunk->width, slot->name);
    else
        sema_help(s, "connections that share a state give it one shape; call one of them "
                     "otherwise, or end the trunk and begin another");
    x->failed = true;
}

static bool same_shape(const StateSlot *a, const StateSlot *b) {
    return a->rank == b->rank && a->grows == b->grows &&
           memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) == 0;
}

/* By a connection and one inside it. */
static bool is_kept_twice(Site *x, const SiteState *state, uint32_t slot) {
    Sema *s = x->s;
    Site *whole = x;
    while (whole->outer)
        whole = whole->outer;
    const SiteState *other = site_state_at(whole, slot);
    if (!other)
        return false;
    sema_error(s, DIAG_STATE, state->declared->span,
               "the state `%s` is kept by a connection and by one inside it",
               state->declared->name.text);
    sema_note(s, other->declared->span, "this is the same state of the trunk");
    sema_note(s, x->site->stmt->span, "the site is this one");
    sema_help(s, "give one of them another name");
    x->failed = true;
    return true;
}

/* Which of the trunk's states it is: that of its name, or one that begins here. */
static void find_slot(Site *x, SiteState *state, const StateSlot *slot) {
    TrunkState *trunk = x->trunk;
    const StmtList *body = &x->item->body;
    StateSlot *have = trunk_state(trunk, slot->name);
    if (!(have && same_shape(have, slot)) && parts_states(body) == 1 && !x->around) {
        StateSlot *streams = adapt_streams(trunk, slot);
        state->adapted = streams != NULL;
        have = streams ? streams : have;
    }
    if (have && !state->adapted && !same_shape(have, slot)) {
        shapes_differ(x, state->declared, slot, have);
        return;
    }
    if (!have) {
        vec_push(x->s->arena, &trunk->states, *slot);
        have = &trunk->states.at[trunk->states.count - 1];
        state->begins = true;
        state->symbol->unbegun = parts_begin(body, slot->name);
    }
    if (is_kept_twice(x, state, (uint32_t)(have - trunk->states.at)))
        return;
    state->slot = (uint32_t)(have - trunk->states.at);
    state->symbol->value =
        state->adapted ? adapt_read(x->s, have, state->declared->span) : have->value;
}

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
                      .owner = x->item->name.text,
                      .path = x->site->path,
                      .rank = target->indices.count,
                      .grows = grow_is_grown(x, target)};
    const bool good = elaborate_shape(s, x->scope, target, slot.dims);
    Symbol *symbol = scope_define(s, x->scope, slot.name, target->name.span, SYMBOL_VALUE);
    symbol->declared = DECLARED_STATE;
    usage_declare(s, DECLARED_STATE, slot.name, target->name.span);
    Usage *usage = usage_at(s, target->name.span);
    if (usage && slot.grows) /* perhaps at some sites only */
        usage->written = true;
    SiteState *state = &x->states[x->n_states++];
    *state = (SiteState){.symbol = symbol, .declared = target, .slot = NO_SLOT};
    if (good)
        find_slot(x, state, &slot);
    else
        x->failed = true;
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

/* How many of the same definition are around it: each has carries of its own. */
static uint32_t carry_depth(const Site *x) {
    uint32_t depth = 0;
    for (const Site *at = x->outer; at; at = at->outer)
        depth += at->item == x->item;
    return depth;
}

static CarrySlot *carry_slot(const Site *x, const char *name) {
    const uint32_t depth = carry_depth(x);
    for (uint32_t k = 0; k < x->trunk->carries.count; k++) {
        CarrySlot *slot = &x->trunk->carries.at[k];
        if (slot->item == x->item && slot->within == depth && slot->name == name)
            return slot;
    }
    return NULL;
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
    CarrySlot *slot = carry_slot(x, b->target.name.text);
    Value v = slot ? slot->value : carry_begin(x, b);
    if (!slot)
        vec_push(s->arena, &x->trunk->carries,
                 (CarrySlot){x->item, carry_depth(x), b->target.name.text, v});
    given_carry(x, b->target.name.text, &v);
    Symbol *symbol =
        scope_define(s, x->scope, b->target.name.text, b->target.name.span, SYMBOL_VALUE);
    symbol->declared = DECLARED_STATE;
    symbol->value = v;
    usage_declare(s, DECLARED_STATE, symbol->name, symbol->span);
    x->carries[x->n_carries++] = (SiteCarry){.symbol = symbol, .written = v, .found = v};
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
    return state->slot == NO_SLOT ? NULL : &x->trunk->states.at[state->slot];
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

static void begin_branch(Site *x, const Binding *b) {
    double factor;
    if (elaborate_number(x->s, x->scope, b->value, "how a branch begins", &factor))
        scaled_begin(x, b, factor);
    else
        x->failed = true;
}

void site_begin(Site *x, const Binding *b) {
    Sema *s = x->s;
    SiteState *state = find_state(x, b->target.name.text);
    if (!state) {
        if (b->target.name.text == x->scale.branch)
            begin_branch(x, b);
        else
            unknown_state(x, b, "begin");
        return;
    }
    StateSlot *slot = slot_of(x, state);
    if (!state->begins || !slot)
        return;
    const Value known = state->is_begun ? state->symbol->value /* another slice of it */
                                        : slot_zeros(s, slot);
    state->is_begun = true;
    state->symbol->unbegun = false;
    const uint32_t errors = diag_error_count(s->d);
    Value v = body_binding(s, x->scope, b, &known);
    if (v.kind == VALUE_NUMBER)
        v = POISON;
    if (is_poison(v))
        x->failed = true;
    if (x->trunk->widened_by && diag_error_count(s->d) > errors)
        sema_note(s, x->site->stmt->span,
                  "it begins at this site, and `%s` made the trunk another width than it was given",
                  x->trunk->widened_by);
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
        known.span = state->adapted ? state->symbol->span : slot_of(x, state)->span;
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
        carry->is_written = true;
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
        slot->value = state->adapted
                          ? adapt_write(x->s, slot, symbol->value, state->written, symbol->span)
                          : state->written;
        symbol->value = state->written; /* of adapted ones: the mean, as it now is */
    }
}

static void find_held(Site *x) {
    for (SiteState *state = x->states; state < x->states + x->n_states; state++) {
        state->found = state->symbol->value;
        if (state->found.kind == VALUE_TENSOR)
            state->held = state->found.tensor->id;
    }
}

static void commit_carry(Site *x, SiteCarry *carry) {
    carry->found = carry->symbol->value;
    carry->symbol->value = carry->written;
    CarrySlot *slot = carry_slot(x, carry->symbol->name);
    if (slot)
        slot->value = carry->written;
    given_carried(x, carry->symbol);
}

void site_commit(Site *x) {
    for (Site *at = x; at; at = at->inner)
        find_held(at);
    for (Site *at = x; at; at = at->inner)
        for (SiteState *state = at->states; state < at->states + at->n_states; state++)
            if (slot_of(at, state))
                commit_state(at, state, slot_of(at, state));
    width_commit(x);
    given_written(x);
    for (Site *at = x; at; at = at->inner)
        for (uint32_t k = 0; k < at->n_carries; k++)
            commit_carry(at, &at->carries[k]);
}

void site_note_found(Site *x) {
    for (; x; x = x->inner) {
        for (uint32_t k = 0; k < x->n_states; k++)
            held_note(x->s, x->held, x->states[k].symbol->name, x->states[k].found);
        for (uint32_t k = 0; k < x->n_carries; k++)
            held_note(x->s, x->held, x->carries[k].symbol->name, x->carries[k].found);
    }
}

void site_aside(Site *x) {
    Sema *s = x->s;
    for (uint32_t k = 0; k < x->trunk->states.count; k++) {
        const StateSlot *slot = &x->trunk->states.at[k];
        if (!site_state_at(x, k) && slot->value.kind == VALUE_TENSOR)
            vec_push(s->arena, &s->aside,
                     (StateAside){.value = tensor_use(s, slot->value.tensor),
                                  .name = slot->name,
                                  .last = x->item->name.text,
                                  .declared = slot->span});
    }
}
