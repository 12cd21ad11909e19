/* Names: scopes, one inside the other. */
#include "sema/scope.h"
#include "sema/elaboration.h"
#include "sema/report.h"

Scope *scope_create(Sema *s, Scope *parent, Frame *frame) {
    Scope *scope = ARENA_NEW(s->arena, Scope);
    scope->parent = parent;
    scope->frame = frame;
    return scope;
}

Symbol *scope_define(Sema *s, Scope *scope, const char *name, Span span, SymbolKind kind) {
    Symbol *symbol = ARENA_NEW(s->arena, Symbol);
    symbol->kind = kind;
    symbol->name = name;
    symbol->span = span;
    symbol->scope = scope;
    vec_push(s->arena, &scope->symbols, symbol);
    return symbol;
}

/* Names are interned: equal text, equal pointer. */
Symbol *scope_find_here(const Scope *scope, const char *name) {
    for (uint32_t k = scope->symbols.count; k-- > 0;)
        if (scope->symbols.at[k]->name == name)
            return scope->symbols.at[k];
    return NULL;
}

Symbol *scope_find_local(const Scope *scope, const char *name) {
    for (; scope; scope = scope->parent) {
        Symbol *symbol = scope_find_here(scope, name);
        if (symbol)
            return symbol;
        if (scope->is_frame)
            break;
    }
    return NULL;
}

Scope *scope_root(Scope *scope) {
    while (scope->parent)
        scope = scope->parent;
    return scope;
}

bool scope_check_new(Sema *s, Scope *scope, Name name) {
    if (!name.text)
        return false;
    const Symbol *old = scope_find_here(scope, name.text);
    if (!old)
        return true;
    sema_error(s, DIAG_DUPLICATE, name.span, "`%s` is defined twice", name.text);
    sema_note(s, old->span, "the first definition");
    return false;
}

Scope *scope_turn(Sema *s, Scope *scope, const Stmt *stmt, uint32_t turn) {
    Scope *inner = scope_create(s, scope, scope->frame);
    Symbol *symbol =
        scope_define(s, inner, stmt->loop.name.text, stmt->loop.name.span, SYMBOL_CONST);
    symbol->state = CONST_DONE;
    symbol->value = value_number(turn, stmt->loop.name.span);
    return inner;
}
