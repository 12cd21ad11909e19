/* `for k < n { ... }`: the body once for each k, which is a constant there.
 *
 * Requires: n is known now. Names that the body assigns to are lets of this instance.
 * Maintains: a turn's own lets end with it; parameters and instances of a turn have its number in
 * their path, so that turns do not share them.
 * Smallest example: `let s = 0; for k < 3 { s = s + k; }` leaves 3 in s. */
#include "sema/body/body.h"
#include "sema/budget.h"
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/frame.h"
#include "sema/report.h"
#include "syntax/ast_find.h"

enum {
    MAX_TURNS = 100000,
    TRIED_TURNS = 3, /* of a definition that nobody uses: extents are made up, and large */
};

typedef struct {
    Scope *scope;
    bool numbers_only;
} Poisoning;

static void poison(void *poisoning, const Binding *assigned) {
    const Poisoning *how = poisoning;
    const char *name = assigned->target.name.text;
    Symbol *symbol = name ? scope_find_local(how->scope, name) : NULL;
    if (symbol && symbol->kind == SYMBOL_VALUE && symbol->assignable &&
        (!how->numbers_only || symbol->value.kind == VALUE_NUMBER))
        symbol->value = POISON;
}

/* Names the body assigns to lose their value: after an error in a turn, or (numbers only) when
 * turns were left out. */
static void poison_assigned(Scope *scope, const StmtList *body, bool numbers_only) {
    ast_each_assignment(body, poison, &(Poisoning){scope, numbers_only});
}

static bool counter_is_new(Sema *s, Scope *scope, const Name name) {
    if (!name.text)
        return false;
    const Symbol *old = scope_find_local(scope, name.text);
    if (!old)
        return true;
    sema_error(s, DIAG_DUPLICATE, name.span, "`%s` has a meaning here already", name.text);
    sema_note(s, old->span, "it is defined here");
    sema_help(s, "choose another name for what this loop counts");
    return false;
}

/* --- the cost, before it is spent --------------------------------------------------------------*/

/* A number that is the same in every turn: written, or a constant of the model or the file. */
static bool count_is_steady(Sema *s, Scope *scope, const Expr *count) {
    if (count->kind != EXPR_NAME)
        return count->kind == EXPR_NUMBER;
    const Symbol *meant = scope_find(s, scope, count->name); /* a formal may have that name, too */
    const Scope *const homes[] = {s->model_scope, s->root};
    for (size_t k = 0; k < sizeof homes / sizeof *homes; k++) {
        const Symbol *symbol = homes[k] ? scope_find_here(homes[k], count->name) : NULL;
        if (symbol)
            return symbol == meant && symbol->kind == SYMBOL_CONST;
    }
    return false;
}

void body_for(Sema *s, Scope *scope, const Stmt *stmt) {
    int64_t turns = 0;
    const bool good = counter_is_new(s, scope, stmt->loop.name);
    if (!elaborate_whole(s, scope, stmt->loop.count, "the number of turns", 0, MAX_TURNS, &turns) ||
        !good) {
        poison_assigned(scope, &stmt->loop.body, false);
        return;
    }
    if (!count_is_steady(s, scope, stmt->loop.count))
        s->spent.decisions++;
    Frame *const frame = s->frame;
    const char *path = frame->path;
    Map *const shapes = frame->shapes;
    const uint32_t errors = diag_error_count(s->d);
    const bool partly = s->trial && turns > TRIED_TURNS;
    for (uint32_t k = 0; k < turns && diag_error_count(s->d) == errors; k++) {
        if (partly && k == TRIED_TURNS - 1)
            k = (uint32_t)turns - 1; /* the last one */
        const Spent before = s->spent;
        budget_value(s, stmt->span); /* its names take room, if it makes nothing */
        Scope *turn = scope_turn(s, scope, stmt, k);
        frame->path = path_join(s, path, arena_printf(s->arena, "%u", k));
        frame->shapes = NULL; /* an expression's shape may differ by turns */
        if (k == 0)
            learn_extents(s, turn, &stmt->loop.body);
        body_elaborate(s, scope_create(s, turn, scope->frame), &stmt->loop.body);
        if (k == 1 && !partly &&
            budget_rest_exceeds(s, stmt->span, before, (uint64_t)turns - 2, "turns",
                                "`for` writes its body once for each turn; take fewer turns, or "
                                "`iterate`, which keeps the body once"))
            break;
    }
    frame->path = path;
    frame->shapes = shapes;
    const bool wrong = diag_error_count(s->d) != errors;
    if (wrong || partly)
        poison_assigned(scope, &stmt->loop.body, !wrong);
}
