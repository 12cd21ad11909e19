/* What the choice of replays and the order of calls that it leads to share. */
#ifndef HCC_PLAN_REPLAY_INTERNAL_H
#define HCC_PLAN_REPLAY_INTERNAL_H

#include "plan/lives.h"
#include "plan/plan_internal.h"

enum { NO_UNIT = UINT32_MAX };

typedef VEC(uint32_t) CallVec;

/* Forward calls that make values together: one call, or all that add to one memory. */
typedef struct {
    CallVec calls;
    TirIdVec reads, writes; /* slots; reads are of other units or of leaves */
    uint32_t kind;          /* equal for units of equal calls */
    double seconds;
    bool chosen; /* to run again, when some result of it is not kept */
} ReplayUnit;

typedef struct {
    uint32_t call;
    bool again;
} ReplayStep;

typedef struct {
    Plan *plan;
    Arena *arena;
    uint32_t n_values, n_forward;
    VEC(ReplayUnit) units;
    uint32_t *unit_of_value; /* or NO_UNIT: leaves, and what the backward pass writes */
    double *bytes;           /* by value; none where memory does not depend on the order */
    bool *pinned;            /* by value: to be kept in any case */
    bool *wanted;            /* by value: a backward call reads it */
    /* a trial: */
    uint32_t *segment; /* by forward call */
    bool *dropped;     /* by value: not kept, made again when needed */
    bool *again;       /* by unit: in the order, so far */
    uint32_t *at;      /* by unit: operands seen to, while the order is made */
    CallVec stack;     /* units being made */
    VEC(ReplayStep) order;
    Lives lives;         /* of values, by place in the order */
    double *change;      /* by region and place in the order: bytes that come and go */
    double seconds;      /* what the order adds */
    double bytes_needed; /* at its worst moment, as if memory could be packed without gaps */
} Replay;

/* Decides what is dropped (of chosen units, what does not cross from a segment to another), and
 * fills order, seconds and bytes_needed. */
void replay_try(Replay *r);
/* The plan's calls in the order at hand, with slots for second copies. */
void replay_apply(Replay *r, const Call *calls);

#endif
