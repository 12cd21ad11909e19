/* Matrix products by OpenBLAS, one thread each, on panels of the output that our own pool shares
 * out.
 *
 * OpenBLAS's rounding depends on the panel it is given, so panels depend on the shape of the
 * product and on nothing else. Panels of 192 rows and more with all columns are as fast as the
 * whole; cutting columns costs some 5 %, because OpenBLAS packs the rows anew; thin panels cost
 * more than either.
 */
#include "runtime/exec.h"

#include <cblas.h>

enum {
    PANEL_TASKS = 8,       /* enough to balance a few threads; large products have more */
    PANEL_ROWS = 512,      /* larger panels gain nothing */
    PANEL_STEP = 32,       /* multiples of OpenBLAS's register blocks */
    CHUNK_POSITIONS = 512, /* positions accumulated by one call */
};
#define NEVER (INT64_MAX / 2)
#define PANEL_WORK 8e6 /* flops worth handing to another thread */

static int64_t halve(int64_t size) {
    return (size / 2 + PANEL_STEP - 1) / PANEL_STEP * PANEL_STEP;
}

static int64_t panels(int64_t size, int64_t panel) {
    return (size + panel - 1) / panel;
}

HcGemmSplit hc_gemm_split(int64_t m, int64_t n, int64_t k, bool over_positions) {
    HcGemmSplit s = {.m = m, .n = n, .k = k, .panel_m = m, .panel_n = n, .chunk_k = k};
    double work = 2.0 * (double)m * (double)n * (double)k / PANEL_WORK;
    int64_t wanted = work > PANEL_TASKS ? PANEL_TASKS : (int64_t)work;
    while (s.panel_m > PANEL_ROWS && work > 1)
        s.panel_m = halve(s.panel_m);
    /* cheap cuts before dear ones */
    static const struct {
        int64_t rows, columns;
    } least[] = {{192, NEVER}, {NEVER, 384}, {64, NEVER}, {NEVER, 128}};
    for (size_t k = 0; k < sizeof least / sizeof least[0]; k++) {
        while (s.panel_m >= 2 * least[k].rows &&
               panels(m, s.panel_m) * panels(n, s.panel_n) < wanted)
            s.panel_m = halve(s.panel_m);
        while (s.panel_n >= 2 * least[k].columns &&
               panels(m, s.panel_m) * panels(n, s.panel_n) < wanted)
            s.panel_n = halve(s.panel_n);
    }
    s.panels_m = m ? panels(m, s.panel_m) : 0;
    s.panels_n = n ? panels(n, s.panel_n) : 0;
    if (over_positions && k > CHUNK_POSITIONS) {
        int64_t chunks = (k + CHUNK_POSITIONS - 1) / CHUNK_POSITIONS;
        s.chunk_k = ((k + chunks - 1) / chunks + 15) / 16 * 16;
    }
    return s;
}

typedef struct {
    const HcCall *call;
    const HcGemmSplit *split;
    uint32_t element_size;
    void *const *abc;
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
        if (job->element_size == 4)
            cblas_sgemm(CblasRowMajor, ta, tb, (blasint)m, (blasint)n, (blasint)k,
                        (float)call->alpha, (const float *)job->abc[0] + a, (blasint)call->lda,
                        (const float *)job->abc[1] + b, (blasint)call->ldb, (float)beta,
                        (float *)job->abc[2] + c, (blasint)call->ldc);
        else
            cblas_dgemm(CblasRowMajor, ta, tb, (blasint)m, (blasint)n, (blasint)k, call->alpha,
                        (const double *)job->abc[0] + a, (blasint)call->lda,
                        (const double *)job->abc[1] + b, (blasint)call->ldb, beta,
                        (double *)job->abc[2] + c, (blasint)call->ldc);
    }
}

void hc_gemm_run(HcPool *pool, const HcCall *call, const HcGemmSplit *split, uint32_t element_size,
                 void *const *abc) {
    GemmJob job = {call, split, element_size, abc};
    hc_pool_run(pool, split->panels_m * split->panels_n, gemm_task, &job);
}

static void service_f32(int64_t ta, int64_t tb, int64_t m, int64_t n, int64_t k, float alpha,
                        const float *a, int64_t lda, const float *b, int64_t ldb, float beta,
                        float *c, int64_t ldc) {
    cblas_sgemm(CblasRowMajor, transpose(ta != 0), transpose(tb != 0), (blasint)m, (blasint)n,
                (blasint)k, alpha, a, (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
}

static void service_f64(int64_t ta, int64_t tb, int64_t m, int64_t n, int64_t k, double alpha,
                        const double *a, int64_t lda, const double *b, int64_t ldb, double beta,
                        double *c, int64_t ldc) {
    cblas_dgemm(CblasRowMajor, transpose(ta != 0), transpose(tb != 0), (blasint)m, (blasint)n,
                (blasint)k, alpha, a, (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
}

const HcServices hc_services = {service_f32, service_f64};

void hc_process_init(void) {
    openblas_set_num_threads(1);
}
