/* Definitions by name: those of the file, and the standard library behind them. */
#ifndef HCC_SEMA_DEFINITIONS_H
#define HCC_SEMA_DEFINITIONS_H

#include "sema/scope.h"

/* Through all scopes around, then in the library. */
Symbol *scope_find(Sema *s, Scope *scope, const char *name);
void scope_load_library(Sema *s);
void scope_add_items(Sema *s, Scope *root, const Ast *ast);
void define_constants(Sema *s, Scope *scope, const BindingList *list);
const Callable *callable_of_item(Sema *s, const Item *item, Scope *home);

#endif
