/* The branches of a site: what `read` gives them, and the names their results get in the writes. */
#include "sema/site.h"

void site_read(Site *x, const Binding *b) {
    const Value v = body_binding(x->s, x->scope, b, NULL);
    if (is_poison(v))
        x->failed = true;
    vec_push(x->s->arena, &x->reads, (BoundArgument){b->target.name, v, b->value->span});
}

/* `attention(heads)`: the branch with its arguments, or poison. */
static Value branch_callable(Site *x, const Expr *e) {
    Sema *s = x->s;
    if (e->kind != EXPR_NAME && e->kind != EXPR_CALL) {
        if (e->kind != EXPR_ERROR)
            sema_error(s, DIAG_SITE, e->span, "a branch is a name, perhaps with arguments");
        return POISON;
    }
    const Value v = elaborate_constant(s, x->plan->scope, e);
    if (is_poison(v))
        return v;
    if (v.kind != VALUE_CALLABLE || !v.callable->item || v.callable->item->kind != ITEM_BRANCH) {
        sema_error(s, DIAG_SITE, e->span, "a branch is needed here, but this is %s",
                   value_text(s, v));
        if (v.kind == VALUE_CALLABLE && v.callable->item)
            sema_note(s, v.callable->item->name.span, "it is defined here");
        return POISON;
    }
    return v;
}

static const char *branch_path(Site *x, uint32_t k, const Value *branches) {
    Sema *s = x->s;
    if (x->branches->count == 1)
        return x->plan->path;
    const Item *item = branches[k].callable->item;
    uint32_t same = 0, before = 0;
    for (uint32_t j = 0; j < x->branches->count; j++)
        if (!is_poison(branches[j]) && branches[j].callable->item == item) {
            same++;
            before += j < k;
        }
    const char *name = item->name.text;
    if (same > 1)
        name = arena_printf(s->arena, "%s_%u", name, before);
    return path_join(s, x->plan->path, name);
}

void site_branches(Site *x) {
    Sema *s = x->s;
    Value y = POISON;
    BoundArgumentList outputs = {0};
    if (!x->branches) { /* a stand-in: the read value itself, cut off */
        y = x->failed || x->reads.count == 0 ? POISON : x->reads.at[0].value;
    } else if (!x->failed) {
        Value *branches = ARENA_ARRAY(s->arena, Value, x->branches->count);
        Frame *const own = s->frame;
        s->frame = own->outer; /* branches belong to the site, not to the connection */
        for (uint32_t k = 0; k < x->branches->count; k++)
            branches[k] = branch_callable(x, x->branches->at[k]);
        for (uint32_t k = 0; k < x->branches->count; k++) {
            Value v = POISON;
            if (!is_poison(branches[k])) {
                if (k == 0)
                    s->network->sites.at[s->network->sites.count - 1].branch =
                        branches[k].callable->item->name.text;
                v = apply_branch(s, branches[k].callable, x->reads.at, x->reads.count,
                                 branch_path(x, k, branches), x->branches->at[k]->span,
                                 x->branches->count == 1 ? &outputs : NULL);
            }
            y = k == 0 ? v : value_binary(s, TIR_ADD, y, v, x->branches->at[k]->span);
        }
        s->frame = own;
    }
    if (is_poison(y))
        x->failed = true;
    Scope *scope = x->scope;
    const char *name = intern_str(s->c->interner, "y");
    const Span at =
        x->branches && x->branches->count ? x->branches->at[0]->span : x->plan->stmt->span;
    scope_define(s, scope, name, at, SYMBOL_VALUE)->value = y;
    for (uint32_t k = 1; k < outputs.count; k++)
        scope_define(s, scope, outputs.at[k].name.text, outputs.at[k].name.span, SYMBOL_VALUE)
            ->value = outputs.at[k].value;
}
