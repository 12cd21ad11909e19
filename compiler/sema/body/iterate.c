/* `iterate k { ... }`: a SCAN whose carried values are the names the body rebinds; and `scan { ...
 * }`: a SEQUENCE of them, where turns are positions.
 *
 * Requires: rebound names are lets of this instance, of known shape by the time (a repeated value
 * such as `let u[k] = 1` gets its extents from the body's equations).
 * Maintains: after the loop the names hold the final values, or those of each position; values from
 * outside come in as invariants when they are first used (tensor_use).
 *
 * The body may join axes and domains that the initial values lack (a constant start, a body that
 * depends on positions), so it is elaborated until the carried types stay as they are. */
#include "sema/body/body.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/report.h"
#include "syntax/ast_find.h"

typedef struct {
    Symbol *outer, *inner;
    Layout layout; /* labels that ride along, then bare axes */
    TirDomain domain;
} Carried;

typedef VEC(Carried) CarriedList;

enum { MAX_TRIPS = 1000000 };

/* --- what is carried ---------------------------------------------------------------------------*/

typedef struct {
    Sema *s;
    Scope *scope;
    const StmtList *body;
    CarriedList list;
} Collection;

static void carried_add(void *collection, const Binding *assigned) {
    Collection *to = collection;
    const Name name = assigned->target.name;
    for (uint32_t k = 0; k < to->body->count; k++) { /* the body's own */
        const Stmt *stmt = to->body->at[k];
        for (uint32_t b = 0; stmt && stmt->kind == STMT_LET && b < stmt->bindings.count; b++)
            if (stmt->bindings.at[b].target.name.text == name.text)
                return;
    }
    for (uint32_t k = 0; k < to->list.count; k++)
        if (to->list.at[k].outer->name == name.text)
            return;
    Symbol *symbol = name.text ? scope_find_local(to->scope, name.text) : NULL;
    if (!symbol || symbol->kind != SYMBOL_VALUE || !symbol->assignable)
        return; /* the assignment says so */
    vec_push(to->s->arena, &to->list, (Carried){.outer = symbol});
}

static CarriedList carried_collect(Sema *s, Scope *scope, const StmtList *body) {
    Collection to = {.s = s, .scope = scope, .body = body};
    ast_each_assignment(body, carried_add, &to);
    return to.list;
}

/* --- types -------------------------------------------------------------------------------------*/

static bool layout_same(const Layout *a, const Layout *b) {
    bool same = a->rank == b->rank;
    for (uint32_t k = 0; same && k < a->rank; k++)
        same = a->axes[k] == b->axes[k] && a->dims[k] == b->dims[k];
    return same;
}

/* Joins what a value has; true when that changed the carried type. */
static bool carried_join(Sema *s, Carried *c, const Tensor *t, Span span, bool *good) {
    Layout layout = c->layout;
    TirDomain domain;
    *good = *good && layout_join(s, &layout, t, span);
    if (*good && !tir_domain_join(c->domain, t->type.domain, &domain)) {
        sema_error(s, DIAG_DOMAIN, span, "`%s` would move to positions of another space",
                   c->outer->name);
        *good = false;
    }
    if (!*good)
        return false;
    const bool changed = !layout_same(&layout, &c->layout) || !tir_domain_equal(domain, c->domain);
    c->layout = layout;
    c->domain = domain;
    return changed;
}

static bool carried_start(Sema *s, Carried *c) {
    const Tensor *t = value_as_real(s, c->outer->value, c->outer->span);
    if (!t)
        return false;
    c->layout = (Layout){0};
    c->domain = t->type.domain;
    c->outer->value = (Value){.kind = VALUE_TENSOR, .span = c->outer->value.span, .tensor = t};
    return layout_join(s, &c->layout, t, c->outer->span);
}

/* --- the loop ----------------------------------------------------------------------------------*/

/* One elaboration of the body into a block of its own; false after an error. */
static bool loop_body(Sema *s, Scope *scope, const Stmt *stmt, CarriedList *list, Loop *loop,
                      bool *changed) {
    TirBlock *block = tir_block_create(s->program);
    *loop = (Loop){.outer = s->loop,
                   .level = s->loop->level + 1,
                   .scans = stmt->kind == STMT_SCAN,
                   .builder = tir_builder_inner(&s->loop->builder, block)};
    s->loop = loop;
    Scope *inner = scope_create(s, scope, scope->frame);
    for (uint32_t k = 0; k < list->count; k++) {
        Carried *c = &list->at[k];
        TirType type = {.elem = TIR_REAL, .domain = c->domain, .rank = (uint8_t)c->layout.rank};
        for (uint32_t a = 0; a < type.rank; a++)
            type.dims[a] = c->layout.dims[a];
        loop->builder.span = c->outer->span;
        loop->builder.name = c->outer->name;
        const TirId id = tir_arg(&loop->builder, type);
        c->inner = scope_define(s, inner, c->outer->name, c->outer->span, SYMBOL_VALUE);
        c->inner->declared = c->outer->declared;
        c->inner->assignable = true;
        c->inner->value = value_tensor(s, id, c->layout.axes, c->outer->value.span);
    }
    const uint32_t errors = diag_error_count(s->d);
    Scope *locals = scope_create(s, inner, scope->frame);
    body_elaborate(s, locals, &stmt->loop.body);
    bool good = diag_error_count(s->d) == errors;
    *changed = false;
    for (uint32_t k = 0; good && k < list->count; k++) {
        Carried *c = &list->at[k];
        const Tensor *t = value_as_real(s, c->inner->value, c->outer->span);
        if (!t) {
            good = false;
            break;
        }
        c->inner->value.tensor = t;
        *changed = carried_join(s, c, t, c->outer->span, &good) || *changed;
    }
    s->loop = loop->outer;
    return good;
}

/* What the body leaves; the loop is done. */
static void loop_results(Sema *s, Loop *loop, const CarriedList *list, Span span) {
    s->loop = loop;
    for (uint32_t k = 0; k < list->count; k++) {
        const Carried *c = &list->at[k];
        const TirId id = tensor_align(s, c->inner->value.tensor, &c->layout, span);
        vec_push(s->program->arena, &loop->builder.block->results, id);
    }
    s->loop = loop->outer;
}

/* With the extents that the body gave it. */
static TirId *loop_initial(Sema *s, const CarriedList *list, Span span) {
    TirId *initial = ARENA_ARRAY(s->arena, TirId, list->count);
    for (uint32_t k = 0; k < list->count; k++) {
        const Carried *c = &list->at[k];
        const Tensor *t = c->outer->value.tensor;
        initial[k] = tensor_align(s, t, &c->layout, span);
        if (t->type.rank == 0 && c->layout.rank) { /* align leaves rank 0 as it is */
            const uint8_t none[1] = {0};
            initial[k] = tir_broadcast(sema_builder(s, span), initial[k], c->layout.rank,
                                       c->layout.dims, none);
        }
    }
    return initial;
}

static TirId *loop_invariant(Sema *s, const Loop *loop) {
    TirId *invariant = ARENA_ARRAY(s->arena, TirId, loop->imports.count);
    for (uint32_t k = 0; k < loop->imports.count; k++)
        invariant[k] = loop->imports.at[k].outside;
    return invariant;
}

static void loop_rebind(Sema *s, CarriedList *list, TirId loop, Span span) {
    TirBuilder *b = sema_builder(s, span);
    for (uint32_t k = 0; k < list->count; k++) {
        const Carried *c = &list->at[k];
        b->name = c->outer->name;
        c->outer->value = value_derived(s, tir_result(b, loop, k), c->domain, c->layout.axes,
                                        c->outer->value.span);
        c->outer->binding = NULL; /* no longer what its let said */
    }
}

static void iterate_close(Sema *s, Loop *loop, CarriedList *list, uint32_t trips, Span span) {
    loop_results(s, loop, list, span);
    tir_arg(&loop->builder, (TirType){.elem = TIR_INT}); /* the trip number */
    const TirId *initial = loop_initial(s, list, span), *invariant = loop_invariant(s, loop);
    const TirId scan = tir_scan(sema_builder(s, span), trips, false, loop->builder.block,
                                list->count, initial, loop->imports.count, invariant, 0, NULL);
    loop_rebind(s, list, scan, span);
}

static void poison_all(CarriedList *list) {
    for (uint32_t k = 0; k < list->count; k++)
        list->at[k].outer->value = POISON;
}

/* A value that went wrong before: what the loop cannot tell, it might have told. */
static bool uses_poison(const Scope *scope, const StmtList *body) {
    for (const Scope *at = scope; at; at = at->is_frame ? NULL : at->parent)
        for (uint32_t k = 0; k < at->symbols.count; k++) {
            const Symbol *symbol = at->symbols.at[k];
            if (symbol->kind == SYMBOL_VALUE && is_poison(symbol->value) &&
                ast_mentions(body, symbol->name))
                return true;
        }
    return false;
}

/* Elaborates the body until what is carried stays as it is; false after an error. */
static bool loop_run(Sema *s, Scope *scope, const Stmt *stmt, CarriedList *list, Loop *loop) {
    bool changed = true;
    for (uint32_t turn = 0; changed && turn < 2 + TIR_MAX_RANK; turn++)
        if (!loop_body(s, scope, stmt, list, loop, &changed))
            return false;
    return true;
}

/* Finds what the body rebinds, as it is before; false when that cannot be carried. */
static bool loop_begin(Sema *s, Scope *scope, const Stmt *stmt, CarriedList *list, bool good) {
    learn_extents(s, scope, &stmt->loop.body); /* what no turn changes has its shape all the same */
    learn_extents(s, scope, &stmt->loop.body);
    good = good && !uses_poison(scope, &stmt->loop.body);
    for (uint32_t k = 0; good && k < list->count; k++)
        good = !is_poison(list->at[k].outer->value) && carried_start(s, &list->at[k]);
    if (!good)
        poison_all(list);
    return good;
}

static bool loop_rebinds(Sema *s, const CarriedList *list, const Stmt *stmt) {
    if (list->count == 0)
        sema_warning(s, DIAG_LOOP, stmt->span, "this loop rebinds nothing");
    return list->count > 0;
}

void body_iterate(Sema *s, Scope *scope, const Stmt *stmt) {
    int64_t trips = 0;
    CarriedList list = carried_collect(s, scope, &stmt->loop.body);
    bool good = elaborate_whole(s, scope, stmt->loop.count, "the number of iterations", 0,
                                MAX_TRIPS, &trips);
    if (good && trips > 0 && s->mode.numeric) {
        sema_error(s, DIAG_CONSTANT, stmt->span, "`iterate` does not make a constant");
        good = false;
    }
    if (good && trips == 0) {
        learn_extents(s, scope, &stmt->loop.body);
        learn_extents(s, scope, &stmt->loop.body);
        return;
    }
    Loop *loop = ARENA_NEW(s->arena, Loop);
    if (!loop_begin(s, scope, stmt, &list, good))
        return;
    if (!loop_run(s, scope, stmt, &list, loop))
        poison_all(&list);
    else if (loop_rebinds(s, &list, stmt))
        iterate_close(s, loop, &list, (uint32_t)trips, stmt->span);
}

/* --- positions as turns ------------------------------------------------------------------------*/

/* Before the first position there are no positions. */
static bool scan_begins(Sema *s, const CarriedList *list) {
    bool good = true;
    for (uint32_t k = 0; k < list->count; k++) {
        const Carried *c = &list->at[k];
        if (!c->domain.space)
            continue;
        sema_error(s, DIAG_DOMAIN, c->outer->value.span,
                   "`%s` is what it was before the first position of a `scan`, and this differs "
                   "from position to position",
                   c->outer->name);
        sema_help(s, "begin with a value without positions, such as `let %s... = 0`",
                  c->outer->name);
        good = false;
    }
    return good;
}

/* The states live at the positions of what the body reads, if these are those of one space: to
 * begin with that spares a turn, and says what a state is to what asks for other positions of it.
 */
static void scan_places(const Scope *scope, const Stmt *stmt, CarriedList *list) {
    TirDomain all = TIR_GLOBAL;
    for (const Scope *at = scope; at; at = at->is_frame ? NULL : at->parent)
        for (uint32_t k = 0; k < at->symbols.count; k++) {
            const Symbol *symbol = at->symbols.at[k];
            if (symbol->kind == SYMBOL_VALUE && symbol->value.kind == VALUE_TENSOR &&
                ast_mentions(&stmt->loop.body, symbol->name) &&
                !tir_domain_join(all, symbol->value.tensor->type.domain, &all))
                return;
        }
    for (uint32_t k = 0; k < list->count; k++)
        list->at[k].domain = all;
}

/* Where all that is carried lives; false when that is not a sequence. */
static bool scan_domain(Sema *s, const CarriedList *list, const Stmt *stmt, TirDomain *all) {
    *all = TIR_GLOBAL;
    for (uint32_t k = 0; k < list->count; k++)
        if (!tir_domain_join(*all, list->at[k].domain, all)) {
            sema_error(s, DIAG_DOMAIN, stmt->span,
                       "a `scan` goes over the positions of one space, and what this carries lives "
                       "at those of several");
            return false;
        }
    if (!all->space) {
        sema_error(s, DIAG_DOMAIN, stmt->span,
                   "a `scan` goes over positions, and nothing that this carries has any");
        return false;
    }
    const TirSpace *space = &s->program->spaces.at[all->space - 1];
    if (space->rank > 1 && !s->trial)
        sema_error(s, DIAG_DOMAIN, stmt->span,
                   "a `scan` goes from one position to the next, and `%s` are those of a grid",
                   space->name);
    return space->rank == 1;
}

/* The body once more where not all that is carried lives at the same places. */
static bool scan_together(Sema *s, Scope *scope, const Stmt *stmt, CarriedList *list, Loop *loop) {
    TirDomain all;
    bool apart = false;
    if (!scan_domain(s, list, stmt, &all))
        return false;
    for (uint32_t k = 0; k < list->count; k++) {
        apart = apart || !tir_domain_equal(list->at[k].domain, all);
        list->at[k].domain = all;
    }
    return !apart || loop_run(s, scope, stmt, list, loop);
}

static bool scan_close(Sema *s, Loop *loop, CarriedList *list, const Stmt *stmt) {
    loop_results(s, loop, list, stmt->span);
    const TirId *initial = loop_initial(s, list, stmt->span), *invariant = loop_invariant(s, loop);
    const TirNode *wrong = NULL;
    const TirId scan = tir_sequence(sema_builder(s, stmt->span), stmt->loop.reverse,
                                    loop->builder.block, list->count, initial, invariant, &wrong);
    if (wrong) {
        const bool ours = ast_has_file(s->ast, wrong->span.file);
        sema_error(s, DIAG_DOMAIN, ours ? wrong->span : stmt->span,
                   "in a `scan` a state is what it was at the position %s, and this asks for "
                   "others, too",
                   stmt->loop.reverse ? "behind" : "before");
        if (!ours)
            sema_note(s, wrong->span, "here");
        sema_help(s, "what depends on no state may be taken from any position");
        return false;
    }
    loop_rebind(s, list, scan, stmt->span);
    return true;
}

void body_scan(Sema *s, Scope *scope, const Stmt *stmt) {
    CarriedList list = carried_collect(s, scope, &stmt->loop.body);
    if (s->mode.numeric)
        sema_error(s, DIAG_CONSTANT, stmt->span, "`scan` does not make a constant");
    Loop *loop = ARENA_NEW(s->arena, Loop);
    if (!loop_begin(s, scope, stmt, &list, !s->mode.numeric))
        return;
    if (!scan_begins(s, &list)) {
        poison_all(&list);
        return;
    }
    scan_places(scope, stmt, &list);
    if (!loop_run(s, scope, stmt, &list, loop)) {
        poison_all(&list);
        return;
    }
    if (loop_rebinds(s, &list, stmt) &&
        (!scan_together(s, scope, stmt, &list, loop) || !scan_close(s, loop, &list, stmt)))
        poison_all(&list);
}

void body_assign(Sema *s, Scope *scope, const Binding *b) {
    if (!b->target.name.text)
        return;
    Symbol *symbol = scope_find_local(scope, b->target.name.text);
    if (!symbol || symbol->kind != SYMBOL_VALUE || !symbol->assignable) {
        sema_error(s, DIAG_LOOP, b->target.span,
                   symbol ? "`%s` cannot be rebound; only a `let` can"
                          : "there is no `%s` to rebind",
                   b->target.name.text);
        if (symbol)
            sema_note(s, symbol->span, "`%s` is defined here", b->target.name.text);
        else
            sema_help(s, "begin with `let %s... = ...` before the loop", b->target.name.text);
        return;
    }
    if (is_poison(symbol->value))
        return;
    Value v = body_binding(s, scope, b, &symbol->value);
    if (v.kind == VALUE_TENSOR)
        v.span = symbol->value.span;
    symbol->value = v;
    symbol->binding = NULL; /* no longer what its let said */
    symbol->assigned = ++s->next_serial;
}
