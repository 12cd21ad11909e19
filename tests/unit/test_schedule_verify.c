/* Broken schedules, one or more for every rule of the verifier: each is a good schedule with one
 * thing changed, and is refused for that. */
#include "plan_case.h"

#include "machine/limits.h"

enum { D = 64, N = 20 };

/* A loop of 8 numbers whose result weights read, with features in lanes. */
static TirId repeated(Case *c, TirId start) {
    TirBlock *body = tir_block_create(c->p);
    TirBuilder in = tir_builder_inner(&c->b, body);
    TirId carried = tir_arg(&in, tir_node(c->b.block, start)->type);
    (void)tir_arg(&in, case_type(TIR_INT, GLOBAL, 0, NULL));
    vec_push(c->c->arena, &body->results, tir_unary(&in, TIR_TANH, carried));
    TirId scan = tir_scan(&c->b, 3, false, body, 1, &start, 0, NULL, 0, NULL);
    return tir_result(&c->b, scan, 0);
}

/* sum over c of W[k,c] * x[c], or over k of W[k,c] * x[k]. */
static TirId weighted(Case *c, uint32_t rows, TirId x, bool rows_out) {
    TirId weights = case_real(c, GLOBAL, 2, DIMS(rows, D));
    return rows_out ? tir_contract(&c->b, weights, x, AXES(0, 1), AXES(1), 1, AXES(0), POSITION)
                    : tir_contract(&c->b, weights, x, AXES(0, 1), AXES(0), 1, AXES(1), POSITION);
}

/* Folds by weights, values with positions in lanes in registers and in loops, an input of few
 * instances, a loop's result, wide values that stages keep, sums for packed weights and a sum of
 * what folds. */
static TirProgram *network(Case *c) {
    case_begin(c);
    TirBuilder *b = &c->b;
    TirId x = case_real(c, POSITION, 1, DIMS(D)), few = case_real(c, SAMPLE, 0, NULL);
    TirId small = tir_unary(b, TIR_TANH, tir_binary(b, TIR_MUL, weighted(c, N, x, true), few));
    TirId again = repeated(c, tir_slice(b, small, 0, 0, 8));
    TirId wide = tir_binary(b, TIR_ADD, weighted(c, N, small, false), weighted(c, 8, again, false));
    TirId square = tir_reduce(b, TIR_REDUCE_SUM, tir_binary(b, TIR_MUL, wide, wide), 1);
    TirId scaled = tir_binary(b, TIR_MUL, wide, square);
    TirId large = tir_contract(b, small, tir_slice(b, small, 0, 0, 4), AXES(0), AXES(1), 2,
                               AXES(0, 1), POSITION);
    TirId sum = tir_binary(b, TIR_ADD, tir_reduce(b, TIR_REDUCE_SUM, scaled, 1),
                           tir_reduce(b, TIR_REDUCE_SUM, tir_unary(b, TIR_SIN, large), 3));
    tir_add_output(c->p, TIR_OUT_NAMED, "scaled", 0, scaled);
    tir_add_output(c->p, TIR_OUT_METRIC, "size", 0,
                   tir_contract(b, scaled, x, AXES(0), AXES(0), 0, AXES(0), GLOBAL));
    tir_add_output(c->p, TIR_OUT_LOSS, "loss", 0,
                   tir_position_sum(b, tir_binary(b, TIR_MUL, sum, sum), GLOBAL));
    pass_grad(c->p);
    return pass_dce(pass_canon(pass_dce(c->p)));
}

static Schedule **schedules(Case *c, uint32_t *count) {
    const CompileOptions options = {.machine = {.cpu = "baseline"}};
    CompileRun run = case_run(c, network(c), &options);
    case_passed(&run, compile_to(&run, PASS_MEMORY));
    compile_end(&run);
    const ScheduleOptions machine = {.real_bytes = 4, .machine = machine_of(64, 32)};
    Schedule **all = schedule_create(run.plan, &machine, &(Products){0});
    *count = run.plan->kernels.count;
    for (uint32_t k = 0; k < *count; k++) {
        const char *wrong = schedule_verify(all[k]);
        if (wrong)
            fail_msg("%s", wrong);
    }
    return all;
}

static void refused(const Schedule *s, const char *why) {
    const char *wrong = schedule_verify(s);
    if (!wrong || !strstr(wrong, why))
        fail_msg("said '%s', not '%s'", wrong ? wrong : "nothing", why);
}

/* With one thing changed, for a moment. */
#define REFUSED(s, thing, other, why)                                                              \
    do {                                                                                           \
        const __typeof__(thing) good_ = (thing);                                                   \
        (thing) = (other);                                                                         \
        refused((s), (why));                                                                       \
        (thing) = good_;                                                                           \
        assert_null(schedule_verify(s));                                                           \
    } while (0)

/* --- looking for what to break -----------------------------------------------------------------*/

typedef bool Is(const Schedule *s, const ScheduleValue *v);

static ScheduleValue *value_that(Schedule **all, uint32_t count, Is *is, Schedule **of) {
    for (uint32_t k = 0; k < count; k++)
        for (uint32_t m = 0; m < all[k]->n_values; m++)
            if (is(all[k], &all[k]->values[m])) {
                *of = all[k];
                return &all[k]->values[m];
            }
    fail_msg("there is no such value");
    return NULL;
}

static ScheduleStep *step_of(Schedule *s, ScheduleStepKind kind, bool items) {
    for (uint32_t k = 0; k < s->stages.count; k++)
        for (uint32_t m = 0; m < s->stages.at[k].steps.count; m++) {
            ScheduleStep *step = &s->stages.at[k].steps.at[m];
            if (step->kind == kind && (step->items.count > 0) == items)
                return step;
        }
    return NULL;
}

static ScheduleStep *step_that(Schedule **all, uint32_t count, ScheduleStepKind kind, bool items,
                               Schedule **of) {
    for (uint32_t k = 0; k < count; k++) {
        ScheduleStep *step = step_of(all[k], kind, items);
        if (step) {
            *of = all[k];
            return step;
        }
    }
    fail_msg("there is no such step");
    return NULL;
}

/* Without its first step of a kind. */
static void refused_without(Schedule *s, ScheduleStepKind kind, const char *why) {
    ScheduleStep *step = step_of(s, kind, false);
    for (uint32_t k = 0; k < s->stages.count; k++) {
        ScheduleStage *stage = &s->stages.at[k];
        if (step < stage->steps.at || step >= stage->steps.at + stage->steps.count)
            continue;
        ScheduleStep *last = &stage->steps.at[--stage->steps.count];
        const ScheduleStep good = *step;
        *step = *last;
        refused(s, why);
        *step = good;
        stage->steps.count++;
        assert_null(schedule_verify(s));
        return;
    }
    fail_msg("no stage has the step");
}

static bool is_kept(const Schedule *s, const ScheduleValue *v) {
    (void)s;
    return v->made && v->side == SCHEDULE_WIDE && v->place == PLACE_TILE_ROWS;
}
static bool is_late(const Schedule *s, const ScheduleValue *v) {
    (void)s;
    return v->made && v->side == SCHEDULE_WIDE && v->stage > 4 && v->output && !v->sum;
}
static bool is_lane(const Schedule *s, const ScheduleValue *v) {
    (void)s;
    return v->made && v->side == SCHEDULE_LANE && v->place == PLACE_REGISTERS && !v->also_registers;
}
static bool is_large(const Schedule *s, const ScheduleValue *v) {
    (void)s;
    return v->made && v->side == SCHEDULE_LANE && v->elements > UNROLL_LANE && !v->sum;
}
static bool is_fold(const Schedule *s, const ScheduleValue *v) {
    (void)s;
    return v->made && v->side == SCHEDULE_FOLD;
}
static bool is_few(const Schedule *s, const ScheduleValue *v) {
    (void)s;
    return v->also_lanes;
}
static bool is_result(const Schedule *s, const ScheduleValue *v) {
    (void)s;
    return v->also_registers && v->place == PLACE_TILE_LANES;
}
static bool is_packed(const Schedule *s, const ScheduleValue *v) {
    (void)s;
    return v->packed && !v->made;
}

/* --- values ------------------------------------------------------------------------------------*/

static void test_places(void **state) {
    uint32_t n;
    Schedule **all = schedules(*state, &n), *s = NULL;
    ScheduleValue *v = value_that(all, n, is_fold, &s);
    REFUSED(s, v->place, PLACE_NONE, "cannot lie where it does");
    REFUSED(s, v->place, PLACE_ROWS, "cannot lie where it does");
    v = value_that(all, n, is_lane, &s);
    REFUSED(s, v->place, PLACE_TILE_ROWS, "cannot lie where it does");
    v = value_that(all, n, is_large, &s);
    REFUSED(s, v->place, PLACE_REGISTERS, "elements in registers");
    v = value_that(all, n, is_kept, &s);
    REFUSED(s, v->streamed, true, "not an output of whole vectors");
    REFUSED(s, v->again, true, "is made again, and lies somewhere");
    REFUSED(s, v->packed, true, "neither weights nor a sum");
    v = &s->values[0];
    REFUSED(s, v->place, PLACE_TILE_ROWS, "does not lie in the workspace");
    REFUSED(s, v->argument, v->argument + 1, "is argument");
    v = value_that(all, n, is_late, &s);
    REFUSED(s, v->argument, v->argument + 1, "is not %");
    REFUSED(s, v->place, PLACE_NONE, "cannot lie where it does");
    REFUSED(s, v->place, PLACE_TILE_ROWS, "cannot lie where it does");
    REFUSED(s, v->output, false, "cannot lie where it does");
}

static void test_stages(void **state) {
    uint32_t n;
    Schedule **all = schedules(*state, &n), *s = NULL;
    ScheduleValue *v = value_that(all, n, is_lane, &s);
    REFUSED(s, v->stage, v->stage + 1, "with positions in lanes");
    v = value_that(all, n, is_fold, &s);
    REFUSED(s, v->stage, v->stage + 1, "with features in lanes");
    REFUSED(s, v->stage, 2 * s->stages.count, "is made in stage");
    v = value_that(all, n, is_late, &s);
    REFUSED(s, v->stage, 0, "and reads %");
    REFUSED(s, v->stage, v->stage - 2, "before the stage ends that makes both");
}

static void test_readers(void **state) {
    uint32_t n;
    Schedule **all = schedules(*state, &n), *s = NULL;
    ScheduleValue *v = value_that(all, n, is_kept, &s);
    REFUSED(s, v->place, PLACE_NONE, "and it lies nowhere");
    v = value_that(all, n, is_result, &s);
    REFUSED(s, v->place, PLACE_REGISTERS, "otherwise than from registers");
    v = value_that(all, n, is_few, &s);
    REFUSED(s, v->also_lanes, false, "which it has no instances for");
    v = value_that(all, n, is_packed, &s);
    REFUSED(s, v->also_lanes, true, "an instance of its own for each lane");
}

/* --- loops -------------------------------------------------------------------------------------*/

static void test_loops(void **state) {
    uint32_t n;
    Schedule **all = schedules(*state, &n), *s = NULL;
    ScheduleStep *step = step_that(all, n, STEP_TOGETHER, true, &s);
    ScheduleLoop *positions = &step->loops[0], *features = &step->loops[1];
    REFUSED(s, features->step, features->step / 2, "is carried by 8 lanes");
    REFUSED(s, features->carrier, CARRIED_IN_SEQUENCE, "is not carried by lanes");
    REFUSED(s, features->folds, false, "carries what is no fold");
    REFUSED(s, positions->folds, true, "is a fold and carries nothing");
    REFUSED(s, positions->carrier, CARRIED_BY_LANES, "which have features");
    REFUSED(s, positions->extent, 32, "a loop over positions has 32, not 16");
    REFUSED(s, positions->step, 3, "takes 3 at a time");
    REFUSED(s, positions->step, 8, "more than the registers hold");
    REFUSED(s, features->extent, features->extent + 16, "has not the features of the loop");
    REFUSED(s, step->n_loops, 1, "has other loops than over positions and features");
    step = step_that(all, n, STEP_SUMS, false, &s);
    REFUSED(s, step->loops[1].folds, false, "carries what is no fold");
    step = step_that(all, n, STEP_SCAN, false, &s);
    const ScheduleLoop lanes = step->loops[0];
    REFUSED(s, step->loops[1], lanes, "lanes carry two loops");
    step = step_that(all, n, STEP_LOOPS, false, &s);
    REFUSED(s, step->loops[1].extent, step->loops[1].extent + 1, "does not go over axis");
    REFUSED(s, step->n_loops, step->n_loops - 1, "leave axes out");
}

/* --- steps -------------------------------------------------------------------------------------*/

static void test_steps(void **state) {
    uint32_t n;
    Case *c = *state;
    Schedule **all = schedules(c, &n), *s = NULL;
    ScheduleStep *step = step_that(all, n, STEP_TOGETHER, true, &s);
    REFUSED(s, step->items.count, step->items.count - 1, "steps write");
    REFUSED(s, step->items.at[0].element, 1000, "has not the features of the loop that folds it");
    REFUSED(s, step->kind, STEP_FOLD, "makes nothing");
    REFUSED(s, step->kind, STEP_LOOPS, "something else in its lanes");
    ScheduleValue *weights = value_that(all, n, is_packed, &s);
    step = step_of(s, STEP_TOGETHER, true);
    const ScheduleAhead ahead = {.input = weights, .lines = 1};
    vec_push(c->c->arena, &step->ahead, ahead);
    refused(s, "is fetched ahead, and has no rows");
    step->ahead.count--;
    step = step_that(all, n, STEP_TOGETHER, false, &s);
    REFUSED(s, step->pieces.at[0].type.dims[0], D + 1, "has not the features of the loop");
    REFUSED(s, step->pieces.count, step->pieces.count - 1, "steps write");
    step = step_that(all, n, STEP_SUMS, false, &s);
    REFUSED(s, step->pieces.at[0].type.dims[0], 1, "steps write");
    ScheduleValue *v = value_that(all, n, is_late, &s);
    REFUSED(s, s->stages.at[v->stage].steps.count, 0, "steps write 0 of the");
    step = step_that(all, n, STEP_REGISTERS, false, &s);
    REFUSED(s, step->kind, STEP_COPY_OUT, "goes out in stage");
    step_that(all, n, STEP_COPY_OUT, false, &s);
    refused_without(s, STEP_COPY_OUT, "0 steps give %");
    step_that(all, n, STEP_ADD_FOLD, false, &s);
    refused_without(s, STEP_ADD_FOLD, "0 steps give %");
}

/* --- the machine -------------------------------------------------------------------------------*/

static void test_machine(void **state) {
    uint32_t n;
    Schedule **all = schedules(*state, &n), *s = NULL;
    value_that(all, n, is_packed, &s);
    Machine small = *s->machine;
    small.packed_bytes = 1;
    REFUSED(s, s->machine, &small, "bytes are packed, 1 at most");
    small = *s->machine;
    small.vector_registers = 16;
    step_that(all, n, STEP_TOGETHER, true, &s);
    REFUSED(s, s->machine, &small, "more than the registers hold");
    REFUSED(s, s->lanes, 0, "vectors have 0 lanes");
    Schedule attend = *s;
    attend.kind = CALL_ATTEND;
    attend.columns = 4;
    REFUSED(&attend, attend.columns, 5, "5 vectors of queries");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_places, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_stages, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_readers, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_loops, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_steps, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_machine, case_setup, case_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
