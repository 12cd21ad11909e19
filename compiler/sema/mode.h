/* How what is being elaborated is meant. A mode is entered for a part and left behind it: it
 * reaches down to all that the part holds, and never up or beside it. */
#ifndef HCC_SEMA_MODE_H
#define HCC_SEMA_MODE_H

#include "sema/scope.h"

/* The element of an initial value that is wanted, and what its expression turned out to ask. */
typedef struct {
    uint32_t rank;
    const uint32_t *dims;
    int64_t at[TIR_MAX_RANK];
    bool pattern_used, table_used;
} Element;

typedef struct {
    bool numeric;           /* only numbers can come of this */
    bool constant;          /* a `const`: calls of definitions give definitions */
    bool looking;           /* for a shape: it is elaborated once more for its value */
    bool every_axis;        /* indices stand on the left, so every axis has one on the right, too */
    Element *element;       /* one element of an initial value; NULL: a value as a whole */
    const char *let_name;   /* the let whose right side this is, */
    const Expr *let_value;  /* and that right side: a module used there takes the let's name */
    const Expr *results_of; /* the call of which all results are wanted, by name, */
    BoundArgumentList *results; /* here */
    const Symbol *writing;      /* the state whose write this is */
    const Symbol *table; /* a constant table is looked up as its names stood when it was defined, */
    Span table_at;       /* from here */
} Mode;

/* Returns the mode that holds so far, for mode_leave. */
Mode mode_enter(Sema *s, Mode inner);
void mode_leave(Sema *s, Mode outer);

/* The mode that holds, but for a let of this name (and, of a module used there, this right side).
 */
Mode mode_of_let(const Sema *s, const char *name, const Expr *value);
/* The mode of what a definition holds, whatever asked for it. */
Mode mode_of_definition(const Sema *s);

#endif
