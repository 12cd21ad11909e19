/* Reading through a table of indices that is known now.
 *
 * At a constant index the table answers now. At a run-time index a short table is a comparison an
 * entry; a long one is arithmetic on the index where it is few runs: the code does not grow with
 * the table. */
#include "lower/lower_internal.h"
#include "pass/take_runs.h"

/* One comparison an entry. */
static NestId take_by_comparison(Lower *l, LowerFrame *f, const TirNode *node,
                                 const AffineIndex *index) {
    const uint32_t axis = node->attr.axis;
    NestId result = lower_zero(l, node->type.elem, 1);
    AffineIndex inner = *index;
    for (uint32_t i = 0; i < node->type.dims[axis]; i++) {
        if (node->attr.indices[i] < 0)
            continue;
        NestId here = 0;
        lower_in_range(l, &index->at[axis], i, (int64_t)i + 1, &here);
        inner.at[axis] = affine_const(node->attr.indices[i]);
        result = lower_select(l, here, lower_eval(l, f, node->operands[0], &inner), result);
    }
    return result;
}

/* What entry `i`, a scalar, reads; less than 0 reads 0. */
static Affine take_index(Lower *l, const TakeRuns *runs, Affine i) {
    i = affine_add(i, affine_const(runs->ahead));
    if (runs->divide > 1)
        i = affine_var(
            nest_binary(&l->b, NEST_DIV, affine_scalar(&l->b, &i), nest_i64(&l->b, runs->divide)));
    Affine turns = {0};
    if (runs->drift)
        turns = affine_scale(affine_var(nest_binary(&l->b, NEST_DIV, affine_scalar(&l->b, &i),
                                                    nest_i64(&l->b, runs->period))),
                             runs->drift);
    if (runs->period > 1)
        i = affine_var(
            nest_binary(&l->b, NEST_REM, affine_scalar(&l->b, &i), nest_i64(&l->b, runs->period)));
    Affine at = {0};
    for (uint32_t k = runs->n; k-- > 0;) {
        const TakeRun *run = &runs->run[k];
        const Affine here = affine_add(affine_scale(i, run->stride), affine_const(run->base));
        if (k + 1 == runs->n) {
            at = here;
            continue;
        }
        const NestId before =
            nest_binary(&l->b, NEST_LT, affine_scalar(&l->b, &i), nest_i64(&l->b, run->end));
        at = affine_var(
            nest_select(&l->b, before, affine_scalar(&l->b, &here), affine_scalar(&l->b, &at)));
    }
    return affine_add(at, turns);
}

/* The element that entry `i`, a scalar, of the table reads. */
static NestId take_entry(Lower *l, LowerFrame *f, const TirNode *node, const TakeRuns *runs,
                         Affine i, const AffineIndex *index) {
    bool zeros = false;
    for (uint32_t k = 0; k < runs->n; k++)
        zeros =
            zeros || runs->run[k].base + runs->run[k].stride * ((int64_t)runs->run[k].end - 1) < 0;
    const int64_t extent = tir_node(f->block, node->operands[0])->type.dims[node->attr.axis];
    AffineIndex inner = *index;
    Affine at = take_index(l, runs, i);
    NestId inside = 0;
    if (zeros)
        inside = nest_binary(&l->b, NEST_LE, nest_i64(&l->b, 0), affine_scalar(&l->b, &at));
    if (runs->n > 1 || zeros) /* whichever run it is of: nobody reads what the others would */
        at = lower_clamped(l, at, 0, extent);
    inner.at[node->attr.axis] = at;
    const NestId x = lower_eval(l, f, node->operands[0], &inner);
    return inside ? lower_select(l, inside, x, lower_zero(l, node->type.elem, 1)) : x;
}

/* With an entry of its own in each lane: one lane after the other. */
static NestId take_by_lane(Lower *l, LowerFrame *f, const TirNode *node, const TakeRuns *runs,
                           const AffineIndex *index) {
    const uint32_t axis = node->attr.axis;
    const NestId last = nest_i64(&l->b, (int64_t)node->type.dims[axis] - 1);
    const NestId lanes = nest_lanes(&l->b, l->context.lanes);
    const int64_t step = index->at[axis].lane;
    Affine i = index->at[axis];
    NestId x = 0;
    i.lane = 0;
    for (uint16_t k = 0; k < l->context.lanes; k++, i.offset += step) {
        /* the last vector of a loop may reach past the end */
        const Affine at = affine_var(nest_binary(&l->b, NEST_MIN, affine_scalar(&l->b, &i), last));
        const NestId entry = lower_vector(l, take_entry(l, f, node, runs, at, index));
        const NestId number = nest_const(&l->b, (NestType){NEST_I32, l->context.lanes}, k);
        x = x ? nest_select(&l->b, nest_binary(&l->b, NEST_EQ, lanes, number), entry, x) : entry;
    }
    return x;
}

NestId lower_take(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index) {
    const uint32_t axis = node->attr.axis;
    const Affine at = index->at[axis];
    TakeRuns runs;
    if (affine_is_const(&at)) {
        const int32_t from = node->attr.indices[at.offset];
        if (from < 0)
            return lower_zero(l, node->type.elem, 1);
        AffineIndex inner = *index;
        inner.at[axis] = affine_const(from);
        return lower_eval(l, f, node->operands[0], &inner);
    }
    if (node->type.dims[axis] <= TAKE_COMPARED || !take_runs(l->arena, node, TAKE_RUNS, &runs))
        return take_by_comparison(l, f, node, index);
    return at.lane ? take_by_lane(l, f, node, &runs, index)
                   : take_entry(l, f, node, &runs, at, index);
}
