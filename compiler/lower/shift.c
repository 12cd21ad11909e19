/* Reading other positions.
 *
 * A shift's operand lies in memory for all positions (the plan sees to that), so its value at a
 * position is a load from another row, with a bounds check: outside, the position's own row is
 * read, which exists, and the result is zero. Nothing is copied; what stands between the shift and
 * memory (a slice, a product with a parameter) is evaluated at the other position.
 *
 *     %2 = shift %1 offset 2        row r reads row r - 2, where both are of one sample */
#include "lower/lower_internal.h"

static const LowerShiftedRow *shift_find(const Lower *l, const Affine *from, const int32_t *offset,
                                         uint32_t of_context) {
    for (uint32_t k = l->shifted.count; k-- > 0;) {
        const LowerShiftedRow *s = &l->shifted.at[k];
        if (s->of_context == of_context && s->offset[0] == offset[0] && s->offset[1] == offset[1] &&
            affine_equal(&s->from, from))
            return s;
    }
    return NULL;
}

/* 0 <= x - distance < end, of an x that is so: only one of the two can fail. */
static NestId shift_within(Lower *l, NestId x, int64_t distance, NestId end) {
    if (distance >= 0)
        return nest_binary(&l->b, NEST_LE, nest_i64(&l->b, distance), x);
    return nest_binary(&l->b, NEST_LT, nest_binary(&l->b, NEST_ADD, x, nest_i64(&l->b, -distance)),
                       end);
}

/* Any shift of this row. */
static const LowerShiftedRow *shift_other(const Lower *l, const Affine *from) {
    for (uint32_t k = l->shifted.count; k-- > 0;)
        if (l->shifted.at[k].of_context == 0 && affine_equal(&l->shifted.at[k].from, from))
            return &l->shifted.at[k];
    return NULL;
}

static void shift_place(Lower *l, LowerShiftedRow *s) {
    const LowerShiftedRow *other = shift_other(l, &s->from);
    if (other) {
        s->existing = other->existing;
        s->at = other->at;
        return;
    }
    s->existing = lower_existing_row(l);
    Affine instance = affine_add(affine_var(l->tile0), s->existing);
    s->at = nest_binary(&l->b, NEST_REM, affine_scalar(&l->b, &instance),
                        nest_extent(&l->b, NEST_POSITIONS));
}

/* Which row the context's row reads. */
static const LowerShiftedRow *shift_row(Lower *l, const TirSpace *space, const int32_t *offset) {
    const LowerShiftedRow *known = shift_find(l, &l->context.row, offset, 0);
    if (known)
        return known;
    LowerShiftedRow s = {.from = l->context.row, .offset = {offset[0], offset[1]}};
    shift_place(l, &s);
    int64_t distance = tir_shift_distance(space, offset);
    s.inside = shift_within(l, s.at, distance, nest_extent(&l->b, NEST_POSITIONS));
    if (space->rank == 2 && offset[1]) {
        NestId columns = nest_i64(&l->b, space->extents[1]);
        NestId c = nest_binary(&l->b, NEST_REM, s.at, columns);
        s.inside = nest_binary(&l->b, NEST_AND, s.inside, shift_within(l, c, offset[1], columns));
    }
    NestId step = nest_select(&l->b, s.inside, nest_i64(&l->b, -distance), nest_i64(&l->b, 0));
    s.to = affine_add(s.existing, affine_var(step));
    vec_push(l->arena, &l->shifted, s);
    return &l->shifted.at[l->shifted.count - 1];
}

static const TirSpace *shift_space(const Lower *l, const TirNode *node) {
    return &l->schedule->plan->program->spaces.at[node->type.domain.space - 1];
}

/* What `id` is, or is a view of; 0, a piece of zeros, is of none. */
static void shift_mark(Lower *l, TirId id) {
    const ScheduleValue *v = id ? lower_find(l, id) : NULL;
    while (!v && id && plan_is_view(tir_node(l->block, id))) {
        id = tir_node(l->block, id)->operands[0];
        v = lower_find(l, id);
    }
    if (v)
        lower_held(l, v)->seen = l->searches;
}

/* The shifts that evaluating the roots comes to at the context's own row: not through what lies in
 * memory, nor through another shift, behind which rows are others. */
static TirIdVec shift_search(Lower *l, const TirId *roots, uint32_t n) {
    TirIdVec shifts = {0};
    l->searches++;
    for (uint32_t k = 0; k < n; k++)
        shift_mark(l, roots[k]);
    for (uint32_t k = l->schedule->n_values; k-- > l->schedule->n_inputs;) {
        const TirId id = l->schedule->values[k].id;
        if (l->held[k].seen != l->searches || l->held[k].ready)
            continue;
        const TirNode *node = tir_node(l->block, id);
        if (node->op == TIR_SHIFT) {
            vec_push(l->arena, &shifts, id);
            continue;
        }
        for (uint32_t o = 0; o < node->n_operands; o++)
            shift_mark(l, node->operands[o]);
    }
    return shifts;
}

void lower_shift_prepare(Lower *l, Affine row, uint32_t rows, const TirId *roots, uint32_t n) {
    if (!l->has_shift)
        return;
    const TirIdVec shifts = shift_search(l, roots, n);
    for (uint32_t u = 0; u < rows; u++) {
        LowerContext old = lower_context(l, affine_add(row, affine_const(u)), 1, 0);
        for (uint32_t k = shifts.count; k-- > 0;) {
            const TirNode *node = tir_node(l->block, shifts.at[k]);
            shift_row(l, shift_space(l, node), node->attr.offset);
        }
        l->context = old;
    }
}

NestId lower_shift(Lower *l, LowerFrame *f, const TirNode *node, const AffineIndex *index) {
    LowerContext here = l->context;
    if (f->scan || here.row.lane)
        lower_fault(l, node->op, "a shift is read with positions in lanes");
    const LowerShiftedRow *seen = shift_find(l, &here.row, node->attr.offset, here.number);
    if (!seen) {
        LowerShiftedRow s = *shift_row(l, shift_space(l, node), node->attr.offset);
        lower_context(l, s.to, here.lanes, here.valid);
        l->context.elsewhere = true;
        s.of_context = here.number;
        s.context = l->context;
        vec_push(l->arena, &l->shifted, s);
        seen = &l->shifted.at[l->shifted.count - 1];
    }
    NestId inside = seen->inside;
    l->context = seen->context;
    NestId x = lower_eval(l, f, node->operands[0], index);
    l->context = here;
    uint16_t lanes = nest_type(l->kernel, x).lanes;
    return nest_select(&l->b, nest_splat(&l->b, lanes, inside), x,
                       lower_zero(l, node->type.elem, lanes));
}
