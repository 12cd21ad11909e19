/* Whether a schedule makes sense: that each value is made before it is read and found where it
 * lies, that steps make all of what they should and nothing else, that a loop's kind is true, and
 * that nothing is larger than the machine holds. What is checked follows from the program and the
 * schedule alone, not from how it was decided. */
#include "schedule/schedule_internal.h"

typedef struct {
    const Schedule *s;
    Arena *arena;
    uint64_t *written; /* by number of the value: elements that its stage's steps write */
    uint32_t *given;   /* by number: how often a step gives it to the kernel's argument */
    const char *wrong;
} Verifier;

#define WRONG(v, ...)                                                                              \
    do {                                                                                           \
        if (!(v)->wrong)                                                                           \
            (v)->wrong = verify_message(v, __VA_ARGS__);                                           \
    } while (0)

static __attribute__((format(printf, 2, 3))) const char *verify_message(const Verifier *v,
                                                                        const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const char *message = arena_vprintf(v->s->plan->arena, format, arguments);
    va_end(arguments);
    return arena_printf(v->s->plan->arena, "kernel %s: %s", v->s->name, message);
}

static uint32_t number_of(const Verifier *v, const ScheduleValue *x) {
    return (uint32_t)(x - v->s->values);
}

static bool is_result(const Verifier *v, const ScheduleValue *x) {
    return schedule_node(v->s, x->id)->op == TIR_RESULT;
}

static bool in_memory(const ScheduleValue *x) {
    return x->place != PLACE_NONE && x->place != PLACE_REGISTERS;
}

/* --- values ------------------------------------------------------------------------------------*/

static void check_input(Verifier *v, const ScheduleValue *x) {
    const bool few = x->place == PLACE_PER_POSITION || x->place == PLACE_PER_SAMPLE;
    const PlanSequence *sequence = v->s->sequence;
    const bool state = sequence && x->argument < sequence->states;
    if (state && x->place != PLACE_TILE_ROWS)
        WRONG(v, "state %%%u does not lie in the thread's own memory", x->id);
    if (!state && x->place != PLACE_ROWS && x->place != PLACE_GLOBAL && !few)
        WRONG(v, "input %%%u does not lie in the workspace", x->id);
    if (x->also_lanes && !few)
        WRONG(v, "input %%%u has a copy by lanes, but an instance of its own for each lane", x->id);
    if (x->argument != number_of(v, x))
        WRONG(v, "input %%%u is argument %u, not %u", x->id, x->argument, number_of(v, x));
}

static void check_made(Verifier *v, const ScheduleValue *x) {
    const Schedule *s = v->s;
    const TirType *type = &schedule_node(s, x->id)->type;
    const bool lane = x->side == SCHEDULE_LANE;
    if (x->stage % 2 != (lane ? 1 : 0) || x->stage >= s->stages.count)
        WRONG(v, "%%%u is made in stage %u of %u, with %s in lanes", x->id, x->stage,
              s->stages.count, lane ? "positions" : "features");
    const bool tile = x->place == PLACE_TILE_ROWS;
    const bool right =
        lane
            ? x->place == PLACE_REGISTERS || x->place == PLACE_TILE_LANES || type->elem == TIR_TUPLE
        : x->side == SCHEDULE_FOLD ? x->place == PLACE_TILE_LANES
        : x->output && !x->sum     ? x->place == schedule_own_rows(s) || (tile && x->streamed)
                                   : tile || x->place == PLACE_NONE;
    if (!right)
        WRONG(v, "%%%u cannot lie where it does", x->id);
    if (x->place == PLACE_REGISTERS && !x->also_registers && x->elements > UNROLL_LANE)
        WRONG(v, "%%%u has %llu elements in registers, %d at most", x->id,
              (unsigned long long)x->elements, UNROLL_LANE);
    if (x->streamed && (!x->output || x->side != SCHEDULE_WIDE || type->elem != TIR_REAL ||
                        type->dims[type->rank - 1] % s->lanes != 0))
        WRONG(v, "%%%u is streamed, and not an output of whole vectors", x->id);
    if (x->again && (x->side != SCHEDULE_WIDE || x->place != PLACE_NONE || x->sum))
        WRONG(v, "%%%u is made again, and lies somewhere", x->id);
}

static void check_packed(Verifier *v) {
    const Schedule *s = v->s;
    uint64_t bytes = 0;
    for (uint32_t k = 0; k < s->n_values; k++) {
        const ScheduleValue *x = &s->values[k];
        if (!x->packed)
            continue;
        if (!schedule_is_wide(&schedule_node(s, x->id)->type) || s->rows == 1 ||
            (x->made ? !x->sum : x->place != PLACE_GLOBAL)) {
            WRONG(v, "%%%u is packed, and neither weights nor a sum for them", x->id);
            return;
        }
        bytes += schedule_packed_bytes(s, x);
    }
    if (bytes > s->machine->packed_bytes)
        WRONG(v, "%llu bytes are packed, %llu at most", (unsigned long long)bytes,
              (unsigned long long)s->machine->packed_bytes);
}

/* Arguments are numbered as the plan binds them. */
static void check_arguments(Verifier *v, const TirIdVec *of, uint32_t first, bool sums) {
    for (uint32_t k = 0; k < of->count; k++) {
        const ScheduleValue *x = schedule_find(v->s, of->at[k]);
        if (!x || !x->made || !(sums ? x->sum : x->output) || x->argument != first + k)
            WRONG(v, "argument %u is not %%%u", first + k, of->at[k]);
    }
}

/* --- readers -----------------------------------------------------------------------------------*/

/* Whether what `user` reads it with lanes of positions, at indices known now. */
static bool reads_registers(const Verifier *v, const ScheduleValue *user, uint32_t k) {
    return user->side == SCHEDULE_LANE && !schedule_has_loops_apart(v->s, user) &&
           !schedule_walks(v->s, schedule_node(v->s, user->id), k);
}

/* `user` reads `from`, which this kernel makes, through its operand `k`. */
static void check_reader(Verifier *v, const ScheduleValue *user, const ScheduleValue *from,
                         uint32_t k, bool in_step) {
    const char *const reader = schedule_name(v->s, user->id);
    if (from->stage > user->stage) {
        WRONG(v, "%%%u %s is made in stage %u and reads %%%u, which is made in stage %u", user->id,
              reader, user->stage, from->id, from->stage);
        return;
    }
    if (schedule_node(v->s, from->id)->type.elem == TIR_TUPLE)
        return; /* of its results, one by one */
    if (from->sum && from->side == SCHEDULE_WIDE)
        WRONG(v, "%%%u %s reads %%%u, which is only summed", user->id, reader, from->id);
    if (from->place == PLACE_NONE) {
        if (!in_step)
            WRONG(v, "%%%u %s reads %%%u at another place than its own, and it lies nowhere",
                  user->id, reader, from->id);
        if (from->stage < user->stage && !from->again)
            WRONG(v, "%%%u %s reads %%%u of an earlier stage, and it lies nowhere", user->id,
                  reader, from->id);
    } else if (from->place == PLACE_REGISTERS && is_result(v, from)) {
        if (!reads_registers(v, user, k))
            WRONG(v, "%%%u %s reads %%%u otherwise than from registers, where it lies", user->id,
                  reader, from->id);
    } else if (from->stage == user->stage &&
               (from->side == SCHEDULE_FOLD || (from->side == SCHEDULE_WIDE && !in_step))) {
        WRONG(v, "%%%u %s reads %%%u before the stage ends that makes both", user->id, reader,
              from->id);
    }
}

static void check_reads(Verifier *v, const ScheduleValue *user) {
    const Schedule *s = v->s;
    const TirNode *node = schedule_node(s, user->id);
    for (uint32_t k = 0; k < node->n_operands; k++) {
        bool in_step;
        const ScheduleValue *from = schedule_find(s, schedule_operand(s, user->id, k, &in_step));
        if (from && from->made)
            check_reader(v, user, from, k, in_step);
        else if (from && user->side == SCHEDULE_LANE && !schedule_by_position(node) &&
                 !from->also_lanes &&
                 (from->place == PLACE_PER_POSITION || from->place == PLACE_PER_SAMPLE))
            WRONG(v, "%%%u %s reads %%%u with positions in lanes, which it has no instances for",
                  user->id, schedule_name(s, user->id), from->id);
    }
}

/* --- loops -------------------------------------------------------------------------------------*/

/* Whether a turn of this loop leaves accumulators for the next. */
static bool carries(const ScheduleStep *step, const ScheduleLoop *loop) {
    switch (step->kind) {
    case STEP_TOGETHER:
        return loop->over == OVER_TERMS || (loop->over == OVER_FEATURES && step->items.count > 0);
    case STEP_SUMS:
        return loop->over == OVER_POSITIONS;
    case STEP_FOLD:
        return loop->over == OVER_FEATURES || loop->over == OVER_TERMS;
    default:
        return false;
    }
}

static void check_loop(Verifier *v, uint32_t stage, const ScheduleStep *step, uint32_t k) {
    const Schedule *s = v->s;
    const ScheduleLoop *loop = &step->loops[k];
    const uint32_t lanes = stage % 2 ? s->rows : s->lanes;
    const ScheduleOver in_lanes = stage % 2 ? OVER_POSITIONS : OVER_FEATURES;
    if (loop->carrier == CARRIED_BY_LANES && (loop->over != in_lanes || loop->step != lanes))
        WRONG(v, "a loop of stage %u is carried by %u lanes, which have %s of %u", stage,
              loop->step, stage % 2 ? "positions" : "features", lanes);
    if (loop->over == OVER_FEATURES && loop->carrier != CARRIED_BY_LANES)
        WRONG(v, "a loop over features of stage %u is not carried by lanes", stage);
    if (loop->over == OVER_POSITIONS && loop->extent != s->rows)
        WRONG(v, "a loop over positions has %llu, not %u", (unsigned long long)loop->extent,
              s->rows);
    if (loop->step == 0 || (loop->over != OVER_FEATURES && loop->extent % loop->step != 0))
        WRONG(v, "a loop of %llu turns takes %u at a time", (unsigned long long)loop->extent,
              loop->step);
    if (loop->folds != carries(step, loop))
        WRONG(v,
              loop->folds ? "a loop of stage %u is a fold and carries nothing"
                          : "a loop of stage %u carries what is no fold",
              stage);
    if (loop->carrier == CARRIED_BY_LANES)
        for (uint32_t m = 0; m < k; m++)
            if (step->loops[m].carrier == CARRIED_BY_LANES)
                WRONG(v, "lanes carry two loops of a step in stage %u", stage);
}

/* That loops over axes and blocks cover what they make. */
static void check_axes(Verifier *v, const ScheduleStep *step, const TirType *type) {
    uint32_t axes = 0, features = 0;
    for (uint32_t k = 0; k < step->n_loops; k++) {
        const ScheduleLoop *loop = &step->loops[k];
        if (loop->over == OVER_AXIS &&
            (loop->axis != axes || axes >= type->rank || loop->extent != type->dims[axes++]))
            WRONG(v, "a loop does not go over axis %u of %%%u", loop->axis, step->value->id);
        if (loop->over == OVER_FEATURES &&
            (step->kind == STEP_PIECE || step->kind == STEP_VECTORS) &&
            loop->extent == type->dims[type->rank - 1])
            features++;
    }
    if (axes + features != type->rank)
        WRONG(v, "the loops that make %%%u leave axes out", step->value->id);
}

/* --- steps -------------------------------------------------------------------------------------*/

static void write_elements(Verifier *v, uint32_t stage, const ScheduleValue *x, uint64_t elements) {
    if (x->stage != stage)
        WRONG(v, "%%%u is made in stage %u, and a step of stage %u writes it", x->id, x->stage,
              stage);
    v->written[number_of(v, x)] += elements;
}

static void write_piece(Verifier *v, uint32_t stage, const ScheduleStep *step,
                        const SchedulePiece *piece) {
    /* In lane stages zeros are all of a padding, and a piece is written over them. */
    const bool over_zeros = step->kind == STEP_LOOPS && piece->id && piece->id != piece->to->id &&
                            schedule_node(v->s, piece->to->id)->op == TIR_PAD;
    write_elements(v, stage, piece->to, over_zeros ? 0 : tir_element_count(&piece->type));
}

/* Parts and items have a loop's features and its registers to themselves. */
static void check_shared(Verifier *v, uint32_t stage, const ScheduleStep *step) {
    const Schedule *s = v->s;
    const bool sums = step->kind == STEP_SUMS;
    const ScheduleLoop *positions = &step->loops[sums], *features = &step->loops[!sums];
    const ScheduleLoop *terms = step->n_loops > 2 ? &step->loops[2] : NULL;
    if (step->n_loops < 2 || step->n_loops > 3 || positions->over != OVER_POSITIONS ||
        features->over != OVER_FEATURES || (terms && terms->over != OVER_TERMS)) {
        WRONG(v, "a step of stage %u has other loops than over positions and features", stage);
        return;
    }
    if (positions->step > POSITION_BLOCK ||
        (step->items.count &&
         step->items.count > machine_fold_accumulators(s->machine, positions->step)))
        WRONG(v, "%u accumulators for %u positions at a time are more than the registers hold",
              step->items.count, positions->step);
    for (uint32_t k = 0; k < step->pieces.count; k++) {
        const SchedulePiece *piece = &step->pieces.at[k];
        const uint64_t leading = schedule_leading(&piece->type);
        if (piece->to->sum != sums || piece->type.dims[piece->type.rank - 1] != features->extent)
            WRONG(v, "%%%u has not the features of the loop that writes it", piece->to->id);
        if (leading > (sums ? UNROLL_SUM : UNROLL_LEADING))
            WRONG(v, "%llu rows of %%%u are written out", (unsigned long long)leading,
                  piece->to->id);
    }
    for (uint32_t k = 0; k < step->items.count; k++) {
        const ScheduleItem *item = &step->items.at[k];
        if (item->fold->side != SCHEDULE_FOLD || item->element >= item->fold->elements ||
            schedule_fold(s, item->fold->id).lane_extent != features->extent)
            WRONG(v, "%%%u has not the features of the loop that folds it", item->fold->id);
        const ScheduleFold fold = schedule_fold(s, item->fold->id);
        if (terms && (fold.n_other != 1 || fold.extent[0] != terms->extent || step->pieces.count))
            WRONG(v, "%%%u has not the terms of the loop that folds it", item->fold->id);
        write_elements(v, stage, item->fold, 1);
    }
    for (uint32_t k = 0; k < step->ahead.count; k++)
        if (step->ahead.at[k].input->place != PLACE_ROWS)
            WRONG(v, "%%%u is fetched ahead, and has no rows", step->ahead.at[k].input->id);
}

static void check_step(Verifier *v, uint32_t stage, const ScheduleStep *step) {
    const bool shared = step->kind == STEP_TOGETHER || step->kind == STEP_SUMS;
    const bool piece = step->kind == STEP_PIECE || step->kind == STEP_LOOPS;
    if (step->kind >= STEP_REGISTERS ? stage % 2 == 0 : stage % 2 == 1)
        WRONG(v, "a step of stage %u has something else in its lanes", stage);
    else if ((!shared && !step->value) || (piece && step->pieces.count != 1))
        WRONG(v, "a step of stage %u makes nothing", stage);
    if (v->wrong)
        return;
    for (uint32_t k = 0; k < step->n_loops; k++)
        check_loop(v, stage, step, k);
    for (uint32_t k = 0; k < step->pieces.count; k++)
        write_piece(v, stage, step, &step->pieces.at[k]);
    switch (step->kind) {
    case STEP_TOGETHER:
    case STEP_SUMS:
        check_shared(v, stage, step);
        break;
    case STEP_PIECE:
    case STEP_LOOPS:
        check_axes(v, step, &step->pieces.at[0].type);
        break;
    case STEP_ELEMENTS:
    case STEP_VECTORS:
    case STEP_FOLD:
    case STEP_POSITIONS:
        check_axes(v, step, &schedule_node(v->s, step->value->id)->type);
        write_elements(v, stage, step->value, step->value->elements);
        break;
    case STEP_REGISTERS:
        write_elements(v, stage, step->value, step->value->elements);
        break;
    case STEP_SCAN:
        for (uint32_t k = 0; k < schedule_node(v->s, step->value->id)->n_results; k++) {
            const ScheduleValue *result = step->value->results[k];
            if (result && !result->also_registers)
                write_elements(v, stage, result, result->elements);
        }
        break;
    case STEP_ADD_FOLD:
    case STEP_COPY_OUT:
        if (step->value->stage + (step->value->side == SCHEDULE_FOLD) != stage ||
            !(step->kind == STEP_COPY_OUT ? step->value->output : step->value->sum) ||
            !in_memory(step->value))
            WRONG(v, "%%%u goes out in stage %u, where it is not made", step->value->id, stage);
        v->given[number_of(v, step->value)]++;
        break;
    }
}

/* What readers, outputs and sums find is what steps write: each element once. */
static void check_written(Verifier *v) {
    for (uint32_t k = v->s->n_inputs; k < v->s->n_values; k++) {
        const ScheduleValue *x = &v->s->values[k];
        const bool wanted = x->place != PLACE_NONE || x->sum;
        if (v->written[k] != (wanted ? x->elements : 0))
            WRONG(v, "steps write %llu of the %llu elements of %%%u",
                  (unsigned long long)v->written[k], (unsigned long long)(wanted ? x->elements : 0),
                  x->id);
    }
}

/* What is wide goes where it is asked for as it is made; of the rest what is made by lanes is
 * copied there, and what folds is added. */
static void check_given(Verifier *v) {
    for (uint32_t k = v->s->n_inputs; k < v->s->n_values; k++) {
        const ScheduleValue *x = &v->s->values[k];
        const bool copied = x->output && !x->sum && x->side != SCHEDULE_WIDE;
        const uint32_t wanted = copied || (x->sum && x->side == SCHEDULE_FOLD);
        if (v->given[k] != wanted)
            WRONG(v, "%u steps give %%%u to argument %u, not %u", v->given[k], x->id, x->argument,
                  wanted);
    }
}

static void check_group(Verifier *v) {
    const Schedule *s = v->s;
    const Group *g = s->group;
    for (uint32_t k = 0; k < s->n_values && !v->wrong; k++) {
        if (k < s->n_inputs) {
            check_input(v, &s->values[k]);
        } else {
            check_made(v, &s->values[k]);
            check_reads(v, &s->values[k]);
        }
    }
    check_packed(v);
    check_arguments(v, &g->outputs, g->inputs.count, false);
    check_arguments(v, &g->sums, g->inputs.count + g->outputs.count, true);
    for (uint32_t k = 0; k < s->stages.count; k++)
        for (uint32_t m = 0; m < s->stages.at[k].steps.count && !v->wrong; m++)
            check_step(v, k, &s->stages.at[k].steps.at[m]);
    if (!v->wrong)
        check_written(v);
    if (!v->wrong)
        check_given(v);
}

const char *schedule_verify(const Schedule *s) {
    Verifier v = {.s = s};
    if (s->lanes == 0 || (s->real_bytes != 4 && s->real_bytes != 8))
        WRONG(&v, "vectors have %u lanes of %u bytes", s->lanes, s->real_bytes);
    if (s->kind == CALL_ATTEND && (s->columns == 0 || s->columns > 4))
        WRONG(&v, "attention takes %u vectors of queries at a time", s->columns);
    if (!s->group || v.wrong)
        return v.wrong;
    v.arena = arena_create_child(s->plan->arena);
    v.written = ARENA_ARRAY(v.arena, uint64_t, s->n_values);
    v.given = ARENA_ARRAY(v.arena, uint32_t, s->n_values);
    check_group(&v);
    arena_destroy(v.arena);
    return v.wrong;
}
