/* States that grow: what they hold, what their first extent says, and that they stay one flat
 * concatenation. */
#include "sema_model.h"

/* Branches multiply by a number, so that every entry is a multiple of the input. */
#define BEGIN_MODEL                                                                                \
    "use std;\n"                                                                                   \
    "branch times(by) : x[d] -> y[d] { let y[c] = by * x[c]; }\n"                                  \
    "branch pair : x[d], z[d] = x -> y[d] { let y[c] = x[c] + z[c]; }\n"
#define MODEL "model m { const d = 2; positions t <= 3; input x[t, d] : real;\n let h = trunk(x) {"
#define END_MODEL " };\n probe h; loss sum[c] h[c]; }\n"

static Model open_trunk(Compilation *scratch, const char *connections, const char *trunk) {
    return model_open(
        arena_printf(scratch->arena, BEGIN_MODEL "%s\n" MODEL "%s" END_MODEL, connections, trunk),
        0, no_overrides);
}

/* What the trunk gives, as a multiple of what it was given. */
static void expect_factor(const char *connections, const char *trunk, double factor) {
    Compilation *scratch = compilation_create();
    Model m = open_trunk(scratch, connections, trunk);
    const TirTensor *h = run(&m, TIR_OUT_PROBE, "h");
    for (uint32_t k = 0; k < 12; k++)
        assert_near(h->at[k], factor * m.inputs[0][k], 1e-9);
    model_close(&m);
    compilation_destroy(scratch);
}

/* Reads the sum of all entries, appends the result; gives the sum of j times entry j. */
#define ALL                                                                                        \
    "connection all { state X[depth, d]; begin X[0,c] = x[c]; let u[c] = sum[j] X[j,c];\n"         \
    "  read x = u; append X[c] = y[c]; let s[c] = sum[j] j * X[j,c]; end x = s; }\n"

static void test_append(void **state) {
    (void)state;
    expect_factor(ALL, "a = all : times(10);", 10);
    /* entries 1, 10, 110, 1210 */
    expect_factor(ALL, "repeat 3 { a = all : times(10); }", 10 + 2 * 110 + 3 * 1210);
    expect_factor(
        "connection two { state X[depth, d]; begin X[0,c] = x[c]; begin X[1,c] = 3 * x[c];"
        " let u[c] = X[1,c]; read x = u; append X[c] = y[c]; append X[c] = 100 * depth * "
        "y[c]; let s[c] = sum[j] X[j,c]; end x = s; }",
        "a = two : times(1); b = two : times(1);", 1 + 3 + 3 + 600 + 3 + 1200);
}

static void test_depth(void **state) {
    (void)state;
    const char *connection =
        "connection c { state X[depth, d]; param A[depth] = onehot(depth - 1) * depth;\n"
        "  begin X[0,c] = x[c]; const n = extent(X, 0); param B[n] = 1;\n"
        "  let u[c] = sum[j] A[j] * B[j] * X[j,c]; read x = u;\n"
        "  append X[c] = y[c]; const m = extent(X, 0);\n"
        "  let s[c] = m * X[m - 1, c]; end x = s; }";
    expect_factor(connection, "a = c : times(1); b = c : times(1); e = c : times(1);",
                  4 * 3 * 2 * 1);
    Compilation *scratch = compilation_create();
    Model m = open_trunk(scratch, connection, "a = c : times(1); b = c : times(1);");
    const TirParam *p;
    param_named(&m, "trunk.a.hc.A", &p);
    assert_int_equal(p->type.dims[0], 1);
    param_named(&m, "trunk.b.hc.B", &p);
    assert_int_equal(p->type.dims[0], 2);
    model_close(&m);
    compilation_destroy(scratch);
}

/* Every second site closes an entry; the others add to the last one. */
#define SUMS                                                                                       \
    "connection sums { state X[depth, d]; begin X[0,c] = x[c]; let u[c] = X[depth - 1, c];\n"      \
    "  read x = u;\n"                                                                              \
    "  if site % 2 == 0 { append X[c] = y[c]; }\n"                                                 \
    "  else { write X[depth - 1, c] = X[depth - 1, c] + y[c]; }\n"                                 \
    "  let s[c] = sum[j] (j + 1) * X[j,c]; end x = s; }\n"

static void test_conditions(void **state) {
    (void)state;
    /* 1 | 1+1 | 2+2 */
    expect_factor(SUMS, "repeat 4 { a = sums : times(1); }", 1 + 2 * 2 + 3 * 4);
    expect_factor(
        "connection c { state X[depth, d]; begin X[0,c] = x[c]; let u[c] = sum[j] X[j,c];"
        " read x = u; if depth < 3 { append X[c] = y[c]; } else { write X[j,c] = 2 * X[j,c];"
        " } let s[c] = sum[j] X[j,c]; end x = s; }",
        "repeat 5 { a = c : times(1); }", (1 + 1 + 2) * 8);
}

/* However it came about, the value is one concatenation of values that are none. */
static void test_flat(void **state) {
    (void)state;
    Compilation *scratch = compilation_create();
    Model m = open_trunk(scratch, SUMS, "repeat 6 { a = sums : times(1); }");
    const TirBlock *block = m.network->program->block;
    uint32_t most = 0;
    for (TirId id = 1; id < block->nodes.count; id++) {
        const TirNode *node = tir_node(block, id);
        if (node->op != TIR_CONCAT)
            continue;
        most = node->n_operands > most ? node->n_operands : most;
        for (uint32_t k = 0; k < node->n_operands; k++) {
            assert_int_equal(tir_node(block, node->operands[k])->type.dims[0], 1);
            assert_int_not_equal(tir_node(block, node->operands[k])->op, TIR_SLICE);
        }
    }
    assert_int_equal(most, 4);
    model_close(&m);
    compilation_destroy(scratch);
}

/* States that grow at different rates, beside one that does not. */
static void test_rates(void **state) {
    (void)state;
    const char *connection =
        "connection c { state X[depth, d], K[kept, d], h[d];\n"
        "  begin X[0,c] = x[c]; begin K[0,c] = x[c]; begin h = x; read x = h;\n"
        "  append X[c] = y[c]; if site % 2 == 1 { append K[c] = depth * y[c]; }\n"
        "  write h[c] = h[c] + y[c];\n"
        "  let s[c] = sum[j] X[j,c] + 100 * (sum[j] K[j,c]) + 10000 * h[c]; end x = s; }";
    /* X: 1 1 2 4 8;  K: 1, 2*2, 4*8;  h: 16 */
    expect_factor(connection, "repeat 4 { a = c : times(1); }",
                  (1 + 1 + 2 + 4 + 8) + 100 * (1 + 4 + 32) + 10000 * 16);
}

/* A connection that only reads what others appended. */
static void test_readers(void **state) {
    (void)state;
    expect_factor(ALL "connection last { state X[held, d]; begin X[0,c] = x[c]; let u[c] = held * "
                      "X[held - 1, c]; read x = u; write X[0, c] = X[0,c] + y[c];\n"
                      "  let s[c] = X[0,c]; end x = s; }",
                  "a = all : times(10); b = last : times(1);", 1 + 2 * 10);
}

static void test_branch_inputs(void **state) {
    (void)state;
    const char *connection = "connection c { state h[d]; begin h = x; let v[c] = 5 * h[c];\n"
                             "  if branch_inputs >= 2 { read x = h, z = v; } else { read x = v; }\n"
                             "  write h[c] = y[c]; end x = h; }";
    expect_factor(connection, "a = c : times(1);", 5);
    expect_factor(connection, "a = c : pair;", 6);
    expect_factor(connection, "a = c : pair & times(2);", 5 + 5 + 10); /* what both take */
}

/* Slices given one by one at the beginning. */
static void test_begun_in_parts(void **state) {
    (void)state;
    expect_factor("connection c(n = 3) { state H[n, d]; begin H[0,c] = x[c], H[2,c] = 7 * x[c];\n"
                  "  let u[c] = sum[i] H[i,c]; read x = u; write H[i,c] = H[i,c] + y[c];\n"
                  "  let s[c] = sum[i] (i + 1) * H[i,c]; end x = s; }",
                  "a = c : times(1);", 1 + 21 + 6 * 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_conditions),    cmocka_unit_test(test_flat),
        cmocka_unit_test(test_rates),         cmocka_unit_test(test_readers),
        cmocka_unit_test(test_branch_inputs), cmocka_unit_test(test_begun_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
