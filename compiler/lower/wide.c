/* Wide stages: loops over positions and, within, over features in lanes. */
#include "lower/lower_internal.h"

/* --- what a turn writes ------------------------------------------------------------------------*/

/* Where a value of the stage that lies in memory is written. */
static void wide_store(Lower *l, const ScheduleValue *v, const Affine *flat, NestId x) {
    const Affine *row = &l->context.row;
    if (v->streamed) {
        lower_store_streamed(l, v->argument, row, flat, v->elements, x);
        if (v->place != PLACE_TILE_ROWS)
            return;
    }
    const uint32_t buffer = v->place == PLACE_TILE_ROWS ? lower_held(l, v)->buffer : v->argument;
    lower_store(l, buffer, v->place, row, flat, v->elements, x, l->context.valid);
}

static void wide_write_piece(Lower *l, const SchedulePiece *piece, AffineIndex index) {
    const ScheduleValue *v = piece->to;
    const TirType *whole = &tir_node(l->block, v->id)->type;
    NestId x = piece->id ? lower_vector(l, lower_eval(l, &l->frame, piece->id, &index))
                         : lower_zero(l, whole->elem, l->context.lanes);
    index.at[piece->axis] = affine_add(index.at[piece->axis], affine_const(piece->offset));
    if (v->sum) {
        const uint32_t accumulator = lower_held(l, v)->accumulator;
        NestAddress at = lower_sum_address(l, v, &index);
        NestId old = nest_load(&l->b, accumulator, at, l->context.lanes, 1, l->context.valid);
        nest_store(&l->b, accumulator, at, nest_binary(&l->b, NEST_ADD, old, x), l->context.valid,
                   false);
        return;
    }
    Affine flat = affine_flat(&index, whole);
    wide_store(l, v, &flat, x);
}

static void wide_write_unrolled(Lower *l, const SchedulePiece *piece, Affine c) {
    uint64_t combinations = schedule_leading(&piece->type);
    for (uint64_t i = 0; i < combinations; i++) {
        AffineIndex index = affine_index(i * piece->type.dims[piece->type.rank - 1], &piece->type);
        index.at[piece->type.rank - 1] = c;
        wide_write_piece(l, piece, index);
    }
}

/* --- pieces and folds together -----------------------------------------------------------------*/

/* Loops that pieces and items share: over positions, and within over features. */
typedef struct {
    const ScheduleStep *step;
    const ScheduleLoop *positions, *features;
    const ScheduleLoop *terms; /* or NULL: they are written out */
    const ScheduleFold *folds; /* of each item */
} Together;

/* The same terms by an index, which all of the folds have. */
static void together_terms(Lower *l, const Together *t, const LowerContext *positions, Affine c,
                           NestId *acc) {
    const uint32_t items = t->step->items.count, n = items * t->positions->step;
    NestLoop *loop =
        lower_loop_begin(l, t->terms, nest_i64(&l->b, (int64_t)t->terms->extent), n, acc);
    lower_memo_begin(l);
    for (uint32_t k = 0; k < n; k++) {
        const ScheduleFold *f = &t->folds[k % items];
        l->context = positions[k / items];
        AffineIndex element = affine_index(t->step->items.at[k % items].element, &f->node->type);
        acc[k] = lower_fold_term_at(l, f, &element, affine_var(loop->variable), c, loop->inner[k]);
    }
    lower_memo_end(l);
    nest_loop_end(&l->b, acc);
    for (uint32_t k = 0; k < n; k++)
        acc[k] = nest_result(&l->b, loop, k);
}

/* The folds' terms, so ordered that what is loaded for one serves all positions of the block. */
static void together_folds(Lower *l, const Together *t, const LowerContext *positions, Affine c,
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
static void together_fetch_ahead(Lower *l, const Together *t, Affine row, Affine c) {
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

/* All pieces and items at features c, for the positions of a block; acc: items x positions. */
static void together_body(Lower *l, const Together *t, Affine row, Affine c, NestId valid,
                          NestId *acc) {
    const uint32_t block = t->positions->step;
    const SchedulePieceVec *pieces = &t->step->pieces;
    LowerContext positions[POSITION_BLOCK], old = l->context;
    for (uint32_t u = 0; u < block; u++) {
        lower_context(l, affine_add(row, affine_const(u)), l->lanes, valid);
        positions[u] = l->context;
    }
    for (uint32_t k = 0; k < pieces->count; k++)
        lower_block_weighted(l, &pieces->at[k], positions, block, c);
    for (uint32_t u = 0; u < block; u++) {
        l->context = positions[u];
        for (uint32_t k = 0; k < pieces->count; k++)
            wide_write_unrolled(l, &pieces->at[k], c);
    }
    if (t->terms)
        together_terms(l, t, positions, c, acc);
    else
        together_folds(l, t, positions, c, acc);
    l->context = old;
    if (!valid)
        together_fetch_ahead(l, t, row, c);
}

static void together_finish_folds(Lower *l, const Together *t, Affine row, const NestId *acc) {
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

static void together_features(Lower *l, const Together *t, Affine row) {
    const uint64_t extent = t->features->extent, whole = extent / l->lanes * l->lanes;
    const uint32_t items = t->step->items.count, n = items * t->positions->step;
    NestId *acc = ARENA_ARRAY(l->arena, NestId, n + 1);
    for (uint32_t k = 0; k < n; k++)
        acc[k] = nest_const(&l->b, (NestType){l->real, l->lanes},
                            schedule_fold_identity(t->folds[k % items].node->op));
    if (whole) {
        NestLoop *loop = lower_loop_begin(l, t->features, nest_i64(&l->b, (int64_t)whole), n, acc);
        lower_memo_begin(l);
        NestId *inner = ARENA_ARRAY(l->arena, NestId, n + 1);
        for (uint32_t k = 0; k < n; k++)
            inner[k] = loop->inner[k];
        together_body(l, t, row, lower_features(l, loop->variable, 0), 0, inner);
        lower_memo_end(l);
        nest_loop_end(&l->b, inner);
        for (uint32_t k = 0; k < n; k++)
            acc[k] = nest_result(&l->b, loop, k);
    }
    if (extent > whole) {
        lower_memo_begin(l);
        Affine c = lower_features(l, 0, whole);
        together_body(l, t, row, c, nest_i64(&l->b, (int64_t)(extent - whole)), acc);
        lower_memo_end(l);
    }
    together_finish_folds(l, t, row, acc);
}

static void together_positions(Lower *l, const Together *t, const TirIdVec *roots, Affine row) {
    lower_memo_begin(l);
    lower_shift_prepare(l, row, t->positions->step, roots->at, roots->count);
    together_features(l, t, row);
    lower_memo_end(l);
}

static void wide_together(Lower *l, const ScheduleStep *step) {
    ScheduleFold *folds = ARENA_ARRAY(l->arena, ScheduleFold, step->items.count);
    TirIdVec roots = {0};
    for (uint32_t k = 0; k < step->pieces.count; k++)
        vec_push(l->arena, &roots, step->pieces.at[k].id);
    for (uint32_t k = 0; k < step->items.count; k++) {
        folds[k] = schedule_fold(l->schedule, step->items.at[k].fold->id);
        vec_push(l->arena, &roots, step->items.at[k].fold->id);
    }
    const Together t = {.step = step,
                        .positions = &step->loops[0],
                        .features = &step->loops[1],
                        .terms = step->n_loops > 2 ? &step->loops[2] : NULL,
                        .folds = folds};
    if (t.positions->extent == t.positions->step) { /* a single turn */
        together_positions(l, &t, &roots, affine_const(0));
        return;
    }
    NestLoop *loop =
        lower_loop_begin(l, t.positions, nest_i64(&l->b, (int64_t)t.positions->extent), 0, NULL);
    together_positions(l, &t, &roots, affine_var(loop->variable));
    nest_loop_end(&l->b, NULL);
}

/* --- sums over positions -----------------------------------------------------------------------*/

/* Features outside, for the accumulators of one feature fit into registers. */
static void wide_sums(Lower *l, const ScheduleStep *step) {
    const ScheduleLoop *features = &step->loops[0], *positions = &step->loops[1];
    const uint64_t whole = features->extent / l->lanes * l->lanes;
    if (whole) {
        NestLoop *loop = lower_loop_begin(l, features, nest_i64(&l->b, (int64_t)whole), 0, NULL);
        for (uint32_t k = 0; k < step->pieces.count; k++)
            lower_block_sum(l, &step->pieces.at[k], positions, lower_features(l, loop->variable, 0),
                            0);
        nest_loop_end(&l->b, NULL);
    }
    if (features->extent > whole) {
        Affine c = lower_features(l, 0, whole);
        for (uint32_t k = 0; k < step->pieces.count; k++)
            lower_block_sum(l, &step->pieces.at[k], positions, c,
                            nest_i64(&l->b, (int64_t)(features->extent - whole)));
    }
}

/* --- a piece with loops over its leading axes --------------------------------------------------*/

/* At features index->at[last], `block` elements that follow each other along the axis before. */
static void wide_piece_block(Lower *l, const SchedulePiece *piece, Affine row, AffineIndex index,
                             uint32_t block, NestId valid) {
    uint32_t axis = piece->type.rank - 2u;
    lower_memo_begin(l);
    LowerContext old = lower_context(l, row, l->lanes, valid);
    for (uint32_t k = 0; k < block; k++) {
        wide_write_piece(l, piece, index);
        index.at[axis] = affine_add(index.at[axis], affine_const(1));
    }
    l->context = old;
    lower_memo_end(l);
}

static void wide_piece_features(Lower *l, const SchedulePiece *piece, const ScheduleLoop *features,
                                Affine row, AffineIndex *index, uint32_t block) {
    const uint32_t last = piece->type.rank - 1u;
    const uint64_t extent = features->extent, whole = extent / l->lanes * l->lanes;
    if (whole) {
        NestLoop *loop = lower_loop_begin(l, features, nest_i64(&l->b, (int64_t)whole), 0, NULL);
        index->at[last] = lower_features(l, loop->variable, 0);
        wide_piece_block(l, piece, row, *index, block, 0);
        nest_loop_end(&l->b, NULL);
    }
    if (extent > whole) {
        index->at[last] = lower_features(l, 0, whole);
        wide_piece_block(l, piece, row, *index, block, nest_i64(&l->b, (int64_t)(extent - whole)));
    }
}

static void wide_piece(Lower *l, const ScheduleStep *step) {
    const SchedulePiece *piece = &step->pieces.at[0];
    const uint32_t axis = piece->type.rank - 2u;
    const ScheduleLoop *positions = &step->loops[0], *blocks = &step->loops[1 + axis],
                       *features = &step->loops[2 + axis];
    NestId end = piece->to->sum ? l->valid_rows : nest_i64(&l->b, (int64_t)positions->extent);
    NestLoop *loop = lower_loop_begin(l, positions, end, 0, NULL);
    lower_memo_begin(l);
    lower_shift_prepare(l, affine_var(loop->variable), 1, &piece->id, 1);
    AffineIndex index = {.rank = piece->type.rank};
    lower_axes_begin(l, step, 1, &index);
    NestLoop *block =
        lower_loop_begin(l, blocks, nest_i64(&l->b, (int64_t)blocks->extent), 0, NULL);
    index.at[axis] = affine_var(block->variable);
    wide_piece_features(l, piece, features, affine_var(loop->variable), &index, blocks->step);
    nest_loop_end(&l->b, NULL);
    lower_axes_end(l, step, 1);
    lower_memo_end(l);
    nest_loop_end(&l->b, NULL);
}

/* `n` vectors of features from c on; `valid` 0: all of each. */
static void wide_vectors_block(Lower *l, const ScheduleValue *v, Affine row, AffineIndex index,
                               Affine c, uint32_t n, NestId valid) {
    const TirNode *node = tir_node(l->block, v->id);
    AffineIndex at[SEQUENCE_VECTORS];
    NestId x[SEQUENCE_VECTORS];
    lower_memo_begin(l);
    LowerContext old = lower_context(l, row, l->lanes, valid);
    for (uint32_t k = 0; k < n; k++) {
        at[k] = index;
        at[k].at[index.rank - 1u] = affine_add(c, affine_const((int64_t)k * l->lanes));
    }
    lower_contract_vectors(l, node, at, n, x);
    for (uint32_t k = 0; k < n; k++) {
        Affine flat = affine_flat(&at[k], &node->type);
        wide_store(l, v, &flat, x[k]);
    }
    l->context = old;
    lower_memo_end(l);
}

static void wide_vectors_features(Lower *l, const ScheduleValue *v, const ScheduleLoop *features,
                                  Affine row, const AffineIndex *index) {
    const uint64_t extent = features->extent, lanes = l->lanes, block = SEQUENCE_VECTORS * lanes;
    const uint64_t blocks = extent / block * block, whole = extent / lanes * lanes;
    if (blocks) {
        NestLoop *loop = nest_loop_begin(&l->b, NEST_VECTOR, nest_i64(&l->b, 0),
                                         nest_i64(&l->b, (int64_t)blocks), (int64_t)block, 0, NULL);
        wide_vectors_block(l, v, row, *index, lower_features(l, loop->variable, 0),
                           SEQUENCE_VECTORS, 0);
        nest_loop_end(&l->b, NULL);
    }
    if (whole > blocks)
        wide_vectors_block(l, v, row, *index, lower_features(l, 0, blocks),
                           (uint32_t)((whole - blocks) / lanes), 0);
    if (extent > whole)
        wide_vectors_block(l, v, row, *index, lower_features(l, 0, whole), 1,
                           nest_i64(&l->b, (int64_t)(extent - whole)));
}

static void wide_vectors(Lower *l, const ScheduleStep *step) {
    const ScheduleLoop *positions = &step->loops[0];
    NestLoop *loop =
        lower_loop_begin(l, positions, nest_i64(&l->b, (int64_t)positions->extent), 0, NULL);
    lower_memo_begin(l);
    AffineIndex index = {.rank = tir_node(l->block, step->value->id)->type.rank};
    lower_axes_begin(l, step, 0, &index);
    wide_vectors_features(l, step->value, &step->loops[step->n_loops - 1],
                          affine_var(loop->variable), &index);
    lower_axes_end(l, step, 0);
    lower_memo_end(l);
    nest_loop_end(&l->b, NULL);
}

static void wide_elements(Lower *l, const ScheduleStep *step) {
    const ScheduleValue *v = step->value;
    const TirNode *node = tir_node(l->block, v->id);
    const ScheduleLoop *positions = &step->loops[0];
    NestLoop *loop =
        lower_loop_begin(l, positions, nest_i64(&l->b, (int64_t)positions->extent), 0, NULL);
    lower_memo_begin(l);
    LowerContext old = lower_context(l, affine_var(loop->variable), 1, 0);
    AffineIndex index = {.rank = node->type.rank};
    lower_axes_begin(l, step, 0, &index);
    NestId x = lower_op(l, &l->frame, node, &index);
    Affine flat = affine_flat(&index, &node->type);
    wide_store(l, v, &flat, x);
    lower_axes_end(l, step, 0);
    l->context = old;
    lower_memo_end(l);
    nest_loop_end(&l->b, NULL);
}

/* --- a stage -----------------------------------------------------------------------------------*/

static void wide_step(Lower *l, const ScheduleStep *step) {
    switch (step->kind) {
    case STEP_SUMS:
        wide_sums(l, step);
        break;
    case STEP_PIECE:
        wide_piece(l, step);
        break;
    case STEP_ELEMENTS:
        wide_elements(l, step);
        break;
    case STEP_VECTORS:
        wide_vectors(l, step);
        break;
    case STEP_FOLD:
        lower_looped_fold(l, step);
        break;
    default:
        wide_together(l, step);
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
