/* Statements of a body: constants, parameters, lets, conditions, probes, penalties.
 *
 * Requires: the instance's frame is s->frame; `scope` is its scope.
 * Maintains: a let is visible to what follows it; both sides of an `if` define into the same scope.
 */
#include "sema/body/body.h"
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/frame.h"
#include "sema/report.h"
#include "sema/usage.h"
#include "syntax/ast_find.h"

/* --- statements --------------------------------------------------------------------------------*/

static void body_constants(Sema *s, Scope *scope, const Stmt *stmt) {
    define_constants(s, scope, &stmt->bindings);
    for (uint32_t k = 0; k < stmt->bindings.count; k++) {
        const char *name = stmt->bindings.at[k].target.name.text;
        Symbol *symbol = name ? scope_find_here(scope, name) : NULL;
        if (symbol && symbol->kind == SYMBOL_CONST)
            symbol_constant(s, symbol);
    }
}

static void define_unknown(Sema *s, Scope *scope, Name name) {
    if (name.text && !scope_find_here(scope, name.text))
        scope_define(s, scope, name.text, name.span, SYMBOL_VALUE)->value = POISON;
}

/* Of a condition that asks for what nobody gives: what either side defines is there, and silences
 * what depends on it. */
static void body_undecided(Sema *s, Scope *scope, const StmtList *side) {
    for (uint32_t k = 0; k < side->count; k++) {
        const Stmt *stmt = side->at[k];
        if (stmt && stmt->kind == STMT_IF) {
            body_undecided(s, scope, &stmt->branch.then_body);
            body_undecided(s, scope, &stmt->branch.else_body);
        }
        if (stmt && (stmt->kind == STMT_LET || stmt->kind == STMT_CONST))
            for (uint32_t b = 0; b < stmt->bindings.count; b++)
                define_unknown(s, scope, stmt->bindings.at[b].target.name);
        if (stmt && (stmt->kind == STMT_PARAM || stmt->kind == STMT_BUFFER))
            for (uint32_t p = 0; p < stmt->param.list.count; p++)
                define_unknown(s, scope, stmt->param.list.at[p].target.name);
    }
    usage_mark_untaken(s, scope, side);
}

static void body_if(Sema *s, Scope *scope, const Stmt *stmt) {
    bool condition;
    const uint32_t errors = diag_error_count(s->d);
    s->spent.decisions++;
    if (!elaborate_bool(s, scope, stmt->branch.condition, "a condition", &condition)) {
        if (diag_error_count(s->d) > errors)
            return;
        body_undecided(s, scope, &stmt->branch.then_body);
        body_undecided(s, scope, &stmt->branch.else_body);
        return;
    }
    body_elaborate(s, scope, condition ? &stmt->branch.then_body : &stmt->branch.else_body);
    usage_mark_untaken(s, scope, condition ? &stmt->branch.else_body : &stmt->branch.then_body);
}

/* `penalty.moe`, or `penalty.moe.balance` of what has a name: the same for all instances. */
static void tell_penalty(Sema *s, const Stmt *stmt, TirId id) {
    for (uint32_t k = 0; k < s->penalty_terms.count; k++) {
        LossTerm *term = &s->penalty_terms.at[k];
        if (term->stmt != stmt)
            continue;
        term->sum = tir_binary(sema_builder(s, stmt->span), TIR_ADD, term->sum, id);
        return;
    }
    const Item *item = s->frame->item;
    const char *name = item && item->kind != ITEM_MODEL
                           ? arena_printf(s->arena, "penalty.%s", item->name.text)
                           : "penalty";
    if (stmt->value->kind == EXPR_NAME)
        name = arena_printf(s->arena, "%s.%s", name, stmt->value->name);
    vec_push(s->arena, &s->penalty_terms, (LossTerm){.stmt = stmt, .name = name, .sum = id});
}

static void body_penalty(Sema *s, Scope *scope, const Stmt *stmt) {
    const Value v = mean_over_domain(s, elaborate(s, scope, stmt->value), stmt->value->span);
    if (is_poison(v) || !frame_once(s, stmt))
        return;
    if (s->loop->level) {
        sema_error(s, DIAG_NOT_HERE, stmt->span, "a penalty cannot stand in `%s`",
                   sema_loop_word(s));
        return;
    }
    const TirId id = tensor_use(s, v.tensor);
    vec_push(s->arena, &s->penalties, id);
    tell_penalty(s, stmt, id);
}

/* Of the same probe at a second call: `u_2`. */
static const char *probe_name(Sema *s, const char *name) {
    const char *full = path_join(s, s->frame->path, name);
    void **times = map_slot_str(s->probes, full);
    *times = (void *)((uintptr_t)*times + 1);
    if ((uintptr_t)*times == 1)
        return full;
    return arena_printf(s->arena, "%s_%u", full, (unsigned)(uintptr_t)*times);
}

static void body_probe(Sema *s, Scope *scope, const Stmt *stmt) {
    const Value v = elaborate(s, scope, stmt->value);
    const Tensor *t = value_as_tensor(s, v, stmt->value->span);
    if (!t || !frame_once(s, stmt))
        return;
    if (s->loop->level) {
        sema_error(s, DIAG_NOT_HERE, stmt->span, "a probe cannot stand in `%s`", sema_loop_word(s));
        return;
    }
    if (tensor_bare_rank(t) != t->type.rank) {
        sema_error(s, DIAG_BARE_AXIS, stmt->span, "a probe shows whole tensors");
        return;
    }
    const char *name = stmt->value->kind == EXPR_NAME ? stmt->value->name : "probe";
    tir_add_output(s->program, TIR_OUT_PROBE, probe_name(s, name), 0, tensor_use(s, t));
}

void body_statement(Sema *s, Scope *scope, const Stmt *stmt) {
    switch (stmt->kind) {
    case STMT_CONST:
        body_constants(s, scope, stmt);
        return;
    case STMT_PARAM:
    case STMT_BUFFER:
        body_params(s, scope, stmt);
        return;
    case STMT_UPDATE:
        body_update(s, scope, stmt);
        return;
    case STMT_PROJECT:
        body_project(s, scope, stmt);
        return;
    case STMT_LET:
        body_let(s, scope, &stmt->bindings);
        return;
    case STMT_ASSIGN:
        for (uint32_t k = 0; k < stmt->bindings.count; k++)
            body_assign(s, scope, &stmt->bindings.at[k]);
        return;
    case STMT_ITERATE:
        body_iterate(s, scope, stmt);
        return;
    case STMT_SCAN:
        body_scan(s, scope, stmt);
        return;
    case STMT_FOR:
        body_for(s, scope, stmt);
        return;
    case STMT_IF:
        body_if(s, scope, stmt);
        return;
    case STMT_PENALTY:
        body_penalty(s, scope, stmt);
        return;
    case STMT_PROBE:
        body_probe(s, scope, stmt);
        return;
    case STMT_REQUIRE:
        body_require(s, scope, stmt);
        return;
    case STMT_ERROR:
        return;
    default: /* in the wrong place: the syntax check has said so */
        return;
    }
}

void body_elaborate(Sema *s, Scope *scope, const StmtList *body) {
    for (uint32_t k = 0; k < body->count && !s->frame->rejected; k++)
        if (body->at[k])
            body_statement(s, scope, body->at[k]);
}
