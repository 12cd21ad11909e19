/* Where a connection's text runs its site's branch: `branch(x)`, `branch[1](x)`, `rule(branch, h)`.
 */
#ifndef HCC_DRIVER_GRAPH_CALLS_H
#define HCC_DRIVER_GRAPH_CALLS_H

#include "base/arena.h"
#include "syntax/ast.h"

/* Adds the calls in `stmt` of what is called `name`, interned, or that are handed it. */
void calls_find(const Stmt *stmt, const char *name, Arena *arena, ExprList *found);
/* It is what is called, and its arguments are what it reads. */
bool calls_itself(const Expr *call, const char *name);

#endif
