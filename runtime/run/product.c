/* The outer loops of a matrix product: the right operand is packed whole, by all threads; then
 * tasks of some rows and some columns each pack their rows of the left one, a block of terms after
 * the other, and add its products. Every number of the result is one chain of sums over all terms,
 * so tasks may be of any size: theirs depend on the shape, to keep threads busy. */
#include "runtime/run/product.h"
#include "abi/layout.h"

enum { TASKS_A_THREAD = 4 };

typedef struct {
    const HcProductShape *shape;
    const HcProduct *of;
    uint8_t *packed;
    HcProductScratch scratch;
    int64_t panels;                          /* of the right operand */
    int64_t task_rows, task_columns, across; /* tasks side by side */
} ProductJob;

static int64_t up(int64_t x, int64_t to) {
    return (int64_t)hc_round_up((uint64_t)x, (uint64_t)to);
}

static int64_t parts(int64_t x, int64_t by) {
    return (int64_t)hc_divide_up((uint64_t)x, (uint64_t)by);
}

static int64_t least(int64_t x, int64_t y) {
    return x < y ? x : y;
}

static size_t panel_bytes(const HcProductShape *s, int64_t width) {
    return (size_t)(width * s->depth * s->bytes);
}

size_t hc_product_packed_bytes(const HcProductShape *s, int64_t n, int64_t k) {
    return (size_t)(parts(n, s->columns) * parts(k, s->depth)) * panel_bytes(s, s->columns);
}

size_t hc_product_scratch_bytes(const HcProductShape *s) {
    return panel_bytes(s, s->block);
}

/* Panel `task` % panels of the right operand, of block `task` / panels of its terms. */
static void pack_right(void *argument, int64_t task, int32_t worker) {
    (void)worker;
    const ProductJob *job = argument;
    const HcProductShape *s = job->shape;
    const HcProduct *p = job->of;
    const int64_t first = task / job->panels * s->depth;
    const HcExtents extents = {.columns = p->n, .depth = least(p->k - first, s->depth)};
    void *const buffers[2] = {(void *)(p->b + first * (p->transpose_b ? 1 : p->ldb)),
                              job->packed + (size_t)(task / job->panels * job->panels) *
                                                panel_bytes(s, s->columns)};
    p->pack_right(buffers, &extents, task % job->panels, NULL);
}

static void multiply(void *argument, int64_t task, int32_t worker) {
    const ProductJob *job = argument;
    const HcProductShape *s = job->shape;
    const HcProduct *p = job->of;
    const int64_t row = task / job->across * job->task_rows,
                  column = task % job->across * job->task_columns;
    HcExtents extents = {.rows = least(p->m - row, job->task_rows),
                         .columns = least(p->n - column, job->task_columns),
                         .step = p->ldc,
                         .adds = p->adds};
    uint8_t *own = job->scratch.at + (size_t)worker * job->scratch.stride;
    uint8_t *left = own + job->scratch.own;
    for (int64_t first = 0; first < p->k; first += s->depth, extents.adds = 1) {
        extents.depth = least(p->k - first, s->depth);
        const float *a = p->transpose_a ? p->a + first * p->lda + row : p->a + row * p->lda + first;
        const HcExtents rows = {.columns = extents.rows, .depth = extents.depth};
        for (int64_t panel = 0; panel * s->rows < extents.rows; panel++)
            p->pack_left((void *const[]){(void *)a, left}, &rows, panel, NULL);
        const int64_t right = first / s->depth * job->panels + column / s->columns;
        void *const buffers[3] = {left, job->packed + (size_t)right * panel_bytes(s, s->columns),
                                  p->c + row * p->ldc + column};
        p->multiply(buffers, &extents, 0, own);
    }
}

/* Columns are shared out before rows are: the left operand is packed for each task. */
static void share_out(ProductJob *job, int64_t threads) {
    const int64_t wanted = threads > 1 ? TASKS_A_THREAD * threads : 1;
    const HcProductShape *s = job->shape;
    const HcProduct *p = job->of;
    job->task_rows = least(s->block, up(p->m, s->rows));
    const int64_t down = parts(p->m, job->task_rows);
    job->task_columns = up(parts(p->n, parts(wanted, down)), s->columns);
    job->across = parts(p->n, job->task_columns);
    if (down * job->across < wanted)
        job->task_rows = up(parts(p->m, parts(wanted, job->across)), s->rows);
    job->task_rows = least(job->task_rows, s->block);
}

void hc_product_run(HcPool *pool, const HcProductShape *shape, const HcProduct *product,
                    void *packed, HcProductScratch scratch) {
    ProductJob job = {.shape = shape,
                      .of = product,
                      .packed = packed,
                      .scratch = scratch,
                      .panels = parts(product->n, shape->columns)};
    share_out(&job, hc_pool_threads(pool));
    hc_pool_run(pool, job.panels * parts(product->k, shape->depth), pack_right, &job);
    hc_pool_run(pool, parts(product->m, job.task_rows) * job.across, multiply, &job);
}
