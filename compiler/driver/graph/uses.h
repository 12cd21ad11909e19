/* What a connection's text does with its states: by names and indices, before any number is known.
 */
#ifndef HCC_DRIVER_GRAPH_USES_H
#define HCC_DRIVER_GRAPH_USES_H

#include "sema/network.h"

typedef struct {
    const ConstItemList *texts; /* of the connection, and of what is inside it */
    const char *name;           /* interned: whose use is asked for */
    const char *branch; /* what a call of this reads is not looked at, it goes through a branch */
    const char *index;  /* of a state with several streams, the one at hand: under another index, or
                           whole, it is other streams; or NULL */
    bool mentioned, others; /* found */
    bool of_inner;          /* behind a point, `inner.x` */
    VEC(const char *) seen; /* lets that were followed */
    Arena *arena;
} Uses;

/* Whether `e` uses it, itself or by lets. */
void uses_find(Uses *uses, const Expr *e);

#endif
