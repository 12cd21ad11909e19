/* One site: a connection around its branches.
 *
 * Order: constants, parameters and lets as written, `begin` at the trunk's first site only; after
 * the last `read` the branches run and `y` is known; all `write`s take effect together after the
 * last of them; what stands after it is elaborated at the trunk's last site only (and wherever a
 * probe or penalty stands there), and `end` last of all. So a let after the writes sees the final
 * state, which is what `end` wants.
 *
 * No connection is known by name here. */
#include "sema/site.h"
#include <string.h>

/* --- parts -------------------------------------------------------------------------------------*/

typedef struct {
    uint32_t begin, read, write, end; /* statements of each kind, conditions looked into */
    bool conditional;
} Parts;

static void count_parts(const StmtList *body, Parts *parts, bool inside) {
    for (uint32_t k = 0; k < body->count; k++) {
        const Stmt *stmt = body->at[k];
        if (!stmt)
            continue;
        parts->begin += stmt->kind == STMT_BEGIN;
        parts->read += stmt->kind == STMT_READ;
        parts->write += stmt->kind == STMT_WRITE || stmt->kind == STMT_APPEND;
        parts->end += stmt->kind == STMT_END;
        parts->conditional =
            parts->conditional || stmt->kind == STMT_IF || stmt->kind == STMT_ERROR;
        if (stmt->kind == STMT_IF && !inside) {
            count_parts(&stmt->branch.then_body, parts, false);
            count_parts(&stmt->branch.else_body, parts, false);
        }
    }
}

bool connection_check_parts(Sema *s, const Item *item) {
    Parts parts = {0};
    bool errors = false, has_state = false;
    for (uint32_t k = 0; k < item->body.count; k++) {
        errors = errors || (item->body.at[k] && item->body.at[k]->kind == STMT_ERROR);
        has_state = has_state || (item->body.at[k] && item->body.at[k]->kind == STMT_STATE);
    }
    count_parts(&item->body, &parts, false);
    if (errors)
        return true;
    const struct {
        uint32_t count;
        const char *word, *meaning, *example;
    } needed[] = {
        {has_state, "state", "what goes from site to site", "state h[d];"},
        {parts.begin, "begin", "how the state begins", "begin h = x;"},
        {parts.read, "read", "what the branch gets", "read x = norm(h);"},
        {parts.write, "write", "how the branch's result enters the state",
         "write h[c] = h[c] + y[c];"},
        {parts.end, "end", "what the trunk gives", "end x = norm(h);"},
    };
    bool good = true;
    for (uint32_t k = 0; k < sizeof needed / sizeof *needed; k++) {
        if (needed[k].count)
            continue;
        sema_error(s, DIAG_CONNECTION_PART, item->name.span, "the connection `%s` has no `%s`: %s",
                   item->name.text, needed[k].word, needed[k].meaning);
        sema_help(s, "for instance `%s`", needed[k].example);
        good = false;
        break; /* one message a connection: the place is the same */
    }
    return good;
}

static bool begins(const StmtList *body, const char *name) {
    for (uint32_t k = 0; k < body->count; k++) {
        const Stmt *stmt = body->at[k];
        for (uint32_t b = 0; stmt && stmt->kind == STMT_BEGIN && b < stmt->bindings.count; b++)
            if (stmt->bindings.at[b].target.name.text == name)
                return true;
        if (stmt && stmt->kind == STMT_IF &&
            (begins(&stmt->branch.then_body, name) || begins(&stmt->branch.else_body, name)))
            return true;
    }
    return false;
}

/* --- state and carry ---------------------------------------------------------------------------*/

static void site_state(Site *x, const Target *target) {
    Sema *s = x->s;
    if (!target->name.text || !scope_check_new(s, x->scope, target->name))
        return;
    if (x->n_states == 16) {
        sema_error(s, DIAG_STATE, target->span, "a connection has at most 16 states");
        x->failed = true;
        return;
    }
    StateSlot slot = {.name = target->name.text,
                      .span = target->span,
                      .owner = x->use->connection->item->name.text,
                      .path = x->plan->path,
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
    x->states[at] = symbol;
    x->declared[at] = target;
    if (!good) {
        x->failed = true;
        return;
    }
    if (!x->trunk->begun) {
        symbol->unbegun = begins(&x->use->connection->item->body, slot.name);
        vec_push(s->arena, &x->trunk->states, slot);
        return;
    }
    if (at >= x->trunk->states.count) {
        sema_error(s, DIAG_STATE, x->plan->stmt->site.connection->span,
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
        sema_error(s, DIAG_STATE, x->plan->stmt->site.connection->span,
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

static void site_carry(Site *x, const Binding *b) {
    Sema *s = x->s;
    if (!b->target.name.text || !scope_check_new(s, x->scope, b->target.name) || x->n_carries == 16)
        return;
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
    Symbol *symbol =
        scope_define(s, x->scope, b->target.name.text, b->target.name.span, SYMBOL_VALUE);
    symbol->declared = DECLARED_STATE;
    symbol->value = v;
    usage_declare(s, DECLARED_STATE, symbol->name, symbol->span);
    x->carries[x->n_carries] = symbol;
    x->carried[x->n_carries++] = v;
}

/* --- begin, write ------------------------------------------------------------------------------*/

static int find_state(const Site *x, const char *name) {
    for (uint32_t k = 0; k < x->n_states; k++)
        if (x->states[k]->name == name)
            return (int)k;
    return -1;
}

static int find_carry(const Site *x, const char *name) {
    for (uint32_t k = 0; k < x->n_carries; k++)
        if (x->carries[k]->name == name)
            return (int)k;
    return -1;
}

static void unknown_state(Site *x, const Binding *b, const char *word) {
    Sema *s = x->s;
    if (!b->target.name.text)
        return;
    const char *names[32];
    uint32_t n = 0;
    for (uint32_t k = 0; k < x->n_states; k++)
        names[n++] = x->states[k]->name;
    for (uint32_t k = 0; k < x->n_carries; k++)
        names[n++] = x->carries[k]->name;
    const char *near = nearest_name(b->target.name.text, names, n);
    sema_error(s, DIAG_STATE, b->target.name.span,
               "`%s` gives a value to a state, and `%s` is none", word, b->target.name.text);
    if (near)
        sema_help(s, "did you mean `%s`?", near);
    else if (n)
        sema_help(s, "the state is `%s`", names[0]);
    x->failed = true;
}

Value state_shape(Sema *s, const StateSlot *slot) {
    const uint8_t none[1] = {0};
    TirBuilder *b = sema_builder(s, slot->span);
    TirId id = tir_real(b, 0);
    if (slot->rank)
        id = tir_broadcast(b, id, slot->rank, slot->dims, none);
    return value_tensor(s, id, NULL, slot->span);
}

static void site_begin(Site *x, const Binding *b) {
    Sema *s = x->s;
    const int at = b->target.name.text ? find_state(x, b->target.name.text) : -1;
    if (at < 0) {
        unknown_state(x, b, "begin");
        return;
    }
    if (!x->first || (uint32_t)at >= x->trunk->states.count)
        return;
    const Value known = x->is_begun[at] ? x->states[at]->value /* another slice of it */
                                        : state_shape(s, &x->trunk->states.at[at]);
    x->is_begun[at] = true;
    x->states[at]->unbegun = false;
    Value v = body_binding(s, x->scope, b, &known);
    if (v.kind == VALUE_NUMBER)
        v = POISON;
    if (is_poison(v))
        x->failed = true;
    x->trunk->states.at[at].value = v;
    x->states[at]->value = v;
}

static void site_write(Site *x, const Binding *b) {
    Sema *s = x->s;
    const int at = b->target.name.text ? find_state(x, b->target.name.text) : -1;
    const int carry = b->target.name.text ? find_carry(x, b->target.name.text) : -1;
    if (at < 0 && carry < 0) {
        unknown_state(x, b, "write");
        return;
    }
    Symbol *symbol = at >= 0 ? x->states[at] : x->carries[carry];
    Usage *usage = usage_at(s, symbol->span);
    if (usage)
        usage->written = true;
    if (is_poison(symbol->value)) {
        x->failed = true;
        return;
    }
    Value known = symbol->value;
    bool widens = false;
    if (at >= 0) {
        if (x->is_written[at])
            known = x->written[at]; /* another slice of it */
        known.span = x->adapted ? symbol->span : x->trunk->states.at[at].span;
        widens = width_changes(x, (uint32_t)at, b, &known);
    }
    s->writing = symbol;
    const Value v = body_binding(s, x->scope, b, &known);
    s->writing = NULL;
    if (is_poison(v))
        x->failed = true;
    if (at >= 0) {
        x->written[at] = v;
        x->is_written[at] = true;
        x->widened[at] = widens ? width_written(x, (uint32_t)at) : x->widened[at];
    } else {
        x->carried[carry] = v;
    }
}

static void site_append(Site *x, const Binding *b) {
    Sema *s = x->s;
    const int at = b->target.name.text ? find_state(x, b->target.name.text) : -1;
    if (at < 0) {
        unknown_state(x, b, "append");
        return;
    }
    Usage *usage = usage_at(s, x->states[at]->span);
    if (usage)
        usage->written = true;
    if ((uint32_t)at < x->trunk->states.count && x->trunk->states.at[at].grows)
        grow_append(x, (uint32_t)at, b);
}

static void commit_writes(Site *x) {
    for (uint32_t k = 0; k < x->n_states; k++)
        if (x->states[k]->value.kind == VALUE_TENSOR)
            x->held[k] = x->states[k]->value.tensor->id;
    for (uint32_t k = 0; k < x->n_states && k < x->trunk->states.count; k++)
        if (x->appended[k].count) {
            StateSlot *slot = &x->trunk->states.at[k];
            slot->value = grow_commit(x, k, x->is_written[k] ? x->written[k] : slot->value);
            x->states[k]->value = slot->value;
        } else if (x->is_written[k]) {
            StateSlot *slot = &x->trunk->states.at[k];
            slot->value = x->adapted ? adapt_write(x->s, slot, x->states[k]->value, x->written[k],
                                                   x->states[k]->span)
                                     : x->written[k];
            x->states[k]->value = x->written[k]; /* of adapted ones: the mean, as it now is */
        }
    width_commit(x);
    for (uint32_t k = 0; k < x->n_carries; k++) {
        x->carries[k]->value = x->carried[k];
        for (uint32_t c = 0; c < x->trunk->carries.count; c++)
            if (x->trunk->carries.at[c].item == x->use->connection->item &&
                x->trunk->carries.at[c].name == x->carries[k]->name)
                x->trunk->carries.at[c].value = x->carried[k];
    }
}

/* --- statements --------------------------------------------------------------------------------*/

static void site_define_x(Site *x, Scope *scope) {
    const char *name = intern_str(x->s->c->interner, "x");
    scope_define(x->s, scope, name, x->plan->stmt->span, SYMBOL_VALUE)->value = x->trunk->input;
}

static void site_end(Site *x, const Stmt *stmt) {
    for (uint32_t k = 0; k < stmt->bindings.count; k++) {
        Binding b = stmt->bindings.at[k];
        /* `read x` and `end x` may both use a module: the last one's parameters are of `end`. */
        if (b.target.name.text)
            b.target.name.text = intern_str(x->s->c->interner, "end");
        const Value v = body_binding(x->s, x->scope, &b, NULL);
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
    mark_untaken(x->s, x->scope, condition ? no : yes);
}

static void site_statement(Site *x, const Stmt *stmt, bool after_writes) {
    Sema *s = x->s;
    bool condition;
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
        for (uint32_t k = 0; k < stmt->bindings.count; k++)
            site_carry(x, &stmt->bindings.at[k]);
        return;
    case STMT_BEGIN: {
        Scope *const scope = x->scope;
        x->scope = scope_create(s, scope, s->frame); /* `x` means the trunk's input only here */
        site_define_x(x, x->scope);
        for (uint32_t k = 0; k < stmt->bindings.count; k++)
            site_begin(x, &stmt->bindings.at[k]);
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
            commit_writes(x);
        return;
    case STMT_APPEND:
        for (uint32_t k = 0; k < stmt->bindings.count; k++)
            site_append(x, &stmt->bindings.at[k]);
        if (--x->writes_left == 0)
            commit_writes(x);
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

static bool shows_something(const Stmt *stmt);

static bool body_shows(const StmtList *body) {
    for (uint32_t k = 0; k < body->count; k++)
        if (body->at[k] && shows_something(body->at[k]))
            return true;
    return false;
}

/* A probe, penalty or update, perhaps in a `for` or a condition. */
static bool shows_something(const Stmt *stmt) {
    return stmt->kind == STMT_PROBE || stmt->kind == STMT_PENALTY || stmt->kind == STMT_UPDATE ||
           (stmt->kind == STMT_FOR && body_shows(&stmt->loop.body)) ||
           (stmt->kind == STMT_IF &&
            (body_shows(&stmt->branch.then_body) || body_shows(&stmt->branch.else_body)));
}

static bool holds_parts(const StmtList *body) {
    Parts parts = {0};
    count_parts(body, &parts, false);
    return parts.read || parts.write;
}

/* What decides about reads and writes must be known before the body's lets are. */
static bool condition_decides(Site *x, const Stmt *stmt, bool *condition) {
    Sema *s = x->s;
    if (!holds_parts(&stmt->branch.then_body) && !holds_parts(&stmt->branch.else_body))
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
        if (x->writes_left && shows_something(stmt))
            x->probes_after = true;
        bool condition;
        if (stmt->kind == STMT_IF && condition_decides(x, stmt, &condition))
            count_active(x, condition ? &stmt->branch.then_body : &stmt->branch.else_body);
    }
}

static void check_begun(Site *x) {
    Sema *s = x->s;
    if (!x->first)
        return;
    for (uint32_t k = 0; k < x->trunk->states.count; k++)
        if (!x->is_begun[k]) {
            sema_error(s, DIAG_CONNECTION_PART, x->trunk->states.at[k].span,
                       "nothing says how the state `%s` begins", x->trunk->states.at[k].name);
            sema_help(s, "write `begin %s... = ...`", x->trunk->states.at[k].name);
            x->failed = true;
        }
}

static Value trunk_result(Site *x, const Item *item) {
    Sema *s = x->s;
    for (uint32_t k = 0; k < x->ends.count; k++)
        site_end(x, x->ends.at[k]);
    if (!x->has_ended)
        return POISON;
    Value v = x->ended;
    const Tensor *t = value_as_tensor(s, v, x->plan->stmt->span);
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

/* The fewest that a branch of the site takes; at least 1. */
static uint32_t branch_inputs(const SiteUse *use) {
    uint32_t least = 0;
    for (uint32_t k = 0; k < use->n_branches; k++) {
        const Value branch = use->branches[k];
        const uint32_t n = branch.kind == VALUE_CALLABLE ? branch.callable->item->inputs.count : 0;
        if (n && (!least || n < least))
            least = n;
    }
    return least ? least : 1;
}

bool connection_elaborate(Sema *s, TrunkState *trunk, const SiteUse *use, const SitePlan *plan,
                          bool last, Value *result) {
    const Callable *connection = use->connection;
    const Item *item = connection->item;
    const Span used_at =
        plan->stmt->site.connection ? plan->stmt->site.connection->span : plan->stmt->span;
    Frame *frame = frame_push(s, item, path_join(s, plan->path, "hc"), used_at);
    frame->of_connection = true;
    frame->branches = use->n_branches ? use->n_branches : 1;
    frame->branch_inputs = branch_inputs(use);
    Scope *scope = scope_create(s, connection->home, frame);
    scope->is_frame = true;
    *map_slot_u64(s->used_items, (uint64_t)(uintptr_t)item) = s;
    Site x = {.s = s,
              .trunk = trunk,
              .plan = plan,
              .use = use,
              .scope = scope,
              .first = !trunk->begun,
              .last = last};
    const TirId from = s->program->block->nodes.count;
    bool good = connection_check_parts(s, item);
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
    if (good) {
        x.scope = scope_create(s, scope, frame);
        grow_declare(&x);
        define_body_constants(&x, &item->body);
        count_active(&x, &item->body);
        if (x.reads_left && x.writes_left && !x.undecided) {
            site_body(&x, &item->body, false);
            if (!frame->rejected)
                check_begun(&x);
        }
        if (trunk->begun && x.n_states != trunk->states.count && !x.failed) {
            sema_error(s, DIAG_STATE, used_at, "`%s` keeps %u state%s, but this trunk has %u",
                       item->name.text, x.n_states, x.n_states == 1 ? "" : "s",
                       trunk->states.count);
            sema_note(s, trunk->states.at[0].span, "the trunk's state was set by `%s`",
                      trunk->states.at[0].owner);
            x.failed = true;
        }
    }
    trunk->begun = true;
    if (good && !x.failed)
        check_roles(&x, from);
    if (good && last) { /* after a failure, too: what only `end` uses is used */
        const Value ended = trunk_result(&x, item);
        *result = x.failed ? POISON : ended;
    }
    frame_pop(s);
    return good && !x.failed;
}
