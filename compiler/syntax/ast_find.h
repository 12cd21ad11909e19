/* What a body says: names, and what it assigns to. */
#ifndef HCC_SYNTAX_AST_FIND_H
#define HCC_SYNTAX_AST_FIND_H

#include "syntax/ast.h"

/* An expression somewhere in `body` is this (interned) name; what it means there is not asked. */
bool ast_mentions(const StmtList *body, const char *name);
/* The same of what stands behind a point. */
bool ast_asks(const StmtList *body, const char *name);

/* Every assignment of `body`, in order, those in its loops and under its conditions too. */
typedef void AssignmentVisit(void *context, const Binding *b);
void ast_each_assignment(const StmtList *body, AssignmentVisit *visit, void *context);

#endif
