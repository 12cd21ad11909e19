/* A name that nothing has, and what may have been meant. */
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/report.h"
#include "sema/site/held.h"
#include "syntax/foreign.h"
#include <string.h>
#include <strings.h>

/* Some branch has a result of this name: where any branch may stand, it may be that. */
static bool gives_result(const Scope *root, const char *name) {
    for (uint32_t k = 0; k < root->symbols.count; k++) {
        const Item *item = root->symbols.at[k]->item;
        for (uint32_t o = 0; item && item->kind == ITEM_BRANCH && o < item->outputs.count; o++)
            if (item->outputs.at[o].name.text == name)
                return true;
    }
    return false;
}

/* --- what a definition does not see ------------------------------------------------------------*/

/* `x` and `y` of a connection, where they are not known. */
static bool unknown_of_site(Sema *s, const char *name, Span span) {
    const Frame *f = s->frame;
    if (!f || !f->of_connection)
        return false;
    if (f->calls_only && (strcmp(name, "y") == 0 || strcmp(name, "ys") == 0)) {
        sema_error(s, DIAG_NOT_HERE, span,
                   "`%s` is what branches give for `read`s, and there are none here", name);
        sema_help(s, "name what the call gives: `let y = branch(...);`");
        return true;
    }
    if (!f->results_text && (strcmp(name, "y") == 0 || strcmp(name, "ys") == 0)) {
        sema_error(s, DIAG_NOT_HERE, span,
                   "`%s` is what the branch gives, and is known behind the last `read` only", name);
        sema_help(s, "what a branch gets cannot depend on what it gives: use it in a `write`, or "
                     "in a `let` behind the `read`s");
        return true;
    }
    if (strcmp(name, "x") != 0)
        return false;
    sema_error(s, DIAG_NOT_HERE, span,
               "`x` is what the trunk is given, and is known in `begin` only");
    sema_help(s, "elsewhere a connection has its state; to keep what the trunk was given, begin a "
                 "state of its own with it");
    return true;
}

/* What the connection calls so around which this one stands. */
static bool unknown_of_inner(Sema *s, const Scope *scope, const char *name, Span span) {
    for (; scope && s->frame && s->frame->of_connection; scope = scope->parent)
        for (uint32_t k = 0; k < scope->symbols.count; k++) {
            const Symbol *symbol = scope->symbols.at[k];
            const Held *held = symbol->kind == SYMBOL_VALUE ? symbol->value.held : NULL;
            if (!held || held->is_trunk || !held_has(held, name))
                continue;
            sema_error(s, DIAG_UNKNOWN_NAME, span,
                       "`%s` is of the connection `%s`, and no name of this text", name,
                       symbol->name);
            sema_help(s,
                      "`%s.%s` is its value; `write each old, new = ...;` changes states that `%s` "
                      "writes",
                      symbol->name, name, symbol->name);
            return true;
        }
    return false;
}

/* `branch` where no connection is. */
static bool unknown_branch(Sema *s, const char *name, Span span) {
    if (strcmp(name, "branch") != 0 ||
        (s->frame && s->frame->of_connection && !s->frame->is_function))
        return false;
    sema_error(s, DIAG_NOT_HERE, span,
               "`branch` is what stands at a site, and is known in a "
               "connection only");
    sema_help(s, "a function that a connection calls takes it as an argument: `fn rule(f, h) = "
                 "h + f(h);`, `rule(branch, h)`");
    return true;
}

/* What the model that uses a definition calls so. */
static bool unknown_but_to_model(Sema *s, const char *name, Span span) {
    const Symbol *symbol = s->model_scope ? scope_find_here(s->model_scope, name) : NULL;
    if (!symbol || !s->frame || !s->frame->item || s->frame->item->kind == ITEM_MODEL)
        return false;
    const bool constant = symbol->kind == SYMBOL_CONST;
    const Item *item = s->frame->item;
    sema_error(s, DIAG_UNKNOWN_NAME, span,
               "`%s` is a %s of the model, which a definition does not see", name,
               constant                          ? "constant"
               : symbol->kind == SYMBOL_POSITION ? "position"
                                                 : "value");
    sema_note(s, symbol->span, "it is defined here");
    if (constant && item->kind != ITEM_FN)
        sema_help(s,
                  "give `%s` a parameter of that name with a default, which takes the model's: `%s "
                  "%s(%s = ...)`",
                  item->name.text, item_kind_text(item->kind), item->name.text, name);
    else if (symbol->kind == SYMBOL_POSITION)
        sema_help(s, "`here` is the position that a value belongs to");
    else
        sema_help(s, "give `%s` %s for it", item->name.text,
                  item->kind == ITEM_FN           ? "an argument"
                  : item->kind == ITEM_CONNECTION ? "an input, `connection c : z[e]`,"
                                                  : "an input or an argument");
    return true;
}

/* The trunk whose sites these are. */
static bool unknown_of_trunk(Sema *s, const char *name, Span span) {
    const Frame *f = s->frame;
    if (!f || !f->trunk || f->path != f->trunk || f->let != name)
        return false;
    sema_error(s, DIAG_UNKNOWN_NAME, span,
               "`%s` is the trunk that this stands in, which can be asked only once it is whole",
               name);
    sema_help(
        s,
        "give the sites before this one a trunk of their own, `let g = trunk(x) { ... };`, go "
        "on with `let %s = trunk(g) { ... };` and ask `g`",
        name);
    return true;
}

/* --- what may have been meant ------------------------------------------------------------------*/

/* A letter of the other case, `H` for `h`; indices are called like what they index only by chance.
 */
static const char *other_case(const Scope *scope, const char *name) {
    for (; scope; scope = scope->parent)
        for (uint32_t k = 0; k < scope->symbols.count; k++)
            if (scope->symbols.at[k]->kind != SYMBOL_INDEX &&
                strcasecmp(name, scope->symbols.at[k]->name) == 0)
                return scope->symbols.at[k]->name;
    return NULL;
}

void scope_unknown(Sema *s, Scope *scope, const char *name, Span span, const char *what) {
    const bool called = strcmp(what, "function") == 0;
    VEC(const char *) names = {0};
    for (Scope *at = scope; at; at = at->parent)
        for (uint32_t k = 0; k < at->symbols.count; k++)
            vec_push(s->arena, &names, at->symbols.at[k]->name);
    scope_load_library(s);
    for (uint32_t k = 0; k < s->library->symbols.count; k++)
        vec_push(s->arena, &names, s->library->symbols.at[k]->name);
    const uint32_t n_builtins = builtin_count();
    for (uint32_t k = 0; k < n_builtins; k++)
        vec_push(s->arena, &names, builtin_name(k));
    for (uint32_t k = 0; k < WORD_COUNT; k++)
        vec_push(s->arena, &names, s->words[k]);
    vec_push(s->arena, &names, "true");
    vec_push(s->arena, &names, "false");
    const char *cased = other_case(scope, name);
    const char *near = cased ? cased : nearest_name(name, names.at, names.count);
    const char *foreign = foreign_help(name, called ? FOREIGN_CALLED : FOREIGN_NAMED);
    if (s->lacks_library || (s->syntax_errors && !near))
        return; /* it may stand where parsing recovered */
    const Frame *f = s->frame;
    if (f && f->results_unknown && (gives_result(s->root, name) || gives_result(s->library, name)))
        return;
    if (unknown_branch(s, name, span))
        return;
    if (!called && (unknown_of_trunk(s, name, span) || unknown_of_site(s, name, span) ||
                    unknown_of_inner(s, scope, name, span) || unknown_but_to_model(s, name, span)))
        return;
    sema_error(s, DIAG_UNKNOWN_NAME, span, "unknown %s `%s`", what, name);
    const char *results = f && !called && f->results_text ? f->results_text : "";
    if (*results && (gives_result(s->root, name) || gives_result(s->library, name)))
        sema_note(s, f->results_at,
                  "some branches give a result of this name, but those of this site only %s",
                  results);
    else if (foreign)
        sema_help(s, "%s", foreign);
    else if (near)
        sema_help(s, "did you mean `%s`?", near);
    else if (strchr(results, ','))
        sema_note(s, f->results_at, "the results of this site's branches are called %s", results);
}
