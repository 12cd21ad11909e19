/* Wide arrays in the order in which loops over features come to them.
 *
 * A loop over features that reads weights of many rows touches each row at the same feature: places
 * a whole row apart, which share few sets of the first-level cache and push each other out of it
 * before the next vector of features is read. So a task first copies such weights into scratch
 * memory, [vector of features][row][lane], where one turn of the loop reads what lies together.
 * What a task adds up for weights is kept in the same order, and put in the order of the result at
 * the task's end. A task of a few positions copies more than it gains; how many there will be is
 * not known here. */
#include "lower/lower_internal.h"

enum {
    PACK_BYTES = 8 << 20, /* of scratch memory for all arrays of a kernel */
    PACK_UNROLL = 16,     /* rows copied by one turn */
};

uint64_t schedule_packed_elements(const Lower *l, const TirType *type) {
    const uint64_t lanes = l->options.lanes, extent = type->dims[type->rank - 1];
    return schedule_leading(type) * ((extent + lanes - 1) / lanes * lanes);
}

static void pack_if_worth(Lower *l, Value *v) {
    const TirType *type = &tir_node(l->block, v->id)->type;
    if (v->packed || l->rows == 1 || type->elem != TIR_REAL || !schedule_is_wide(type) ||
        schedule_leading(type) < PACK_ROWS)
        return;
    const uint64_t bytes = schedule_packed_elements(l, type) * real_size(l);
    v->packed = l->packed_bytes + bytes <= PACK_BYTES;
    l->packed_bytes += v->packed ? bytes : 0;
}

/* Whether `id` is `root`, at most with its rows numbered by more axes or by fewer. */
static bool has_rows_of(const Lower *l, TirId id, TirId root) {
    const TirType *read = &tir_node(l->block, id)->type, *type = &tir_node(l->block, root)->type;
    while (id != root && tir_node(l->block, id)->op == TIR_RESHAPE)
        id = tir_node(l->block, id)->operands[0];
    return id == root && read->rank > 0 && type->rank > 0 &&
           read->dims[read->rank - 1] == type->dims[type->rank - 1];
}

/* Weights that a contraction of the group reads along their last axis. */
static void pack_operands(Lower *l, TirId id) {
    const TirNode *node = tir_node(l->block, id);
    for (uint32_t k = 0; k < node->n_operands; k++) {
        bool in_step;
        Value *v = schedule_value(l, schedule_operand(l, id, k, &in_step));
        const int last = tir_node(l->block, node->operands[k])->type.rank - 1;
        if (v && !v->in_group && v->store == STORE_GLOBAL && schedule_lane_axis(l, id, k) == last &&
            has_rows_of(l, node->operands[k], v->id))
            pack_if_worth(l, v);
    }
}

void schedule_packs(Lower *l) {
    for (uint32_t k = 0; k < l->order.count; k++) {
        Value *v = schedule_value(l, l->order.at[k]);
        if (v->side != SIDE_LANE && schedule_reads_weights(l, v->id))
            pack_operands(l, v->id);
        if (v->sum && v->side == SIDE_WIDE && !v->by_element)
            pack_if_worth(l, v);
    }
}

bool lower_is_packed_index(const Lower *l, const Index *index) {
    const Affine *last = &index->at[index->rank - 1];
    const bool whole_vectors =
        last->n_terms == 0 ||
        (last->n_terms == 1 && last->value[0] == l->feature && last->coefficient[0] == 1);
    if (index->by_address || l->context.lanes != l->options.lanes || last->lane != 1 ||
        !whole_vectors || last->offset % l->options.lanes != 0)
        return false;
    for (uint32_t k = 0; k + 1 < index->rank; k++)
        if (index->at[k].lane != 0)
            return false;
    return true;
}

Affine lower_packed_flat(const Lower *l, const TirType *type, const Index *index) {
    Index row = *index;
    TirType rows = *type;
    row.rank--;
    rows.rank--;
    Affine feature = index->at[row.rank], flat = affine_flat(&row, &rows);
    feature.lane = 0;
    flat = affine_add(affine_scale(flat, l->options.lanes),
                      affine_scale(feature, (int64_t)schedule_leading(type)));
    flat.lane = 1;
    return flat;
}

uint32_t lower_packed_buffer(Lower *l, const Value *v) {
    const TirNode *node = tir_node(l->block, v->id);
    return lower_scratch(l, "packed", TIR_REAL, schedule_packed_elements(l, &node->type));
}

/* Between plain[row][feature], from `plain_at` on, and the packed order. */
typedef struct {
    const TirType *type;
    uint32_t plain, packed;
    NestAddress plain_at;
    bool to_plain;
} Repack;

static void repack_rows(Lower *l, const Repack *r, NestId feature, uint64_t from, NestId valid) {
    const uint64_t rows = schedule_leading(r->type);
    const uint32_t block = schedule_divisor((uint32_t)rows, PACK_UNROLL);
    const uint32_t extent = r->type->dims[r->type->rank - 1];
    const uint16_t lanes = l->options.lanes;
    NestLoop *loop = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0),
                                     nest_i64(&l->b, (int64_t)rows), block, 0, NULL);
    NestAddress plain = nest_at_plus(r->plain_at, loop->variable, extent);
    NestAddress packed = nest_at_plus(nest_at(0), loop->variable, lanes);
    if (feature) {
        plain = nest_at_plus(plain, feature, 1);
        packed = nest_at_plus(packed, feature, (int64_t)rows);
    }
    plain.offset += (int64_t)from;
    packed.offset += (int64_t)(from * rows);
    for (uint32_t k = 0; k < block; k++) {
        if (r->to_plain) {
            NestId x = nest_load(&l->b, r->packed, packed, lanes, 1, 0);
            nest_store(&l->b, r->plain, plain, x, valid, false);
        } else {
            NestId x = nest_load(&l->b, r->plain, plain, lanes, 1, valid);
            nest_store(&l->b, r->packed, packed, x, 0, false);
        }
        plain.offset += extent;
        packed.offset += lanes;
    }
    nest_loop_end(&l->b, NULL);
}

static void repack(Lower *l, const Repack *r) {
    const uint32_t extent = r->type->dims[r->type->rank - 1], lanes = l->options.lanes;
    const uint32_t whole = extent / lanes * lanes;
    if (whole) {
        NestLoop *loop = nest_loop_begin(&l->b, NEST_SEQUENTIAL, nest_i64(&l->b, 0),
                                         nest_i64(&l->b, whole), lanes, 0, NULL);
        repack_rows(l, r, loop->variable, 0, 0);
        nest_loop_end(&l->b, NULL);
    }
    if (extent > whole)
        repack_rows(l, r, 0, whole, nest_i64(&l->b, extent - whole));
}

void lower_pack_weights(Lower *l) {
    for (uint32_t k = 0; k < l->group->inputs.count; k++) {
        Value *v = schedule_value(l, l->group->inputs.at[k]);
        if (!v->packed)
            continue;
        v->packed_buffer = lower_packed_buffer(l, v);
        Repack r = {.type = &tir_node(l->block, v->id)->type,
                    .plain = v->buffer,
                    .packed = v->packed_buffer,
                    .plain_at = nest_at(0)};
        repack(l, &r);
    }
}

void lower_unpack_sum(Lower *l, const Value *v) {
    Repack r = {.type = &tir_node(l->block, v->id)->type,
                .plain = v->out_buffer,
                .packed = v->accumulator,
                .plain_at = nest_at_plus(nest_at(0), nest_task(&l->b), (int64_t)v->elements),
                .to_plain = true};
    repack(l, &r);
}
