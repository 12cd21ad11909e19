/* Matrix products by OpenBLAS, one thread each, on panels of the output that our own pool shares
 * out.
 *
 * OpenBLAS's rounding depends on the panel it is given, so panels depend on the shape of the
 * product and on nothing else. Panels of 192 rows and more with all columns are as fast as the
 * whole; cutting columns costs some 5 %, because OpenBLAS packs the rows anew; thin panels cost
 * more than either. Packing the columns costs as much as multiplying them by some 26 rows more, so
 * where there are far more columns than rows they are cut first; and where the summed side is the
 * longest by far (the gradient of a hidden state through a large vocabulary), the sum is cut:
 * slices of it are made apart and added up in order.
 */
#include "abi/layout.h"
#include "runtime/run/exec.h"

enum {
    PANEL_TASKS = 8,     /* enough to balance a few threads; large products have more */
    PANEL_ROWS = 512,    /* larger panels gain nothing */
    PANEL_STEP = 32,     /* multiples of OpenBLAS's register blocks */
    LONG = 16,           /* times as long as the other sides: the one to cut */
    SLICE_TERMS = 2048,  /* of a sum cut into slices, at least */
    SUM_ELEMENTS = 4096, /* of the result, a task */
};
#define NEVER (INT64_MAX / 2)
#define PANEL_WORK 8e6 /* flops worth handing to another thread */

static int64_t halve(int64_t size) {
    return (size / 2 + PANEL_STEP - 1) / PANEL_STEP * PANEL_STEP;
}

static int64_t panels(int64_t size, int64_t panel) {
    return (size + panel - 1) / panel;
}

/* Terms of each of so many parts of a sum. */
static int64_t even_part(int64_t k, int64_t parts) {
    return (int64_t)hc_round_up(hc_divide_up((uint64_t)k, (uint64_t)parts), HC_TILE_STEP);
}

/* How many tasks a product is worth. */
static int64_t wanted_tasks(int64_t m, int64_t n, int64_t k) {
    const double work = 2.0 * (double)m * (double)n * (double)k / PANEL_WORK;
    return work > PANEL_TASKS ? PANEL_TASKS : (int64_t)work;
}

HcGemmSplit hc_gemm_panels(int64_t m, int64_t n, int64_t k) {
    HcGemmSplit s = {.m = m, .n = n, .k = k, .panel_m = m, .panel_n = n, .chunk_k = k, .slices = 1};
    const int64_t wanted = wanted_tasks(m, n, k);
    while (s.panel_m > PANEL_ROWS && wanted > 0)
        s.panel_m = halve(s.panel_m);
    while (s.panel_n > LONG * s.panel_m && s.panel_n >= 2 * SLICE_TERMS &&
           panels(m, s.panel_m) * panels(n, s.panel_n) < wanted)
        s.panel_n = halve(s.panel_n);
    /* cheap cuts before dear ones */
    static const struct {
        int64_t rows, columns;
    } least[] = {{192, NEVER}, {NEVER, 384}, {64, NEVER}, {NEVER, 128}};
    for (size_t k0 = 0; k0 < sizeof least / sizeof least[0]; k0++) {
        while (s.panel_m >= 2 * least[k0].rows &&
               panels(m, s.panel_m) * panels(n, s.panel_n) < wanted)
            s.panel_m = halve(s.panel_m);
        while (s.panel_n >= 2 * least[k0].columns &&
               panels(m, s.panel_m) * panels(n, s.panel_n) < wanted)
            s.panel_n = halve(s.panel_n);
    }
    s.panels_m = m ? panels(m, s.panel_m) : 0;
    s.panels_n = n ? panels(n, s.panel_n) : 0;
    return s;
}

HcGemmSplit hc_gemm_split(int64_t m, int64_t n, int64_t k, bool over_positions) {
    HcGemmSplit s = hc_gemm_panels(m, n, k);
    const int64_t wanted = wanted_tasks(m, n, k), longest = m > n ? m : n;
    if (!over_positions && wanted > 1 && k >= LONG * longest && k >= 2 * SLICE_TERMS) {
        const int64_t slices = k / SLICE_TERMS < wanted ? k / SLICE_TERMS : wanted;
        s.panel_m = m;
        s.panel_n = n;
        s.panels_m = s.panels_n = 1;
        s.chunk_k = even_part(k, slices);
        s.slices = panels(k, s.chunk_k);
    } else if (over_positions && k > HC_SUM_POSITIONS) {
        s.chunk_k = even_part(k, panels(k, HC_SUM_POSITIONS));
    }
    return s;
}

typedef struct {
    const HcBlas *blas;
    const HcCall *call;
    const HcGemmSplit *split;
    int64_t element_bytes;
    void *const *abc;
    void *slices; /* results of the slices of a sum, one after the other */
} GemmJob;

static CBLAS_TRANSPOSE transpose(bool is) {
    return is ? CblasTrans : CblasNoTrans;
}

static void gemm_task(void *argument, int64_t task, int32_t worker) {
    (void)worker;
    const GemmJob *job = argument;
    const HcCall *call = job->call;
    const HcGemmSplit *s = job->split;
    int64_t m0 = task / s->panels_n * s->panel_m, n0 = task % s->panels_n * s->panel_n;
    int64_t m = s->m - m0 < s->panel_m ? s->m - m0 : s->panel_m;
    int64_t n = s->n - n0 < s->panel_n ? s->n - n0 : s->panel_n;
    CBLAS_TRANSPOSE ta = transpose(call->transpose_a), tb = transpose(call->transpose_b);
    int64_t c = m0 * call->ldc + n0;
    for (int64_t k0 = 0; k0 < s->k; k0 += s->chunk_k) {
        int64_t k = s->k - k0 < s->chunk_k ? s->k - k0 : s->chunk_k;
        int64_t a = call->transpose_a ? k0 * call->lda + m0 : m0 * call->lda + k0;
        int64_t b = call->transpose_b ? n0 * call->ldb + k0 : k0 * call->ldb + n0;
        double beta = k0 == 0 ? call->beta : 1;
        if (job->element_bytes == 4)
            job->blas->sgemm(CblasRowMajor, ta, tb, (blasint)m, (blasint)n, (blasint)k, 1,
                             (const float *)job->abc[0] + a, (blasint)call->lda,
                             (const float *)job->abc[1] + b, (blasint)call->ldb, (float)beta,
                             (float *)job->abc[2] + c, (blasint)call->ldc);
        else
            job->blas->dgemm(CblasRowMajor, ta, tb, (blasint)m, (blasint)n, (blasint)k, 1,
                             (const double *)job->abc[0] + a, (blasint)call->lda,
                             (const double *)job->abc[1] + b, (blasint)call->ldb, beta,
                             (double *)job->abc[2] + c, (blasint)call->ldc);
    }
}

/* One slice of the sum, by itself. */
static void slice_task(void *argument, int64_t task, int32_t worker) {
    const GemmJob *job = argument;
    const HcGemmSplit *s = job->split;
    const int64_t first = task * s->chunk_k, size = job->element_bytes;
    HcCall part = *job->call;
    part.ldc = s->n;
    part.beta = 0;
    HcGemmSplit alone = *s;
    alone.k = s->k - first < s->chunk_k ? s->k - first : s->chunk_k;
    alone.chunk_k = alone.k;
    uint8_t *a = job->abc[0], *b = job->abc[1], *to = job->slices;
    void *abc[3] = {a + (part.transpose_a ? first * part.lda : first) * size,
                    b + (part.transpose_b ? first : first * part.ldb) * size,
                    to + task * s->m * s->n * size};
    GemmJob slice = {job->blas, &part, &alone, job->element_bytes, abc, NULL};
    gemm_task(&slice, 0, worker);
}

/* Adds the slices up in order; elements of the result are shared out. */
#define DEFINE_SUM_SLICES(name, real)                                                              \
    static void name(void *argument, int64_t task, int32_t worker) {                               \
        (void)worker;                                                                              \
        const GemmJob *job = argument;                                                             \
        const HcGemmSplit *s = job->split;                                                         \
        const real *from = job->slices;                                                            \
        const int64_t all = s->m * s->n, end = (task + 1) * SUM_ELEMENTS;                          \
        for (int64_t i = task * SUM_ELEMENTS; i < (end < all ? end : all); i++) {                  \
            real *to = (real *)job->abc[2] + i / s->n * job->call->ldc + i % s->n;                 \
            real sum = from[i];                                                                    \
            for (int64_t k = 1; k < s->slices; k++)                                                \
                sum += from[k * all + i];                                                          \
            *to = job->call->beta != 0 ? sum + (real)job->call->beta * *to : sum;                  \
        }                                                                                          \
    }
DEFINE_SUM_SLICES(sum_slices_f32, float)
DEFINE_SUM_SLICES(sum_slices_f64, double)

int64_t hc_gemm_slice_elements(const HcGemmSplit *split) {
    return split->slices > 1 ? split->slices * split->m * split->n : 0;
}

void hc_gemm_run(const HcBlas *blas, HcPool *pool, const HcCall *call, const HcGemmSplit *split,
                 int64_t element_bytes, void *const *abc, void *slices) {
    GemmJob job = {blas, call, split, element_bytes, abc, slices};
    if (split->slices > 1) {
        hc_pool_run(pool, split->slices, slice_task, &job);
        hc_pool_run(pool, (split->m * split->n + SUM_ELEMENTS - 1) / SUM_ELEMENTS,
                    element_bytes == 4 ? sum_slices_f32 : sum_slices_f64, &job);
        return;
    }
    hc_pool_run(pool, split->panels_m * split->panels_n, gemm_task, &job);
}
