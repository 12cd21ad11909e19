/* Names: scopes, one inside the other, and what their names stand for. */
#ifndef HCC_SEMA_SCOPE_H
#define HCC_SEMA_SCOPE_H

#include "sema/value/value.h"

typedef struct Symbol Symbol;
typedef struct Frame Frame;

typedef enum {
    SYMBOL_VALUE, /* a let, a parameter, a state, an argument */
    SYMBOL_CONST, /* evaluated when first asked for */
    SYMBOL_INDEX,
    SYMBOL_POSITION, /* `t` of `positions t <= 64` */
    SYMBOL_ITEM,
} SymbolKind;

typedef enum {
    DECLARED_OTHER,
    DECLARED_LET,
    DECLARED_PARAM,
    DECLARED_BUFFER,
    DECLARED_STATE,
    DECLARED_EXTENT,
    DECLARED_OUTPUT,
} DeclaredAs;

struct Symbol {
    SymbolKind kind;
    DeclaredAs declared;
    const char *name;
    Span span;
    bool unbegun;               /* a state whose `begin` is still to come */
    bool assignable;            /* a let, which loops may assign to */
    uint32_t defined, assigned; /* when: see Mode.table */
    Value value;                /* VALUE; CONST once evaluated */
    const Binding *binding;     /* of a let: lets constant tables be looked up in numbers */
    Scope *scope;               /* where a const or let was written */
    const Expr *expr;
    enum { CONST_WAITING, CONST_ACTIVE, CONST_DONE } state;
    Index *index;
    const Item *item;
    uint32_t space, axis; /* POSITION */
};

struct Scope {
    Scope *parent;
    Frame *frame;
    VEC(Symbol *) symbols;
    bool is_frame;   /* the outermost scope of an instance: names outside are definitions only */
    bool is_library; /* a root scope: of the standard library */
};

Scope *scope_create(Sema *s, Scope *parent, Frame *frame);
Symbol *scope_define(Sema *s, Scope *scope, const char *name, Span span, SymbolKind kind);
Symbol *scope_find_here(const Scope *scope, const char *name);
/* As far as the instance's own scopes go. */
Symbol *scope_find_local(const Scope *scope, const char *name);
Scope *scope_root(Scope *scope);
/* False, with an error, when `name` is defined in this scope already. */
bool scope_check_new(Sema *s, Scope *scope, Name name);
/* Where a turn of a `for` is elaborated: its counter is a constant. */
Scope *scope_turn(Sema *s, Scope *scope, const Stmt *stmt, uint32_t turn);

#endif
