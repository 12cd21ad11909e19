/* Wide stages: loops over positions and, within, over features in lanes. */
#include "lower/lower_internal.h"

/* --- what a turn writes ------------------------------------------------------------------------*/

/* Where a value of the stage that lies in memory is written. */
static void store_wide(Lower *l, const ScheduleValue *v, const Affine *flat, NestId x) {
    const Affine *row = &l->context.row;
    if (v->streamed) {
        lower_store_streamed(l, v->argument, row, flat, v->elements, x);
        if (v->place != PLACE_TILE_ROWS)
            return;
    }
    const uint32_t buffer = v->place == PLACE_TILE_ROWS ? lower_held(l, v)->buffer : v->argument;
    lower_store(l, buffer, v->place, row, flat, v->elements, x, l->context.valid);
}

static void write_part(Lower *l, const SchedulePart *part, AffineIndex index) {
    const ScheduleValue *v = part->to;
    const TirType *whole = &tir_node(l->block, v->id)->type;
    NestId x = part->id ? lower_vector(l, lower_eval(l, &l->frame, part->id, &index))
                        : lower_zero(l, whole->elem, l->context.lanes);
    index.at[part->axis] = affine_add(index.at[part->axis], affine_const(part->offset));
    if (v->sum) {
        const uint32_t accumulator = lower_held(l, v)->accumulator;
        NestAddress at = lower_sum_place(l, v, &index);
        NestId old = nest_load(&l->b, accumulator, at, l->context.lanes, 1, l->context.valid);
        nest_store(&l->b, accumulator, at, nest_binary(&l->b, NEST_ADD, old, x), l->context.valid,
                   false);
        return;
    }
    Affine flat = affine_flat(&index, whole);
    store_wide(l, v, &flat, x);
}

static void write_unrolled(Lower *l, const SchedulePart *part, Affine c) {
    uint64_t combinations = schedule_leading(&part->type);
    for (uint64_t i = 0; i < combinations; i++) {
        AffineIndex index = affine_index(i * part->type.dims[part->type.rank - 1], &part->type);
        index.at[part->type.rank - 1] = c;
        write_part(l, part, index);
    }
}

/* --- parts and folds together ------------------------------------------------------------------*/

/* Loops that parts and items share: over positions, and within over features. */
typedef struct {
    const ScheduleStep *step;
    const ScheduleLoop *positions, *features;
    const ScheduleFold *folds; /* of each item */
} Together;

/* The folds' terms, so ordered that what is loaded for one serves all positions of the block. */
static void fold_body(Lower *l, const Together *t, const LowerContext *positions, Affine c,
                      NestId *acc) {
    const uint32_t n = t->step->items.count;
    uint64_t most = 0;
    for (uint32_t k = 0; k < n; k++) {
        uint64_t others = schedule_fold_others(&t->folds[k]);
        most = others > most ? others : most;
    }
    for (uint64_t i = 0; i < most; i++)
        for (uint32_t u = 0; u < t->positions->step; u++)
            for (uint32_t k = 0; k < n; k++) {
                const ScheduleItem *item = &t->step->items.at[k];
                if (i >= schedule_fold_others(&t->folds[k]))
                    continue;
                l->context = positions[u];
                AffineIndex element = affine_index(item->element, &t->folds[k].node->type);
                NestId *slot = &acc[u * n + k];
                *slot = lower_fold_term(l, &t->folds[k], &element, i, c, *slot);
            }
}

/* The micro-tile's rows of an input lie one after the other: turn by turn the loop goes through the
 * next one's. */
static void fetch_ahead(Lower *l, const Together *t, Affine row, Affine c) {
    const Schedule *s = l->schedule;
    const int64_t line = s->machine->cache_line / s->real_bytes, lanes = l->lanes;
    const int64_t each = (int64_t)t->features->extent / lanes * lanes / t->positions->step;
    Affine turns = affine_add(affine_scale(row, each), c); /* x lanes */
    turns.lane = 0;
    Affine next = affine_add(affine_var(l->tile0), affine_const(l->rows));
    for (uint32_t k = 0; k < t->step->ahead.count; k++) {
        const ScheduleAhead *a = &t->step->ahead.at[k];
        Affine at = affine_add(affine_scale(turns, a->lines * line / lanes),
                               affine_scale(next, (int64_t)a->input->elements));
        at.offset += a->line * line;
        nest_prefetch(&l->b, a->input->argument, affine_address(&at));
    }
}

/* All parts and items at features c, for the positions of a block; acc: items x positions. */
static void together_body(Lower *l, const Together *t, Affine row, Affine c, NestId valid,
                          NestId *acc) {
    const uint32_t block = t->positions->step;
    const SchedulePartVec *parts = &t->step->parts;
    LowerContext positions[POSITION_BLOCK], old = l->context;
    for (uint32_t u = 0; u < block; u++) {
        lower_context(l, affine_add(row, affine_const(u)), l->lanes, valid);
        positions[u] = l->context;
    }
    for (uint32_t k = 0; k < parts->count; k++)
        lower_block_weighted(l, &parts->at[k], positions, block, c);
    for (uint32_t u = 0; u < block; u++) {
        l->context = positions[u];
        for (uint32_t k = 0; k < parts->count; k++)
            write_unrolled(l, &parts->at[k], c);
    }
    fold_body(l, t, positions, c, acc);
    l->context = old;
    if (!valid)
        fetch_ahead(l, t, row, c);
}

static void finish_items(Lower *l, const Together *t, Affine row, const NestId *acc) {
    const uint32_t n = t->step->items.count;
    for (uint32_t u = 0; u < t->positions->step; u++)
        for (uint32_t k = 0; k < n; k++) {
            const ScheduleItem *item = &t->step->items.at[k];
            const ScheduleValue *v = item->fold;
            NestId x = lower_fold_lanes(l, t->folds[k].node->op, acc[u * n + k]);
            Affine at = affine_add(row, affine_const(u));
            Affine flat = affine_const((int64_t)item->element);
            lower_store(l, lower_held(l, v)->buffer, v->place, &at, &flat, v->elements, x, 0);
        }
}

static void features_together(Lower *l, const Together *t, Affine row) {
    const uint64_t extent = t->features->extent, whole = extent / l->lanes * l->lanes;
    const uint32_t items = t->step->items.count, n = items * t->positions->step;
    NestId *acc = ARENA_ARRAY(l->arena, NestId, n + 1);
    for (uint32_t k = 0; k < n; k++)
        acc[k] = nest_const(&l->b, (NestType){l->real, l->lanes},
                            schedule_fold_identity(t->folds[k % items].node->op));
    if (whole) {
        NestLoop *loop = lower_loop_begin(l, t->features, nest_i64(&l->b, (int64_t)whole), n, acc);
        lower_scope_begin(l);
        NestId *inner = ARENA_ARRAY(l->arena, NestId, n + 1);
        for (uint32_t k = 0; k < n; k++)
            inner[k] = loop->inner[k];
        together_body(l, t, row, lower_features(l, loop->variable, 0), 0, inner);
        lower_scope_end(l);
        nest_loop_end(&l->b, inner);
        for (uint32_t k = 0; k < n; k++)
            acc[k] = nest_result(&l->b, loop, k);
    }
    if (extent > whole) {
        lower_scope_begin(l);
        Affine c = lower_features(l, 0, whole);
        together_body(l, t, row, c, nest_i64(&l->b, (int64_t)(extent - whole)), acc);
        lower_scope_end(l);
    }
    finish_items(l, t, row, acc);
}

static void positions_together(Lower *l, const Together *t, const TirIdVec *roots, Affine row) {
    lower_scope_begin(l);
    lower_shift_prepare(l, row, t->positions->step, roots->at, roots->count);
    features_together(l, t, row);
    lower_scope_end(l);
}

static void step_together(Lower *l, const ScheduleStep *step) {
    ScheduleFold *folds = ARENA_ARRAY(l->arena, ScheduleFold, step->items.count);
    TirIdVec roots = {0};
    for (uint32_t k = 0; k < step->parts.count; k++)
        vec_push(l->arena, &roots, step->parts.at[k].id);
    for (uint32_t k = 0; k < step->items.count; k++) {
        folds[k] = schedule_fold(l->schedule, step->items.at[k].fold->id);
        vec_push(l->arena, &roots, step->items.at[k].fold->id);
    }
    const Together t = {
        .step = step, .positions = &step->loops[0], .features = &step->loops[1], .folds = folds};
    if (t.positions->extent == t.positions->step) { /* a single turn */
        positions_together(l, &t, &roots, affine_const(0));
        return;
    }
    NestLoop *loop =
        lower_loop_begin(l, t.positions, nest_i64(&l->b, (int64_t)t.positions->extent), 0, NULL);
    positions_together(l, &t, &roots, affine_var(loop->variable));
    nest_loop_end(&l->b, NULL);
}

/* --- sums over positions -----------------------------------------------------------------------*/

/* Features outside, for the accumulators of one feature fit into registers. */
static void step_sums(Lower *l, const ScheduleStep *step) {
    const ScheduleLoop *features = &step->loops[0], *positions = &step->loops[1];
    const uint64_t whole = features->extent / l->lanes * l->lanes;
    if (whole) {
        NestLoop *loop = lower_loop_begin(l, features, nest_i64(&l->b, (int64_t)whole), 0, NULL);
        for (uint32_t k = 0; k < step->parts.count; k++)
            lower_block_sum(l, &step->parts.at[k], positions, lower_features(l, loop->variable, 0),
                            0);
        nest_loop_end(&l->b, NULL);
    }
    if (features->extent > whole) {
        Affine c = lower_features(l, 0, whole);
        for (uint32_t k = 0; k < step->parts.count; k++)
            lower_block_sum(l, &step->parts.at[k], positions, c,
                            nest_i64(&l->b, (int64_t)(features->extent - whole)));
    }
}

/* --- a part with loops over its leading axes ---------------------------------------------------*/

/* At features index->at[last], `block` elements that follow each other along the axis before. */
static void part_block(Lower *l, const SchedulePart *part, Affine row, AffineIndex index,
                       uint32_t block, NestId valid) {
    uint32_t axis = part->type.rank - 2u;
    lower_scope_begin(l);
    LowerContext old = lower_context(l, row, l->lanes, valid);
    for (uint32_t k = 0; k < block; k++) {
        write_part(l, part, index);
        index.at[axis] = affine_add(index.at[axis], affine_const(1));
    }
    l->context = old;
    lower_scope_end(l);
}

static void part_features(Lower *l, const SchedulePart *part, const ScheduleLoop *features,
                          Affine row, AffineIndex *index, uint32_t block) {
    const uint32_t last = part->type.rank - 1u;
    const uint64_t extent = features->extent, whole = extent / l->lanes * l->lanes;
    if (whole) {
        NestLoop *loop = lower_loop_begin(l, features, nest_i64(&l->b, (int64_t)whole), 0, NULL);
        index->at[last] = lower_features(l, loop->variable, 0);
        part_block(l, part, row, *index, block, 0);
        nest_loop_end(&l->b, NULL);
    }
    if (extent > whole) {
        index->at[last] = lower_features(l, 0, whole);
        part_block(l, part, row, *index, block, nest_i64(&l->b, (int64_t)(extent - whole)));
    }
}

static void step_part(Lower *l, const ScheduleStep *step) {
    const SchedulePart *part = &step->parts.at[0];
    const uint32_t axis = part->type.rank - 2u;
    const ScheduleLoop *positions = &step->loops[0], *blocks = &step->loops[1 + axis],
                       *features = &step->loops[2 + axis];
    NestId end = part->to->sum ? l->valid_rows : nest_i64(&l->b, (int64_t)positions->extent);
    NestLoop *loop = lower_loop_begin(l, positions, end, 0, NULL);
    lower_scope_begin(l);
    lower_shift_prepare(l, affine_var(loop->variable), 1, &part->id, 1);
    AffineIndex index = {.rank = part->type.rank};
    lower_axes_begin(l, step, 1, &index);
    NestLoop *block =
        lower_loop_begin(l, blocks, nest_i64(&l->b, (int64_t)blocks->extent), 0, NULL);
    index.at[axis] = affine_var(block->variable);
    part_features(l, part, features, affine_var(loop->variable), &index, blocks->step);
    nest_loop_end(&l->b, NULL);
    lower_axes_end(l, step, 1);
    lower_scope_end(l);
    nest_loop_end(&l->b, NULL);
}

static void step_elements(Lower *l, const ScheduleStep *step) {
    const ScheduleValue *v = step->value;
    const TirNode *node = tir_node(l->block, v->id);
    const ScheduleLoop *positions = &step->loops[0];
    NestLoop *loop =
        lower_loop_begin(l, positions, nest_i64(&l->b, (int64_t)positions->extent), 0, NULL);
    lower_scope_begin(l);
    LowerContext old = lower_context(l, affine_var(loop->variable), 1, 0);
    AffineIndex index = {.rank = node->type.rank};
    lower_axes_begin(l, step, 0, &index);
    NestId x = lower_op(l, &l->frame, node, &index);
    Affine flat = affine_flat(&index, &node->type);
    store_wide(l, v, &flat, x);
    lower_axes_end(l, step, 0);
    l->context = old;
    lower_scope_end(l);
    nest_loop_end(&l->b, NULL);
}

/* --- a stage -----------------------------------------------------------------------------------*/

static void wide_step(Lower *l, const ScheduleStep *step) {
    switch (step->kind) {
    case STEP_SUMS:
        step_sums(l, step);
        break;
    case STEP_PART:
        step_part(l, step);
        break;
    case STEP_ELEMENTS:
        step_elements(l, step);
        break;
    case STEP_FOLD:
        lower_looped_fold(l, step);
        break;
    default:
        step_together(l, step);
        break;
    }
}

/* What the stage makes is there for others when all of it is. */
void lower_wide_stage(Lower *l, const ScheduleStage *stage) {
    for (uint32_t k = 0; k < stage->values.count; k++) {
        const ScheduleValue *v = stage->values.at[k];
        if (v->place == PLACE_TILE_ROWS || v->place == PLACE_TILE_LANES)
            lower_stored(l, v);
        else
            lower_held(l, v)->buffer = v->argument;
    }
    for (uint32_t k = 0; k < stage->steps.count; k++)
        wide_step(l, &stage->steps.at[k]);
    for (uint32_t k = 0; k < stage->values.count; k++)
        lower_held(l, stage->values.at[k])->ready = true;
}
