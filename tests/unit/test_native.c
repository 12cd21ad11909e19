/* Compiled code against the interpreter: programs whose extents sit on both sides of every decision
 * of fusion and lowering (features or positions in lanes, registers or scratch, unrolled or looped,
 * in the kernel or by BLAS), with loss and all gradients, in f64 and f32, fused and not. */
#include "native_case.h"
#include "runtime/run/rng.h"

static const uint32_t WIDTHS[] = {1, 3, 17, 64, 83};
#define EACH_WIDTH(w) for (uint32_t w##_ = 0, w; w##_ < 5 && (w = WIDTHS[w##_]); w##_++)

static void test_maps(void **state) {
    Case *c = *state;
    EACH_WIDTH(w) {
        case_begin(c);
        TirBuilder *b = &c->b;
        TirId x = mixed(c, 2, DIMS(3, w));
        TirId y = tir_unary(b, TIR_TANH, x);
        y = tir_binary(b, TIR_MUL, y, tir_unary(b, TIR_SIGMOID, x));
        y = tir_binary(b, TIR_ADD, y, tir_unary(b, TIR_ERF, x));
        y = tir_binary(b, TIR_ADD, y, tir_unary(b, TIR_EXP, tir_unary(b, TIR_SIN, x)));
        y = tir_binary(b, TIR_MAX, y, tir_unary(b, TIR_COS, x));
        TirId positive = tir_binary(b, TIR_ADD, tir_binary(b, TIR_MUL, x, x), tir_real(b, 0.5));
        y = tir_binary(b, TIR_DIV, y, tir_unary(b, TIR_SQRT, positive));
        y = tir_binary(b, TIR_MUL, y, tir_unary(b, TIR_RSQRT, positive));
        y = tir_binary(b, TIR_ADD, y, tir_unary(b, TIR_LOG, positive));
        native_check(c, y);
    }
}

/* RMS norm, softmax, logsumexp: reductions whose results come back to the features. */
static void test_norms(void **state) {
    Case *c = *state;
    EACH_WIDTH(w) {
        for (uint32_t rank = 1; rank <= 2; rank++) {
            case_begin(c);
            TirBuilder *b = &c->b;
            const uint32_t dims[2] = {rank == 1 ? w : 3, w};
            TirId x = mixed(c, rank, dims);
            uint32_t all = (1u << rank) - 1;
            TirId square = tir_reduce(b, TIR_REDUCE_SUM, tir_binary(b, TIR_MUL, x, x), all);
            TirId r = tir_unary(b, TIR_RSQRT, tir_binary(b, TIR_ADD, square, tir_real(b, 1)));
            TirId n = tir_binary(b, TIR_MUL, x, r);
            TirId last = 1u << (rank - 1);
            TirId top = tir_reduce(b, TIR_REDUCE_MAX, n, last);
            TirId spread = tir_broadcast(b, top, rank, dims, AXES(0));
            TirId e = tir_unary(b, TIR_EXP, tir_binary(b, TIR_SUB, n, spread));
            TirId sum = tir_reduce(b, TIR_REDUCE_SUM, e, last);
            TirId y = tir_binary(b, TIR_DIV, e, tir_broadcast(b, sum, rank, dims, AXES(0)));
            native_check(c, tir_binary(b, TIR_MUL, y, x));
        }
    }
}

/* Streams: read, write and mix with coefficients that depend on all of the state. */
static void test_streams(void **state) {
    Case *c = *state;
    static const uint32_t streams[] = {1, 4, 4, 17};
    for (uint32_t s = 0; s < 4; s++) {
        EACH_WIDTH(w) {
            uint32_t n = streams[s];
            if (n == 17 && w != 17 && w != 64)
                continue; /* they take long to compile */
            case_begin(c);
            TirBuilder *b = &c->b;
            TirId h = mixed(c, 2, DIMS(n, w)), y = mixed(c, 1, DIMS(w));
            /* once as a view of rows */
            TirId p = case_real(c, GLOBAL, s == 2 ? 2 : 3, s == 2 ? DIMS(n * n, w) : DIMS(n, n, w));
            p = tir_reshape(b, p, 3, DIMS(n, n, w));
            /* M[k,j] = tanh(sum[i?]...): a projection of stream j to n numbers */
            TirId z = tir_contract(b, p, h, AXES(0, 1, 2), AXES(1, 2), 2, AXES(0, 1), POSITION);
            TirId m = tir_unary(b, TIR_TANH, z);
            TirId mixed_h = tir_contract(b, m, h, AXES(0, 1), AXES(1, 2), 2, AXES(0, 2), POSITION);
            TirId a = case_real(c, GLOBAL, 1, DIMS(n));
            TirId u = tir_contract(b, a, mixed_h, AXES(0), AXES(0, 1), 1, AXES(1), POSITION);
            TirId write = tir_contract(b, a, y, AXES(0), AXES(1), 2, AXES(0, 1), POSITION);
            TirId next = tir_binary(b, TIR_ADD, mixed_h, write);
            TirId both = tir_binary(b, TIR_MUL, next, tir_broadcast(b, u, 2, DIMS(n, w), AXES(1)));
            native_check(c, both);
        }
    }
}

/* Products on either side of what BLAS takes, in and out of order. */
static void test_products(void **state) {
    Case *c = *state;
    static const uint32_t sizes[][2] = {{3, 5}, {40, 3}, {3, 40}, {40, 48}, {33, 70}, {130, 40}};
    for (uint32_t k = 0; k < 6; k++) {
        for (uint32_t turned = 0; turned < 2; turned++) {
            case_begin(c);
            TirBuilder *b = &c->b;
            uint32_t in = sizes[k][0], out = sizes[k][1];
            TirId x = tir_unary(b, TIR_SIN, mixed(c, 1, DIMS(in)));
            TirId w = case_real(c, GLOBAL, 2, turned ? DIMS(in, out) : DIMS(out, in));
            TirId y = tir_contract(b, w, x, turned ? AXES(1, 0) : AXES(0, 1), AXES(1), 1, AXES(0),
                                   POSITION);
            native_check(c, tir_unary(b, TIR_COS, y));
            /* heads: free axes apart, and a shared axis of rows */
            case_begin(c);
            b = &c->b;
            x = mixed(c, 2, DIMS(2, in));
            w = case_real(c, GLOBAL, 3, DIMS(out, 2, in));
            y = tir_contract(b, x, w, AXES(0, 1), AXES(2, 3, 1), 3,
                             turned ? AXES(2, 0, 3) : AXES(0, 2, 3), POSITION);
            native_check(c, y);
        }
    }
}

/* A product whose result is square and wanted the other way round than BLAS gives it: what forgets
 * to turn it back has the right type. */
static void test_square_products(void **state) {
    Case *c = *state;
    case_begin(c);
    TirBuilder *b = &c->b;
    TirId x = tir_unary(b, TIR_SIN, mixed(c, 2, DIMS(40, 48)));
    TirId w = case_real(c, GLOBAL, 2, DIMS(40, 48));
    TirId y = tir_contract(b, x, w, AXES(0, 1), AXES(2, 1), 2, AXES(2, 0), POSITION);
    TirId weight = case_real(c, GLOBAL, 2, DIMS(40, 40));
    native_check(c, tir_binary(b, TIR_MUL, tir_unary(b, TIR_COS, y), weight));
}

/* Sums of products into one memory, with each product's own weight. */
static void test_sum_of_products(void **state) {
    Case *c = *state;
    case_begin(c);
    TirBuilder *b = &c->b;
    TirId x = tir_unary(b, TIR_SIN, mixed(c, 1, DIMS(48))), sum = 0;
    for (uint32_t k = 0; k < 3; k++) {
        TirId w = case_real(c, GLOBAL, 2, DIMS(40, 48));
        TirId y = tir_contract(b, w, x, AXES(0, 1), AXES(1), 1, AXES(0), POSITION);
        sum = sum ? tir_binary(b, TIR_ADD, sum, y) : y;
    }
    native_check(c, tir_unary(b, TIR_TANH, sum));
}

static void test_views(void **state) {
    Case *c = *state;
    static const uint32_t widths[] = {4, 64, 96};
    for (uint32_t k = 0; k < 3; k++) {
        uint32_t w = widths[k];
        case_begin(c);
        TirBuilder *b = &c->b;
        TirId x = tir_unary(b, TIR_SIN, mixed(c, 2, DIMS(3, w)));
        TirId left = tir_slice(b, x, 1, 0, w / 2), right = tir_slice(b, x, 1, w / 2, w / 2);
        TirId turned = tir_concat(b, 1, 2, (TirId[]){tir_unary(b, TIR_NEG, right), left});
        TirId padded = tir_pad(b, tir_slice(b, x, 1, 1, w - 2), 1, 2, w + 5);
        TirId y = tir_binary(b, TIR_ADD, turned, tir_slice(b, padded, 1, 3, w));
        native_check(c, tir_binary(b, TIR_MUL, y, x));
        case_begin(c);
        b = &c->b;
        x = tir_unary(b, TIR_SIN, mixed(c, 1, DIMS(4 * w)));
        TirId parts = tir_reshape(b, x, 2, DIMS(4, w));
        TirId some = tir_take(b, parts, 0, 5, (int32_t[]){2, -1, 0, 2, 3});
        TirId m = case_real(c, GLOBAL, 2, DIMS(4, 5));
        TirId mix = tir_contract(b, m, some, AXES(0, 1), AXES(1, 2), 2, AXES(0, 2), POSITION);
        native_check(c, tir_binary(b, TIR_MUL, tir_reshape(b, mix, 1, DIMS(4 * w)), x));
        case_begin(c); /* a transpose, twice: diagonals and repeats */
        b = &c->b;
        x = tir_unary(b, TIR_SIN, mixed(c, 2, DIMS(3, w)));
        TirId t = tir_unary(b, TIR_COS, tir_broadcast(b, x, 2, DIMS(w, 3), AXES(1, 0)));
        native_check(c, tir_binary(b, TIR_MUL, tir_broadcast(b, t, 2, DIMS(3, w), AXES(1, 0)), x));
    }
}

/* A weight for each of a vector's parts: the reshape's source is no memory, but a repeated weight
 * times the parts, asked for inside loops and by vectors that cross from part to part. */
static void test_parts(void **state) {
    Case *c = *state;
    static const uint32_t shapes[][2] = {{2, 2}, {4, 3}, {3, 4}, {4, 32}, {3, 12}, {7, 9}, {16, 4}};
    for (uint32_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        const uint32_t m = shapes[k][0], e = shapes[k][1], d = m * e;
        for (uint32_t turned = 0; turned < 2; turned++) {
            case_begin(c);
            TirBuilder *b = &c->b;
            TirId x = mixed(c, 1, DIMS(d)), w = case_real(c, GLOBAL, 2, DIMS(d, d));
            TirId y = tir_contract(b, w, x, AXES(0, 1), AXES(1), 1, AXES(0), POSITION);
            TirId weight = case_real(c, GLOBAL, 1, DIMS(m));
            TirId parts = tir_reshape(b, tir_unary(b, TIR_TANH, y), 2, DIMS(m, e));
            TirId weights = tir_broadcast(b, weight, 2, DIMS(m, e), AXES(0));
            TirId u = tir_binary(b, TIR_MUL, weights, parts);
            if (turned) /* the parts' entries together: a permutation of the vector's */
                u = tir_broadcast(b, u, 2, DIMS(e, m), AXES(1, 0));
            u = tir_reshape(b, u, 1, DIMS(d));
            TirId alone = tir_reshape(b, weights, 1, DIMS(d)); /* the repeated weights themselves */
            u = tir_binary(b, TIR_ADD, u, tir_binary(b, TIR_MUL, alone, y));
            native_check(c, u);
        }
    }
}

/* A number as one entry of a vector: the gradient of what reads one entry often. */
static void test_entry_of_a_vector(void **state) {
    Case *c = *state;
    static const uint32_t widths[] = {16, 31, 32, 33, 64, 65, 129, 257};
    for (uint32_t k = 0; k < sizeof widths / sizeof *widths; k++)
        for (uint32_t at = 0; at < 9; at += 8) {
            case_begin(c);
            TirBuilder *b = &c->b;
            TirId x = tir_unary(b, TIR_SIN, mixed(c, 1, DIMS(widths[k])));
            TirId sum = tir_unary(b, TIR_NEG, tir_reduce(b, TIR_REDUCE_SUM, x, 1));
            TirId entry = tir_pad(b, tir_reshape(b, sum, 1, DIMS(1)), 0, at, widths[k]);
            native_check(c, tir_binary(b, TIR_ADD, entry, x));
        }
}

static void test_domains(void **state) {
    Case *c = *state;
    static const uint32_t widths[] = {3, 40};
    for (uint32_t k = 0; k < 2; k++) {
        uint32_t w = widths[k];
        for (uint32_t d = 0; d < 4; d++) {
            case_begin(c);
            TirBuilder *b = &c->b;
            TirId w0 = case_real(c, GLOBAL, 1, DIMS(w));
            TirId outer = tir_unary(
                b, TIR_SIN, tir_binary(b, TIR_MUL, w0, case_real(c, DOMAINS[d], 1, DIMS(w))));
            TirId x = tir_binary(b, TIR_MUL, outer, mixed(c, 1, DIMS(w)));
            TirId at = tir_unary(b, TIR_TO_REAL, tir_position(b, 1));
            x = tir_binary(b, TIR_MUL, x, tir_binary(b, TIR_ADD, at, tir_real(b, 1)));
            x = tir_binary(b, TIR_DIV, x, tir_count(b, POSITION));
            native_check(c, x);
        }
    }
}

static void test_rows(void **state) {
    Case *c = *state;
    static const uint32_t widths[] = {2, 40};
    for (uint32_t k = 0; k < 2; k++) {
        case_begin(c);
        TirBuilder *b = &c->b;
        TirId table = case_real(c, GLOBAL, 2, DIMS(9, widths[k]));
        TirId token = case_int(c, POSITION, 0, NULL, 9);
        TirId positions = case_real(c, GLOBAL, 2, DIMS(8, widths[k]));
        TirId x = tir_binary(b, TIR_ADD, tir_gather(b, table, token),
                             tir_gather(b, positions, tir_position(b, 1)));
        TirId logits = tir_contract(b, table, x, AXES(0, 1), AXES(1), 1, AXES(0), POSITION);
        TirId picked = tir_binary(b, TIR_MUL, logits, tir_onehot(b, token, 9));
        TirId first = tir_reduce(b, TIR_ARGMAX, tir_unary(b, TIR_SIN, x), 1);
        TirId where = tir_binary(b, TIR_MUL, tir_unary(b, TIR_TO_REAL, first), logits);
        native_check(c, tir_binary(b, TIR_ADD, where, tir_unary(b, TIR_SIN, picked)));
    }
}

/* Random numbers with elements in lanes and positions in lanes, in every domain; the gradient meets
 * the same ones. Evaluation drops nothing. */
static void test_random(void **state) {
    Case *c = *state;
    static const uint32_t widths[] = {3, 40};
    for (uint32_t k = 0; k < 2; k++) {
        for (uint32_t d = 0; d < 4; d++) {
            case_begin(c);
            uint32_t block[4];
            hc_rng_block(0, hc_rng_stream("hc.random"), 0, block); /* no hc_init, no step */
            c->random_key = (uint64_t)block[1] << 32 | block[0];
            TirBuilder *b = &c->b;
            TirId x = mixed(c, 2, DIMS(2, widths[k]));
            TirType type = *case_typeof(c, x);
            type.domain = DOMAINS[d];
            TirId call = tir_table(b, TIR_INT, 0, NULL, (double[]){41});
            TirId u = tir_random(b, call, type);
            TirId rate = tir_binary(b, TIR_MUL, tir_training(b), tir_real(b, 0.4));
            TirId kept = tir_binary(b, TIR_LE, rate, u);
            TirId y = tir_select(b, kept, tir_binary(b, TIR_MUL, x, u), tir_real(b, 0));
            native_check(c, tir_unary(b, TIR_SIN, y));
        }
    }
}

/* Sinkhorn-like scaling: carried, invariant and stacked values. */
/* More axes than an access has elsewhere: a loop for each, and those for rows and tiles. */
static void test_many_axes(void **state) {
    Case *c = *state;
    case_begin(c);
    TirBuilder *b = &c->b;
    TirId x = varied(c, POSITION, 5, DIMS(2, 3, 2, 2, 32));
    native_check(c, tir_reduce(b, TIR_REDUCE_SUM, x, 0x1f));
    case_begin(c);
    b = &c->b;
    x = varied(c, POSITION, 8, DIMS(2, 3, 2, 1, 2, 2, 2, 33));
    TirId w = case_real(c, GLOBAL, 8, DIMS(2, 3, 2, 1, 2, 2, 2, 33));
    native_check(c, tir_reduce(b, TIR_REDUCE_SUM, tir_binary(b, TIR_MUL, x, w), 0xff));
}

/* The same work on what a caller gave and on what was computed: rows of the former end with the
 * last position, those of the latter are filled up. */
static void test_inputs_and_values(void **state) {
    Case *c = *state;
    case_begin(c);
    TirBuilder *b = &c->b;
    TirId x = case_real(c, POSITION, 1, DIMS(128)), z = case_real(c, POSITION, 1, DIMS(128));
    TirId w[3];
    for (uint32_t k = 0; k < 3; k++)
        w[k] = case_real(c, GLOBAL, 2, DIMS(128, 128));
    TirId left = x, right = z;
    for (uint32_t k = 0; k < 3; k++) {
        TirId y = tir_binary(b, TIR_MUL, tir_unary(b, TIR_TANH, left), right);
        right = tir_contract(b, w[k], y, AXES(0, 1), AXES(1), 1, AXES(0), POSITION);
        left = k == 0 ? right : z;
    }
    native_check(c, right);
}

static void test_scan(void **state) {
    Case *c = *state;
    for (uint32_t n = 1; n <= 7; n += 3) {
        case_begin(c);
        TirBuilder *b = &c->b;
        TirId k = tir_unary(b, TIR_EXP, mixed(c, 2, DIMS(n, n)));
        TirId one = tir_broadcast(b, tir_real(b, 1), 1, DIMS(n), NULL);
        TirBlock *body = tir_block_create(c->p);
        TirBuilder in = tir_builder_inner(b, body);
        TirType line = case_type(TIR_REAL, POSITION, 1, DIMS(n));
        TirId u = tir_arg(&in, line);
        TirId m = tir_arg(&in, *case_typeof(c, k));
        (void)tir_arg(&in, case_type(TIR_INT, GLOBAL, 0, NULL));
        TirId v = tir_binary(&in, TIR_DIV, tir_real(&in, 1),
                             tir_contract(&in, u, m, AXES(0), AXES(0, 1), 1, AXES(1), POSITION));
        TirId next = tir_binary(&in, TIR_DIV, tir_real(&in, 1),
                                tir_contract(&in, m, v, AXES(0, 1), AXES(1), 1, AXES(0), POSITION));
        vec_push(c->c->arena, &body->results, next);
        TirId start = tir_binary(b, TIR_MUL, one, case_between(c, POSITION, 1, DIMS(n), 0.5, 1.5));
        TirId scan = tir_scan(b, 4, false, body, 1, &start, 1, &k, 0, NULL);
        /* A gain on all of it: its gradient is a long sum that reads the loop's results. */
        TirId last = tir_broadcast(b, tir_result(b, scan, 0), 2, DIMS(n, n), AXES(0));
        TirId gain = case_real(c, GLOBAL, 0, NULL);
        native_check(c, tir_binary(b, TIR_MUL, gain, tir_binary(b, TIR_MUL, last, k)));
    }
}

/* A loop makes a small map, which then mixes wide streams: lanes hold positions there and features
 * here. The loop reads a table, too. */
static void test_scan_mixes(void **state) {
    Case *c = *state;
    for (uint32_t n = 2; n <= 4; n += 2) {
        case_begin(c);
        TirBuilder *b = &c->b;
        const double table[16] = {0.5, -1, 0.25, 2, 1, 0.75, -0.5, 1.5, 0.1, 0.2, -0.3, 1};
        TirId start = case_between(c, POSITION, 2, DIMS(n, n), 0.5, 1.5);
        TirId streams = mixed(c, 2, DIMS(n, 32));
        TirBlock *body = tir_block_create(c->p);
        TirBuilder in = tir_builder_inner(b, body);
        TirId m = tir_arg(&in, *case_typeof(c, start));
        (void)tir_arg(&in, case_type(TIR_INT, GLOBAL, 0, NULL));
        TirId fixed = tir_table(&in, TIR_REAL, 2, DIMS(n, n), table);
        TirId product =
            tir_contract(&in, m, fixed, AXES(0, 1), AXES(1, 2), 2, AXES(0, 2), POSITION);
        vec_push(c->c->arena, &body->results, tir_unary(&in, TIR_TANH, product));
        TirId map = tir_result(b, tir_scan(b, 3, false, body, 1, &start, 0, NULL, 0, NULL), 0);
        native_check(
            c, tir_contract(b, map, streams, AXES(0, 1), AXES(1, 2), 2, AXES(0, 2), POSITION));
    }
}

/* Learned queries, keys that are the same at every sample, values of the sample. */
static void test_attend_across_domains(void **state) {
    Case *c = *state;
    for (uint32_t d = 0; d < 4; d++) {
        case_begin(c);
        TirBuilder *b = &c->b;
        TirId q = case_real(c, GLOBAL, 2, DIMS(4, 8)), k = mixed_in(c, DOMAINS[d], 2, DIMS(2, 8));
        TirId v = mixed_in(c, d == 3 ? TIME : POSITION, 2, DIMS(2, 5));
        TirId o = tir_result(b, tir_attend(b, q, k, v, d % 2, 0.4), 0);
        native_check(c, tir_unary(b, TIR_SIN, o));
    }
}

static void test_attend(void **state) {
    Case *c = *state;
    for (uint32_t causal = 0; causal < 2; causal++) {
        case_begin(c);
        TirBuilder *b = &c->b;
        TirId q = mixed(c, 2, DIMS(4, 8)), k = mixed(c, 2, DIMS(2, 8)), v = mixed(c, 2, DIMS(2, 5));
        TirId o = tir_result(b, tir_attend(b, q, k, v, causal, 0.4), 0);
        native_check(c, tir_unary(b, TIR_SIN, o));
    }
}

int main(void) {
    hc_process_init();
    const struct CMUnitTest tests[] = {
        NATIVE_TEST(test_maps),
        NATIVE_TEST(test_norms),
        NATIVE_TEST(test_streams),
        NATIVE_TEST(test_products),
        NATIVE_TEST(test_square_products),
        NATIVE_TEST(test_sum_of_products),
        NATIVE_TEST(test_views),
        NATIVE_TEST(test_parts),
        NATIVE_TEST(test_entry_of_a_vector),
        NATIVE_TEST(test_domains),
        NATIVE_TEST(test_rows),
        NATIVE_TEST(test_random),
        NATIVE_TEST(test_many_axes),
        NATIVE_TEST(test_inputs_and_values),
        NATIVE_TEST(test_scan),
        NATIVE_TEST(test_scan_mixes),
        NATIVE_TEST(test_attend),
        NATIVE_TEST(test_attend_across_domains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
