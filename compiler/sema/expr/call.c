/* Calls: of built-in functions (builtins.c), and of definitions by instantiation (body/). */
#include "sema/body/body.h"
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/report.h"
#include "sema/site/trunk.h"
#include "syntax/words.h"
#include <string.h>

/* --- calls -------------------------------------------------------------------------------------*/

/* `each = sample`, `takes(v0)`: a word, which stands for itself. */
static bool is_word(const Builtin *builtin, const Argument *a) {
    return builtin && a->value && a->value->kind == EXPR_NAME &&
           builtin_takes_word(builtin, a->name.text);
}

static bool elaborate_arguments(Sema *s, Scope *scope, const ArgumentList *list,
                                const Builtin *builtin, BoundArgumentList *out) {
    bool named = false, damaged = false;
    for (uint32_t k = 0; k < list->count; k++) {
        const Argument *a = &list->at[k];
        if (!a->value || a->value->kind == EXPR_ERROR)
            damaged = true;
        const Value v =
            is_word(builtin, a)
                ? (Value){.kind = VALUE_STRING, .span = a->value->span, .string = a->value->name}
                : elaborate(s, scope, a->value);
        BoundArgument bound = {a->name, v, a->value ? a->value->span : (Span){0}};
        if (!bound.name.text) {
            bound.name.span = a->value ? a->value->span : (Span){0};
            if (named && !damaged) {
                sema_error(s, DIAG_ARITY, bound.name.span,
                           "an argument without a name stands before those with one");
                return false;
            }
        }
        named = named || a->name.text;
        vec_push(s->arena, out, bound);
    }
    return !damaged;
}

/* The callable with more arguments, none applied: `mhc(iters = 5)`. */
static Value partial(Sema *s, const Callable *callable, const BoundArgumentList *arguments, Name as,
                     Span span) {
    Callable *copy = ARENA_NEW(s->arena, Callable);
    *copy = *callable;
    copy->arguments = (BoundArgumentList){0};
    for (uint32_t k = 0; k < callable->arguments.count; k++)
        vec_push(s->arena, &copy->arguments, callable->arguments.at[k]);
    for (uint32_t k = 0; k < arguments->count; k++)
        vec_push(s->arena, &copy->arguments, arguments->at[k]);
    copy->as = as;
    return (Value){.kind = VALUE_CALLABLE, .span = span, .callable = copy};
}

/* `rmsnorm(eps = 1e-8)`, where a constant is wanted: the function with one argument settled. */
static bool lacks_arguments(const Callable *callable, const BoundArgumentList *arguments) {
    const FormalList *formals = &callable->item->formals;
    uint32_t needed = 0, given = 0;
    for (uint32_t k = 0; k < formals->count; k++)
        needed += formals->at[k].default_value == NULL;
    const BoundArgumentList *lists[] = {&callable->arguments, arguments};
    for (uint32_t l = 0; l < 2; l++)
        for (uint32_t k = 0; k < lists[l]->count; k++) {
            bool counts = !lists[l]->at[k].name.text;
            for (uint32_t f = 0; f < formals->count; f++)
                counts = counts || (formals->at[f].target.name.text == lists[l]->at[k].name.text &&
                                    !formals->at[f].default_value);
            given += counts;
        }
    return given == 0 && needed > 0;
}

void named_in_vain(Sema *s, Name as, const char *called, const char *why) {
    sema_error(s, DIAG_NOT_HERE, as.span, "`%s` %s", called, why);
    sema_help(s, "`as` names the instance of a module or branch that a call makes");
}

/* Of `branch[1](x)`, too. */
static const Expr *callee_name(const Expr *e) {
    const Expr *callee = e->call.callee;
    return callee->kind == EXPR_INDEX ? callee->index.base : callee;
}

/* `linear(x, 64) as up`: only what is made here can be given a name. */
static bool can_be_named(Sema *s, const Callable *callable, const Expr *e) {
    const Item *item = callable->item;
    const char *why = !e->call.as.text                ? NULL
                      : callable->builtin             ? "holds no parameters"
                      : callable->site                ? "is the site's, and named after it"
                      : callable->instance            ? "is made already, and has its name"
                      : item->kind == ITEM_CONNECTION ? "is named after its site"
                                                      : NULL;
    if (why)
        named_in_vain(s, e->call.as, callee_name(e)->name, why);
    return !why;
}

static Value call_value(Sema *s, Scope *scope, const Callable *callable,
                        BoundArgumentList *arguments, const Expr *e) {
    if (!can_be_named(s, callable, e))
        return POISON;
    BoundArgumentList *results = s->mode.results_of == e ? s->mode.results : NULL;
    if (callable->builtin)
        return builtin_call(s, scope, callable->builtin, arguments, e);
    if (callable->site)
        return site_call(s, callable, arguments, e, results);
    const Item *item = callable->item;
    const bool defines =
        item->kind == ITEM_CONNECTION ||
        ((item->kind == ITEM_BRANCH || item->kind == ITEM_MODULE) && s->mode.constant);
    if (defines ||
        (s->mode.constant && item->kind == ITEM_FN && lacks_arguments(callable, arguments)))
        return partial(s, callable, arguments, e->call.as, e->span);
    if (item->kind != ITEM_FN && s->mode.numeric)
        return sema_error(s, DIAG_CONSTANT, e->span, "an instance of `%s` is not a constant",
                          item->name.text);
    return apply_item(s, callable, arguments, e->span, e, results);
}

/* In a call a name means what can be called: behind an argument `dropout = 0.1`, the function. */
static void find_definition_beyond(Sema *s, const Symbol *symbol, const Expr *name, Value *callee) {
    const Symbol *found = NULL;
    for (Scope *at = symbol->scope->parent; at && !found; at = at->parent) {
        const Symbol *here = scope_find_here(at, name->name);
        found = here && here->kind == SYMBOL_ITEM ? here : NULL;
    }
    if (!found) {
        scope_load_library(s);
        found = scope_find_here(s->library, name->name);
    }
    if (!found || found->kind != SYMBOL_ITEM)
        return;
    *callee = (Value){.kind = VALUE_CALLABLE, .span = name->span};
    callee->callable = callable_of_item(s, found->item, scope_root(found->scope));
}

/* `sum(A, axis = 0)`. */
static Value reduction_called(Sema *s, const Expr *e, const BoundArgumentList *arguments) {
    const char *word = e->call.callee->name;
    const Expr *of = e->call.arguments.count ? e->call.arguments.at[0].value : NULL;
    const char *name = of && of->kind == EXPR_NAME ? of->name : "A";
    uint32_t rank = 1;
    if (arguments->count && arguments->at[0].value.kind == VALUE_TENSOR)
        rank = tensor_bare_rank(arguments->at[0].value.tensor);
    char indices[2 * TIR_MAX_RANK + 1] = "i";
    for (uint32_t k = 1; k < rank; k++) {
        indices[2 * k - 1] = ',';
        indices[2 * k] = (char)('i' + k);
    }
    sema_error(s, DIAG_NOT_HERE, e->span,
               "`%s` is no function: it names the indices that it runs over", word);
    if (strcmp(word, "softmax") == 0)
        sema_help(s, "write `let p[%s] = softmax[%c] %s[%s];`", indices,
                  indices[strlen(indices) - 1], name, indices);
    else
        sema_help(s,
                  rank > 1 ? "write `%s[%s] %s[%s]`, or with some of them on the left"
                           : "write `%s[%s] %s[%s]`",
                  word, indices, name, indices);
    return POISON;
}

Value elaborate_call(Sema *s, Scope *scope, const Expr *e) {
    BoundArgumentList arguments = {0};
    const Expr *named = callee_name(e);
    const char *name = named->name;
    Symbol *symbol = scope_find(s, scope, name);
    const Builtin *builtin = symbol || named != e->call.callee ? NULL : builtin_find(name);
    Mode mode = s->mode;
    if (builtin && builtin_takes_unknown(builtin))
        mode.numeric = false;
    mode.every_axis = mode.every_axis && builtin && builtin_is_scalar(builtin);
    const Mode outer = mode_enter(s, mode);
    const bool good = elaborate_arguments(s, scope, &e->call.arguments, builtin, &arguments);
    mode_leave(s, outer);
    if (!symbol) {
        if (!builtin && word_is_reduction(name))
            return reduction_called(s, e, &arguments);
        if (!builtin) {
            scope_unknown(s, scope, name, e->call.callee->span, "function");
            return POISON;
        }
        return good ? call_value(s, scope, &(Callable){.builtin = builtin}, &arguments, e) : POISON;
    }
    Value callee = elaborate(s, scope, e->call.callee);
    if (is_poison(callee) || !good)
        return POISON;
    if (callee.kind != VALUE_CALLABLE && named == e->call.callee)
        find_definition_beyond(s, symbol, e->call.callee, &callee);
    if (callee.kind == VALUE_STRING)
        return sema_error_text(s, callee, "a function", e->call.callee->span);
    if (callee.kind != VALUE_CALLABLE) {
        sema_error(s, DIAG_KIND, e->call.callee->span, "`%s` is %s and cannot be called", name,
                   value_text(s, callee));
        sema_note(s, symbol->span, "`%s` is defined here", name);
        return POISON;
    }
    return call_value(s, scope, callee.callable, &arguments, e);
}
