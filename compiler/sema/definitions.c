/* Definitions by name: those of the file, and the standard library behind them. */
#include "sema/definitions.h"
#include "sema/elaboration.h"
#include "sema/report.h"
#include "sema/sema.h"
#include "std/std.h"
#include "syntax/parse.h"

static void scope_add_item(Sema *s, Scope *root, const Item *item) {
    if (item->kind == ITEM_USE || item->kind == ITEM_TRAIN || item->kind == ITEM_MODEL)
        return; /* models and recipes are found by kind */
    if (item->kind == ITEM_CONST) {
        define_constants(s, root, &item->constants);
        return;
    }
    if (!item->name.text || !scope_check_new(s, root, item->name))
        return;
    scope_define(s, root, item->name.text, item->name.span, SYMBOL_ITEM)->item = item;
}

void scope_add_items(Sema *s, Scope *root, const Ast *ast) {
    for (uint32_t k = 0; k < ast->items.count; k++)
        scope_add_item(s, root, ast->items.at[k]);
}

void define_constants(Sema *s, Scope *scope, const BindingList *list) {
    for (uint32_t k = 0; k < list->count; k++) {
        const Binding *b = &list->at[k];
        if (!b->target.name.text || !scope_check_new(s, scope, b->target.name))
            continue;
        if (b->target.bracketed) {
            sema_error(s, DIAG_CONSTANT, b->target.span, "a constant has no indices");
            sema_help(s, "a table is a `let`: `let %s[i] = ...`", b->target.name.text);
        }
        Symbol *symbol =
            scope_define(s, scope, b->target.name.text, b->target.name.span, SYMBOL_CONST);
        symbol->expr = b->value;
        if (b->target.bracketed) {
            symbol->state = CONST_DONE;
            symbol->value = POISON;
        }
    }
}

/* --- the standard library ----------------------------------------------------------------------*/

static Ast *parse_library_file(Compilation *c, uint32_t k) {
    const StdSource *source = &std_sources[k];
    const uint32_t file = source_add(c->sources, source->name, source->text, source->length);
    return parse_file(c, file);
}

void scope_load_library(Sema *s) {
    if (s->library->symbols.count || s->library_loaded)
        return;
    s->library_loaded = true;
    for (uint32_t k = 0; k < std_source_count; k++)
        scope_add_items(s, s->library, parse_library_file(s->c, k));
}

/* The library is looked up without `use std;` too; a file's own definitions come first. */
Symbol *scope_find(Sema *s, Scope *scope, const char *name) {
    for (Scope *at = scope; at; at = at->parent) {
        Symbol *symbol = scope_find_here(at, name);
        if (symbol)
            return symbol;
    }
    if (scope_root(scope)->is_library)
        return NULL;
    scope_load_library(s);
    return scope_find_here(s->library, name);
}

const Callable *callable_of_item(Sema *s, const Item *item, Scope *home) {
    Callable *callable = ARENA_NEW(s->arena, Callable);
    callable->item = item;
    callable->home = home;
    return callable;
}

static StdDefinition std_definition(Compilation *c, const Item *item, const char *name,
                                    const char *kind) {
    size_t length;
    const char *text = source_text(c->sources, item->span.file, &length);
    return (StdDefinition){.name = name,
                           .kind = kind,
                           .doc = item->doc,
                           .text = arena_copy_string(c->arena, text + item->span.begin,
                                                     item->span.end - item->span.begin)};
}

const StdDefinition *std_definitions(Compilation *c, uint32_t *count) {
    VEC(StdDefinition) list = {0};
    for (uint32_t k = 0; k < std_source_count; k++) {
        const Ast *ast = parse_library_file(c, k);
        for (uint32_t i = 0; i < ast->items.count; i++) {
            const Item *item = ast->items.at[i];
            for (uint32_t b = 0; item->kind == ITEM_CONST && b < item->constants.count; b++) {
                const Name name = item->constants.at[b].target.name;
                if (name.text)
                    vec_push(c->arena, &list, std_definition(c, item, name.text, "const"));
            }
            if (item->name.text)
                vec_push(c->arena, &list,
                         std_definition(c, item, item->name.text,
                                        item->kind == ITEM_FN ? "fn" : item_kind_text(item->kind)));
        }
    }
    *count = list.count;
    return list.at;
}
