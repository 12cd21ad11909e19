/* Products alone, for bench/products.py: generated kernels and OpenBLAS (with the kernels that
 * OPENBLAS_CORETYPE names) on the same operands.
 *
 *   bench_products CPU THREADS f32|bf16 M,N,K,A,B ...
 *
 * A is 1 where the left operand lies transposed, B the same of the right one. First both make every
 * product, and have to agree. Then a line `generated S` or `openblas S` on standard input is
 * answered with the seconds of product S, the fastest of a few: who compares decides about turns,
 * and about who else takes part in them. */
#include "abi/tiles.h"
#include "base/compilation.h"
#include "codegen/codegen.h"
#include "lower/product/product.h"
#include "runtime/hc.h"
#include "runtime/run/aligned.h"
#include "runtime/run/clock.h"
#include "runtime/run/exec.h"
#include "runtime/run/product.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PACK_LEFT,
    PACK_RIGHT,
    MULTIPLY,
    ROUND,
    DIRECT,
    DIRECT_ROUND,
    N_KERNELS,
    REPEATS = 3,
    SIDE_MOST = 1 << 15
};

static const double SETTLES = 5e-3; /* seconds */

/* What all products have. */
typedef struct {
    Compilation *c;
    CodegenTarget *target;
    MachineProduct machine;
    HcProductShape shape;
    HcPool *pool;
    HcBlas blas;
} Bench;

typedef struct {
    HcProduct product; /* by kernels, */
    Jit *jit;
    void *packed;
    HcProductScratch scratch;
    HcCall call; /* and by OpenBLAS */
    HcGemmSplit split;
    void *slices;
    float *a, *b, *generated, *blas;
    void *narrow_a, *narrow_b; /* what a step stores as bf16, or NULL */
    uint16_t *rounded;         /* the result, or NULL */
} Case;

static void must(bool good, const char *why) {
    if (good)
        return;
    fprintf(stderr, "bench_products: %s\n", why);
    exit(1);
}

/* --- preparing ---------------------------------------------------------------------------------*/

static void bench_create(Bench *b, const char *cpu, int threads, bool bf16) {
    HcError failure;
    const char *error = NULL;
    hc_process_init(); /* before OpenBLAS is there: it would start threads of its own */
    must(hc_pool_create(threads, &b->pool, &failure) == HC_OK, "no threads");
    must(hc_blas_open(&b->blas, &failure) == HC_OK, "no OpenBLAS");
    b->c = compilation_create();
    b->target =
        codegen_target_create(b->c->arena, &(CodegenOptions){.cpu = cpu, .opt_level = 3}, &error);
    must(b->target, error);
    Machine machine = machine_of(codegen_target_vector_bytes(b->target),
                                 codegen_target_vector_registers(b->target));
    const CodegenProducts by = codegen_target_products(b->target);
    machine.fma = by.fma;
    machine.dots = by.dots;
    machine.tiles = by.tiles;
    must(machine_has_products(&machine), "products are OpenBLAS's on this processor");
    must(!machine.tiles || hc_tiles_ask(), "the system gives no tiles");
    const MachineProduct *m = &b->machine;
    b->machine = machine_product(&machine, bf16);
    b->shape = (HcProductShape){m->rows, m->columns, m->depth, m->block, m->width, m->bytes};
}

/* As plan_product_is_direct has it. */
static bool is_direct(const Case *of, const Bench *b) {
    return b->machine.way == PRODUCT_TILES && of->narrow_a && !of->product.transpose_a &&
           of->product.k % b->machine.left_group == 0;
}

static void case_compile(Case *of, const Bench *b) {
    Arena *arena = b->c->arena;
    HcProduct *p = &of->product;
    const char *error = NULL;
    ProductPack left = {.product = &b->machine, .across = p->transpose_a, .step = p->lda},
                right = {.product = &b->machine,
                         .right = true,
                         .across = !p->transpose_b,
                         .step = p->ldb};
    if (p->bytes_a == sizeof(uint16_t))
        left.from = products_narrow(&left, (uint64_t)p->k);
    if (p->bytes_b == sizeof(uint16_t))
        right.from = products_narrow(&right, (uint64_t)p->k);
    const ProductForm sums = {0}, rounds = {.rounds = true}, direct = {.direct = p->lda},
                      both = {.direct = p->lda, .rounds = true};
    const NestKernel *kernels[N_KERNELS] = {
        product_pack(arena, "pack_left", &left),
        product_pack(arena, "pack_right", &right),
        product_multiply(arena, "multiply", &b->machine, &sums),
        product_multiply(arena, "round", &b->machine, &rounds),
        product_multiply(arena, "direct", &b->machine, &direct),
        product_multiply(arena, "direct_round", &b->machine, &both)};
    const int n_kernels = is_direct(of, b) ? N_KERNELS : DIRECT;
    for (int k = 0; k < n_kernels; k++)
        must(!nest_verify(kernels[k]), nest_verify(kernels[k]));
    const CodegenModel model = {
        .kernels = kernels, .n_kernels = (uint32_t)n_kernels, .symbol = "products"};
    const CodegenResult object = codegen_compile(arena, b->target, &model, CODEGEN_OBJECT);
    must(!object.error, object.error);
    const HcModel *loaded;
    of->jit = jit_load(arena, object.bytes, object.length, "products", &loaded, &error);
    must(of->jit, error);
    p->pack_left = loaded->kernels[PACK_LEFT];
    p->pack_right = loaded->kernels[PACK_RIGHT];
    p->multiply = &loaded->kernels[MULTIPLY];
    p->rounds = of->rounded;
    if (is_direct(of, b))
        p->direct = &loaded->kernels[DIRECT];
    of->scratch.own = (size_t)hc_align(nest_scratch_bytes(kernels[MULTIPLY]));
}

static void *memory(size_t bytes) {
    void *found = hc_aligned(bytes);
    must(found, "no memory");
    return found;
}

/* In -1 to 1, such that rounding them to bf16 changes nothing. */
static float *numbers(int64_t count, uint32_t state) {
    float *x = memory((size_t)count * sizeof *x);
    for (int64_t k = 0; k < count; k++) {
        state = state * 1664525u + 1013904223u;
        x[k] = (float)((int32_t)state >> 24) * 0x1p-7f;
    }
    return x;
}

/* They are bf16's already. */
static void *stored_narrow(const float *x, int64_t count) {
    uint16_t *to = memory((size_t)count * sizeof *to);
    for (int64_t k = 0; k < count; k++) {
        uint32_t bits;
        memcpy(&bits, &x[k], sizeof bits);
        to[k] = (uint16_t)(bits >> 16);
    }
    return to;
}

/* In a step results of kernels and of products are stored so, which weights and their gradients are
 * not. */
static void case_narrow(Case *of) {
    HcProduct *p = &of->product;
    p->a = of->narrow_a = stored_narrow(of->a, p->m * p->k);
    p->bytes_a = sizeof(uint16_t);
    if (!p->transpose_a) {
        p->c = of->rounded = memory((size_t)(p->m * p->n) * sizeof *of->rounded);
        return;
    }
    p->b = of->narrow_b = stored_narrow(of->b, p->k * p->n);
    p->bytes_b = sizeof(uint16_t);
}

static void case_create(Case *of, const Bench *b, const char *text) {
    long m, n, k;
    int ta, tb;
    must(sscanf(text, "%ld,%ld,%ld,%d,%d", &m, &n, &k, &ta, &tb) == 5 && m > 0 && n > 0 && k > 0 &&
             m <= SIDE_MOST && n <= SIDE_MOST && k <= SIDE_MOST,
         "a product is M,N,K,A,B");
    of->a = numbers(m * k, 1);
    of->b = numbers(k * n, 2);
    of->generated = numbers(m * n, 3);
    of->blas = numbers(m * n, 4);
    of->product = (HcProduct){.m = m,
                              .n = n,
                              .k = k,
                              .transpose_a = ta,
                              .transpose_b = tb,
                              .lda = ta ? m : k,
                              .ldb = tb ? k : n,
                              .ldc = n,
                              .bytes_a = sizeof(float),
                              .bytes_b = sizeof(float),
                              .a = (uint8_t *)of->a,
                              .b = (uint8_t *)of->b,
                              .c = of->generated};
    if (b->machine.bytes == sizeof(uint16_t))
        case_narrow(of);
    case_compile(of, b);
    of->packed = memory(hc_product_packed_bytes(&b->shape, m, n, k));
    of->scratch.stride =
        (size_t)hc_align(of->scratch.own + hc_product_scratch_bytes(&b->shape, of->rounded) + 1);
    of->scratch.at = memory(of->scratch.stride * (size_t)hc_pool_threads(b->pool));
    of->call = (HcCall){.transpose_a = ta,
                        .transpose_b = tb,
                        .lda = of->product.lda,
                        .ldb = of->product.ldb,
                        .ldc = n};
    of->split = hc_gemm_split(m, n, k, ta);
    of->slices = memory((size_t)hc_gemm_slice_elements(&of->split) * sizeof(float) + HC_ALIGN);
}

static void case_destroy(Case *of) {
    jit_unload(of->jit);
    free(of->packed);
    free(of->scratch.at);
    free(of->slices);
    free(of->narrow_a);
    free(of->narrow_b);
    free(of->rounded);
    free(of->a);
    free(of->b);
    free(of->generated);
    free(of->blas);
}

/* --- running -----------------------------------------------------------------------------------*/

static void run(const Bench *b, const Case *of, bool generated) {
    if (generated) {
        hc_product_run(b->pool, &b->shape, &of->product, of->packed, of->scratch);
        return;
    }
    void *const abc[3] = {of->a, of->b, of->blas};
    hc_gemm_run(&b->blas, b->pool, &of->call, &of->split, sizeof(float), abc, of->slices);
}

static void compare(const Bench *b, const Case *of) {
    const int64_t k = of->product.k, count = of->product.m * of->product.n;
    const double limit = 0x1p-23 * (4 + sqrt((double)k)) * sqrt((double)k + 1);
    run(b, of, true);
    run(b, of, false);
    for (int64_t i = 0; i < count; i++) {
        const double want = (double)of->blas[i], rounding = of->rounded ? 0x1p-8 * fabs(want) : 0,
                     got = hc_real_at(of->product.c, of->rounded ? 2 : 4, i);
        must(fabs(got - want) <= limit + rounding, "results differ");
    }
}

/* Those that find caches as others left them, and others' threads not asleep yet, do not count. */
static double fastest(const Bench *b, const Case *of, bool generated) {
    const double from = hc_now();
    double least = INFINITY;
    do
        run(b, of, generated);
    while (hc_now() - from < SETTLES);
    for (int k = 0; k < REPEATS; k++) {
        const double begun = hc_now();
        run(b, of, generated);
        least = fmin(least, hc_now() - begun);
    }
    return least;
}

static void answer(const Bench *b, const Case *cases, int n_cases) {
    char line[64], who[16];
    int which;
    while (fgets(line, sizeof line, stdin)) {
        must(sscanf(line, "%15s %d", who, &which) == 2 && which >= 0 && which < n_cases,
             "a question is WHO and a product's number");
        printf("%.9f\n", fastest(b, &cases[which], strcmp(who, "generated") == 0));
        fflush(stdout);
    }
}

int main(int argc, char **argv) {
    static const char *const ways[] = {[PRODUCT_FMA] = "f32",
                                       [PRODUCT_DOT] = "pairs of bf16",
                                       [PRODUCT_MATRICES] = "matrices of bf16",
                                       [PRODUCT_TILES] = "tiles of bf16"};
    must(argc > 4, "usage: bench_products CPU THREADS f32|bf16 M,N,K,A,B ...");
    Bench bench;
    bench_create(&bench, argv[1], atoi(argv[2]), strcmp(argv[3], "bf16") == 0);
    const int n_cases = argc - 4;
    Case *cases = calloc((size_t)n_cases, sizeof *cases);
    must(cases, "no memory");
    for (int k = 0; k < n_cases; k++) {
        case_create(&cases[k], &bench, argv[4 + k]);
        compare(&bench, &cases[k]);
    }
    printf("{\"openblas\": \"%s\", \"kernels\": \"%s\"}\n", bench.blas.core,
           ways[bench.machine.way]);
    fflush(stdout);
    answer(&bench, cases, n_cases);
    for (int k = 0; k < n_cases; k++)
        case_destroy(&cases[k]);
    free(cases);
    hc_pool_destroy(bench.pool);
    codegen_target_destroy(bench.target);
    compilation_destroy(bench.c);
    return 0;
}
