/* The tree in which the sums of a batch's parts are added, whoever computed them: neighbours of
 * equal size first, and what is left over in the end from the last to the first. It depends on the
 * number of parts alone. */
#ifndef HC_PART_TREE_H
#define HC_PART_TREE_H

#include "runtime/files/error.h"

#include <stdbool.h>

/* The sum of 2^level parts, from `first` on, which is a multiple of that. */
typedef struct {
    int64_t first;
    uint32_t level;
} HcPartNode;

enum { HC_PART_NODES = 128 }; /* more than any run of neighbouring parts comes to */

/* What parts first .. end - 1 come to where they are added among themselves, in order. */
uint32_t hc_part_nodes(int64_t first, int64_t end, HcPartNode nodes[HC_PART_NODES]);
/* Whether the two are one node of the tree. */
bool hc_part_pair(HcPartNode earlier, HcPartNode later);
/* Which parts each rank computes: bounds[r] .. bounds[r + 1] - 1, at least one; as equally as goes,
 * but for as few parts more as make what hc_part_ways finds a rank to send not too much. */
HcStatus hc_part_bounds(int64_t parts, int32_t ranks, int64_t *bounds, HcError *error);

/* How ranks make sums of what their parts came to: terms 0 .. n_leaves - 1 are the nodes of ranks,
 * in order; term n_leaves + k is the k-th sum, of two terms before it. The last is the sum of all.
 * The elements of each rank, their owner, go ways of their own. */
typedef struct {
    uint32_t earlier, later;
} HcPartSum;

typedef struct {
    int32_t ranks;
    uint32_t n_leaves, n_sums;
    int32_t *rank;   /* of a leaf, */
    uint32_t *node;  /* and which of its nodes */
    HcPartSum *sums; /* each after those that it is of */
    int32_t *places; /* by owner and term: the rank that has it, or makes it */
    uint32_t *sent;  /* by rank: of how many owners' terms, with each term counted */
} HcPartWays;

/* A term that is needed where it is not is sent there. In each owner's elements so few are sent,
 * and so evenly by all ranks, that up to 64 parts none sends, in all, what would be more than three
 * times the elements that are others'; exactly those where both numbers are powers of two. */
HcStatus hc_part_ways(const int64_t *bounds, int32_t ranks, HcPartWays *ways, HcError *error);
void hc_part_ways_free(HcPartWays *ways);
static inline uint32_t hc_part_terms(const HcPartWays *ways) {
    return ways->n_leaves + ways->n_sums;
}
static inline int32_t hc_part_place(const HcPartWays *ways, int32_t owner, uint32_t term) {
    return ways->places[(uint32_t)owner * hc_part_terms(ways) + term];
}

#endif
