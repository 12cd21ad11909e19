/* What a trunk had: `h.state.H` its state behind the last site, `h.attn[2].y` what its site `attn`
 * of turn 2 gave. Turns are constants, so that which value is meant is known here. */
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/report.h"
#include "sema/site/held.h"
#include "sema/usage.h"
#include <string.h>

enum { LAST_TURN = 1 << 24 };

/* What stands before a point. */
typedef struct {
    const Held *held;
    bool states; /* a trunk's: `h.state` */
} Holder;

/* `h.attn[2]` in a message, without its turns. */
static const char *member_text(Sema *s, const Expr *e) {
    if (e->kind == EXPR_NAME)
        return e->name;
    if (e->kind == EXPR_INDEX)
        return member_text(s, e->index.base);
    return e->kind == EXPR_MEMBER ? arena_printf(s->arena, "%s.%s", member_text(s, e->member.base),
                                                 e->member.name.text)
                                  : "this value";
}

static bool holder_named(Sema *s, Scope *scope, const Expr *e, Holder *holder) {
    const Symbol *symbol = e->kind == EXPR_NAME ? scope_find(s, scope, e->name) : NULL;
    if (e->kind == EXPR_NAME && !symbol) {
        scope_unknown(s, scope, e->name, e->span, "name");
        return false;
    }
    if (symbol)
        usage_mark(s, symbol);
    const Value v = symbol && symbol->kind == SYMBOL_VALUE ? symbol->value : elaborate(s, scope, e);
    *holder = (Holder){.held = v.held};
    if (v.held || is_poison(v))
        return v.held != NULL;
    sema_error(s, DIAG_KIND, e->span, "`%s` is %s, and a point asks what a trunk had",
               member_text(s, e), value_text(s, v));
    if (symbol)
        sema_note(s, symbol->span, "it is defined here");
    sema_help(s, "of `let h = trunk(x) { ... };`: `h.attn[2].y` and `h.state.H`");
    return false;
}

static bool find_turns(Sema *s, Scope *scope, const ExprList *list, HeldTurns *turns) {
    for (uint32_t k = 0; list && k < list->count; k++) {
        int64_t turn;
        if (!elaborate_whole(s, scope, list->at[k], "which turn of a `repeat`", 0, LAST_TURN,
                             &turn)) {
            if (numeric_mentions_index(s, scope, list->at[k]))
                sema_help(s, "turn by turn in a loop: `for k < blocks { ... h.attn[k].y ... }`");
            return false;
        }
        vec_push(s->arena, turns, (uint32_t)turn);
    }
    return true;
}

/* `attn` and its turns in a trunk. */
static bool holder_site(Sema *s, Scope *scope, const Held *trunk, const Expr *member,
                        const ExprList *list, Holder *holder) {
    const Name name = member->member.name;
    HeldTurns turns = {0};
    if (!find_turns(s, scope, list, &turns))
        return false;
    holder->held = held_find_site(trunk, name.text, &turns);
    if (holder->held)
        return true;
    const char *of = member_text(s, member->member.base);
    const char *stands = held_turns_text(s, trunk, name.text);
    if (!stands) {
        sema_error(s, DIAG_UNKNOWN_NAME, name.span, "the trunk `%s` has no site `%s`", of,
                   name.text);
        sema_help(s, "it has %s; `%s.state` are its states", held_sites_text(s, trunk), of);
        return false;
    }
    sema_error(s, DIAG_INDEX_RANGE,
               list ? span_join(name.span, list->at[list->count - 1]->span) : name.span,
               turns.count ? "the trunk `%s` has no site `%s` in these turns"
                           : "the trunk `%s` has no site `%s` outside its repeats",
               of, name.text);
    sema_help(s, "there is %s, by the turns of the repeats around it", stands);
    return false;
}

static bool holder_of(Sema *s, Scope *scope, const Expr *e, Holder *holder) {
    const ExprList *turns = NULL;
    const Expr *member = e;
    if (e->kind == EXPR_INDEX && e->index.base->kind == EXPR_MEMBER) {
        turns = &e->index.indices;
        member = e->index.base;
    }
    if (member->kind != EXPR_MEMBER)
        return holder_named(s, scope, e, holder);
    Holder outer;
    *holder = (Holder){0};
    if (!holder_of(s, scope, member->member.base, &outer))
        return false;
    const Name name = member->member.name;
    if (outer.held->inner && name.text == outer.held->inner_name && !turns) {
        holder->held = outer.held->inner;
        return true;
    }
    if (!outer.held->is_trunk || outer.states) {
        sema_error(s, DIAG_KIND, name.span, "`%s` is a value, and has no parts",
                   member_text(s, member));
        if (!outer.held->is_trunk && strcmp(name.text, "state") == 0)
            sema_help(s, "a site's states, as it found them, go by their names: `h.attn[1].H`");
        return false;
    }
    *holder = outer;
    holder->states = name.text == intern_str(s->c->interner, "state");
    if (!holder->states)
        return holder_site(s, scope, outer.held, member, turns, holder);
    if (turns)
        sema_error(s, DIAG_INDEX_RANK, e->span,
                   "a trunk's states have no turns: they are as its "
                   "last site leaves them");
    return !turns;
}

static Value unknown_value(Sema *s, const Expr *e, const Holder *holder) {
    const Name name = e->member.name;
    const char *have = held_values_text(s, holder->held);
    sema_error(s, DIAG_UNKNOWN_NAME, name.span, "`%s` has no `%s`", member_text(s, e->member.base),
               name.text);
    if (have)
        sema_help(s, "it has %s", have);
    return POISON;
}

Value elaborate_member(Sema *s, Scope *scope, const Expr *e) {
    Holder holder;
    Value v;
    if (!holder_of(s, scope, e->member.base, &holder))
        return POISON;
    if (holder.held->is_trunk && !holder.states) {
        const bool states = strcmp(e->member.name.text, "state") == 0;
        sema_error(s, DIAG_KIND, e->span,
                   states ? "`%s` are the states of a trunk: behind a point stands which one"
                          : "`%s` is a site of a trunk: behind a point stands what of it is "
                            "meant, such as `y`",
                   member_text(s, e));
        return POISON;
    }
    if (!held_find(s, holder.held, e->member.name.text, e->span, &v))
        return unknown_value(s, e, &holder);
    if (s->mode.numeric && (v.kind == VALUE_TENSOR || v.kind == VALUE_REPEAT))
        return sema_error(s, DIAG_CONSTANT, e->span,
                          "`%s` is not known before the model runs; a constant is needed here",
                          member_text(s, e));
    return v;
}
