/* Compiled recurrences over positions against the interpreter: of every number of vectors and of
 * parts of one, in every pair of domains, forwards and from the end, twice in a row. */
#define CASE_SAMPLES 3
#define CASE_POSITIONS 21
#define CASE_MOST_POSITIONS 21
#include "native_case.h"

/* On both sides of a vector, of what is held in registers, and of a task. */
static const uint32_t WIDTHS[] = {3, 31, 33, 65, 129, 257};
enum { N_WIDTHS = sizeof WIDTHS / sizeof *WIDTHS };

static TirId factor(Case *c, TirDomain domain, uint32_t rank, const uint32_t *dims) {
    return tir_unary(&c->b, TIR_SIGMOID, mixed_in(c, domain, rank, dims));
}

static void test_widths(void **state) {
    Case *c = *state;
    for (uint32_t k = 0; k < N_WIDTHS; k++) {
        const uint32_t *dims = DIMS(WIDTHS[k]);
        const bool reverse = k & 1, single = k % 4 == 3;
        case_begin(c);
        TirBuilder *b = &c->b;
        const TirId f = factor(c, POSITION, single ? 0 : 1, dims);
        const TirId m = tir_recur(b, f, varied(c, POSITION, 1, dims), reverse);
        native_check(c, tir_binary(b, TIR_MUL, m, tir_recur(b, f, m, !reverse)));
    }
}

static void test_domains(void **state) {
    Case *c = *state;
    static const TirDomain domains[][2] = {{{0, 1}, {1, 1}}, {{0, 0}, {1, 1}}, {{1, 0}, {0, 1}},
                                           {{1, 1}, {0, 0}}, {{0, 1}, {0, 1}}, {{1, 1}, {1, 0}}};
    for (uint32_t k = 0; k < 6; k++) {
        const bool reverse = k & 1, single = k % 3 == 1;
        case_begin(c);
        const TirId f = factor(c, domains[k][0], single ? 0 : 2, DIMS(2, 20));
        const TirId u = varied(c, domains[k][1], 2, DIMS(2, 20));
        native_check(c, tir_unary(&c->b, TIR_TANH, tir_recur(&c->b, f, u, reverse)));
    }
}

/* Sums over what came before, and of what is the same everywhere; leaves as they are. */
static void test_constants(void **state) {
    Case *c = *state;
    for (uint32_t k = 0; k < 2; k++) {
        case_begin(c);
        TirBuilder *b = &c->b;
        const TirId u = k ? case_real(c, POSITION, 1, DIMS(33))
                          : tir_broadcast(b, tir_real(b, 0.25), 1, DIMS(33), NULL);
        const TirId f = k ? tir_real(b, 0.9) : case_real(c, TIME, 1, DIMS(33));
        const TirId at = tir_at_positions(b, u, 1);
        native_check(c, tir_binary(b, TIR_MUL, tir_recur(b, f, at, false), mixed(c, 1, DIMS(33))));
    }
}

int main(void) {
    hc_process_init();
    const struct CMUnitTest tests[] = {
        NATIVE_TEST(test_widths),
        NATIVE_TEST(test_domains),
        NATIVE_TEST(test_constants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
