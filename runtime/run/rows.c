/* A few rows times a matrix: what a model takes for one position more. Each number of the matrix is
 * read once and used once or a few times, so the time is that of reading it, which a product made
 * for reuse does not reach. Columns of the result are shared out by the shape alone, and every sum
 * has a fixed order: the bits are the same on any number of threads. */
#include "abi/layout.h"
#include "runtime/run/exec.h"

#include <string.h>

enum {
    ROWS_MOST = 4,
    ROWS_TASKS = 16,
    ROWS_TASK_BYTES = 1 << 17, /* of the matrix, worth handing to another thread */
    ROWS_SUMS = 32,            /* of a dot product, side by side */
    ROWS_AHEAD = 4096,         /* bytes that are fetched before they are needed */
    ROWS_LINE = 64
};

bool hc_rows_take(const HcCall *call, int64_t m) {
    return m <= ROWS_MOST && !call->transpose_a;
}

typedef struct {
    const HcCall *call;
    int64_t m, n, k, panel; /* columns of a task */
    void *const *abc;
} RowsJob;

/* What lies `ahead` bytes behind an element; there need be nothing. */
static inline void fetch(const void *element, uintptr_t ahead, uintptr_t bytes) {
    for (uintptr_t k = 0; k < bytes; k += ROWS_LINE)
        __builtin_prefetch((const void *)((uintptr_t)element + ahead + k));
}

/* dot: the matrix has a row for each column of the result. add: it has one for each term, four of
 * which are added at a time. */
#define DEFINE_ROWS(real, dot, add, task_of)                                                       \
    static real dot(const real *x, const real *y, int64_t k) {                                     \
        real sums[ROWS_SUMS] = {0};                                                                \
        int64_t i = 0;                                                                             \
        for (; i + ROWS_SUMS <= k; i += ROWS_SUMS) {                                               \
            fetch(y + i, ROWS_AHEAD, ROWS_SUMS * sizeof(real));                                    \
            for (int s = 0; s < ROWS_SUMS; s++)                                                    \
                sums[s] += x[i + s] * y[i + s];                                                    \
        }                                                                                          \
        for (int s = 0; i < k; i++, s++)                                                           \
            sums[s] += x[i] * y[i];                                                                \
        for (int half = ROWS_SUMS / 2; half > 0; half /= 2)                                        \
            for (int s = 0; s < half; s++)                                                         \
                sums[s] += sums[s + half];                                                         \
        return sums[0];                                                                            \
    }                                                                                              \
    static void add(real *to, const real *x, const real *from, int64_t n, int64_t k, int64_t ld) { \
        int64_t i = 0;                                                                             \
        for (; i + 4 <= k; i += 4) {                                                               \
            const real *a = from + i * ld, *b = a + ld, *c = b + ld, *d = c + ld;                  \
            const real xa = x[i], xb = x[i + 1], xc = x[i + 2], xd = x[i + 3];                     \
            for (int64_t next = 4; next < 8 && i + next < k; next++)                               \
                fetch(a + next * ld, 0, (uintptr_t)n * sizeof(real));                              \
            for (int64_t j = 0; j < n; j++)                                                        \
                to[j] += (xa * a[j] + xb * b[j]) + (xc * c[j] + xd * d[j]);                        \
        }                                                                                          \
        for (; i < k; i++)                                                                         \
            for (int64_t j = 0; j < n; j++)                                                        \
                to[j] += x[i] * from[i * ld + j];                                                  \
    }                                                                                              \
    static void task_of(void *argument, int64_t task, int32_t worker) {                            \
        (void)worker;                                                                              \
        const RowsJob *job = argument;                                                             \
        const HcCall *call = job->call;                                                            \
        const int64_t first = task * job->panel, left = job->n - first;                            \
        const int64_t n = left < job->panel ? left : job->panel;                                   \
        const real *a = job->abc[0], *b = job->abc[1];                                             \
        real *c = (real *)job->abc[2] + first;                                                     \
        for (int64_t r = 0; r < job->m; r++)                                                       \
            for (int64_t j = 0; j < n; j++)                                                        \
                c[r * call->ldc + j] =                                                             \
                    call->beta != 0 ? (real)call->beta * c[r * call->ldc + j] : 0;                 \
        for (int64_t j = 0; call->transpose_b && j < n; j++)                                       \
            for (int64_t r = 0; r < job->m; r++)                                                   \
                c[r * call->ldc + j] +=                                                            \
                    dot(a + r * call->lda, b + (first + j) * call->ldb, job->k);                   \
        for (int64_t r = 0; !call->transpose_b && r < job->m; r++)                                 \
            add(c + r * call->ldc, a + r * call->lda, b + first, n, job->k, call->ldb);            \
    }
DEFINE_ROWS(float, dot_f32, add_f32, task_f32)
DEFINE_ROWS(double, dot_f64, add_f64, task_f64)

void hc_rows_run(HcPool *pool, const HcCall *call, int64_t m, int64_t n, int64_t k,
                 int64_t element_bytes, void *const *abc) {
    const int64_t bytes = n * k * element_bytes, most = bytes / ROWS_TASK_BYTES;
    const int64_t tasks = most < 1 ? 1 : most > ROWS_TASKS ? ROWS_TASKS : most;
    const int64_t panel =
        (int64_t)hc_round_up(hc_divide_up((uint64_t)n, (uint64_t)tasks), HC_TILE_STEP);
    RowsJob job = {call, m, n, k, panel, abc};
    hc_pool_run(pool, (n + panel - 1) / panel, element_bytes == 4 ? task_f32 : task_f64, &job);
}
