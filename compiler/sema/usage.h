/* What is of use: how often something declared was read and written, over all instances. */
#ifndef HCC_SEMA_USAGE_H
#define HCC_SEMA_USAGE_H

#include "sema/scope.h"

typedef struct {
    Span span;
    const char *name;
    DeclaredAs declared;
    bool used, written, reached;
    bool self_used; /* a state, by its own write */
    Span blocked;   /* what keeps the gradient from a parameter */
} Usage;

void usage_declare(Sema *s, DeclaredAs declared, const char *name, Span span);
void usage_mark(Sema *s, const Symbol *symbol);
/* Tried out, a definition has one side of each condition only: what the other one reads is used. */
void usage_mark_untaken(Sema *s, Scope *scope, const StmtList *untaken);
Usage *usage_at(Sema *s, Span span);

#endif
