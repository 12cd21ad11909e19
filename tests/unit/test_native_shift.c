/* Compiled shifts and windows against the interpreter: on a line and on a grid, of wide and of
 * small values, over several micro-tiles and tasks, with samples that end inside them. */
#define CASE_SAMPLES 3
#define CASE_POSITIONS 21
#define CASE_MOST_POSITIONS 28
#include "native_case.h"

enum { COLUMNS = 7 };

static TirId moved(Case *c, TirId x, int32_t rows, int32_t columns) {
    return tir_shift_by(&c->b, x, (int32_t[2]){rows, columns});
}

/* Widths on both sides of where features go along the lanes. */
static const uint32_t WIDTHS[] = {1, 3, 40};

static void test_line(void **state) {
    Case *c = *state;
    static const int32_t offsets[] = {1, 5, -2, 40};
    for (uint32_t w = 0; w < 3; w++)
        for (uint32_t k = 0; k < 4; k++) {
            case_begin(c);
            TirBuilder *b = &c->b;
            TirId x = tir_unary(b, TIR_SIN, mixed(c, 2, DIMS(2, WIDTHS[w])));
            TirId y = tir_shift(b, x, offsets[k]);
            native_check(c, tir_binary(b, TIR_MUL, tir_unary(b, TIR_COS, y), x));
        }
}

/* The same at every sample; a scalar; integers; a value that another shift moved. */
static void test_kinds(void **state) {
    Case *c = *state;
    case_begin(c);
    TirBuilder *b = &c->b;
    TirId shared =
        tir_binary(b, TIR_MUL, case_real(c, TIME, 1, DIMS(40)), case_real(c, GLOBAL, 1, DIMS(40)));
    TirId twice = tir_shift(b, tir_unary(b, TIR_SIN, tir_shift(b, shared, 2)), -1);
    native_check(c, tir_binary(b, TIR_MUL, twice, mixed(c, 1, DIMS(40))));
    case_begin(c);
    b = &c->b;
    TirId token = case_int(c, POSITION, 0, NULL, 9);
    TirId same = tir_binary(b, TIR_EQ, token, tir_shift(b, token, 1));
    TirId at = tir_unary(b, TIR_TO_REAL, tir_shift(b, tir_position(b, 1), 3));
    TirId x = tir_binary(b, TIR_ADD, mixed(c, 0, NULL), at);
    native_check(c, tir_select(b, same, tir_shift(b, x, 1), x));
}

/* What stands between a shift and memory is evaluated at the other position. */
static void test_views(void **state) {
    Case *c = *state;
    for (uint32_t w = 0; w < 3; w++) {
        uint32_t d = WIDTHS[w];
        case_begin(c);
        TirBuilder *b = &c->b;
        TirId x = mixed(c, 2, DIMS(3, d));
        TirId line = tir_reshape(b, tir_slice(b, x, 0, 1, 1), 1, DIMS(d));
        TirId y = tir_binary(b, TIR_MUL, line, case_real(c, GLOBAL, 1, DIMS(d)));
        TirId wide = tir_broadcast(b, tir_shift(b, y, 2), 2, DIMS(3, d), AXES(1));
        native_check(c, tir_binary(b, TIR_MUL, wide, tir_unary(b, TIR_SIN, x)));
    }
}

static TirId window(Case *c, TirId x, uint32_t rows, uint32_t columns) {
    uint32_t d = case_typeof(c, x)->dims[0], n = 0;
    TirId taps[64];
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t k = 0; k < columns; k++) {
            TirId tap = columns == 1 ? moved(c, x, (int32_t)(rows - 1 - r), 0)
                                     : moved(c, x, (int32_t)(rows / 2) - (int32_t)r,
                                             (int32_t)(columns / 2) - (int32_t)k);
            taps[n++] = tir_reshape(&c->b, tap, 2, DIMS(1, d));
        }
    return tir_concat(&c->b, 0, n, taps);
}

/* Depthwise: one weight a tap and feature. */
static void test_depthwise(void **state) {
    Case *c = *state;
    static const uint32_t sizes[][2] = {{4, 1}, {3, 3}, {5, 5}};
    for (uint32_t s = 0; s < 3; s++)
        for (uint32_t w = 0; w < 3; w++) {
            uint32_t d = WIDTHS[w], taps = sizes[s][0] * sizes[s][1];
            case_begin(c);
            if (s)
                case_grid(c, COLUMNS);
            TirBuilder *b = &c->b;
            TirId x = tir_unary(b, TIR_SIN, mixed(c, 1, DIMS(d)));
            TirId all = window(c, x, sizes[s][0], sizes[s][1]);
            TirId weight = case_real(c, GLOBAL, 2, DIMS(taps, d));
            TirId y = tir_contract(b, all, weight, AXES(0, 1), AXES(0, 1), 1, AXES(1), POSITION);
            native_check(c, tir_unary(b, TIR_TANH, y));
        }
}

/* A whole convolution: the window is stored and goes to a matrix product. */
static void test_convolution(void **state) {
    Case *c = *state;
    for (uint32_t grid = 0; grid < 2; grid++) {
        case_begin(c);
        if (grid)
            case_grid(c, COLUMNS);
        TirBuilder *b = &c->b;
        uint32_t d = 12, out = 40, taps = grid ? 9 : 3;
        TirId x = tir_unary(b, TIR_SIN, mixed(c, 1, DIMS(d)));
        TirId weight = case_real(c, GLOBAL, 3, DIMS(out, taps, d));
        TirId y = tir_contract(b, window(c, x, 3, grid ? 3 : 1), weight, AXES(0, 1), AXES(2, 0, 1),
                               1, AXES(2), POSITION);
        native_check(c, tir_unary(b, TIR_TANH, y));
    }
}

/* The shift of what is the same at every position is a question about the position. */
static void test_without_positions(void **state) {
    Case *c = *state;
    for (uint32_t grid = 0; grid < 2; grid++) {
        case_begin(c);
        if (grid)
            case_grid(c, COLUMNS);
        TirBuilder *b = &c->b;
        TirId x = mixed(c, 1, DIMS(3));
        TirId y = moved(c, x, 1, grid ? -2 : 0); /* its adjoint is a shifted parameter */
        native_check(c, tir_binary(b, TIR_MUL, y, case_real(c, GLOBAL, 1, DIMS(3))));
    }
}

int main(void) {
    hc_process_init();
    const struct CMUnitTest tests[] = {
        NATIVE_TEST(test_line),        NATIVE_TEST(test_kinds),
        NATIVE_TEST(test_views),       NATIVE_TEST(test_depthwise),
        NATIVE_TEST(test_convolution), NATIVE_TEST(test_without_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
