/* Stages: in which order a micro-tile's values are computed.
 *
 * Wide values are computed in even stages, small ones in odd stages; a dot product along features
 * (a fold) belongs to a wide stage and gives a small value. What a user does not read in step must
 * lie in memory before the user's stage begins; so must what a dot product with weights reads, for
 * it comes back to it once for every block of outputs. */
#include "schedule/schedule_internal.h"

/* Whether some operand's elements lie apart where the lanes run. */
static bool strides(const Schedule *s, const ScheduleValue *v, const TirNode *node) {
    for (uint32_t k = 0; k < node->n_operands; k++) {
        int axis = schedule_lane_axis(s, v->id, k);
        if (axis >= 0 && axis != schedule_node(s, node->operands[k])->type.rank - 1)
            return true;
    }
    return false;
}

static bool is_light(const Scheduler *b, const ScheduleValue *v, const TirNode *node) {
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
        return true;
    case TIR_CONTRACT:
        return tir_is_product(b->block, node) && !strides(b->s, v, node);
    default:
        return false;
    }
}

/* A few flops on values that are in memory anyway. */
static bool is_cheap(const Scheduler *b, const ScheduleValue *v) {
    const TirNode *node = schedule_node(b->s, v->id);
    if (!is_light(b, v, node))
        return false;
    for (uint32_t k = 0; k < node->n_operands; k++) {
        bool in_step;
        const ScheduleValue *from = scheduled_operand(b, v, k, &in_step);
        if (from && from->side == SCHEDULE_WIDE)
            return false;
    }
    return true;
}

/* Whether `from`, which `user` reads, must be in memory before the user's stage begins although it
 * is read in step: what reads weights is computed in blocks of positions, once; what has loops of
 * its own and is stored by them shares nothing with a reader; and what is read time and again is
 * not made time and again. */
static bool settled_first(const Scheduler *b, const ScheduleValue *from,
                          const ScheduleValue *user) {
    if (from->side != SCHEDULE_WIDE || user->side == SCHEDULE_LANE)
        return false;
    if ((from->weighted && !from->again) || from->by_vectors)
        return true;
    if (draft_of(b, from)->stored && !from->sum &&
        schedule_leading(&schedule_node(b->s, from->id)->type) > UNROLL_LEADING)
        return true;
    if (user->by_vectors && !from->again)
        return true;
    return user->side == SCHEDULE_FOLD && !from->again &&
           (schedule_reads_weights(b->s, user->id) || schedule_is_looped_fold(b->s, user));
}

static uint32_t earliest(const Scheduler *b, const ScheduleValue *v) {
    uint32_t stage = v->side == SCHEDULE_LANE ? 1 : 0;
    for (uint32_t o = 0; o < schedule_node(b->s, v->id)->n_operands; o++) {
        bool in_step;
        const ScheduleValue *from = scheduled_operand(b, v, o, &in_step);
        if (!from)
            continue;
        const ScheduleDraft *d = draft_of(b, from);
        const bool after = !in_step || from->side == SCHEDULE_FOLD || d->by_pieces ||
                           d->by_element || settled_first(b, from, v);
        uint32_t least = from->stage + (after ? 1 : 0);
        least += (least ^ stage) & 1;
        stage = least > stage ? least : stage;
    }
    return stage;
}

/* A wide value that is only read in step moves to the stage of its first reader: computed there, it
 * needs no memory. */
static void sink_to_readers(Scheduler *b) {
    const Schedule *s = b->s;
    for (uint32_t k = s->n_inputs; k < s->n_values; k++)
        b->drafts[k].first_use = UINT32_MAX;
    for (uint32_t k = s->n_values; k-- > s->n_inputs;) {
        ScheduleValue *v = &s->values[k];
        const ScheduleDraft *d = &b->drafts[k];
        if (v->side == SCHEDULE_WIDE && !v->output && !v->sum && !d->by_pieces && !d->by_element &&
            d->first_use != UINT32_MAX && d->first_use > v->stage)
            v->stage = d->first_use;
        for (uint32_t o = 0; o < schedule_node(s, v->id)->n_operands; o++) {
            bool in_step;
            const ScheduleValue *from = scheduled_operand(b, v, o, &in_step);
            if (!from)
                continue;
            const bool together = in_step && !settled_first(b, from, v);
            const uint32_t use = together ? v->stage : from->stage;
            ScheduleDraft *of = draft_of(b, from);
            if (use < of->first_use)
                of->first_use = use;
        }
    }
}

void schedule_stages(Scheduler *b) {
    for (uint32_t k = b->s->n_inputs; k < b->s->n_values; k++) {
        ScheduleValue *v = &b->s->values[k];
        const ScheduleDraft *d = &b->drafts[k];
        const bool wide = v->side == SCHEDULE_WIDE && !v->sum;
        v->weighted = wide && !d->by_pieces && schedule_reads_weights(b->s, v->id);
        v->stage = earliest(b, v);
        v->again = wide && !d->stored && is_cheap(b, v);
    }
    sink_to_readers(b);
}
