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
#include "syntax/ast_find.h"

/* --- statements --------------------------------------------------------------------------------*/

static void site_define_x(Site *x, Scope *scope) {
    const char *name = intern_str(x->s->c->interner, "x");
    scope_define(x->s, scope, name, x->site->stmt->span, SYMBOL_VALUE)->value = x->trunk->input;
}

static void site_statement(Site *x, const Stmt *stmt);

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

/* A condition that decides about neither reads nor writes. */
static void site_if(Site *x, const Stmt *stmt) {
    Sema *s = x->s;
    bool condition;
    if (!elaborate_bool(s, x->scope, stmt->branch.condition, "a condition", &condition)) {
        x->failed = true;
        return;
    }
    const StmtList *yes = condition ? &stmt->branch.then_body : &stmt->branch.else_body;
    const StmtList *no = condition ? &stmt->branch.else_body : &stmt->branch.then_body;
    for (uint32_t k = 0; k < yes->count && !x->frame->rejected; k++)
        if (yes->at[k])
            site_statement(x, yes->at[k]);
    usage_mark_untaken(s, x->scope, no);
}

/* Where branches cannot be called, and what to do; NULL: where they can. */
static void site_uncalled(Site *x, const char *where, const char *help) {
    x->uncalled = where;
    x->call_help = help;
}

static bool site_tells(const Stmt *stmt) {
    return stmt->kind != STMT_CONST && stmt->kind != STMT_IF && stmt->kind != STMT_REQUIRE;
}

/* Of a connection around another: a result that it changes, or a state of its own. */
static bool changes_result(const Site *x, const Binding *b) {
    return x->around && b->target.name.text && !parts_keep(&x->item->body, b->target.name.text);
}

static void site_writes(Site *x, const Stmt *stmt) {
    bool changes = false;
    for (uint32_t k = 0; k < stmt->bindings.count; k++) {
        const Binding *b = &stmt->bindings.at[k];
        if (changes_result(x, b)) {
            changes = true;
            site_change_result(x, b);
        } else {
            site_write(x, b);
        }
    }
    x->writes_left--;
    if (changes && --x->results_left == 0)
        site_pass_results(x);
    site_written(x);
}

static void site_statement(Site *x, const Stmt *stmt) {
    Sema *s = x->s;
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
    case STMT_AROUND:
        site_around(x, stmt);
        return;
    case STMT_READ:
        for (uint32_t k = 0; k < stmt->bindings.count; k++)
            site_read(x, &stmt->bindings.at[k]);
        if (--x->reads_left == 0)
            site_reads_known(x);
        return;
    case STMT_WRITE:
        site_writes(x, stmt);
        return;
    case STMT_EACH:
        site_write_each(x, stmt);
        x->writes_left--;
        site_written(x);
        return;
    case STMT_APPEND:
        for (uint32_t k = 0; k < stmt->bindings.count; k++)
            site_append(x, &stmt->bindings.at[k]);
        x->writes_left--;
        site_written(x);
        return;
    case STMT_END:
        vec_push(s->arena, &x->ends, stmt);
        return;
    case STMT_IF:
        site_if(x, stmt);
        return;
    default:
        if (x->phase >= PHASE_REST && !x->last && !x->probes_after)
            return;
        body_statement(s, x->scope, stmt);
        x->failed = x->failed || s->frame->rejected;
    }
}

void site_advance(Site *x, SitePhase until) {
    Sema *s = x->s;
    Frame *const own = frame_switch(s, x->frame);
    while (x->phase < until && x->next < x->steps.count && !x->frame->rejected) {
        const SiteStep step = x->steps.at[x->next++];
        if (step.stmt)
            site_statement(x, step.stmt);
        else
            usage_mark_untaken(s, x->scope, step.untaken);
    }
    frame_switch(s, own);
}

/* --- the end of the writes, and of the trunk ---------------------------------------------------*/

static void end_statement(Site *x, const Stmt *stmt) {
    for (uint32_t k = 0; k < stmt->bindings.count; k++) {
        Binding b = stmt->bindings.at[k];
        /* `read x` and `end x` may both use a module: the last one's parameters are of `end`. */
        if (b.target.name.text)
            b.target.name.text = intern_str(x->s->c->interner, "end");
        x->frame->ends = true;
        const Value v = body_binding(x->s, x->scope, &b, NULL);
        x->frame->ends = false;
        if (!x->has_ended)
            x->ended = v;
        x->has_ended = true;
    }
}

Value site_end(Site *x) {
    if (x->is_end_known)
        return x->ended;
    x->is_end_known = true;
    Frame *const own = frame_switch(x->s, x->frame);
    for (uint32_t k = 0; k < x->ends.count; k++)
        end_statement(x, x->ends.at[k]);
    if (!x->has_ended && x->inner)
        x->ended = site_end(x->inner);
    frame_switch(x->s, own);
    return x->ended;
}

/* What stands behind the writes of a connection inside: it comes before that of who is around it,
 * who may ask for what it ends with. */
static void rest_of_inner(Site *x) {
    const Site *outer = x->outer;
    const char *end = intern_str(x->s->c->interner, "end");
    site_advance(x, PHASE_END);
    if ((x->last || outer->probes_after) && ast_asks(&outer->item->body, end))
        held_note(x->s, x->held, end, site_end(x));
}

void site_written(Site *x) {
    if (x->writes_left || x->phase >= PHASE_WRITTEN ||
        (x->inner && x->inner->phase < PHASE_WRITTEN))
        return;
    x->phase = PHASE_WRITTEN;
    if (x->outer)
        return;
    site_commit(x);
    Site *innermost = x;
    for (Site *at = x; at; at = at->inner) {
        at->phase = PHASE_REST;
        site_uncalled(at, "behind the last `write`",
                      "what stands there is made at the last site of a trunk only: call it above");
        innermost = at;
    }
    for (Site *at = innermost; at->outer; at = at->outer)
        rest_of_inner(at);
}

/* --- the order of the statements ---------------------------------------------------------------*/

/* What decides about reads and writes must be known before the body's lets are. */
static bool condition_decides(Site *x, const Stmt *stmt, bool *condition) {
    Sema *s = x->s;
    if (!parts_hold(&stmt->branch.then_body) && !parts_hold(&stmt->branch.else_body))
        return false;
    if (elaborate_bool(s, x->scope, stmt->branch.condition, "a condition", condition))
        return true;
    if (!diag_is_helped(s->d))
        sema_help(s, "what decides about `read`, `write` and `append` is looked at before any "
                     "`let`: use constants and arguments");
    x->undecided = x->failed = true;
    return false;
}

static void plan_around(Site *x, const Stmt *stmt) {
    Sema *s = x->s;
    if (x->around) {
        sema_error(s, DIAG_CONNECTION_PART, stmt->span, "a connection is around one other");
        sema_note(s, x->around->span, "it is around this already");
        x->undecided = x->failed = true;
    } else if (x->reads_left || x->writes_left) {
        sema_error(s, DIAG_CONNECTION_PART, stmt->span,
                   "`around` stands before what is read and written");
        x->undecided = x->failed = true;
    }
    x->around = stmt;
}

static void plan_statement(Site *x, const Stmt *stmt) {
    Sema *s = x->s;
    if (stmt->kind == STMT_AROUND)
        plan_around(x, stmt);
    if (stmt->kind == STMT_EACH && !x->around) {
        sema_error(s, DIAG_CONNECTION_PART, stmt->span,
                   "`write each` is for what a connection inside writes, and here is none");
        sema_help(s, "a connection around another says `around inner;` above");
        x->undecided = x->failed = true;
    }
    x->reads_left += stmt->kind == STMT_READ;
    x->writes_left +=
        stmt->kind == STMT_WRITE || stmt->kind == STMT_EACH || stmt->kind == STMT_APPEND;
    bool changes = false;
    for (uint32_t k = 0; stmt->kind == STMT_WRITE && k < stmt->bindings.count; k++)
        changes = changes || changes_result(x, &stmt->bindings.at[k]);
    x->results_left += changes;
    if (x->writes_left && parts_show(stmt))
        x->probes_after = true;
    vec_push(s->arena, &x->steps, (SiteStep){.stmt = stmt});
}

/* The statements in their turn: of conditions that decide about reads and writes, the side that
 * holds. */
static void plan(Site *x, const StmtList *body) {
    for (uint32_t k = 0; k < body->count; k++) {
        const Stmt *stmt = body->at[k];
        bool condition;
        if (!stmt)
            continue;
        if (stmt->kind != STMT_IF || !condition_decides(x, stmt, &condition)) {
            plan_statement(x, stmt);
            continue;
        }
        plan(x, condition ? &stmt->branch.then_body : &stmt->branch.else_body);
        vec_push(
            x->s->arena, &x->steps,
            (SiteStep){.untaken = condition ? &stmt->branch.else_body : &stmt->branch.then_body});
    }
}

/* --- checks ------------------------------------------------------------------------------------*/

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
    const Item *item = x->item;
    bool runs = x->failed;
    for (const Site *at = x; at; at = at->inner)
        runs = runs || at->runs || at->is_called;
    if (runs)
        return;
    sema_error(s, DIAG_CONNECTION_PART, item->name.span,
               "at this site the connection `%s` neither reads for its branch nor calls it",
               item->name.text);
    sema_note(s, x->site->stmt->span, "the site is this one");
    sema_help(s, "a site without a branch is left out of the trunk by `if`");
    x->failed = true;
}

static Span end_span(const Site *x) {
    while (x->inner && !x->ends.count)
        x = x->inner;
    return x->ends.count ? x->ends.at[0]->span : x->site->stmt->span;
}

static Value trunk_result(Site *x) {
    Sema *s = x->s;
    Value v = site_end(x);
    const Tensor *t = is_poison(v) ? NULL : value_as_tensor(s, v, x->site->stmt->span);
    if (!t)
        return POISON;
    uint32_t dims[TIR_MAX_RANK];
    const uint32_t rank = tensor_bare_dims(t, dims, NULL);
    if (rank == 1 && dims[0] == x->trunk->width)
        return (Value){.kind = VALUE_TENSOR, .span = v.span, .tensor = t};
    if (rank == 1)
        trial_differ(s, dims[0], x->trunk->width);
    sema_error(s, DIAG_SHAPE, end_span(x), "`end` gives %s, but the trunk has x %s",
               dims_text(s, rank, dims), dims_text(s, 1, &x->trunk->width));
    sema_note(s, x->item->name.span, "in the connection `%s`", x->item->name.text);
    return POISON;
}

/* --- the whole ---------------------------------------------------------------------------------*/

static bool define_width(Site *x, Scope *scope) {
    Sema *s = x->s;
    const char *d = intern_str(s->c->interner, "d");
    const Symbol *old = scope_find_here(scope, d);
    if (old) {
        sema_error(s, DIAG_DUPLICATE, old->span,
                   "in a connection `d` is the width of the trunk, so it cannot be a parameter");
        return false;
    }
    Symbol *width = scope_define(s, scope, d, x->trunk->input.span, SYMBOL_VALUE);
    width->declared = DECLARED_EXTENT;
    width->value = value_number(x->trunk->width, x->trunk->input.span);
    return true;
}

/* Whether what holds here of its text can be run; what it lacks altogether has been said. */
static bool is_complete(Site *x) {
    Sema *s = x->s;
    if (x->undecided || x->around)
        return !x->undecided;
    if ((x->runs || x->calls_branch) && x->writes_left)
        return true;
    if (!x->failed && parts_hold(&x->item->body))
        sema_error(s, DIAG_CONNECTION_PART, x->frame->used_at,
                   "what holds here of the connection `%s` %s", x->item->name.text,
                   x->writes_left ? "reads nothing" : "writes nothing");
    return false;
}

bool site_open(Site *x, const Callable *connection, const BoundArgumentList *inputs, Span used_at) {
    Sema *s = x->s;
    const Item *item = connection->item;
    Scope *scope = scope_create(s, connection->home, x->frame);
    scope->is_frame = true;
    *map_slot_u64(s->used_items, (uint64_t)(uintptr_t)item) = s;
    x->item = item;
    x->frame->of_connection = true;
    x->frame->use = x->use;
    x->scope = scope;
    told_text(x);
    scaled_expect(x);
    bool good = parts_check(s, item);
    good = bind_formals(s, scope, item, connection->arguments.at, connection->arguments.count,
                        used_at) &&
           good;
    good = define_width(x, scope) && good;
    good = good && bind_inputs(s, scope, item, inputs->at, inputs->count, false, used_at);
    x->calls_branch = parts_call(s, item);
    if (!good)
        return false;
    if (x->calls_branch)
        site_define_branch(x, scope);
    x->scope = scope_create(s, scope, x->frame);
    x->held->scope = x->scope;
    if (!x->outer)
        given_states(x);
    grow_declare(x);
    define_body_constants(x, &item->body);
    plan(x, &item->body);
    x->runs = x->reads_left > 0;
    x->frame->calls_only = x->calls_branch && !x->runs && !x->around;
    if (!x->runs && !x->around)
        x->phase = PHASE_WRITE;
    return true;
}

static void check_layers(Site *x, TirId from) {
    for (Site *at = x; at; at = at->inner)
        if (!at->failed)
            check_roles(at, from);
}

static void run(Site *x) {
    if (!is_complete(x))
        return;
    site_advance(x, PHASE_END);
    for (Site *at = x; at; at = at->inner) {
        if (!at->frame->rejected)
            check_begun(at);
        x->failed = x->failed || at->failed;
    }
    if (!x->frame->rejected)
        check_runs(x);
}

bool connection_elaborate(Sema *s, TrunkState *trunk, const SiteUse *use, const PlacedSite *site,
                          bool last, Value *result) {
    const Span used_at =
        site->stmt->site.connection ? site->stmt->site.connection->span : site->stmt->span;
    Frame *frame = frame_push(s, use->connection->item, path_join(s, site->path, "hc"), used_at);
    Site x = {.s = s,
              .trunk = trunk,
              .site = site,
              .use = use,
              .frame = frame,
              .info = s->network->sites.count - 1,
              .call = frame->call,
              .held = held_site(s, trunk->held, site->path),
              .first = !trunk->begun,
              .last = last};
    const TirId from = s->program->block->nodes.count;
    told_use(&x);
    const bool good = site_open(&x, use->connection, &use->inputs, used_at);
    if (good)
        run(&x);
    trunk->begun = true;
    told_states(&x);
    scaled_params(&x);
    if (good && !x.failed)
        check_layers(&x, from);
    if (good && last) { /* after a failure, too: what only `end` uses is used */
        const Value ended = trunk_result(&x);
        site_aside(&x);
        *result = x.failed ? POISON : ended;
        given_ended(&x, *result);
    }
    site_note_found(&x);
    frame_pop(s);
    return good && !x.failed;
}
