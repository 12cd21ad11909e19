/* Loops of a nest from a schedule's. */
#include "lower/lower_internal.h"

NestLoop *lower_loop_begin(Lower *l, const ScheduleLoop *loop, NestId end, uint32_t n_carried,
                           const NestId *initial) {
    const NestLoopKind kind = loop->carrier == CARRIED_BY_LANES ? NEST_VECTOR
                              : loop->folds                     ? NEST_REDUCE
                                                                : NEST_SEQUENTIAL;
    return nest_loop_begin(&l->b, kind, nest_i64(&l->b, 0), end, loop->step, n_carried, initial);
}

/* An axis of one element needs no loop, and its index is the constant that others know it by. */
Affine lower_axis_begin(Lower *l, const ScheduleLoop *axis) {
    if (axis->extent == 1)
        return affine_const(0);
    NestLoop *loop = lower_loop_begin(l, axis, nest_i64(&l->b, (int64_t)axis->extent), 0, NULL);
    lower_memo_begin(l);
    return affine_var(loop->variable);
}

void lower_axis_end(Lower *l, uint64_t extent) {
    if (extent == 1)
        return;
    lower_memo_end(l);
    nest_loop_end(&l->b, NULL);
}

/* The step's loops over axes, all but the last `inner` ones. */
static uint32_t axes_of(const ScheduleStep *step, uint32_t inner, const ScheduleLoop **first) {
    uint32_t n = 0, k = 0;
    while (k < step->n_loops && step->loops[k].over != OVER_AXIS)
        k++;
    while (k + n < step->n_loops && step->loops[k + n].over == OVER_AXIS)
        n++;
    *first = &step->loops[k];
    return n - inner;
}

void lower_axes_begin(Lower *l, const ScheduleStep *step, uint32_t inner, AffineIndex *index) {
    const ScheduleLoop *loops;
    const uint32_t n = axes_of(step, inner, &loops);
    for (uint32_t k = 0; k < n; k++)
        index->at[k] = lower_axis_begin(l, &loops[k]);
}

void lower_axes_end(Lower *l, const ScheduleStep *step, uint32_t inner) {
    const ScheduleLoop *loops;
    for (uint32_t k = axes_of(step, inner, &loops); k-- > 0;)
        lower_axis_end(l, loops[k].extent);
}

Affine lower_features(Lower *l, NestId variable, uint64_t first) {
    l->feature = variable;
    Affine a = variable ? affine_var(variable) : affine_const((int64_t)first);
    a.lane = 1;
    return a;
}
