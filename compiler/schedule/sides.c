/* Sides: what lies in the lanes while a value is computed, and which values are stored whoever
 * reads them. */
#include "schedule/schedule_internal.h"

/* A dot product along features that leaves a small value. */
static bool is_fold(const TirBlock *block, const TirNode *node) {
    if (schedule_is_wide(&node->type) || node->op == TIR_ARGMAX)
        return false;
    switch (tir_op_class(node->op)) {
    case TIR_CLASS_REDUCE: {
        const TirType *type = &tir_node(block, node->operands[0])->type;
        return node->op != TIR_POSITION_SUM && schedule_is_wide(type) &&
               (node->attr.axis_mask >> (type->rank - 1) & 1);
    }
    case TIR_CLASS_CONTRACT:
        return schedule_summed_label(block, node) >= 0;
    default:
        return false;
    }
}

static int axis_of(const TirNode *contract, uint32_t operand, uint32_t rank, uint8_t label) {
    for (uint32_t k = 0; k < rank; k++)
        if (contract->attr.labels[operand][k] == label)
            return (int)k;
    return -1;
}

/* A wide product whose features lie apart in what it reads, along whose rows it sums: a vector of
 * features would be gathered. */
static bool is_fold_of_rows(const TirBlock *block, const TirNode *node) {
    if (node->op != TIR_CONTRACT || !schedule_is_wide(&node->type))
        return false;
    const int summed = schedule_summed_label(block, node);
    const uint8_t features = node->attr.labels[2][node->type.rank - 1];
    for (uint32_t o = 0; summed >= 0 && o < 2; o++) {
        const TirType *type = &tir_node(block, node->operands[o])->type;
        const int at = axis_of(node, o, type->rank, features);
        if (at >= 0 && at + 1 < type->rank && node->attr.labels[o][type->rank - 1] == summed)
            return true;
    }
    return false;
}

/* A sum of many products, of what lies in the order of the result's features or is the same for
 * them. */
static bool is_by_vectors(const TirBlock *block, const TirNode *node) {
    if (node->op != TIR_CONTRACT || !schedule_is_wide(&node->type) ||
        schedule_terms(block, node) <= UNROLL_REDUCE)
        return false;
    const uint8_t features = node->attr.labels[2][node->type.rank - 1];
    for (uint32_t o = 0; o < 2; o++) {
        const TirType *type = &tir_node(block, node->operands[o])->type;
        const int at = axis_of(node, o, type->rank, features);
        if (at >= 0 && at + 1 < type->rank)
            return false;
    }
    return true;
}

static ScheduleSide side_of(const Schedule *s, const TirNode *node) {
    const TirBlock *block = s->plan->program->block;
    if (s->sequence && is_fold_of_rows(block, node))
        return SCHEDULE_FOLD;
    if (node->op == TIR_SCAN || node->op == TIR_RESULT)
        return SCHEDULE_LANE; /* whatever its extent: what a loop carries lies in registers */
    return is_fold(block, node)            ? SCHEDULE_FOLD
           : schedule_is_wide(&node->type) ? SCHEDULE_WIDE
                                           : SCHEDULE_LANE;
}

static bool is_by_pieces(const TirNode *node) {
    if (node->op != TIR_CONCAT && node->op != TIR_PAD)
        return false;
    if (!schedule_is_wide(&node->type))
        return tir_element_count(&node->type) > UNROLL_LANE;
    return node->attr.axis + 1u == node->type.rank ||
           schedule_leading(&node->type) > UNROLL_LEADING;
}

static bool is_by_element(const TirBlock *block, const TirNode *node) {
    return node->op == TIR_GATHER && schedule_is_wide(&node->type) &&
           tir_node(block, node->operands[0])->type.rank == 1;
}

static bool is_stored(const TirBlock *block, const ScheduleValue *v, const ScheduleDraft *d,
                      const TirNode *node) {
    if (d->by_pieces || d->by_element || v->by_vectors || v->output)
        return true;
    if (v->side == SCHEDULE_LANE && node->op != TIR_RESULT)
        return schedule_is_looped(block, node, v->elements) || schedule_by_position(node);
    return v->side == SCHEDULE_FOLD;
}

/* A long sum. */
static bool is_dear(const TirBlock *block, const TirNode *node) {
    TirOpClass class = tir_op_class(node->op);
    if (class != TIR_CLASS_REDUCE && class != TIR_CLASS_CONTRACT)
        return false;
    for (uint32_t k = 0; k < node->n_operands; k++)
        if (tir_element_count(&tir_node(block, node->operands[k])->type) >
            UNROLL_REDUCE * tir_element_count(&node->type))
            return true;
    return false;
}

/* A product that comes to every element of what it reads time and again. */
static bool reads_again(const TirBlock *block, const TirNode *reader, uint64_t elements,
                        uint64_t of) {
    return reader->op == TIR_CONTRACT && elements * schedule_terms(block, reader) > 2 * of;
}

/* Loops over a large small-sided value's elements come to its operands by run-time index: a long
 * sum there would be made again in every turn, so it is stored before; and so is what a turn reads
 * that others read, too. */
static void store_what_loops_read(Scheduler *b) {
    for (uint32_t k = b->s->n_values; k-- > b->s->n_inputs;) {
        const ScheduleValue *v = &b->s->values[k];
        const TirNode *node = schedule_node(b->s, v->id);
        if (v->side != SCHEDULE_LANE ||
            !(schedule_is_looped(b->block, node, v->elements) || b->drafts[k].in_loops))
            continue;
        for (uint32_t o = 0; o < node->n_operands; o++) {
            bool in_step;
            const ScheduleValue *from = scheduled_operand(b, v, o, &in_step);
            if (!from || from->side != SCHEDULE_LANE || draft_of(b, from)->stored)
                continue;
            ScheduleDraft *d = draft_of(b, from);
            d->stored = is_dear(b->block, schedule_node(b->s, from->id)) ||
                        reads_again(b->block, node, v->elements, from->elements);
            d->in_loops = !d->stored;
        }
    }
}

void schedule_sides(Scheduler *b) {
    for (uint32_t k = b->s->n_inputs; k < b->s->n_values; k++) {
        ScheduleValue *v = &b->s->values[k];
        ScheduleDraft *d = &b->drafts[k];
        const TirNode *node = schedule_node(b->s, v->id);
        v->side = side_of(b->s, node);
        d->by_pieces = is_by_pieces(node);
        d->by_element = is_by_element(b->block, node);
        v->by_vectors = b->s->sequence && v->side == SCHEDULE_WIDE && is_by_vectors(b->block, node);
        d->stored = node->type.elem != TIR_TUPLE && is_stored(b->block, v, d, node);
    }
    store_what_loops_read(b);
}
