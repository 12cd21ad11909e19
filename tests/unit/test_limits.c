/* The list of limits, for those who draw sizes on both sides of each (`test_limits --list`: a line
 * a limit, with name, value, what is counted, and what changes beyond it), and that the schedule
 * does change there. */
#include "plan_case.h"

#include "lower/lower.h"
#include "machine/limits.h"

static void limits_have_names_of_their_own(void **state) {
    (void)state;
    const Limit *all = limits_all();
    for (uint32_t k = 0; all[k].name; k++) {
        assert_true(all[k].value > 0 && *all[k].counted && *all[k].beyond);
        for (uint32_t m = 0; m < k; m++)
            assert_string_not_equal(all[k].name, all[m].name);
    }
}

/* The plan of sum(tanh(values of such an extent) * others). */
static Plan *planned(Case *c, uint32_t extent, bool product) {
    case_begin(c);
    TirBuilder *b = &c->b;
    TirId x = case_real(c, POSITION, 1, DIMS(extent));
    if (product)
        x = tir_contract(b, case_real(c, GLOBAL, 2, DIMS(extent, extent)), x, AXES(0, 1), AXES(1),
                         1, AXES(0), POSITION);
    TirId y = tir_unary(b, TIR_TANH, x);
    TirId sum = tir_reduce(b, TIR_REDUCE_SUM, y, 1);
    TirId loss = tir_position_sum(b, tir_binary(b, TIR_MUL, sum, sum), GLOBAL);
    tir_add_output(c->p, TIR_OUT_LOSS, "loss", 0, loss);
    const CompileOptions options = {.load = true};
    return case_plan(c, pass_dce(pass_canon(pass_dce(c->p))), &options);
}

/* Loads of whole vectors of what the caller gave. */
static uint32_t vectors(Case *c, uint32_t extent) {
    Plan *plan = planned(c, extent, false);
    const ScheduleOptions options = {.real_bytes = 4, .machine = machine_of(64, 32)};
    NestKernel **kernels = lower_kernels(
        plan->arena, schedule_create(plan, &options, &(Products){0}), plan->kernels.count);
    uint32_t n = 0;
    for (uint32_t k = 0; k < plan->kernels.count; k++)
        for (NestId id = 1; id < kernels[k]->instructions.count; id++) {
            const NestInstruction *i = &kernels[k]->instructions.at[id];
            n += i->op == NEST_LOAD && i->stride == 1 && i->type.lanes == 16 &&
                 kernels[k]->buffers.at[i->buffer].kind == NEST_ARGUMENT;
        }
    return n;
}

static void features_lie_in_lanes_from_the_limit_on(void **state) {
    assert_int_equal(vectors(*state, WIDE_EXTENT - 1), 0);
    assert_int_equal(vectors(*state, WIDE_EXTENT), 1);
}

static uint32_t products(Case *c, uint32_t extent) {
    Plan *plan = planned(c, extent, true);
    uint32_t n = 0;
    for (uint32_t k = 0; k < plan->calls.count; k++)
        n += plan->calls.at[k].kind == CALL_GEMM;
    return n;
}

static void products_leave_kernels_beyond_the_limit(void **state) {
    assert_int_equal(products(*state, GEMM_THIN), 0);
    assert_int_equal(products(*state, GEMM_THIN + 1), 1);
}

/* Whether positions x n x k, or with `fixed` positions as many rows of a weight, is a product with
 * kernels of its own on a processor that multiplies tiles of bf16, or does not. */
static bool has_kernels(uint64_t n, uint64_t k, uint64_t fixed, bool bf16, bool tiles) {
    CallBuffer buffers[3] = {{.element = ELEMENT_F32}};
    buffers[1] = buffers[2] = buffers[0];
    Machine machine = machine_of(64, 32);
    machine.fma = true;
    machine.tiles = tiles;
    const Call call = {.kind = CALL_GEMM,
                       .buffers = {.at = buffers, .count = 3},
                       .gemm = {.m = fixed, .m_per_instance = fixed == 0, .n = n, .k = k}};
    return plan_has_product_kernels(&call, machine_product_thin(&machine, bf16));
}

static void products_have_kernels_from_the_limits_on(void **state) {
    (void)state;
    const uint64_t side = PRODUCT_SIDE, thin = PRODUCT_THIN;
    for (int way = 0; way < 4; way++) {
        const bool bf16 = way & 1, tiles = way & 2;
        assert_true(has_kernels(side, side, 0, bf16, tiles));
        assert_true(has_kernels(side, side, side, bf16, tiles));
        assert_int_equal(has_kernels(side - 1, side, 0, bf16, tiles), bf16 && tiles);
        assert_int_equal(has_kernels(side, thin, 0, bf16, tiles), bf16 && tiles);
        assert_int_equal(has_kernels(side, side, thin, bf16, tiles), bf16 && tiles);
        assert_false(has_kernels(thin - 1, side, 0, bf16, tiles));
        assert_false(has_kernels(side - 1, side - 1, 0, bf16, tiles)); /* both are thin */
    }
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        for (const Limit *l = limits_all(); l->name; l++)
            printf("%s %u %s: %s\n", l->name, l->value, l->counted, l->beyond);
        return 0;
    }
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, case_setup, case_teardown)
        T(limits_have_names_of_their_own),
        T(features_lie_in_lanes_from_the_limit_on),
        T(products_leave_kernels_beyond_the_limit),
        T(products_have_kernels_from_the_limits_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
