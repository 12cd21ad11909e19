/* What trunks and their sites had, for who asks behind them: `h.attn[2].y`, `h.state.H`. Values
 * that are built anyway are remembered by name, so what nobody asks for costs nothing. */
#ifndef HCC_SEMA_HELD_H
#define HCC_SEMA_HELD_H

#include "sema/scope.h"

typedef struct {
    const char *name; /* interned */
    Value value;
} HeldValue;
typedef VEC(HeldValue) HeldValueList;
typedef VEC(uint32_t) HeldTurns;

struct Held {
    const char *path; /* trunk, trunk.3.attn */
    bool is_trunk;
    VEC(const Held *) sites; /* of a trunk */
    const char *name;        /* of a site, */
    HeldTurns turns;         /* and those of the repeats around it, outermost first */
    HeldValueList values; /* states behind a trunk; of a site what no `let` names: reads, states as
                             it finds them, */
    VEC(Value) results;   /* and what its branches gave, which `y` is the sum of */
    const Scope *scope;   /* of its connection's body, */
    const Held *inner;    /* and what that is around, or NULL, */
    const char *inner_name; /* as its text calls it */
};

Held *held_trunk(Sema *s, const char *path);
/* What is inside: of this name in who is around it. */
Held *held_inside(Sema *s, Held *outer, const char *name);
/* A site of the trunk (NULL: nobody can ask for it), of this path. */
Held *held_site(Sema *s, Held *trunk, const char *path);
void held_note(Sema *s, Held *held, const char *name, Value value);

/* The site of this name, in these turns; NULL: there is none. */
const Held *held_find_site(const Held *trunk, const char *name, const HeldTurns *turns);
/* The value of this name; false: there is none. */
/* Whether a site has a value of that name so far. */
bool held_has(const Held *held, const char *name);
bool held_find(Sema *s, const Held *held, const char *name, Span span, Value *value);

/* For messages, "`a`, `b`": what there is of a trunk's sites and of values by name, and where a
 * site stands. NULL: nothing, or nowhere. */
const char *held_sites_text(Sema *s, const Held *trunk);
const char *held_values_text(Sema *s, const Held *held);
const char *held_turns_text(Sema *s, const Held *trunk, const char *name);

#endif
