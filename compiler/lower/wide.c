/* Wide stages: loops over positions and, within, over features in lanes.
 *
 * Values whose last axes agree share one loop, so what they read is loaded once. Dot products along
 * features carry their accumulators through it. Dot products with weights (a global operand) go
 * through loops of their own, a block of positions by a block of outputs, so that every weight
 * loaded serves several positions. */
#include "lower/lower_internal.h"

/* One accumulator: an element of a fold. */
typedef struct {
    Value *fold;
    Index element;
    uint64_t flat;
} Item;

typedef VEC(Item) ItemVec;

/* One of the `lines` cache lines of an input that each turn of a loop fetches. */
typedef struct {
    const Value *input;
    uint32_t line, lines;
} Ahead;

typedef VEC(Ahead) AheadVec;

/* --- one loop over positions and features -------------------------------------------------------
 */

typedef struct {
    PartVec parts;
    ItemVec items;
    uint32_t extent;         /* of the feature axis */
    uint32_t position_block; /* positions per turn */
    bool sums;               /* parts are added to accumulators: only positions that exist */
    AheadVec ahead;          /* what it fetches of the next micro-tile */
} WideLoop;

typedef VEC(WideLoop) WideLoopVec;

/* Where a value of the stage that lies in memory is written. */
static void store_wide(Lower *l, const Value *v, const Affine *flat, NestId x) {
    const Affine *row = &l->context.row;
    if (v->streamed)
        lower_store_streamed(l, v->out_buffer, row, flat, v->elements, x);
    if (v->streamed && !v->reread)
        return;
    bool output = v->output && !v->streamed;
    StoreKind kind = output ? (l->rows == 1 ? STORE_GLOBAL : STORE_ROWS) : SCRATCH_ROWS;
    lower_store(l, output ? v->out_buffer : v->buffer, kind, row, flat, v->elements, x,
                l->context.valid);
}

static void write_part(Lower *l, const Part *part, Index index) {
    Value *v = part->to;
    const TirType *whole = &tir_node(l->block, v->id)->type;
    NestId x = part->id ? lower_vector(l, lower_eval(l, &l->frame, part->id, &index))
                        : lower_zero(l, whole->elem, l->context.lanes);
    index.at[part->axis] = affine_add(index.at[part->axis], affine_const(part->offset));
    if (v->sum) {
        NestAddress at = lower_sum_place(l, v, &index);
        NestId old = nest_load(&l->b, v->accumulator, at, l->context.lanes, 1, l->context.valid);
        nest_store(&l->b, v->accumulator, at, nest_binary(&l->b, NEST_ADD, old, x),
                   l->context.valid, false);
        return;
    }
    Affine flat = affine_flat(&index, whole);
    store_wide(l, v, &flat, x);
}

static void write_unrolled(Lower *l, const Part *part, Affine c) {
    uint64_t combinations = schedule_leading(&part->type);
    for (uint64_t i = 0; i < combinations; i++) {
        Index index = affine_index(i * part->type.dims[part->type.rank - 1], &part->type);
        index.at[part->type.rank - 1] = c;
        write_part(l, part, index);
    }
}

/* The folds' terms, so ordered that what is loaded for one serves all positions of the block. */
static void fold_body(Lower *l, const WideLoop *w, const Context *positions, Affine c,
                      NestId *acc) {
    if (!w->items.count)
        return;
    Fold *folds = ARENA_ARRAY(l->arena, Fold, w->items.count);
    uint64_t most = 0;
    for (uint32_t k = 0; k < w->items.count; k++) {
        folds[k] = schedule_fold(l, w->items.at[k].fold->id);
        uint64_t others = schedule_fold_others(&folds[k]);
        most = others > most ? others : most;
    }
    for (uint64_t i = 0; i < most; i++)
        for (uint32_t u = 0; u < w->position_block; u++)
            for (uint32_t k = 0; k < w->items.count; k++) {
                if (i >= schedule_fold_others(&folds[k]))
                    continue;
                l->context = positions[u];
                NestId *slot = &acc[u * w->items.count + k];
                *slot = lower_fold_term(l, &folds[k], &w->items.at[k].element, i, c, *slot);
            }
}

/* The micro-tile's rows of an input lie one after the other: turn by turn the loop goes through the
 * next one's. */
static void fetch_ahead(Lower *l, const WideLoop *w, Affine row, Affine c) {
    const int64_t line = CACHE_LINE / (int64_t)real_size(l), lanes = l->options.lanes;
    const int64_t each = w->extent / lanes * lanes / w->position_block;
    Affine turns = affine_add(affine_scale(row, each), c); /* x lanes */
    turns.lane = 0;
    Affine next = affine_add(affine_var(l->tile0), affine_const(l->rows));
    for (uint32_t k = 0; k < w->ahead.count; k++) {
        const Ahead *a = &w->ahead.at[k];
        Affine at = affine_add(affine_scale(turns, a->lines * line / lanes),
                               affine_scale(next, (int64_t)a->input->elements));
        at.offset += a->line * line;
        nest_prefetch(&l->b, a->input->buffer, affine_address(&at));
    }
}

/* All parts and items at features c, for the positions of a block; acc: items x positions. */
static void wide_body(Lower *l, const WideLoop *w, Affine row, Affine c, NestId valid,
                      NestId *acc) {
    Context positions[POSITION_BLOCK], old = l->context;
    for (uint32_t u = 0; u < w->position_block; u++) {
        lower_context(l, affine_add(row, affine_const(u)), l->options.lanes, valid);
        positions[u] = l->context;
    }
    for (uint32_t k = 0; k < w->parts.count; k++)
        lower_block_weighted(l, &w->parts.at[k], positions, w->position_block, c);
    for (uint32_t u = 0; u < w->position_block; u++) {
        l->context = positions[u];
        for (uint32_t k = 0; k < w->parts.count; k++)
            write_unrolled(l, &w->parts.at[k], c);
    }
    fold_body(l, w, positions, c, acc);
    l->context = old;
    if (!valid)
        fetch_ahead(l, w, row, c);
}

Affine lower_features(Lower *l, NestId c) {
    l->feature = c;
    Affine a = c ? affine_var(c) : affine_const(0);
    a.lane = 1;
    return a;
}

static void finish_items(Lower *l, const WideLoop *w, Affine row, const NestId *acc) {
    for (uint32_t u = 0; u < w->position_block; u++)
        for (uint32_t k = 0; k < w->items.count; k++) {
            const Item *item = &w->items.at[k];
            TirOp op = tir_node(l->block, item->fold->id)->op;
            NestId x = lower_fold_lanes(l, op, acc[u * w->items.count + k]);
            Affine at = affine_add(row, affine_const(u));
            Affine flat = affine_const((int64_t)item->flat);
            lower_store(l, item->fold->buffer, SCRATCH_LANES, &at, &flat, item->fold->elements, x,
                        0);
        }
}

static void feature_loop(Lower *l, const WideLoop *w, Affine row) {
    uint32_t lanes = l->options.lanes, whole = w->extent / lanes * lanes;
    uint32_t n = w->items.count * w->position_block;
    NestId *acc = ARENA_ARRAY(l->arena, NestId, n + 1);
    for (uint32_t k = 0; k < n; k++) {
        TirOp op = tir_node(l->block, w->items.at[k % w->items.count].fold->id)->op;
        acc[k] = nest_const(&l->b, (NestType){l->options.real, (uint16_t)lanes},
                            lower_fold_identity(op));
    }
    if (whole) {
        NestLoop *loop = nest_loop_begin(&l->b, NEST_VECTOR, nest_i64(&l->b, 0),
                                         nest_i64(&l->b, whole), lanes, n, acc);
        lower_scope_begin(l);
        NestId *inner = ARENA_ARRAY(l->arena, NestId, n + 1);
        for (uint32_t k = 0; k < n; k++)
            inner[k] = loop->inner[k];
        wide_body(l, w, row, lower_features(l, loop->variable), 0, inner);
        lower_scope_end(l);
        nest_loop_end(&l->b, inner);
        for (uint32_t k = 0; k < n; k++)
            acc[k] = nest_result(&l->b, loop, k);
    }
    if (w->extent > whole) {
        lower_scope_begin(l);
        Affine c = lower_features(l, 0);
        c.offset = whole;
        wide_body(l, w, row, c, nest_i64(&l->b, w->extent - whole), acc);
        lower_scope_end(l);
    }
    finish_items(l, w, row, acc);
}

static void rows_begin(Lower *l, const WideLoop *w, Affine row) {
    TirIdVec roots = {0};
    for (uint32_t k = 0; k < w->parts.count; k++)
        vec_push(l->arena, &roots, w->parts.at[k].id);
    for (uint32_t k = 0; k < w->items.count; k++)
        vec_push(l->arena, &roots, w->items.at[k].fold->id);
    lower_scope_begin(l);
    lower_shift_prepare(l, row, w->position_block, roots.at, roots.count);
}

/* Sums over positions: features outside, for the accumulators of one feature fit into registers. */
static void sum_loop(Lower *l, const WideLoop *w) {
    uint32_t lanes = l->options.lanes, whole = w->extent / lanes * lanes;
    if (whole) {
        NestLoop *loop = nest_loop_begin(&l->b, NEST_VECTOR, nest_i64(&l->b, 0),
                                         nest_i64(&l->b, whole), lanes, 0, NULL);
        for (uint32_t k = 0; k < w->parts.count; k++)
            lower_block_sum(l, &w->parts.at[k], lower_features(l, loop->variable), 0);
        nest_loop_end(&l->b, NULL);
    }
    if (w->extent > whole) {
        Affine c = lower_features(l, 0);
        c.offset = whole;
        for (uint32_t k = 0; k < w->parts.count; k++)
            lower_block_sum(l, &w->parts.at[k], c, nest_i64(&l->b, w->extent - whole));
    }
}

static void wide_loop(Lower *l, WideLoop *w) {
    if (w->sums) {
        sum_loop(l, w);
        return;
    }
    if (l->rows == w->position_block) {
        rows_begin(l, w, affine_const(0));
        feature_loop(l, w, affine_const(0));
        lower_scope_end(l);
        return;
    }
    NestLoop *loop = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0),
                                     nest_i64(&l->b, l->rows), w->position_block, 0, NULL);
    rows_begin(l, w, affine_var(loop->variable));
    feature_loop(l, w, affine_var(loop->variable));
    lower_scope_end(l);
    nest_loop_end(&l->b, NULL);
}

/* --- values too large to unroll their leading axes: loops over them -----------------------------
 */

uint32_t schedule_divisor(uint32_t extent, uint32_t most) {
    uint32_t n = extent < most ? extent : most;
    while (extent % n != 0)
        n--;
    return n;
}

/* At features index->at[last], `block` elements that follow each other along the axis before. */
static void looped_block(Lower *l, const Part *part, Affine row, Index index, uint32_t block,
                         NestId valid) {
    uint32_t axis = part->type.rank - 2u;
    lower_scope_begin(l);
    Context old = lower_context(l, row, l->options.lanes, valid);
    for (uint32_t k = 0; k < block; k++) {
        write_part(l, part, index);
        index.at[axis] = affine_add(index.at[axis], affine_const(1));
    }
    l->context = old;
    lower_scope_end(l);
}

static void looped_features(Lower *l, const Part *part, Affine row, Index *index, uint32_t block) {
    uint32_t last = part->type.rank - 1u, lanes = l->options.lanes;
    uint32_t extent = part->type.dims[last], whole = extent / lanes * lanes;
    if (whole) {
        NestLoop *loop = nest_loop_begin(&l->b, NEST_VECTOR, nest_i64(&l->b, 0),
                                         nest_i64(&l->b, whole), lanes, 0, NULL);
        index->at[last] = lower_features(l, loop->variable);
        looped_block(l, part, row, *index, block, 0);
        nest_loop_end(&l->b, NULL);
    }
    if (extent > whole) {
        index->at[last] = lower_features(l, 0);
        index->at[last].offset = whole;
        looped_block(l, part, row, *index, block, nest_i64(&l->b, extent - whole));
    }
}

/* A block of elements a turn: what one of them reads serves the others. */
static void looped_part(Lower *l, const Part *part) {
    NestId end = part->to->sum ? l->valid_rows : nest_i64(&l->b, l->rows);
    uint32_t axis = part->type.rank - 2u, extent = part->type.dims[axis];
    uint32_t block = schedule_divisor(extent, UNROLL_LEADING);
    NestLoop *loop = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0), end, 1, 0, NULL);
    lower_scope_begin(l);
    lower_shift_prepare(l, affine_var(loop->variable), 1, &part->id, 1);
    Index index = {.rank = part->type.rank};
    lower_loops_begin(l, &part->type, 2, &index);
    NestLoop *blocks = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0),
                                       nest_i64(&l->b, extent), block, 0, NULL);
    index.at[axis] = affine_var(blocks->variable);
    looped_features(l, part, affine_var(loop->variable), &index, block);
    nest_loop_end(&l->b, NULL);
    lower_loops_end(l, &part->type, 2);
    lower_scope_end(l);
    nest_loop_end(&l->b, NULL);
}

static void by_element(Lower *l, Value *v) {
    const TirNode *node = tir_node(l->block, v->id);
    NestLoop *loop = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0),
                                     nest_i64(&l->b, l->rows), 1, 0, NULL);
    lower_scope_begin(l);
    Context old = lower_context(l, affine_var(loop->variable), 1, 0);
    Index index;
    lower_loops_begin(l, &node->type, 0, &index);
    NestId x = lower_op(l, &l->frame, v->id, node, &index);
    Affine flat = affine_flat(&index, &node->type);
    store_wide(l, v, &flat, x);
    lower_loops_end(l, &node->type, 0);
    l->context = old;
    lower_scope_end(l);
    nest_loop_end(&l->b, NULL);
}

/* --- a stage
 * -------------------------------------------------------------------------------------- */

static void parts_of(Lower *l, Value *v, PartVec *parts) {
    const TirNode *node = tir_node(l->block, v->id);
    if (!v->by_parts) {
        Part whole = {.id = v->id, .to = v, .type = node->type};
        vec_push(l->arena, parts, whole);
        return;
    }
    uint32_t axis = node->attr.axis;
    int64_t offset = 0;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const TirType *type = &tir_node(l->block, node->operands[k])->type;
        int64_t before = node->op == TIR_PAD ? node->attr.start : 0;
        if (before) {
            Part zeros = {.to = v, .type = *type, .axis = axis};
            zeros.type.dims[axis] = (uint32_t)before;
            vec_push(l->arena, parts, zeros);
        }
        offset += before;
        Part part = {
            .id = node->operands[k], .to = v, .type = *type, .axis = axis, .offset = offset};
        vec_push(l->arena, parts, part);
        offset += type->dims[axis];
    }
    if (offset < node->type.dims[axis]) {
        Part zeros = {.to = v, .type = node->type, .axis = axis, .offset = offset};
        zeros.type.dims[axis] = (uint32_t)(node->type.dims[axis] - offset);
        vec_push(l->arena, parts, zeros);
    }
}

static WideLoop *loop_for(Lower *l, WideLoopVec *loops, uint32_t extent, bool sums, uint32_t block,
                          uint32_t accumulators) {
    block = l->rows % block == 0 ? block : 1;
    for (uint32_t k = 0; k < loops->count; k++) {
        WideLoop *w = &loops->at[k];
        if (w->extent == extent && w->sums == sums && w->position_block == block &&
            w->items.count + accumulators <= schedule_fold_accumulators(l, block))
            return w;
    }
    WideLoop fresh = {.extent = extent, .sums = sums, .position_block = block};
    vec_push(l->arena, loops, fresh);
    return &loops->at[loops->count - 1];
}

static void collect_fold(Lower *l, Value *v, WideLoopVec *loops) {
    Fold f = schedule_fold(l, v->id);
    if (schedule_is_looped_fold(l, v)) {
        lower_looped_fold(l, v);
        return;
    }
    bool weights = schedule_reads_weights(l, v->id);
    for (uint64_t e = 0; e < v->elements; e++) {
        WideLoop *w = loop_for(l, loops, f.lane_extent, false, weights ? POSITION_BLOCK : 1, 1);
        Item item = {v, affine_index(e, &f.node->type), e};
        vec_push(l->arena, &w->items, item);
    }
}

enum { AHEAD_BYTES = 512 << 10 }; /* half a second-level cache */

/* Multiplications of a turn by weights that serve a block of positions; 0: it has none. */
static uint64_t weighted_work(Lower *l, const WideLoop *w) {
    uint64_t work = 0;
    if (w->sums || w->position_block == 1)
        return 0;
    for (uint32_t k = 0; k < w->parts.count; k++)
        if (w->parts.at[k].id && w->parts.at[k].to->weighted)
            work += schedule_terms(l, w->parts.at[k].id) * schedule_leading(&w->parts.at[k].type);
    for (uint32_t k = 0; k < w->items.count; k++) {
        Fold f = schedule_fold(l, w->items.at[k].fold->id);
        work += schedule_fold_others(&f);
    }
    return work * w->position_block;
}

/* Loops that multiply by weights leave the memory idle: the first stage but the one that reads the
 * inputs with enough of them fetches what the next micro-tile will read, a share of it in each. */
static void plan_ahead(Lower *l, const WideLoopVec *loops) {
    if (l->ahead_planned)
        return;
    const uint64_t line = CACHE_LINE / real_size(l), lanes = l->options.lanes;
    const WideLoop *heaviest = NULL;
    for (uint32_t k = 0; k < loops->count; k++) {
        const WideLoop *w = &loops->at[k];
        if (w->extent >= lanes && weighted_work(l, w) > (heaviest ? weighted_work(l, heaviest) : 0))
            heaviest = w;
    }
    if (!heaviest)
        return;
    uint64_t work = 0, bytes = 0;
    VEC(WideLoop *) heavy = {0};
    for (uint32_t k = 0; k < loops->count; k++) {
        WideLoop *w = &loops->at[k];
        if (weighted_work(l, w) == 0 || w->extent != heaviest->extent ||
            w->position_block != heaviest->position_block)
            continue;
        work += weighted_work(l, w);
        vec_push(l->arena, &heavy, w);
    }
    const uint64_t turns = l->rows / heaviest->position_block * (heaviest->extent / lanes);
    VEC(Ahead) all = {0};
    for (uint32_t k = 0; k < l->group->inputs.count; k++) {
        const Value *v = schedule_value(l, l->group->inputs.at[k]);
        const TirType *type = &tir_node(l->block, v->id)->type;
        if (v->store != STORE_ROWS || !schedule_is_wide(type) || type->elem != TIR_REAL)
            continue;
        const uint64_t rows_lines = l->rows * v->elements / line;
        bytes += rows_lines * CACHE_LINE;
        Ahead a = {.input = v, .lines = (uint32_t)((rows_lines + turns - 1) / turns)};
        for (; a.line < a.lines; a.line++)
            vec_push(l->arena, &all, a);
    }
    if (all.count > work || bytes > AHEAD_BYTES)
        return;
    l->ahead_planned = true;
    for (uint32_t k = 0; k < all.count; k++)
        vec_push(l->arena, &heavy.at[k % heavy.count]->ahead, all.at[k]);
}

void lower_wide_stage(Lower *l, int32_t time) {
    WideLoopVec loops = {0};
    for (uint32_t k = 0; k < l->order.count; k++) {
        Value *v = schedule_value(l, l->order.at[k]);
        if (v->time != time || v->side == SIDE_LANE)
            continue;
        if (v->side == SIDE_FOLD) {
            lower_stored(l, v, SCRATCH_LANES);
            v->ready = false; /* until the stage ends */
            continue;
        }
        if (!v->must_store && !v->sum)
            continue;
        if ((!v->output || (v->streamed && v->reread)) && !v->sum) {
            lower_stored(l, v, SCRATCH_ROWS);
            v->ready = false;
        }
        if (v->by_element) {
            by_element(l, v);
            continue;
        }
        PartVec parts = {0};
        parts_of(l, v, &parts);
        for (uint32_t m = 0; m < parts.count; m++) {
            Part *part = &parts.at[m];
            if (schedule_leading(&part->type) > (v->sum ? UNROLL_SUM : UNROLL_LEADING)) {
                looped_part(l, part);
                continue;
            }
            WideLoop *w = loop_for(l, &loops, part->type.dims[part->type.rank - 1], v->sum,
                                   v->sum ? 1 : schedule_block_positions(l, v, &part->type), 0);
            vec_push(l->arena, &w->parts, *part);
        }
    }
    for (uint32_t k = 0; k < l->order.count; k++) {
        Value *v = schedule_value(l, l->order.at[k]);
        if (v->time == time && v->side == SIDE_FOLD)
            collect_fold(l, v, &loops);
    }
    if (time > 0)
        plan_ahead(l, &loops);
    for (uint32_t k = 0; k < loops.count; k++)
        wide_loop(l, &loops.at[k]);
    for (uint32_t k = 0; k < l->order.count; k++) {
        Value *v = schedule_value(l, l->order.at[k]);
        if (v->time != time || v->side == SIDE_LANE || !(v->must_store || v->side == SIDE_FOLD))
            continue;
        if (v->side == SIDE_WIDE && v->output && !(v->streamed && v->reread)) {
            v->store = l->rows == 1 ? STORE_GLOBAL : STORE_ROWS;
            v->buffer = v->out_buffer;
        }
        v->ready = !v->sum || v->side == SIDE_FOLD;
    }
}
