/* How the axes of two tensors lie to each other: extents that follow from shapes, and what is
 * copied from where to where. */
#ifndef HC_LAYOUT_H
#define HC_LAYOUT_H

#include "runtime/files/checkpoint.h"
#include "runtime/names/name_map.h"

/* Of a line's names; -1: not known. */
typedef struct {
    int64_t extents[HC_MAP_NAMES];
} HcAxisExtents;

HcAxisExtents hc_extents(void);
/* Takes what a tensor's shape says about them. False: the shape cannot be that of these axes. */
bool hc_extents_learn(HcAxisExtents *extents, const HcMapRule *rule, const HcMapPart *part,
                      const HcTensor *tensor);
/* The first name whose extent is not known; NULL: all are. */
const char *hc_extents_lack(const HcAxisExtents *extents, const HcMapRule *rule);

/* The tensor's shape by its axes, all of whose extents are known: `dims` has room for
 * HC_MAP_NODES. False: it has too many entries to be. */
bool hc_layout_shape(const HcAxisExtents *extents, const HcMapRule *rule, const HcMapPart *part,
                     int64_t *dims, int32_t *rank);
/* Copies all that both have of the k-th part: one of them is that part, the other has it in its
 * join. Element sizes are equal. */
void hc_layout_copy(const HcAxisExtents *extents, const HcMapRule *rule, int k,
                    const HcMapPart *from_part, const HcTensor *from, const HcMapPart *to_part,
                    const HcTensor *to);

#endif
