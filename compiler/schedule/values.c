/* The values of a kernel, and finding them by the ids of the program. */
#include "schedule/schedule_internal.h"

/* --- values by id ------------------------------------------------------------------------------
 * A table of twice as many cells as values or more: number + 1, 0 is empty. */

static uint32_t cell_of(const Schedule *s, TirId id) {
    return (id * 2654435769u) >> (32 - s->table_bits);
}

static void table_fill(Schedule *s) {
    s->table_bits = 2;
    while (1u << s->table_bits < 2 * s->n_values)
        s->table_bits++;
    s->table = ARENA_ARRAY(s->plan->arena, uint32_t, 1u << s->table_bits);
    for (uint32_t k = 0; k < s->n_values; k++) {
        uint32_t cell = cell_of(s, s->values[k].id);
        while (s->table[cell])
            cell = (cell + 1) & ((1u << s->table_bits) - 1);
        s->table[cell] = k + 1;
    }
}

const ScheduleValue *schedule_find(const Schedule *s, TirId id) {
    uint32_t cell = cell_of(s, id);
    while (s->table[cell]) {
        const ScheduleValue *v = &s->values[s->table[cell] - 1];
        if (v->id == id)
            return v;
        cell = (cell + 1) & ((1u << s->table_bits) - 1);
    }
    return NULL;
}

const char *schedule_name(const Schedule *s, TirId id) {
    const TirNode *node = schedule_node(s, id);
    return node->name ? node->name : tir_op_name(node->op);
}

/* --- a group's values --------------------------------------------------------------------------*/

static SchedulePlace place_of_input(const Schedule *s, TirDomain domain) {
    if (tir_domain_equal(domain, TIR_GLOBAL))
        return PLACE_GLOBAL;
    if (tir_domain_equal(domain, s->group->domain))
        return PLACE_ROWS;
    return domain.sample ? PLACE_PER_SAMPLE : PLACE_PER_POSITION;
}

static ScheduleValue value_of(const Schedule *s, TirId id, bool made) {
    const TirType *type = &schedule_node(s, id)->type;
    return (ScheduleValue){
        .id = id, .made = made, .elements = type->elem == TIR_TUPLE ? 0 : tir_element_count(type)};
}

static void connect_results(Scheduler *b, ScheduleValue *v) {
    const TirNode *node = schedule_node(b->s, v->id);
    if (node->op == TIR_SCAN)
        v->results = ARENA_ARRAY(b->arena, ScheduleValue *, node->n_results);
    else if (node->op == TIR_RESULT) /* stands after its scan */
        scheduled(b, node->operands[0])->results[node->attr.index] = v;
}

/* The kernel's arguments are the group's inputs, outputs and sums, in this order: the plan binds
 * them so. */
void schedule_values(Scheduler *b) {
    Schedule *s = b->s;
    const Group *g = s->group;
    s->values = ARENA_ARRAY(b->arena, ScheduleValue, g->inputs.count + g->values.count);
    for (uint32_t k = 0; k < g->inputs.count; k++) {
        ScheduleValue *v = &s->values[s->n_values++];
        *v = value_of(s, g->inputs.at[k], false);
        v->place = place_of_input(s, schedule_node(s, v->id)->type.domain);
        v->argument = k;
        if (s->sequence && k < s->sequence->states) /* as it was: a copy */
            v->place = PLACE_TILE_ROWS;
    }
    s->n_inputs = s->n_values;
    for (uint32_t k = 0; k < g->values.count; k++)
        s->values[s->n_values++] = value_of(s, g->values.at[k], true);
    table_fill(s);
    for (uint32_t k = s->n_inputs; k < s->n_values; k++)
        connect_results(b, &s->values[k]);
    uint32_t argument = g->inputs.count;
    for (uint32_t k = 0; k < g->outputs.count; k++) {
        ScheduleValue *v = scheduled(b, g->outputs.at[k]);
        v->output = true;
        v->argument = argument++;
    }
    for (uint32_t k = 0; k < g->sums.count; k++) {
        ScheduleValue *v = scheduled(b, g->sums.at[k]);
        v->sum = true;
        v->argument = argument++;
    }
}
