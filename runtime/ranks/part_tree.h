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
/* Which parts each rank computes: bounds[r] .. bounds[r + 1] - 1, at least one, as equally as goes,
 * and so that they come to few nodes. */
HcStatus hc_part_bounds(int64_t parts, int32_t ranks, int64_t *bounds, HcError *error);

#endif
