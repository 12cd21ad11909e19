/* Shared by the two halves of the dump. Private to syntax/. */
#ifndef HCC_SYNTAX_AST_DUMP_H
#define HCC_SYNTAX_AST_DUMP_H

#include "syntax/parse.h"

typedef struct {
    const Compilation *c;
    FILE *to;
    int depth;
} Dump;

/* Begins a line (indented; the text of `format`; the span) and ends it. */
void dump_line(Dump *d, Span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void dump_expr(Dump *d, const Expr *e);
void dump_block(Dump *d, const char *label, const StmtList *block);

#endif
