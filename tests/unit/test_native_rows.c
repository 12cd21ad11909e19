/* Compiled look-ups by indices of the run against the interpreter: tables of all domains by indices
 * of all domains, and their adjoints, which add into rows of the position, of the sample or of all.
 */
#define CASE_SAMPLES 3
#define CASE_POSITIONS 21
#define CASE_MOST_POSITIONS 28
#include "native_case.h"

/* Indices may be outside: such a row is zero, and nothing is added to it. */
static TirId some_index(Case *c, TirDomain domain, uint32_t rank, uint32_t extent, uint32_t rows) {
    TirId index = case_int(c, domain, rank, &extent, rows + 2);
    return tir_binary(&c->b, TIR_SUB, index, tir_int(&c->b, 1));
}

static void test_tables(void **state) {
    Case *c = *state;
    static const uint32_t widths[] = {2, 40};
    for (uint32_t d = 0; d < 16; d++)
        for (uint32_t w = 0; w < 2; w++) {
            case_begin(c);
            TirBuilder *b = &c->b;
            TirId table = varied(c, DOMAINS[d / 4], 2, DIMS(4, widths[w]));
            TirId index = some_index(c, DOMAINS[d % 4], (d + w) % 2, 3, 4);
            TirId x = tir_gather(b, table, index);
            TirId y = varied(c, POSITION, 1, DIMS(widths[w]));
            const TirType *t = case_typeof(c, x);
            y = tir_broadcast(b, y, t->rank, t->dims, AXES(t->rank - 1));
            native_check(c, tir_binary(b, TIR_MUL, x, y));
        }
}

/* Rows added up, as such and not as an adjoint. */
static void test_additions(void **state) {
    Case *c = *state;
    for (uint32_t d = 0; d < 16; d++)
        for (uint32_t to = 0; to < 4; to++) {
            TirDomain joined;
            tir_domain_join(DOMAINS[d / 4], DOMAINS[d % 4], &joined);
            if (!tir_domain_outer(DOMAINS[to], joined))
                continue;
            uint32_t width = (d + to) % 2 ? 3 : 40;
            case_begin(c);
            TirBuilder *b = &c->b;
            TirId index = some_index(c, DOMAINS[d / 4], 1, 3, 4);
            TirId g = varied(c, DOMAINS[d % 4], 2, DIMS(3, width));
            TirId sum = tir_scatter_add(b, index, g, 4, DOMAINS[to]);
            native_check(c, tir_unary(b, TIR_TANH, sum));
        }
}

/* H[k], k chosen at each position by what H holds there, and the rest by the others. */
static void test_choice(void **state) {
    Case *c = *state;
    static const uint32_t widths[] = {1, 3, 40, 70};
    for (uint32_t w = 0; w < 4; w++)
        for (uint32_t n = 4; n <= 20; n += 16) {
            case_begin(c);
            TirBuilder *b = &c->b;
            TirId h = varied(c, POSITION, 2, DIMS(n, widths[w]));
            TirId scores = tir_reduce(b, TIR_REDUCE_SUM, h, 2);
            TirId best = tir_reduce(b, TIR_ARGMAX, scores, 1);
            TirId chosen = tir_gather(b, h, best);
            TirId weight = tir_gather(b, tir_unary(b, TIR_SIGMOID, scores), best);
            TirId y = tir_binary(b, TIR_MUL, weight, tir_unary(b, TIR_TANH, chosen));
            TirId back = tir_scatter_add(b, best, y, n, POSITION);
            native_check(c, tir_binary(b, TIR_ADD, h, back));
        }
}

/* Patches: rows of a sample's image that a table by position names; and a matrix product of them.
 */
static void test_patches(void **state) {
    Case *c = *state;
    enum { PIXELS = 84, IN_PATCH = 4 };
    double where[CASE_MOST_POSITIONS * IN_PATCH];
    for (uint32_t k = 0; k < CASE_MOST_POSITIONS * IN_PATCH; k++)
        where[k] = k % PIXELS; /* the last positions do not run */
    for (uint32_t channels = 1; channels <= 12; channels += 11) {
        case_begin(c);
        TirBuilder *b = &c->b;
        TirId image = varied(c, SAMPLE, 2, DIMS(PIXELS, channels));
        TirId table = tir_table(b, TIR_INT, 2, DIMS(CASE_MOST_POSITIONS, IN_PATCH), where);
        TirId patch = tir_gather(b, image, tir_gather(b, table, tir_position(b, 1)));
        TirId weight = case_real(c, GLOBAL, 3, DIMS(40, IN_PATCH, channels));
        TirId y = tir_contract(b, patch, weight, AXES(0, 1), AXES(2, 0, 1), 1, AXES(2), POSITION);
        native_check(c, tir_unary(b, TIR_TANH, y));
    }
}

/* Many indices into a table of numbers, and marks for many indices. */
static void test_long_indices(void **state) {
    Case *c = *state;
    static const TirDomain domains[] = {{0, 0}, {1, 1}};
    for (uint32_t d = 0; d < 2; d++)
        for (uint32_t n = 5; n <= 50; n += 45) {
            case_begin(c);
            TirBuilder *b = &c->b;
            TirId table = varied(c, domains[d], 1, DIMS(6));
            TirId index = some_index(c, POSITION, 1, n, 6);
            TirId x = tir_gather(b, table, index);
            TirId marks = tir_onehot(b, index, n == 5 ? 6 : 35);
            TirId counted = tir_reduce(b, TIR_REDUCE_SUM, marks, 2);
            native_check(c, tir_binary(b, TIR_MUL, x, tir_binary(b, TIR_ADD, counted, x)));
        }
}

/* Within a loop: a position's own row at each trip. */
static void test_in_loops(void **state) {
    Case *c = *state;
    case_begin(c);
    TirBuilder *b = &c->b;
    TirId table = varied(c, POSITION, 2, DIMS(3, 2)), index = some_index(c, POSITION, 0, 0, 3);
    TirBlock *body = tir_block_create(c->p);
    TirBuilder in = tir_builder_inner(b, body);
    TirId x = tir_arg(&in, case_type(TIR_REAL, POSITION, 1, DIMS(2)));
    TirId inner = tir_arg(&in, *case_typeof(c, table));
    TirId at = tir_arg(&in, *case_typeof(c, index));
    TirId trip = tir_arg(&in, case_type(TIR_INT, GLOBAL, 0, NULL));
    TirId moving = tir_gather(&in, inner, tir_binary(&in, TIR_ADD, at, trip));
    TirId next = tir_unary(&in, TIR_SIN, tir_binary(&in, TIR_ADD, x, moving));
    vec_push(c->c->arena, &body->results, next);
    TirId start = varied(c, POSITION, 1, DIMS(2));
    TirId scan = tir_scan(b, 3, false, body, 1, &start, 2, (TirId[]){table, index}, 0, NULL);
    native_check(c, tir_result(b, scan, 0));
}

int main(void) {
    hc_process_init();
    const struct CMUnitTest tests[] = {
        NATIVE_TEST(test_tables),  NATIVE_TEST(test_additions),    NATIVE_TEST(test_choice),
        NATIVE_TEST(test_patches), NATIVE_TEST(test_long_indices), NATIVE_TEST(test_in_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
