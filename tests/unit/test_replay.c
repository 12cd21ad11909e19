/* Plans within a bound on memory: what runs again, that it is there when it is read, that the bound
 * holds; and what is said when it cannot. */
#define CASE_SAMPLES 4
#define CASE_POSITIONS 64
#define CASE_MOST_POSITIONS 64
#include "plan_case.h"

#include "abi/layout.h"
#include "plan/plan_internal.h"

enum { D = 96, STREAMS = 4 };

/* Streams that each site reads, sends through two products, and writes. Sites twelve apart share
 * their parameters. */
static TirProgram *trunk(Case *c, uint32_t sites) {
    enum { SETS = 12 };
    TirId read[SETS], write[SETS], mix[SETS], up[SETS], down[SETS];
    TirBuilder *b = &c->b;
    case_begin(c);
    TirId x = tir_unary(b, TIR_SIN, case_real(c, POSITION, 1, DIMS(D)));
    TirId streams = tir_broadcast(b, x, 2, DIMS(STREAMS, D), AXES(1));
    for (uint32_t k = 0; k < SETS && k < sites; k++) {
        read[k] = case_real(c, GLOBAL, 1, DIMS(STREAMS));
        write[k] = case_real(c, GLOBAL, 1, DIMS(STREAMS));
        mix[k] = case_real(c, GLOBAL, 2, DIMS(STREAMS, STREAMS));
        up[k] = case_real(c, GLOBAL, 2, DIMS(2 * D, D));
        down[k] = case_real(c, GLOBAL, 2, DIMS(D, 2 * D));
    }
    for (uint32_t k = 0; k < sites; k++) {
        uint32_t s = k % SETS;
        x = tir_contract(b, read[s], streams, AXES(0), AXES(0, 1), 1, AXES(1), POSITION);
        x = tir_unary(b, TIR_TANH, x);
        x = tir_contract(b, up[s], x, AXES(0, 1), AXES(1), 1, AXES(0), POSITION);
        x = tir_unary(b, TIR_TANH, x);
        x = tir_contract(b, down[s], x, AXES(0, 1), AXES(1), 1, AXES(0), POSITION);
        TirId mixed =
            tir_contract(b, mix[s], streams, AXES(0, 1), AXES(1, 2), 2, AXES(0, 2), POSITION);
        TirId written = tir_contract(b, write[s], x, AXES(0), AXES(1), 2, AXES(0, 1), POSITION);
        streams = tir_unary(b, TIR_SIN, tir_binary(b, TIR_ADD, mixed, written));
    }
    tir_add_output(c->p, TIR_OUT_LOSS, "loss", 0, case_weigh(c, streams));
    pass_grad(c->p);
    return pass_dce(pass_canon(pass_dce(c->p)));
}

/* In so many bytes of workspace; 0: no bound. */
static Plan *plan_within(Case *c, TirProgram *p, uint64_t most) {
    const CompileOptions options = {.memory = most ? case_fixed(c, p, false) + most : 0};
    return case_plan(c, p, &options);
}

static bool same_buffer(CallBuffer a, CallBuffer b) {
    return a.region == b.region && a.offset == b.offset &&
           (a.index == b.index || a.region == REGION_PARTIAL);
}

/* Whoever reads memory finds there what the same call found without a bound: the plan is run with,
 * in the place of numbers, what made them (a hash of the call and of all that it read). */
typedef struct {
    CallBuffer at;
    uint64_t size, holds;
} Held;

typedef struct {
    VEC(Held) memory;
    Arena *arena;
} Shadow;

static uint64_t mixed_hash(uint64_t a, uint64_t b) {
    uint64_t h = (a ^ (b + 0x9e3779b97f4a7c15u + (a << 6) + (a >> 2))) * 0xff51afd7ed558ccdu;
    return h ^ (h >> 32);
}

static uint64_t shadow_read(Shadow *s, CallBuffer at) {
    for (uint32_t k = 0; k < s->memory.count; k++)
        if (same_buffer(s->memory.at[k].at, at))
            return s->memory.at[k].holds;
    assert_true(at.region <= REGION_INPUT); /* or it was overwritten, or never written */
    return mixed_hash(at.region, at.index);
}

static void shadow_write(Shadow *s, CallBuffer at, uint64_t size, uint64_t holds) {
    uint32_t kept = 0;
    for (uint32_t k = 0; k < s->memory.count; k++) {
        CallBuffer old = s->memory.at[k].at;
        bool apart =
            old.region != at.region || (at.region <= REGION_INPUT && old.index != at.index) ||
            old.offset + s->memory.at[k].size <= at.offset || at.offset + size <= old.offset;
        if (apart)
            s->memory.at[kept++] = s->memory.at[k];
    }
    s->memory.count = kept;
    vec_push(s->arena, &s->memory, (Held){at, size, holds});
}

/* What all gradients and outputs hold in the end. */
static uint64_t result_of(const Plan *plan) {
    Shadow s = {.arena = plan->arena};
    for (uint32_t c = 0; c < plan->calls.count; c++) {
        const Call *call = &plan->calls.at[c];
        uint64_t made = mixed_hash(call->kind, call->kernel);
        for (uint32_t k = 0; k < call->n_reads; k++)
            made = mixed_hash(made, shadow_read(&s, call->buffers.at[k]));
        for (uint32_t k = call->n_reads; k < call->buffers.count; k++) {
            CallBuffer at = call->buffers.at[k];
            uint64_t size = 1; /* partial results; and what has a place of its own */
            if (at.region > REGION_INPUT && at.region < REGION_PARTIAL)
                size = plan_value_bytes(plan, plan->slots.at[at.index].value);
            bool adds = call->kind == CALL_GEMM && call->gemm.accumulate;
            shadow_write(&s, at, size,
                         mixed_hash(adds ? mixed_hash(made, shadow_read(&s, at)) : made, k));
        }
    }
    uint64_t result = 0;
    for (uint32_t k = 0; k < plan->program->outputs.count; k++) {
        TirId root = tir_storage(plan->program->block, plan->program->outputs.at[k].value);
        result = mixed_hash(result, shadow_read(&s, plan->buffer[root]));
    }
    return result;
}

/* What is said of the calls made again is what was done. */
static void check_report(const Plan *plan, const Plan *free_plan) {
    double seconds = 0;
    uint32_t again = 0;
    for (uint32_t k = 0; k < plan->replays.calls.count; k++) {
        const PlanReplay *line = &plan->replays.calls.at[k];
        assert_in_range(line->again, 1, line->of);
        again += line->again;
        seconds += line->seconds;
    }
    assert_int_equal(again, plan->calls.count - free_plan->calls.count);
    assert_true(fabs(seconds - plan->replays.seconds) <= 1e-9 * seconds);
}

/* The smaller the bound, the less is needed, and the dearer is a byte: what is cheap goes first,
 * and no more than it takes. The results are always the same. */
static void test_bounds(void **state) {
    Case *c = *state;
    TirProgram *p = trunk(c, 12);
    Plan *free_plan = plan_within(c, p, 0);
    assert_int_equal(free_plan->replays.calls.count, 0);
    assert_int_equal(free_plan->replays.needed, plan_workspace(free_plan));
    const uint64_t stored = free_plan->replays.stored, result = result_of(free_plan);
    double before = 0, price = 0;
    for (uint32_t percent = 95; percent >= 70; percent -= 5) {
        Plan *plan = plan_within(c, p, stored * percent / 100);
        print_message("%u %%: needs %.1f %%, %.1f %% more time\n", percent,
                      100 * (double)plan->replays.needed / (double)stored,
                      100 * plan->replays.seconds / plan->replays.step_seconds);
        assert_int_equal(plan->replays.least, 0);
        assert_true(plan->replays.needed <= stored * percent / 100);
        assert_int_equal(plan->replays.needed, plan_workspace(plan));
        assert_true(plan->replays.calls.count > 0);
        assert_int_equal(plan->n_forward_calls, free_plan->n_forward_calls);
        assert_int_equal(result_of(plan), result);
        assert_true(plan->replays.seconds >= 0.5 * before); /* no cheaper way was missed by far */
        before = plan->replays.seconds;
        assert_true(plan->replays.needed > stored * (percent - 4) / 100);
        const double paid = before / (double)(stored - plan->replays.needed);
        assert_true(paid >= price);
        price = paid;
        check_report(plan, free_plan);
    }
}

static void test_enough_changes_nothing(void **state) {
    Case *c = *state;
    TirProgram *p = trunk(c, 4);
    Plan *free_plan = plan_within(c, p, 0), *plan = plan_within(c, p, free_plan->replays.stored);
    assert_int_equal(plan->replays.calls.count, 0);
    assert_int_equal(plan->calls.count, free_plan->calls.count);
}

/* A step's memory is counted as the runtime takes it. */
static void test_units(void **state) {
    Case *c = *state;
    const Plan *plan = plan_within(c, trunk(c, 4), 0);
    const uint64_t positions = CASE_SAMPLES * CASE_POSITIONS;
    assert_int_equal(plan_units(plan, REGION_GLOBAL), 1);
    assert_int_equal(plan_units(plan, REGION_SAMPLE), hc_units(CASE_SAMPLES));
    assert_int_equal(plan_units(plan, REGION_TIME), hc_units(CASE_POSITIONS));
    assert_int_equal(plan_units(plan, REGION_POSITION), hc_units(positions));
    assert_int_equal(plan_units(plan, REGION_PARTIAL), hc_tile_tasks(positions));
}

/* The least that is named is enough, and a byte less is not. */
static void test_least(void **state) {
    Case *c = *state;
    TirProgram *p = trunk(c, 12);
    const uint64_t result = result_of(plan_within(c, p, 0));
    Plan *plan = plan_within(c, p, 1);
    const uint64_t least = plan->replays.least;
    assert_true(least > 1 && least < plan->replays.stored * 7 / 10);
    assert_int_equal(result_of(plan), result); /* the best there is all the same */
    plan = plan_within(c, p, least);
    assert_int_equal(plan->replays.least, 0);
    assert_int_equal(result_of(plan), result);
    assert_int_equal(plan_within(c, p, least - 1)->replays.least, least);
}

/* Streams kept every few sites: memory grows slower than depth. */
static void test_segments(void **state) {
    Case *c = *state;
    uint64_t least[2];
    for (uint32_t k = 0; k < 2; k++)
        least[k] = plan_within(c, trunk(c, k ? 48 : 12), 1)->replays.least;
    print_message("12 sites: %llu bytes, 48 sites: %llu\n", (unsigned long long)least[0],
                  (unsigned long long)least[1]);
    assert_true(least[1] < 3 * least[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bounds, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_enough_changes_nothing, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_units, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_least, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(test_segments, case_setup, case_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
