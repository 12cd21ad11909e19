/* The order of axes in which kernels come to what thin products read and make. */
#ifndef HCC_PASS_LANE_ORDER_H
#define HCC_PASS_LANE_ORDER_H

#include "tir/tir.h"

/* `x`, whose axes carry the labels `from`, as a view whose axes carry them in the order `to`. */
TirId lane_transposed(TirBuilder *b, TirId x, const uint8_t *from, const uint8_t *to);

/* The same as the contraction `id`, which no library makes: itself, or one that comes to all it
 * reads and makes along the lanes. */
TirId lane_ordered(TirBuilder *b, TirId id);

#endif
