/* What is written at a site: `name = connection(inputs, arguments) : branch(arguments) & ...;`.
 *
 * Requires: the trunk's frame is s->frame. Maintains: names and constants are resolved whether or
 * not the trunk can still be built, so that one error does not hide another. */
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/report.h"
#include "sema/site/trunk.h"

static bool is_input(const Item *item, const char *name) {
    for (uint32_t i = 0; i < item->inputs.count; i++)
        if (item->inputs.at[i].target.name.text == name)
            return true;
    return false;
}

/* The definition that a call at a site names; NULL: none, or not known. */
static const Item *called_item(Sema *s, Scope *scope, const Expr *e) {
    if (e->kind != EXPR_CALL || e->call.callee->kind != EXPR_NAME ||
        !scope_find(s, scope, e->call.callee->name))
        return NULL;
    const Value v = elaborate_constant(s, scope, e->call.callee);
    return v.kind == VALUE_CALLABLE ? v.callable->item : NULL;
}

/* What a call at a site says of inputs goes to `inputs`, the call with the rest to `rest`. The
 * first `by_place` arguments without names are inputs, too. Inputs are values of the model,
 * parameters constants. False after an error. */
static bool take_inputs(Sema *s, Scope *scope, const Expr *e, const Item *item, uint32_t by_place,
                        BoundArgumentList *inputs, Expr *rest) {
    uint32_t place = 0;
    bool good = true;
    *rest = *e;
    rest->call.arguments = (ArgumentList){0};
    for (uint32_t k = 0; k < e->call.arguments.count; k++) {
        const Argument *a = &e->call.arguments.at[k];
        const bool input = a->name.text ? is_input(item, a->name.text) : place++ < by_place;
        if (!input) {
            vec_push(s->arena, &rest->call.arguments, *a);
            continue;
        }
        const Value v = elaborate(s, scope, a->value);
        good = good && !is_poison(v);
        vec_push(s->arena, inputs, (BoundArgument){a->name, v, a->value->span});
    }
    return good;
}

/* `attention(heads, mask = m)`: the branch with its arguments, or poison; inputs that the site
 * names go to `given`. */
static Value branch_callable(Sema *s, Scope *scope, const Expr *e, BoundArgumentList *given) {
    if (e->kind != EXPR_NAME && e->kind != EXPR_CALL) {
        if (e->kind != EXPR_ERROR)
            sema_error(s, DIAG_SITE, e->span, "a branch is a name, perhaps with arguments");
        return POISON;
    }
    const Item *item = called_item(s, scope, e);
    Expr rest = *e;
    if (item && item->kind == ITEM_BRANCH && !take_inputs(s, scope, e, item, 0, given, &rest))
        return POISON;
    const Value v = elaborate_constant(s, scope, &rest);
    if (is_poison(v))
        return v;
    if (v.kind == VALUE_STRING)
        return sema_error_text(s, v, "a branch", e->span);
    if (v.kind != VALUE_CALLABLE || !v.callable->item || v.callable->item->kind != ITEM_BRANCH) {
        sema_error(s, DIAG_SITE, e->span, "a branch is needed here, but this is %s",
                   value_text(s, v));
        if (v.kind == VALUE_CALLABLE && v.callable->item)
            sema_note(s, v.callable->item->name.span, "it is defined here");
        return POISON;
    }
    if (v.callable->as.text) {
        named_in_vain(s, v.callable->as, v.callable->item->name.text, "is named after its site");
        return POISON;
    }
    return v;
}

/* `c(ctx, n = 2)`: by place come the connection's inputs, then its parameters; names may say
 * either. */
static Value connection_value(Sema *s, Scope *scope, const Expr *e, BoundArgumentList *inputs) {
    const Item *item = called_item(s, scope, e);
    Expr rest = *e; /* the call without its inputs */
    bool good = true;
    if (item && item->kind == ITEM_CONNECTION && item->inputs.count)
        good = take_inputs(s, scope, e, item, item->inputs.count, inputs, &rest);
    const Value v = elaborate_constant(s, scope, &rest);
    return good ? v : POISON;
}

const Callable *site_connection(Sema *s, Scope *scope, const Expr *e, BoundArgumentList *inputs) {
    if (!e || e->kind == EXPR_ERROR)
        return NULL;
    const Value v = connection_value(s, scope, e, inputs);
    if (is_poison(v))
        return NULL;
    if (v.kind == VALUE_CALLABLE && v.callable->item && v.callable->item->kind == ITEM_CONNECTION)
        return v.callable;
    if (v.kind == VALUE_STRING) {
        sema_error_text(s, v, "a connection", e->span);
        return NULL;
    }
    sema_error(s, DIAG_SITE, e->span, "a connection is needed here, but this is %s",
               value_text(s, v));
    if (v.kind == VALUE_CALLABLE && v.callable->item)
        sema_note(s, v.callable->item->name.span, "it is defined here");
    else
        sema_note(s, v.span, "it comes from here");
    return NULL;
}

void site_use(Sema *s, const PlacedSite *site, SiteUse *use) {
    const ExprList *written = &site->stmt->site.branches;
    *use = (SiteUse){.n_branches = written->count};
    use->connection = site_connection(s, site->scope, site->stmt->site.connection, &use->inputs);
    Value *branches = ARENA_ARRAY(s->arena, Value, written->count);
    use->given = ARENA_ARRAY(s->arena, BoundArgumentList, written->count);
    for (uint32_t k = 0; k < written->count; k++)
        branches[k] = branch_callable(s, site->scope, written->at[k], &use->given[k]);
    use->branches = branches;
}
