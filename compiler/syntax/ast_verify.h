/* What a well-formed tree is. */
#ifndef HCC_SYNTAX_AST_VERIFY_H
#define HCC_SYNTAX_AST_VERIFY_H

#include "base/compilation.h"
#include "syntax/ast.h"

/* NULL, or which rule the tree breaks and where. Holds for what parsing recovered, too: an error
 * leaves EXPR_ERROR and STMT_ERROR behind, and nothing that is half there. */
const char *ast_verify(Compilation *c, const Ast *ast);

#endif
