/* Trunks: sites one after the other, and what goes from one to the next. */
#ifndef HCC_SEMA_TRUNK_H
#define HCC_SEMA_TRUNK_H

#include "sema/scope.h"

typedef struct {
    const char *name;
    Span span;
    const char *owner, *path; /* the connection and site that began it */
    Value value;              /* a tensor, whole */
    uint32_t rank, dims[TIR_MAX_RANK];
    bool grows; /* dims[0]: the entries it holds now */
} StateSlot;

typedef struct {
    const Item *item;
    uint32_t within; /* so many of the same definition around it */
    const char *name;
    Value value;
} CarrySlot;

typedef struct {
    Value input;
    uint32_t width;         /* of the state where the next site reads; x's at first */
    const char *widened_by; /* the site that changed it last; NULL: none */
    bool begun;
    VEC(StateSlot) states;
    VEC(CarrySlot) carries;
    Held *held; /* what its sites have, and its states behind them; NULL: nobody can ask */
} TrunkState;

/* A site's statement, and where the unfolded trunk has it. */
typedef struct {
    const Stmt *stmt;
    Scope *scope;
    const char *path;
    uint32_t block;
} PlacedSite;

/* What is written at a site, its names and constants resolved. */
struct SiteUse {
    const Callable *connection; /* NULL after an error */
    BoundArgumentList inputs;   /* what it is given beside the trunk */
    uint32_t n_branches;        /* 0: a stand-in for whatever branch (trial) */
    const Value *branches;      /* CALLABLE, or poison */
    BoundArgumentList *given;   /* inputs of each branch that the site names */
};

/* --- asked.c: what a connection asks of its site; of none, 0 and false ------------------------*/

/* How many branches it has, and the fewest inputs that one of them takes. */
uint32_t asked_branches(const SiteUse *use);
uint32_t asked_inputs(const SiteUse *use);
/* Every branch has an input of this name that the site does not give; one has a result of it. */
bool asked_takes(const SiteUse *use, const char *name);
bool asked_gives(const SiteUse *use, const char *name);

/* --- trunk.c, use.c, branches.c, connection.c --------------------------------------------------*/

/* The state of this (interned) name; NULL: there is none. */
static inline StateSlot *trunk_state(TrunkState *trunk, const char *name) {
    for (uint32_t k = 0; k < trunk->states.count; k++)
        if (trunk->states.at[k].name == name)
            return &trunk->states.at[k];
    return NULL;
}

Value elaborate_trunk(Sema *s, Scope *scope, const Expr *e);
/* `mhc(n = 2)`, with what it is given beside the trunk; NULL after an error. */
const Callable *site_connection(Sema *s, Scope *scope, const Expr *e, BoundArgumentList *inputs);
/* Resolves what a site says; every error in it is reported, whatever became of the trunk. */
void site_use(Sema *s, const PlacedSite *site, SiteUse *use);
/* `branch[1]`: one of those that `branch` stands for. */
Value site_entry(Sema *s, Scope *scope, Value branches, const Expr *e);
/* `branch(v)` in a connection; all results by name go to `results`. */
Value site_call(Sema *s, const Callable *branch, const BoundArgumentList *arguments, const Expr *e,
                BoundArgumentList *results);
/* One site; `last` gives the trunk's result in *result. False after an error that ends the trunk.
 */
bool connection_elaborate(Sema *s, TrunkState *trunk, const SiteUse *use, const PlacedSite *site,
                          bool last, Value *result);

#endif
