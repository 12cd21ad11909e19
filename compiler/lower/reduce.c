/* Reductions: a chain when short, else loops. */
#include "lower/lower_internal.h"

typedef struct {
    Lower *l;
    LowerFrame *f;
    const TirNode *node;
    AffineIndex operands[2];
    uint32_t n_operands;
    /* summed axes: extent and where the index goes in each operand (-1: nowhere) */
    uint32_t n_axes;
    uint32_t extent[2 * TIR_MAX_RANK];
    int8_t at[2][2 * TIR_MAX_RANK][2];
    Affine row; /* SCATTER_ADD: the row asked for */
} Reduction;

static void reduction_set_axis(Reduction *r, uint32_t axis, Affine i) {
    for (uint32_t o = 0; o < r->n_operands; o++)
        for (uint32_t m = 0; m < 2; m++)
            if (r->at[o][axis][m] >= 0)
                r->operands[o].at[r->at[o][axis][m]] = i;
}

static NestId reduction_accumulate(Reduction *r, NestId sum) {
    Lower *l = r->l;
    NestId x = lower_eval(l, r->f, r->node->operands[0], &r->operands[0]);
    if (r->n_operands == 2) {
        NestId y = lower_eval(l, r->f, r->node->operands[1], &r->operands[1]);
        if (r->node->op == TIR_SCATTER_ADD) { /* x is an index, y what goes to its row */
            NestId here = lower_binary(l, NEST_EQ, x, affine_i32(&l->b, &r->row, l->context.lanes));
            y = lower_select(l, here, y, lower_zero(l, TIR_REAL, 1));
            return sum ? lower_binary(l, NEST_ADD, sum, y) : y;
        }
        if (!sum)
            return lower_binary(l, NEST_MUL, x, y);
        return lower_fma(l, x, y, sum);
    }
    if (!sum)
        return x;
    switch (r->node->op) {
    case TIR_REDUCE_MAX:
        return lower_binary(l, NEST_MAX, sum, x);
    case TIR_REDUCE_MIN:
        return lower_binary(l, NEST_MIN, sum, x);
    case TIR_REDUCE_PROD:
        return lower_binary(l, NEST_MUL, sum, x);
    default:
        return lower_binary(l, NEST_ADD, sum, x);
    }
}

static uint64_t reduction_terms(const Reduction *r) {
    uint64_t total = 1;
    for (uint32_t k = 0; k < r->n_axes; k++)
        total *= r->extent[k];
    return total;
}

/* `sum` with the i-th term folded in; 0 starts. */
static NestId reduction_add_term(Reduction *r, uint64_t i, NestId sum) {
    for (uint32_t k = r->n_axes; k-- > 0;) {
        reduction_set_axis(r, k, affine_const((int64_t)(i % r->extent[k])));
        i /= r->extent[k];
    }
    return reduction_accumulate(r, sum);
}

static NestId reduction_unrolled(Reduction *r) {
    NestId sum = 0;
    for (uint64_t i = 0, total = reduction_terms(r); i < total; i++)
        sum = reduction_add_term(r, i, sum);
    return sum;
}

/* All but the last axes, then the last: loops from the outside in. Depth is the rank. */
static NestId reduction_loop(Reduction *r, uint32_t axis, NestId sum) {
    Lower *l = r->l;
    if (axis == r->n_axes)
        return reduction_accumulate(r, sum);
    NestLoop *loop = nest_loop_begin(&l->b, NEST_REDUCE, nest_i64(&l->b, 0),
                                     nest_i64(&l->b, r->extent[axis]), 1, 1, &sum);
    lower_memo_begin(l);
    reduction_set_axis(r, axis, affine_var(loop->variable));
    NestId next = lower_vector(l, reduction_loop(r, axis + 1, loop->inner[0]));
    lower_memo_end(l);
    nest_loop_end(&l->b, &next);
    return nest_result(&l->b, loop, 0);
}

static NestId reduction_run(Reduction *r) {
    if (reduction_terms(r) <= UNROLL_REDUCE || r->f->scan)
        return reduction_unrolled(r);
    Lower *l = r->l;
    NestType type = lower_type(l, r->node->type.elem, l->context.lanes);
    return reduction_loop(r, 0, nest_const(&l->b, type, schedule_fold_identity(r->node->op)));
}

NestId lower_reduce(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index) {
    Reduction r = {.l = l, .f = f, .node = node, .n_operands = 1};
    const TirType *type = &tir_node(f->block, node->operands[0])->type;
    r.operands[0].rank = type->rank;
    uint32_t mask = node->op == TIR_POSITION_SUM ? 0 : node->attr.axis_mask;
    for (uint32_t k = 0, kept = 0; k < type->rank; k++) {
        if (mask >> k & 1) {
            r.at[0][r.n_axes][0] = (int8_t)k;
            r.at[0][r.n_axes][1] = -1;
            r.extent[r.n_axes++] = type->dims[k];
        } else {
            r.operands[0].at[k] = index->at[kept++];
        }
    }
    return reduction_run(&r);
}

static Reduction reduction_of_contract(Lower *l, LowerFrame *f, const TirNode *node,
                                       const AffineIndex *index) {
    Reduction r = {.l = l, .f = f, .node = node, .n_operands = 2};
    int8_t axis_of[256];
    for (uint32_t i = 0; i < 256; i++)
        axis_of[i] = -1;
    for (uint32_t o = 0; o < 2; o++) {
        const TirType *type = &tir_node(f->block, node->operands[o])->type;
        r.operands[o].rank = type->rank;
        for (uint32_t k = 0; k < type->rank; k++) {
            uint8_t label = node->attr.labels[o][k];
            uint32_t kept = 0;
            while (kept < node->type.rank && node->attr.labels[2][kept] != label)
                kept++;
            if (kept < node->type.rank) {
                r.operands[o].at[k] = index->at[kept];
                continue;
            }
            if (axis_of[label] < 0) {
                axis_of[label] = (int8_t)r.n_axes;
                r.extent[r.n_axes] = type->dims[k];
                for (uint32_t m = 0; m < 4; m++)
                    r.at[m / 2][r.n_axes][m % 2] = -1;
                r.n_axes++;
            }
            int8_t *slots = r.at[o][axis_of[label]];
            slots[slots[0] >= 0] = (int8_t)k;
        }
    }
    return r;
}

NestId lower_contract(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index) {
    Reduction r = reduction_of_contract(l, f, node, index);
    return reduction_run(&r);
}

/* Axis by axis, from the outside in, each with an accumulator of each reduction. */
static void reductions_loop(Reduction *r, uint32_t n, uint32_t axis, NestId *sums) {
    Lower *l = r->l;
    if (axis == r->n_axes) {
        for (uint32_t k = 0; k < n; k++)
            sums[k] = lower_vector(l, reduction_accumulate(&r[k], sums[k]));
        return;
    }
    NestLoop *loop = nest_loop_begin(&l->b, NEST_REDUCE, nest_i64(&l->b, 0),
                                     nest_i64(&l->b, r->extent[axis]), 1, n, sums);
    lower_memo_begin(l);
    for (uint32_t k = 0; k < n; k++) {
        reduction_set_axis(&r[k], axis, affine_var(loop->variable));
        sums[k] = loop->inner[k];
    }
    reductions_loop(r, n, axis + 1, sums);
    lower_memo_end(l);
    nest_loop_end(&l->b, sums);
    for (uint32_t k = 0; k < n; k++)
        sums[k] = nest_result(&l->b, loop, k);
}

void lower_contract_vectors(Lower *l, const TirNode *node, const AffineIndex *index, uint32_t n,
                            NestId *to) {
    Reduction *r = ARENA_ARRAY(l->arena, Reduction, n);
    const NestType type = lower_type(l, node->type.elem, l->context.lanes);
    for (uint32_t k = 0; k < n; k++) {
        r[k] = reduction_of_contract(l, &l->frame, node, &index[k]);
        to[k] = nest_const(&l->b, type, 0);
    }
    reductions_loop(r, n, 0, to);
}

NestId lower_contract_term(Lower *l, TirId id, const AffineIndex *index, uint64_t term,
                           NestId sum) {
    Reduction r = reduction_of_contract(l, &l->frame, tir_node(l->block, id), index);
    return reduction_add_term(&r, term, sum);
}

NestId lower_added(Lower *l, TirId id, const AffineIndex *index, NestId sum) {
    const TirNode *node = tir_node(l->block, id);
    const ScheduleValue *v = lower_find(l, id);
    bool stored = v && lower_held(l, v)->ready;
    if (node->op != TIR_CONTRACT || stored)
        return lower_binary(l, NEST_ADD, sum, lower_eval(l, &l->frame, id, index));
    Reduction r = reduction_of_contract(l, &l->frame, node, index);
    uint64_t total = reduction_terms(&r);
    if (total > UNROLL_REDUCE)
        return lower_binary(l, NEST_ADD, sum, lower_eval(l, &l->frame, id, index));
    for (uint64_t i = 0; i < total; i++)
        sum = reduction_add_term(&r, i, sum);
    return sum;
}

/* The sum of what goes to one row: a comparison for each index. */
NestId lower_scatter_add(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index) {
    Reduction r = {.l = l, .f = f, .node = node, .n_operands = 2, .row = index->at[0]};
    const TirType *indices = &tir_node(f->block, node->operands[0])->type;
    const TirType *values = &tir_node(f->block, node->operands[1])->type;
    r.operands[0].rank = r.n_axes = indices->rank;
    r.operands[1].rank = values->rank;
    for (uint32_t k = 0; k < indices->rank; k++) {
        r.extent[k] = indices->dims[k];
        r.at[0][k][0] = r.at[1][k][0] = (int8_t)k;
        r.at[0][k][1] = r.at[1][k][1] = -1;
    }
    for (uint32_t k = indices->rank; k < values->rank; k++)
        r.operands[1].at[k] = index->at[1 + k - indices->rank];
    return reduction_run(&r);
}

typedef struct {
    NestId best, where;
} Maximum;

/* The first maximum so far, with the element at `i` (as i32 `number`) looked at too. */
static Maximum maximum_better(Lower *l, Maximum so_far, NestId x, NestId number) {
    NestId larger = lower_binary(l, NEST_LT, so_far.best, x);
    return (Maximum){lower_select(l, larger, x, so_far.best),
                     lower_select(l, larger, number, so_far.where)};
}

/* The first maximum, by comparison along the axis: unrolled when short, else a loop. */
NestId lower_argmax(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index) {
    const TirType *type = &tir_node(f->block, node->operands[0])->type;
    NestType number = {NEST_I32, 1};
    uint32_t axis = node->attr.axis, extent = type->dims[axis];
    AffineIndex inner = {.rank = type->rank};
    for (uint32_t k = 0, kept = 0; k < type->rank; k++)
        if (k != axis)
            inner.at[k] = index->at[kept++];
    inner.at[axis] = affine_const(0);
    Maximum max = {lower_eval(l, f, node->operands[0], &inner), nest_const(&l->b, number, 0)};
    if (extent <= UNROLL_REDUCE || f->scan) {
        for (uint32_t i = 1; i < extent; i++) {
            inner.at[axis] = affine_const(i);
            NestId x = lower_eval(l, f, node->operands[0], &inner);
            max = maximum_better(l, max, x, nest_const(&l->b, number, i));
        }
        return max.where;
    }
    NestId carried[2] = {lower_vector(l, max.best), lower_vector(l, max.where)};
    NestLoop *loop = nest_loop_begin(&l->b, NEST_REDUCE, nest_i64(&l->b, 1),
                                     nest_i64(&l->b, extent), 1, 2, carried);
    lower_memo_begin(l);
    inner.at[axis] = affine_var(loop->variable);
    NestId x = lower_eval(l, f, node->operands[0], &inner);
    max = maximum_better(l, (Maximum){loop->inner[0], loop->inner[1]}, x,
                         nest_cast(&l->b, NEST_I32, loop->variable));
    NestId next[2] = {lower_vector(l, max.best), lower_vector(l, max.where)};
    lower_memo_end(l);
    nest_loop_end(&l->b, next);
    return nest_result(&l->b, loop, 1);
}
