/* A name that nothing has, and what may have been meant. */
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/expr/expr.h"
#include "sema/report.h"

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

void scope_unknown(Sema *s, Scope *scope, const char *name, Span span, const char *what) {
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
    const char *near = nearest_name(name, names.at, names.count);
    if (s->syntax_errors && !near)
        return; /* it may stand where parsing recovered */
    const Frame *f = s->frame;
    if (f && f->results_unknown && (gives_result(s->root, name) || gives_result(s->library, name)))
        return;
    sema_error(s, DIAG_UNKNOWN_NAME, span, "unknown %s `%s`", what, name);
    if (f && f->results_text && *f->results_text)
        sema_note(s, f->results_at, "the results of this site's branches are called %s",
                  f->results_text);
    if (near)
        sema_help(s, "did you mean `%s`?", near);
}
