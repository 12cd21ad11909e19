/* Steps: the loops of each stage, in order.
 *
 * Wide stages: values whose last axes agree share loops, so what they read is loaded once. Dot
 * products along features carry their accumulators through them. Dot products with weights (a
 * global operand) go a block of positions by a block of outputs, so that every weight loaded serves
 * several positions.
 *
 * Lane stages: up to UNROLL_LANE elements a value lives in registers, one vector an element; larger
 * ones go through loops over their elements, from and to memory. */
#include "schedule/schedule_internal.h"

/* --- loops -------------------------------------------------------------------------------------*/

static void loop_push(ScheduleStep *step, ScheduleLoop loop) {
    step->loops[step->n_loops++] = loop;
}

static void over_positions(const Schedule *s, ScheduleStep *step, uint32_t at_a_time) {
    loop_push(step, (ScheduleLoop){.over = OVER_POSITIONS, .extent = s->rows, .step = at_a_time});
}

static void over_lanes_of_positions(const Schedule *s, ScheduleStep *step) {
    loop_push(step, (ScheduleLoop){.over = OVER_POSITIONS,
                                   .carrier = CARRIED_BY_LANES,
                                   .extent = s->rows,
                                   .step = s->rows});
}

static void over_features(const Schedule *s, ScheduleStep *step, uint32_t extent) {
    loop_push(step, (ScheduleLoop){.over = OVER_FEATURES,
                                   .carrier = CARRIED_BY_LANES,
                                   .extent = extent,
                                   .step = s->lanes});
}

/* The first axes of a type, but the last `inner` ones. */
static void over_axes(ScheduleStep *step, const TirType *type, uint32_t inner) {
    for (uint32_t k = 0; k + inner < type->rank; k++)
        loop_push(step,
                  (ScheduleLoop){.over = OVER_AXIS, .axis = k, .extent = type->dims[k], .step = 1});
}

static void over_blocks(ScheduleStep *step, const TirType *type, uint32_t axis, uint32_t most) {
    loop_push(step, (ScheduleLoop){.over = OVER_AXIS,
                                   .axis = axis,
                                   .extent = type->dims[axis],
                                   .step = schedule_divisor(type->dims[axis], most)});
}

/* --- wide stages -------------------------------------------------------------------------------*/

typedef struct {
    Scheduler *b;
    ScheduleStage *stage;
    VEC(ScheduleStep) shared; /* TOGETHER and SUMS: after all others */
} WideStage;

static void push_piece(Scheduler *b, SchedulePieceVec *pieces, SchedulePiece piece) {
    vec_push(b->arena, pieces, piece);
}

/* What a value is written from: itself, or the pieces it is put together from. */
static void pieces_of(Scheduler *b, const ScheduleValue *v, SchedulePieceVec *pieces) {
    const TirNode *node = schedule_node(b->s, v->id);
    if (!draft_of(b, v)->by_pieces) {
        push_piece(b, pieces, (SchedulePiece){.id = v->id, .to = v, .type = node->type});
        return;
    }
    const uint32_t axis = node->attr.axis;
    int64_t offset = 0;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        SchedulePiece piece = {.id = node->operands[k],
                               .to = v,
                               .type = schedule_node(b->s, node->operands[k])->type,
                               .axis = axis};
        const int64_t before = node->op == TIR_PAD ? node->attr.start : 0;
        if (before) {
            SchedulePiece zeros = {.to = v, .type = piece.type, .axis = axis};
            zeros.type.dims[axis] = (uint32_t)before;
            push_piece(b, pieces, zeros);
        }
        piece.offset = offset += before;
        push_piece(b, pieces, piece);
        offset += piece.type.dims[axis];
    }
    if (offset < node->type.dims[axis]) {
        SchedulePiece zeros = {.to = v, .type = node->type, .axis = axis, .offset = offset};
        zeros.type.dims[axis] = (uint32_t)(node->type.dims[axis] - offset);
        push_piece(b, pieces, zeros);
    }
}

static const ScheduleLoop *features_of(const ScheduleStep *step) {
    return &step->loops[step->kind == STEP_SUMS ? 0 : 1];
}
static const ScheduleLoop *positions_of(const ScheduleStep *step) {
    return &step->loops[step->kind == STEP_SUMS ? 1 : 0];
}

static ScheduleStep shared_step(const Schedule *s, ScheduleStepKind kind, uint32_t extent,
                                uint32_t block) {
    ScheduleStep step = {.kind = kind};
    if (kind == STEP_TOGETHER) {
        over_positions(s, &step, block);
        over_features(s, &step, extent);
    } else {
        over_features(s, &step, extent);
        over_positions(s, &step, 1);
        step.loops[1].folds = true;
    }
    return step;
}

/* The step of such loops in which there is room for so many accumulators more. */
static ScheduleStep *shared(WideStage *w, ScheduleStepKind kind, uint32_t extent, uint32_t block,
                            uint32_t accumulators) {
    const Schedule *s = w->b->s;
    block = s->rows % block == 0 ? block : 1;
    for (uint32_t k = 0; k < w->shared.count; k++) {
        ScheduleStep *step = &w->shared.at[k];
        if (step->kind == kind && features_of(step)->extent == extent &&
            positions_of(step)->step == block &&
            step->items.count + accumulators <= machine_fold_accumulators(s->machine, block))
            return step;
    }
    vec_push(w->b->arena, &w->shared, shared_step(s, kind, extent, block));
    return &w->shared.at[w->shared.count - 1];
}

/* How many positions a loop that writes a piece of `v` takes at a time. */
static uint32_t block_positions(const Schedule *s, const ScheduleValue *v, const TirType *type) {
    if (!v->weighted)
        return 1;
    const uint64_t elements = schedule_leading(type);
    uint32_t n = POSITION_BLOCK;
    while (n > 1 && n * elements > machine_block_accumulators(s->machine))
        n /= 2;
    return n;
}

static void piece_step(WideStage *w, const SchedulePiece *piece) {
    const Schedule *s = w->b->s;
    const ScheduleValue *v = piece->to;
    const TirType *type = &piece->type;
    const uint32_t last = type->dims[type->rank - 1];
    if (schedule_leading(type) <= (v->sum ? UNROLL_SUM : UNROLL_LEADING)) {
        ScheduleStep *step = shared(w, v->sum ? STEP_SUMS : STEP_TOGETHER, last,
                                    v->sum ? 1 : block_positions(s, v, type), 0);
        push_piece(w->b, &step->pieces, *piece);
        return;
    }
    ScheduleStep step = {.kind = STEP_PIECE, .value = v};
    push_piece(w->b, &step.pieces, *piece);
    over_positions(s, &step, 1);
    over_axes(&step, type, 2);
    over_blocks(&step, type, type->rank - 2u,
                UNROLL_LEADING); /* what one reads serves the others */
    over_features(s, &step, last);
    vec_push(w->b->arena, &w->stage->steps, step);
}

static void vectors_step(WideStage *w, const ScheduleValue *v) {
    const TirType *type = &schedule_node(w->b->s, v->id)->type;
    ScheduleStep step = {.kind = STEP_VECTORS, .value = v};
    over_positions(w->b->s, &step, 1);
    over_axes(&step, type, 1);
    over_features(w->b->s, &step, type->dims[type->rank - 1]);
    vec_push(w->b->arena, &w->stage->steps, step);
}

static void elements_step(WideStage *w, const ScheduleValue *v) {
    ScheduleStep step = {.kind = STEP_ELEMENTS, .value = v};
    over_positions(w->b->s, &step, 1);
    over_axes(&step, &schedule_node(w->b->s, v->id)->type, 0);
    vec_push(w->b->arena, &w->stage->steps, step);
}

static void looped_fold(WideStage *w, const ScheduleValue *v, const ScheduleFold *f) {
    const TirType *type = &f->node->type;
    const uint32_t inner = type->rank < 2 ? type->rank : 2;
    ScheduleStep step = {.kind = STEP_FOLD, .value = v};
    over_positions(w->b->s, &step, 1);
    over_axes(&step, type, inner);
    for (uint32_t k = inner; k > 0; k--)
        over_blocks(&step, type, type->rank - k, FOLD_BLOCK);
    for (uint32_t m = 0; m < f->n_other; m++)
        loop_push(
            &step,
            (ScheduleLoop){
                .over = OVER_TERMS, .axis = m, .extent = f->extent[m], .step = 1, .folds = true});
    over_features(w->b->s, &step, f->lane_extent);
    step.loops[step.n_loops - 1].folds = true;
    vec_push(w->b->arena, &w->stage->steps, step);
}

static void fold_steps(WideStage *w, const ScheduleValue *v) {
    const Schedule *s = w->b->s;
    const ScheduleFold f = schedule_fold(s, v->id);
    if (schedule_is_looped_fold(s, v)) {
        looped_fold(w, v, &f);
        return;
    }
    const uint32_t block = schedule_reads_weights(s, v->id) ? POSITION_BLOCK : 1;
    for (uint64_t e = 0; e < v->elements; e++) {
        ScheduleStep *step = shared(w, STEP_TOGETHER, f.lane_extent, block, 1);
        ScheduleItem item = {.fold = v, .element = e};
        vec_push(w->b->arena, &step->items, item);
        step->loops[1].folds = true;
    }
}

/* Whether an index known only at run time finds all that the fold reads: in memory, before. */
static bool folds_from_memory(const WideStage *w, const ScheduleValue *v) {
    for (uint32_t k = 0; k < schedule_node(w->b->s, v->id)->n_operands; k++) {
        bool in_step;
        const ScheduleValue *from = scheduled_operand(w->b, v, k, &in_step);
        if (from && (from->place == PLACE_NONE || from->place == PLACE_REGISTERS ||
                     from->stage >= v->stage))
            return false;
    }
    return true;
}

/* Of many streams a turn adds so many terms that writing them out costs more than it brings. */
static void terms_in_turns(const WideStage *w, ScheduleStep *step) {
    uint32_t extent = 0;
    if (step->kind != STEP_TOGETHER || step->pieces.count)
        return;
    for (uint32_t k = 0; k < step->items.count; k++) {
        const ScheduleValue *v = step->items.at[k].fold;
        const ScheduleFold f = schedule_fold(w->b->s, v->id);
        if (f.n_other != 1 || (extent && f.extent[0] != extent) || !folds_from_memory(w, v))
            return;
        extent = f.extent[0];
    }
    if (step->items.count * positions_of(step)->step * extent > UNROLL_FOLDS)
        loop_push(step,
                  (ScheduleLoop){.over = OVER_TERMS, .extent = extent, .step = 1, .folds = true});
}

/* --- what is fetched ahead ---------------------------------------------------------------------*/

/* Multiplications of a turn by weights that serve a block of positions; 0: it has none. */
static uint64_t weighted_work(const Schedule *s, const ScheduleStep *step) {
    uint64_t work = 0;
    const uint32_t block = positions_of(step)->step;
    if (step->kind == STEP_SUMS || block == 1)
        return 0;
    for (uint32_t k = 0; k < step->pieces.count; k++) {
        const SchedulePiece *piece = &step->pieces.at[k];
        if (piece->id && piece->to->weighted)
            work += schedule_terms(s->plan->program->block, schedule_node(s, piece->id)) *
                    schedule_leading(&piece->type);
    }
    for (uint32_t k = 0; k < step->items.count; k++) {
        ScheduleFold f = schedule_fold(s, step->items.at[k].fold->id);
        work += schedule_fold_others(&f);
    }
    return work * block;
}

static const ScheduleStep *heaviest_of(const WideStage *w) {
    const ScheduleStep *heaviest = NULL;
    for (uint32_t k = 0; k < w->shared.count; k++) {
        const ScheduleStep *step = &w->shared.at[k];
        if (features_of(step)->extent >= w->b->s->lanes &&
            weighted_work(w->b->s, step) > (heaviest ? weighted_work(w->b->s, heaviest) : 0))
            heaviest = step;
    }
    return heaviest;
}

/* Loops that multiply by weights leave the memory idle: the first stage but the one that reads the
 * inputs with enough of them fetches what the next micro-tile will read, a share of it in each.
 * Whether this stage does. */
static bool fetches_ahead(WideStage *w) {
    const Schedule *s = w->b->s;
    const uint64_t line = s->machine->cache_line / s->real_bytes;
    const ScheduleStep *heaviest = heaviest_of(w);
    if (!heaviest)
        return false;
    uint64_t work = 0, bytes = 0;
    VEC(ScheduleStep *) heavy = {0};
    for (uint32_t k = 0; k < w->shared.count; k++) {
        ScheduleStep *step = &w->shared.at[k];
        if (weighted_work(s, step) == 0 ||
            features_of(step)->extent != features_of(heaviest)->extent ||
            positions_of(step)->step != positions_of(heaviest)->step)
            continue;
        work += weighted_work(s, step);
        vec_push(w->b->arena, &heavy, step);
    }
    const uint64_t turns =
        s->rows / positions_of(heaviest)->step * (features_of(heaviest)->extent / s->lanes);
    VEC(ScheduleAhead) all = {0};
    for (uint32_t k = 0; k < s->n_inputs; k++) {
        const ScheduleValue *v = &s->values[k];
        const TirType *type = &schedule_node(s, v->id)->type;
        if (v->place != PLACE_ROWS || !schedule_is_wide(type) || type->elem != TIR_REAL)
            continue;
        const uint64_t rows_lines = s->rows * v->elements / line;
        bytes += rows_lines * s->machine->cache_line;
        ScheduleAhead a = {.input = v, .lines = (uint32_t)((rows_lines + turns - 1) / turns)};
        for (; a.line < a.lines; a.line++)
            vec_push(w->b->arena, &all, a);
    }
    if (all.count > work || bytes > s->machine->ahead_bytes)
        return false;
    for (uint32_t k = 0; k < all.count; k++)
        vec_push(w->b->arena, &heavy.at[k % heavy.count]->ahead, all.at[k]);
    return true;
}

static void wide_steps(WideStage *w, uint32_t number, bool *ahead) {
    const Schedule *s = w->b->s;
    for (uint32_t k = s->n_inputs; k < s->n_values; k++) {
        ScheduleValue *v = &s->values[k];
        if (v->stage != number || v->side == SCHEDULE_LANE)
            continue;
        if (v->place != PLACE_NONE)
            vec_push(w->b->arena, &w->stage->values, v);
        if (v->side == SCHEDULE_FOLD || (v->place == PLACE_NONE && !v->sum))
            continue;
        if (w->b->drafts[k].by_element) {
            elements_step(w, v);
            continue;
        }
        if (v->by_vectors) {
            vectors_step(w, v);
            continue;
        }
        SchedulePieceVec pieces = {0};
        pieces_of(w->b, v, &pieces);
        for (uint32_t m = 0; m < pieces.count; m++)
            piece_step(w, &pieces.at[m]);
    }
    for (uint32_t k = s->n_inputs; k < s->n_values; k++)
        if (s->values[k].stage == number && s->values[k].side == SCHEDULE_FOLD)
            fold_steps(w, &s->values[k]);
    for (uint32_t k = 0; k < w->shared.count; k++)
        terms_in_turns(w, &w->shared.at[k]);
    if (number > 0 && !*ahead)
        *ahead = fetches_ahead(w);
    for (uint32_t k = 0; k < w->shared.count; k++)
        vec_push(w->b->arena, &w->stage->steps, w->shared.at[k]);
}

/* --- lane stages -------------------------------------------------------------------------------*/

static ScheduleStep lane_step(const Schedule *s, ScheduleStepKind kind, const ScheduleValue *v) {
    ScheduleStep step = {.kind = kind, .value = v, .begins = true, .ends = true};
    over_lanes_of_positions(s, &step);
    return step;
}

/* Pieces of a large concatenation or padding, each through its own loops; of a padding, zeros
 * first. */
static void lane_pieces(Scheduler *b, ScheduleStage *stage, const ScheduleValue *v) {
    const TirNode *node = schedule_node(b->s, v->id);
    SchedulePieceVec pieces = {0};
    int64_t offset = 0;
    if (!draft_of(b, v)->by_pieces || node->op == TIR_PAD)
        push_piece(b, &pieces,
                   (SchedulePiece){
                       .id = draft_of(b, v)->by_pieces ? 0 : v->id, .to = v, .type = node->type});
    if (node->op == TIR_PAD)
        offset = node->attr.start;
    for (uint32_t k = 0; draft_of(b, v)->by_pieces && k < node->n_operands; k++) {
        const TirType *type = &schedule_node(b->s, node->operands[k])->type;
        push_piece(b, &pieces,
                   (SchedulePiece){.id = node->operands[k],
                                   .to = v,
                                   .type = *type,
                                   .axis = node->attr.axis,
                                   .offset = offset});
        offset += type->dims[node->attr.axis];
    }
    for (uint32_t k = 0; k < pieces.count; k++) {
        ScheduleStep step = lane_step(b->s, STEP_LOOPS, v);
        step.begins = k == 0;
        step.ends = k + 1 == pieces.count;
        push_piece(b, &step.pieces, pieces.at[k]);
        over_axes(&step, &pieces.at[k].type, 0);
        vec_push(b->arena, &stage->steps, step);
    }
}

static void lane_value(Scheduler *b, ScheduleStage *stage, const ScheduleValue *v) {
    const TirNode *node = schedule_node(b->s, v->id);
    ScheduleStep step;
    if (node->op == TIR_SCAN) {
        step = lane_step(b->s, STEP_SCAN, v);
        loop_push(&step, (ScheduleLoop){.over = OVER_TURNS, .extent = node->attr.trips, .step = 1});
    } else if (node->op == TIR_RESULT && !v->also_registers) {
        return; /* stacked: the scan stores it */
    } else if (schedule_by_position(node)) {
        step = (ScheduleStep){.kind = STEP_POSITIONS, .value = v, .begins = true, .ends = true};
        over_positions(b->s, &step, 1);
        over_axes(&step, &node->type, 0);
    } else if (v->also_registers || !schedule_is_looped(b->block, node, v->elements)) {
        step = lane_step(b->s, STEP_REGISTERS, v);
        loop_push(&step, (ScheduleLoop){.over = OVER_ELEMENTS,
                                        .carrier = CARRIED_BY_REGISTERS,
                                        .extent = v->elements,
                                        .step = 1});
    } else {
        lane_pieces(b, stage, v);
        return;
    }
    vec_push(b->arena, &stage->steps, step);
}

static void add_fold(Scheduler *b, ScheduleStage *stage, const ScheduleValue *v) {
    ScheduleStep step = lane_step(b->s, STEP_ADD_FOLD, v);
    step.begins = step.ends = false;
    over_axes(&step, &schedule_node(b->s, v->id)->type, 0);
    vec_push(b->arena, &stage->steps, step);
}

/* A number a position: the rows of a micro-tile lie as its lanes do. */
static bool is_row_of_lanes(const Schedule *s, const ScheduleValue *v) {
    return v->elements == 1 && !s->sequence && schedule_own_rows(s) == PLACE_ROWS;
}

static void copy_out(Scheduler *b, ScheduleStage *stage, const ScheduleValue *v) {
    ScheduleStep step = {.kind = STEP_COPY_OUT, .value = v};
    if (is_row_of_lanes(b->s, v)) {
        over_lanes_of_positions(b->s, &step);
        vec_push(b->arena, &stage->steps, step);
        return;
    }
    over_positions(b->s, &step, 1);
    loop_push(&step, (ScheduleLoop){.over = OVER_ELEMENTS, .extent = v->elements, .step = 1});
    vec_push(b->arena, &stage->steps, step);
}

static void lane_steps(Scheduler *b, ScheduleStage *stage, uint32_t number) {
    const Schedule *s = b->s;
    for (uint32_t k = s->n_inputs; k < s->n_values; k++) {
        const ScheduleValue *v = &s->values[k];
        if (v->side == SCHEDULE_LANE && v->stage == number)
            lane_value(b, stage, v);
        if (v->side == SCHEDULE_FOLD && v->sum && v->stage + 1 == number)
            add_fold(b, stage, v);
    }
    for (uint32_t k = s->n_inputs; k < s->n_values; k++) {
        const ScheduleValue *v = &s->values[k];
        const bool lane = v->side == SCHEDULE_LANE && v->stage == number;
        const bool fold = v->side == SCHEDULE_FOLD && v->stage + 1 == number;
        if ((lane || fold) && v->output && !v->sum)
            copy_out(b, stage, v);
    }
}

void schedule_steps(Scheduler *b) {
    Schedule *s = b->s;
    uint32_t last = 0;
    bool ahead = false;
    for (uint32_t k = s->n_inputs; k < s->n_values; k++)
        last = s->values[k].stage > last ? s->values[k].stage : last;
    for (uint32_t number = 0; number <= last + 1; number++) {
        ScheduleStage stage = {0};
        WideStage wide = {.b = b, .stage = &stage};
        if (number % 2 == 0)
            wide_steps(&wide, number, &ahead);
        else
            lane_steps(b, &stage, number);
        vec_push(b->arena, &s->stages, stage);
    }
}
