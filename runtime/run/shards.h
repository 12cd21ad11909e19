/* Which rank keeps what of the parameters: it updates those elements, and has their moments and
 * averages, which no other rank has. Alone it is all of them. A function of the plan, the recipe's
 * optimiser and the number of ranks; what is computed does not depend on it. */
#ifndef HC_SHARDS_H
#define HC_SHARDS_H

#include "runtime/ranks/ranks.h"
#include "runtime/run/plan.h"

/* What elements are shared out by: so many neighbouring ones of a parameter, or fewer at its end.
 * What is summed over elements (norms) is summed chunk by chunk. */
enum { HC_CHUNK_ELEMENTS = 1 << 14 };

typedef struct {
    uint32_t parameter;
    uint32_t bucket;     /* of gradients that are complete at about the same time, see below */
    int32_t owner;       /* rank */
    int64_t at, count;   /* bytes into a slab; elements */
    int64_t own, second; /* of the owner's: bytes into what it keeps of each element; likewise of
                            those that have a second moment */
} HcChunk;

/* Neighbouring chunks of one owner and bucket, as they lie in a slab. */
typedef struct {
    int32_t owner;
    uint32_t turn; /* of the bucket, see below */
    int64_t at, bytes;
} HcStretch;

typedef struct {
    HcRanks *ranks; /* NULL: alone */
    HcChunk *chunks;
    int64_t n_trained, n_chunks; /* those of parameters that are trained come first */
    int64_t *first;              /* by parameter: its first chunk */
    /* By parameter: 1 + the plan's sum over samples that is its gradient, and that nothing but the
     * optimiser reads; 0: there is none. */
    uint32_t *sum;
    uint32_t *ready, n_ready; /* of ranks: trained parameters, by bucket and place */
    uint32_t n_buckets;
    uint32_t *after; /* of ranks, by bucket: the call behind which its gradients are complete;
                        UINT32_MAX: the last */
    /* Of ranks: buckets take turns, in the order in which the calls of a step first read
     * parameters of theirs. */
    uint32_t *turn;       /* by bucket */
    uint32_t *reader;     /* by turn: the first call that reads of it; UINT32_MAX: there is none */
    uint32_t *needs;      /* by call: of so many turns, the first, it reads parameters */
    int64_t *own;         /* this rank's trained chunks, by turn, */
    int64_t *own_ends;    /* and where those of a turn end */
    HcStretch *stretches; /* of the trained ones, by turn and place, */
    uint32_t *ends;       /* likewise */
    uint32_t n_stretches;
    HcMessage *messages;           /* room for those of all stretches */
    int64_t own_bytes, own_second; /* of what this rank keeps, see HcChunk */
} HcShards;

/* Trained parameters in the order in which the backward pass has their gradients (of a batch in
 * parts; others behind them) form buckets, of about as many bytes each. Each bucket is shared out
 * by itself, in runs of neighbouring chunks, so that all buckets up to any are shared out as
 * equally as goes. A matrix of Muon's is not cut. */
HcStatus hc_shards_create(HcShards *shards, const HcPlan *plan, const HcRecipe *recipe,
                          HcRanks *ranks, HcError *error);
void hc_shards_destroy(HcShards *shards);
static inline bool hc_shards_own(const HcShards *shards, const HcChunk *chunk) {
    return chunk->owner == hc_ranks_rank(shards->ranks);
}
/* Of a parameter that is trained, of ranks. */
static inline uint32_t hc_shards_bucket(const HcShards *shards, uint32_t parameter) {
    return shards->chunks[shards->first[parameter]].bucket;
}
static inline uint32_t hc_shards_turn(const HcShards *shards, uint32_t parameter) {
    return shards->turn[hc_shards_bucket(shards, parameter)];
}
/* Of a slab of the trained parameters' each rank has its own elements; then it has all. */
HcStatus hc_shards_hand_out(const HcShards *shards, void *slab, HcError *error);
/* The messages of some turns of that, turns first .. end - 1, until the next call of one of these:
 * what others send, or what this rank sends. Their number. */
uint32_t hc_shards_incoming(const HcShards *shards, uint32_t first, uint32_t end, void *slab);
uint32_t hc_shards_outgoing(const HcShards *shards, uint32_t first, uint32_t end, void *slab);

/* Of a parameter of so many elements. */
static inline int64_t hc_shards_chunks(int64_t elements) {
    return (elements + HC_CHUNK_ELEMENTS - 1) / HC_CHUNK_ELEMENTS;
}

#endif
