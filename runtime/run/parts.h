/* A batch in parts: so many of its samples at a time, one part after the other, with what is summed
 * over samples added up over the parts; or over those of several ranks, each with parts of its own.
 */
#ifndef HC_PARTS_H
#define HC_PARTS_H

#include "runtime/ranks/part_tree.h"
#include "runtime/ranks/ranks.h"
#include "runtime/run/exec.h"
#include "runtime/run/shards.h"

/* What is one rank's of a round's sums: bytes of a slot, whole cache lines. */
typedef struct {
    int32_t owner;
    uint32_t bucket; /* as of chunks; of what all get: behind all */
    bool kept; /* gradients that nobody but their owner needs: they go to `slab` of the gradients'.
                  Else all ranks get the sum */
    size_t at, slab, bytes;
} HcSumPiece;

/* to = earlier + to */
typedef struct {
    uint8_t *to;
    const uint8_t *earlier;
    size_t bytes;
} HcAddition;

typedef struct {
    const HcSumPiece *piece;
    const uint8_t *from;
} HcSumResult;

/* How ranks meet after a round: in each stage additions, then messages; in the end messages that
 * give all what all get. */
typedef struct {
    HcSumPiece *pieces; /* by bucket */
    HcMessage *messages;
    HcAddition *additions;
    HcSumResult *results; /* of this rank's pieces, after the last stage */
    uint32_t n_pieces, n_messages, n_additions, n_results, stages;
    uint32_t *ends, *added;  /* by stage, and one more: behind its messages, and its additions */
    uint32_t *begins, *adds; /* by bucket: the first of the first stage's, likewise */
    uint32_t *sums, *left; /* by bucket: its sums; and those that the last part has not added yet */
    uint32_t begun;        /* buckets: the first stage's messages are under way */
    HcStatus status;       /* of what was begun, */
    HcError error;         /* and why it failed */
} HcMeet;

/* Sums of parts are added in a fixed tree (part_tree.h). What cannot be added yet, because its
 * partner is still to come or another rank's, waits in slots, the earlier first. */
typedef struct {
    HcExec *exec;
    bool imagined;          /* nothing runs, so there is no memory (foresee.h) */
    bool only_forward;      /* alone, so that no gradients wait: backward passes are of ranks */
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
    size_t *ends;  /* of ranks, by round: where its sums end that all get, in a slot; the next
                      one's begin there, behind the last's the gradients that owners keep */
    HcMeet *meets; /* of ranks: by round */
    uint32_t n_meets;
    HcFlight flight;   /* of ranks: what a first stage has begun */
    uint8_t *room;     /* of ranks: for what others send, */
    size_t room_bytes; /* so much */
    bool *runs;        /* by call: in the round at hand */
    uint32_t round;    /* that */
    int64_t part;      /* that */
    bool expects;      /* what it adds goes to other ranks at once */
    HcPlaces outside;  /* what is not the workspace's */
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
/* Before the round's last part, which adds gradients bucket by bucket: */
void hc_parts_meet_expect(HcParts *parts);
/* the part's sum is added. Buckets that are complete are on their way from then on. */
void hc_parts_meet_ready(HcParts *parts, const HcSum *sum);
/* Between calls. */
void hc_parts_meet_move_on(HcParts *parts);
/* The sums of the round, of which the slots hold what this rank's parts came to: afterwards those
 * that all get lie in the last slot, on every rank, and gradients where they belong, on their
 * owners. */
HcStatus hc_parts_meet(HcParts *parts, HcError *error);
void hc_parts_meet_destroy(HcParts *parts);

#endif
