/* Axes of two shapes of equal size, side by side; see reshape_axes.h. */
#include "plan/reshape_axes.h"

bool reshape_splits_last(const TirType *x, const TirType *y) {
    uint32_t i = x->rank, j = y->rank, long_axes = 0;
    uint64_t extent_x = 1, extent_y = 1;
    while (i > 0 && extent_x == 1)
        extent_x = x->dims[--i];
    while (j > 0 && extent_y == 1)
        extent_y = y->dims[--j];
    long_axes = extent_y > 1;
    while (extent_x != extent_y) { /* the smallest group of last axes */
        if (extent_x < extent_y) {
            extent_x *= x->dims[--i];
        } else {
            long_axes += y->dims[--j] > 1;
            extent_y *= y->dims[j];
        }
    }
    return long_axes > 1;
}
