/* Lane stages: small values, with the positions of a micro-tile in lanes. */
#include "lower/lower_internal.h"

static void lane_write(Lower *l, const ScheduleValue *v, const AffineIndex *index, NestId x) {
    Affine flat = affine_flat(index, &tir_node(l->block, v->id)->type);
    lower_store(l, lower_held(l, v)->buffer, v->place, &l->context.row, &flat, v->elements,
                lower_vector(l, x), 0);
}

/* To the value's sum, or to where it lies. */
static void lane_add_or_write(Lower *l, const ScheduleValue *v, const AffineIndex *index,
                              NestId x) {
    if (v->sum) {
        Affine flat = affine_flat(index, &tir_node(l->block, v->id)->type);
        lower_sum_lane(l, v, &flat, x);
    } else if (v->place == PLACE_TILE_LANES) {
        lane_write(l, v, index, x);
    }
}

static void lane_registers(Lower *l, const ScheduleStep *step) {
    const ScheduleValue *v = step->value;
    const TirType *type = &tir_node(l->block, v->id)->type;
    for (uint64_t e = 0; e < v->elements; e++) {
        AffineIndex index = affine_index(e, type);
        NestId x = lower_eval(l, &l->frame, v->id, &index);
        lane_add_or_write(l, v, &index, x);
    }
}

/* A whole value through loops over its elements. */
static void lane_loops_whole(Lower *l, const ScheduleStep *step) {
    const ScheduleValue *v = step->value;
    const TirNode *node = tir_node(l->block, v->id);
    AffineIndex index = {.rank = node->type.rank};
    lower_axes_begin(l, step, 0, &index);
    NestId x = lower_op(l, &l->frame, node, &index);
    lane_add_or_write(l, v, &index, x);
    lower_axes_end(l, step, 0);
}

static void lane_loops(Lower *l, const ScheduleStep *step) {
    const SchedulePiece *piece = &step->pieces.at[0];
    if (piece->id == step->value->id) {
        lane_loops_whole(l, step);
        return;
    }
    AffineIndex index = {.rank = piece->type.rank};
    lower_axes_begin(l, step, 0, &index);
    NestId x = piece->id ? lower_eval(l, &l->frame, piece->id, &index)
                         : lower_zero(l, piece->type.elem, 1);
    index.at[piece->axis] = affine_add(index.at[piece->axis], affine_const(piece->offset));
    lane_write(l, step->value, &index, x);
    lower_axes_end(l, step, 0);
}

static void lane_positions(Lower *l, const ScheduleStep *step) {
    const ScheduleLoop *positions = &step->loops[0];
    NestLoop *loop =
        lower_loop_begin(l, positions, nest_i64(&l->b, (int64_t)positions->extent), 0, NULL);
    lower_memo_begin(l);
    lower_shift_prepare(l, affine_var(loop->variable), 1, &step->value->id, 1);
    LowerContext old = lower_context(l, affine_var(loop->variable), 1, 0);
    lane_loops_whole(l, step);
    l->context = old;
    lower_memo_end(l);
    nest_loop_end(&l->b, NULL);
}

static void lane_add_fold(Lower *l, const ScheduleStep *step) {
    const ScheduleValue *v = step->value;
    const TirType *type = &tir_node(l->block, v->id)->type;
    AffineIndex index = {.rank = type->rank};
    lower_axes_begin(l, step, 0, &index);
    Affine flat = affine_flat(&index, type);
    lower_sum_lane(l, v, &flat, lower_load(l, v, type, &index));
    lower_axes_end(l, step, 0);
}

static void lane_copy_out(Lower *l, const ScheduleStep *step) {
    const ScheduleValue *v = step->value;
    if (step->loops[0].carrier == CARRIED_BY_LANES) {
        const Affine row = {.lane = 1}, flat = affine_const(0);
        NestId x = nest_load(&l->b, lower_held(l, v)->buffer, nest_at(0), l->rows, 1, 0);
        lower_store(l, v->argument, schedule_own_rows(l->schedule), &row, &flat, 1, x, 0);
        return;
    }
    const ScheduleLoop *positions = &step->loops[0], *all = &step->loops[1];
    NestLoop *rows =
        lower_loop_begin(l, positions, nest_i64(&l->b, (int64_t)positions->extent), 0, NULL);
    NestLoop *elements = lower_loop_begin(l, all, nest_i64(&l->b, (int64_t)all->extent), 0, NULL);
    Affine row = affine_var(rows->variable), flat = affine_var(elements->variable);
    Affine from = affine_add(affine_scale(flat, l->rows), row);
    NestId x = nest_load(&l->b, lower_held(l, v)->buffer, affine_address(&from), 1, 1, 0);
    lower_store(l, v->argument, schedule_own_rows(l->schedule), &row, &flat, v->elements, x, 0);
    nest_loop_end(&l->b, NULL);
    nest_loop_end(&l->b, NULL);
}

static void lane_step(Lower *l, const ScheduleStep *step) {
    switch (step->kind) {
    case STEP_LOOPS:
        lane_loops(l, step);
        break;
    case STEP_POSITIONS:
        lane_positions(l, step);
        break;
    case STEP_SCAN:
        lower_scan(l, step);
        break;
    case STEP_ADD_FOLD:
        lane_add_fold(l, step);
        break;
    case STEP_COPY_OUT:
        lane_copy_out(l, step);
        break;
    default:
        lane_registers(l, step);
        break;
    }
}

/* While it is being written a value is evaluated, not loaded; afterwards the stage's next values
 * find it, too. */
void lower_lane_stage(Lower *l, const ScheduleStage *stage) {
    for (uint32_t k = 0; k < stage->steps.count; k++) {
        const ScheduleStep *step = &stage->steps.at[k];
        LowerHeld *held = lower_held(l, step->value);
        const bool tile = step->value->place == PLACE_TILE_LANES;
        if (step->begins && tile)
            lower_stored(l, step->value);
        lane_step(l, step);
        if (step->ends && tile)
            held->ready = true;
    }
}
