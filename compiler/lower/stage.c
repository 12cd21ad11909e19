/* Stages: in which order a micro-tile's values are computed, and which lie in memory.
 *
 * A value is wide when its last axis is long (features run along the lanes), else small (positions
 * run along the lanes). Wide values are computed in even stages, small ones in odd stages; a dot
 * product along features (a fold) belongs to a wide stage and gives a small value. A user is in
 * step with an operand when it reads the operand's element at its own place: then both can be in
 * one loop. Otherwise the operand must lie in memory before the user's stage begins; so must what a
 * dot product with weights reads, for it comes back to it once for every block of outputs. */
#include "lower/lower_internal.h"

bool schedule_is_wide(const TirType *type) {
    return type->elem != TIR_TUPLE && type->rank > 0 && type->dims[type->rank - 1] >= WIDE_EXTENT;
}

/* The operand's axis that is the last of what a reduction leaves; -1: none is left. */
static int last_kept(const TirNode *node, uint32_t rank) {
    while (rank > 0 && node->attr.axis_mask >> (rank - 1) & 1)
        rank--;
    return (int)rank - 1;
}

/* The axis of operand `k` (before views) that runs along the lanes when `id`'s last axis does, or
 * when the fold's summed axis does; -1: none. */
int schedule_lane_axis(const Lower *l, TirId id, uint32_t k) {
    const TirNode *node = tir_node(l->block, id);
    const TirType *type = &tir_node(l->block, node->operands[k])->type;
    if (type->rank == 0)
        return -1;
    const Value *v = schedule_value(l, id);
    bool fold = v && v->side == SIDE_FOLD;
    switch (tir_op_class(node->op)) {
    case TIR_CLASS_REDUCE:
        return fold ? type->rank - 1 : last_kept(node, type->rank);
    case TIR_CLASS_CONTRACT: {
        uint8_t label;
        if (fold) {
            /* the label of a wide operand's last axis that is summed */
            label = 0xff;
            for (uint32_t o = 0; o < 2 && label == 0xff; o++) {
                const TirType *t = &tir_node(l->block, node->operands[o])->type;
                if (!schedule_is_wide(t))
                    continue;
                uint8_t last = node->attr.labels[o][t->rank - 1];
                bool kept = false;
                for (uint32_t m = 0; m < node->type.rank; m++)
                    kept |= node->attr.labels[2][m] == last;
                if (!kept)
                    label = last;
            }
        } else if (node->type.rank == 0) {
            return -1; /* a scalar has no axis to lie in lanes */
        } else {
            label = node->attr.labels[2][node->type.rank - 1];
        }
        for (uint32_t m = 0; m < type->rank; m++)
            if (node->attr.labels[k][m] == label)
                return (int)m;
        return -1;
    }
    case TIR_CLASS_GATHER: /* the table's last axis; what is scattered, unless rows are the last */
        if (node->op == TIR_GATHER)
            return k == 0 && type->rank > 1 ? type->rank - 1 : -1;
        return node->op == TIR_SCATTER_ADD && k == 1 && node->type.rank > 1 ? type->rank - 1 : -1;
    case TIR_CLASS_MAP:
    case TIR_CLASS_VIEW:
        return type->rank - 1;
    default:
        return -1;
    }
}

/* A reshape that adds or drops axes of one element and leaves the last axis. */
static bool keeps_lanes(const TirType *to, const TirType *from) {
    uint32_t a = to->rank, b = from->rank;
    if (a == 0 || b == 0 || to->dims[a - 1] != from->dims[b - 1])
        return false;
    while (a && b) {
        if (to->dims[a - 1] == from->dims[b - 1])
            a--, b--;
        else if (to->dims[a - 1] == 1)
            a--;
        else if (from->dims[b - 1] == 1)
            b--;
        else
            return false;
    }
    return true; /* the elements are as many: what is left over has one each */
}

TirId schedule_operand(const Lower *l, TirId id, uint32_t k, bool *in_step) {
    int axis = schedule_lane_axis(l, id, k);
    TirId at = tir_node(l->block, id)->operands[k];
    bool reshaped = false;
    for (;;) {
        const TirNode *node = tir_node(l->block, at);
        if (schedule_value(l, at) || !plan_is_view(node))
            break;
        if (node->op == TIR_RESHAPE) {
            const TirType *from = &tir_node(l->block, node->operands[0])->type;
            if (axis == node->type.rank - 1 && keeps_lanes(&node->type, from))
                axis = from->rank - 1;
            else
                reshaped = true;
        } else if (node->op == TIR_BROADCAST) {
            int inner = -1;
            for (uint32_t m = 0; m < tir_node(l->block, node->operands[0])->type.rank; m++)
                if (node->attr.axes[m] == axis)
                    inner = (int)m;
            axis = inner;
        }
        at = node->operands[0];
    }
    const TirType *type = &tir_node(l->block, at)->type;
    const Value *user = schedule_value(l, id), *from = schedule_value(l, at);
    /* A loop's results are as wide as they are, and have positions in lanes. */
    bool wide_user = user->side != SIDE_LANE;
    bool wide = schedule_is_wide(type) && !(from && from->in_group && from->side == SIDE_LANE);
    if (wide_user)
        *in_step = !reshaped && wide && axis == type->rank - 1;
    else
        *in_step = !wide && (!reshaped || user->elements <= UNROLL_LANE);
    const TirNode *reader = tir_node(l->block, id);
    if (reader->op == TIR_GATHER && k == 0)
        *in_step = false; /* rows are addressed at run time */
    if (reader->op == TIR_TAKE && wide_user && reader->attr.axis + 1u == reader->type.rank)
        *in_step = false; /* each lane has an entry of its own, and would make it for itself */
    return at;
}

/* A dot product along features that leaves a small value. */
static bool is_fold(const Lower *l, TirId id) {
    const TirNode *node = tir_node(l->block, id);
    TirOpClass class = tir_op_class(node->op);
    if (schedule_is_wide(&node->type) || node->op == TIR_ARGMAX)
        return false;
    if (class == TIR_CLASS_REDUCE) {
        const TirType *type = &tir_node(l->block, node->operands[0])->type;
        return node->op != TIR_POSITION_SUM && schedule_is_wide(type) &&
               (node->attr.axis_mask >> (type->rank - 1) & 1);
    }
    if (class != TIR_CLASS_CONTRACT)
        return false;
    for (uint32_t o = 0; o < 2; o++) {
        const TirType *type = &tir_node(l->block, node->operands[o])->type;
        if (!schedule_is_wide(type))
            continue;
        uint8_t last = node->attr.labels[o][type->rank - 1];
        bool kept = false;
        for (uint32_t m = 0; m < node->type.rank; m++)
            kept |= node->attr.labels[2][m] == last;
        if (!kept)
            return true;
    }
    return false;
}

bool schedule_reads_weights(const Lower *l, TirId id) {
    const TirNode *node = tir_node(l->block, id);
    if (node->op != TIR_CONTRACT || l->rows == 1)
        return false;
    for (uint32_t k = 0; k < 2; k++) {
        const TirType *type = &tir_node(l->block, node->operands[k])->type;
        if (schedule_is_wide(type) && tir_domain_equal(type->domain, TIR_GLOBAL))
            return true;
    }
    return false;
}

/* Whether some operand's elements lie apart where the lanes run. */
static bool strides(const Lower *l, TirId id) {
    const TirNode *node = tir_node(l->block, id);
    for (uint32_t k = 0; k < node->n_operands; k++) {
        int axis = schedule_lane_axis(l, id, k);
        if (axis >= 0 && axis != tir_node(l->block, node->operands[k])->type.rank - 1)
            return true;
    }
    return false;
}

/* A few flops on values that are in memory anyway. */
static bool is_cheap(const Lower *l, TirId id) {
    const TirNode *node = tir_node(l->block, id);
    switch (node->op) {
    case TIR_ADD:
    case TIR_SUB:
    case TIR_MUL:
    case TIR_NEG:
    case TIR_MAX:
    case TIR_MIN:
    case TIR_SELECT:
    case TIR_ONEHOT:
    case TIR_STOP_GRADIENT:
    case TIR_SHIFT:
        break;
    case TIR_CONTRACT:
        if (!tir_is_product(l->block, node) || strides(l, id))
            return false;
        break;
    default:
        return false;
    }
    for (uint32_t k = 0; k < node->n_operands; k++) {
        bool in_step;
        const Value *v = schedule_value(l, schedule_operand(l, id, k, &in_step));
        if (v && v->in_group && v->side == SIDE_WIDE)
            return false;
    }
    return true;
}

static bool is_by_parts(const TirNode *node) {
    if (node->op != TIR_CONCAT && node->op != TIR_PAD)
        return false;
    uint64_t elements = tir_element_count(&node->type);
    if (!schedule_is_wide(&node->type))
        return elements > UNROLL_LANE;
    return node->attr.axis + 1u == node->type.rank ||
           elements / node->type.dims[node->type.rank - 1] > UNROLL_LEADING;
}

static bool is_by_element(const Lower *l, const TirNode *node) {
    return node->op == TIR_GATHER && schedule_is_wide(&node->type) &&
           tir_node(l->block, node->operands[0])->type.rank == 1;
}

static Side side_of(const Lower *l, TirId id) {
    const TirNode *node = tir_node(l->block, id);
    if (node->op == TIR_SCAN || node->op == TIR_RESULT)
        return SIDE_LANE; /* whatever its extent: what a loop carries lies in registers */
    return is_fold(l, id) ? SIDE_FOLD : schedule_is_wide(&node->type) ? SIDE_WIDE : SIDE_LANE;
}

static bool must_be_stored(const Value *v, const TirNode *node) {
    if (v->by_parts || v->by_element || v->output)
        return true;
    if (v->side == SIDE_LANE && node->op != TIR_RESULT)
        return v->elements > UNROLL_LANE || schedule_by_position(node);
    return v->side == SIDE_FOLD;
}

/* A long sum. */
static bool is_dear(const Lower *l, const TirNode *node) {
    TirOpClass class = tir_op_class(node->op);
    if (class != TIR_CLASS_REDUCE && class != TIR_CLASS_CONTRACT)
        return false;
    for (uint32_t k = 0; k < node->n_operands; k++)
        if (tir_element_count(&tir_node(l->block, node->operands[k])->type) >
            UNROLL_REDUCE * tir_element_count(&node->type))
            return true;
    return false;
}

/* Loops over a large small-sided value's elements come to its operands by run-time index: a long
 * sum there would be made again in every turn, so it is stored before. */
static void store_what_loops_read(Lower *l) {
    for (uint32_t k = l->order.count; k-- > 0;) {
        TirId id = l->order.at[k];
        Value *v = schedule_value(l, id);
        if (v->side != SIDE_LANE || (v->elements <= UNROLL_LANE && !v->in_loops))
            continue;
        for (uint32_t o = 0; o < tir_node(l->block, id)->n_operands; o++) {
            bool in_step;
            Value *from = schedule_value(l, schedule_operand(l, id, o, &in_step));
            if (!from || !from->in_group || from->side != SIDE_LANE || from->must_store)
                continue;
            from->must_store = is_dear(l, tir_node(l->block, from->id));
            from->in_loops = !from->must_store;
        }
    }
}

/* Whether `from`, which `user` reads, must be in memory before the user's stage begins although it
 * is read in step: what reads weights is computed in blocks of positions, once; what has loops of
 * its own and is stored by them shares nothing with a reader; and what is read time and again is
 * not made time and again. */
static bool settled_first(const Lower *l, const Value *from, const Value *user) {
    if (from->side != SIDE_WIDE || user->side == SIDE_LANE)
        return false;
    if (from->weighted && !from->cheap)
        return true;
    const TirType *type = &tir_node(l->block, from->id)->type;
    if (from->must_store && !from->sum && schedule_leading(type) > UNROLL_LEADING)
        return true;
    return user->side == SIDE_FOLD && !from->cheap &&
           (schedule_reads_weights(l, user->id) || schedule_is_looped_fold(l, user));
}

static int32_t earliest(const Lower *l, TirId id) {
    const TirNode *node = tir_node(l->block, id);
    const Value *v = schedule_value(l, id);
    int32_t time = v->side == SIDE_LANE ? 1 : 0;
    for (uint32_t o = 0; o < node->n_operands; o++) {
        bool in_step;
        const Value *from = schedule_value(l, schedule_operand(l, id, o, &in_step));
        if (!from || !from->in_group)
            continue;
        bool after = !in_step || from->side == SIDE_FOLD || from->by_parts || from->by_element ||
                     settled_first(l, from, v);
        int32_t least = from->time + (after ? 1 : 0);
        if (((least ^ time) & 1) != 0)
            least++;
        time = least > time ? least : time;
    }
    return time;
}

/* A wide value that is only read in step moves to the stage of its first reader: computed there, it
 * needs no memory. */
static void sink_to_readers(Lower *l) {
    for (uint32_t k = 0; k < l->order.count; k++)
        schedule_value(l, l->order.at[k])->first_use = INT32_MAX;
    for (uint32_t k = l->order.count; k-- > 0;) {
        TirId id = l->order.at[k];
        Value *v = schedule_value(l, id);
        if (v->side == SIDE_WIDE && !v->output && !v->sum && !v->by_parts && !v->by_element &&
            v->first_use != INT32_MAX && v->first_use > v->time)
            v->time = v->first_use;
        for (uint32_t o = 0; o < tir_node(l->block, id)->n_operands; o++) {
            bool in_step;
            Value *from = schedule_value(l, schedule_operand(l, id, o, &in_step));
            if (!from || !from->in_group)
                continue;
            bool together = in_step && !settled_first(l, from, v);
            int32_t use = together ? v->time : from->time;
            if (use < from->first_use)
                from->first_use = use;
        }
    }
}

/* Outputs that will have left the caches before anybody reads them need not displace what has not;
 * and what is not in a cache is not read from memory to be overwritten. */
static void choose_streamed(Lower *l) {
    TirDomain domain = l->group->domain;
    uint64_t instances = domain.sample ? l->options.samples : 1;
    if (domain.space) {
        const TirSpace *space = &l->plan->program->spaces.at[domain.space - 1];
        instances *= (uint64_t)space->extents[0] * (space->rank == 2 ? space->extents[1] : 1);
    }
    for (uint32_t k = 0; k < l->order.count && l->rows > 1; k++) {
        Value *v = schedule_value(l, l->order.at[k]);
        const TirType *type = &tir_node(l->block, v->id)->type;
        v->streamed = v->output && !v->sum && v->side == SIDE_WIDE && !v->by_parts &&
                      !v->by_element && type->elem == TIR_REAL &&
                      type->dims[type->rank - 1] % l->options.lanes == 0 &&
                      schedule_leading(type) <= UNROLL_LEADING &&
                      instances * v->elements * real_size(l) >= STREAMED_BYTES;
    }
}

void schedule_stages(Lower *l) {
    for (uint32_t k = 0; k < l->order.count; k++) {
        TirId id = l->order.at[k];
        const TirNode *node = tir_node(l->block, id);
        Value *v = schedule_value(l, id);
        v->side = side_of(l, id);
        v->by_parts = is_by_parts(node);
        v->by_element = is_by_element(l, node);
        v->must_store = node->type.elem != TIR_TUPLE && must_be_stored(v, node);
    }
    store_what_loops_read(l);
    for (uint32_t k = 0; k < l->order.count; k++) {
        TirId id = l->order.at[k];
        Value *v = schedule_value(l, id);
        v->weighted =
            v->side == SIDE_WIDE && !v->by_parts && !v->sum && schedule_reads_weights(l, id);
        v->time = earliest(l, id);
        v->cheap = v->side == SIDE_WIDE && !v->must_store && !v->sum && is_cheap(l, id);
    }
    sink_to_readers(l);
    choose_streamed(l);
    /* Who reads what from memory. */
    for (uint32_t k = 0; k < l->order.count; k++) {
        TirId id = l->order.at[k];
        const TirNode *node = tir_node(l->block, id);
        const Value *v = schedule_value(l, id);
        for (uint32_t o = 0; o < node->n_operands; o++) {
            bool in_step;
            Value *from = schedule_value(l, schedule_operand(l, id, o, &in_step));
            if (!from || !from->in_group || tir_node(l->block, from->id)->type.elem == TIR_TUPLE)
                continue;
            bool crosses = from->side == SIDE_WIDE && v->time > from->time && !from->cheap;
            if (!in_step || crosses)
                from->must_store = true;
            from->reread |= v->time > from->time;
        }
    }
    schedule_place_results(l);
}
