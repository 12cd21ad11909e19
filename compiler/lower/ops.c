/* How each op's value at an index follows from its operands' values. */
#include "lower/lower_internal.h"

static NestId op_operand(Lower *l, LowerFrame *f, const TirNode *node, uint32_t k,
                         const AffineIndex *index) {
    const TirType *type = &tir_node(f->block, node->operands[k])->type;
    AffineIndex none = {0};
    return lower_eval(l, f, node->operands[k], type->rank == 0 ? &none : index);
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

static NestId op_map(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index) {
    if (tir_op_class(node->op) != TIR_CLASS_MAP)
        lower_fault(l, node->op, "it is read where it is not made");
    NestId x = op_operand(l, f, node, 0, index);
    switch (node->op) {
    case TIR_STOP_GRADIENT:
        return x;
    case TIR_TO_REAL:
        return nest_cast(&l->b, l->real, x);
    case TIR_SELECT:
        return lower_select(l, x, op_operand(l, f, node, 1, index),
                            op_operand(l, f, node, 2, index));
    default:
        break;
    }
    NestOp op = map_ops[node->op];
    if (node->n_operands == 1)
        return nest_unary(&l->b, op, x);
    /* a * b + c in one rounding, when the product is used here alone: left to code generation. */
    return lower_binary(l, op, x, op_operand(l, f, node, 1, index));
}

static NestId op_position(Lower *l) {
    NestId positions = nest_extent(&l->b, NEST_POSITIONS);
    Affine instance = affine_add(affine_var(l->tile0), l->context.row);
    if (!instance.lane)
        return nest_cast(&l->b, NEST_I32,
                         nest_binary(&l->b, NEST_REM, affine_scalar(&l->b, &instance), positions));
    NestId lanes = affine_i32(&l->b, &instance, l->context.lanes);
    NestId wrap = nest_splat(&l->b, l->context.lanes, nest_cast(&l->b, NEST_I32, positions));
    return nest_binary(&l->b, NEST_REM, lanes, wrap);
}

/* Which sample of the batch an instance of the kernel's domain is of; as many lanes as positions
 * have. */
static NestId op_sample(Lower *l) {
    Affine instance = affine_add(affine_var(l->tile0), l->context.row);
    bool per_position = l->schedule->group->domain.space != 0;
    NestId positions = nest_extent(&l->b, NEST_POSITIONS);
    NestId first = nest_extent(&l->b, NEST_FIRST_SAMPLE);
    if (!instance.lane) {
        NestId at = affine_scalar(&l->b, &instance);
        if (per_position)
            at = nest_binary(&l->b, NEST_DIV, at, positions);
        return nest_cast(&l->b, NEST_I32, nest_binary(&l->b, NEST_ADD, first, at));
    }
    const uint16_t n = l->context.lanes;
    NestId lanes = affine_i32(&l->b, &instance, n);
    NestId by = nest_splat(&l->b, n, nest_cast(&l->b, NEST_I32, positions));
    return nest_binary(&l->b, NEST_ADD,
                       per_position ? nest_binary(&l->b, NEST_DIV, lanes, by) : lanes,
                       nest_splat(&l->b, n, nest_cast(&l->b, NEST_I32, first)));
}

/* The counter: element, position, sample, call; so that a number depends neither on the batch's
 * size nor on how the work is cut. */
static NestId op_random(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index) {
    NestId zero = nest_const(&l->b, (NestType){NEST_I32, 1}, 0);
    TirDomain d = node->type.domain;
    Affine flat = affine_flat(index, &node->type);
    NestId counter[4] = {affine_i32(&l->b, &flat, l->context.lanes),
                         d.space ? op_position(l) : zero, d.sample ? op_sample(l) : zero,
                         op_operand(l, f, node, 0, index)};
    return nest_random(&l->b, l->real, counter);
}

NestId lower_positions_of(Lower *l, uint8_t space) {
    return lower_extent_of_space(&l->b, l->schedule->group->domain.space, space);
}

NestId lower_extent_of_space(NestBuilder *b, uint8_t own, uint8_t space) {
    return nest_extent(b, space == own ? NEST_POSITIONS : (NestExtent)(NEST_SPACE + space - 1));
}

static NestId op_count(Lower *l, TirDomain domain) {
    NestId n = nest_i64(&l->b, 1);
    if (domain.sample)
        n = nest_binary(&l->b, NEST_MUL, n, nest_extent(&l->b, NEST_BATCH));
    if (domain.space)
        n = nest_binary(&l->b, NEST_MUL, n, lower_positions_of(l, domain.space));
    return nest_cast(&l->b, l->real, n);
}

static NestId op_broadcast(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index) {
    AffineIndex inner = {.rank = tir_node(f->block, node->operands[0])->type.rank};
    for (uint32_t k = 0; k < inner.rank; k++)
        inner.at[k] = index->at[node->attr.axes[k]];
    return lower_eval(l, f, node->operands[0], &inner);
}

static NestId op_slice(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index) {
    AffineIndex inner = *index;
    inner.at[node->attr.axis] =
        affine_add(inner.at[node->attr.axis], affine_const(node->attr.start));
    return lower_eval(l, f, node->operands[0], &inner);
}

/* --- reshape -----------------------------------------------------------------------------------*/

/* Entry `flat` of source axes [first, last), one index each. */
static void op_split_flat(Lower *l, const TirType *source, uint32_t first, uint32_t last,
                          Affine flat, AffineIndex *inner) {
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
        NestId at = affine_scalar(&l->b, &flat), n = nest_i64(&l->b, extent);
        inner->at[k] = affine_var(nest_binary(&l->b, NEST_REM, at, n));
        flat = affine_var(nest_binary(&l->b, NEST_DIV, at, n));
    }
}

/* The source's index for one of the result. Axes are taken in the smallest groups that hold equally
 * many entries on both sides; an axis of a group by itself is passed on as it is. False when a
 * vector of entries would run over the end of an axis into another. */
static bool op_reshape_index(Lower *l, const TirType *type, const AffineIndex *index,
                             const TirType *source, AffineIndex *inner) {
    uint32_t i = 0, j = 0;
    *inner = (AffineIndex){.rank = source->rank};
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
        op_split_flat(l, source, j0, j, flat, inner);
    }
    return true;
}

static bool op_lies_in_memory(const Lower *l, const LowerFrame *f, TirId id) {
    const ScheduleValue *v = f->scan ? NULL : lower_find(l, id);
    return v && lower_held(l, v)->ready && v->place != PLACE_REGISTERS;
}

/* A vector whose entries lie on both sides of an axis's end, entry by entry. */
static NestId op_reshape_by_entry(Lower *l, LowerFrame *f, TirId source, const TirType *type,
                                  Affine flat) {
    const int64_t step = flat.lane, entries = (int64_t)tir_element_count(type);
    const NestId lanes = nest_lanes(&l->b, l->context.lanes);
    NestId x = 0;
    flat.lane = 0;
    for (uint16_t k = 0; k < l->context.lanes; k++, flat.offset += step) {
        AffineIndex inner = {.rank = type->rank};
        Affine at = flat;
        if (k > 0) /* the last vector of a loop may reach past the end */
            at = affine_var(nest_binary(&l->b, NEST_MIN, affine_scalar(&l->b, &flat),
                                        nest_i64(&l->b, entries - 1)));
        op_split_flat(l, type, 0, type->rank, at, &inner);
        const NestId entry = lower_vector(l, lower_eval(l, f, source, &inner));
        const NestId here = nest_binary(
            &l->b, NEST_EQ, lanes, nest_const(&l->b, (NestType){NEST_I32, l->context.lanes}, k));
        x = x ? nest_select(&l->b, here, entry, x) : entry;
    }
    return x;
}

/* The operand's elements in order: by address when it lies in memory, else at the index that the
 * operand's own axes give them. */
static NestId op_reshape(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index) {
    TirId source = node->operands[0];
    const TirType *type = &tir_node(f->block, source)->type;
    const Affine flat = affine_flat(index, &node->type);
    AffineIndex inner = {.rank = type->rank};
    if (type->rank == 0) /* a single element, wherever it lies */
        return lower_eval(l, f, source, &inner);
    const bool stored = op_lies_in_memory(l, f, source) && !affine_is_const(&flat);
    const ScheduleValue *v = stored ? lower_find(l, source) : NULL;
    if (v && v->packed && !v->made && op_reshape_index(l, &node->type, index, type, &inner))
        return lower_eval(l, f, source, &inner);
    if (stored) {
        /* A load multiplies the last axis by stride 1. */
        inner = (AffineIndex){.rank = type->rank, .by_address = true};
        inner.at[type->rank - 1] = flat;
    } else if (!op_reshape_index(l, &node->type, index, type, &inner)) {
        return op_reshape_by_entry(l, f, source, type, flat);
    }
    return lower_eval(l, f, source, &inner);
}

static NestId op_pad(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index) {
    uint32_t axis = node->attr.axis;
    int64_t extent = tir_node(f->block, node->operands[0])->type.dims[axis];
    int64_t begin = node->attr.start;
    NestId condition = 0;
    int known = lower_in_range(l, &index->at[axis], begin, begin + extent, &condition);
    if (known == 0)
        return lower_zero(l, node->type.elem, 1);
    AffineIndex inner = *index;
    inner.at[axis] = lower_clamped(l, inner.at[axis], begin, extent);
    NestId x = lower_eval(l, f, node->operands[0], &inner);
    return known > 0 ? x : lower_select(l, condition, x, lower_zero(l, node->type.elem, 1));
}

static NestId op_concat(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index) {
    uint32_t axis = node->attr.axis;
    int64_t begin = 0;
    NestId result = 0;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        int64_t extent = tir_node(f->block, node->operands[k])->type.dims[axis];
        NestId condition = 0;
        int known = lower_in_range(l, &index->at[axis], begin, begin + extent, &condition);
        if (known != 0) {
            AffineIndex inner = *index;
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

/* Whether no index can be outside: tokens are checked against their limit when they are given. */
static bool op_always_inside(const Lower *l, const LowerFrame *f, TirId index, uint32_t rows) {
    const TirProgram *p = l->schedule->plan->program;
    const TirNode *node = tir_node(f->block, index);
    if (node->op == TIR_INPUT)
        return p->inputs.at[node->attr.index].limit > 0 &&
               p->inputs.at[node->attr.index].limit <= rows;
    return node->op == TIR_POSITION && p->spaces.at[node->attr.index - 1].maximum <= rows;
}

/* With an index of its own in each lane (in loops, where positions are in lanes): one comparison a
 * row. */
static NestId op_gather_by_row(Lower *l, LowerFrame *f, const TirNode *node, AffineIndex *whole,
                               NestId index) {
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
static NestId op_gather(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index) {
    const TirType *table = &tir_node(f->block, node->operands[0])->type;
    AffineIndex at = {.rank = tir_node(f->block, node->operands[1])->type.rank};
    for (uint32_t k = 0; k < at.rank; k++)
        at.at[k] = index->at[k];
    AffineIndex whole = {.rank = table->rank};
    for (uint32_t k = 1; k < table->rank; k++)
        whole.at[k] = index->at[at.rank + k - 1];
    NestId number = lower_eval(l, f, node->operands[1], &at);
    if (f->scan || nest_type(l->kernel, number).lanes > 1)
        return op_gather_by_row(l, f, node, &whole, number);
    NestId row = nest_cast(&l->b, NEST_I64, number), inside = 0;
    if (!op_always_inside(l, f, node->operands[1], table->dims[0])) {
        NestId rows = nest_i64(&l->b, table->dims[0]), first = nest_i64(&l->b, 0);
        inside = nest_binary(&l->b, NEST_AND, nest_binary(&l->b, NEST_LE, first, row),
                             nest_binary(&l->b, NEST_LT, row, rows));
        row = nest_select(&l->b, inside, row, first);
    }
    whole.at[0] = affine_var(row);
    NestId x = lower_eval(l, f, node->operands[0], &whole);
    return inside ? lower_select(l, inside, x, lower_zero(l, node->type.elem, 1)) : x;
}

static NestId op_onehot(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index) {
    AffineIndex at = {.rank = index->rank - 1};
    for (uint32_t k = 0; k < at.rank; k++)
        at.at[k] = index->at[k];
    NestId hot = lower_eval(l, f, node->operands[0], &at);
    NestId here = affine_i32(&l->b, &index->at[at.rank], l->context.lanes);
    NestId same = lower_binary(l, NEST_EQ, hot, here);
    return nest_cast(&l->b, l->real, same);
}

NestId lower_op(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index) {
    switch (node->op) {
    case TIR_CONST:
        return nest_const(&l->b, lower_type(l, node->type.elem, 1), node->attr.number);
    case TIR_POSITION:
        return op_position(l);
    case TIR_COUNT:
        return op_count(l, node->attr.domain);
    case TIR_TRAINING:
        return nest_cast(&l->b, l->real, nest_extent(&l->b, NEST_TRAINING));
    case TIR_STEP:
        return nest_cast(&l->b, l->real, nest_extent(&l->b, NEST_DONE));
    case TIR_STEPS:
        return nest_cast(&l->b, l->real, nest_extent(&l->b, NEST_STEPS));
    case TIR_RANDOM:
        return op_random(l, f, node, index);
    case TIR_BROADCAST:
        return op_broadcast(l, f, node, index);
    case TIR_SLICE:
        return op_slice(l, f, node, index);
    case TIR_RESHAPE:
        return op_reshape(l, f, node, index);
    case TIR_PAD:
        return op_pad(l, f, node, index);
    case TIR_CONCAT:
        return op_concat(l, f, node, index);
    case TIR_TAKE:
        return lower_take(l, f, node, index);
    case TIR_REDUCE_SUM:
    case TIR_REDUCE_MAX:
    case TIR_REDUCE_MIN:
    case TIR_REDUCE_PROD:
    case TIR_POSITION_SUM:
        return lower_reduce(l, f, node, index);
    case TIR_CONTRACT:
        return lower_contract(l, f, node, index);
    case TIR_ARGMAX:
        return lower_argmax(l, f, node, index);
    case TIR_SHIFT:
        return lower_shift(l, f, node, index);
    case TIR_GATHER:
        return op_gather(l, f, node, index);
    case TIR_SCATTER_ADD:
        return lower_scatter_add(l, f, node, index);
    case TIR_ONEHOT:
        return op_onehot(l, f, node, index);
    default:
        return op_map(l, f, node, index);
    }
}
