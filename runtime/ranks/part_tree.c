#include "runtime/ranks/part_tree.h"

#include <stdlib.h>

uint32_t hc_part_nodes(int64_t first, int64_t end, HcPartNode nodes[HC_PART_NODES]) {
    uint32_t count = 0;
    while (first < end) {
        uint32_t level = 0;
        while (first % (INT64_C(2) << level) == 0 && first + (INT64_C(2) << level) <= end)
            level++;
        nodes[count++] = (HcPartNode){first, level};
        first += INT64_C(1) << level;
    }
    return count;
}

bool hc_part_pair(HcPartNode earlier, HcPartNode later) {
    return earlier.level == later.level &&
           later.first == earlier.first + (INT64_C(1) << earlier.level) &&
           earlier.first % (INT64_C(2) << earlier.level) == 0;
}

/* least[r * (parts + 1) + b]: nodes of the first r ranks where they have the first b parts. */
HcStatus hc_part_bounds(int64_t parts, int32_t ranks, int64_t *bounds, HcError *error) {
    const int64_t most = (parts + ranks - 1) / ranks, row = parts + 1;
    uint32_t *least = calloc((size_t)(row * (ranks + 1)), sizeof *least);
    int64_t *before = calloc((size_t)(row * (ranks + 1)), sizeof *before);
    HcPartNode nodes[HC_PART_NODES];
    for (int32_t r = 1; r <= ranks && least && before; r++)
        for (int64_t end = r; end <= parts; end++) {
            uint32_t *found = &least[r * row + end];
            *found = UINT32_MAX;
            for (int64_t first = end - 1; first >= end - most && first >= r - 1; first--) {
                const uint32_t so_far = r == 1 ? 0 : least[(r - 1) * row + first];
                if ((r == 1 && first != 0) || so_far == UINT32_MAX)
                    continue;
                const uint32_t all = so_far + hc_part_nodes(first, end, nodes);
                if (all < *found) {
                    *found = all;
                    before[r * row + end] = first;
                }
            }
        }
    HcStatus status = least && before ? HC_OK : hc_fail_memory(error, "the parts of a batch");
    bounds[ranks] = parts;
    for (int32_t r = ranks; r > 0 && status == HC_OK; r--)
        bounds[r - 1] = before[r * row + bounds[r]];
    free(least);
    free(before);
    return status;
}
