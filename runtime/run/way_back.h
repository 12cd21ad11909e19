/* The weights' way back: what a step has made of its own elements each rank sends to all others,
 * and they receive it while the next step begins, each weight before the first call that reads it.
 *
 * Weights go in turns (HcShards): bucket by bucket, in the order in which a step reads them. What a
 * turn has of this rank's is sent once that is updated. What it has of others' is received when it
 * is near: as many turns at once as have arrived, and one more, so that the first, for which calls
 * wait, have the wire to themselves, and later ones, which have more time, share it. */
#ifndef HC_WAY_BACK_H
#define HC_WAY_BACK_H

#include "runtime/run/shards.h"

/* Zero: of one process alone, where every weight is where it belongs. */
typedef struct HcWayBack {
    const HcShards *shards;
    void *slab;               /* that weights are on their way to and from; NULL: none is */
    HcFlight received, sent;  /* their messages */
    uint32_t *ends;           /* by turn: of those that are received */
    uint32_t leaving;         /* turns that are sent, */
    uint32_t coming, arrived; /* are received, and are here */
    HcStatus status;          /* of the first message that failed: nothing moves from then on, */
    HcError error;            /* and why */
} HcWayBack;

/* Of shards that stay, of several ranks. */
HcStatus hc_way_back_create(HcWayBack *way, const HcShards *shards, HcError *error);
/* After what is under way, for a while: one of the others may have ended. */
void hc_way_back_destroy(HcWayBack *way);
/* A step begins to update weights of this slab: nothing is under way, and nobody but their owners
 * reads or writes them until they are back. */
void hc_way_back_begin(HcWayBack *way, void *slab);
/* This rank's elements of the next turn are updated. */
void hc_way_back_send(HcWayBack *way);
/* Before a call of the plan runs: what it reads is here then, and the rest moves on. A failure is
 * told by the functions below. */
void hc_way_back_before(HcWayBack *way, uint32_t call);
/* Until all is here that others send. */
HcStatus hc_way_back_await(HcWayBack *way, HcError *error);
/* Until nothing is under way: others have what this rank sends. */
HcStatus hc_way_back_end(HcWayBack *way, HcError *error);
/* Of what has been under way so far. */
HcStatus hc_way_back_status(const HcWayBack *way, HcError *error);

#endif
