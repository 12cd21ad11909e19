/* A body goes from position to position: a task has a sample, or a part of one where parts do not
 * need each other, and its states in memory of its own.
 *
 *     state = initial, or where it was computed before, what it was at the position before
 *     for t:  the body's stages, as those of any kernel of one instance, which stores the states
 *             state = what was stored
 *
 * Positions are never shared out, nor is the body: each value is computed in one order, whoever
 * does it. */
#include "lower/lower_internal.h"

typedef struct {
    Lower *l;
    const PlanSequence *of;
    NestId sample, positions, first; /* of the task; of a sample; the first to be computed */
} Sequence;

/* Operands, then states. */
static void sequence_arguments(Sequence *s) {
    Lower *l = s->l;
    const Group *g = s->of->group;
    for (uint32_t k = 0; k < g->inputs.count; k++)
        lower_argument(l, g->inputs.at[k], false);
    for (uint32_t k = 0; k < g->outputs.count; k++)
        lower_argument(l, g->outputs.at[k], true);
    for (uint32_t k = 0; k < g->inputs.count; k++) {
        const ScheduleValue *v = &l->schedule->values[k];
        if (k < s->of->states)
            lower_stored(l, v);
        else
            lower_held(l, v)->buffer = v->argument;
        lower_held(l, v)->ready = true;
    }
}

/* `valid` 0: a whole vector. */
static void copy_vector(Lower *l, uint32_t from, NestAddress at, uint32_t to, NestAddress there,
                        NestId valid) {
    const NestId x = nest_load(&l->b, from, at, l->lanes, 1, valid);
    nest_store(&l->b, to, there, x, valid, false);
}

/* A state's elements from an argument, where they begin at `at`, to where the body reads them. */
static void copy_state(Lower *l, uint32_t state, uint32_t argument, NestAddress at) {
    const ScheduleValue *v = &l->schedule->values[state];
    const int64_t elements = (int64_t)v->elements, whole = elements / l->lanes * l->lanes;
    const uint32_t to = lower_held(l, v)->buffer;
    if (whole) {
        NestLoop *loop = nest_loop_begin(&l->b, NEST_VECTOR, nest_i64(&l->b, 0),
                                         nest_i64(&l->b, whole), l->lanes, 0, NULL);
        copy_vector(l, argument, nest_at_plus(at, loop->variable, 1), to,
                    nest_at_plus(nest_at(0), loop->variable, 1), 0);
        nest_loop_end(&l->b, NULL);
    }
    if (elements > whole) {
        at.offset += whole;
        copy_vector(l, argument, at, to, nest_at(whole), nest_i64(&l->b, elements - whole));
    }
}

/* Where the task's part of a state begins in an argument's row; `row` 0: in the only one. */
static NestAddress state_address(const Sequence *s, uint32_t state, uint32_t argument, NestId row) {
    const int64_t elements = (int64_t)s->l->schedule->values[state].elements;
    const bool apart = s->of->apart[argument];
    NestAddress at = nest_at(0);
    if (row)
        at = nest_at_plus(at, row, apart ? elements * s->of->parts : elements);
    return apart ? nest_at_plus(at, s->l->part, elements) : at;
}

/* The states that were stored at an instance. */
static void copy_states(const Sequence *s, NestId instance) {
    const uint32_t operands = s->of->group->inputs.count;
    for (uint32_t k = 0; k < s->of->states; k++)
        copy_state(s->l, k, operands + k, state_address(s, k, operands + k, instance));
}

static void begin_states(const Sequence *s, NestId before) {
    NestBuilder *b = &s->l->b;
    const NestId new = nest_binary(b, NEST_EQ, s->first, nest_i64(b, 0));
    nest_if_begin(b, new);
    for (uint32_t k = 0; k < s->of->states; k++)
        copy_state(s->l, k, k, state_address(s, k, k, s->of->of_sample[k] ? s->sample : 0));
    nest_if_end(b);
    nest_if_begin(b, nest_unary(b, NEST_NOT, new));
    copy_states(s, before);
    nest_if_end(b);
}

NestKernel *lower_sequence(const Schedule *schedule, Lower *l) {
    NestBuilder *b = &l->b;
    Sequence s = {.l = l, .of = schedule->sequence};
    b->span = s.of->span;
    sequence_arguments(&s);
    const NestId parts = nest_i64(b, s.of->parts);
    s.sample = nest_binary(b, NEST_DIV, nest_task(b), parts);
    l->part = nest_binary(b, NEST_REM, nest_task(b), parts);
    s.positions = nest_extent(b, NEST_POSITIONS);
    s.first = nest_extent(b, NEST_FIRST);
    l->valid_rows = nest_i64(b, 1);
    const NestId base = nest_binary(b, NEST_MUL, s.sample, s.positions);
    const NestId one = nest_i64(b, 1);
    begin_states(&s, nest_binary(b, NEST_SUB, nest_binary(b, NEST_ADD, base, s.first), one));
    NestLoop *loop = nest_loop_begin(b, NEST_SEQUENTIAL, s.first, s.positions, 1, 0, NULL);
    NestId t = loop->variable;
    if (s.of->reverse)
        t = nest_binary(b, NEST_SUB, nest_binary(b, NEST_SUB, s.positions, one), t);
    l->tile0 = nest_binary(b, NEST_ADD, base, t);
    lower_micro_tile(l);
    copy_states(&s, l->tile0);
    nest_loop_end(b, NULL);
    return l->kernel;
}
