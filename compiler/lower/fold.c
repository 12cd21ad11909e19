/* Folds: small results of sums, maxima and products along features, an accumulator of a vector of
 * features for each result. Few results go along with other work in a loop of wide.c; many
 * have loops of their own here. */
#include "lower/lower_internal.h"

static int result_axis(const TirNode *node, uint32_t operand, uint32_t axis) {
    if (node->op == TIR_CONTRACT) {
        for (uint32_t m = 0; m < node->type.rank; m++)
            if (node->attr.labels[2][m] == node->attr.labels[operand][axis])
                return (int)m;
        return -1;
    }
    if (node->attr.axis_mask >> axis & 1)
        return -1;
    int kept = 0;
    for (uint32_t m = 0; m < axis; m++)
        kept += !(node->attr.axis_mask >> m & 1);
    return kept;
}

Fold schedule_fold(const Lower *l, TirId id) {
    const TirNode *node = tir_node(l->block, id);
    Fold f = {.node = node, .lane = {-1, -1}};
    uint8_t label_of[TIR_MAX_RANK] = {0};
    for (uint32_t o = 0; o < node->n_operands; o++) {
        const TirType *type = &tir_node(l->block, node->operands[o])->type;
        f.lane[o] = schedule_lane_axis(l, id, o);
        if (f.lane[o] >= 0)
            f.lane_extent = type->dims[f.lane[o]];
        for (uint32_t k = 0; k < type->rank; k++) {
            if ((int)k == f.lane[o] || result_axis(node, o, k) >= 0)
                continue;
            uint8_t label = node->op == TIR_CONTRACT ? node->attr.labels[o][k] : (uint8_t)k;
            uint32_t m = 0;
            while (m < f.n_other && label_of[m] != label)
                m++;
            if (m == f.n_other) {
                label_of[m] = label;
                f.extent[m] = type->dims[k];
                f.at[0][m] = f.at[1][m] = -1;
                f.n_other++;
            }
            f.at[o][m] = (int8_t)k;
        }
    }
    return f;
}

static NestOp fold_op(TirOp op) {
    return op == TIR_REDUCE_MAX    ? NEST_MAX
           : op == TIR_REDUCE_MIN  ? NEST_MIN
           : op == TIR_REDUCE_PROD ? NEST_MUL
                                   : NEST_ADD;
}

double lower_fold_identity(TirOp op) {
    return op == TIR_REDUCE_MAX    ? -1.0 / 0.0
           : op == TIR_REDUCE_MIN  ? 1.0 / 0.0
           : op == TIR_REDUCE_PROD ? 1.0
                                   : 0.0;
}

/* acc, with the term at (element, other, c) folded in. */
static NestId fold_term(Lower *l, const Fold *f, const Index *element, const Affine *other,
                        Affine c, NestId acc) {
    const TirNode *node = f->node;
    NestId x[2] = {0, 0};
    for (uint32_t o = 0; o < node->n_operands; o++) {
        const TirType *type = &tir_node(l->block, node->operands[o])->type;
        Index index = {.rank = type->rank};
        for (uint32_t k = 0; k < type->rank; k++) {
            int kept = result_axis(node, o, k);
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
        x[0] = nest_select(&l->b, in, x[0], nest_const(&l->b, real, lower_fold_identity(node->op)));
        if (x[1])
            x[1] = nest_select(&l->b, in, x[1], nest_const(&l->b, real, 0));
    }
    if (x[1])
        return nest_fma(&l->b, x[0], x[1], acc);
    return nest_binary(&l->b, op, acc, x[0]);
}

uint64_t schedule_fold_others(const Fold *f) {
    uint64_t total = 1;
    for (uint32_t m = 0; m < f->n_other; m++)
        total *= f->extent[m];
    return total;
}

NestId lower_fold_term(Lower *l, const Fold *f, const Index *element, uint64_t i, Affine c,
                       NestId acc) {
    Affine other[TIR_MAX_RANK];
    for (uint32_t m = f->n_other; m-- > 0;) {
        other[m] = affine_const((int64_t)(i % f->extent[m]));
        i /= f->extent[m];
    }
    return fold_term(l, f, element, other, c, acc);
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

/* --- many results -------------------------------------------------------------------------------
 */

bool schedule_is_looped_fold(const Lower *l, const Value *v) {
    if (v->side != SIDE_FOLD)
        return false;
    Fold f = schedule_fold(l, v->id);
    return schedule_fold_others(&f) > UNROLL_LEADING || v->elements > LOOPED_RESULTS;
}

/* A fold with many results or many other summed axes: loops over blocks of results; within, over
 * the others and the features, an accumulator for each result of the block. */

typedef struct {
    Fold fold;
    uint32_t n;
    Index element[FOLD_BLOCK * FOLD_BLOCK];
    Affine other[TIR_MAX_RANK];
} LoopedFold;

static void looped_fold_terms(Lower *l, LoopedFold *f, Affine c, NestId *acc) {
    for (uint32_t k = 0; k < f->n; k++)
        acc[k] = fold_term(l, &f->fold, &f->element[k], f->other, c, acc[k]);
}

static NestLoop *looped_fold_loop(Lower *l, NestLoopKind kind, uint32_t extent, uint32_t step,
                                  uint32_t n, NestId *acc) {
    NestLoop *loop =
        nest_loop_begin(&l->b, kind, nest_i64(&l->b, 0), nest_i64(&l->b, extent), step, n, acc);
    lower_scope_begin(l);
    for (uint32_t k = 0; k < n; k++)
        acc[k] = loop->inner[k];
    return loop;
}

static void looped_fold_end(Lower *l, NestLoop *loop, uint32_t n, NestId *acc) {
    lower_scope_end(l);
    nest_loop_end(&l->b, acc);
    for (uint32_t k = 0; k < n; k++)
        acc[k] = nest_result(&l->b, loop, k);
}

static void looped_fold_inner(Lower *l, LoopedFold *f, uint32_t m, NestId *acc) {
    if (m < f->fold.n_other) {
        NestLoop *loop = looped_fold_loop(l, NEST_REDUCE, f->fold.extent[m], 1, f->n, acc);
        f->other[m] = affine_var(loop->variable);
        looped_fold_inner(l, f, m + 1, acc);
        looped_fold_end(l, loop, f->n, acc);
        return;
    }
    uint32_t lanes = l->options.lanes, extent = f->fold.lane_extent, whole = extent / lanes * lanes;
    if (whole) {
        NestLoop *loop = looped_fold_loop(l, NEST_VECTOR, whole, lanes, f->n, acc);
        looped_fold_terms(l, f, lower_features(l, loop->variable), acc);
        looped_fold_end(l, loop, f->n, acc);
    }
    if (extent > whole) {
        Affine c = lower_features(l, 0);
        c.offset = whole;
        lower_scope_begin(l);
        Context old =
            lower_context(l, l->context.row, (uint16_t)lanes, nest_i64(&l->b, extent - whole));
        looped_fold_terms(l, f, c, acc);
        l->context = old;
        lower_scope_end(l);
    }
}

/* The results of a block: `count` of them along the last two axes, from `first` on. */
static void looped_fold_block(Lower *l, Value *v, Affine row, Index first,
                              const uint32_t count[2]) {
    LoopedFold f = {.fold = schedule_fold(l, v->id), .n = count[0] * count[1]};
    NestId acc[FOLD_BLOCK * FOLD_BLOCK];
    NestType real = {l->options.real, l->options.lanes};
    TirOp op = f.fold.node->op;
    for (uint32_t k = 0; k < f.n; k++) {
        Index *element = &f.element[k];
        *element = first;
        if (count[1] > 1) {
            Affine *at = &element->at[first.rank - 1u];
            *at = affine_add(*at, affine_const(k % count[1]));
        }
        if (count[0] > 1) {
            Affine *at = &element->at[first.rank - 2u];
            *at = affine_add(*at, affine_const(k / count[1]));
        }
        acc[k] = nest_const(&l->b, real, lower_fold_identity(op));
    }
    looped_fold_inner(l, &f, 0, acc);
    for (uint32_t k = 0; k < f.n; k++) {
        Affine flat = affine_flat(&f.element[k], &f.fold.node->type);
        NestId x = lower_fold_lanes(l, op, acc[k]);
        lower_store(l, v->buffer, SCRATCH_LANES, &row, &flat, v->elements, x, 0);
    }
}

void lower_looped_fold(Lower *l, Value *v) {
    const TirType *type = &tir_node(l->block, v->id)->type;
    uint32_t inner = type->rank < 2 ? type->rank : 2, count[2] = {1, 1};
    NestLoop *loop = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0),
                                     nest_i64(&l->b, l->rows), 1, 0, NULL);
    lower_scope_begin(l);
    Affine row = affine_var(loop->variable);
    lower_shift_prepare(l, row, 1, &v->id, 1);
    Context old = lower_context(l, row, l->options.lanes, 0);
    Index index = {.rank = type->rank};
    lower_loops_begin(l, type, inner, &index);
    for (uint32_t k = 2 - inner; k < 2; k++) {
        uint32_t axis = type->rank - 2u + k, extent = type->dims[axis];
        count[k] = schedule_divisor(extent, FOLD_BLOCK);
        NestLoop *blocks = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0),
                                           nest_i64(&l->b, extent), count[k], 0, NULL);
        index.at[axis] = affine_var(blocks->variable);
    }
    looped_fold_block(l, v, row, index, count);
    for (uint32_t k = 0; k < inner; k++)
        nest_loop_end(&l->b, NULL);
    lower_loops_end(l, type, inner);
    l->context = old;
    lower_scope_end(l);
    nest_loop_end(&l->b, NULL);
}
