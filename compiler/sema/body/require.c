/* `require condition, "message";`: what a definition demands of its arguments.
 *
 * Requires: the instance's frame is s->frame.
 * Maintains: said at the place that gave the arguments; what would follow from them in the body is
 * passed over (Frame.rejected), so that one mistake gives one message. */
#include "sema/body/body.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/report.h"

enum { MOST_VALUES = 6 };

typedef struct {
    Sema *s;
    Scope *scope;
    const char *names[MOST_VALUES];
    uint32_t count;
    const char *text; /* "; n is 3, s is 2" */
} Given;

static void given_name(Given *g, const Expr *e) {
    Symbol *symbol = scope_find_local(g->scope, e->name);
    for (uint32_t k = 0; k < g->count; k++)
        if (g->names[k] == e->name)
            return;
    if (!symbol || g->count == MOST_VALUES)
        return;
    Value v = POISON;
    if (symbol->kind == SYMBOL_CONST)
        v = symbol_constant(g->s, symbol);
    else if (symbol->kind == SYMBOL_VALUE)
        v = symbol->value;
    if (v.kind != VALUE_NUMBER && v.kind != VALUE_BOOL)
        return;
    g->names[g->count++] = e->name;
    g->text = arena_printf(g->s->arena, "%s%s `%s` is ", g->text, g->text[0] ? "," : ";", e->name);
    g->text = v.kind == VALUE_NUMBER
                  ? arena_printf(g->s->arena, "%s%.9g", g->text, v.number)
                  : arena_printf(g->s->arena, "%s%s", g->text, v.boolean ? "true" : "false");
}

/* The height of an expression is bounded, and so is this. */
static void given_values(Given *g, const Expr *e) {
    switch (e->kind) {
    case EXPR_NAME:
        given_name(g, e);
        return;
    case EXPR_UNARY:
        given_values(g, e->unary.operand);
        return;
    case EXPR_SUM:
    case EXPR_PRODUCT:
        for (uint32_t k = 0; k < e->chain.terms.count; k++)
            given_values(g, e->chain.terms.at[k]);
        return;
    case EXPR_POWER:
        given_values(g, e->power.base);
        given_values(g, e->power.exponent);
        return;
    case EXPR_COMPARE:
        given_values(g, e->compare.left);
        given_values(g, e->compare.right);
        return;
    case EXPR_LOGIC:
        for (uint32_t k = 0; k < e->logic.terms.count; k++)
            given_values(g, e->logic.terms.at[k]);
        return;
    case EXPR_CALL:
        for (uint32_t k = 0; k < e->call.arguments.count; k++)
            given_values(g, e->call.arguments.at[k].value);
        return;
    default:
        return;
    }
}

void body_require(Sema *s, Scope *scope, const Stmt *stmt) {
    const Expr *condition = stmt->require.condition;
    bool holds;
    if (!elaborate_bool(s, scope, condition, "a requirement", &holds)) {
        s->frame->rejected = true;
        return;
    }
    if (holds)
        return;
    s->frame->rejected = true;
    if (s->trial) /* its arguments are made up */
        return;
    Given given = {.s = s, .scope = scope, .text = ""};
    given_values(&given, condition);
    const Item *item = s->frame->item;
    const bool is_used = item->kind != ITEM_MODEL && s->frame->used_at.file;
    sema_error(s, DIAG_REQUIRED, is_used ? s->frame->used_at : stmt->span, "`%s`: %s",
               item->name.text, stmt->require.message);
    sema_note(s, condition->span, "required here%s", given.text);
}
