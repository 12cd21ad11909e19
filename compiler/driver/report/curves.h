/* What the runs of a comparison went through, a line for each group. */
#ifndef HCC_DRIVER_REPORT_CURVES_H
#define HCC_DRIVER_REPORT_CURVES_H

#include "base/arena.h"
#include "runtime/runs/compare.h"

typedef struct {
    double *x, *y;
    uint32_t n;
} Curve;

typedef struct {
    Curve train;    /* mean losses of steps beside each other, over the seeds, by step */
    Curve held_out; /* after steps that all seeds were evaluated at, by step */
    Curve by_time;  /* the same, by minutes of training */
    Curve gain;     /* the largest composite gain of a trunk, where the logs have it, by step */
} GroupCurves;

/* One of each group, in *curves. */
HcStatus report_curves(Arena *arena, const HcComparison *comparison, GroupCurves **curves,
                       HcError *error);

#endif
