/* Compiled code for values put together from pieces, against the interpreter: a list of states that
 * grows by one a site, read by sums with weights of all kinds; and what the plan makes of it. */
#define CASE_SAMPLES 2
#define CASE_POSITIONS 11
#define CASE_MOST_POSITIONS 16
#include "native_case.h"

#include "machine/limits.h"

static TirId as_row(Case *c, TirId x) {
    const TirType t = *case_typeof(c, x);
    uint32_t dims[TIR_MAX_RANK] = {1};
    for (uint32_t k = 0; k < t.rank; k++)
        dims[k + 1] = t.dims[k];
    return tir_reshape(&c->b, x, t.rank + 1, dims);
}

/* What a site reads of the states before it: fixed weights, weights by a product with a parameter,
 * by a product with the newest state; of the states as they are or scaled to equal size. */
typedef enum { READ_FIXED, READ_PARAMETER, READ_NEWEST, READ_SCALED, READ_KINDS } Read;

static TirId softmax(Case *c, TirId s) {
    TirBuilder *b = &c->b;
    const TirId e = tir_unary(b, TIR_EXP, s);
    return tir_binary(b, TIR_DIV, e, tir_reduce(b, TIR_REDUCE_SUM, e, 1));
}

static TirId read_all(Case *c, Read how, TirId all, TirId newest) {
    TirBuilder *b = &c->b;
    const TirType t = *case_typeof(c, all);
    const uint32_t n = t.dims[0], d = t.dims[1];
    if (how == READ_FIXED)
        return tir_contract(b, case_real(c, GLOBAL, 1, DIMS(n)), all, AXES(0), AXES(0, 1), 1,
                            AXES(1), POSITION);
    TirId keys = all, weights;
    if (how == READ_SCALED) {
        TirId square = tir_contract(b, all, all, AXES(0, 1), AXES(0, 1), 1, AXES(0), POSITION);
        TirId size = tir_unary(b, TIR_RSQRT, tir_binary(b, TIR_ADD, square, tir_real(b, 0.1)));
        keys = tir_binary(b, TIR_MUL, all, tir_broadcast(b, size, 2, t.dims, AXES(0)));
    }
    TirId query = how == READ_NEWEST ? newest : case_between(c, GLOBAL, 1, DIMS(d), -0.3, 0.3);
    weights = tir_contract(b, keys, query, AXES(0, 1), AXES(1), 1, AXES(0), POSITION);
    weights = softmax(c, tir_unary(b, TIR_TANH, weights));
    return tir_contract(b, weights, keys, AXES(0), AXES(0, 1), 1, AXES(1), POSITION);
}

/* `sites` sites; each reads the list and adds a state. Product: the states go through a weight. */
static TirId trunk(Case *c, Read how, uint32_t sites, uint32_t d, bool product) {
    TirBuilder *b = &c->b;
    TirId list[130], newest = varied(c, POSITION, 1, DIMS(d));
    const TirId w = product ? case_between(c, GLOBAL, 2, DIMS(d, d), -0.2, 0.2)
                            : case_real(c, GLOBAL, 1, DIMS(d));
    list[0] = as_row(c, newest);
    for (uint32_t k = 1; k <= sites; k++) {
        const TirId all = tir_concat(b, 0, k, list);
        const TirId read = read_all(c, how == READ_KINDS ? k % 4 : how, all, newest);
        newest = product ? tir_contract(b, w, read, AXES(0, 1), AXES(1), 1, AXES(0), POSITION)
                         : tir_binary(b, TIR_MUL, w, read);
        newest = tir_unary(b, TIR_TANH, tir_binary(b, TIR_ADD, newest, read));
        list[k] = as_row(c, newest);
    }
    return newest;
}

static void test_depth(void **state) {
    Case *c = *state;
    static const uint32_t widths[] = {3, 40};
    for (Read how = 0; how <= READ_KINDS; how++)
        for (uint32_t w = 0; w < 2; w++) {
            case_begin(c);
            native_check(c, trunk(c, how, 4, widths[w], w));
        }
}

/* As many as an implementation might unroll, and more. */
static void test_many(void **state) {
    Case *c = *state;
    static const uint32_t counts[] = {20, 40, 100};
    for (uint32_t k = 0; k < 3; k++) {
        case_begin(c);
        TirBuilder *b = &c->b;
        TirId list[100], x = varied(c, POSITION, 1, DIMS(33));
        for (uint32_t m = 0; m < counts[k]; m++)
            list[m] = as_row(c, tir_binary(b, TIR_MUL, x, tir_real(b, 1 + 0.01 * m)));
        TirId all = tir_concat(b, 0, counts[k], list);
        TirId read = read_all(c, READ_PARAMETER, all, 0);
        native_check(c, tir_binary(b, TIR_MUL, read, read_all(c, READ_FIXED, all, 0)));
    }
}

/* Pieces of several rows, a list of lists, other axes, and readers of a part of it. */
static void test_shapes(void **state) {
    Case *c = *state;
    case_begin(c);
    TirBuilder *b = &c->b;
    TirId x = varied(c, POSITION, 2, DIMS(3, 36)), y = varied(c, POSITION, 2, DIMS(2, 36));
    TirId both = tir_concat(b, 0, 2, (TirId[]){x, y});
    TirId all = tir_concat(b, 0, 2, (TirId[]){both, tir_unary(b, TIR_NEG, x)});
    TirId some = tir_slice(b, all, 0, 2, 4), a = case_real(c, GLOBAL, 1, DIMS(4));
    TirId read = tir_contract(b, a, some, AXES(0), AXES(0, 1), 1, AXES(1), POSITION);
    TirId most = tir_reduce(b, TIR_REDUCE_MAX, tir_binary(b, TIR_MUL, all, all), 1);
    native_check(c, tir_binary(b, TIR_ADD, read, most));
    case_begin(c);
    b = &c->b;
    x = varied(c, POSITION, 3, DIMS(2, 1, 34)), y = varied(c, POSITION, 3, DIMS(2, 2, 34));
    all = tir_unary(b, TIR_COS, tir_concat(b, 1, 2, (TirId[]){x, y}));
    a = case_real(c, GLOBAL, 2, DIMS(2, 3));
    read = tir_contract(b, a, all, AXES(0, 1), AXES(0, 1, 2), 1, AXES(2), POSITION);
    TirId flat = tir_reshape(b, all, 2, DIMS(6, 34));
    native_check(c, tir_binary(b, TIR_MUL, read, tir_reduce(b, TIR_REDUCE_SUM, flat, 1)));
}

/* States numbered by two axes, and what goes with each found by both numbers. */
static void test_axes(void **state) {
    Case *c = *state;
    case_begin(c);
    TirBuilder *b = &c->b;
    TirId list[6];
    for (uint32_t k = 0; k < 6; k++)
        list[k] = as_row(c, varied(c, POSITION, 1, DIMS(40)));
    TirId all = tir_reshape(b, tir_concat(b, 0, 6, list), 3, DIMS(2, 3, 40));
    TirId weights = case_real(c, GLOBAL, 3, DIMS(2, 3, 40)),
          a = case_real(c, GLOBAL, 2, DIMS(2, 3));
    TirId read = tir_contract(b, a, tir_binary(b, TIR_MUL, all, weights), AXES(0, 1), AXES(0, 1, 2),
                              1, AXES(2), POSITION);
    tir_add_output(c->p, TIR_OUT_LOSS, "loss", 0, case_weigh(c, read));
    pass_grad(c->p);
    TirProgram *whole = pass_canon(c->p), *cut = pass_pieces(whole, PLAN_PIECE_ELEMENTS);
    case_verify(cut, "after pieces");
    case_same_outputs(c, whole, cut, "pieces");
    assert_true(cut->block->nodes.count > whole->block->nodes.count);
}

/* A weight applied to every state: products of pieces; and one over all at once. */
static void test_products_of_pieces(void **state) {
    Case *c = *state;
    for (uint32_t at_once = 0; at_once < 2; at_once++) {
        case_begin(c);
        TirBuilder *b = &c->b;
        TirId list[3];
        for (uint32_t k = 0; k < 3; k++)
            list[k] = as_row(c, varied(c, POSITION, 1, DIMS(40)));
        TirId all = tir_concat(b, 0, 3, list);
        TirId w = case_real(c, GLOBAL, at_once ? 3 : 2, at_once ? DIMS(36, 3, 40) : DIMS(36, 40));
        TirId y = at_once
                      ? tir_contract(b, w, all, AXES(0, 1, 2), AXES(1, 2), 1, AXES(0), POSITION)
                      : tir_contract(b, w, all, AXES(0, 1), AXES(2, 1), 2, AXES(2, 0), POSITION);
        native_check(c, tir_unary(b, TIR_TANH, y));
    }
}

/* --- the plan ----------------------------------------------------------------------------------*/

typedef struct {
    uint64_t memory, moved, widest; /* elements per position, all of one size */
} Traffic;

static Traffic traffic(Case *c, uint32_t sites) {
    enum { D = 128 };
    case_begin(c);
    TirId last = trunk(c, READ_SCALED, sites, D, true);
    tir_add_output(c->p, TIR_OUT_LOSS, "loss", 0, case_weigh(c, last));
    pass_grad(c->p);
    TirProgram *p = pass_dce(pass_canon(pass_dce(c->p)));
    const CompileOptions options = {0};
    const Plan *plan = case_plan(c, p, &options);
    if (getenv("HCC_TEST_VERBOSE") && sites == 12)
        plan_print(plan, stderr);
    Traffic t = {.memory = plan->region_bytes[REGION_POSITION] / sizeof(float)};
    for (uint32_t g = 0; g < plan->groups.count; g++) {
        const Group *group = plan->groups.at[g];
        const TirIdVec *lists[2] = {&group->inputs, &group->outputs};
        for (uint32_t l = 0; l < 2; l++)
            for (uint32_t k = 0; k < lists[l]->count; k++) {
                const TirType *type = &tir_node(plan->program->block, lists[l]->at[k])->type;
                const uint64_t n = tir_element_count(type);
                if (!type->domain.space)
                    continue;
                t.moved += n;
                t.widest = l == 1 && n > t.widest ? n : t.widest;
            }
    }
    assert_int_equal(t.widest, D); /* no list in memory */
    return t;
}

/* Each site reads the states before it, once forward and about twice backward, and nothing more. */
static void test_traffic(void **state) {
    Case *c = *state;
    Traffic few = traffic(c, 12), many = traffic(c, 24);
    print_message("12 sites: %u elements, %u moved; 24 sites: %u, %u\n", (unsigned)few.memory,
                  (unsigned)few.moved, (unsigned)many.memory, (unsigned)many.moved);
    assert_true((double)many.memory < 2.3 * (double)few.memory);
    assert_true((double)many.moved < 4.2 * (double)few.moved);
}

int main(void) {
    hc_process_init();
    const struct CMUnitTest tests[] = {
        NATIVE_TEST(test_depth),  NATIVE_TEST(test_many),
        NATIVE_TEST(test_shapes), NATIVE_TEST(test_products_of_pieces),
        NATIVE_TEST(test_axes),   NATIVE_TEST(test_traffic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
