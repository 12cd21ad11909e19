/* Sinkhorn's iteration as a loop: values and gradients against the numeric oracles. */
#include "tir_case.h"

enum { N = 4 };

/* fn sinkhorn of the standard library: scaling vectors carried, each source first. */
static TirId sinkhorn(TirBuilder *b, TirId logits, uint32_t trips) {
    const TirType vector = case_type(TIR_REAL, GLOBAL, 1, DIMS(N));
    const TirId top = tir_reduce(b, TIR_REDUCE_MAX, logits, 1);
    const TirId kernel = tir_unary(
        b, TIR_EXP, tir_binary(b, TIR_SUB, logits, tir_broadcast(b, top, 2, DIMS(N, N), AXES(1))));
    const TirId one = tir_broadcast(b, tir_real(b, 1), 1, DIMS(N), NULL);
    TirBlock *body = tir_block_create(b->program);
    TirBuilder in = tir_builder_inner(b, body);
    const TirId u = tir_arg(&in, vector);
    tir_arg(&in, vector); /* v is rebound before it is read */
    const TirId k = tir_arg(&in, case_type(TIR_REAL, GLOBAL, 2, DIMS(N, N)));
    tir_arg(&in, case_type(TIR_INT, GLOBAL, 0, NULL));
    const TirId uk = tir_binary(&in, TIR_MUL, tir_broadcast(&in, u, 2, DIMS(N, N), AXES(0)), k);
    const TirId v =
        tir_binary(&in, TIR_DIV, tir_real(&in, 1), tir_reduce(&in, TIR_REDUCE_SUM, uk, 1));
    const TirId kv = tir_binary(&in, TIR_MUL, k, tir_broadcast(&in, v, 2, DIMS(N, N), AXES(1)));
    vec_push(b->program->arena, &body->results,
             tir_binary(&in, TIR_DIV, tir_real(&in, 1), tir_reduce(&in, TIR_REDUCE_SUM, kv, 2)));
    vec_push(b->program->arena, &body->results, v);
    const TirId start[2] = {one, one};
    const TirId scan = tir_scan(b, trips, false, body, 2, start, 1, &kernel, 0, NULL);
    const TirId us = tir_broadcast(b, tir_result(b, scan, 0), 2, DIMS(N, N), AXES(0));
    const TirId vs = tir_broadcast(b, tir_result(b, scan, 1), 2, DIMS(N, N), AXES(1));
    return tir_binary(b, TIR_MUL, tir_binary(b, TIR_MUL, us, kernel), vs);
}

typedef struct {
    uint32_t trips;
    double value[N * N], gradient[N * N]; /* gradient: all zeros when the oracle has none */
} Oracle;

static const Oracle oracles[] = {
    {1,
     {0.403628, 0.466924, 0.108513, 0.020935, 0.020404, 0.022835, 0.376306, 0.580454, 0.408447,
      0.252812, 0.016208, 0.322533, 0.062303, 0.163599, 0.740774, 0.033324},
     {0}},
    {3,
     {0.429738, 0.478459, 0.072232, 0.019571, 0.025916, 0.027914, 0.298822, 0.647348, 0.432173,
      0.257451, 0.010722, 0.299654, 0.087484, 0.221097, 0.650332, 0.041087},
     {0.202727, -0.117406, -0.101678, -0.008879, 0.022710, 0.027682, -0.042585, 0.019942, -0.116131,
      0.134413, 0.000713, -0.016389, -0.109305, -0.044688, 0.143550, 0.005326}},
    {20,
     {0.436339, 0.478309, 0.066676, 0.018677, 0.027763, 0.029442, 0.291025, 0.651771, 0.442334,
      0.259437, 0.009977, 0.288253, 0.093565, 0.232813, 0.632323, 0.041300},
     {0.214212, -0.111542, -0.094005, -0.008664, 0.020821, 0.025077, -0.053506, 0.007608, -0.122127,
      0.132515, 0.001098, -0.011486, -0.112906, -0.046050, 0.146413, 0.012542}}};

static void assert_near(const double *value, const double *expected) {
    for (uint32_t k = 0; k < N * N; k++)
        if (!(fabs(value[k] - expected[k]) <= 6e-7))
            fail_msg("element %u is %.9g, not %.6f", k, value[k], expected[k]);
}

/* Through pass_grad; before and after canonical form. */
static void check_oracle(Case *c, const Oracle *o) {
    case_begin(c);
    TirBuilder *b = &c->b;
    const TirId logits = case_real(c, GLOBAL, 2, DIMS(N, N));
    double weights[N * N];
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t j = 0; j < N; j++) {
            c->leaf_data[0][i * N + j] = 2 * sin(1 + 3 * i + j + 0.5 * i * j);
            weights[i * N + j] = cos(0.7 * i - 1.3 * j + 0.2);
        }
    const TirId m = sinkhorn(b, logits, o->trips);
    const TirId g = tir_table(b, TIR_REAL, 2, DIMS(N, N), weights);
    const TirId loss = tir_reduce(b, TIR_REDUCE_SUM, tir_binary(b, TIR_MUL, g, m), 3);
    tir_add_output(c->p, TIR_OUT_LOSS, "loss", 0, loss);
    tir_add_output(c->p, TIR_OUT_PROBE, "M", 0, m);
    pass_grad(c->p);
    TirProgram *forms[2] = {c->p, pass_canon(c->p)};
    for (uint32_t k = 0; k < 2; k++) {
        case_verify(forms[k], "sinkhorn");
        case_round_trip(c, forms[k]);
        assert_int_equal(forms[k]->outputs.count, 3);
        assert_int_equal(forms[k]->outputs.at[2].role, TIR_OUT_GRAD);
        const TirId wanted[2] = {forms[k]->outputs.at[1].value, forms[k]->outputs.at[2].value};
        TirTensor t[2];
        case_values(c, forms[k], 2, wanted, t, c->c->arena);
        assert_near(t[0].at, o->value);
        if (o->gradient[0] != 0)
            assert_near(t[1].at, o->gradient);
    }
    if (getenv("HCC_TEST_PRINT"))
        tir_print(forms[1], stderr);
}

static void test_sinkhorn(void **state) {
    Case c = {0};
    (void)state;
    for (uint32_t k = 0; k < sizeof oracles / sizeof *oracles; k++)
        check_oracle(&c, &oracles[k]);
    case_end(&c);
}

/* One trip has no oracle for its gradient: finite differences, from position values too. */
static void test_sinkhorn_differences(void **state) {
    Case c = {0};
    (void)state;
    for (uint32_t trips = 1; trips < 4; trips++) {
        case_begin(&c);
        case_check(&c, sinkhorn(&c.b, case_real(&c, GLOBAL, 2, DIMS(N, N)), trips));
    }
    case_end(&c);
}

/* The reverse loop stacks and carries no more than it reads: u going in, and both adjoints. */
static void test_only_what_is_read_is_stacked(void **state) {
    Case c = {0};
    (void)state;
    check_oracle(&c, &oracles[1]);
    const TirProgram *canon = pass_canon(c.p);
    uint32_t loops = 0;
    for (TirId id = 1; id < canon->block->nodes.count; id++) {
        const TirNode *node = tir_node(canon->block, id);
        if (node->op != TIR_SCAN)
            continue;
        if (loops == 0) {
            assert_int_equal(node->attr.n_stacked, 1);
            assert_false(node->attr.reverse);
        } else {
            assert_int_equal(node->attr.n_scanned, 1);
            assert_int_equal(node->attr.n_carried, 3);
            assert_int_equal(node->attr.n_stacked, 0);
            assert_true(node->attr.reverse);
        }
        loops++;
    }
    assert_int_equal(loops, 2); /* the forward loop is not there twice */
    case_end(&c);
}

/* A loop that is given what it never reads, where nothing else is dead. */
static void test_unread_arguments_go(void **state) {
    Case c = {0};
    (void)state;
    case_begin(&c);
    TirBuilder *b = &c.b;
    const TirId x = case_real(&c, GLOBAL, 1, DIMS(N)), w = case_real(&c, GLOBAL, 1, DIMS(N));
    TirBlock *body = tir_block_create(c.p);
    TirBuilder in = tir_builder_inner(b, body);
    const TirId carried = tir_arg(&in, *case_typeof(&c, x));
    tir_arg(&in, *case_typeof(&c, w));
    tir_arg(&in, (TirType){.elem = TIR_INT});
    vec_push(c.p->arena, &body->results, tir_unary(&in, TIR_TANH, carried));
    const TirId scan = tir_scan(b, 3, false, body, 1, &x, 1, &w, 0, NULL);
    const TirId y = tir_binary(b, TIR_MUL, tir_result(b, scan, 0), w);
    tir_add_output(c.p, TIR_OUT_NAMED, "y", 0, y);
    const TirProgram *lean = pass_dce(c.p);
    const TirNode *product = tir_node(lean->block, lean->outputs.at[0].value);
    const TirNode *result = tir_node(lean->block, product->operands[0]);
    const TirNode *loop = tir_node(lean->block, result->operands[0]);
    assert_int_equal(loop->op, TIR_SCAN);
    assert_int_equal(loop->attr.n_invariant, 0);
    assert_ptr_equal(pass_dce((TirProgram *)lean), lean); /* nothing left to drop */
    case_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sinkhorn),
        cmocka_unit_test(test_sinkhorn_differences),
        cmocka_unit_test(test_only_what_is_read_is_stacked),
        cmocka_unit_test(test_unread_arguments_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
