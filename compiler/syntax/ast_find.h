/* Whether a body says a name. */
#ifndef HCC_SYNTAX_AST_FIND_H
#define HCC_SYNTAX_AST_FIND_H

#include "syntax/ast.h"

/* An expression somewhere in `body` is this (interned) name; what it means there is not asked. */
bool ast_mentions(const StmtList *body, const char *name);

#endif
