/* What the parser says when it meets something else than it expected. Private to syntax/. */
#ifndef HCC_SYNTAX_SYNTAX_ERROR_H
#define HCC_SYNTAX_SYNTAX_ERROR_H

#include "syntax/ast_build.h"

/* `expected`: the grammar's names of all tokens that could stand where p->current does. */
void parser_report_unexpected(Parser *p, const char *const *expected, uint32_t count);
/* E0501, once a file. */
void parser_report_nesting(Parser *p, Span at);

#endif
