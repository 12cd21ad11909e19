/* Compiled loops with carried values against the interpreter, at extents on both sides of every
 * limit of the schedule: what a loop carries lies in registers with positions in lanes, and all
 * kinds of readers must find it. */
#include "native_case.h"

#include "lower/lower.h"

static const uint32_t EXTENTS[] = {8, 16, 31, 32, 33, 48, 63, 64, 65, 96, 128, 129, 257};
enum { N_EXTENTS = sizeof EXTENTS / sizeof *EXTENTS };

/* Lowered for every precision and vector: a reader that looks for a value elsewhere than where it
 * lies is a fault of lowering or of the verifier. */
static void check_places(Case *c, TirProgram *p) {
    const ScheduleOptions machines[] = {{.real_bytes = 8, .machine = machine_of(32, 16)},
                                        {.real_bytes = 4, .machine = machine_of(64, 32)}};
    for (uint32_t m = 0; m < sizeof machines / sizeof *machines; m++) {
        const CompileOptions options = {
            .precision = {machines[m].real_bytes == 8, HC_PRECISION_F64}};
        const Plan *plan = case_plan(c, p, &options);
        Schedule **schedules = schedule_create(plan, &machines[m], &(Products){0});
        NestKernel **kernels = lower_kernels(plan->arena, schedules, plan->kernels.count);
        for (uint32_t k = 0; k < plan->kernels.count; k++) {
            const char *wrong = schedule_verify(schedules[k]);
            if (!wrong)
                wrong = nest_verify(kernels[k]);
            if (wrong)
                fail_msg("%s", wrong);
        }
    }
}

/* And, at some extents, run: without LLVM's optimisation, for lowering is what is tested. */
static void check(Case *c, TirId root, bool run) {
    static const Form single = {false, true, true, 0, NULL, false};
    TirProgram *p = native_program(c, case_weigh(c, root));
    check_places(c, p);
    if (run)
        run_form(c, p, &single);
}

/* A loop that begins with `start`, whose body makes `next` of what it carries and of `fixed`. */
typedef TirId Body(TirBuilder *in, TirId carried, TirId fixed);

static TirId loop(Case *c, uint32_t trips, TirId start, TirId fixed, Body *make) {
    TirBlock *body = tir_block_create(c->p);
    TirBuilder in = tir_builder_inner(&c->b, body);
    TirId carried = tir_arg(&in, *case_typeof(c, start));
    TirId same = tir_arg(&in, *case_typeof(c, fixed));
    (void)tir_arg(&in, case_type(TIR_INT, GLOBAL, 0, NULL));
    vec_push(c->c->arena, &body->results, make(&in, carried, same));
    TirId scan = tir_scan(&c->b, trips, false, body, 1, &start, 1, &fixed, 0, NULL);
    return tir_result(&c->b, scan, 0);
}

static TirId relaxed(TirBuilder *in, TirId carried, TirId fixed) {
    return tir_binary(in, TIR_ADD, fixed,
                      tir_unary(in, TIR_TANH, tir_binary(in, TIR_MUL, carried, fixed)));
}

static TirId squashed(TirBuilder *in, TirId carried, TirId fixed) {
    TirDomain domain = tir_node(in->block, carried)->type.domain;
    TirId product = tir_contract(in, fixed, carried, AXES(0, 1), AXES(1), 1, AXES(0), domain);
    return tir_unary(in, TIR_TANH, product);
}

/* A reader of a vector at every position. */
typedef TirId Reader(Case *c, TirId x, uint32_t d);

static TirId read_in_step(Case *c, TirId x, uint32_t d) {
    return tir_binary(&c->b, TIR_MUL, x, mixed(c, 1, DIMS(d)));
}

static TirId read_by_a_sum(Case *c, TirId x, uint32_t d) {
    (void)d;
    return tir_contract(&c->b, x, x, AXES(0), AXES(0), 0, NULL, POSITION);
}

static TirId read_by_a_product(Case *c, TirId x, uint32_t d) {
    return tir_contract(&c->b, case_real(c, GLOBAL, 2, DIMS(5, d)), x, AXES(0, 1), AXES(1), 1,
                        AXES(0), POSITION);
}

static TirId read_one_entry(Case *c, TirId x, uint32_t d) {
    TirId entry = tir_reshape(&c->b, tir_slice(&c->b, x, 0, d - 1, 1), 0, NULL);
    return tir_binary(&c->b, TIR_MUL, entry, case_real(c, POSITION, 0, NULL));
}

/* Of the largest entry, whose place is known only at run time. */
static TirId read_by_index(Case *c, TirId x, uint32_t d) {
    (void)d;
    TirId where = tir_reduce(&c->b, TIR_ARGMAX, x, 1);
    return tir_gather(&c->b, x, where);
}

static TirId read_elsewhere(Case *c, TirId x, uint32_t d) {
    return tir_binary(&c->b, TIR_MUL, tir_shift(&c->b, x, 1), mixed(c, 1, DIMS(d)));
}

static TirId read_turned(Case *c, TirId x, uint32_t d) {
    TirId whole = tir_broadcast(&c->b, x, 2, DIMS(d, 3), AXES(0));
    return tir_binary(&c->b, TIR_MUL, whole, case_real(c, POSITION, 2, DIMS(d, 3)));
}

static void test_readers(void **state) {
    Case *c = *state;
    static Reader *const readers[] = {read_in_step,   read_by_a_sum, read_by_a_product,
                                      read_one_entry, read_by_index, read_elsewhere,
                                      read_turned};
    for (uint32_t r = 0; r < sizeof readers / sizeof *readers; r++)
        for (uint32_t k = 0; k < N_EXTENTS; k++) {
            const uint32_t d = EXTENTS[k];
            case_begin(c);
            TirId x = loop(c, 2, varied(c, POSITION, 1, DIMS(d)), varied(c, POSITION, 1, DIMS(d)),
                           relaxed);
            check(c, readers[r](c, x, d), d == 32 && r % 2 == 0);
        }
}

/* In every domain; what is carried may come from another kind of place than what stays. */
static void test_domains(void **state) {
    Case *c = *state;
    for (uint32_t domain = 0; domain < 4; domain++)
        for (uint32_t k = 2; k < N_EXTENTS; k += 2) {
            const uint32_t d = EXTENTS[k];
            case_begin(c);
            TirId start = tir_spread(&c->b, varied(c, DOMAINS[domain], 1, DIMS(d)), POSITION);
            TirId x = loop(c, 2, start, varied(c, DOMAINS[3 - domain], 1, DIMS(d)), relaxed);
            check(c, read_in_step(c, x, d), d == 33 && domain == 1);
        }
}

static void test_products(void **state) {
    Case *c = *state;
    static const uint32_t extents[] = {31, 32, 33, 48, 64, 65};
    for (uint32_t domain = 0; domain < 2; domain++)
        for (uint32_t k = 0; k < sizeof extents / sizeof *extents; k++) {
            const uint32_t n = extents[k];
            case_begin(c);
            TirId scale = tir_real(&c->b, 0.1);
            TirId map = tir_binary(&c->b, TIR_MUL, mixed_in(c, GLOBAL, 2, DIMS(n, n)), scale);
            TirId x = loop(c, 2, varied(c, DOMAINS[domain], 1, DIMS(n)), map, squashed);
            check(c, tir_binary(&c->b, TIR_MUL, x, case_real(c, DOMAINS[domain], 1, DIMS(n))),
                  n == 32 && domain == 1);
        }
}

/* Many turns: what is kept of each for the way back is as long as a vector. */
static void test_many_turns(void **state) {
    Case *c = *state;
    for (uint32_t k = 0; k < N_EXTENTS; k++) {
        case_begin(c);
        TirId x = loop(c, EXTENTS[k], varied(c, POSITION, 0, NULL), varied(c, POSITION, 0, NULL),
                       relaxed);
        check(c, tir_binary(&c->b, TIR_MUL, x, case_real(c, POSITION, 0, NULL)), k == 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        NATIVE_TEST(test_readers),
        NATIVE_TEST(test_domains),
        NATIVE_TEST(test_products),
        NATIVE_TEST(test_many_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
