/* What those who decide on a schedule share. */
#ifndef HCC_SCHEDULE_INTERNAL_H
#define HCC_SCHEDULE_INTERNAL_H

#include "machine/limits.h"
#include "schedule/schedule.h"

/* What is known of a value on the way. */
typedef struct {
    bool by_pieces;     /* PAD, CONCAT written piece by piece */
    bool by_element;    /* GATHER whose indices run along the lanes: one element at a time */
    bool stored;        /* lies in memory after its stage */
    bool apart;         /* evaluated otherwise than with positions in lanes and by constant index */
    bool in_loops;      /* small, not stored: loops over a larger value compute it by the element */
    bool reread;        /* by a later stage of the kernel */
    uint32_t first_use; /* the earliest stage that needs it in memory or computes it along */
} ScheduleDraft;

typedef struct {
    Schedule *s;
    Arena *arena;
    const TirBlock *block;
    ScheduleDraft *drafts; /* by number of the value */
    uint32_t samples;
} Scheduler;

static inline ScheduleDraft *draft_of(const Scheduler *b, const ScheduleValue *v) {
    return &b->drafts[v - b->s->values];
}
/* The value with this id, to be decided on; NULL when not of this kernel. */
static inline ScheduleValue *scheduled(const Scheduler *b, TirId id) {
    const ScheduleValue *v = schedule_find(b->s, id);
    return v ? &b->s->values[v - b->s->values] : NULL;
}
/* What `v` reads through its operand `k`, if this kernel makes it; else NULL. */
static inline ScheduleValue *scheduled_operand(const Scheduler *b, const ScheduleValue *v,
                                               uint32_t k, bool *in_step) {
    ScheduleValue *from = scheduled(b, schedule_operand(b->s, v->id, k, in_step));
    return from && from->made ? from : NULL;
}

/* In this order: */
void schedule_values(Scheduler *b); /* what there is, and where inputs lie */
void schedule_sides(Scheduler *b);  /* which side, and what is stored whoever reads it */
void schedule_stages(Scheduler *b); /* the stage of each value */
void schedule_places(Scheduler *b); /* where everything lies */
void schedule_steps(Scheduler *b);  /* the loops of each stage */

/* reads.c */

/* Rows chosen at run time differ from position to position, and whether a shift's position exists:
 * not computed with positions in lanes, but one position at a time. */
bool schedule_by_position(const TirNode *node);
/* The label of a wide operand's last axis that is summed; -1: there is none. */
int schedule_summed_label(const TirBlock *block, const TirNode *contract);
/* Whether a value's own loops, if it has any, evaluate it apart: not with positions in lanes, or by
 * run-time index. */
bool schedule_has_loops_apart(const Schedule *s, const ScheduleValue *v);
/* Whether a node comes to its operand `k` by an index of its own, known only at run time. */
bool schedule_walks(const Schedule *s, const TirNode *node, uint32_t k);

/* A dot product along features with too many results for registers: made a block of results after
 * the other, so that it comes to what it reads once for each (folds.c). */
bool schedule_is_looped_fold(const Schedule *s, const ScheduleValue *v);
/* Bytes that scratch memory has of a value in packed order (places.c). */
uint64_t schedule_packed_bytes(const Schedule *s, const ScheduleValue *v);

#endif
