/* Which statement may stand in which block. Private to syntax/. */
#ifndef HCC_SYNTAX_PLACEMENT_H
#define HCC_SYNTAX_PLACEMENT_H

#include "base/compilation.h"
#include "syntax/ast.h"

/* `silent`: a block is unclosed, so where statements stand says nothing; they are only marked. */
void placement_check(Compilation *c, const Ast *ast, bool silent);

#endif
