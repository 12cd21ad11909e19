/* One site while it is elaborated: a connection around its branches. */
#ifndef HCC_SEMA_SITE_H
#define HCC_SEMA_SITE_H

#include "sema/site/trunk.h"
#include "sema/value/tensor.h"

enum { SITE_MAX_STATES = 16, SITE_MAX_CARRIES = 16 };
#define NO_SLOT UINT32_MAX

/* A state, in the order of the connection's declarations. */
typedef struct {
    Symbol *symbol;
    const Target *declared;
    uint32_t slot;     /* which of the trunk's states it is; NO_SLOT after an error */
    bool begins;       /* with this site: the trunk had none of its name; or it is */
    bool adapted;      /* one stream in a trunk of several: adapt.c */
    TirId held;        /* as the site found it; 0: not a value */
    Value found;       /* the same */
    Value written;     /* what it is after the writes, */
    uint32_t widened;  /* the width that they give the trunk (0: none of their own), */
    TirIdVec appended; /* and entries, [1, ...] each */
    bool is_written, is_begun;
} SiteState;

typedef struct {
    Symbol *symbol;
    Value written, found;
    bool is_written;
} SiteCarry;

/* `branch(v)`: one run of a branch beside those that `read` asks for. */
typedef struct {
    const char *place;
    uint32_t branch;
} SiteCall;

/* `begin branch = 0.5;` */
typedef struct {
    const char *branch;  /* the word, */
    const Binding *said; /* and where it is begun; NULL: not yet */
    double factor;
    Map *made_of;         /* parameters of the program that results are; NULL: nobody asks */
    uint32_t first_param; /* those before it, and values, were there before the site */
    TirId first_value;
} SiteScale;

/* What the branches of a site gave: their first results, and all by name. */
typedef struct {
    uint32_t count;
    Value *first;
    Span *at; /* where each branch is written */
    BoundArgumentList *named;
} SiteResults;

/* A statement in its turn; behind those of a condition's side, the other side. */
typedef struct {
    const Stmt *stmt;
    const StmtList *untaken;
} SiteStep;

/* How far the text of a connection has got. */
typedef enum {
    PHASE_READ,    /* before its last `read` */
    PHASE_GIVEN,   /* what its branches get is known, */
    PHASE_WRITE,   /* and what they gave */
    PHASE_WRITTEN, /* behind its last write, */
    PHASE_REST,    /* when all writes of the site have taken effect */
    PHASE_END,
} SitePhase;

/* A connection at its site; or one inside it, which it is around. */
struct Site {
    Sema *s;
    TrunkState *trunk;
    const PlacedSite *site;
    const SiteUse *use;
    Site *outer, *inner; /* NULL: the site's own; around none */
    const Item *item;
    Frame *frame;
    Scope *scope;
    VEC(SiteStep) steps;
    uint32_t next;
    SitePhase phase;
    const Stmt *around;    /* the statement that says so, here */
    uint32_t results_left; /* of the writes those that change what the inner one is given */
    SiteResults
        *changed; /* what the branches gave, as the inner one is to have it; NULL: nothing */
    bool first, last;
    const void *call; /* what made the instance that the site is part of */
    uint32_t info;    /* which of the network's sites it is */
    uint32_t reads_left, writes_left;
    bool probes_after; /* a probe or penalty stands after the writes */
    uint32_t n_states, n_carries;
    SiteState states[SITE_MAX_STATES];
    SiteCarry carries[SITE_MAX_CARRIES];
    BoundArgumentList reads;
    uint32_t results;  /* branches that have given theirs */
    bool runs;         /* the branches run when the last `read` is done, */
    bool calls_branch; /* or where the text may call them, */
    bool is_called;    /* and here has */
    SiteScale scale;
    VEC(SiteCall) calls;   /* in the order of their first meeting */
    const char *uncalled;  /* why no branch can be called here, and */
    const char *call_help; /* what to do; NULL: it can be */
    Value ended;
    Held *held;                        /* what others may ask of it; NULL: nobody can */
    bool is_end_known;                 /* of an inner one: what the trunk would give by it */
    bool has_ended, failed, undecided; /* undecided: which statements there are */
    VEC(const Stmt *) ends;
};

/* --- parts.c: what a body consists of ----------------------------------------------------------*/

/* What a connection must have, said once. */
bool parts_check(Sema *s, const Item *item);
/* Whether the connection may call its site's branches: the word `branch` is in its body. */
bool parts_call(Sema *s, const Item *item);
/* Whether there is a `begin` of this name; a probe, penalty or update; a `read` or `write`. */
bool parts_begin(const StmtList *body, const char *name);
bool parts_show(const Stmt *stmt);
bool parts_hold(const StmtList *body);
/* Whether the body declares a state or carry of this name, conditions looked into. */
bool parts_keep(const StmtList *body, const char *name);
/* How many states the body declares, conditions looked into. */
uint32_t parts_states(const StmtList *body);

/* --- states.c: what the trunk keeps ------------------------------------------------------------*/

void site_state(Site *x, const Target *target);
void site_carry(Site *x, const Binding *b);
void site_begin(Site *x, const Binding *b);
void site_write(Site *x, const Binding *b);
void site_append(Site *x, const Binding *b);
/* After all writes: they take effect together. */
void site_commit(Site *x);
/* The site's own of the trunk's states, by its connection or one inside; NULL: it passes it on. */
static inline SiteState *site_state_at(Site *x, uint32_t slot) {
    for (; x; x = x->inner)
        for (uint32_t k = 0; k < x->n_states; k++)
            if (x->states[k].slot == slot)
                return &x->states[k];
    return NULL;
}
/* For who asks behind the site: states and carries as it found them. */
void site_note_found(Site *x);
/* Behind the last site: what its connection does not keep. */
void site_aside(Site *x);
/* Zeros of the state's shape. */
static inline Value slot_zeros(Sema *s, const StateSlot *slot) {
    return value_filled(s, slot->rank, slot->dims, 0, slot->span);
}

/* --- grow.c, adapt.c, width.c ------------------------------------------------------------------*/

/* Before anything else of the body: the names of first extents of states that grow. */
void grow_declare(Site *x);
/* The state that is declared so grows. */
bool grow_is_grown(const Site *x, const Target *state);
void grow_append(Site *x, SiteState *state, const StateSlot *slot, const Binding *b);
/* `v` with the entries that were appended. */
Value grow_commit(Site *x, const SiteState *state, StateSlot *slot, Value v);

/* The streams that the trunk keeps, one of which has the shape of `slot`: of its name, or the first
 * there are; NULL: none. */
StateSlot *adapt_streams(TrunkState *trunk, const StateSlot *slot);
/* The mean of the streams; the streams after what was added to that mean is added to each. */
Value adapt_read(Sema *s, const StateSlot *streams, Span span);
Value adapt_write(Sema *s, const StateSlot *streams, Value before, Value after, Span span);

/* The write `b` gives the trunk another width: *known becomes the shape it has then. */
bool width_changes(Site *x, const SiteState *state, const Binding *b, Value *known);
/* The width of what was written there. */
uint32_t width_written(const Site *x, const SiteState *state);
/* After all writes: the sites that follow see the new width. */
void width_commit(Site *x);

/* --- given.c: each site by itself, for maps ----------------------------------------------------*/

/* The trunk's states, where the site finds them; one that it has begun. */
void given_states(Site *x);
void given_begun(Site *x, const StateSlot *slot, Value *v);
/* The first result of a branch, under all its names. */
void given_result(Site *x, const char *branch, Value *first, BoundArgumentList *named);
/* What a branch is called with, and what it gives then: its run of this number, from 1 on. */
void given_call(Site *x, uint32_t branch, uint32_t run, BoundArgumentList *inputs);
void given_called(Site *x, uint32_t branch, uint32_t run, Value *first, BoundArgumentList *named);
/* What the site reads; what the trunk's states are after all writes; what the trunk gives. */
void given_reads(Site *x);
void given_written(Site *x);
/* A carry as a site finds it, and as it leaves it: where parts stand alone they are states. */
void given_carry(Site *x, const char *name, Value *v);
void given_carried(Site *x, Symbol *symbol);
void given_ended(Site *x, Value v);

/* --- scaled.c: how branches begin --------------------------------------------------------------*/

/* Before anything of the site is built; at `begin branch = ...`; with all that a branch gives; and
 * when the site is done. */
void scaled_expect(Site *x);
void scaled_begin(Site *x, const Binding *b, double factor);
void scaled_result(Site *x, Value result);
void scaled_params(Site *x);

/* --- told.c: for pictures ----------------------------------------------------------------------*/

void told_use(Site *x);
/* Of each connection: the site's own first. */
void told_text(Site *x);
void told_part(Site *x, const Stmt *stmt);
void told_states(Site *x);

/* --- branches.c, roles.c -----------------------------------------------------------------------*/

/* Warns of weights among the values from `from` on that are normalised over the wrong role. */
void check_roles(const Site *x, TirId from);

void site_read(Site *x, const Binding *b);
/* After the last `read` of the site: its branches run, */
void site_branches(Site *x);
/* and their results get their names in the connection. */
void site_name_results(Site *x, const SiteResults *results);
/* Adds what another branch gave, name by name. */
void results_add(Sema *s, BoundArgumentList *sums, const BoundArgumentList *named, Span span);
/* For a connection that calls them, `branch`. */
void site_define_branch(Site *x, Scope *scope);

/* --- connection.c, around.c --------------------------------------------------------------------*/

/* Begins a connection, whose frame is pushed: its arguments, parts and order. False after an error.
 */
bool site_open(Site *x, const Callable *connection, const BoundArgumentList *inputs, Span used_at);
/* Runs its statements until it is as far. */
void site_advance(Site *x, SitePhase until);
/* Behind its last write, unless more is to come. */
void site_written(Site *x);
/* What the trunk gives by this connection; poison where it says nothing. */
Value site_end(Site *x);

/* `around inner;` */
void site_around(Site *x, const Stmt *stmt);
/* What it reads is known: for the site, or for who is around it. */
void site_reads_known(Site *x);
/* What the branches gave is known. */
void site_take_results(Site *x, const SiteResults *results);
/* `write y[c] = ...;`: what the inner connection is given instead; after the last of them it
 * writes.
 */
void site_change_result(Site *x, const Binding *b);
void site_pass_results(Site *x);
/* `write each old, new = ...;` */
void site_write_each(Site *x, const Stmt *stmt);

#endif
