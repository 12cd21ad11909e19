/* Folds: terms added to accumulators of a vector of features each. Few results go along with other
 * work in a loop of wide.c; many have loops of their own here. */
#include "lower/lower_internal.h"

static NestOp fold_op(TirOp op) {
    return op == TIR_REDUCE_MAX    ? NEST_MAX
           : op == TIR_REDUCE_MIN  ? NEST_MIN
           : op == TIR_REDUCE_PROD ? NEST_MUL
                                   : NEST_ADD;
}

/* acc, with the term at (element, other, c) folded in. */
static NestId fold_term(Lower *l, const ScheduleFold *f, const AffineIndex *element,
                        const Affine *other, Affine c, NestId acc) {
    const TirNode *node = f->node;
    NestId x[2] = {0, 0};
    for (uint32_t o = 0; o < node->n_operands; o++) {
        const TirType *type = &tir_node(l->block, node->operands[o])->type;
        AffineIndex index = {.rank = type->rank};
        for (uint32_t k = 0; k < type->rank; k++) {
            int kept = schedule_fold_axis(node, o, k);
            if (kept >= 0)
                index.at[k] = element->at[kept];
            else if ((int)k == f->lane[o])
                index.at[k] = c;
        }
        for (uint32_t m = 0; m < f->n_other; m++)
            if (f->at[o][m] >= 0)
                index.at[f->at[o][m]] = other[m];
        x[o] = lower_vector(l, lower_eval(l, &l->frame, node->operands[o], &index));
    }
    NestOp op = fold_op(node->op);
    if (l->context.valid) { /* lanes past the end count for nothing */
        NestType t = {NEST_I32, l->context.lanes};
        NestId valid = nest_splat(&l->b, t.lanes, nest_cast(&l->b, NEST_I32, l->context.valid));
        NestId in = nest_binary(&l->b, NEST_LT, nest_lanes(&l->b, t.lanes), valid);
        NestType real = nest_type(l->kernel, x[0]);
        x[0] =
            nest_select(&l->b, in, x[0], nest_const(&l->b, real, schedule_fold_identity(node->op)));
        if (x[1])
            x[1] = nest_select(&l->b, in, x[1], nest_const(&l->b, real, 0));
    }
    if (x[1])
        return nest_fma(&l->b, x[0], x[1], acc);
    return nest_binary(&l->b, op, acc, x[0]);
}

NestId lower_fold_term(Lower *l, const ScheduleFold *f, const AffineIndex *element, uint64_t i,
                       Affine c, NestId acc) {
    Affine other[TIR_MAX_RANK];
    for (uint32_t m = f->n_other; m-- > 0;) {
        other[m] = affine_const((int64_t)(i % f->extent[m]));
        i /= f->extent[m];
    }
    return fold_term(l, f, element, other, c, acc);
}

NestId lower_fold_term_at(Lower *l, const ScheduleFold *f, const AffineIndex *element, Affine other,
                          Affine c, NestId acc) {
    return fold_term(l, f, element, &other, c, acc);
}

NestId lower_fold_lanes(Lower *l, TirOp op, NestId acc) {
    uint16_t lanes = nest_type(l->kernel, acc).lanes;
    if (lanes == 1)
        return acc;
    switch (op) {
    case TIR_REDUCE_MAX:
        return nest_unary(&l->b, NEST_MAX_LANES, acc);
    case TIR_REDUCE_MIN:
        return nest_unary(&l->b, NEST_MIN_LANES, acc);
    case TIR_REDUCE_PROD: {
        NestId x = nest_lane(&l->b, acc, 0);
        for (uint16_t k = 1; k < lanes; k++)
            x = nest_binary(&l->b, NEST_MUL, x, nest_lane(&l->b, acc, k));
        return x;
    }
    default:
        return nest_unary(&l->b, NEST_SUM_LANES, acc);
    }
}

/* --- many results ------------------------------------------------------------------------------*/

/* A fold with many results or many other summed axes: loops over blocks of results; within, over
 * the others and the features, an accumulator for each result of the block. */

typedef struct {
    ScheduleFold fold;
    uint32_t n;
    AffineIndex element[FOLD_BLOCK * FOLD_BLOCK];
    Affine other[TIR_MAX_RANK];
} LoopedFold;

static void looped_fold_terms(Lower *l, LoopedFold *f, Affine c, NestId *acc) {
    for (uint32_t k = 0; k < f->n; k++)
        acc[k] = fold_term(l, &f->fold, &f->element[k], f->other, c, acc[k]);
}

/* The step's loops over other terms, then over features: the last of its loops. */
static void looped_fold_inner(Lower *l, LoopedFold *f, const ScheduleLoop *loops, NestId *acc) {
    const bool features = loops->over == OVER_FEATURES;
    const uint64_t whole = features ? loops->extent / loops->step * loops->step : loops->extent;
    if (whole) {
        NestLoop *loop = lower_loop_begin(l, loops, nest_i64(&l->b, (int64_t)whole), f->n, acc);
        lower_memo_begin(l);
        for (uint32_t k = 0; k < f->n; k++)
            acc[k] = loop->inner[k];
        if (features) {
            looped_fold_terms(l, f, lower_features(l, loop->variable, 0), acc);
        } else {
            f->other[loops->axis] = affine_var(loop->variable);
            looped_fold_inner(l, f, loops + 1, acc);
        }
        lower_memo_end(l);
        nest_loop_end(&l->b, acc);
        for (uint32_t k = 0; k < f->n; k++)
            acc[k] = nest_result(&l->b, loop, k);
    }
    if (features && loops->extent > whole) {
        Affine c = lower_features(l, 0, whole);
        lower_memo_begin(l);
        LowerContext old = lower_context(l, l->context.row, l->lanes,
                                         nest_i64(&l->b, (int64_t)(loops->extent - whole)));
        looped_fold_terms(l, f, c, acc);
        l->context = old;
        lower_memo_end(l);
    }
}

/* The results of a block: those along the step's last two axes, from `first` on. */
static void looped_fold_block(Lower *l, const ScheduleStep *step, Affine row, AffineIndex first,
                              const uint32_t count[2]) {
    const ScheduleValue *v = step->value;
    LoopedFold f = {.fold = schedule_fold(l->schedule, v->id), .n = count[0] * count[1]};
    NestId acc[FOLD_BLOCK * FOLD_BLOCK];
    NestType real = {l->real, l->lanes};
    TirOp op = f.fold.node->op;
    for (uint32_t k = 0; k < f.n; k++) {
        AffineIndex *element = &f.element[k];
        *element = first;
        if (count[1] > 1) {
            Affine *at = &element->at[first.rank - 1u];
            *at = affine_add(*at, affine_const(k % count[1]));
        }
        if (count[0] > 1) {
            Affine *at = &element->at[first.rank - 2u];
            *at = affine_add(*at, affine_const(k / count[1]));
        }
        acc[k] = nest_const(&l->b, real, schedule_fold_identity(op));
    }
    looped_fold_inner(l, &f, &step->loops[1 + first.rank], acc);
    for (uint32_t k = 0; k < f.n; k++) {
        Affine flat = affine_flat(&f.element[k], &f.fold.node->type);
        NestId x = lower_fold_lanes(l, op, acc[k]);
        lower_store(l, lower_held(l, v)->buffer, v->place, &row, &flat, v->elements, x, 0);
    }
}

void lower_looped_fold(Lower *l, const ScheduleStep *step) {
    const TirType *type = &tir_node(l->block, step->value->id)->type;
    const uint32_t inner = type->rank < 2 ? type->rank : 2;
    uint32_t count[2] = {1, 1};
    const ScheduleLoop *positions = &step->loops[0], *axes = &step->loops[1];
    NestLoop *loop =
        lower_loop_begin(l, positions, nest_i64(&l->b, (int64_t)positions->extent), 0, NULL);
    lower_memo_begin(l);
    Affine row = affine_var(loop->variable);
    lower_shift_prepare(l, row, 1, &step->value->id, 1);
    LowerContext old = lower_context(l, row, l->lanes, 0);
    AffineIndex index = {.rank = type->rank};
    lower_axes_begin(l, step, inner, &index);
    for (uint32_t k = 2 - inner; k < 2; k++) {
        const uint32_t axis = type->rank - 2u + k;
        count[k] = axes[axis].step;
        NestLoop *blocks =
            lower_loop_begin(l, &axes[axis], nest_i64(&l->b, (int64_t)axes[axis].extent), 0, NULL);
        index.at[axis] = affine_var(blocks->variable);
    }
    looped_fold_block(l, step, row, index, count);
    for (uint32_t k = 0; k < inner; k++)
        nest_loop_end(&l->b, NULL);
    lower_axes_end(l, step, inner);
    l->context = old;
    lower_memo_end(l);
    nest_loop_end(&l->b, NULL);
}
