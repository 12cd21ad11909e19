/* A connection around another.
 *
 *     around inner;                                 its states, begin, reads, writes and end
 *     read  x[c] = inner.x[c] + e[c];               what the branch gets instead
 *     write y[c] = g * y[c];                        what the inner one is given for its branch
 *     write each old, new = old + k * (new - old);  what becomes of every state that it writes
 *
 * The inner one is run in three parts: as far as its reads, which the outer one may change; with
 * what the branches gave, which it may change too, as far as its writes; and behind them, when
 * those of both have taken effect together. It may be around another itself. */
#include "sema/body/body.h"
#include "sema/budget.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/frame.h"
#include "sema/report.h"
#include "sema/site/held.h"
#include "sema/site/site.h"
#include "sema/usage.h"
#include "sema/value/tensor.h"
#include "syntax/ast_find.h"

/* --- inside ------------------------------------------------------------------------------------*/

static void take_failure(Site *x) {
    x->failed = x->failed || x->inner->failed;
    x->frame->rejected = x->frame->rejected || x->inner->frame->rejected;
}

/* Nothing more of its text means anything. */
static void give_up(Site *x) {
    x->failed = x->frame->rejected = true;
    usage_mark_untaken(x->s, x->scope, &x->item->body);
}

/* `mhc(n = 2)` is called mhc; NULL: it has no name. */
static const char *inner_name(const Expr *e) {
    if (e->kind == EXPR_CALL)
        e = e->call.callee;
    return e->kind == EXPR_NAME ? e->name : NULL;
}

/* `inner.x`: the same name stands for what it had, too. */
static bool define_inner(Site *x, const Callable *connection, const Expr *e) {
    const Name name = {inner_name(e), e->span};
    if (!scope_check_new(x->s, x->scope, name))
        return false;
    Symbol *symbol = scope_define(x->s, x->scope, name.text, e->span, SYMBOL_VALUE);
    symbol->value = (Value){
        .kind = VALUE_CALLABLE, .span = e->span, .held = x->inner->held, .callable = connection};
    return true;
}

static bool open_inner(Site *x, const Callable *connection, const BoundArgumentList *inputs,
                       const Expr *e) {
    Sema *s = x->s;
    if (!budget_frames(s, connection->item, e->span))
        return false;
    Site *inner = ARENA_NEW(s->arena, Site);
    *inner = (Site){.s = s,
                    .trunk = x->trunk,
                    .site = x->site,
                    .use = x->use,
                    .outer = x,
                    .info = x->info,
                    .call = x->call,
                    .held = held_inside(s, x->held, inner_name(e)),
                    .first = x->first,
                    .last = x->last};
    inner->frame =
        frame_push(s, connection->item, path_join(s, x->frame->path, inner_name(e)), e->span);
    x->inner = inner;
    const bool good = site_open(inner, connection, inputs, e->span) && !inner->undecided &&
                      define_inner(x, connection, e);
    frame_switch(s, x->frame);
    return good;
}

/* Who calls the branch itself has it read and give what it likes. */
static bool check_calls(Site *x) {
    Sema *s = x->s;
    const Site *calls = NULL;
    for (const Site *at = x->inner; at; at = at->inner)
        calls = at->calls_branch ? at : calls;
    if (!calls || (x->reads_left == 0 && x->results_left == 0))
        return true;
    sema_error(s, DIAG_CONNECTION_PART, x->around->span,
               "`%s` calls its branch itself, so `%s` around it cannot change what that %s",
               calls->item->name.text, x->item->name.text, x->reads_left ? "reads" : "gives");
    sema_note(s, x->site->stmt->span, "the site is this one");
    sema_help(s, "what it writes can be changed: `write each old, new = ...;`");
    return false;
}

void site_around(Site *x, const Stmt *stmt) {
    Sema *s = x->s;
    BoundArgumentList inputs = {0};
    const Callable *connection = NULL;
    if (inner_name(stmt->value))
        connection = site_connection(s, x->scope, stmt->value, &inputs);
    else if (stmt->value->kind != EXPR_ERROR)
        sema_error(s, DIAG_SITE, stmt->value->span,
                   "a connection is a name, perhaps with arguments");
    if (!connection || !open_inner(x, connection, &inputs, stmt->value) || !check_calls(x)) {
        give_up(x);
        return;
    }
    Site *inner = x->inner;
    x->runs = x->runs || inner->runs;
    site_advance(inner, PHASE_GIVEN);
    take_failure(x);
    x->runs = x->runs || inner->runs;
    if (inner->reads_left && inner->phase >= PHASE_WRITTEN) {
        sema_error(s, DIAG_CONNECTION_PART, stmt->span,
                   "`%s` writes before it reads, so nothing can be around it",
                   inner->item->name.text);
        give_up(x);
    } else if (inner->phase >= PHASE_WRITE) { /* it has no reads, and calls */
        x->phase = PHASE_WRITE;
        site_advance(inner, PHASE_WRITTEN);
        take_failure(x);
        site_written(x);
    } else {
        for (uint32_t k = 0; k < inner->reads.count; k++)
            vec_push(s->arena, &x->reads, inner->reads.at[k]);
        if (x->reads_left == 0)
            site_reads_known(x);
    }
}

void site_reads_known(Site *x) {
    x->phase = x->phase < PHASE_GIVEN ? PHASE_GIVEN : x->phase;
    for (uint32_t k = 0; k < x->reads.count; k++)
        held_note(x->s, x->held, x->reads.at[k].name.text, x->reads.at[k].value);
    if (!x->outer)
        site_branches(x);
}

/* --- what the branches gave --------------------------------------------------------------------*/

/* All names of all branches in one list, for `y` stands for their sum. */
static void merge_results(Sema *s, SiteResults *r, Value y) {
    BoundArgumentList *all = ARENA_NEW(s->arena, BoundArgumentList);
    for (uint32_t k = 0; k < r->count; k++)
        results_add(s, all, &r->named[k], r->at[k]);
    r->named = all;
    r->first = ARENA_NEW(s->arena, Value);
    r->first[0] = y;
    r->count = 1;
}

static bool is_same(Value a, Value b) {
    return a.kind == VALUE_TENSOR && b.kind == VALUE_TENSOR && a.tensor->id == b.tensor->id;
}

/* The first result has a name of the branch's, too. */
static void rename_first(SiteResults *r, uint32_t branch, Value was, Value now) {
    for (uint32_t k = 0; k < r->named[branch].count; k++)
        if (is_same(r->named[branch].at[k].value, was))
            r->named[branch].at[k].value = now;
}

static bool takes_each(Sema *s, const Site *x) {
    const char *ys = intern_str(s->c->interner, "ys");
    bool takes = false;
    for (const Site *at = x->inner; at; at = at->inner)
        takes = takes || ast_mentions(&at->item->body, ys);
    return takes;
}

static void change_sum(Site *x, const Binding *b, Value v) {
    Sema *s = x->s;
    SiteResults *r = x->changed;
    if (r->count > 1 && takes_each(s, x)) {
        sema_error(
            s, DIAG_CONNECTION_PART, b->target.span,
            "the connection inside takes what each branch gives, `ys`, and `y` is their sum");
        sema_help(s, "write `ys[b, c]`");
        x->failed = true;
        return;
    }
    if (r->count == 1)
        rename_first(r, 0, r->first[0], v);
    merge_results(s, r, v);
}

static void change_each(Site *x, const Binding *b, Value v) {
    Sema *s = x->s;
    SiteResults *r = x->changed;
    const Tensor *t = value_as_real(s, v, b->value->span);
    uint32_t dims[TIR_MAX_RANK] = {0};
    const uint32_t rank = t ? tensor_bare_dims(t, dims, NULL) : 0;
    if (!t || rank == 0 || rank != t->type.rank || dims[0] != r->count) {
        if (t)
            sema_error(s, DIAG_SHAPE, b->value->span,
                       "`ys` has an entry for each branch, of which this site has %u; this is %s",
                       r->count, dims_text(s, rank, dims));
        x->failed = true;
        return;
    }
    for (uint32_t k = 0; k < r->count; k++) {
        TirBuilder *builder = sema_builder(s, b->target.span);
        TirId id = tir_slice(builder, tensor_use(s, t), 0, k, 1);
        id = tir_reshape(builder, id, rank - 1, dims + 1);
        const Value entry = value_derived(s, id, t->type.domain, NULL, b->target.span);
        rename_first(r, k, r->first[k], entry);
        r->first[k] = entry;
    }
}

static void change_named(Site *x, const Binding *b, Value v) {
    Sema *s = x->s;
    SiteResults *r = x->changed;
    const char *names = "", *name = b->target.name.text;
    bool found = false;
    for (uint32_t k = 0; k < r->count; k++)
        for (uint32_t i = 0; i < r->named[k].count; i++) {
            BoundArgument *a = &r->named[k].at[i];
            if (a->name.text != name) {
                names = arena_printf(s->arena, "%s, `%s`", names, a->name.text);
                continue;
            }
            a->value = found ? value_binary(s, TIR_SUB, v, v, b->target.span) : v;
            found = true;
        }
    if (found || x->frame->results_unknown)
        return;
    sema_error(s, DIAG_STATE, b->target.name.span,
               "`write` gives a value to a state of `%s` or to what its branch gave, and `%s` is "
               "neither",
               x->item->name.text, name);
    sema_help(s,
              "what the branch gave is `y`%s; every state of the connection inside is written by "
              "`write each old, new = ...;`",
              names);
    x->failed = true;
}

void site_change_result(Site *x, const Binding *b) {
    Sema *s = x->s;
    const char *name = b->target.name.text;
    if (x->phase < PHASE_WRITE) {
        sema_error(s, DIAG_NOT_HERE, b->target.span,
                   "what the branch gave is known behind the last `read` only");
        x->failed = true;
        return;
    }
    const Value v = body_binding(s, x->scope, b, NULL);
    x->failed = x->failed || is_poison(v);
    if (!x->changed || is_poison(v))
        return;
    if (name == intern_str(s->c->interner, "y"))
        change_sum(x, b, v);
    else if (name == intern_str(s->c->interner, "ys"))
        change_each(x, b, v);
    else
        change_named(x, b, v);
}

/* A copy that may be changed. */
static SiteResults *results_copy(Sema *s, const SiteResults *r) {
    SiteResults *copy = ARENA_NEW(s->arena, SiteResults);
    copy->count = r->count;
    copy->at = r->at;
    copy->first = ARENA_ARRAY(s->arena, Value, r->count);
    copy->named = ARENA_ARRAY(s->arena, BoundArgumentList, r->count);
    for (uint32_t k = 0; k < r->count; k++) {
        copy->first[k] = r->first[k];
        for (uint32_t i = 0; i < r->named[k].count; i++)
            vec_push(s->arena, &copy->named[k], r->named[k].at[i]);
    }
    return copy;
}

void site_take_results(Site *x, const SiteResults *results) {
    Sema *s = x->s;
    x->phase = x->phase < PHASE_WRITE ? PHASE_WRITE : x->phase;
    for (uint32_t k = 0; results && k < results->count; k++)
        vec_push(s->arena, &x->held->results, results->first[k]);
    site_name_results(x, results);
    if (x->inner) {
        x->changed = results ? results_copy(s, results) : NULL;
        if (x->results_left == 0)
            site_pass_results(x);
    }
    site_written(x);
}

void site_pass_results(Site *x) {
    Sema *s = x->s;
    Site *inner = x->inner;
    if (!inner || inner->phase != PHASE_GIVEN)
        return;
    inner->failed = inner->failed || x->failed;
    inner->frame->results_unknown = x->frame->results_unknown;
    Frame *const own = frame_switch(s, inner->frame);
    site_take_results(inner, x->changed);
    frame_switch(s, own);
    site_advance(inner, PHASE_WRITTEN);
    take_failure(x);
}

/* --- what the inner one writes -----------------------------------------------------------------*/

/* The value of `new` under its name, where `old` is what it was. */
static Value blended(Site *x, const Stmt *stmt, const char *name, Value old, Value now) {
    Sema *s = x->s;
    Scope *scope = scope_create(s, x->scope, x->frame);
    if (!scope_check_new(s, scope, stmt->each.old))
        return POISON;
    scope_define(s, scope, stmt->each.old.text, stmt->each.old.span, SYMBOL_VALUE)->value = old;
    if (!scope_check_new(s, scope, stmt->each.now))
        return POISON;
    scope_define(s, scope, stmt->each.now.text, stmt->each.now.span, SYMBOL_VALUE)->value = now;
    const Binding b = {.target = {.name = {name, stmt->span}, .span = stmt->span},
                       .value = stmt->each.value,
                       .of = 1};
    const Value v = body_binding(s, scope, &b, &now);
    x->failed = x->failed || is_poison(v);
    return v;
}

static bool can_blend(Site *x, const Stmt *stmt, const SiteState *state) {
    Sema *s = x->s;
    if (!state->appended.count && !state->widened)
        return true;
    sema_error(s, DIAG_STATE, stmt->span,
               state->widened
                   ? "`%s` gets another width at this site, so what it was and what it is "
                     "written to do not go together"
                   : "`%s` gets an entry more at this site, which has no old value",
               state->symbol->name);
    sema_note(s, state->symbol->span, "it is a state of the connection inside");
    sema_note(s, x->site->stmt->span, "the site is this one");
    sema_help(s, "change what that is given instead: `write y[c] = ...;`");
    x->failed = true;
    return false;
}

static void blend(Site *x, const Stmt *stmt, Site *inner) {
    for (uint32_t k = 0; k < inner->n_states && !x->failed; k++) {
        SiteState *state = &inner->states[k];
        if ((state->is_written || state->appended.count) && can_blend(x, stmt, state))
            state->written =
                blended(x, stmt, state->symbol->name, state->symbol->value, state->written);
    }
    for (uint32_t k = 0; k < inner->n_carries && !x->failed; k++) {
        SiteCarry *carry = &inner->carries[k];
        if (carry->is_written)
            carry->written =
                blended(x, stmt, carry->symbol->name, carry->symbol->value, carry->written);
    }
}

void site_write_each(Site *x, const Stmt *stmt) {
    if (!x->inner || x->failed)
        return;
    if (x->inner->phase < PHASE_WRITTEN) {
        sema_error(x->s, DIAG_NOT_HERE, stmt->span,
                   "`write each` stands behind the last `read` and what is written as `y`");
        x->failed = true;
        return;
    }
    for (Site *inner = x->inner; inner; inner = inner->inner)
        blend(x, stmt, inner);
}
