/* How values are read: what follows from types and ops, and from the sides of values.
 *
 * A value is wide when its last axis is long (features run along the lanes), else small (positions
 * run along the lanes). A user is in step with an operand when it reads the operand's element at
 * its own place: then both can be in one loop. */
#include "schedule/schedule_internal.h"

bool schedule_is_wide(const TirType *type) {
    return type->elem != TIR_TUPLE && type->rank > 0 && type->dims[type->rank - 1] >= WIDE_EXTENT;
}

uint64_t schedule_leading(const TirType *type) {
    return type->rank ? tir_element_count(type) / type->dims[type->rank - 1] : 1;
}

uint32_t schedule_divisor(uint32_t extent, uint32_t most) {
    uint32_t n = extent < most ? extent : most;
    while (extent % n != 0)
        n--;
    return n;
}

bool schedule_by_position(const TirNode *node) {
    return node->op == TIR_GATHER || node->op == TIR_SHIFT;
}

static bool is_kept(const TirNode *contract, uint8_t label) {
    for (uint32_t m = 0; m < contract->type.rank; m++)
        if (contract->attr.labels[2][m] == label)
            return true;
    return false;
}

uint64_t schedule_terms(const TirBlock *block, const TirNode *node) {
    bool counted[256] = {false};
    uint64_t total = 1;
    for (uint32_t o = 0; o < 2; o++) {
        const TirType *type = &tir_node(block, node->operands[o])->type;
        for (uint32_t k = 0; k < type->rank; k++) {
            const uint8_t label = node->attr.labels[o][k];
            if (!counted[label] && !is_kept(node, label))
                total *= type->dims[k];
            counted[label] = true;
        }
    }
    return total;
}

bool schedule_is_looped(const TirBlock *block, const TirNode *node, uint64_t elements) {
    if (elements > UNROLL_LANE)
        return true;
    uint64_t terms = 1;
    if (node->op == TIR_CONTRACT)
        terms = schedule_terms(block, node);
    else if (tir_op_class(node->op) == TIR_CLASS_REDUCE)
        terms = tir_element_count(&tir_node(block, node->operands[0])->type) / elements;
    return terms <= UNROLL_REDUCE && elements * terms > UNROLL_TERMS;
}

/* --- axes along the lanes ----------------------------------------------------------------------*/

/* The operand's axis that is the last of what a reduction leaves; -1: none is left. */
static int last_kept(const TirNode *node, uint32_t rank) {
    while (rank > 0 && node->attr.axis_mask >> (rank - 1) & 1)
        rank--;
    return (int)rank - 1;
}

int schedule_summed_label(const TirBlock *block, const TirNode *contract) {
    for (uint32_t o = 0; o < 2; o++) {
        const TirType *type = &tir_node(block, contract->operands[o])->type;
        if (!schedule_is_wide(type))
            continue;
        const uint8_t last = contract->attr.labels[o][type->rank - 1];
        if (!is_kept(contract, last))
            return last;
    }
    return -1;
}

static int lane_axis_of_contract(const Schedule *s, const TirNode *node, uint32_t k, bool fold) {
    if (!fold && node->type.rank == 0)
        return -1; /* a scalar has no axis to lie in lanes */
    const int label = fold ? schedule_summed_label(s->plan->program->block, node)
                           : node->attr.labels[2][node->type.rank - 1];
    const TirType *type = &schedule_node(s, node->operands[k])->type;
    for (uint32_t m = 0; m < type->rank; m++)
        if (node->attr.labels[k][m] == label)
            return (int)m;
    return -1;
}

int schedule_lane_axis(const Schedule *s, TirId id, uint32_t k) {
    const TirNode *node = schedule_node(s, id);
    const TirType *type = &schedule_node(s, node->operands[k])->type;
    if (type->rank == 0)
        return -1;
    const ScheduleValue *v = schedule_find(s, id);
    const bool fold = v && v->side == SCHEDULE_FOLD;
    switch (tir_op_class(node->op)) {
    case TIR_CLASS_REDUCE:
        return fold ? type->rank - 1 : last_kept(node, type->rank);
    case TIR_CLASS_CONTRACT:
        return lane_axis_of_contract(s, node, k, fold);
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

/* --- operands ----------------------------------------------------------------------------------*/

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

/* The axis of a broadcast's operand that becomes `axis`, or -1. */
static int axis_before(const Schedule *s, const TirNode *broadcast, int axis) {
    int inner = -1;
    for (uint32_t m = 0; m < schedule_node(s, broadcast->operands[0])->type.rank; m++)
        if (broadcast->attr.axes[m] == axis)
            inner = (int)m;
    return inner;
}

static bool is_looped(const Schedule *s, const ScheduleValue *v) {
    return schedule_is_looped(s->plan->program->block, schedule_node(s, v->id), v->elements);
}

TirId schedule_operand(const Schedule *s, TirId id, uint32_t k, bool *in_step) {
    const TirNode *reader = schedule_node(s, id);
    int axis = schedule_lane_axis(s, id, k);
    TirId at = reader->operands[k];
    bool reshaped = false;
    for (;;) {
        const TirNode *node = schedule_node(s, at);
        if (schedule_find(s, at) || !plan_is_view(node))
            break;
        if (node->op == TIR_RESHAPE) {
            const TirType *from = &schedule_node(s, node->operands[0])->type;
            if (axis == node->type.rank - 1 && keeps_lanes(&node->type, from))
                axis = from->rank - 1;
            else
                reshaped = true;
        } else if (node->op == TIR_BROADCAST) {
            axis = axis_before(s, node, axis);
        }
        at = node->operands[0];
    }
    const TirType *type = &schedule_node(s, at)->type;
    const ScheduleValue *user = schedule_find(s, id), *from = schedule_find(s, at);
    /* A loop's results are as wide as they are, and have positions in lanes. */
    const bool wide_user = user->side != SCHEDULE_LANE;
    const bool wide =
        schedule_is_wide(type) && !(from && from->made && from->side == SCHEDULE_LANE);
    if (wide_user)
        *in_step = !reshaped && wide && axis == type->rank - 1;
    else
        *in_step = !wide && (!reshaped || !is_looped(s, user));
    if (reader->op == TIR_GATHER && k == 0)
        *in_step = false; /* rows are addressed at run time */
    if (reader->op == TIR_TAKE && wide_user && reader->attr.axis + 1u == reader->type.rank)
        *in_step = false; /* each lane has an entry of its own, and would make it for itself */
    return at;
}

bool schedule_reads_weights(const Schedule *s, TirId id) {
    const TirNode *node = schedule_node(s, id);
    if (node->op != TIR_CONTRACT || s->rows == 1)
        return false;
    for (uint32_t k = 0; k < 2; k++) {
        const TirType *type = &schedule_node(s, node->operands[k])->type;
        if (schedule_is_wide(type) && tir_domain_equal(type->domain, TIR_GLOBAL))
            return true;
    }
    return false;
}

/* --- readers that lanes of positions do not serve ----------------------------------------------*/

bool schedule_has_loops_apart(const Schedule *s, const ScheduleValue *v) {
    const TirNode *node = schedule_node(s, v->id);
    if (v->side != SCHEDULE_LANE)
        return true;
    if (node->op == TIR_SCAN || node->op == TIR_RESULT)
        return false;
    return schedule_by_position(node) || is_looped(s, v);
}

bool schedule_walks(const Schedule *s, const TirNode *node, uint32_t k) {
    const TirBlock *block = s->plan->program->block;
    const TirType *from = &tir_node(block, node->operands[k])->type;
    switch (node->op) {
    case TIR_CONTRACT:
        return schedule_terms(block, node) > UNROLL_REDUCE;
    case TIR_GATHER:
        return k == 0;
    case TIR_SCAN: /* an entry a turn */
        return k >= node->attr.n_carried + node->attr.n_invariant;
    case TIR_SCATTER_ADD:
        return tir_element_count(&tir_node(block, node->operands[0])->type) > UNROLL_REDUCE;
    default:
        return tir_op_class(node->op) == TIR_CLASS_REDUCE &&
               tir_element_count(from) > UNROLL_REDUCE * tir_element_count(&node->type);
    }
}
