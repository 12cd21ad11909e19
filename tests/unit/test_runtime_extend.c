/* Positions that are added to a text: which calls run, for which positions, and what is refused;
 * the products of a few rows that they take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/run/exec.h"
#include "runtime_model.h"

/* --- products ----------------------------------------------------------------------------------*/

static double element(int64_t k) {
    return (double)(k * 7919 % 1013) / 1013 - 0.5;
}

typedef struct {
    int64_t m, n, k;
    HcCall call;
    double *a, *b, *c;
    float *a32, *b32, *c32;
} Rows;

static Rows rows_create(int64_t m, int64_t n, int64_t k, bool transpose_b, double beta) {
    Rows r = {.m = m, .n = n, .k = k, .call = {.kind = HC_CALL_GEMM, .beta = beta}};
    r.call.transpose_b = transpose_b;
    r.call.lda = k + 3;
    r.call.ldb = (transpose_b ? k : n) + 5;
    r.call.ldc = n + 1;
    const int64_t a = m * r.call.lda, b = (transpose_b ? n : k) * r.call.ldb, c = m * r.call.ldc;
    r.a = malloc(8 * (size_t)a), r.b = malloc(8 * (size_t)b), r.c = malloc(8 * (size_t)c);
    r.a32 = malloc(4 * (size_t)a), r.b32 = malloc(4 * (size_t)b), r.c32 = malloc(4 * (size_t)c);
    for (int64_t i = 0; i < a; i++)
        r.a32[i] = (float)(r.a[i] = (float)element(i));
    for (int64_t i = 0; i < b; i++)
        r.b32[i] = (float)(r.b[i] = (float)element(i + 17));
    for (int64_t i = 0; i < c; i++)
        r.c32[i] = (float)(r.c[i] = beta != 0 ? (float)element(i + 5) : NAN);
    return r;
}

static void rows_check(HcPool *pool, int64_t m, int64_t n, int64_t k, bool transpose_b,
                       double beta) {
    Rows r = rows_create(m, n, k, transpose_b, beta);
    const Rows before = rows_create(m, n, k, transpose_b, beta);
    assert_true(hc_rows_take(&r.call, m));
    hc_rows_run(pool, &r.call, m, n, k, 8, (void *[]){r.a, r.b, r.c});
    hc_rows_run(pool, &r.call, m, n, k, 4, (void *[]){r.a32, r.b32, r.c32});
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < r.call.ldc; j++) {
            const int64_t at = i * r.call.ldc + j;
            if (j >= n) { /* between rows */
                assert_memory_equal(&r.c[at], &before.c[at], 8);
                continue;
            }
            double sum = beta != 0 ? beta * before.c[at] : 0;
            for (int64_t t = 0; t < k; t++)
                sum += r.a[i * r.call.lda + t] *
                       r.b[transpose_b ? j * r.call.ldb + t : t * r.call.ldb + j];
            assert_true(fabs(r.c[at] - sum) < 1e-14 * (double)(k + 1));
            assert_true(fabs((double)r.c32[at] - sum) < 1e-6 * (double)(k + 1));
        }
    void *all[] = {r.a,      r.b,      r.c,      r.a32,      r.b32,      r.c32,
                   before.a, before.b, before.c, before.a32, before.b32, before.c32};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void rows_equal_the_definition(void **state) {
    (void)state;
    static const int64_t sizes[] = {1, 4, 31, 32, 33, 63, 64, 65, 128, 129, 257};
    enum { N = sizeof sizes / sizeof *sizes };
    HcPool *pool;
    assert_int_equal(hc_pool_create(3, &pool, NULL), HC_OK);
    for (int i = 0; i < N * N; i++)
        rows_check(pool, 1 + i % 4, sizes[i % N], sizes[i / N], i % 2, i % 3 ? 0 : 2);
    rows_check(pool, 1, 1000, 700, true, 1); /* several tasks */
    rows_check(pool, 2, 1000, 700, false, 1);
    hc_pool_destroy(pool);
    HcCall call = {.transpose_a = true};
    assert_false(hc_rows_take(&call, 1));
    call.transpose_a = false;
    assert_false(hc_rows_take(&call, 5));
}

/* --- positions ---------------------------------------------------------------------------------*/

/* Logits are complete after the third call, which adds a bias. */
static char *extending(void) {
    return bigram_manifest("\"outputs\": {", 8,
                           "\"extend\": {\"all\": [0], \"last\": [1, 2]}, \"outputs\": {");
}

static HcContext *create(const HcModel *model, int32_t threads) {
    HcOptions options = {threads, 1, BIGRAM_CONTEXT};
    HcContext *c;
    int32_t tokens[BIGRAM_CONTEXT];
    for (int k = 0; k < BIGRAM_CONTEXT; k++)
        tokens[k] = 11 * k;
    assert_int_equal(hc_create(model, &options, &c, NULL), HC_OK);
    assert_int_equal(hc_init(c, 3), HC_OK);
    assert_int_equal(hc_set_input(c, "tokens", tokens, BIGRAM_CONTEXT), HC_OK);
    return c;
}

static void logits_are_those_of_the_last_position(void **state) {
    (void)state;
    char *manifest = extending();
    HcModel model = bigram_model(8, manifest);
    HcContext *c = create(&model, 2), *whole = create(&model, 1);
    HcView all, last;
    assert_int_equal(hc_forward(whole), HC_OK);
    assert_int_equal(hc_output(whole, "logits", &all), HC_OK);
    static const int64_t parts[][2] = {{0, 3}, {3, 1}, {4, 9}, {13, 1}, {2, 1}, {3, 13}};
    assert_null(hc_extend_refused(c));
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
        const int64_t at = parts[k][0] + parts[k][1] - 1;
        assert_int_equal(hc_extend(c, parts[k][0], parts[k][1]), HC_OK);
        assert_int_equal(hc_extended_logits(c, &last), HC_OK);
        assert_true(last.rank == 1 && last.count == BIGRAM_VOCAB && last.dims[0] == BIGRAM_VOCAB);
        for (int v = 0; v < BIGRAM_VOCAB; v++)
            assert_true(fabs(((const double *)last.data)[v] -
                             ((const double *)all.data)[at * BIGRAM_VOCAB + v]) < 1e-12);
    }
    hc_destroy(c);
    hc_destroy(whole);
    free(manifest);
}

static void expect(HcContext *c, HcStatus status, const char *said) {
    assert_int_equal(status, HC_ERROR_ARGUMENT);
    if (!strstr(hc_last_error(c), said))
        fail_msg("said '%s', not '%s'", hc_last_error(c), said);
}

static void what_cannot_be_added_is_refused(void **state) {
    (void)state;
    char *manifest = extending();
    HcModel model = bigram_model(8, manifest);
    HcContext *c = create(&model, 1);
    HcView view;
    expect(c, hc_extended_logits(c, &view), "needs hc_extend first");
    expect(c, hc_extend(c, 1, 1), "only the first 0 are computed");
    expect(c, hc_extend(c, 0, 17), "17 positions from 0 on, of 16");
    expect(c, hc_extend(c, INT64_MAX, 2), "of 16");
    expect(c, hc_extend(c, -1, 2), "2 positions from -1 on, of 16");
    assert_int_equal(hc_extend(c, 0, 4), HC_OK);
    expect(c, hc_output(c, "logits", &view), "needs hc_forward first");
    assert_int_equal(hc_resize(c, 1, 16), HC_OK); /* what inputs hold is undefined */
    expect(c, hc_extend(c, 4, 1), "only the first 0 are computed");
    assert_int_equal(hc_resize(c, 2, 8), HC_OK);
    expect(c, hc_extend(c, 0, 4), "one sample, not 2");
    assert_int_equal(hc_extend(NULL, 0, 1), HC_ERROR_ARGUMENT);
    assert_int_equal(hc_extended_logits(NULL, &view), HC_ERROR_ARGUMENT);
    assert_int_equal(hc_extended_logits(c, NULL), HC_ERROR_ARGUMENT);
    assert_non_null(hc_extend_refused(NULL));
    hc_destroy(c);
    free(manifest);
}

static void a_model_says_why_not(void **state) {
    (void)state;
    static const char *const whys[] = {NULL, "all look at all"};
    for (int k = 0; k < 2; k++) {
        char *manifest = whys[k] ? bigram_manifest("\"outputs\": {", 8,
                                                   "\"extend\": {\"refused\": \"all look at "
                                                   "all\"}, \"outputs\": {")
                                 : bigram_manifest(NULL, 8, NULL);
        HcModel model = bigram_model(8, manifest);
        HcContext *c = create(&model, 1);
        const char *why = whys[k] ? whys[k] : "its manifest does not say how";
        assert_string_equal(hc_extend_refused(c), why);
        expect(c, hc_extend(c, 0, 1), why);
        hc_destroy(c);
        free(manifest);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_equal_the_definition),
        cmocka_unit_test(logits_are_those_of_the_last_position),
        cmocka_unit_test(what_cannot_be_added_is_refused),
        cmocka_unit_test(a_model_says_why_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
