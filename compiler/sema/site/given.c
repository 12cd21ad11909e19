/* Each site by itself, for its maps.
 *
 * A map is a derivative by what the site finds (the states) or is given (the branches' results). So
 * where maps are asked for, each of these is an argument of the program's block, of the value's
 * type, and what it stands for is remembered apart: nothing of one site folds into the next, and a
 * state that begins as zeros is a state all the same. pass_maps puts the values back. For parts
 * that stand alone carries are states, too.
 *
 * Where parts of a network are asked for by name (SemaOptions.exports) and sites do not stand by
 * themselves, what a site finds, reads and is given has a name: SITE.H, SITE.x, SITE.y. */
#include "sema/elaboration.h"
#include "sema/frame.h"
#include "sema/site/site.h"

static bool wanted(const Site *x) {
    return (x->s->options->maps || x->s->options->apart) && !x->s->trial;
}

/* For those who ask for it by its name. */
static void remember(Site *x, const char *name, Value *v) {
    if (!wanted(x))
        value_remember(x->s, path_join(x->s, x->site->path, name), v);
}

static SiteInfo *info_of(const Site *x) {
    return &x->s->network->sites.at[x->info];
}

static void note(Site *x, SiteValueList *list, const char *name, TirId value) {
    vec_push(x->s->arena, list, (SiteValue){name, value, false});
}

static void note_state(Site *x, SiteValueList *list, const StateSlot *slot, TirId value) {
    vec_push(x->s->arena, list, (SiteValue){slot->name, value, slot->grows});
}

void given_states(Site *x) {
    if (wanted(x) && !x->trunk->begun) {
        const TirId id = value_stand_for(x->s, &x->trunk->input);
        if (id)
            note(x, &info_of(x)->input, "x", id);
    }
    for (uint32_t k = 0; x->trunk->begun && k < x->trunk->states.count; k++) {
        StateSlot *slot = &x->trunk->states.at[k];
        remember(x, slot->name, &slot->value);
        if (!wanted(x))
            continue;
        const TirId id = value_stand_for(x->s, &slot->value);
        if (id)
            note_state(x, &info_of(x)->states, slot, id);
    }
}

void given_begun(Site *x, const StateSlot *slot, Value *v) {
    remember(x, slot->name, v);
    const TirId id = wanted(x) ? value_stand_for(x->s, v) : 0;
    SiteValueList *states = id ? &info_of(x)->states : NULL;
    for (uint32_t k = 0; id && k < states->count; k++)
        if (states->at[k].name == slot->name) { /* another slice of it */
            states->at[k].value = id;
            return;
        }
    if (id)
        note_state(x, states, slot, id);
}

/* `y`, or of several branches `y.K`. */
static void remember_result(Site *x, Value *result) {
    const uint32_t n = x->use->n_branches;
    remember(x, n > 1 ? arena_printf(x->s->arena, "y.%u", x->results++) : "y", result);
}

/* The first of all results is the one that stands for what it was. */
static void replace_result(const Tensor *was, const Value *first, BoundArgumentList *named) {
    for (uint32_t k = 0; k < named->count; k++)
        if (was && named->at[k].value.kind == VALUE_TENSOR &&
            named->at[k].value.tensor->id == was->id)
            named->at[k].value = *first;
}

void given_result(Site *x, const char *branch, Value *first, BoundArgumentList *named) {
    const Tensor *was = first->kind == VALUE_TENSOR ? first->tensor : NULL;
    remember_result(x, first);
    const TirId id = wanted(x) && was ? value_stand_for(x->s, first) : 0;
    if (id)
        note(x, &info_of(x)->results, branch, id);
    replace_result(was, first, named);
}

/* `x`, of the second run `x_2`, and of several branches `x.0` and `x.0_2`. */
static const char *run_name(Site *x, const char *name, uint32_t branch, uint32_t run) {
    Arena *arena = x->s->arena;
    if (x->use->n_branches > 1)
        name = arena_printf(arena, "%s.%u", name, branch);
    if (run > 1)
        name = arena_printf(arena, "%s_%u", name, run);
    return intern_str(x->s->c->interner, name);
}

/* A whole tensor for its own sake, not made in a loop's body. */
static bool stands_free(const Site *x, Value v) {
    return x->s->loop->level == 0 && !x->s->mode.looking && v.kind == VALUE_TENSOR &&
           tensor_bare_rank(v.tensor) == v.tensor->type.rank;
}

void given_call(Site *x, uint32_t branch, uint32_t run, BoundArgumentList *inputs) {
    for (uint32_t k = 0; k < inputs->count; k++) {
        BoundArgument *a = &inputs->at[k];
        if (!stands_free(x, a->value))
            continue;
        const char *name = run_name(x, k ? a->name.text : "x", branch, run);
        remember(x, name, &a->value);
        const Tensor *t = wanted(x) ? value_as_real(x->s, a->value, a->at) : NULL;
        if (t)
            note(x, &info_of(x)->reads, name, tensor_use(x->s, t));
    }
}

void given_called(Site *x, uint32_t branch, uint32_t run, Value *first, BoundArgumentList *named) {
    Sema *s = x->s;
    if (!stands_free(x, *first))
        return;
    const char *name = run_name(x, "y", branch, run);
    const Tensor *was = first->tensor;
    remember(x, name, first);
    const TirId id = wanted(x) ? value_stand_for(s, first) : 0;
    if (id)
        note(x, &info_of(x)->results, name, id);
    replace_result(was, first, named);
}

void given_reads(Site *x) {
    for (uint32_t k = 0; k < x->reads.count; k++) {
        BoundArgument *a = &x->reads.at[k];
        remember(x, a->name.text ? a->name.text : "x", &a->value);
        if (!wanted(x))
            continue;
        const Tensor *t = is_poison(a->value) ? NULL : value_as_real(x->s, a->value, a->at);
        if (t)
            note(x, &info_of(x)->reads, a->name.text ? a->name.text : "x", tensor_use(x->s, t));
    }
}

/* Of a connection of one stream among several, the state is their mean. */
static void leave(Site *x, SiteState *state, StateSlot *slot) {
    const TirId id = value_stand_for(x->s, &slot->value);
    if (!id)
        return;
    note_state(x, &info_of(x)->left, slot, id);
    if (state)
        state->symbol->value =
            state->adapted ? adapt_read(x->s, slot, state->symbol->span) : slot->value;
}

void given_written(Site *x) {
    for (uint32_t k = 0; wanted(x) && k < x->trunk->states.count; k++) {
        StateSlot *slot = &x->trunk->states.at[k];
        if (slot->value.kind != VALUE_TENSOR)
            continue;
        note_state(x, &info_of(x)->written, slot, tensor_use(x->s, slot->value.tensor));
        if (x->last)
            leave(x, site_state_at(x, k), slot);
    }
}

static bool carries(const Site *x) {
    return x->s->options->apart && wanted(x);
}

void given_carry(Site *x, const char *name, Value *v) {
    const TirId id = carries(x) ? value_stand_for(x->s, v) : 0;
    if (id)
        note(x, &info_of(x)->states, name, id);
}

void given_carried(Site *x, Symbol *symbol) {
    if (!carries(x) || symbol->value.kind != VALUE_TENSOR)
        return;
    note(x, &info_of(x)->written, symbol->name, tensor_use(x->s, symbol->value.tensor));
    const TirId id = x->last ? value_stand_for(x->s, &symbol->value) : 0;
    if (id)
        note(x, &info_of(x)->left, symbol->name, id);
}

void given_ended(Site *x, Value v) {
    const Tensor *t = wanted(x) && !is_poison(v) ? value_as_real(x->s, v, v.span) : NULL;
    if (t)
        note(x, &info_of(x)->ended, "x", tensor_use(x->s, t));
}
