/* Lane stages: small values, with the positions of a micro-tile in lanes.
 *
 * Up to UNROLL_LANE elements a value lives in registers, one vector an element; larger ones go
 * through loops over their elements, from and to scratch. */
#include "lower/lower_internal.h"

/* An axis of one element needs no loop, and its index is the constant that others know it by. */
void lower_loops_begin(Lower *l, const TirType *type, uint32_t inner, Index *index) {
    index->rank = type->rank;
    for (uint32_t k = 0; k + inner < type->rank; k++) {
        index->at[k] = affine_const(0);
        if (type->dims[k] == 1)
            continue;
        NestLoop *loop = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0),
                                         nest_i64(&l->b, type->dims[k]), 1, 0, NULL);
        lower_scope_begin(l);
        index->at[k] = affine_var(loop->variable);
    }
}

void lower_loops_end(Lower *l, const TirType *type, uint32_t inner) {
    for (uint32_t k = 0; k + inner < type->rank; k++) {
        if (type->dims[k] == 1)
            continue;
        lower_scope_end(l);
        nest_loop_end(&l->b, NULL);
    }
}

static void write_lane(Lower *l, Value *v, const Index *index, NestId x) {
    Affine flat = affine_flat(index, &tir_node(l->block, v->id)->type);
    lower_store(l, v->buffer, SCRATCH_LANES, &l->context.row, &flat, v->elements,
                lower_vector(l, x), 0);
}

static void lane_in_registers(Lower *l, Value *v) {
    const TirType *type = &tir_node(l->block, v->id)->type;
    for (uint64_t e = 0; e < v->elements; e++) {
        Index index = affine_index(e, type);
        NestId x = lower_eval(l, &l->frame, v->id, &index);
        Affine flat = affine_const((int64_t)e);
        if (v->sum)
            lower_sum_lane(l, v, &flat, x);
        else if (v->must_store)
            write_lane(l, v, &index, x);
    }
}

static void lane_in_loops(Lower *l, Value *v) {
    const TirNode *node = tir_node(l->block, v->id);
    Index index;
    lower_loops_begin(l, &node->type, 0, &index);
    NestId x = lower_op(l, &l->frame, v->id, node, &index);
    Affine flat = affine_flat(&index, &node->type);
    if (v->sum)
        lower_sum_lane(l, v, &flat, x);
    else
        write_lane(l, v, &index, x);
    lower_loops_end(l, &node->type, 0);
}

/* Pieces of a large concatenation or padding, each through its own loops. */
static void lane_by_parts(Lower *l, Value *v) {
    const TirNode *node = tir_node(l->block, v->id);
    uint32_t axis = node->attr.axis;
    Index index;
    if (node->op == TIR_PAD) {
        lower_loops_begin(l, &node->type, 0, &index);
        write_lane(l, v, &index, lower_zero(l, node->type.elem, 1));
        lower_loops_end(l, &node->type, 0);
    }
    int64_t offset = node->op == TIR_PAD ? node->attr.start : 0;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        const TirType *type = &tir_node(l->block, node->operands[k])->type;
        lower_loops_begin(l, type, 0, &index);
        NestId x = lower_eval(l, &l->frame, node->operands[k], &index);
        index.at[axis] = affine_add(index.at[axis], affine_const(offset));
        write_lane(l, v, &index, x);
        lower_loops_end(l, type, 0);
        offset += type->dims[axis];
    }
}

/* Rows chosen at run time differ from position to position, and whether a shift's position exists:
 * one position at a time. */
bool schedule_by_position(const TirNode *node) {
    return node->op == TIR_GATHER || node->op == TIR_SHIFT;
}

static void lane_each_position(Lower *l, Value *v) {
    NestLoop *loop = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0),
                                     nest_i64(&l->b, l->rows), 1, 0, NULL);
    lower_scope_begin(l);
    lower_shift_prepare(l, affine_var(loop->variable), 1, &v->id, 1);
    Context old = lower_context(l, affine_var(loop->variable), 1, 0);
    lane_in_loops(l, v);
    l->context = old;
    lower_scope_end(l);
    nest_loop_end(&l->b, NULL);
}

/* An output that was computed by lanes goes to its rows. */
static void copy_out(Lower *l, Value *v) {
    StoreKind kind = l->rows == 1 ? STORE_GLOBAL : STORE_ROWS;
    NestLoop *rows = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0),
                                     nest_i64(&l->b, l->rows), 1, 0, NULL);
    NestLoop *elements = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0),
                                         nest_i64(&l->b, (int64_t)v->elements), 1, 0, NULL);
    Affine row = affine_var(rows->variable), flat = affine_var(elements->variable);
    Affine from = affine_add(affine_scale(flat, l->rows), row);
    NestId x = nest_load(&l->b, v->buffer, affine_address(&from), 1, 1, 0);
    lower_store(l, v->out_buffer, kind, &row, &flat, v->elements, x, 0);
    nest_loop_end(&l->b, NULL);
    nest_loop_end(&l->b, NULL);
}

static void lower_lane_value(Lower *l, Value *v) {
    const TirNode *node = tir_node(l->block, v->id);
    if (node->op == TIR_SCAN) {
        lower_scan(l, v->id);
        return;
    }
    if (node->op == TIR_RESULT && v->ready && !v->registers)
        return; /* stacked: the scan stored it */
    bool registers = v->registers != NULL;
    if (v->must_store)
        lower_stored(l, v, SCRATCH_LANES);
    v->ready = registers; /* evaluate, do not load, while it is being written */
    if (schedule_by_position(node))
        lane_each_position(l, v);
    else if (v->by_parts)
        lane_by_parts(l, v);
    else if (v->elements <= UNROLL_LANE || registers)
        lane_in_registers(l, v);
    else
        lane_in_loops(l, v);
    v->ready = registers || v->must_store;
}

/* A fold that is summed over positions: from scratch to its accumulator. */
static void add_fold(Lower *l, Value *v) {
    const TirType *type = &tir_node(l->block, v->id)->type;
    Index index;
    lower_loops_begin(l, type, 0, &index);
    Affine flat = affine_flat(&index, type);
    lower_sum_lane(l, v, &flat, lower_load(l, v, type, &index));
    lower_loops_end(l, type, 0);
}

void lower_lane_stage(Lower *l, int32_t time) {
    for (uint32_t k = 0; k < l->order.count; k++) {
        Value *v = schedule_value(l, l->order.at[k]);
        if (v->side == SIDE_LANE && v->time == time)
            lower_lane_value(l, v);
        if (v->side == SIDE_FOLD && v->sum && v->time + 1 == time)
            add_fold(l, v);
    }
    for (uint32_t k = 0; k < l->order.count; k++) {
        Value *v = schedule_value(l, l->order.at[k]);
        bool lane = v->side == SIDE_LANE && v->time == time;
        bool fold = v->side == SIDE_FOLD && v->time + 1 == time;
        if (!lane && !fold)
            continue;
        if (v->must_store && !v->sum)
            v->ready = true;
        if (v->output && !v->sum)
            copy_out(l, v);
    }
}
