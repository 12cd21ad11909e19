/* How each op's value at an index follows from its operands' values. */
#include "lower/lower_internal.h"

static NestId operand(Lower *l, Frame *f, const TirNode *node, uint32_t k, const Index *index) {
    const TirType *type = &tir_node(f->block, node->operands[k])->type;
    Index none = {0};
    return lower_eval(l, f, node->operands[k], type->rank == 0 ? &none : index);
}

/* Makes both scalars or both vectors. */
static void match_lanes(Lower *l, NestId *x, NestId *y) {
    uint16_t lx = nest_type(l->kernel, *x).lanes, ly = nest_type(l->kernel, *y).lanes;
    if (lx < ly)
        *x = nest_splat(&l->b, ly, *x);
    else if (ly < lx)
        *y = nest_splat(&l->b, lx, *y);
}

static NestId binary(Lower *l, NestOp op, NestId x, NestId y) {
    match_lanes(l, &x, &y);
    return nest_binary(&l->b, op, x, y);
}

NestId lower_select(Lower *l, NestId c, NestId x, NestId y) {
    match_lanes(l, &x, &y);
    match_lanes(l, &c, &x);
    match_lanes(l, &x, &y);
    return nest_select(&l->b, c, x, y);
}

static const NestOp map_ops[TIR_OP_COUNT] = {
    [TIR_NEG] = NEST_NEG,         [TIR_ABS] = NEST_ABS,   [TIR_EXP] = NEST_EXP,
    [TIR_LOG] = NEST_LOG,         [TIR_SQRT] = NEST_SQRT, [TIR_RSQRT] = NEST_RSQRT,
    [TIR_TANH] = NEST_TANH,       [TIR_SIN] = NEST_SIN,   [TIR_COS] = NEST_COS,
    [TIR_SIGMOID] = NEST_SIGMOID, [TIR_ERF] = NEST_ERF,   [TIR_FLOOR] = NEST_FLOOR,
    [TIR_NOT] = NEST_NOT,         [TIR_ADD] = NEST_ADD,   [TIR_SUB] = NEST_SUB,
    [TIR_MUL] = NEST_MUL,         [TIR_DIV] = NEST_DIV,   [TIR_POW] = NEST_POW,
    [TIR_MIN] = NEST_MIN,         [TIR_MAX] = NEST_MAX,   [TIR_LT] = NEST_LT,
    [TIR_LE] = NEST_LE,           [TIR_EQ] = NEST_EQ,     [TIR_AND] = NEST_AND,
    [TIR_OR] = NEST_OR,
};

static NestId eval_map(Lower *l, Frame *f, const TirNode *node, const Index *index) {
    if (tir_op_class(node->op) != TIR_CLASS_MAP)
        lower_fault(l, node->op, "it is read where it is not made");
    NestId x = operand(l, f, node, 0, index);
    switch (node->op) {
    case TIR_STOP_GRADIENT:
        return x;
    case TIR_TO_REAL:
        return nest_cast(&l->b, l->options.real, x);
    case TIR_SELECT:
        return lower_select(l, x, operand(l, f, node, 1, index), operand(l, f, node, 2, index));
    default:
        break;
    }
    NestOp op = map_ops[node->op];
    if (node->n_operands == 1)
        return nest_unary(&l->b, op, x);
    /* a * b + c in one rounding, when the product is used here alone: left to code generation. */
    return binary(l, op, x, operand(l, f, node, 1, index));
}

static NestId eval_position(Lower *l) {
    NestId positions = nest_extent(&l->b, NEST_POSITIONS);
    Affine instance = affine_add(affine_var(l->tile0), l->context.row);
    if (!instance.lane)
        return nest_cast(&l->b, NEST_I32,
                         nest_binary(&l->b, NEST_REM, affine_scalar(l, &instance), positions));
    NestId lanes = affine_i32(l, &instance);
    NestId wrap = nest_splat(&l->b, l->context.lanes, nest_cast(&l->b, NEST_I32, positions));
    return nest_binary(&l->b, NEST_REM, lanes, wrap);
}

/* Which sample an instance of the kernel's domain is of; as many lanes as positions have. */
static NestId eval_sample(Lower *l) {
    Affine instance = affine_add(affine_var(l->tile0), l->context.row);
    bool per_position = l->group->domain.space != 0;
    NestId positions = nest_extent(&l->b, NEST_POSITIONS);
    if (!instance.lane) {
        NestId at = affine_scalar(l, &instance);
        if (per_position)
            at = nest_binary(&l->b, NEST_DIV, at, positions);
        return nest_cast(&l->b, NEST_I32, at);
    }
    NestId lanes = affine_i32(l, &instance);
    NestId by = nest_splat(&l->b, l->context.lanes, nest_cast(&l->b, NEST_I32, positions));
    return per_position ? nest_binary(&l->b, NEST_DIV, lanes, by) : lanes;
}

/* The counter: element, position, sample, call; so that a number depends neither on the batch's
 * size nor on how the work is cut. */
static NestId eval_random(Lower *l, Frame *f, const TirNode *node, const Index *index) {
    NestId zero = nest_const(&l->b, (NestType){NEST_I32, 1}, 0);
    TirDomain d = node->type.domain;
    Affine flat = affine_flat(index, &node->type);
    NestId counter[4] = {affine_i32(l, &flat), d.space ? eval_position(l) : zero,
                         d.sample ? eval_sample(l) : zero, operand(l, f, node, 0, index)};
    return nest_random(&l->b, l->options.real, counter);
}

static NestId eval_count(Lower *l, TirDomain domain) {
    NestId n = nest_i64(&l->b, 1);
    if (domain.sample)
        n = nest_binary(&l->b, NEST_MUL, n, nest_extent(&l->b, NEST_SAMPLES));
    if (domain.space)
        n = nest_binary(&l->b, NEST_MUL, n, nest_extent(&l->b, NEST_POSITIONS));
    return nest_cast(&l->b, l->options.real, n);
}

static NestId eval_broadcast(Lower *l, Frame *f, const TirNode *node, const Index *index) {
    Index inner = {.rank = tir_node(f->block, node->operands[0])->type.rank};
    for (uint32_t k = 0; k < inner.rank; k++)
        inner.at[k] = index->at[node->attr.axes[k]];
    return lower_eval(l, f, node->operands[0], &inner);
}

static NestId eval_slice(Lower *l, Frame *f, const TirNode *node, const Index *index) {
    Index inner = *index;
    inner.at[node->attr.axis] =
        affine_add(inner.at[node->attr.axis], affine_const(node->attr.start));
    return lower_eval(l, f, node->operands[0], &inner);
}

/* --- reshape ------------------------------------------------------------------------------------
 */

/* Entry `flat` of source axes [first, last), one index each. */
static void split_flat(Lower *l, const TirType *source, uint32_t first, uint32_t last, Affine flat,
                       Index *inner) {
    for (uint32_t k = last; k-- > first;) {
        const int64_t extent = source->dims[k];
        bool outermost = true; /* of the axes that have more than one entry */
        for (uint32_t m = first; m < k; m++)
            outermost = outermost && source->dims[m] == 1;
        if (extent == 1 || outermost || affine_is_const(&flat)) {
            const bool constant = affine_is_const(&flat) && !outermost;
            inner->at[k] = extent == 1 ? affine_const(0)
                           : constant  ? affine_const(flat.offset % extent)
                                       : flat;
            if (extent > 1)
                flat = affine_const(constant ? flat.offset / extent : 0);
            continue;
        }
        NestId at = affine_scalar(l, &flat), n = nest_i64(&l->b, extent);
        inner->at[k] = affine_var(nest_binary(&l->b, NEST_REM, at, n));
        flat = affine_var(nest_binary(&l->b, NEST_DIV, at, n));
    }
}

/* The source's index for one of the result. Axes are taken in the smallest groups that hold equally
 * many entries on both sides; an axis of a group by itself is passed on as it is. False when a
 * vector of entries would run over the end of an axis into another. */
static bool reshape_index(Lower *l, const TirType *type, const Index *index, const TirType *source,
                          Index *inner) {
    uint32_t i = 0, j = 0;
    *inner = (Index){.rank = source->rank};
    while (i < type->rank || j < source->rank) {
        const uint32_t i0 = i, j0 = j;
        uint64_t have = i < type->rank ? type->dims[i++] : 1;
        uint64_t want = j < source->rank ? source->dims[j++] : 1;
        while (have != want) {
            if (have < want)
                have *= type->dims[i++];
            else
                want *= source->dims[j++];
        }
        Affine flat = affine_const(0);
        for (uint32_t k = i0; k < i; k++)
            flat = affine_add(affine_scale(flat, type->dims[k]), index->at[k]);
        uint32_t real = 0; /* source axes of more than one entry */
        for (uint32_t k = j0; k < j; k++)
            real += source->dims[k] > 1;
        if (flat.lane && real > 1)
            return false;
        split_flat(l, source, j0, j, flat, inner);
    }
    return true;
}

static bool lies_in_memory(const Lower *l, const Frame *f, TirId id) {
    const Value *v = f->scan ? NULL : schedule_value(l, id);
    return v && v->ready && (!v->registers || v->must_store);
}

/* A vector whose entries lie on both sides of an axis's end, entry by entry. */
static NestId reshape_by_entry(Lower *l, Frame *f, TirId source, const TirType *type, Affine flat) {
    const int64_t step = flat.lane, entries = (int64_t)tir_element_count(type);
    const NestId lanes = nest_lanes(&l->b, l->context.lanes);
    NestId x = 0;
    flat.lane = 0;
    for (uint16_t k = 0; k < l->context.lanes; k++, flat.offset += step) {
        Index inner = {.rank = type->rank};
        Affine at = flat;
        if (k > 0) /* the last vector of a loop may reach past the end */
            at = affine_var(nest_binary(&l->b, NEST_MIN, affine_scalar(l, &flat),
                                        nest_i64(&l->b, entries - 1)));
        split_flat(l, type, 0, type->rank, at, &inner);
        const NestId entry = lower_vector(l, lower_eval(l, f, source, &inner));
        const NestId here = nest_binary(
            &l->b, NEST_EQ, lanes, nest_const(&l->b, (NestType){NEST_I32, l->context.lanes}, k));
        x = x ? nest_select(&l->b, here, entry, x) : entry;
    }
    return x;
}

/* The operand's elements in order: by address when it lies in memory, else at the index that the
 * operand's own axes give them. */
static NestId eval_reshape(Lower *l, Frame *f, const TirNode *node, const Index *index) {
    TirId source = node->operands[0];
    const TirType *type = &tir_node(f->block, source)->type;
    const Affine flat = affine_flat(index, &node->type);
    Index inner = {.rank = type->rank};
    if (type->rank == 0) /* a single element, wherever it lies */
        return lower_eval(l, f, source, &inner);
    const bool stored = lies_in_memory(l, f, source) && !affine_is_const(&flat);
    if (stored && schedule_has_packed_copy(schedule_value(l, source)) &&
        reshape_index(l, &node->type, index, type, &inner))
        return lower_eval(l, f, source, &inner);
    if (stored) {
        /* A load multiplies the last axis by stride 1. */
        inner = (Index){.rank = type->rank, .by_address = true};
        inner.at[type->rank - 1] = flat;
    } else if (!reshape_index(l, &node->type, index, type, &inner)) {
        return reshape_by_entry(l, f, source, type, flat);
    }
    return lower_eval(l, f, source, &inner);
}

int lower_in_range(Lower *l, const Affine *i, int64_t begin, int64_t end, NestId *condition) {
    if (affine_is_const(i))
        return i->offset >= begin && i->offset < end;
    NestId at = affine_i32(l, i);
    NestType t = nest_type(l->kernel, at);
    NestId low = nest_binary(&l->b, NEST_LE, nest_const(&l->b, t, (double)begin), at);
    NestId high = nest_binary(&l->b, NEST_LT, at, nest_const(&l->b, t, (double)end));
    *condition = nest_binary(&l->b, NEST_AND, low, high);
    return -1;
}

Affine lower_clamped(Lower *l, Affine i, int64_t begin, int64_t extent) {
    i.offset -= begin;
    if (affine_is_const(&i))
        return i;
    if (extent == 1)
        return affine_const(0);
    NestId at = affine_scalar(l, &i);
    at = nest_binary(&l->b, NEST_MAX, at, nest_i64(&l->b, 0));
    at = nest_binary(&l->b, NEST_MIN, at, nest_i64(&l->b, extent - 1));
    return affine_var(at);
}

static NestId eval_pad(Lower *l, Frame *f, const TirNode *node, const Index *index) {
    uint32_t axis = node->attr.axis;
    int64_t extent = tir_node(f->block, node->operands[0])->type.dims[axis];
    int64_t begin = node->attr.start;
    NestId condition = 0;
    int known = lower_in_range(l, &index->at[axis], begin, begin + extent, &condition);
    if (known == 0)
        return lower_zero(l, node->type.elem, 1);
    Index inner = *index;
    inner.at[axis] = lower_clamped(l, inner.at[axis], begin, extent);
    NestId x = lower_eval(l, f, node->operands[0], &inner);
    return known > 0 ? x : lower_select(l, condition, x, lower_zero(l, node->type.elem, 1));
}

static NestId eval_concat(Lower *l, Frame *f, const TirNode *node, const Index *index) {
    uint32_t axis = node->attr.axis;
    int64_t begin = 0;
    NestId result = 0;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        int64_t extent = tir_node(f->block, node->operands[k])->type.dims[axis];
        NestId condition = 0;
        int known = lower_in_range(l, &index->at[axis], begin, begin + extent, &condition);
        if (known != 0) {
            Index inner = *index;
            inner.at[axis] = lower_clamped(l, inner.at[axis], begin, extent);
            NestId x = lower_eval(l, f, node->operands[k], &inner);
            if (known > 0)
                return x;
            result = result ? lower_select(l, condition, x, result) : x;
        }
        begin += extent;
    }
    return result;
}

/* --- reductions: a chain when short, else loops -------------------------------------------------
 */

typedef struct {
    Lower *l;
    Frame *f;
    const TirNode *node;
    Index operands[2];
    uint32_t n_operands;
    /* summed axes: extent and where the index goes in each operand (-1: nowhere) */
    uint32_t n_axes;
    uint32_t extent[2 * TIR_MAX_RANK];
    int8_t at[2][2 * TIR_MAX_RANK][2];
    Affine row; /* SCATTER_ADD: the row asked for */
} Reduction;

static void set_axis(Reduction *r, uint32_t axis, Affine i) {
    for (uint32_t o = 0; o < r->n_operands; o++)
        for (uint32_t m = 0; m < 2; m++)
            if (r->at[o][axis][m] >= 0)
                r->operands[o].at[r->at[o][axis][m]] = i;
}

static NestId accumulate(Reduction *r, NestId sum) {
    Lower *l = r->l;
    NestId x = lower_eval(l, r->f, r->node->operands[0], &r->operands[0]);
    if (r->n_operands == 2) {
        NestId y = lower_eval(l, r->f, r->node->operands[1], &r->operands[1]);
        if (r->node->op == TIR_SCATTER_ADD) { /* x is an index, y what goes to its row */
            NestId here = binary(l, NEST_EQ, x, affine_i32(l, &r->row));
            y = lower_select(l, here, y, lower_zero(l, TIR_REAL, 1));
            return sum ? binary(l, NEST_ADD, sum, y) : y;
        }
        if (!sum)
            return binary(l, NEST_MUL, x, y);
        match_lanes(l, &x, &y);
        match_lanes(l, &x, &sum);
        match_lanes(l, &x, &y);
        return nest_fma(&l->b, x, y, sum);
    }
    if (!sum)
        return x;
    switch (r->node->op) {
    case TIR_REDUCE_MAX:
        return binary(l, NEST_MAX, sum, x);
    case TIR_REDUCE_MIN:
        return binary(l, NEST_MIN, sum, x);
    case TIR_REDUCE_PROD:
        return binary(l, NEST_MUL, sum, x);
    default:
        return binary(l, NEST_ADD, sum, x);
    }
}

static uint64_t term_count(const Reduction *r) {
    uint64_t total = 1;
    for (uint32_t k = 0; k < r->n_axes; k++)
        total *= r->extent[k];
    return total;
}

/* `sum` with the i-th term folded in; 0 starts. */
static NestId add_term(Reduction *r, uint64_t i, NestId sum) {
    for (uint32_t k = r->n_axes; k-- > 0;) {
        set_axis(r, k, affine_const((int64_t)(i % r->extent[k])));
        i /= r->extent[k];
    }
    return accumulate(r, sum);
}

static NestId reduce_unrolled(Reduction *r) {
    NestId sum = 0;
    for (uint64_t i = 0, total = term_count(r); i < total; i++)
        sum = add_term(r, i, sum);
    return sum;
}

/* All but the last axes, then the last: loops from the outside in. Depth is the rank. */
static NestId reduce_loop(Reduction *r, uint32_t axis, NestId sum) {
    Lower *l = r->l;
    if (axis == r->n_axes)
        return accumulate(r, sum);
    NestLoop *loop = nest_loop_begin(&l->b, NEST_REDUCE, nest_i64(&l->b, 0),
                                     nest_i64(&l->b, r->extent[axis]), 1, 1, &sum);
    lower_scope_begin(l);
    set_axis(r, axis, affine_var(loop->variable));
    NestId next = lower_vector(l, reduce_loop(r, axis + 1, loop->inner[0]));
    lower_scope_end(l);
    nest_loop_end(&l->b, &next);
    return nest_result(&l->b, loop, 0);
}

static NestId run_reduction(Reduction *r) {
    if (term_count(r) <= UNROLL_REDUCE || r->f->scan)
        return reduce_unrolled(r);
    Lower *l = r->l;
    NestType type = lower_type(l, r->node->type.elem, l->context.lanes);
    return reduce_loop(r, 0, nest_const(&l->b, type, lower_fold_identity(r->node->op)));
}

static NestId eval_reduce(Lower *l, Frame *f, const TirNode *node, const Index *index) {
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
    return run_reduction(&r);
}

static Reduction contraction(Lower *l, Frame *f, const TirNode *node, const Index *index) {
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

static NestId eval_contract(Lower *l, Frame *f, const TirNode *node, const Index *index) {
    Reduction r = contraction(l, f, node, index);
    return run_reduction(&r);
}

uint64_t schedule_terms(Lower *l, TirId id) {
    const TirNode *node = tir_node(l->block, id);
    Index any = {.rank = node->type.rank};
    Reduction r = contraction(l, &l->frame, node, &any);
    return term_count(&r);
}

NestId lower_contract_term(Lower *l, TirId id, const Index *index, uint64_t term, NestId sum) {
    Reduction r = contraction(l, &l->frame, tir_node(l->block, id), index);
    return add_term(&r, term, sum);
}

NestId lower_added(Lower *l, TirId id, const Index *index, NestId sum) {
    const TirNode *node = tir_node(l->block, id);
    const Value *v = schedule_value(l, id);
    bool stored = v && v->ready;
    if (node->op != TIR_CONTRACT || stored)
        return binary(l, NEST_ADD, sum, lower_eval(l, &l->frame, id, index));
    Reduction r = contraction(l, &l->frame, node, index);
    uint64_t total = term_count(&r);
    if (total > UNROLL_REDUCE)
        return binary(l, NEST_ADD, sum, lower_eval(l, &l->frame, id, index));
    for (uint64_t i = 0; i < total; i++)
        sum = add_term(&r, i, sum);
    return sum;
}

typedef struct {
    NestId best, where;
} Maximum;

/* The first maximum so far, with the element at `i` (as i32 `number`) looked at too. */
static Maximum better(Lower *l, Maximum so_far, NestId x, NestId number) {
    NestId larger = binary(l, NEST_LT, so_far.best, x);
    return (Maximum){lower_select(l, larger, x, so_far.best),
                     lower_select(l, larger, number, so_far.where)};
}

/* The first maximum, by comparison along the axis: unrolled when short, else a loop. */
static NestId eval_argmax(Lower *l, Frame *f, const TirNode *node, const Index *index) {
    const TirType *type = &tir_node(f->block, node->operands[0])->type;
    NestType number = {NEST_I32, 1};
    uint32_t axis = node->attr.axis, extent = type->dims[axis];
    Index inner = {.rank = type->rank};
    for (uint32_t k = 0, kept = 0; k < type->rank; k++)
        if (k != axis)
            inner.at[k] = index->at[kept++];
    inner.at[axis] = affine_const(0);
    Maximum max = {lower_eval(l, f, node->operands[0], &inner), nest_const(&l->b, number, 0)};
    if (extent <= UNROLL_REDUCE || f->scan) {
        for (uint32_t i = 1; i < extent; i++) {
            inner.at[axis] = affine_const(i);
            NestId x = lower_eval(l, f, node->operands[0], &inner);
            max = better(l, max, x, nest_const(&l->b, number, i));
        }
        return max.where;
    }
    NestId carried[2] = {lower_vector(l, max.best), lower_vector(l, max.where)};
    NestLoop *loop = nest_loop_begin(&l->b, NEST_REDUCE, nest_i64(&l->b, 1),
                                     nest_i64(&l->b, extent), 1, 2, carried);
    lower_scope_begin(l);
    inner.at[axis] = affine_var(loop->variable);
    NestId x = lower_eval(l, f, node->operands[0], &inner);
    max = better(l, (Maximum){loop->inner[0], loop->inner[1]}, x,
                 nest_cast(&l->b, NEST_I32, loop->variable));
    NestId next[2] = {lower_vector(l, max.best), lower_vector(l, max.where)};
    lower_scope_end(l);
    nest_loop_end(&l->b, next);
    return nest_result(&l->b, loop, 1);
}

/* Whether no index can be outside: tokens are checked against their limit when they are given. */
static bool always_inside(const Lower *l, const Frame *f, TirId index, uint32_t rows) {
    const TirProgram *p = l->plan->program;
    const TirNode *node = tir_node(f->block, index);
    if (node->op == TIR_INPUT)
        return p->inputs.at[node->attr.index].limit > 0 &&
               p->inputs.at[node->attr.index].limit <= rows;
    return node->op == TIR_POSITION && p->spaces.at[node->attr.index - 1].maximum <= rows;
}

/* With an index of its own in each lane (in loops, where positions are in lanes): one comparison a
 * row. */
static NestId gather_by_row(Lower *l, Frame *f, const TirNode *node, Index *whole, NestId index) {
    NestId result = lower_zero(l, node->type.elem, 1);
    uint16_t lanes = nest_type(l->kernel, index).lanes;
    uint32_t rows = tir_node(f->block, node->operands[0])->type.dims[0];
    for (uint32_t r = 0; r < rows; r++) {
        whole->at[0] = affine_const(r);
        NestId number = nest_const(&l->b, (NestType){NEST_I32, lanes}, r);
        NestId here = nest_binary(&l->b, NEST_EQ, index, number);
        result = lower_select(l, here, lower_eval(l, f, node->operands[0], whole), result);
    }
    return result;
}

/* The row is read where it lies; outside, the first row is, and the result is zero. */
static NestId eval_gather(Lower *l, Frame *f, const TirNode *node, const Index *index) {
    const TirType *table = &tir_node(f->block, node->operands[0])->type;
    Index at = {.rank = tir_node(f->block, node->operands[1])->type.rank};
    for (uint32_t k = 0; k < at.rank; k++)
        at.at[k] = index->at[k];
    Index whole = {.rank = table->rank};
    for (uint32_t k = 1; k < table->rank; k++)
        whole.at[k] = index->at[at.rank + k - 1];
    NestId number = lower_eval(l, f, node->operands[1], &at);
    if (f->scan || nest_type(l->kernel, number).lanes > 1)
        return gather_by_row(l, f, node, &whole, number);
    NestId row = nest_cast(&l->b, NEST_I64, number), inside = 0;
    if (!always_inside(l, f, node->operands[1], table->dims[0])) {
        NestId rows = nest_i64(&l->b, table->dims[0]), first = nest_i64(&l->b, 0);
        inside = nest_binary(&l->b, NEST_AND, nest_binary(&l->b, NEST_LE, first, row),
                             nest_binary(&l->b, NEST_LT, row, rows));
        row = nest_select(&l->b, inside, row, first);
    }
    whole.at[0] = affine_var(row);
    NestId x = lower_eval(l, f, node->operands[0], &whole);
    return inside ? lower_select(l, inside, x, lower_zero(l, node->type.elem, 1)) : x;
}

/* The sum of what goes to one row: a comparison for each index. */
static NestId eval_scatter_add(Lower *l, Frame *f, const TirNode *node, const Index *index) {
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
    return run_reduction(&r);
}

static NestId eval_onehot(Lower *l, Frame *f, const TirNode *node, const Index *index) {
    Index at = {.rank = index->rank - 1};
    for (uint32_t k = 0; k < at.rank; k++)
        at.at[k] = index->at[k];
    NestId hot = lower_eval(l, f, node->operands[0], &at);
    NestId here = affine_i32(l, &index->at[at.rank]);
    NestId same = binary(l, NEST_EQ, hot, here);
    return nest_cast(&l->b, l->options.real, same);
}

NestId lower_op(Lower *l, Frame *f, TirId id, const TirNode *node, const Index *index) {
    (void)id;
    switch (node->op) {
    case TIR_CONST:
        return nest_const(&l->b, lower_type(l, node->type.elem, 1), node->attr.number);
    case TIR_POSITION:
        return eval_position(l);
    case TIR_COUNT:
        return eval_count(l, node->attr.domain);
    case TIR_TRAINING:
        return nest_cast(&l->b, l->options.real, nest_extent(&l->b, NEST_TRAINING));
    case TIR_RANDOM:
        return eval_random(l, f, node, index);
    case TIR_BROADCAST:
        return eval_broadcast(l, f, node, index);
    case TIR_SLICE:
        return eval_slice(l, f, node, index);
    case TIR_RESHAPE:
        return eval_reshape(l, f, node, index);
    case TIR_PAD:
        return eval_pad(l, f, node, index);
    case TIR_CONCAT:
        return eval_concat(l, f, node, index);
    case TIR_TAKE:
        return lower_take(l, f, node, index);
    case TIR_REDUCE_SUM:
    case TIR_REDUCE_MAX:
    case TIR_REDUCE_MIN:
    case TIR_REDUCE_PROD:
    case TIR_POSITION_SUM:
        return eval_reduce(l, f, node, index);
    case TIR_CONTRACT:
        return eval_contract(l, f, node, index);
    case TIR_ARGMAX:
        return eval_argmax(l, f, node, index);
    case TIR_SHIFT:
        return lower_shift(l, f, node, index);
    case TIR_GATHER:
        return eval_gather(l, f, node, index);
    case TIR_SCATTER_ADD:
        return eval_scatter_add(l, f, node, index);
    case TIR_ONEHOT:
        return eval_onehot(l, f, node, index);
    default:
        return eval_map(l, f, node, index);
    }
}
