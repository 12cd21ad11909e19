/* Text to syntax tree. */
#ifndef HCC_SYNTAX_PARSE_H
#define HCC_SYNTAX_PARSE_H

#include "base/compilation.h"
#include "syntax/ast.h"

/* Parses file `file` of the compilation's sources. Never NULL: after errors (reported to the
 * compilation's diagnostics, all of them in one run) the tree holds what could be recovered. */
Ast *parse_file(Compilation *c, uint32_t file);
/* One expression, for `--set key=EXPR`, and in *parts what stands behind its `in`, or NULL. NULL
 * after an error. */
Expr *parse_value(Compilation *c, uint32_t file, Expr **parts);

/* An indented dump, one node a line with its span as line:column, for `hcc emit --stage ast`. */
void ast_dump(const Compilation *c, const Ast *ast, FILE *to);

#endif
