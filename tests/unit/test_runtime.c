/* The runtime's core: the thread pool, reading and refusing manifests, running a plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "runtime/run/exec.h"
#include "runtime/run/threads.h"
#include "runtime_model.h"
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- threads -----------------------------------------------------------------------------------*/

typedef struct {
    _Atomic int counts[1000];
    int32_t threads;
} Counter;

static void count_task(void *argument, int64_t task, int32_t worker) {
    Counter *counter = argument;
    assert_true(worker >= 0 && worker < counter->threads);
    atomic_fetch_add(&counter->counts[task], 1);
}

static void each_task_runs_once(void **state) {
    (void)state;
    for (int32_t threads = 1; threads <= 5; threads++) {
        HcPool *pool;
        assert_int_equal(hc_pool_create(threads, &pool, NULL), HC_OK);
        assert_int_equal(hc_pool_threads(pool), threads);
        for (int round = 0; round < 300; round++) {
            Counter counter = {.threads = threads};
            int64_t tasks = round % 37 * 27 % 1000;
            hc_pool_run(pool, tasks, count_task, &counter);
            for (int64_t k = 0; k < 1000; k++)
                assert_int_equal(counter.counts[k], k < tasks);
        }
        hc_pool_destroy(pool);
    }
}

static void absurd_thread_counts_are_refused(void **state) {
    (void)state;
    HcPool *pool;
    HcError error;
    assert_int_equal(hc_pool_create(-1, &pool, &error), HC_ERROR_ARGUMENT);
    assert_int_equal(hc_pool_create(1 << 20, &pool, &error), HC_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "4096"));
    assert_true(hc_cpu_count() >= 1);
}

/* --- matrix products ---------------------------------------------------------------------------*/

static void splits_cover_and_are_bounded(void **state) {
    (void)state;
    static const int64_t sizes[] = {1, 3, 16, 24, 64, 100, 129, 768, 2048, 3072, 50257};
    enum { N = sizeof sizes / sizeof sizes[0] };
    for (int i = 0; i < N * N * N; i++) {
        int64_t m = sizes[i % N], n = sizes[i / N % N], k = sizes[i / N / N];
        HcGemmSplit s = hc_gemm_split(m, n, k, i % 2);
        assert_true(s.panel_m * s.panels_m >= m && s.panel_m * (s.panels_m - 1) < m);
        assert_true(s.panel_n * s.panels_n >= n && s.panel_n * (s.panels_n - 1) < n);
        assert_true(s.chunk_k >= 1 && s.chunk_k <= (i % 2 && k > 512 ? 512 : k));
        if (s.panels_m > 1)
            assert_true(s.panel_m >= 64 && s.panel_m % 32 == 0);
        if (s.panels_n > 1)
            assert_true(s.panel_n >= 128 && s.panel_n % 32 == 0);
    }
}

static double element(int64_t k) {
    return (double)(k * 7919 % 1013) / 1013 - 0.5;
}

static void product_equals(HcPool *pool, int64_t m, int64_t n, int64_t k, bool over_positions,
                           bool sliced) {
    HcBlas blas;
    assert_int_equal(hc_blas_open(&blas, NULL), HC_OK);
    double *a = malloc(sizeof(double) * (size_t)(m * k)),
           *b = malloc(sizeof(double) * (size_t)(k * n)),
           *c = malloc(sizeof(double) * (size_t)(m * n));
    for (int64_t i = 0; i < m * k; i++)
        a[i] = element(i);
    for (int64_t i = 0; i < k * n; i++)
        b[i] = element(i + 17);
    for (int form = 0; form < 8; form++) {
        HcCall call = {.kind = HC_CALL_GEMM,
                       .transpose_a = form & 1,
                       .transpose_b = form & 2,
                       .beta = form & 4 ? 2 : 0,
                       .ldc = n};
        call.lda = call.transpose_a ? m : k;
        call.ldb = call.transpose_b ? k : n;
        for (int64_t i = 0; i < m * n; i++)
            c[i] = form & 4 ? element(i) : NAN; /* beta = 0 must not read C */
        HcGemmSplit split = hc_gemm_split(m, n, k, over_positions);
        assert_true(split.chunk_k < k && split.panels_m * split.panels_n * split.slices > 1);
        assert_true(sliced == (split.slices > 1));
        double *slices = malloc(sizeof(double) * (size_t)(hc_gemm_slice_elements(&split) + 1));
        hc_gemm_run(&blas, pool, &call, &split, 8, (void *[]){a, b, c}, slices);
        free(slices);
        for (int64_t i = 0; i < m; i += 13) {
            for (int64_t j = 0; j < n; j += 7) {
                double sum = 0;
                for (int64_t t = 0; t < k; t++)
                    sum += (call.transpose_a ? a[t * m + i] : a[i * k + t]) *
                           (call.transpose_b ? b[j * k + t] : b[t * n + j]);
                double expected = sum + (form & 4 ? 2 * element(i * n + j) : 0);
                assert_true(fabs(c[i * n + j] - expected) < 1e-14 * (double)k);
            }
        }
    }
    free(a);
    free(b);
    free(c);
}

static void products_equal_the_definition(void **state) {
    (void)state;
    HcPool *pool;
    assert_int_equal(hc_pool_create(3, &pool, NULL), HC_OK);
    product_equals(pool, 200, 150, 1100, true, false);
    product_equals(pool, 20, 24, 20011, false, true);
    hc_pool_destroy(pool);
}

/* --- manifests ---------------------------------------------------------------------------------*/

static void broken_manifests_are_refused(void **state) {
    (void)state;
    static const char *const edits[][2] = {
        {"\"model\": \"bigram\"", "\"model\": 5"},
        {"\"kernel\": 2", "\"kernel\": 3"},
        {"[\"params\", \"f32\", 0, 2]", "[\"params\", \"f32\", 0, 5]"},
        {"[\"params\", \"f32\", 0, 2]", "[\"params\", \"f32\", 0]"},
        {"[\"position\", \"f32\", 1216]", "[\"position\", \"f32\", -1216]"},
        {"[\"position\", \"f32\", 1216]", "[\"position\", \"f32\", 399996]"},
        {"[\"position\", \"f32\", 1216]", "[\"heap\", \"f32\", 1216]"},
        {"\"dims\": [256]", "\"dims\": [0]"},
        {"\"dims\": [256]", "\"dims\": [4611686018427387904, 8]"},
        {"\"offset\": 24576", "\"offset\": 24580"},
        {"\"offset\": 50240", "\"offset\": 50300"},
        {"[1, -2.5, 3]", "[1, -2.5]"},
        {"'adamw'", NULL},
        {"\"domain\": \"sample\"", "\"domain\": \"pixel\""},
        {"\"kind\": \"zero\"", "\"kind\": \"nothing\""},
        {"\"maximum\": 16", "\"maximum\": 0"},
        {"AQAAAP////8=", "AQAAAP///w=="},
        {"\"lda\": 24", "\"lda\": 0"},
        {"\"stream\": \"bytes\", \"offset\": 1", "\"stream\": 4"},
        {"\"input\": \"next\"", "\"input\": \"other\""},
        /* what the runtime itself reads and writes; bigram_text has room for not one element more
         */
        {"\"position\": 2240", "\"position\": 2236"},
        {"\"partial\": 1088", "\"partial\": 1084"},
        {"\"n\": 256, \"k\": 24", "\"n\": 257, \"k\": 24"},
        {"\"n\": 256, \"k\": 24", "\"n\": 256, \"k\": 25"},
        {"\"n\": 256, \"k\": 24", "\"n\": \"position\", \"k\": 24"},
        {"\"ldb\": 24,", "\"ldb\": 25,"},
        {"\"lda\": 24,", "\"lda\": 2147483647,"},
        {"\"m\": 256, \"n\": 24", "\"m\": 257, \"n\": 24"},
        {"\"m\": 256, \"n\": 24", "\"m\": \"position\", \"n\": 24"},
        {"\"c\": [\"grads\", \"f32\", 0, 1]", "\"c\": [\"grads\", \"f32\", 4, 1]"},
        {"\"c\": [\"grads\", \"f32\", 0, 1]", "\"c\": [\"input\", \"i32\", 0, 1]"},
        {"\"a\": [\"position\", \"f32\", 0]", "\"a\": [\"input\", \"i32\", 0, 1]"},
        {"\"elements\": 256, \"to\"", "\"elements\": 257, \"to\""},
        {"\"elements\": 1,", "\"elements\": 33,"},
        {"\"partial\": [\"partial\", \"f32\", 0]", "\"partial\": [\"global\", \"f32\", 0]"},
        {"\"clears\": 24576", "\"clears\": 24580"},
        {"\"clears\": 24576, \"domain\": \"global\"", "\"clears\": 4, \"domain\": \"sample\""},
        {"\"rows\": 256", "\"rows\": 257"},
        {"\"rows\": 256", "\"rows\": 256, \"to_domain\": \"position\""},
        {"\"rows\": 256", "\"rows\": 256, \"indices\": 2"},
        {"\"values\": [\"position\", \"f32\", 96]", "\"values\": [\"input\", \"i32\", 0, 0]"},
        {"\"dims\": [24], \"buffer\"", "\"dims\": [561], \"buffer\""},
        {"\"dims\": [4], \"buffer\"", "\"dims\": [17], \"buffer\""},
        {"\"loss\": [\"global\", \"f32\", 0]", "\"loss\": [\"input\", \"i32\", 0, 0]"},
        {"[\"params\", \"f32\", 0, 2]", "[\"params\", \"f32\", 1028, 2]"},
        {"[\"global\", \"i32\", 96]", "[\"global\", \"i32\", 124]"},
        /* types of elements, and where they may lie */
        {"[\"position\", \"f32\", 1216]", "[\"position\", \"f16\", 1216]"},
        {"[\"position\", \"f32\", 1216]", "[\"position\", \"f32\"]"},
        {"\"c\": [\"position\", \"f32\", 192]", "\"c\": [\"position\", \"f64\", 192]"},
        {"\"to\": [\"global\", \"f32\", 0]", "\"to\": [\"global\", \"f64\", 0]"},
        {"\"to\": [\"global\", \"f32\", 0]", "\"to\": [\"global\", \"f32\", 2]"},
        {"\"values\": [\"position\", \"f32\", 96]", "\"values\": [\"position\", \"f64\", 96]"},
        {"\"index\": [\"input\", \"i32\", 0, 0]", "\"index\": [\"position\", \"f32\", 0]"},
        {"[[\"input\", \"i32\", 0, 0]", "[[\"input\", \"f32\", 0, 0]"},
        {"\"loss\": [\"global\", \"f32\", 0]", "\"loss\": [\"global\", \"i32\", 0]"},
        {"\"dims\": [256], \"element\": \"f32\"", "\"dims\": [256], \"element\": \"f64\""},
        {"\"element\": \"i32\"", "\"element\": \"f64\""},
        /* what runs for some of the positions */
        {"\"outputs\": {", "\"extend\": {\"all\": [0, 3]}, \"outputs\": {"},
        {"\"outputs\": {", "\"extend\": {\"last\": [4]}, \"outputs\": {"},
        {"\"outputs\": {", "\"extend\": {\"last\": [-1]}, \"outputs\": {"},
        {"\"outputs\": {", "\"extend\": {\"all\": [\"0\"]}, \"outputs\": {"},
        {"\"logits\": [\"position\", \"f32\", 192]",
         "\"logits\": [\"global\", \"f32\", 0], \"logits_dims\": [1]}, \"extend\": {\"all\": [0], "
         "\"x\": 1"},
        /* each axis has one role */
        {"\"dims\": [256, 24]", "\"matrix\": {\"free\": [0, 1]}, \"dims\": [256, 24]"},
        {"\"dims\": [256, 24]",
         "\"matrix\": {\"free\": [0], \"summed\": [2]}, \"dims\": [256, 24]"},
        {"\"dims\": [256, 24]",
         "\"matrix\": {\"free\": [0], \"apart\": [0], \"summed\": [1]}, \"dims\": [256, 24]"},
        {"\"dims\": [256, 24]",
         "\"matrix\": {\"apart\": [0], \"summed\": [1]}, \"dims\": [256, 24]"},
    };
    for (size_t k = 0; k < sizeof edits / sizeof edits[0]; k++) {
        const char *put = edits[k][1];
        char *manifest = put ? bigram_manifest(edits[k][0], 4, put)
                             : bigram_manifest("\"adamw\"", 4, "\"newton\"");
        HcModel model = bigram_model(4, manifest);
        HcContext *context;
        HcError error;
        HcStatus status = hc_create(&model, NULL, &context, &error);
        if (status != HC_ERROR_MODEL)
            fail_msg("edit %zu (%s) gave status %d", k, put ? put : "", (int)status);
        assert_null(context);
        assert_non_null(strstr(error.message, "manifest is malformed"));
        free(manifest);
    }
}

/* Compiled code looks at nothing again, so it runs with no manifest but its own. */
static void a_sealed_manifest_is_as_it_was(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    model.manifest_seal = hc_manifest_seal(manifest, model.manifest_length);
    HcContext *context;
    HcError error;
    assert_int_equal(hc_create(&model, NULL, &context, &error), HC_OK);
    hc_destroy(context);
    static const char *const edits[][2] = {
        {"\"limit\": 256", "\"limit\": 257"}, /* reads past an embedding */
        {"[\"partial\", \"f32\", 0]]",
         "[\"partial\", \"f32\", 1088]]"}, /* a kernel's, at the end of its region */
        {"\"lr\": 0.02", "\"lr\": 0.03"},
    };
    for (size_t k = 0; k < sizeof edits / sizeof edits[0]; k++) {
        char *edited = bigram_edit(manifest, edits[k][0], edits[k][1]);
        model.manifest = edited;
        model.manifest_length = strlen(edited);
        assert_int_equal(hc_create(&model, NULL, &context, &error), HC_ERROR_MODEL);
        assert_non_null(strstr(error.message, "not the one"));
        free(edited);
    }
    free(manifest);
}

/* More than this machine has is no fault of the manifest. */
static void scratch_beyond_memory_is_named(void **state) {
    (void)state;
    static const char *const scratch[] = {"\"scratch\": 17592186044416",
                                          "\"scratch\": 281474976710656"};
    for (size_t k = 0; k < 2; k++) {
        char *manifest = bigram_manifest("\"scratch\": 2048", 4, scratch[k]);
        HcModel model = bigram_model(4, manifest);
        HcContext *context;
        HcError error;
        HcOptions options = {.threads = 1};
        assert_int_equal(hc_create(&model, &options, &context, &error), HC_ERROR_MEMORY);
        assert_non_null(strstr(error.message, k ? "262144.0 GiB" : "16384.0 GiB"));
        assert_null(context);
        free(manifest);
    }
}

static void wrong_machines_and_versions_are_refused(void **state) {
    (void)state;
    char *manifest = bigram_manifest("\"features\": []", 4, "\"features\": [\"neon-of-2099\"]");
    HcModel model = bigram_model(4, manifest);
    HcContext *context;
    HcError error;
    HcOptions options = {.threads = 1};
    /* names we do not know are no reason to refuse */
    assert_int_equal(hc_create(&model, &options, &context, &error), HC_OK);
    hc_destroy(context);
    static const uint32_t versions[] = {HC_ABI_VERSION - 1, 99};
    for (size_t k = 0; k < 2; k++) {
        model.abi_version = versions[k];
        assert_int_equal(hc_create(&model, &options, &context, &error), HC_ERROR_MODEL);
        assert_non_null(strstr(error.message, k ? "by a newer hcc" : "by an older hcc"));
        assert_non_null(strstr(error.message, "build it again"));
    }
    model.abi_version = HC_ABI_VERSION;
    static const char *const formats[] = {"\"format\": 1", "\"format\": 3"};
    for (size_t k = 0; k < 2; k++) {
        char *other = bigram_edit(manifest, "\"format\": 2", formats[k]);
        HcModel of_it = bigram_model(4, other);
        assert_int_equal(hc_create(&of_it, &options, &context, &error), HC_ERROR_MODEL);
        assert_non_null(strstr(error.message, k ? "by a newer hcc" : "by an older hcc"));
        assert_non_null(strstr(error.message, "build it again"));
        free(other);
    }
    model.manifest_length /= 2; /* cut off */
    assert_int_equal(hc_create(&model, &options, &context, &error), HC_ERROR_MODEL);
    free(manifest);
}

/* --- running -----------------------------------------------------------------------------------*/

static HcContext *create(const HcModel *model, int32_t threads, int64_t samples,
                         int64_t positions) {
    HcOptions options = {threads, samples, positions};
    HcContext *context;
    HcError error;
    if (hc_create(model, &options, &context, &error) != HC_OK)
        fail_msg("%s", error.message);
    return context;
}

static void fill_inputs(HcContext *context) {
    int64_t count = hc_samples(context) * hc_positions(context);
    int32_t *tokens = malloc((size_t)count * 4), *next = malloc((size_t)count * 4);
    for (int64_t k = 0; k < count; k++) {
        tokens[k] = (int32_t)(k * k % 251);
        next[k] = (int32_t)((k * 31 + 5) % 256);
    }
    assert_int_equal(hc_set_input(context, "tokens", tokens, count), HC_OK);
    assert_int_equal(hc_set_input(context, "next", next, count), HC_OK);
    free(tokens);
    free(next);
}

static double loss_of(HcContext *context) {
    double loss;
    assert_int_equal(hc_forward(context), HC_OK);
    assert_int_equal(hc_loss(context, &loss), HC_OK);
    return loss;
}

static void gradients_equal_finite_differences(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 8, NULL);
    HcModel model = bigram_model(8, manifest);
    HcContext *c = create(&model, 2, 37, 16);
    hc_init(c, 5);
    fill_inputs(c);
    loss_of(c);
    assert_int_equal(hc_backward(c), HC_OK);
    static const char *const names[] = {"E", "W", "b"};
    for (int k = 0; k < 3; k++) {
        HcParameter p;
        assert_int_equal(hc_parameter_named(c, names[k], &p), HC_OK);
        double *x = p.data, *g = malloc((size_t)p.count * 8), along = 0;
        memcpy(g, p.gradient, (size_t)p.count * 8);
        for (int64_t i = 0; i < p.count; i++)
            along += g[i] * element(i + k);
        double losses[2];
        for (int side = 0; side < 2; side++) {
            double step = side ? -1e-4 : 1e-4;
            for (int64_t i = 0; i < p.count; i++)
                x[i] += step * element(i + k);
            losses[side] = loss_of(c);
            for (int64_t i = 0; i < p.count; i++)
                x[i] -= step * element(i + k);
        }
        double difference = (losses[0] - losses[1]) / 2e-4;
        assert_true(fabs(difference - along) < 1e-6 * (fabs(along) + 1e-6));
        assert_true(fabs(along) > 1e-6);
        free(g);
    }
    hc_destroy(c);
    free(manifest);
}

static void threads_do_not_change_a_bit(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    float *expected = NULL;
    double expected_loss = 0;
    for (int32_t threads = 1; threads <= 3; threads++) {
        HcContext *c = create(&model, threads, 70, 16);
        hc_init(c, 9);
        fill_inputs(c);
        for (int step = 0; step < 4; step++) {
            loss_of(c);
            hc_backward(c);
            assert_int_equal(hc_step(c, 0.01), HC_OK);
        }
        double loss = loss_of(c);
        size_t bytes = (size_t)hc_slab_elements(c) * 4;
        if (!expected) {
            expected = malloc(bytes);
            memcpy(expected, hc_parameters(c), bytes);
            expected_loss = loss;
        }
        assert_memory_equal(expected, hc_parameters(c), bytes);
        assert_memory_equal(&expected_loss, &loss, sizeof loss);
        hc_destroy(c);
    }
    free(expected);
    free(manifest);
}

static void extents_may_change(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 8, NULL);
    HcModel model = bigram_model(8, manifest);
    HcContext *fresh = create(&model, 1, 2, 5), *c = create(&model, 1, 0, 0);
    assert_int_equal(hc_samples(c), 12);
    assert_int_equal(hc_positions(c), 16);
    hc_init(fresh, 1);
    hc_init(c, 1);
    fill_inputs(c);
    loss_of(c);
    assert_int_equal(hc_resize(c, 2, 5), HC_OK);
    double loss;
    assert_int_equal(hc_loss(c, &loss), HC_ERROR_ARGUMENT); /* not without a forward pass */
    assert_int_equal(hc_backward(c), HC_ERROR_ARGUMENT);
    fill_inputs(c);
    fill_inputs(fresh);
    assert_true(loss_of(c) == loss_of(fresh));
    assert_int_equal(hc_resize(c, 40, 16), HC_OK);
    fill_inputs(c);
    assert_true(isfinite(loss_of(c)));
    assert_int_equal(hc_resize(c, 1, 17), HC_ERROR_ARGUMENT);
    assert_non_null(strstr(hc_last_error(c), "at most 16"));
    assert_int_equal(hc_resize(c, 0, 1), HC_ERROR_ARGUMENT);
    assert_int_equal(hc_resize(c, INT64_MAX, 16), HC_ERROR_MEMORY);
    assert_int_equal(hc_samples(c), 40);
    fill_inputs(c);
    assert_true(isfinite(loss_of(c)));
    hc_destroy(c);
    hc_destroy(fresh);
    free(manifest);
}

static void inputs_are_checked_and_bound(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcContext *c = create(&model, 1, 2, 8);
    hc_init(c, 1);
    int32_t tokens[16] = {0};
    assert_int_equal(hc_set_input(c, "token", tokens, 16), HC_ERROR_ARGUMENT);
    assert_int_equal(hc_set_input(c, "tokens", tokens, 15), HC_ERROR_ARGUMENT);
    tokens[7] = 256;
    assert_int_equal(hc_set_input(c, "tokens", tokens, 16), HC_ERROR_DATA);
    assert_string_equal(hc_last_error(c),
                        "input `tokens`, element 7 is 256: it must be from 0 to 255");
    tokens[7] = -1;
    assert_int_equal(hc_set_input(c, "tokens", tokens, 16), HC_ERROR_DATA);
    fill_inputs(c);
    double own = loss_of(c);
    int32_t *memory = aligned_alloc(64, 64);
    for (int k = 0; k < 16; k++)
        memory[k] = 3;
    assert_int_equal(hc_bind_input(c, "tokens", memory + 1), HC_ERROR_ARGUMENT);
    assert_int_equal(hc_bind_input(c, "tokens", memory), HC_OK);
    assert_true(loss_of(c) != own);
    /* memory of the caller's is looked at by every pass */
    for (int bad = -1; bad <= 256; bad += 257) {
        memory[15] = bad;
        char message[80];
        snprintf(message, sizeof message,
                 "input `tokens`, element 15 is %d: it must be from 0 to 255", bad);
        HcStatus (*const passes[])(HcContext *) = {hc_backward, hc_forward, hc_forward_backward};
        for (int k = 0; k < 3; k++) {
            assert_int_equal(passes[k](c), HC_ERROR_DATA);
            assert_string_equal(hc_last_error(c), message);
        }
    }
    memory[15] = 255;
    assert_int_equal(hc_forward_backward(c), HC_OK);
    assert_int_equal(hc_bind_input(c, "tokens", NULL), HC_OK);
    assert_true(loss_of(c) == own);
    HcInput input;
    assert_int_equal(hc_input(c, 1, &input), HC_OK);
    assert_string_equal(input.name, "next");
    assert_int_equal(input.count, 16);
    assert_true(input.is_target && input.is_integer);
    assert_int_equal(hc_input(c, 2, &input), HC_ERROR_ARGUMENT);
    free(memory);
    hc_destroy(c);
    free(manifest);
}

static void outputs_and_tables_can_be_seen(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcContext *c = create(&model, 1, 3, 8);
    hc_init(c, 1);
    fill_inputs(c);
    loss_of(c);
    HcView view;
    assert_int_equal(hc_output(c, "logits", &view), HC_OK);
    assert_int_equal(view.rank, 3);
    assert_int_equal(view.count, 3 * 8 * 256);
    assert_int_equal(hc_output(c, "h", &view), HC_OK);
    assert_int_equal(view.dims[2], 24);
    HcParameter table;
    hc_parameter_named(c, "E", &table);
    int32_t token = 5 * 5 % 251;
    assert_memory_equal((const float *)view.data + 5 * 24, (float *)table.data + token * 24,
                        24 * 4);
    assert_int_equal(hc_output(c, "numbers", &view), HC_OK);
    static const float numbers[] = {1, -2, 0.5f, 3};
    static const int32_t integers[] = {1, -1, 5, -7};
    assert_int_equal(view.rank, 1);
    assert_memory_equal(view.data, numbers, sizeof numbers);
    assert_memory_equal((const float *)view.data + 8, integers, sizeof integers);
    assert_int_equal(hc_output(c, "nothing", &view), HC_ERROR_ARGUMENT);
    hc_destroy(c);
    free(manifest);
}

static void parameters_can_be_bound(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcContext *c = create(&model, 2, 4, 8), *d = create(&model, 1, 4, 8);
    hc_init(c, 2);
    size_t bytes = (size_t)hc_slab_elements(c) * 4;
    float *params = aligned_alloc(64, bytes), *grads = aligned_alloc(64, bytes);
    memcpy(params, hc_parameters(c), bytes);
    memset(grads, 0, bytes);
    fill_inputs(c);
    fill_inputs(d);
    assert_int_equal(hc_bind_parameters(d, params + 1, grads), HC_ERROR_ARGUMENT);
    assert_int_equal(hc_bind_parameters(d, params, grads), HC_OK);
    assert_true(loss_of(c) == loss_of(d));
    hc_backward(c);
    hc_backward(d);
    assert_memory_equal(grads, hc_gradients(c), bytes);
    hc_step(c, 0.1);
    hc_step(d, 0.1);
    assert_memory_equal(params, hc_parameters(c), bytes);
    hc_destroy(c);
    hc_destroy(d);
    free(params);
    free(grads);
    free(manifest);
}

static void initial_values_follow_seed_and_name(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL), *wide = bigram_manifest(NULL, 8, NULL);
    HcModel model = bigram_model(4, manifest), model64 = bigram_model(8, wide);
    HcContext *c = create(&model, 2, 1, 1), *d = create(&model64, 1, 1, 1);
    hc_init(c, 7);
    hc_init(d, 7);
    HcParameter p, q;
    double sum = 0, squares = 0;
    hc_parameter_named(c, "E", &p);
    hc_parameter_named(d, "E", &q);
    for (int64_t k = 0; k < p.count; k++) {
        double x = ((double *)q.data)[k];
        assert_true(((float *)p.data)[k] == (float)x);
        sum += x;
        squares += x * x;
    }
    assert_true(fabs(sum / (double)p.count) < 0.03);
    assert_true(fabs(sqrt(squares / (double)p.count) - 0.5) < 0.02);
    float first = ((float *)p.data)[0];
    hc_parameter_named(c, "W", &p);
    for (int64_t k = 0; k < p.count; k++)
        assert_true(fabsf(((float *)p.data)[k]) <= 0.2f);
    hc_parameter_named(c, "still", &p);
    assert_true(((float *)p.data)[1] == -2.5f && p.frozen);
    hc_parameter_named(c, "b", &p);
    assert_true(((float *)p.data)[255] == 0.125f);
    hc_init(c, 8);
    hc_parameter_named(c, "E", &p);
    assert_true(((float *)p.data)[0] != first);
    hc_init(c, 7);
    assert_true(((float *)p.data)[0] == first);
    hc_destroy(c);
    hc_destroy(d);
    free(manifest);
    free(wide);
}

/* --- calls that fail ---------------------------------------------------------------------------*/

static void null_arguments_are_refused(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcContext *c = NULL;
    HcOptions options = {1, 2, 3};
    HcError error;
    HcParameter parameter;
    HcInput input;
    HcView view;
    double loss;
    int32_t tokens[6] = {0};
    assert_int_equal(hc_create(NULL, &options, &c, &error), HC_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "model"));
    assert_int_equal(hc_create(&model, &options, NULL, &error), HC_ERROR_ARGUMENT);
    assert_int_equal(hc_create(&model, &options, &c, NULL), HC_OK);
    assert_int_equal(hc_init(c, 1), HC_OK);
    for (int with = 0; with < 2; with++) { /* a context */
        HcContext *x = with ? c : NULL;
        const HcStatus found[] = {
            hc_parameter(x, 0, NULL),
            hc_parameter_named(x, NULL, &parameter),
            hc_parameter_named(x, "W", NULL),
            hc_input(x, 0, NULL),
            hc_set_input(x, NULL, tokens, 6),
            hc_set_input(x, "tokens", NULL, 6),
            hc_bind_input(x, NULL, NULL),
            hc_loss(x, NULL),
            hc_output(x, NULL, &view),
            hc_output(x, "loss", NULL),
            hc_set_recipe(x, NULL, "1"),
            hc_set_recipe(x, "lr", NULL),
            hc_save(x, NULL),
            hc_load(x, NULL),
            hc_save_state(x, NULL),
            hc_load_state(x, NULL),
            hc_save_checkpoint(x, NULL),
            hc_load_checkpoint(x, NULL),
        };
        for (size_t k = 0; k < sizeof found / sizeof *found; k++)
            assert_int_equal(found[k], HC_ERROR_ARGUMENT);
        assert_non_null(strstr(hc_last_error(x), "NULL"));
    }
    const HcStatus without[] = {
        hc_resize(NULL, 1, 1),
        hc_parameter(NULL, 0, &parameter),
        hc_parameter_named(NULL, "W", &parameter),
        hc_bind_parameters(NULL, NULL, NULL),
        hc_init(NULL, 1),
        hc_input(NULL, 0, &input),
        hc_set_input(NULL, "tokens", tokens, 6),
        hc_bind_input(NULL, "tokens", NULL),
        hc_forward(NULL),
        hc_loss(NULL, &loss),
        hc_backward(NULL),
        hc_forward_backward(NULL),
        hc_zero_grad(NULL),
        hc_output(NULL, "loss", &view),
        hc_step(NULL, -1),
        hc_set_recipe(NULL, "lr", "1"),
        hc_save(NULL, "x"),
        hc_load(NULL, "x"),
        hc_save_state(NULL, "x"),
        hc_load_state(NULL, "x"),
        hc_save_checkpoint(NULL, "x"),
        hc_load_checkpoint(NULL, "x"),
    };
    for (size_t k = 0; k < sizeof without / sizeof *without; k++)
        assert_int_equal(without[k], HC_ERROR_ARGUMENT);
    hc_destroy(NULL);
    hc_set_training(NULL, 1);
    assert_true(hc_samples(NULL) == 0 && hc_positions(NULL) == 0 && hc_max_positions(NULL) == 0 &&
                hc_threads(NULL) == 0 && hc_element_size(NULL) == 0 && hc_memory_bytes(NULL) == 0 &&
                hc_parameter_count(NULL) == 0 && hc_slab_elements(NULL) == 0 &&
                hc_input_count(NULL) == 0 && hc_training(NULL) == 0 && hc_steps_done(NULL) == 0 &&
                hc_gradient_norm(NULL) == 0 && hc_schedule_lr(NULL, 0) == 0);
    assert_true(!hc_parameters(NULL) && !hc_gradients(NULL) && hc_model_name(NULL)[0] == 0 &&
                hc_precision(NULL)[0] == 0);
    hc_destroy(c);
    free(manifest);
}

static void a_failed_resize_changes_nothing(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcContext *c;
    HcOptions options = {1, 2, 8};
    double before, loss;
    int32_t tokens[16] = {3, 1, 4, 1, 5};
    assert_int_equal(hc_create(&model, &options, &c, NULL), HC_OK);
    hc_init(c, 1);
    hc_set_input(c, "tokens", tokens, 16);
    hc_set_input(c, "next", tokens, 16);
    hc_forward(c);
    hc_loss(c, &before);
    uint64_t memory = hc_memory_bytes(c);
    const int64_t wrong[][2] = {{INT64_MAX, 8}, {0, 8}, {2, 0}, {2, 1 << 20}};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        assert_int_not_equal(hc_resize(c, wrong[k][0], wrong[k][1]), HC_OK);
        assert_int_equal(hc_memory_bytes(c), memory);
        assert_int_equal(hc_samples(c), 2);
        assert_int_equal(hc_loss(c, &loss), HC_OK); /* the forward pass still counts */
        assert_true(loss == before);
    }
    hc_forward(c);
    hc_loss(c, &loss);
    assert_true(loss == before);
    hc_destroy(c);
    free(manifest);
}

/* Enough for the inputs, not for the workspace; 0: all went well. */
static int resize_with_little_memory(HcContext *c) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld", &pages) != 1)
        return 1;
    fclose(file);
    rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)40 << 20);
    uint64_t memory = hc_memory_bytes(c);
    double before, after;
    if (setrlimit(RLIMIT_AS, &(struct rlimit){most, most}) != 0 || hc_forward(c) != HC_OK ||
        hc_loss(c, &before) != HC_OK)
        return 2;
    for (int k = 0; k < 20; k++) { /* what an earlier one kept would be missed here */
        if (hc_resize(c, 1 << 19, 8) != HC_ERROR_MEMORY || !strstr(hc_last_error(c), "workspace"))
            return 3;
    }
    bool same = hc_memory_bytes(c) == memory && hc_samples(c) == 2;
    return same && hc_forward(c) == HC_OK && hc_loss(c, &after) == HC_OK && before == after ? 0 : 4;
}

static void a_failed_resize_gives_its_memory_back(void **state) {
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* its shadow is larger than any limit */
#endif
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    HcContext *c;
    HcOptions options = {1, 2, 8};
    int32_t tokens[16] = {3, 1, 4, 1, 5};
    assert_int_equal(hc_create(&model, &options, &c, NULL), HC_OK);
    hc_init(c, 1);
    hc_set_input(c, "tokens", tokens, 16);
    hc_set_input(c, "next", tokens, 16);
    fflush(NULL);
    pid_t child = fork(); /* the limit is its own */
    if (child == 0)
        _exit(resize_with_little_memory(c));
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    hc_destroy(c);
    free(manifest);
}

/* Threads stay behind in the parent: the child has none to wait for. */
static void a_forked_child_may_destroy(void **state) {
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* a thread may hold a lock of theirs while another forks, for ever in the child */
#endif
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    for (int32_t threads = 1; threads <= 8; threads++) {
        HcContext *c;
        HcOptions options = {threads, 32, 8};
        assert_int_equal(hc_create(&model, &options, &c, NULL), HC_OK);
        hc_init(c, 1);
        hc_forward(c);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            alarm(10);
            hc_destroy(c);
            HcStatus again = hc_create(&model, &options, &c, NULL); /* with threads of its own */
            if (again == HC_OK && hc_forward(c) == HC_OK)
                hc_destroy(c);
            _exit(again);
        }
        int status;
        waitpid(child, &status, 0);
        assert_int_equal(status, 0);
        hc_destroy(c);
    }
    free(manifest);
}

static void many_contexts_come_and_go(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 4, NULL);
    HcModel model = bigram_model(4, manifest);
    for (int k = 0; k < 50; k++) {
        HcContext *a = create(&model, 2, 2, 4), *b = create(&model, 1, 2, 4);
        hc_init(a, 1);
        hc_init(b, 1);
        fill_inputs(a);
        fill_inputs(b);
        assert_true(loss_of(a) == loss_of(b));
        hc_destroy(a);
        hc_destroy(b);
    }
    hc_destroy(NULL);
    free(manifest);
}

int main(void) {
    hc_process_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_task_runs_once),
        cmocka_unit_test(absurd_thread_counts_are_refused),
        cmocka_unit_test(splits_cover_and_are_bounded),
        cmocka_unit_test(products_equal_the_definition),
        cmocka_unit_test(broken_manifests_are_refused),
        cmocka_unit_test(a_sealed_manifest_is_as_it_was),
        cmocka_unit_test(scratch_beyond_memory_is_named),
        cmocka_unit_test(wrong_machines_and_versions_are_refused),
        cmocka_unit_test(gradients_equal_finite_differences),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(extents_may_change),
        cmocka_unit_test(inputs_are_checked_and_bound),
        cmocka_unit_test(outputs_and_tables_can_be_seen),
        cmocka_unit_test(parameters_can_be_bound),
        cmocka_unit_test(initial_values_follow_seed_and_name),
        cmocka_unit_test(null_arguments_are_refused),
        cmocka_unit_test(a_failed_resize_changes_nothing),
        cmocka_unit_test(a_failed_resize_gives_its_memory_back),
        cmocka_unit_test(a_forked_child_may_destroy),
        cmocka_unit_test(many_contexts_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
