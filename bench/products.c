/* Products alone: generated kernels against OpenBLAS (as OPENBLAS_CORETYPE has it), all shapes of a
 * step, in one process, in turns. bench/products.py runs it for every kind of core.
 *
 *   products THREADS ROUNDS f32|bf16 M,N,K,TA,TB ...
 *
 * prints a line a shape: the medians of both, in GFLOP/s, and the median of their ratios. */
#include "abi/tiles.h"
#include "base/compilation.h"
#include "codegen/codegen.h"
#include "lower/product.h"
#include "runtime/hc.h"
#include "runtime/run/aligned.h"
#include "runtime/run/clock.h"
#include "runtime/run/exec.h"
#include "runtime/run/product.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROUNDS = 101, PACK_LEFT = 0, PACK_RIGHT, MULTIPLY, N_KERNELS };

typedef struct {
    int64_t m, n, k;
    int ta, tb;
} Shape;

static int by_size(const void *x, const void *y) {
    const double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static double median(double *x, int n) {
    qsort(x, (size_t)n, sizeof *x, by_size);
    return x[n / 2];
}

static double least(const double *x, int n) {
    double l = x[0];
    for (int k = 1; k < n; k++)
        l = x[k] < l ? x[k] : l;
    return l;
}

static float *numbers(int64_t count) {
    float *x = hc_aligned((size_t)count * sizeof *x);
    uint32_t state = 1;
    for (int64_t k = 0; k < count; k++) {
        state = state * 1664525u + 1013904223u;
        x[k] = (float)(int32_t)state * 0x1p-31f;
    }
    return x;
}

static const HcModel *kernels_for(Compilation *c, const MachineProduct *m, const Shape *s,
                                  Jit **jit) {
    const char *error = NULL;
    CodegenTarget *target =
        codegen_target_create(c->arena, &(CodegenOptions){.cpu = "native", .opt_level = 3}, &error);
    const NestKernel *kernels[N_KERNELS] = {
        product_pack(c->arena, "pack_left", &(ProductPack){m, false, s->ta, s->ta ? s->m : s->k}),
        product_pack(c->arena, "pack_right", &(ProductPack){m, true, !s->tb, s->tb ? s->k : s->n}),
        product_multiply(c->arena, "multiply", m)};
    for (int k = 0; k < N_KERNELS; k++) {
        const char *wrong = nest_verify(kernels[k]);
        if (wrong) {
            fprintf(stderr, "%s\n", wrong);
            exit(1);
        }
    }
    CodegenModel model = {.kernels = kernels, .n_kernels = N_KERNELS, .symbol = "products"};
    CodegenResult object = codegen_compile(c->arena, target, &model, CODEGEN_OBJECT);
    if (getenv("PRODUCTS_ASM"))
        fputs(codegen_compile(c->arena, target, &model, CODEGEN_ASM).bytes, stderr);
    const HcModel *loaded;
    *jit = jit_load(c->arena, object.bytes, object.length, "products", &loaded, &error);
    codegen_target_destroy(target);
    return loaded;
}

int main(int argc, char **argv) {
    if (argc < 5)
        return 2;
    const int threads = atoi(argv[1]), rounds = atoi(argv[2]);
    const bool bf16 = strcmp(argv[3], "bf16") == 0;
    HcError error;
    HcPool *pool;
    HcBlas blas;
    const bool tiles = hc_tiles_ask() && !getenv("P_NOTILES");
    hc_process_init();
    if (rounds > MOST_ROUNDS || hc_pool_create(threads, &pool, &error) != HC_OK ||
        hc_blas_open(&blas, &error) != HC_OK)
        return 1;
    printf("OpenBLAS kernels for %s\n", blas.core);
    for (int k = 4; k < argc; k++) {
        Shape s;
        long m, n, kk;
        if (sscanf(argv[k], "%ld,%ld,%ld,%d,%d", &m, &n, &kk, &s.ta, &s.tb) != 5)
            return 2;
        s.m = m, s.n = n, s.k = kk;
        Compilation *c = compilation_create();
        const char *why;
        CodegenTarget *target = codegen_target_create(
            c->arena, &(CodegenOptions){.cpu = "native", .opt_level = 3}, &why);
        Machine machine = machine_of(codegen_target_vector_bytes(target),
                                     codegen_target_vector_registers(target));
        machine.tiles = tiles;
        MachineProduct p = machine_product(&machine, bf16);
        if (getenv("P_DEPTH"))
            p.depth = (uint32_t)atoi(getenv("P_DEPTH"));
        if (getenv("P_BLOCK"))
            p.block = (uint32_t)atoi(getenv("P_BLOCK"));
        if (getenv("P_ROWS"))
            p.rows = (uint32_t)atoi(getenv("P_ROWS"));
        if (getenv("P_VECTORS"))
            p.columns = (uint32_t)atoi(getenv("P_VECTORS")) * p.lanes;
        codegen_target_destroy(target);
        Jit *jit;
        const HcModel *model = kernels_for(c, &p, &s, &jit);
        const HcProductShape shape = {p.rows, p.columns, p.depth, p.block, p.bytes};
        float *a = numbers(m * kk), *b = numbers(kk * n), *own = numbers(m * n),
              *other = numbers(m * n);
        void *packed = hc_aligned(hc_product_packed_bytes(&shape, n, kk));
        const size_t stride = hc_product_scratch_bytes(&shape) + 4096 + 192;
        uint8_t *scratch = hc_aligned(stride * (size_t)threads);
        HcProduct product = {.pack_left = model->kernels[PACK_LEFT],
                             .pack_right = model->kernels[PACK_RIGHT],
                             .multiply = model->kernels[MULTIPLY],
                             .m = m,
                             .n = n,
                             .k = kk,
                             .transpose_a = s.ta,
                             .transpose_b = s.tb,
                             .lda = s.ta ? m : kk,
                             .ldb = s.tb ? kk : n,
                             .ldc = n,
                             .a = a,
                             .b = b,
                             .c = own};
        HcCall call = {.transpose_a = s.ta,
                       .transpose_b = s.tb,
                       .lda = product.lda,
                       .ldb = product.ldb,
                       .ldc = n};
        HcGemmSplit split = hc_gemm_split(m, n, kk, s.ta);
        void *abc[3] = {a, b, other};
        void *slices = hc_aligned((size_t)hc_gemm_slice_elements(&split) * 4 + 64);
        double ours[MOST_ROUNDS], theirs[MOST_ROUNDS], ratios[MOST_ROUNDS];
        for (int r = -2; r < rounds; r++) {
            double t0 = hc_now();
            hc_product_run(pool, &shape, &product, packed,
                           (HcProductScratch){scratch, stride, 4096});
            double t1 = hc_now();
            hc_gemm_run(&blas, pool, &call, &split, 4, abc, slices);
            double t2 = hc_now();
            if (r >= 0) {
                ours[r] = t1 - t0;
                theirs[r] = t2 - t1;
                ratios[r] = theirs[r] / ours[r];
            }
        }
        double worst = 0;
        for (int64_t i = 0; i < m * n; i++)
            worst = fmax(worst, fabs((double)own[i] - (double)other[i]));
        const double work = 2e-9 * (double)m * (double)n * (double)kk;
        printf("%5ld %5ld %5ld %d%d  generated %7.1f  OpenBLAS %7.1f GFLOP/s  ratio %5.2f  "
               "difference %.2g\n",
               m, n, kk, s.ta, s.tb, work / least(ours, rounds), work / least(theirs, rounds),
               median(ratios, rounds), worst);
        fflush(stdout);
        jit_unload(jit);
        compilation_destroy(c);
        free(a), free(b), free(own), free(other), free(packed), free(scratch), free(slices);
    }
    hc_pool_destroy(pool);
    return 0;
}
