/* The builder: hash-consing, folding, shape faults, dependence, size. */
#include "tir/tir.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    Compilation *c;
    TirProgram *p;
    TirBuilder b;
} Fixture;

static const TirDomain position = {1, 1};

static int set_up(void **state) {
    Fixture *f = test_malloc(sizeof *f);
    f->c = compilation_create();
    f->p = tir_program_create(f->c);
    f->b = tir_builder(f->p, f->p->block);
    tir_add_space(f->p, "t", 1, (uint32_t[]){8});
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    Fixture *f = *state;
    compilation_destroy(f->c);
    test_free(f);
    return 0;
}

static TirId param(Fixture *f, uint32_t rank, const uint32_t *dims) {
    TirParam p = {.name = "p", .type = {.elem = TIR_REAL, .rank = (uint8_t)rank}};
    for (uint32_t k = 0; k < rank; k++)
        p.type.dims[k] = dims[k];
    return tir_param(&f->b, tir_add_param(f->p, p));
}

static TirId input(Fixture *f, TirDomain domain, uint32_t rank, const uint32_t *dims) {
    TirInput in = {.name = "x",
                   .type = {.elem = TIR_REAL, .domain = domain, .rank = (uint8_t)rank}};
    for (uint32_t k = 0; k < rank; k++)
        in.type.dims[k] = dims[k];
    return tir_input(&f->b, tir_add_input(f->p, in));
}

#define DIMS(...)                                                                                  \
    (uint32_t[]) {                                                                                 \
        __VA_ARGS__                                                                                \
    }
#define AXES(...)                                                                                  \
    (uint8_t[]) {                                                                                  \
        __VA_ARGS__                                                                                \
    }

static void test_equal_nodes_are_one(void **state) {
    Fixture *f = *state;
    TirBuilder *b = &f->b;
    const TirId w = param(f, 2, DIMS(3, 4)), x = input(f, position, 1, DIMS(4));
    const TirId y = tir_contract(b, w, x, AXES(7, 9), AXES(9), 1, AXES(7), position);
    const TirId again = tir_contract(b, w, x, AXES(1, 2), AXES(2), 1, AXES(1), position);
    assert_int_equal(y, again);
    assert_int_equal(tir_unary(b, TIR_EXP, x), tir_unary(b, TIR_EXP, x));
    assert_int_not_equal(tir_slice(b, x, 0, 0, 2), tir_slice(b, x, 0, 1, 2));
    assert_int_not_equal(tir_real(b, 0.0), tir_real(b, -0.0));
    assert_int_not_equal(tir_real(b, 1), tir_int(b, 1));
    const double data[2] = {1, 2};
    assert_int_equal(tir_table(b, TIR_REAL, 1, DIMS(2), data),
                     tir_table(b, TIR_REAL, 1, DIMS(2), (double[]){1, 2}));
    assert_int_equal(f->p->tables.count, 1);
    assert_int_not_equal(tir_take(b, x, 0, 2, (int32_t[]){3, 1}),
                         tir_take(b, x, 0, 2, (int32_t[]){3, 0}));
}

/* All values of `from`, by copying alone. */
static void copy_all(TirBuilder *to, const TirBlock *from, TirId *map) {
    for (TirId id = 1; id < from->nodes.count; id++) {
        const TirNode *node = tir_node(from, id);
        TirId operands[2];
        for (uint32_t k = 0; k < node->n_operands; k++)
            operands[k] = map[node->operands[k]];
        map[id] = tir_copy(to, from, id, operands);
        assert_int_not_equal(map[id], 0);
    }
}

static void test_copies(void **state) {
    Fixture *f = *state;
    TirBuilder *b = &f->b;
    const TirId x = input(f, position, 1, DIMS(4)), y = tir_unary(b, TIR_EXP, x);
    const TirId z = tir_binary(b, TIR_MUL, y, x), minus = tir_unary(b, TIR_NEG, z);
    TirProgram *p = tir_program_like(f->p);
    TirBuilder to = tir_builder(p, p->block);
    TirId map[16];
    copy_all(&to, b->block, map);
    assert_int_equal(p->block->nodes.count, b->block->nodes.count);
    assert_int_equal(tir_node(p->block, map[z])->operands[1], map[x]);
    /* They are found like values that were built, and once more copied they stay one. */
    assert_int_equal(tir_unary(&to, TIR_EXP, map[x]), map[y]);
    const TirId other = tir_unary(&to, TIR_SIN, map[x]);
    assert_int_equal(tir_copy(&to, b->block, z, (TirId[]){map[y], map[x]}), map[z]);
    assert_int_equal(p->block->nodes.count, b->block->nodes.count + 1);
    /* What reads anything else is not a copy: it may fold. */
    assert_int_equal(tir_copy(&to, b->block, z, (TirId[]){other, map[x]}), 0);
    assert_int_equal(tir_copy(&to, b->block, minus, (TirId[]){other}), 0);
    assert_null(tir_verify(p));
}

/* Bodies are compared by what they compute. */
static TirId count_up(Fixture *f, TirId start, double step) {
    TirBlock *body = tir_block_create(f->p);
    TirBuilder in = tir_builder_inner(&f->b, body);
    const TirId c = tir_arg(&in, tir_node(f->b.block, start)->type);
    tir_arg(&in, (TirType){.elem = TIR_INT});
    const TirId next = tir_binary(&in, TIR_ADD, c, tir_real(&in, step));
    vec_push(f->p->arena, &body->results, next);
    const TirId scan = tir_scan(&f->b, 3, false, body, 1, &start, 0, NULL, 0, NULL);
    return tir_result(&f->b, scan, 0);
}

static void test_equal_loops_are_one(void **state) {
    Fixture *f = *state;
    const TirId x = input(f, position, 1, DIMS(4));
    assert_int_equal(count_up(f, x, 2), count_up(f, x, 2));
    assert_int_not_equal(count_up(f, x, 2), count_up(f, x, 3));
}

static TirId turned_over(TirBuilder *b, TirId x) {
    return tir_unary(b, TIR_NEG, x);
}

static void test_folding(void **state) {
    Fixture *f = *state;
    TirBuilder *b = &f->b;
    const TirId x = input(f, position, 2, DIMS(2, 3)), s = param(f, 0, NULL);
    const TirId zero = tir_real(b, 0), one = tir_real(b, 1);
    const TirId zeros = tir_broadcast(b, zero, 2, DIMS(2, 3), NULL);
    assert_int_equal(tir_binary(b, TIR_ADD, x, zero), x);
    assert_int_equal(tir_binary(b, TIR_ADD, zeros, x), x);
    assert_int_equal(tir_binary(b, TIR_SUB, x, zero), x);
    assert_int_equal(tir_binary(b, TIR_MUL, one, x), x);
    assert_int_equal(tir_binary(b, TIR_DIV, x, one), x);
    assert_int_equal(tir_binary(b, TIR_MUL, x, zero), zeros);
    assert_int_equal(tir_binary(b, TIR_ADD, s, zeros), tir_broadcast(b, s, 2, DIMS(2, 3), NULL));
    assert_int_equal(tir_unary(b, TIR_NEG, tir_unary(b, TIR_NEG, x)), x);
    assert_int_equal(tir_binary(b, TIR_SUB, zero, x), tir_unary(b, TIR_NEG, x));
    assert_int_equal(tir_binary(b, TIR_POW, x, tir_real(b, 2)), tir_binary(b, TIR_MUL, x, x));
    assert_int_equal(tir_binary(b, TIR_MUL, tir_real(b, 3), tir_real(b, 4)), tir_real(b, 12));
    assert_int_equal(tir_select(b, tir_bool(b, true), x, zeros), x);
    assert_int_equal(tir_reshape(b, tir_reshape(b, x, 1, DIMS(6)), 2, DIMS(2, 3)), x);
    assert_int_equal(tir_slice(b, x, 1, 0, 3), x);
    assert_int_equal(tir_slice(b, tir_slice(b, x, 1, 1, 2), 1, 1, 1), tir_slice(b, x, 1, 2, 1));
    assert_int_equal(tir_take(b, x, 1, 2, (int32_t[]){1, 2}), tir_slice(b, x, 1, 1, 2));
    const TirId pair = tir_concat(b, 1, 2, (TirId[]){x, turned_over(b, x)});
    assert_int_equal(tir_slice(b, pair, 1, 0, 3), x); /* of parts, those it touches */
    assert_int_equal(tir_slice(b, pair, 1, 1, 2), tir_slice(b, x, 1, 1, 2));
    const TirId middle[] = {tir_slice(b, x, 1, 2, 1), tir_slice(b, turned_over(b, x), 1, 0, 1)};
    assert_int_equal(tir_slice(b, pair, 1, 2, 2), tir_concat(b, 1, 2, middle));
    const TirId all[] = {x, x, turned_over(b, x)}, nested[] = {x, pair};
    assert_int_equal(tir_concat(b, 1, 2, nested), tir_concat(b, 1, 3, all));
    const TirId turned = tir_broadcast(b, x, 2, DIMS(3, 2), AXES(1, 0));
    assert_int_equal(tir_broadcast(b, turned, 2, DIMS(2, 3), AXES(1, 0)), x);
    assert_int_equal(tir_position_sum(b, x, position), x);
    assert_int_equal(tir_shift(b, x, 0), x);
    const TirId rows = tir_reduce(b, TIR_REDUCE_SUM, x, 2);
    assert_int_equal(tir_reduce(b, TIR_REDUCE_SUM, rows, 1), tir_reduce(b, TIR_REDUCE_SUM, x, 3));
    assert_int_equal(tir_count(b, TIR_GLOBAL), one);
}

static void test_domain_sum_counts_what_is_missing(void **state) {
    Fixture *f = *state;
    TirBuilder *b = &f->b;
    const TirId s = param(f, 0, NULL);
    const TirId sum = tir_domain_sum(b, s, position, TIR_GLOBAL);
    assert_int_equal(sum, tir_binary(b, TIR_MUL, s, tir_count(b, position)));
    const TirId v = input(f, (TirDomain){1, 0}, 0, NULL);
    const TirId w = tir_domain_sum(b, v, position, (TirDomain){1, 0});
    assert_int_equal(w, tir_binary(b, TIR_MUL, v, tir_count(b, (TirDomain){0, 1})));
    assert_int_equal(tir_domain_sum(b, v, (TirDomain){1, 0}, TIR_GLOBAL),
                     tir_position_sum(b, v, TIR_GLOBAL));
}

static void test_dependence(void **state) {
    Fixture *f = *state;
    TirBuilder *b = &f->b;
    const TirId q = input(f, position, 2, DIMS(2, 3)), w = param(f, 2, DIMS(2, 3));
    const TirBlock *block = f->p->block;
    assert_int_equal(tir_node(block, tir_binary(b, TIR_MUL, q, w))->type.dependence,
                     TIR_DEPENDS_SELF);
    TirId o = tir_result(b, tir_attend(b, q, q, q, true, 1), 0);
    assert_int_equal(tir_node(block, o)->type.dependence, TIR_DEPENDS_PAST);
    o = tir_result(b, tir_attend(b, q, q, q, false, 1), 0);
    assert_int_equal(tir_node(block, o)->type.dependence, TIR_DEPENDS_ALL);
    assert_int_equal(tir_node(block, tir_shift(b, q, 1))->type.dependence, TIR_DEPENDS_PAST);
    assert_int_equal(tir_node(block, tir_shift(b, q, -1))->type.dependence, TIR_DEPENDS_ALL);
    const TirId pooled = tir_position_sum(b, q, (TirDomain){1, 0});
    assert_int_equal(tir_node(block, tir_binary(b, TIR_ADD, q, pooled))->type.dependence,
                     TIR_DEPENDS_ALL);
    const TirId dot = tir_contract(b, q, q, AXES(0, 1), AXES(0, 1), 0, NULL, TIR_GLOBAL);
    assert_int_equal(tir_node(block, dot)->type.dependence, TIR_DEPENDS_ALL);
}

typedef struct {
    jmp_buf back;
    TirOp op;
    char message[160];
} Caught;

static void catch_fault(void *context, TirOp op, Span span, const char *message) {
    Caught *caught = context;
    (void)span;
    caught->op = op;
    strncpy(caught->message, message, sizeof caught->message - 1);
    longjmp(caught->back, 1);
}

#define ASSERT_FAULT(f, expected, build)                                                           \
    do {                                                                                           \
        Caught caught = {.op = TIR_OP_COUNT};                                                      \
        (f)->p->on_fault = catch_fault;                                                            \
        (f)->p->fault_context = &caught;                                                           \
        if (!setjmp(caught.back)) {                                                                \
            (void)(build);                                                                         \
            fail_msg("no fault");                                                                  \
        }                                                                                          \
        assert_int_equal(caught.op, expected);                                                     \
        assert_true(caught.message[0]);                                                            \
    } while (0)

static void test_faults(void **state) {
    Fixture *f = *state;
    TirBuilder *b = &f->b;
    const TirId x = input(f, position, 2, DIMS(2, 3)), y = param(f, 1, DIMS(3));
    ASSERT_FAULT(f, TIR_ADD, tir_binary(b, TIR_ADD, x, y));
    ASSERT_FAULT(f, TIR_NOT, tir_unary(b, TIR_NOT, x));
    ASSERT_FAULT(f, TIR_EXP, tir_unary(b, TIR_EXP, 0));
    ASSERT_FAULT(f, TIR_EXP, tir_unary(b, TIR_EXP, 1000000));
    ASSERT_FAULT(f, TIR_BROADCAST, tir_broadcast(b, y, 2, DIMS(3, 2), AXES(1)));
    ASSERT_FAULT(f, TIR_SLICE, tir_slice(b, x, 1, 2, 2));
    ASSERT_FAULT(f, TIR_RESHAPE, tir_reshape(b, x, 1, DIMS(5)));
    ASSERT_FAULT(f, TIR_TAKE, tir_take(b, x, 1, 1, (int32_t[]){3}));
    ASSERT_FAULT(f, TIR_POSITION_SUM, tir_position_sum(b, y, position));
    ASSERT_FAULT(f, TIR_CONTRACT, tir_contract(b, x, y, AXES(0, 1), AXES(0), 1, AXES(1), position));
    ASSERT_FAULT(f, TIR_CONTRACT, tir_contract(b, x, y, AXES(0, 1), AXES(1), 1, AXES(2), position));
    ASSERT_FAULT(f, TIR_SHIFT, tir_shift(b, y, 1));
    ASSERT_FAULT(f, TIR_ATTEND, tir_attend(b, x, y, x, true, 1));
    ASSERT_FAULT(f, TIR_GATHER, tir_gather(b, x, y));
}

static void test_large_programs(void **state) {
    Fixture *f = *state;
    TirBuilder *b = &f->b;
    TirId x = input(f, position, 1, DIMS(4));
    for (uint32_t k = 0; k < 100000; k++)
        x = tir_unary(b, TIR_TANH, tir_binary(b, TIR_ADD, x, tir_real(b, 1 + k % 16)));
    assert_true(f->p->block->nodes.count > 199900);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_equal_nodes_are_one),
        CASE(test_copies),
        CASE(test_equal_loops_are_one),
        CASE(test_folding),
        CASE(test_domain_sum_counts_what_is_missing),
        CASE(test_dependence),
        CASE(test_faults),
        CASE(test_large_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
