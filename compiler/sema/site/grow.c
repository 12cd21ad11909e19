/* States that grow from site to site.
 *
 *     state X[depth, d];        `depth`: how many entries X holds where this site reads
 *     begin X[0,c] = x[c];
 *     append X[c] = y[c];       one entry more, for the sites that follow
 *
 * A state grows when its connection appends to it, or when its trunk's state of that name does.
 * Its first extent is then a name of its own: a constant, so it may decide shapes and conditions.
 *
 * Maintains: the value is one concatenation of its entries along the first axis, however it came
 * about, which is what lets later stages read entries where they lie. */
#include "sema/body/body.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/report.h"
#include "sema/site/site.h"

/* --- what grows --------------------------------------------------------------------------------*/

static bool binds(const BindingList *list, const char *name) {
    for (uint32_t k = 0; k < list->count; k++)
        if (list->at[k].target.name.text == name)
            return true;
    return false;
}

static bool appends(const StmtList *body, const char *name) {
    for (uint32_t k = 0; k < body->count; k++) {
        const Stmt *stmt = body->at[k];
        if (!stmt)
            continue;
        if (stmt->kind == STMT_APPEND && binds(&stmt->bindings, name))
            return true;
        if (stmt->kind == STMT_IF &&
            (appends(&stmt->branch.then_body, name) || appends(&stmt->branch.else_body, name)))
            return true;
    }
    return false;
}

enum { LAST_ENTRY = 1 << 20 };

/* How many entries the body's `begin`s give: one more than the largest entry they name. */
static uint32_t entries_begun(Site *x, const char *name) {
    const StmtList *body = &x->item->body;
    int64_t count = 1, entry;
    for (uint32_t k = 0; k < body->count; k++) {
        const Stmt *stmt = body->at[k];
        if (!stmt || stmt->kind != STMT_BEGIN)
            continue;
        for (uint32_t b = 0; b < stmt->bindings.count; b++) {
            const Target *target = &stmt->bindings.at[b].target;
            if (target->name.text == name && target->indices.count &&
                numeric_is_number(x->s, x->scope, target->indices.at[0]) &&
                elaborate_whole(x->s, x->scope, target->indices.at[0], "an entry", 0, LAST_ENTRY,
                                &entry) &&
                entry >= count)
                count = entry + 1;
        }
    }
    return (uint32_t)count;
}

/* --- the name of the first extent --------------------------------------------------------------*/

static void define_extent(Site *x, const Target *state, uint32_t entries) {
    Sema *s = x->s;
    const Expr *e = state->indices.at[0];
    Symbol *old = scope_find_local(x->scope, e->name);
    if (old && old->declared == DECLARED_EXTENT && old->scope == x->scope) { /* of another state */
        if (old->value.kind == VALUE_NUMBER && old->value.number == entries)
            return;
        sema_error(s, DIAG_STATE, e->span, "`%s` holds %u entries here, but `%s` is %.0f already",
                   state->name.text, entries, e->name, old->value.number);
        sema_note(s, old->span, "by this state");
        sema_help(s, "states that grow apart count their entries by names of their own");
        x->undecided = x->failed = true;
        return;
    }
    if (old) {
        sema_error(s, DIAG_STATE, e->span,
                   "`%s` grows, so its first extent is a name of its own, which says how many "
                   "entries it holds",
                   state->name.text);
        sema_note(s, old->span, "`%s` has another meaning here", e->name);
        x->undecided = x->failed = true;
        return;
    }
    Symbol *symbol = scope_define(s, x->scope, e->name, e->span, SYMBOL_VALUE);
    symbol->declared = DECLARED_EXTENT;
    symbol->value = value_number(entries, e->span);
}

static void declare_state(Site *x, const Target *state) {
    Sema *s = x->s;
    const StateSlot *slot = trunk_state(x->trunk, state->name.text);
    const Expr *e = state->indices.count ? state->indices.at[0] : NULL;
    const bool appended = appends(&x->item->body, state->name.text);
    if (!e || e->kind != EXPR_NAME) {
        if (appended && (!e || e->kind != EXPR_ERROR)) {
            sema_error(s, DIAG_STATE, state->span,
                       "`%s` grows, so its first extent is a name: how many entries it holds",
                       state->name.text);
            sema_help(s, "for instance `state %s[depth, d];`", state->name.text);
            x->undecided = x->failed = true;
        }
        return;
    }
    const bool reads = slot && slot->grows && !scope_find_local(x->scope, e->name);
    if (appended || reads)
        define_extent(x, state,
                      slot && slot->rank ? slot->dims[0] : entries_begun(x, state->name.text));
}

void grow_declare(Site *x) {
    const StmtList *body = &x->item->body;
    for (uint32_t k = 0; k < body->count; k++)
        if (body->at[k] && body->at[k]->kind == STMT_STATE)
            for (uint32_t t = 0; t < body->at[k]->targets.count; t++)
                if (body->at[k]->targets.at[t].name.text)
                    declare_state(x, &body->at[k]->targets.at[t]);
}

bool grow_is_grown(const Site *x, const Target *state) {
    const StateSlot *slot = trunk_state(x->trunk, state->name.text);
    if (appends(&x->item->body, state->name.text))
        return true;
    if (!slot || !slot->grows || state->indices.count == 0 ||
        state->indices.at[0]->kind != EXPR_NAME)
        return false;
    const Symbol *extent = scope_find_here(x->scope, state->indices.at[0]->name);
    return extent && extent->declared == DECLARED_EXTENT;
}

/* --- one entry more ----------------------------------------------------------------------------*/

void grow_append(Site *x, SiteState *state, const StateSlot *slot, const Binding *b) {
    Sema *s = x->s;
    if (is_poison(state->symbol->value)) {
        x->failed = true;
        return;
    }
    StateSlot entry = *slot;
    entry.rank--;
    for (uint32_t k = 0; k < entry.rank; k++)
        entry.dims[k] = slot->dims[k + 1];
    const Value known = slot_zeros(s, &entry);
    const Value v = body_binding(s, x->scope, b, &known);
    const Tensor *t = is_poison(v) ? NULL : value_as_real(s, v, b->value->span);
    if (!t) {
        x->failed = true;
        return;
    }
    uint32_t dims[TIR_MAX_RANK] = {1};
    for (uint32_t k = 0; k < entry.rank; k++)
        dims[k + 1] = entry.dims[k];
    const TirId id =
        tir_reshape(sema_builder(s, b->target.span), tensor_use(s, t), slot->rank, dims);
    vec_push(s->arena, &state->appended, id);
}

Value grow_commit(Site *x, const SiteState *state, StateSlot *slot, Value v) {
    Sema *s = x->s;
    const uint32_t n = state->appended.count;
    if (is_poison(v))
        return v;
    TirId *parts = ARENA_ARRAY(s->arena, TirId, n + 1);
    parts[0] = tensor_use(s, v.tensor);
    for (uint32_t k = 0; k < n; k++)
        parts[k + 1] = state->appended.at[k];
    slot->dims[0] += n;
    const TirId all = tir_concat(sema_builder(s, v.span), 0, n + 1, parts);
    return value_derived(s, all, v.tensor->type.domain, NULL, v.span);
}
