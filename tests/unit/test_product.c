/* Kernels of matrix products against OpenBLAS in f64: random shapes, strides, transposes, sums that
 * are added to, on every kind of processor that there is code for; the code of tiles in plain
 * functions where the machine has none. HCC_TEST_EVERYTHING=1: 2,000 shapes of up to 700 a side. */
#include "abi/tiles.h"
#include "base/compilation.h"
#include "codegen/codegen.h"
#include "lower/product/product.h"
#include "runtime/run/aligned.h"
#include "runtime/run/exec.h"
#include "runtime/run/product.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* For all shapes, */
enum { MULTIPLY, ROUND, N_OF_ALL };
/* and for one. */
enum {
    PACK_LEFT,
    PACK_RIGHT,
    PACK_NARROW_LEFT,
    PACK_NARROW_RIGHT,
    DIRECT, /* and behind it the kernel that rounds */
    DIRECT_ROUND,
    N_KERNELS
};
enum { GUARD = 64 };

/* A processor, and what its products are made of. */
typedef struct {
    const char *name, *cpu;
    bool bf16, dots, matrices, tiles;
} Way;

static const Way ways[] = {
    {"f32", "native", .bf16 = false},
    {"f32 in 32 bytes", "x86-64-v3", .bf16 = false},
    {"f32 in 16 bytes", "x86-64-v2", .bf16 = false},
    {"bf16 as the machine has it", "native", .bf16 = true, .dots = true, .tiles = true},
    {"pairs", "native", .bf16 = true, .dots = true},
    {"pairs in f32", "x86-64-v3", .bf16 = true},
    {"matrices in f32", "x86-64-v3", .bf16 = true, .matrices = true},
    {"tiles in f32", "x86-64-v4", .bf16 = true, .tiles = true},
};
enum { N_WAYS = sizeof ways / sizeof *ways };

typedef struct {
    int64_t m, n, k, lda, ldb, ldc;
    bool ta, tb, adds;
} Shape;

/* --- random shapes and numbers -----------------------------------------------------------------*/

static uint64_t state;

static uint64_t draw(uint64_t below) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 33) % below;
}

static bool everything(void) {
    const char *value = getenv("HCC_TEST_EVERYTHING");
    return value && strcmp(value, "1") == 0;
}

static int64_t draw_side(void) {
    static const int64_t edges[] = {1, 2, 31, 32, 33, 63, 64, 65, 96, 128, 255, 256, 257, 512, 513};
    const int64_t most = everything() ? 700 : 140;
    return draw(2) ? edges[draw(everything() ? 15 : 10)] : 1 + (int64_t)draw((uint64_t)most);
}

static Shape draw_shape(void) {
    Shape s = {.m = draw_side(), .n = draw_side(), .k = draw_side()};
    s.ta = draw(2);
    s.tb = draw(2);
    s.adds = draw(2);
    s.lda = (s.ta ? s.m : s.k) + (draw(3) ? 0 : (int64_t)draw(9));
    s.ldb = (s.tb ? s.k : s.n) + (draw(3) ? 0 : (int64_t)draw(9));
    s.ldc = s.n + (draw(3) ? 0 : (int64_t)draw(9));
    return s;
}

static float *draw_numbers(int64_t count) {
    float *x = hc_aligned((size_t)count * sizeof *x + GUARD);
    for (int64_t k = 0; k < count; k++)
        x[k] = (float)((double)draw(1u << 30) * 0x1p-29 - 1);
    memset((uint8_t *)x + (size_t)count * sizeof *x, 0x7f, GUARD);
    return x;
}

/* To bf16, nearest even. */
static double rounded(float x, bool bf16) {
    uint32_t bits;
    if (!bf16)
        return x;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    memcpy(&x, &bits, sizeof bits);
    return x;
}

static uint16_t *stored_narrow(const float *x, int64_t count) {
    uint16_t *to = hc_aligned((size_t)count * sizeof *to + GUARD);
    for (int64_t k = 0; k < count; k++) {
        const float near = (float)rounded(x[k], true);
        uint32_t bits;
        memcpy(&bits, &near, sizeof bits);
        to[k] = (uint16_t)(bits >> 16);
    }
    memset(to + count, 0x7f, GUARD);
    return to;
}

/* --- kernels -----------------------------------------------------------------------------------*/

typedef struct {
    Jit *jit;
    const HcModel *model;
} Code;

static Code code_load(Arena *arena, CodegenTarget *target, const NestKernel **kernels, uint32_t n) {
    const char *error;
    Code code;
    for (uint32_t k = 0; k < n; k++)
        if (nest_verify(kernels[k]))
            fail_msg("%s", nest_verify(kernels[k]));
    CodegenModel model = {.kernels = kernels, .n_kernels = n, .symbol = "product_test"};
    CodegenResult object = codegen_compile(arena, target, &model, CODEGEN_OBJECT);
    if (object.error)
        fail_msg("%s", object.error);
    code.jit = jit_load(arena, object.bytes, object.length, "product_test", &code.model, &error);
    assert_non_null(code.jit);
    return code;
}

/* What multiplies takes the longest to compile, and is the same for all shapes. */
typedef struct {
    Compilation *c;
    CodegenTarget *target;
    MachineProduct product;
    Code code;
    size_t scratch; /* of MULTIPLY */
} Multiplier;

typedef struct {
    const Multiplier *by;
    Compilation *c;
    Code code;
} Kernels;

static void multiplier_begin(Multiplier *k, const Way *way) {
    const char *error;
    k->c = compilation_create();
    Arena *arena = k->c->arena;
    k->target =
        codegen_target_create(arena, &(CodegenOptions){.cpu = way->cpu, .opt_level = 3}, &error);
    assert_non_null(k->target);
    Machine machine = machine_of(codegen_target_vector_bytes(k->target),
                                 codegen_target_vector_registers(k->target));
    const CodegenProducts by = codegen_target_products(k->target);
    machine.fma = by.fma;
    machine.dots = way->dots && by.dots;
    machine.matrices = way->matrices;
    machine.tiles = way->tiles && (by.tiles || strcmp(way->cpu, "native") != 0);
    k->product = machine_product(&machine, way->bf16);
    const ProductForm sums = {0}, rounds = {.rounds = true};
    const NestKernel *kernels[N_OF_ALL] = {product_multiply(arena, "multiply", &k->product, &sums),
                                           product_multiply(arena, "round", &k->product, &rounds)};
    k->scratch = nest_scratch_bytes(kernels[MULTIPLY]);
    k->code = code_load(arena, k->target, kernels, N_OF_ALL);
}

static void multiplier_end(Multiplier *k) {
    jit_unload(k->code.jit);
    codegen_target_destroy(k->target);
    compilation_destroy(k->c);
}

/* Whether this machine has a way's instructions. */
static bool way_runs(const Way *way) {
    const char *error;
    Compilation *c = compilation_create();
    CodegenTarget *target =
        codegen_target_create(c->arena, &(CodegenOptions){.cpu = way->cpu, .opt_level = 3}, &error);
    uint32_t n = 0;
    const char *const *features = target ? codegen_target_features(target, &n) : NULL;
    const char *lacking = target ? codegen_host_lacks(features, n) : way->cpu;
    if (lacking)
        print_message("%s: skipped, this machine lacks %s\n", way->name, lacking);
    codegen_target_destroy(target);
    compilation_destroy(c);
    return !lacking;
}

/* Whether the left operand, where it is stored as bf16, need not be packed. */
static bool is_direct(const Kernels *k, const Shape *s) {
    const MachineProduct *m = &k->by->product;
    return m->way == PRODUCT_TILES && !s->ta && s->k % m->left_group == 0 && s->lda % 2 == 0;
}

static Kernels kernels_begin(const Multiplier *by, const Shape *s) {
    Kernels of = {.by = by, .c = compilation_create()}, *k = &of;
    Arena *arena = k->c->arena;
    const MachineProduct *m = &by->product;
    ProductPack left = {.product = m, .across = s->ta, .step = s->lda},
                right = {.product = m, .right = true, .across = !s->tb, .step = s->ldb};
    const ProductForm direct = {.direct = s->lda}, both = {.direct = s->lda, .rounds = true};
    const NestKernel *kernels[N_KERNELS] = {product_pack(arena, "pack_left", &left),
                                            product_pack(arena, "pack_right", &right)};
    left.from = products_narrow(&left, (uint64_t)s->k);
    right.from = products_narrow(&right, (uint64_t)s->k);
    const int n_kernels = is_direct(k, s) ? N_KERNELS : m->bytes == 2 ? DIRECT : PACK_NARROW_LEFT;
    if (m->bytes == 2) {
        kernels[PACK_NARROW_LEFT] = product_pack(arena, "pack_narrow_left", &left);
        kernels[PACK_NARROW_RIGHT] = product_pack(arena, "pack_narrow_right", &right);
    }
    if (is_direct(k, s)) {
        kernels[DIRECT] = product_multiply(arena, "direct", m, &direct);
        kernels[DIRECT_ROUND] = product_multiply(arena, "direct_round", m, &both);
    }
    k->code = code_load(arena, by->target, kernels, (uint32_t)n_kernels);
    return of;
}

static void kernels_end(Kernels *k) {
    jit_unload(k->code.jit);
    compilation_destroy(k->c);
}

/* --- one product -------------------------------------------------------------------------------*/

/* a and b: of f32, or stored as bf16; so is c. */
static void run(const Kernels *k, HcPool *pool, const Shape *s, bool narrow, const void *a,
                const void *b, bool rounds, void *c) {
    const MachineProduct *m = &k->by->product;
    const HcProductShape shape = {m->rows, m->columns, m->depth, m->block, m->width, m->bytes};
    HcKernel *const *kernels = k->code.model->kernels;
    const int64_t bytes = narrow ? sizeof(uint16_t) : sizeof(float);
    const HcProduct product = {.pack_left = kernels[narrow ? PACK_NARROW_LEFT : PACK_LEFT],
                               .pack_right = kernels[narrow ? PACK_NARROW_RIGHT : PACK_RIGHT],
                               .multiply = &k->by->code.model->kernels[MULTIPLY],
                               .direct = narrow && is_direct(k, s) ? &kernels[DIRECT] : NULL,
                               .rounds = rounds,
                               .m = s->m,
                               .n = s->n,
                               .k = s->k,
                               .transpose_a = s->ta,
                               .transpose_b = s->tb,
                               .lda = s->lda,
                               .ldb = s->ldb,
                               .ldc = s->ldc,
                               .adds = s->adds,
                               .bytes_a = bytes,
                               .bytes_b = bytes,
                               .a = a,
                               .b = b,
                               .c = c};
    const size_t packed_bytes = hc_product_packed_bytes(&shape, s->m, s->n, s->k);
    uint8_t *packed = hc_aligned(packed_bytes + GUARD);
    HcProductScratch scratch = {.own = hc_align(k->by->scratch)};
    scratch.stride = scratch.own + hc_product_scratch_bytes(&shape, rounds) + GUARD;
    const size_t scratch_bytes = scratch.stride * (size_t)hc_pool_threads(pool);
    scratch.at = hc_aligned(scratch_bytes);
    memset(packed, 0xff, packed_bytes + GUARD); /* no number of it may come through */
    memset(scratch.at, 0xff, scratch_bytes);
    hc_product_run(pool, &shape, &product, packed, scratch);
    for (size_t g = 0; g < GUARD; g++)
        assert_true(packed[packed_bytes + g] == 0xff && scratch.at[scratch_bytes - 1 - g] == 0xff);
    free(packed);
    free(scratch.at);
}

static void compare(const HcBlas *blas, const Way *way, const Shape *s, const float *a,
                    const float *b, const float *before, const float *c) {
    const int64_t sizes[3] = {(s->ta ? s->k : s->m) * s->lda, (s->tb ? s->n : s->k) * s->ldb,
                              s->m * s->ldc};
    double *wide[3];
    const float *from[3] = {a, b, before};
    for (int i = 0; i < 3; i++) {
        wide[i] = hc_aligned((size_t)sizes[i] * sizeof(double));
        for (int64_t j = 0; j < sizes[i]; j++)
            wide[i][j] = rounded(from[i][j], way->bf16 && i < 2);
    }
    blas->dgemm(CblasRowMajor, s->ta ? CblasTrans : CblasNoTrans, s->tb ? CblasTrans : CblasNoTrans,
                (blasint)s->m, (blasint)s->n, (blasint)s->k, 1, wide[0], (blasint)s->lda, wide[1],
                (blasint)s->ldb, s->adds, wide[2], (blasint)s->ldc);
    /* A number is a chain of sums, and rounds what is summed so far once a term. Of a billion
     * chains some come to 1.5 sqrt(k): errors of 0.9 k units in the last place are usual there, and
     * three times as many not heard of. */
    const double limit = 0x1p-24 * 3 * ((double)s->k + 4 * sqrt((double)s->k + 1));
    for (int64_t i = 0; i < s->m; i++)
        for (int64_t j = 0; j < s->ldc; j++) {
            const float got = c[i * s->ldc + j];
            const double want = wide[2][i * s->ldc + j];
            if (j >= s->n ? got != before[i * s->ldc + j] : !(fabs(got - want) <= limit))
                fail_msg("%s: c[%ld][%ld] is %.9g, not %.9g (m %ld n %ld k %ld, steps %ld %ld %ld%s"
                         "%s%s)",
                         way->name, (long)i, (long)j, got, want, (long)s->m, (long)s->n, (long)s->k,
                         (long)s->lda, (long)s->ldb, (long)s->ldc, s->ta ? ", a transposed" : "",
                         s->tb ? ", b transposed" : "", s->adds ? ", added" : "");
        }
    for (int i = 0; i < 3; i++)
        free(wide[i]);
}

/* Stored as bf16 a result is what the sums round to, and nothing is written beside it. */
static void check_rounded(const Kernels *k, HcPool *pool, const Shape *s, const uint16_t *a,
                          const uint16_t *b, const float *before, const float *sums) {
    const int64_t n = s->m * s->ldc;
    uint16_t *got = stored_narrow(before, n), *want = stored_narrow(before, n);
    for (int64_t i = 0; i < s->m; i++)
        for (int64_t j = 0; j < s->n; j++)
            want[i * s->ldc + j] = hc_bf16(sums[i * s->ldc + j]);
    run(k, pool, s, true, a, b, true, got);
    assert_memory_equal(got, want, (size_t)n * sizeof *got);
    free(got);
    free(want);
}

/* A right operand that is packed some rows at a time, in any order, is what it is packed whole. */
static void check_rows(const Kernels *k, HcPool *pool, const Shape *s, const float *b) {
    const MachineProduct *m = &k->by->product;
    const HcProductShape shape = {m->rows, m->columns, m->depth, m->block, m->width, m->bytes};
    const HcProduct product = {.pack_right = k->code.model->kernels[PACK_RIGHT],
                               .n = s->n,
                               .k = s->k,
                               .transpose_b = s->tb,
                               .ldb = s->ldb,
                               .bytes_b = sizeof *b,
                               .b = (const uint8_t *)b};
    const size_t bytes = hc_product_right_bytes(&shape, s->n, s->k);
    const int64_t rows = s->tb ? s->n : s->k,
                  piece = hc_product_row_step(&shape) * (1 + (int64_t)draw(3));
    uint8_t *whole = hc_aligned(bytes + GUARD), *parts = hc_aligned(bytes + GUARD);
    memset(whole, 0xff, bytes + GUARD);
    memset(parts, 0xff, bytes + GUARD);
    hc_product_pack_right(pool, &shape, &product, whole);
    for (int64_t first = (rows - 1) / piece * piece; first >= 0; first -= piece)
        hc_product_pack_rows(&shape, &product, first, rows - first < piece ? rows - first : piece,
                             parts);
    assert_memory_equal(whole, parts, bytes + GUARD);
    free(whole);
    free(parts);
}

/* The same bits by one thread and by three, and of operands that are stored as bf16. */
static void check(const HcBlas *blas, HcPool *const pools[2], const Way *way, const Multiplier *by,
                  const Shape *s) {
    Kernels k = kernels_begin(by, s);
    const size_t bytes = (size_t)(s->m * s->ldc) * sizeof(float) + GUARD;
    float *a = draw_numbers((s->ta ? s->k : s->m) * s->lda),
          *b = draw_numbers((s->tb ? s->n : s->k) * s->ldb), *before = draw_numbers(s->m * s->ldc),
          *c[2];
    for (int t = 0; t < 2; t++) {
        c[t] = hc_aligned(bytes);
        memcpy(c[t], before, bytes);
        run(&k, pools[t], s, false, a, b, false, c[t]);
    }
    assert_memory_equal(c[0], c[1], bytes);
    if (way->bf16) {
        uint16_t *narrow_a = stored_narrow(a, (s->ta ? s->k : s->m) * s->lda),
                 *narrow_b = stored_narrow(b, (s->tb ? s->n : s->k) * s->ldb);
        memcpy(c[1], before, bytes);
        run(&k, pools[1], s, true, narrow_a, narrow_b, false, c[1]);
        assert_memory_equal(c[0], c[1], bytes);
        if (!s->adds)
            check_rounded(&k, pools[1], s, narrow_a, narrow_b, before, c[0]);
        free(narrow_a);
        free(narrow_b);
    }
    check_rows(&k, pools[1], s, b);
    compare(blas, way, s, a, b, before, c[0]);
    free(a);
    free(b);
    free(before);
    free(c[0]);
    free(c[1]);
    kernels_end(&k);
}

static void test_shapes(void **unused) {
    (void)unused;
    HcError error;
    HcBlas blas;
    HcPool *pools[2];
    hc_process_init();
    assert_int_equal(hc_blas_open(&blas, &error), HC_OK);
    assert_int_equal(hc_pool_create(1, &pools[0], &error), HC_OK);
    assert_int_equal(hc_pool_create(3, &pools[1], &error), HC_OK);
    const int shapes = everything() ? 2000 : 5;
    for (uint32_t w = 0; w < N_WAYS; w++) {
        if (!way_runs(&ways[w]))
            continue;
        state = 1 + w;
        Multiplier by;
        multiplier_begin(&by, &ways[w]);
        for (int k = 0; k < shapes; k++) {
            const Shape s = draw_shape();
            check(&blas, pools, &ways[w], &by, &s);
        }
        multiplier_end(&by);
        if (everything())
            print_message("%s: %d shapes\n", ways[w].name, shapes);
    }
    hc_pool_destroy(pools[0]);
    hc_pool_destroy(pools[1]);
}

/* NaN and infinities reach the rows and columns that they belong to, and no other. */
static void test_not_finite(void **unused) {
    (void)unused;
    HcError error;
    HcPool *pool;
    assert_int_equal(hc_pool_create(2, &pool, &error), HC_OK);
    const Shape s = {.m = 37, .n = 51, .k = 67, .lda = 67, .ldb = 51, .ldc = 51};
    for (uint32_t w = 0; w < N_WAYS; w++) {
        if (!way_runs(&ways[w]))
            continue;
        Multiplier by;
        multiplier_begin(&by, &ways[w]);
        Kernels k = kernels_begin(&by, &s);
        float *a = draw_numbers(s.m * s.k), *b = draw_numbers(s.k * s.n),
              *c = draw_numbers(s.m * s.n);
        a[36 * s.k + 66] = NAN;
        b[66 * s.n + 50] = INFINITY;
        a[5 * s.k + 66] = 0; /* times infinity */
        run(&k, pool, &s, false, a, b, false, c);
        for (int64_t i = 0; i < s.m; i++)
            for (int64_t j = 0; j < s.n; j++) {
                const float x = c[i * s.n + j];
                const bool fits = i == 36 || (i == 5 && j == 50) ? isnan(x)
                                  : j == 50                      ? isinf(x) != 0
                                                                 : isfinite(x) != 0;
                if (!fits)
                    fail_msg("%s: c[%ld][%ld] is %g", ways[w].name, (long)i, (long)j, x);
            }
        free(a);
        free(b);
        free(c);
        kernels_end(&k);
        multiplier_end(&by);
    }
    hc_pool_destroy(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes),
                                       cmocka_unit_test(test_not_finite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
