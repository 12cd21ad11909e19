/* Places: where every value lies, so that every reader finds it there.
 *
 * What a loop carries lies in registers, an element each, with positions in lanes. A reader with
 * features in lanes, one that takes positions one by one, and one that comes to elements by an
 * index known only at run time find nothing there: for them the results are stored.
 *
 * Packed order: a loop over features that reads weights of many rows touches each row at the same
 * feature: places a whole row apart, which share few sets of the first-level cache and push each
 * other out of it before the next vector of features is read. So a task first copies such weights
 * into memory of its own, [vector of features][row][lane], where one turn of the loop reads what
 * lies together. What a task adds up for weights is kept in the same order, and put in the order of
 * the result at the task's end. A task of a few positions copies more than it gains; how many there
 * will be is not known here. */
#include "schedule/schedule_internal.h"

uint64_t schedule_pitch(const Schedule *s, uint64_t elements) {
    const uint64_t size = s->real_bytes;
    return elements +
           (elements * size % s->machine->same_sets == 0 ? s->machine->cache_line / size : 0);
}

uint64_t schedule_packed_elements(const Schedule *s, const TirType *type) {
    const uint64_t lanes = s->lanes, extent = type->dims[type->rank - 1];
    return schedule_leading(type) * ((extent + lanes - 1) / lanes * lanes);
}

uint64_t schedule_packed_bytes(const Schedule *s, const ScheduleValue *v) {
    return schedule_packed_elements(s, &schedule_node(s, v->id)->type) * s->real_bytes;
}

/* --- outputs past the caches -------------------------------------------------------------------*/

static uint64_t likely_instances(const Scheduler *b) {
    const TirDomain domain = b->s->group->domain;
    uint64_t instances = domain.sample ? b->samples : 1;
    if (domain.space) {
        const TirSpace *space = &b->s->plan->program->spaces.at[domain.space - 1];
        instances *= (uint64_t)space->extents[0] * (space->rank == 2 ? space->extents[1] : 1);
    }
    return instances;
}

/* Outputs that will have left the caches before anybody reads them need not displace what has not;
 * and what is not in a cache is not read from memory to be overwritten. */
static void choose_streamed(Scheduler *b) {
    const Schedule *s = b->s;
    const uint64_t instances = likely_instances(b);
    for (uint32_t k = s->n_inputs; k < s->n_values && s->rows > 1; k++) {
        ScheduleValue *v = &s->values[k];
        const TirType *type = &schedule_node(s, v->id)->type;
        v->streamed = v->output && !v->sum && v->side == SCHEDULE_WIDE && !b->drafts[k].by_pieces &&
                      !b->drafts[k].by_element && type->elem == TIR_REAL &&
                      type->dims[type->rank - 1] % s->lanes == 0 &&
                      schedule_leading(type) <= UNROLL_LEADING &&
                      instances * v->elements * s->real_bytes >= s->machine->streamed_bytes;
    }
}

/* --- what is read from memory ------------------------------------------------------------------*/

static void store_what_stages_read(Scheduler *b) {
    const Schedule *s = b->s;
    for (uint32_t k = s->n_inputs; k < s->n_values; k++) {
        const ScheduleValue *v = &s->values[k];
        for (uint32_t o = 0; o < schedule_node(s, v->id)->n_operands; o++) {
            bool in_step;
            const ScheduleValue *from = scheduled_operand(b, v, o, &in_step);
            if (!from || schedule_node(s, from->id)->type.elem == TIR_TUPLE)
                continue;
            ScheduleDraft *d = draft_of(b, from);
            d->stored |= !in_step;
            d->stored |= from->side == SCHEDULE_WIDE && v->stage > from->stage && !from->again;
            d->reread |= v->stage > from->stage;
        }
    }
}

/* Stores the results of loops that somebody reads otherwise than from registers. */
static void store_results(Scheduler *b) {
    const Schedule *s = b->s;
    for (uint32_t k = s->n_values; k-- > s->n_inputs;) {
        const ScheduleValue *v = &s->values[k];
        const TirNode *node = schedule_node(s, v->id);
        ScheduleDraft *d = &b->drafts[k];
        d->apart |= schedule_has_loops_apart(s, v); /* or its readers' loops do */
        for (uint32_t o = 0; o < node->n_operands; o++) {
            bool in_step;
            const ScheduleValue *from = scheduled_operand(b, v, o, &in_step);
            if (!from || !(d->apart || schedule_walks(s, node, o)))
                continue;
            ScheduleDraft *of = draft_of(b, from);
            if (schedule_node(s, from->id)->op == TIR_RESULT)
                of->stored = true;
            else if (!of->stored && !from->sum)
                of->apart = true;
        }
    }
}

/* --- packed order ------------------------------------------------------------------------------*/

static void pack_if_worth(const Schedule *s, ScheduleValue *v, uint64_t *packed) {
    const TirType *type = &schedule_node(s, v->id)->type;
    if (v->packed || s->rows == 1 || type->elem != TIR_REAL || !schedule_is_wide(type) ||
        schedule_leading(type) < PACK_ROWS)
        return;
    const uint64_t bytes = schedule_packed_bytes(s, v);
    v->packed = *packed + bytes <= s->machine->packed_bytes;
    *packed += v->packed ? bytes : 0;
}

/* Whether `id` is `root`, at most with its rows numbered by more axes or by fewer. */
static bool has_rows_of(const Schedule *s, TirId id, TirId root) {
    const TirType *read = &schedule_node(s, id)->type, *type = &schedule_node(s, root)->type;
    while (id != root && schedule_node(s, id)->op == TIR_RESHAPE)
        id = schedule_node(s, id)->operands[0];
    return id == root && read->rank > 0 && type->rank > 0 &&
           read->dims[read->rank - 1] == type->dims[type->rank - 1];
}

/* Weights that a contraction of the group reads along their last axis. */
static void pack_operands(Scheduler *b, const ScheduleValue *user, uint64_t *packed) {
    const Schedule *s = b->s;
    const TirNode *node = schedule_node(s, user->id);
    for (uint32_t k = 0; k < node->n_operands; k++) {
        bool in_step;
        ScheduleValue *v = scheduled(b, schedule_operand(s, user->id, k, &in_step));
        const int last = schedule_node(s, node->operands[k])->type.rank - 1;
        if (v && !v->made && v->place == PLACE_GLOBAL &&
            schedule_lane_axis(s, user->id, k) == last && has_rows_of(s, node->operands[k], v->id))
            pack_if_worth(s, v, packed);
    }
}

static void choose_packed(Scheduler *b) {
    uint64_t packed = 0;
    for (uint32_t k = b->s->n_inputs; k < b->s->n_values; k++) {
        ScheduleValue *v = &b->s->values[k];
        if (v->side != SCHEDULE_LANE && schedule_reads_weights(b->s, v->id))
            pack_operands(b, v, &packed);
        if (v->sum && v->side == SCHEDULE_WIDE && !b->drafts[k].by_element)
            pack_if_worth(b->s, v, &packed);
    }
}

/* --- copies by lanes ---------------------------------------------------------------------------*/

static bool reads_by_lanes(const Schedule *s, const ScheduleValue *user, const ScheduleValue *v) {
    const TirNode *node = schedule_node(s, user->id);
    if (user->side != SCHEDULE_LANE || schedule_by_position(node))
        return false;
    for (uint32_t o = 0; o < node->n_operands; o++) {
        bool in_step;
        if (schedule_operand(s, user->id, o, &in_step) == v->id)
            return true;
    }
    return false;
}

/* Values per sample or per position cannot be loaded with positions in lanes (the lanes may cross
 * samples): small ones get a copy by lanes at the start of every micro-tile. */
static void choose_copies(Scheduler *b) {
    const Schedule *s = b->s;
    for (uint32_t k = 0; k < s->n_inputs; k++) {
        ScheduleValue *v = &s->values[k];
        if (v->place != PLACE_PER_POSITION && v->place != PLACE_PER_SAMPLE)
            continue;
        v->also_lanes = !schedule_is_wide(&schedule_node(s, v->id)->type);
        for (uint32_t m = s->n_inputs; m < s->n_values && !v->also_lanes; m++)
            v->also_lanes = reads_by_lanes(s, &s->values[m], v);
    }
}

/* --- what comes of it --------------------------------------------------------------------------*/

static SchedulePlace place_of(const Schedule *s, ScheduleValue *v, const ScheduleDraft *d) {
    const TirNode *node = schedule_node(s, v->id);
    switch (v->side) {
    case SCHEDULE_FOLD:
        return PLACE_TILE_LANES;
    case SCHEDULE_WIDE:
        if (v->sum || !d->stored)
            return PLACE_NONE;
        if (!v->output || (v->streamed && d->reread))
            return PLACE_TILE_ROWS;
        return schedule_own_rows(s);
    case SCHEDULE_LANE:
        break;
    }
    if (node->op == TIR_SCAN)
        return PLACE_NONE;
    if (node->op == TIR_RESULT) {
        const TirNode *scan = schedule_node(s, node->operands[0]);
        v->also_registers = node->attr.index < scan->attr.n_carried;
        if (!v->also_registers)
            return PLACE_TILE_LANES;
    }
    return d->stored ? PLACE_TILE_LANES : PLACE_REGISTERS;
}

void schedule_places(Scheduler *b) {
    choose_streamed(b);
    store_what_stages_read(b);
    store_results(b);
    choose_packed(b);
    choose_copies(b);
    for (uint32_t k = b->s->n_inputs; k < b->s->n_values; k++) {
        ScheduleValue *v = &b->s->values[k];
        v->place = place_of(b->s, v, &b->drafts[k]);
        v->again =
            v->again && v->place == PLACE_NONE; /* somebody needs it in memory: all load it */
    }
}
