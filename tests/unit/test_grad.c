/* Every op's derivative against finite differences in f64, over shapes and domains. The table is
 * made from tir_ops.def: an op without a case does not link. */
#include "tir_case.h"

typedef void CaseFunction(Case *c);
#define OP(ident, ...) static CaseFunction tir_case_##ident;
#include "tir/tir_ops.def"

/* --- leaves ------------------------------------------------------------------------------------*/

static void tir_case_PARAM(Case *c) {
    case_begin(c);
    case_check(c, case_real(c, GLOBAL, 2, DIMS(2, 3)));
}

static void tir_case_INPUT(Case *c) {
    for (uint32_t d = 1; d < 4; d++) {
        case_begin(c);
        case_check(c, case_real(c, DOMAINS[d], 1, DIMS(3)));
    }
}

static void tir_case_CONST(Case *c) {
    case_begin(c);
    case_check(
        c, tir_binary(&c->b, TIR_MUL, case_real(c, POSITION, 1, DIMS(2)), tir_real(&c->b, 1.25)));
}

static void tir_case_TABLE(Case *c) {
    case_begin(c);
    const TirId table = tir_table(&c->b, TIR_REAL, 2, DIMS(2, 2), (double[]){1, -2, 3.5, 1e-9});
    case_check(c, tir_binary(&c->b, TIR_MUL, case_real(c, POSITION, 2, DIMS(2, 2)), table));
}

static void tir_case_POSITION(Case *c) {
    case_begin(c);
    const TirId at = tir_unary(&c->b, TIR_TO_REAL, tir_position(&c->b, 1));
    case_expect(c, at, 3, (double[]){0, 1, 2});
    case_check(c, tir_binary(&c->b, TIR_MUL, case_real(c, GLOBAL, 1, DIMS(2)), at));
}

static void tir_case_COUNT(Case *c) {
    case_begin(c);
    case_expect(c, tir_count(&c->b, POSITION), 1, (double[]){6});
    case_expect(c, tir_count(&c->b, SAMPLE), 1, (double[]){2});
    case_expect(c, tir_count(&c->b, TIME), 1, (double[]){3});
    case_check(
        c, tir_binary(&c->b, TIR_DIV, case_real(c, POSITION, 0, NULL), tir_count(&c->b, POSITION)));
}

static void tir_case_STEP(Case *c) {
    case_begin(c);
    const TirId step = tir_step(&c->b);
    case_expect(c, step, 1, (double[]){CASE_STEP});
    case_check(c, tir_binary(&c->b, TIR_MUL, case_real(c, POSITION, 1, DIMS(3)), step));
}

static void tir_case_STEPS(Case *c) {
    case_begin(c);
    const TirId steps = tir_steps(&c->b);
    case_expect(c, steps, 1, (double[]){CASE_STEPS});
    case_check(c, tir_binary(&c->b, TIR_DIV, case_real(c, POSITION, 1, DIMS(3)), steps));
}

static void tir_case_TRAINING(Case *c) {
    case_begin(c);
    const TirId training = tir_training(&c->b);
    case_expect(c, training, 1, (double[]){1});
    case_check(c, tir_binary(&c->b, TIR_MUL, case_real(c, POSITION, 1, DIMS(3)), training));
}

/* Dropout: what is dropped is no function of what it is dropped from. */
static void tir_case_RANDOM(Case *c) {
    for (uint32_t d = 0; d < 4; d++) {
        case_begin(c);
        c->random_key = 0x0123456789abcdefu;
        const TirId x = case_real(c, DOMAINS[d], 2, DIMS(2, 5));
        const TirId call = tir_table(&c->b, TIR_INT, 0, NULL, (double[]){7});
        const TirId u = tir_random(&c->b, call, *case_typeof(c, x));
        const TirId kept = tir_binary(&c->b, TIR_LT, u, tir_real(&c->b, 0.6));
        const TirId y = tir_binary(&c->b, TIR_ADD, x, tir_binary(&c->b, TIR_MUL, x, u));
        case_check(c, tir_select(&c->b, kept, y, tir_real(&c->b, 0)));
    }
}

/* --- maps --------------------------------------------------------------------------------------*/

static void each_unary(Case *c, TirOp op, double low, double high) {
    static const uint32_t dims[2] = {2, 3};
    for (uint32_t d = 0; d < 4; d++)
        for (uint32_t rank = 0; rank < 3; rank++) {
            case_begin(c);
            case_check(c, tir_unary(&c->b, op, case_between(c, DOMAINS[d], rank, dims, low, high)));
        }
}

#define UNARY_CASE(ident, low, high)                                                               \
    static void tir_case_##ident(Case *c) {                                                        \
        each_unary(c, TIR_##ident, low, high);                                                     \
    }
UNARY_CASE(NEG, -1, 1)
UNARY_CASE(EXP, -1, 1)
UNARY_CASE(LOG, 0.5, 2)
UNARY_CASE(SQRT, 0.5, 2)
UNARY_CASE(RSQRT, 0.5, 2)
UNARY_CASE(TANH, -2, 2)
UNARY_CASE(SIGMOID, -3, 3)
UNARY_CASE(ERF, -2, 2)
UNARY_CASE(SIN, -3, 3)
UNARY_CASE(COS, -3, 3)

static void tir_case_ABS(Case *c) {
    each_unary(c, TIR_ABS, 0.1, 1);
    each_unary(c, TIR_ABS, -1, -0.1);
}

/* No gradient: y = x * f(x) with f a constant as far as the derivative knows. */
static void tir_case_FLOOR(Case *c) {
    case_begin(c);
    const TirId x = case_between(c, POSITION, 1, DIMS(3), 1.1, 1.9);
    case_check(c, tir_binary(&c->b, TIR_MUL, x, tir_unary(&c->b, TIR_FLOOR, x)));
}

static void tir_case_NOT(Case *c) {
    case_begin(c);
    const TirId x = case_between(c, POSITION, 1, DIMS(3), 0.1, 1);
    const TirId negative = tir_binary(&c->b, TIR_LT, x, tir_real(&c->b, 0));
    case_check(c, tir_select(&c->b, tir_unary(&c->b, TIR_NOT, negative), x, tir_real(&c->b, 5)));
}

static void tir_case_TO_REAL(Case *c) {
    case_begin(c);
    const TirId n = tir_unary(&c->b, TIR_TO_REAL, case_int(c, POSITION, 1, DIMS(3), 5));
    const TirId x = case_real(c, GLOBAL, 1, DIMS(3));
    const TirId flag =
        tir_unary(&c->b, TIR_TO_REAL, tir_binary(&c->b, TIR_LT, n, tir_real(&c->b, 2)));
    case_check(c, tir_binary(&c->b, TIR_MUL, x, tir_binary(&c->b, TIR_ADD, n, flag)));
}

static void tir_case_STOP_GRADIENT(Case *c) {
    case_begin(c);
    const TirId x = case_real(c, POSITION, 1, DIMS(3)), w = case_real(c, GLOBAL, 1, DIMS(3));
    const TirId y = tir_binary(&c->b, TIR_MUL, x, tir_unary(&c->b, TIR_STOP_GRADIENT, w));
    TirId gradients[2];
    pass_vjp(&c->b, case_weigh(c, y), tir_real(&c->b, 1), 2, (TirId[]){x, w}, gradients);
    assert_int_not_equal(gradients[0], 0);
    assert_int_equal(gradients[1], 0);
}

/* Every pair of domains; equal shapes, and a rank-0 operand on either side. */
static void each_binary(Case *c, TirOp op, double low, double high) {
    static const uint8_t ranks[4][2] = {{2, 2}, {0, 2}, {2, 0}, {0, 0}};
    for (uint32_t d = 0; d < 16; d++)
        for (uint32_t r = 0; r < 4; r++) {
            case_begin(c);
            const TirId x = case_between(c, DOMAINS[d / 4], ranks[r][0], DIMS(2, 3), low, high);
            const TirId y = case_between(c, DOMAINS[d % 4], ranks[r][1], DIMS(2, 3), low, high);
            case_check(c, tir_binary(&c->b, op, x, y));
        }
    case_begin(c);
    const TirId x = case_between(c, POSITION, 1, DIMS(3), low, high);
    case_check(c, tir_binary(&c->b, op, x, x));
}

#define BINARY_CASE(ident, low, high)                                                              \
    static void tir_case_##ident(Case *c) {                                                        \
        each_binary(c, TIR_##ident, low, high);                                                    \
    }
BINARY_CASE(ADD, -1, 1)
BINARY_CASE(SUB, -1, 1)
BINARY_CASE(MUL, -1, 1)
BINARY_CASE(DIV, 0.5, 1.5)

static void tir_case_POW(Case *c) {
    static const double exponents[] = {-1, -0.5, 0, 0.5, 1, 2, 3, 4, 1.7};
    each_binary(c, TIR_POW, 0.5, 1.5);
    for (uint32_t k = 0; k < sizeof exponents / sizeof *exponents; k++) {
        case_begin(c);
        const TirId x = case_between(c, POSITION, 1, DIMS(3), 0.5, 1.5);
        case_check(c, tir_binary(&c->b, TIR_POW, x, tir_real(&c->b, exponents[k])));
    }
}

/* Operands apart from each other, so that differences do not step over the kink. */
static void each_choice(Case *c, TirOp op) {
    for (uint32_t d = 0; d < 16; d++)
        for (uint32_t r = 0; r < 2; r++) {
            case_begin(c);
            const TirId x = case_between(c, DOMAINS[d / 4], r ? 0 : 2, DIMS(2, 3), r ? 0 : -1, 0.4);
            const TirId y = case_between(c, DOMAINS[d % 4], 2, DIMS(2, 3), 0.5, 1);
            case_check(c, d % 3 ? tir_binary(&c->b, op, x, y) : tir_binary(&c->b, op, y, x));
        }
    /* On a tie the first operand gets it all. */
    case_begin(c);
    TirId both[2], g[2];
    for (uint32_t k = 0; k < 2; k++) {
        both[k] = case_real(c, GLOBAL, 1, DIMS(2));
        c->leaf_data[k][0] = c->leaf_data[k][1] = 0.25;
    }
    const TirId y = tir_reduce(&c->b, TIR_REDUCE_SUM, tir_binary(&c->b, op, both[0], both[1]), 1);
    pass_vjp(&c->b, y, tir_real(&c->b, 3), 2, both, g);
    case_expect(c, g[0], 2, (double[]){3, 3});
    case_expect(c, g[1], 2, (double[]){0, 0});
}

static void tir_case_MIN(Case *c) {
    each_choice(c, TIR_MIN);
}
static void tir_case_MAX(Case *c) {
    each_choice(c, TIR_MAX);
}

static void each_comparison(Case *c, TirOp op) {
    case_begin(c);
    TirBuilder *b = &c->b;
    const TirId x = case_real(c, POSITION, 1, DIMS(4)), w = case_real(c, GLOBAL, 1, DIMS(4));
    const TirId n = case_int(c, POSITION, 1, DIMS(4), 3);
    case_check(c, tir_select(b, tir_binary(b, op, n, tir_int(b, 1)), x, w));
    case_begin(c);
    const TirId y = case_between(c, POSITION, 1, DIMS(4), 0.1, 1);
    case_check(c, tir_select(b, tir_binary(b, op, y, tir_real(b, 0)), y, tir_real(b, 7)));
}

static void tir_case_LT(Case *c) {
    each_comparison(c, TIR_LT);
}
static void tir_case_LE(Case *c) {
    each_comparison(c, TIR_LE);
}
static void tir_case_EQ(Case *c) {
    each_comparison(c, TIR_EQ);
}

static void each_connective(Case *c, TirOp op) {
    case_begin(c);
    TirBuilder *b = &c->b;
    const TirId x = case_real(c, POSITION, 1, DIMS(4)), w = case_real(c, GLOBAL, 0, NULL);
    const TirId n = case_int(c, POSITION, 1, DIMS(4), 3);
    const TirId p = tir_binary(b, TIR_LT, n, tir_int(b, 2)),
                q = tir_binary(b, TIR_EQ, n, tir_int(b, 1));
    case_check(c, tir_select(b, tir_binary(b, op, p, q), x, w));
}

static void tir_case_AND(Case *c) {
    each_connective(c, TIR_AND);
}
static void tir_case_OR(Case *c) {
    each_connective(c, TIR_OR);
}

static void tir_case_SELECT(Case *c) {
    for (uint32_t d = 0; d < 16; d++)
        for (uint32_t r = 0; r < 4; r++) {
            case_begin(c);
            TirBuilder *b = &c->b;
            const TirId x = case_real(c, DOMAINS[d / 4], r & 1 ? 0 : 1, DIMS(3));
            const TirId y = case_real(c, DOMAINS[d % 4], r & 2 ? 0 : 1, DIMS(3));
            const TirId n = case_int(c, d & 1 ? POSITION : TIME, r == 3 ? 1 : 0, DIMS(3), 2);
            case_check(c, tir_select(b, tir_binary(b, TIR_EQ, n, tir_int(b, 0)), x, y));
        }
}

/* --- views -------------------------------------------------------------------------------------*/

static void tir_case_BROADCAST(Case *c) {
    for (uint32_t d = 0; d < 4; d++) {
        TirBuilder *b = &c->b;
        case_begin(c); /* repeat on both sides */
        case_check(
            c, tir_broadcast(b, case_real(c, DOMAINS[d], 1, DIMS(3)), 3, DIMS(2, 3, 4), AXES(1)));
        case_begin(c); /* transpose and repeat */
        case_check(c, tir_broadcast(b, case_real(c, DOMAINS[d], 2, DIMS(2, 3)), 3, DIMS(3, 4, 2),
                                    AXES(2, 0)));
        case_begin(c); /* a scalar */
        case_check(c, tir_broadcast(b, case_real(c, DOMAINS[d], 0, NULL), 2, DIMS(3, 4), NULL));
        case_begin(c); /* the diagonal */
        case_check(
            c, tir_broadcast(b, case_real(c, DOMAINS[d], 2, DIMS(3, 3)), 1, DIMS(3), AXES(0, 0)));
        case_begin(c); /* a diagonal among others, repeated */
        case_check(c, tir_broadcast(b, case_real(c, DOMAINS[d], 4, DIMS(2, 3, 3, 3)), 3,
                                    DIMS(3, 4, 2), AXES(2, 0, 0, 0)));
    }
    case_begin(c);
    const TirId m = tir_table(&c->b, TIR_REAL, 2, DIMS(2, 2), (double[]){1, 2, 3, 4});
    case_expect(c, tir_broadcast(&c->b, m, 1, DIMS(2), AXES(0, 0)), 2, (double[]){1, 4});
    case_expect(c, tir_broadcast(&c->b, m, 2, DIMS(2, 2), AXES(1, 0)), 4, (double[]){1, 3, 2, 4});
}

static void tir_case_SLICE(Case *c) {
    for (uint32_t d = 0; d < 4; d++)
        for (uint32_t axis = 0; axis < 2; axis++) {
            case_begin(c);
            case_check(c, tir_slice(&c->b, case_real(c, DOMAINS[d], 2, DIMS(4, 4)), axis, 1, 2));
        }
}

static void tir_case_PAD(Case *c) {
    for (uint32_t d = 0; d < 4; d++)
        for (uint32_t axis = 0; axis < 2; axis++) {
            case_begin(c);
            case_check(c, tir_pad(&c->b, case_real(c, DOMAINS[d], 2, DIMS(2, 2)), axis, 1, 4));
        }
    case_begin(c);
    const TirId t = tir_table(&c->b, TIR_REAL, 1, DIMS(2), (double[]){5, 6});
    case_expect(c, tir_pad(&c->b, t, 0, 1, 4), 4, (double[]){0, 5, 6, 0});
}

static void tir_case_RESHAPE(Case *c) {
    for (uint32_t d = 0; d < 4; d++) {
        case_begin(c);
        const TirId x = case_real(c, DOMAINS[d], 3, DIMS(2, 3, 2));
        case_check(c, tir_reshape(&c->b, tir_unary(&c->b, TIR_TANH, x), 2, DIMS(4, 3)));
    }
}

static void tir_case_CONCAT(Case *c) {
    for (uint32_t d = 0; d < 16; d++)
        for (uint32_t axis = 0; axis < 2; axis++) {
            case_begin(c);
            TirId parts[3];
            parts[0] = case_real(c, DOMAINS[d / 4], 2, axis ? DIMS(2, 1) : DIMS(1, 3));
            parts[1] = case_real(c, DOMAINS[d % 4], 2, axis ? DIMS(2, 2) : DIMS(2, 3));
            parts[2] = parts[0];
            case_check(c, tir_concat(&c->b, axis, 3, parts));
        }
}

static void tir_case_TAKE(Case *c) {
    static const int32_t indices[3][5] = {{3, -1, 0, 1, -1}, {2, 2, -1, 0, 2}, {1, 1, 1, 1, 1}};
    for (uint32_t d = 0; d < 4; d++)
        for (uint32_t k = 0; k < 6; k++) {
            case_begin(c);
            const TirId x = case_real(c, DOMAINS[d], 2, DIMS(4, 4));
            case_check(c, tir_take(&c->b, x, k % 2, 5, indices[k / 2]));
        }
    case_begin(c); /* no room for another axis in the adjoint */
    const TirId x = case_real(c, GLOBAL, 8, DIMS(1, 1, 2, 1, 4, 1, 1, 1));
    case_check(c, tir_take(&c->b, x, 4, 5, indices[1]));
    const TirId t = tir_table(&c->b, TIR_REAL, 1, DIMS(4), (double[]){5, 6, 7, 8});
    case_expect(c, tir_take(&c->b, t, 0, 5, indices[0]), 5, (double[]){8, 0, 5, 6, 0});
}

/* --- reductions --------------------------------------------------------------------------------*/

static void each_reduction(Case *c, TirOp op) {
    static const uint32_t masks[] = {1, 2, 4, 3, 5, 7};
    const bool extreme = op == TIR_REDUCE_MAX || op == TIR_REDUCE_MIN;
    for (uint32_t d = 0; d < 4; d++)
        for (uint32_t m = 0; m < 6; m++) {
            case_begin(c);
            const TirId x = case_real(c, DOMAINS[d], 3, DIMS(2, 3, 2));
            for (uint64_t k = 0; extreme && k < c->leaf_count[0]; k++) /* no two near each other */
                c->leaf_data[0][k] = 0.1 * (double)((k * 7 + 3) % c->leaf_count[0]);
            case_check(c, tir_reduce(&c->b, op, x, masks[m]));
        }
}

static void tir_case_REDUCE_SUM(Case *c) {
    each_reduction(c, TIR_REDUCE_SUM);
}
static void tir_case_REDUCE_PROD(Case *c) {
    each_reduction(c, TIR_REDUCE_PROD);
    case_begin(c); /* a zero does not hurt */
    TirBuilder *b = &c->b;
    const TirId x = case_real(c, GLOBAL, 1, DIMS(4));
    c->leaf_data[0][2] = 0;
    case_check(c, tir_reduce(b, TIR_REDUCE_PROD, x, 1));
    case_begin(c); /* long lines divide */
    case_check(c,
               tir_reduce(b, TIR_REDUCE_PROD, case_between(c, GLOBAL, 1, DIMS(140), 0.9, 1.1), 1));
}

/* First of equals: the seed lands on the first maximum alone. */
static void first_of_equals(Case *c, TirOp op) {
    case_begin(c);
    const TirId x = case_real(c, GLOBAL, 2, DIMS(2, 3));
    for (uint32_t k = 0; k < 6; k++)
        c->leaf_data[0][k] = 0.5;
    TirId g;
    pass_vjp(&c->b, tir_reduce(&c->b, op, x, 3), tir_real(&c->b, 2), 1, &x, &g);
    case_expect(c, g, 6, (double[]){2, 0, 0, 0, 0, 0});
}

static void tir_case_REDUCE_MAX(Case *c) {
    each_reduction(c, TIR_REDUCE_MAX);
    first_of_equals(c, TIR_REDUCE_MAX);
}

static void tir_case_REDUCE_MIN(Case *c) {
    each_reduction(c, TIR_REDUCE_MIN);
    first_of_equals(c, TIR_REDUCE_MIN);
}

static void tir_case_ARGMAX(Case *c) {
    case_begin(c);
    const TirId t = tir_table(&c->b, TIR_REAL, 2, DIMS(2, 3), (double[]){1, 4, 4, 9, -1, 0});
    case_expect(c, tir_reduce(&c->b, TIR_ARGMAX, t, 2), 2, (double[]){1, 0});
    case_expect(c, tir_reduce(&c->b, TIR_ARGMAX, t, 1), 3, (double[]){1, 0, 0});
    const TirId x = case_real(c, POSITION, 2, DIMS(3, 4));
    const TirId at = tir_unary(&c->b, TIR_TO_REAL, tir_reduce(&c->b, TIR_ARGMAX, x, 2));
    case_check(c, tir_binary(&c->b, TIR_MUL, at, case_real(c, GLOBAL, 1, DIMS(3))));
}

static void tir_case_POSITION_SUM(Case *c) {
    static const TirDomain to[][2] = {
        {{1, 1}, {1, 0}}, {{1, 1}, {0, 1}}, {{1, 1}, {0, 0}}, {{0, 1}, {0, 0}}, {{1, 0}, {0, 0}}};
    for (uint32_t k = 0; k < 5; k++) {
        case_begin(c);
        const TirId x = case_real(c, to[k][0], 1, DIMS(3));
        const TirId y = tir_position_sum(&c->b, tir_unary(&c->b, TIR_SIN, x), to[k][1]);
        case_check(c, tir_binary(&c->b, TIR_MUL, y, case_real(c, POSITION, 1, DIMS(3))));
    }
}

/* --- contraction and indices -------------------------------------------------------------------*/

static void tir_case_CONTRACT(Case *c) {
    for (uint32_t d = 0; d < 16; d++)
        for (uint32_t to = 0; to < 4; to++) {
            const TirDomain dx = DOMAINS[d / 4], dy = DOMAINS[d % 4];
            TirDomain joined;
            tir_domain_join(dx, dy, &joined);
            if (!tir_domain_outer(DOMAINS[to], joined))
                continue;
            TirBuilder *b = &c->b;
            case_begin(c); /* matrix times vector */
            TirId x = case_real(c, dx, 2, DIMS(2, 3)), y = case_real(c, dy, 1, DIMS(3));
            case_check(c, tir_contract(b, x, y, AXES(0, 1), AXES(1), 1, AXES(0), DOMAINS[to]));
            case_begin(c); /* a batch label, a summed one, one of each side alone, transposed */
            x = case_real(c, dx, 3, DIMS(2, 3, 4));
            y = case_real(c, dy, 3, DIMS(4, 2, 3));
            case_check(c, tir_contract(b, x, y, AXES(5, 1, 2), AXES(2, 5, 7), 3, AXES(7, 1, 5),
                                       DOMAINS[to]));
            case_begin(c); /* labels only one side sums; an outer product otherwise */
            x = case_real(c, dx, 2, DIMS(2, 3));
            y = case_real(c, dy, 2, DIMS(4, 2));
            case_check(c,
                       tir_contract(b, x, y, AXES(0, 1), AXES(2, 3), 2, AXES(2, 0), DOMAINS[to]));
        }
    TirBuilder *b = &c->b;
    case_begin(c); /* a diagonal, and a value with itself */
    TirId x = case_real(c, POSITION, 2, DIMS(3, 3));
    case_check(c, tir_contract(b, x, x, AXES(0, 0), AXES(0, 1), 1, AXES(1), POSITION));
    case_begin(c);
    x = case_real(c, POSITION, 1, DIMS(3));
    case_check(c, tir_contract(b, x, x, AXES(0), AXES(0), 0, NULL, GLOBAL));
    const TirId m = tir_table(b, TIR_REAL, 2, DIMS(2, 2), (double[]){1, 2, 3, 4});
    case_expect(c, tir_contract(b, m, m, AXES(0, 1), AXES(1, 2), 2, AXES(0, 2), GLOBAL), 4,
                (double[]){7, 10, 15, 22});
    const TirId one = tir_real(b, 1);
    case_expect(c, tir_contract(b, m, one, AXES(0, 1), NULL, 0, NULL, GLOBAL), 1, (double[]){10});
}

static void tir_case_GATHER(Case *c) {
    for (uint32_t d = 0; d < 16; d++) {
        case_begin(c);
        const TirId x = case_real(c, DOMAINS[d / 4], 2, DIMS(4, 3));
        const TirId index = case_int(c, DOMAINS[d % 4], d & 1, DIMS(2), 4);
        case_check(c, tir_gather(&c->b, x, index));
    }
    case_begin(c);
    const TirId x = tir_table(&c->b, TIR_REAL, 2, DIMS(2, 2), (double[]){1, 2, 3, 4});
    const TirId index = tir_table(&c->b, TIR_INT, 1, DIMS(3), (double[]){1, -1, 2});
    case_expect(c, tir_gather(&c->b, x, index), 6, (double[]){3, 4, 0, 0, 0, 0});
}

static void tir_case_SCATTER_ADD(Case *c) {
    for (uint32_t d = 0; d < 16; d++)
        for (uint32_t to = 0; to < 4; to++) {
            TirDomain joined;
            tir_domain_join(DOMAINS[d / 4], DOMAINS[d % 4], &joined);
            if (!tir_domain_outer(DOMAINS[to], joined))
                continue;
            case_begin(c);
            const TirId index = case_int(c, DOMAINS[d / 4], 1, DIMS(3), 4);
            const TirId g = case_real(c, DOMAINS[d % 4], 2, DIMS(3, 2));
            case_check(c, tir_scatter_add(&c->b, index, g, 4, DOMAINS[to]));
        }
    case_begin(c);
    const TirId index = tir_table(&c->b, TIR_INT, 1, DIMS(3), (double[]){1, -1, 1});
    const TirId g = tir_table(&c->b, TIR_REAL, 1, DIMS(3), (double[]){5, 6, 7});
    case_expect(c, tir_scatter_add(&c->b, index, g, 2, GLOBAL), 2, (double[]){0, 12});
}

static void tir_case_ONEHOT(Case *c) {
    case_begin(c);
    const TirId n = case_int(c, POSITION, 1, DIMS(2), 3);
    const TirId x = case_real(c, GLOBAL, 2, DIMS(2, 3));
    case_check(c, tir_binary(&c->b, TIR_MUL, x, tir_onehot(&c->b, n, 3)));
    const TirId t = tir_table(&c->b, TIR_INT, 1, DIMS(2), (double[]){1, 5});
    case_expect(c, tir_onehot(&c->b, t, 2), 4, (double[]){0, 1, 0, 0});
}

/* --- loops -------------------------------------------------------------------------------------*/

/* Carried c and e, invariant w, scanned x; stacked c*x:
 *     c' = tanh(c * w + x)    e' = e + c * trip    y = c' * e */
static TirId two_carried(Case *c, TirDomain dc, TirDomain dw, TirDomain dx, bool reverse) {
    TirBuilder *b = &c->b;
    TirDomain joined;
    tir_domain_join(dc, dw, &joined);
    tir_domain_join(joined, dx, &joined);
    const TirId carried[2] = {case_real(c, dc, 1, DIMS(2)), case_real(c, GLOBAL, 1, DIMS(2))};
    const TirId w = case_real(c, dw, 1, DIMS(2)), x = case_real(c, dx, 2, DIMS(4, 2));
    TirBlock *body = tir_block_create(c->p);
    TirBuilder in = tir_builder_inner(b, body);
    const TirId ac = tir_arg(&in, case_type(TIR_REAL, joined, 1, DIMS(2)));
    const TirId ae = tir_arg(&in, case_type(TIR_REAL, joined, 1, DIMS(2)));
    const TirId aw = tir_arg(&in, case_type(TIR_REAL, dw, 1, DIMS(2)));
    const TirId ax = tir_arg(&in, case_type(TIR_REAL, dx, 1, DIMS(2)));
    const TirId trip = tir_arg(&in, case_type(TIR_INT, GLOBAL, 0, NULL));
    const TirId next =
        tir_unary(&in, TIR_TANH, tir_binary(&in, TIR_ADD, tir_binary(&in, TIR_MUL, ac, aw), ax));
    const TirId at = tir_unary(&in, TIR_TO_REAL, trip);
    const TirId sum = tir_binary(&in, TIR_ADD, ae, tir_binary(&in, TIR_MUL, ac, at));
    vec_push(c->p->arena, &body->results, next);
    vec_push(c->p->arena, &body->results, sum);
    vec_push(c->p->arena, &body->results, tir_binary(&in, TIR_MUL, next, ae));
    const TirId scan = tir_scan(b, 4, reverse, body, 2, carried, 1, &w, 1, &x);
    const TirId stacked = tir_reduce(b, TIR_REDUCE_SUM, tir_result(b, scan, 2), 1);
    return tir_binary(b, TIR_ADD, tir_binary(b, TIR_MUL, tir_result(b, scan, 0), stacked),
                      tir_result(b, scan, 1));
}

/* Every trip sums over positions and adds the sum to what is carried, a global value. */
static TirId summing_body(Case *c) {
    TirBuilder *b = &c->b;
    const TirId start = case_real(c, GLOBAL, 1, DIMS(2)), x = case_real(c, POSITION, 1, DIMS(2));
    const TirId w = case_real(c, GLOBAL, 2, DIMS(2, 2));
    const TirId invariant[2] = {x, w};
    TirBlock *body = tir_block_create(c->p);
    TirBuilder in = tir_builder_inner(b, body);
    const TirId ac = tir_arg(&in, case_type(TIR_REAL, GLOBAL, 1, DIMS(2)));
    const TirId ax = tir_arg(&in, case_type(TIR_REAL, POSITION, 1, DIMS(2)));
    const TirId aw = tir_arg(&in, case_type(TIR_REAL, GLOBAL, 2, DIMS(2, 2)));
    tir_arg(&in, case_type(TIR_INT, GLOBAL, 0, NULL));
    const TirId mixed = tir_contract(&in, aw, tir_binary(&in, TIR_MUL, ax, ac), AXES(0, 1), AXES(1),
                                     1, AXES(0), GLOBAL);
    vec_push(c->p->arena, &body->results, tir_unary(&in, TIR_SIN, mixed));
    const TirId scan = tir_scan(b, 3, false, body, 1, &start, 2, invariant, 0, NULL);
    return tir_result(b, scan, 0);
}

/* A loop in a loop: the inner one repeats c' = sin(c * w) twice. */
static TirId nested(Case *c) {
    TirBuilder *b = &c->b;
    const TirId start = case_real(c, POSITION, 1, DIMS(2)), w = case_real(c, GLOBAL, 1, DIMS(2));
    TirBlock *outer = tir_block_create(c->p), *inner = tir_block_create(c->p);
    TirBuilder o = tir_builder_inner(b, outer), i = tir_builder_inner(b, inner);
    const TirId oc = tir_arg(&o, case_type(TIR_REAL, POSITION, 1, DIMS(2)));
    const TirId ow = tir_arg(&o, case_type(TIR_REAL, GLOBAL, 1, DIMS(2)));
    tir_arg(&o, case_type(TIR_INT, GLOBAL, 0, NULL));
    const TirId ic = tir_arg(&i, case_type(TIR_REAL, POSITION, 1, DIMS(2)));
    const TirId iw = tir_arg(&i, case_type(TIR_REAL, GLOBAL, 1, DIMS(2)));
    tir_arg(&i, case_type(TIR_INT, GLOBAL, 0, NULL));
    vec_push(c->p->arena, &inner->results, tir_unary(&i, TIR_SIN, tir_binary(&i, TIR_MUL, ic, iw)));
    const TirId twice = tir_scan(&o, 2, false, inner, 1, &oc, 1, &ow, 0, NULL);
    vec_push(c->p->arena, &outer->results, tir_binary(&o, TIR_ADD, tir_result(&o, twice, 0), oc));
    const TirId scan = tir_scan(b, 3, false, outer, 1, &start, 1, &w, 0, NULL);
    return tir_result(b, scan, 0);
}

static void tir_case_SCAN(Case *c) {
    for (uint32_t k = 0; k < 128; k++) {
        case_begin(c);
        case_check(c,
                   two_carried(c, DOMAINS[k % 4], DOMAINS[k / 4 % 4], DOMAINS[k / 16 % 4], k / 64));
    }
    case_begin(c);
    case_check(c, summing_body(c));
    case_begin(c);
    case_check(c, nested(c));
}

static void tir_case_RESULT(Case *c) {
    case_begin(c);
    const TirId x = case_real(c, POSITION, 2, DIMS(2, 3));
    const TirId tuple = tir_attend(&c->b, x, x, x, true, 1);
    const TirId o = tir_result(&c->b, tuple, 0), lse = tir_result(&c->b, tuple, 1);
    case_check(c, tir_binary(&c->b, TIR_MUL, o, tir_broadcast(&c->b, lse, 2, DIMS(2, 3), AXES(0))));
}

/* --- across positions --------------------------------------------------------------------------*/

static void tir_case_ATTEND(Case *c) {
    static const TirDomain domains[][3] = {{{1, 1}, {1, 1}, {1, 1}},
                                           {{1, 1}, {0, 1}, {1, 1}},
                                           {{0, 1}, {1, 1}, {0, 1}},
                                           {{1, 1}, {0, 0}, {1, 0}}};
    for (uint32_t k = 0; k < 16; k++) {
        const bool causal = k & 1, grouped = k & 2;
        case_begin(c);
        const TirId q = case_real(c, domains[k / 4][0], 2, DIMS(4, 3));
        const TirId key = case_real(c, domains[k / 4][1], 2, DIMS(grouped ? 2 : 4, 3));
        const TirId v = case_real(c, domains[k / 4][2], 2, DIMS(grouped ? 2 : 4, 2));
        const TirId tuple = tir_attend(&c->b, q, key, v, causal, 0.6);
        case_check(c, tir_result(&c->b, tuple, 0));
    }
    case_begin(c); /* through the normaliser too */
    const TirId q = case_real(c, POSITION, 2, DIMS(4, 3)),
                k = case_real(c, POSITION, 2, DIMS(2, 3));
    const TirId v = case_real(c, POSITION, 2, DIMS(2, 2));
    case_check(c, tir_result(&c->b, tir_attend(&c->b, q, k, v, true, 0.6), 1));
}

/* It is ATTEND's derivative: checked there through every domain. Here: against its definition at
 * the first position, where causal attention sees itself alone: dq = dk = 0 and dv = do. */
static void tir_case_ATTEND_GRAD(Case *c) {
    case_begin(c);
    TirBuilder *b = &c->b;
    const TirId x = case_real(c, POSITION, 2, DIMS(1, 2)),
                d = case_real(c, POSITION, 2, DIMS(1, 2));
    const TirId tuple = tir_attend(b, x, x, x, true, 1);
    const TirId o = tir_result(b, tuple, 0), lse = tir_result(b, tuple, 1);
    const TirId back = tir_attend_grad(b, x, x, x, o, lse, d, true, 1);
    TirTensor t;
    const TirId dq = tir_result(b, back, 0);
    case_values(c, c->p, 1, &dq, &t, c->c->arena);
    assert_true(fabs(t.at[0]) < 1e-14 && fabs(t.at[1]) < 1e-14);
    assert_true(fabs(t.at[2]) > 1e-6);
    tir_add_output(c->p, TIR_OUT_NAMED, "dv", 0, tir_result(b, back, 2));
    case_passes(c);
}

static void tir_case_SHIFT(Case *c) {
    static const int32_t offsets[4] = {1, 2, -1, -2};
    for (uint32_t k = 0; k < 8; k++) {
        case_begin(c);
        const TirId x = case_real(c, k & 1 ? POSITION : TIME, 1, DIMS(2));
        const TirId y = tir_shift(&c->b, x, offsets[k / 2]);
        case_check(c, tir_binary(&c->b, TIR_MUL, y, case_real(c, GLOBAL, 1, DIMS(2))));
        /* and where its adjoint is the same at every position */
        case_begin(c);
        const TirId z = case_real(c, k & 1 ? POSITION : TIME, 1, DIMS(2));
        case_check(c, tir_position_sum(&c->b, tir_shift(&c->b, z, offsets[k / 2]), GLOBAL));
    }
    for (uint32_t k = 0; k < 4; k++) { /* on a grid; and of what has no positions */
        static const int32_t by[4][2] = {{0, 1}, {1, -1}, {-1, 0}, {1, 2}};
        case_begin(c);
        case_grid(c, 2); /* three positions: one row, and half of another */
        const TirId x = case_real(c, POSITION, 1, DIMS(2));
        const TirId y = tir_shift_by(&c->b, x, by[k]);
        case_check(c, tir_binary(&c->b, TIR_MUL, y, case_real(c, GLOBAL, 1, DIMS(2))));
        case_begin(c);
        case_grid(c, 2);
        const TirId z = case_real(c, POSITION, 0, NULL);
        case_check(c, tir_position_sum(&c->b, tir_shift_by(&c->b, z, by[k]), GLOBAL));
    }
    case_begin(c);
    case_grid(c, 2);
    const TirId cell = tir_unary(&c->b, TIR_TO_REAL, tir_position(&c->b, 1));
    case_expect(c, tir_shift_by(&c->b, cell, (int32_t[2]){0, -1}), 3, (double[]){1, 0, 0});
    case_expect(c, tir_shift_by(&c->b, cell, (int32_t[2]){1, 0}), 3, (double[]){0, 0, 0});
    case_expect(c, tir_shift_by(&c->b, cell, (int32_t[2]){-1, 0}), 3, (double[]){2, 0, 0});
    case_begin(c);
    const TirId at = tir_unary(&c->b, TIR_TO_REAL, tir_position(&c->b, 1));
    case_expect(c, tir_shift(&c->b, at, 1), 3, (double[]){0, 0, 1});
    case_expect(c, tir_shift(&c->b, at, -1), 3, (double[]){1, 2, 0});
}

/* Through both operands and twice: the adjoint is one, too. */
static void tir_case_RECUR(Case *c) {
    static const TirDomain domains[][2] = {{{1, 1}, {1, 1}}, {{0, 1}, {1, 1}}, {{0, 0}, {1, 1}},
                                           {{1, 0}, {0, 1}}, {{1, 1}, {0, 0}}, {{0, 1}, {0, 1}},
                                           {{1, 1}, {1, 0}}};
    for (uint32_t k = 0; k < 28; k++) {
        const bool reverse = k & 1, single = k & 2;
        case_begin(c);
        const TirId f = case_real(c, domains[k / 4][0], single ? 0 : 1, DIMS(2));
        const TirId u = case_real(c, domains[k / 4][1], 1, DIMS(2));
        const TirId m = tir_recur(&c->b, f, u, reverse);
        case_check(c, tir_recur(&c->b, tir_binary(&c->b, TIR_MUL, m, m), m, !reverse));
    }
    case_begin(c);
    const TirId at = tir_unary(&c->b, TIR_TO_REAL, tir_position(&c->b, 1));
    case_expect(c, tir_recur(&c->b, tir_real(&c->b, 1), at, false), 3, (double[]){0, 1, 3});
    case_expect(c, tir_recur(&c->b, at, at, false), 3, (double[]){0, 1, 4});
    case_expect(c, tir_recur(&c->b, at, at, true), 3, (double[]){5, 5, 2});
}

/* h = tanh(W h + x y), y = h0 y + w: of two states each is made of both; the product W x stands
 * outside. `moved`: y is the other's, unchanged. */
static TirId coupled(Case *c, bool reverse, TirDomain begins, bool moved) {
    TirBuilder *b = &c->b;
    const TirId x = case_real(c, POSITION, 1, DIMS(2)), w = case_real(c, SAMPLE, 1, DIMS(2));
    const TirId W = case_real(c, GLOBAL, 2, DIMS(2, 2)), h0 = case_real(c, begins, 1, DIMS(2));
    TirBlock *body = tir_block_create(c->p);
    TirBuilder in = tir_builder_inner(b, body);
    const TirId h = tir_arg(&in, case_type(TIR_REAL, POSITION, 1, DIMS(2)));
    const TirId y = tir_arg(&in, case_type(TIR_REAL, POSITION, 1, DIMS(2)));
    const TirId ax = tir_arg(&in, case_type(TIR_REAL, POSITION, 1, DIMS(2)));
    const TirId aw = tir_arg(&in, case_type(TIR_REAL, SAMPLE, 1, DIMS(2)));
    const TirId aW = tir_arg(&in, case_type(TIR_REAL, GLOBAL, 2, DIMS(2, 2)));
    const uint8_t of_W[] = {0, 1}, of_x[] = {1}, of_h[] = {0};
    const TirId Wh = tir_contract(&in, aW, h, of_W, of_x, 1, of_h, POSITION);
    const TirId Wx = tir_contract(&in, aW, ax, of_W, of_x, 1, of_h, POSITION);
    const TirId next = tir_unary(
        &in, TIR_TANH,
        tir_binary(&in, TIR_ADD, Wh, tir_binary(&in, TIR_MUL, tir_unary(&in, TIR_TANH, Wx), y)));
    vec_push(c->p->arena, &body->results, next);
    vec_push(c->p->arena, &body->results,
             moved ? h : tir_binary(&in, TIR_ADD, tir_binary(&in, TIR_MUL, h, y), aw));
    return tir_sequence(b, reverse, body, 2,
                        (TirId[]){h0, tir_broadcast(b, tir_real(b, 0), 1, DIMS(2), NULL)},
                        (TirId[]){x, w, W}, NULL);
}

static void tir_case_SEQUENCE(Case *c) {
    for (uint32_t k = 0; k < 16; k++) {
        case_begin(c);
        const TirId m = coupled(c, k & 1, k & 2 ? SAMPLE : GLOBAL, k & 4);
        const TirId h = tir_result(&c->b, m, 0), y = tir_result(&c->b, m, 1);
        case_check(c, k & 8 ? tir_binary(&c->b, TIR_MUL, h, y) : y);
    }
}

static void tir_case_ARG(Case *c) { /* an argument handed straight on */
    case_begin(c);
    const TirId x = case_real(c, POSITION, 1, DIMS(2)), y = case_real(c, GLOBAL, 1, DIMS(2));
    const TirId carried[2] = {x, y};
    TirBlock *body = tir_block_create(c->p);
    TirBuilder in = tir_builder_inner(&c->b, body);
    const TirId ax = tir_arg(&in, case_type(TIR_REAL, POSITION, 1, DIMS(2)));
    const TirId ay = tir_arg(&in, case_type(TIR_REAL, POSITION, 1, DIMS(2)));
    tir_arg(&in, case_type(TIR_INT, GLOBAL, 0, NULL));
    vec_push(c->p->arena, &body->results, ay); /* they change places each trip */
    vec_push(c->p->arena, &body->results, ax);
    vec_push(c->p->arena, &body->results, ax);
    const TirId scan = tir_scan(&c->b, 3, true, body, 2, carried, 0, NULL, 0, NULL);
    case_check(c, tir_binary(&c->b, TIR_ADD, tir_result(&c->b, scan, 0),
                             tir_reduce(&c->b, TIR_REDUCE_SUM, tir_result(&c->b, scan, 2), 1)));
}

/* --- the whole ---------------------------------------------------------------------------------*/

static CaseFunction *const cases[] = {
#define OP(ident, ...) tir_case_##ident,
#include "tir/tir_ops.def"
};

static void run_case(void **state) {
    Case c = {0};
    (*(CaseFunction *const *)*state)(&c);
    case_end(&c);
}

int main(void) {
    struct CMUnitTest tests[TIR_OP_COUNT];
    for (uint32_t op = 0; op < TIR_OP_COUNT; op++)
        tests[op] = (struct CMUnitTest){.name = tir_op_name((TirOp)op),
                                        .test_func = run_case,
                                        .initial_state = (void *)&cases[op]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
