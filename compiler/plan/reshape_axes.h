/* How the axes of two shapes of equal size go together. */
#ifndef HCC_PLAN_RESHAPE_AXES_H
#define HCC_PLAN_RESHAPE_AXES_H

#include "tir/tir.h"

/* Whether the last axis of x that has more than one element belongs to several such axes of y. */
bool reshape_splits_last(const TirType *x, const TirType *y);

#endif
