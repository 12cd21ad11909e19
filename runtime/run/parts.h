/* A batch in parts: so many of its samples at a time, one part after the other, with what is summed
 * over samples added up over the parts; or over those of several ranks, each with parts of its own.
 */
#ifndef HC_PARTS_H
#define HC_PARTS_H

#include "runtime/ranks/part_tree.h"
#include "runtime/ranks/ranks.h"
#include "runtime/run/exec.h"
#include "runtime/run/shards.h"

/* What a rank adds up for all: bytes of a slot, whole cache lines. */
typedef struct {
    int32_t owner;
    bool kept; /* gradients that nobody but their owner needs: they go to `slab` of the gradients'.
                  Else all ranks get the sum */
    size_t at, slab, bytes;
} HcSumPiece;

/* What some rank's parts came to. */
typedef struct {
    HcPartNode node;
    bool here; /* in a slot of this rank's, not in the room */
    uint8_t *at;
} HcTerm;

/* Sums of parts are added in a fixed tree (part_tree.h). What cannot be added yet, because its
 * partner is still to come or another rank's, waits in slots, the earlier first. */
typedef struct {
    HcExec *exec;
    int64_t count;          /* of parts, of exec's samples each */
    int64_t first, end;     /* those that are computed here: all, unless there are ranks */
    HcRanks *ranks;         /* with whom; NULL: alone */
    int64_t *bounds;        /* by rank: its first part, and the end; NULL: alone */
    uint32_t slots;         /* partial sums of one value that may wait at once */
    uint8_t *memory;        /* by slot, and one more for what they came to: of all sums */
    size_t bytes;           /* of it */
    size_t stride;          /* of a slot */
    size_t *places;         /* by sum: within a slot */
    const HcShards *shards; /* of ranks: whose gradients are whose */
    size_t *ends;       /* of ranks, by round: where its sums end that all get, in a slot; the next
                           one's begin there, behind the last's the gradients that owners keep */
    HcSumPiece *pieces; /* of ranks: of all rounds */
    uint32_t *rounds;   /* of ranks, by round: its first piece; and the end */
    uint8_t *room;      /* of ranks: for what others send, */
    size_t room_bytes;  /* so much */
    HcTerm *terms, *waiting; /* of ranks: of all parts, in order; and while they are added */
    uint32_t n_terms;
    HcMessage *messages; /* of ranks: room for those of a round */
    bool *runs;          /* by call: in the round at hand */
    uint32_t round;      /* that */
    int64_t part;        /* that */
    HcPlaces outside;    /* what is not the workspace's */
} HcParts;

/* What is the caller's to do: give the exec's addresses the inputs of a part and tell it which; and
 * take what it wants of a part that is through. */
typedef struct {
    void *user;
    void (*begin)(void *user, int64_t part);
    void (*end)(void *user, int64_t part); /* of the last round */
} HcPartsUser;

HcStatus hc_parts_create(HcParts *parts, HcExec *exec, HcError *error);
void hc_parts_destroy(HcParts *parts);
/* For so many parts of the exec's present extents. After a failure they are bound again as they
 * were, for which the memory is there, before they run. */
HcStatus hc_parts_bind(HcParts *parts, int64_t count, HcError *error);
/* Computes a part of the parts alone from now on, with the ranks of these shards, which stay; NULL:
 * all again. HC_ERROR_ARGUMENT where there are fewer parts than ranks. Nothing changes on failure.
 */
HcStatus hc_parts_share(HcParts *parts, const HcShards *shards, HcError *error);
/* Where sums of ranks go is an HcSumPiece's to say. FORWARD, or BOTH: what a backward pass needs of
 * a part is gone when the next one runs. Fails where another rank does not answer, and not without
 * ranks. */
HcStatus hc_parts_run(HcParts *parts, HcPass pass, HcPlaces outside, const HcPartsUser *user,
                      HcError *error);

/* --- parts_meet.c ------------------------------------------------------------------------------*/

/* What is needed to add up the sums of several ranks. */
HcStatus hc_parts_meet_bind(HcParts *parts, HcError *error);
/* The sums of the round, of which the slots hold what this rank's parts came to: afterwards those
 * that all get lie in the last slot, on every rank, and gradients where they belong, on their
 * owners. */
HcStatus hc_parts_meet(HcParts *parts, HcError *error);
void hc_parts_meet_destroy(HcParts *parts);

#endif
