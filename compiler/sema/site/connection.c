/* One site: a connection around its branches.
 *
 * Order: constants, parameters and lets as written, `begin` only at the first site of the trunk
 * that keeps the state; after the last `read` the branches run and `y` is known; all `write`s take
 * effect together after the last of them; what stands after it is elaborated at the trunk's last
 * site only (and wherever a probe or penalty stands there), and `end` last of all. So a let after
 * the writes sees the final state, which is what `end` wants.
 *
 * No connection is known by name here. */
#include "sema/body/body.h"
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/frame.h"
#include "sema/report.h"
#include "sema/site/held.h"
#include "sema/site/site.h"
#include "sema/trial_extents.h"
#include "sema/usage.h"

/* --- statements --------------------------------------------------------------------------------*/

static void site_define_x(Site *x, Scope *scope) {
    const char *name = intern_str(x->s->c->interner, "x");
    scope_define(x->s, scope, name, x->site->stmt->span, SYMBOL_VALUE)->value = x->trunk->input;
}

static void site_end(Site *x, const Stmt *stmt) {
    for (uint32_t k = 0; k < stmt->bindings.count; k++) {
        Binding b = stmt->bindings.at[k];
        /* `read x` and `end x` may both use a module: the last one's parameters are of `end`. */
        if (b.target.name.text)
            b.target.name.text = intern_str(x->s->c->interner, "end");
        x->s->frame->ends = true;
        const Value v = body_binding(x->s, x->scope, &b, NULL);
        x->s->frame->ends = false;
        if (!x->has_ended)
            x->ended = v;
        x->has_ended = true;
    }
}

static void site_body(Site *x, const StmtList *body, bool after_writes);

/* Constants of the body itself are known from the start, so that conditions can be looked into. */
static void define_body_constants(Site *x, const StmtList *body) {
    for (uint32_t k = 0; k < body->count; k++)
        if (body->at[k] && body->at[k]->kind == STMT_CONST)
            define_constants(x->s, x->scope, &body->at[k]->bindings);
}

static void site_constant(Site *x, const Stmt *stmt, uint32_t k) {
    const Name name = stmt->bindings.at[k].target.name;
    Symbol *symbol = name.text ? scope_find_here(x->scope, name.text) : NULL;
    if (symbol && symbol->kind == SYMBOL_CONST && symbol->span.begin == name.span.begin) {
        symbol_constant(x->s, symbol);
        return;
    }
    const BindingList one = {.at = (Binding *)&stmt->bindings.at[k], .count = 1};
    define_constants(x->s, x->scope, &one);
}

static void site_if(Site *x, const StmtList *yes, const StmtList *no, bool condition,
                    bool after_writes) {
    site_body(x, condition ? yes : no, after_writes);
    usage_mark_untaken(x->s, x->scope, condition ? no : yes);
}

/* Where branches cannot be called, and what to do; NULL: where they can. */
static void site_uncalled(Site *x, const char *where, const char *help) {
    x->uncalled = where;
    x->call_help = help;
}

static void site_committed(Site *x) {
    site_commit(x);
    site_uncalled(x, "behind the last `write`",
                  "what stands there is made at the last site of a trunk only: call it above");
}

static bool site_tells(const Stmt *stmt) {
    return stmt->kind != STMT_CONST && stmt->kind != STMT_IF && stmt->kind != STMT_REQUIRE;
}

static void site_statement(Site *x, const Stmt *stmt, bool after_writes) {
    Sema *s = x->s;
    bool condition;
    if (site_tells(stmt))
        told_part(x, stmt);
    switch (stmt->kind) {
    case STMT_CONST: /* defined already; a condition's own are not */
        for (uint32_t k = 0; k < stmt->bindings.count; k++)
            site_constant(x, stmt, k);
        return;
    case STMT_STATE:
        for (uint32_t k = 0; k < stmt->targets.count; k++)
            site_state(x, &stmt->targets.at[k]);
        return;
    case STMT_CARRY:
        site_uncalled(x, "for what a carry begins with",
                      "that is made once, and branches run at every site");
        for (uint32_t k = 0; k < stmt->bindings.count; k++)
            site_carry(x, &stmt->bindings.at[k]);
        site_uncalled(x, NULL, NULL);
        return;
    case STMT_BEGIN: {
        Scope *const scope = x->scope;
        x->scope = scope_create(s, scope, s->frame); /* `x` means the trunk's input only here */
        site_define_x(x, x->scope);
        const char *const help = "a trunk begins once, and its branches run at every site: call it "
                                 "in a `let` or a `write`";
        site_uncalled(x, "in `begin`", help);
        for (uint32_t k = 0; k < stmt->bindings.count; k++)
            site_begin(x, &stmt->bindings.at[k]);
        site_uncalled(x, NULL, NULL);
        x->scope = scope;
        return;
    }
    case STMT_READ:
        for (uint32_t k = 0; k < stmt->bindings.count; k++)
            site_read(x, &stmt->bindings.at[k]);
        if (--x->reads_left == 0)
            site_branches(x);
        return;
    case STMT_WRITE:
        for (uint32_t k = 0; k < stmt->bindings.count; k++)
            site_write(x, &stmt->bindings.at[k]);
        if (--x->writes_left == 0)
            site_committed(x);
        return;
    case STMT_APPEND:
        for (uint32_t k = 0; k < stmt->bindings.count; k++)
            site_append(x, &stmt->bindings.at[k]);
        if (--x->writes_left == 0)
            site_committed(x);
        return;
    case STMT_END:
        vec_push(s->arena, &x->ends, stmt);
        return;
    case STMT_IF:
        if (elaborate_bool(s, x->scope, stmt->branch.condition, "a condition", &condition))
            site_if(x, &stmt->branch.then_body, &stmt->branch.else_body, condition, after_writes);
        else
            x->failed = true;
        return;
    default:
        if (after_writes && !x->last && !x->probes_after)
            return;
        body_statement(s, x->scope, stmt);
        x->failed = x->failed || s->frame->rejected;
    }
}

static void site_body(Site *x, const StmtList *body, bool after_writes) {
    for (uint32_t k = 0; k < body->count && !x->s->frame->rejected; k++)
        if (body->at[k])
            site_statement(x, body->at[k], after_writes || x->writes_left == 0);
}

/* What decides about reads and writes must be known before the body's lets are. */
static bool condition_decides(Site *x, const Stmt *stmt, bool *condition) {
    Sema *s = x->s;
    if (!parts_hold(&stmt->branch.then_body) && !parts_hold(&stmt->branch.else_body))
        return false;
    if (elaborate_bool(s, x->scope, stmt->branch.condition, "a condition", condition))
        return true;
    sema_help(s, "what decides about `read`, `write` and `append` is looked at before any `let`: "
                 "use constants and arguments");
    x->undecided = x->failed = true;
    return false;
}

/* Reads and writes on the side of each condition that holds. */
static void count_active(Site *x, const StmtList *body) {
    for (uint32_t k = 0; k < body->count; k++) {
        const Stmt *stmt = body->at[k];
        if (!stmt)
            continue;
        x->reads_left += stmt->kind == STMT_READ;
        x->writes_left += stmt->kind == STMT_WRITE || stmt->kind == STMT_APPEND;
        if (x->writes_left && parts_show(stmt))
            x->probes_after = true;
        bool condition;
        if (stmt->kind == STMT_IF && condition_decides(x, stmt, &condition))
            count_active(x, condition ? &stmt->branch.then_body : &stmt->branch.else_body);
    }
}

static void check_begun(Site *x) {
    Sema *s = x->s;
    for (uint32_t k = 0; k < x->n_states; k++)
        if (x->states[k].begins && !x->states[k].is_begun) {
            const Target *declared = x->states[k].declared;
            sema_error(s, DIAG_CONNECTION_PART, declared->span,
                       "nothing says how the state `%s` begins", declared->name.text);
            sema_help(s, "write `begin %s... = ...`", declared->name.text);
            x->failed = true;
        }
}

/* A site whose branch nothing runs would go without it. */
static void check_runs(Site *x) {
    Sema *s = x->s;
    const Item *item = x->use->connection->item;
    if (x->runs || x->is_called || x->failed)
        return;
    sema_error(s, DIAG_CONNECTION_PART, item->name.span,
               "at this site the connection `%s` neither reads for its branch nor calls it",
               item->name.text);
    sema_note(s, x->site->stmt->span, "the site is this one");
    sema_help(s, "a site without a branch is left out of the trunk by `if`");
    x->failed = true;
}

static Value trunk_result(Site *x, const Item *item) {
    Sema *s = x->s;
    for (uint32_t k = 0; k < x->ends.count; k++)
        site_end(x, x->ends.at[k]);
    if (!x->has_ended)
        return POISON;
    Value v = x->ended;
    const Tensor *t = value_as_tensor(s, v, x->site->stmt->span);
    if (!t)
        return POISON;
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t rank = tensor_bare_dims(t, dims, NULL);
    if (rank == 1 && dims[0] == x->trunk->width)
        return (Value){.kind = VALUE_TENSOR, .span = v.span, .tensor = t};
    if (rank == 1)
        trial_differ(s, dims[0], x->trunk->width);
    sema_error(s, DIAG_SHAPE, x->ends.at[0]->span, "`end` gives %s, but the trunk has x %s",
               dims_text(s, rank, dims), dims_text(s, 1, &x->trunk->width));
    sema_note(s, item->name.span, "in the connection `%s`", item->name.text);
    return POISON;
}

bool connection_elaborate(Sema *s, TrunkState *trunk, const SiteUse *use, const PlacedSite *site,
                          bool last, Value *result) {
    const Callable *connection = use->connection;
    const Item *item = connection->item;
    const Span used_at =
        site->stmt->site.connection ? site->stmt->site.connection->span : site->stmt->span;
    Frame *frame = frame_push(s, item, path_join(s, site->path, "hc"), used_at);
    frame->of_connection = true;
    frame->use = use;
    Scope *scope = scope_create(s, connection->home, frame);
    scope->is_frame = true;
    *map_slot_u64(s->used_items, (uint64_t)(uintptr_t)item) = s;
    Site x = {.s = s,
              .trunk = trunk,
              .site = site,
              .use = use,
              .scope = scope,
              .info = s->network->sites.count - 1,
              .call = frame->call,
              .first = !trunk->begun,
              .last = last};
    const TirId from = s->program->block->nodes.count;
    told_use(&x);
    scaled_expect(&x);
    bool good = parts_check(s, item);
    good = bind_formals(s, scope, item, connection->arguments.at, connection->arguments.count,
                        used_at) &&
           good;
    const char *d = intern_str(s->c->interner, "d");
    const Symbol *old = scope_find_here(scope, d);
    if (old) {
        sema_error(s, DIAG_DUPLICATE, old->span,
                   "in a connection `d` is the width of the trunk, so it cannot be a parameter");
        good = false;
    } else {
        Symbol *width = scope_define(s, scope, d, trunk->input.span, SYMBOL_VALUE);
        width->declared = DECLARED_EXTENT;
        width->value = value_number(trunk->width, trunk->input.span);
    }
    good = good && bind_inputs(s, scope, item, use->inputs.at, use->inputs.count, false, used_at);
    x.calls_branch = parts_call(s, item);
    if (good) {
        if (x.calls_branch)
            site_define_branch(&x, scope);
        x.scope = scope_create(s, scope, frame);
        if (trunk->held) {
            x.held = held_site(s, trunk->held, site->path);
            x.held->scope = x.scope;
        }
        given_states(&x);
        grow_declare(&x);
        define_body_constants(&x, &item->body);
        count_active(&x, &item->body);
        x.runs = x.reads_left > 0;
        frame->calls_only = x.calls_branch && !x.runs;
        if ((x.runs || x.calls_branch) && x.writes_left && !x.undecided) {
            site_body(&x, &item->body, false);
            if (!frame->rejected)
                check_begun(&x);
            if (!frame->rejected)
                check_runs(&x);
        }
    }
    trunk->begun = true;
    told_states(&x);
    scaled_params(&x);
    if (good && !x.failed)
        check_roles(&x, from);
    if (good && last) { /* after a failure, too: what only `end` uses is used */
        const Value ended = trunk_result(&x, item);
        site_aside(&x);
        *result = x.failed ? POISON : ended;
        given_ended(&x, *result);
    }
    frame_pop(s);
    return good && !x.failed;
}
