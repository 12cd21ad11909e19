/* The outer loops of a matrix product: the right operand is packed whole, by all threads, and so is
 * the left one where numbers are narrow and no kernel takes it as it lies. Then tasks of some rows
 * and some columns add the products of a block of terms after the other; a left operand that is not
 * packed yet they pack for themselves. Every number of the result is one chain of sums over all
 * terms, so tasks may be of any size: theirs depend on the shape, to fit caches and to keep threads
 * busy. */
#include "runtime/run/product.h"
#include "abi/layout.h"

enum {
    TASKS_A_THREAD = 4,
    STEP_ROWS = 32, /* fewer are not worth a kernel's calls */
};

typedef struct {
    const HcProductShape *shape;
    const HcProduct *of;
    const uint8_t *right;
    uint8_t *left;        /* packed whole like the right one; NULL where tasks pack it */
    uint8_t *packs_right; /* where it is packed now; NULL: it was before */
    HcProductScratch scratch;
    int64_t panels, left_panels, blocks;     /* of the operands; of terms */
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

/* Of an operand packed whole, in panels of so many rows or columns. */
static size_t operand_bytes(const HcProductShape *s, int64_t width, int64_t all, int64_t k) {
    return (size_t)(parts(all, width) * parts(k, s->depth)) * panel_bytes(s, width);
}

static bool packs_left(const HcProductShape *s) {
    return s->bytes < (int64_t)sizeof(float);
}

size_t hc_product_packed_bytes(const HcProductShape *s, int64_t m, int64_t n, int64_t k) {
    return operand_bytes(s, s->columns, n, k) +
           (packs_left(s) ? operand_bytes(s, s->rows, m, k) : 0);
}

static size_t rows_bytes(const HcProductShape *s) {
    return packs_left(s) ? 0 : panel_bytes(s, s->block);
}

size_t hc_product_scratch_bytes(const HcProductShape *s, bool rounds) {
    return rows_bytes(s) + (rounds ? (size_t)(s->block * s->width) * sizeof(float) : 0);
}

/* Panel `task` % panels of an operand, of block `task` / panels of its terms. */
static void pack(const ProductJob *job, int64_t task, bool right) {
    const HcProductShape *s = job->shape;
    const HcProduct *p = job->of;
    const int64_t panels = right ? job->panels : job->left_panels, block = task / panels;
    const bool along = right ? p->transpose_b : !p->transpose_a; /* terms lie side by side */
    const uint8_t *from = right ? p->b : p->a;
    const int64_t first = block * s->depth, step = (along   ? 1
                                                    : right ? p->ldb
                                                            : p->lda) *
                                                   (right ? p->bytes_b : p->bytes_a);
    const HcExtents extents = {.columns = right ? p->n : p->m,
                               .depth = least(p->k - first, s->depth)};
    uint8_t *to = right ? job->packs_right : job->left;
    void *const buffers[2] = {(void *)(from + first * step),
                              to + (size_t)(block * panels) *
                                       panel_bytes(s, right ? s->columns : s->rows)};
    (right ? p->pack_right : p->pack_left)(buffers, &extents, task % panels, NULL);
}

/* Panels of the right operand come first, where both are packed. */
static void pack_task(void *argument, int64_t task, int32_t worker) {
    (void)worker;
    const ProductJob *job = argument;
    const int64_t right = job->packs_right ? job->panels * job->blocks : 0;
    pack(job, task < right ? task : task - right, task < right);
}

/* A thread's own memory, behind that of `multiply`. */
static uint8_t *own_memory(const ProductJob *job, int32_t worker) {
    return job->scratch.at + (size_t)worker * job->scratch.stride + job->scratch.own;
}

/* The left operand's rows from `row` on, so many terms from `first` on: packed, in memory of the
 * thread's own. */
static uint8_t *pack_rows(const ProductJob *job, int64_t row, int64_t first,
                          const HcExtents *extents, int32_t worker) {
    const HcProduct *p = job->of;
    uint8_t *left = own_memory(job, worker);
    const int64_t at = p->transpose_a ? first * p->lda + row : row * p->lda + first;
    const uint8_t *a = p->a + at * p->bytes_a;
    const HcExtents rows = {.columns = extents->rows, .depth = extents->depth};
    for (int64_t panel = 0; panel * job->shape->rows < extents->rows; panel++)
        p->pack_left((void *const[]){(void *)a, left}, &rows, panel, NULL);
    return left;
}

/* Whether the left operand is multiplied as it lies. */
static bool is_direct(const HcProduct *p, const HcProductShape *s) {
    return p->direct && p->m % s->rows == 0;
}

/* The left operand of so many rows, and terms, from there on. */
static void *left_of(const ProductJob *job, int64_t row, int64_t first, const HcExtents *extents,
                     int32_t worker) {
    const HcProductShape *s = job->shape;
    const HcProduct *p = job->of;
    if (is_direct(p, s))
        return (void *)(p->a + (row * p->lda + first) * p->bytes_a);
    if (!job->left)
        return pack_rows(job, row, first, extents, worker);
    const int64_t panel = first / s->depth * job->left_panels + row / s->rows;
    return job->left + (size_t)panel * panel_bytes(s, s->rows);
}

static void multiply(void *argument, int64_t task, int32_t worker) {
    const ProductJob *job = argument;
    const HcProductShape *s = job->shape;
    const HcProduct *p = job->of;
    const int64_t row = task / job->across * job->task_rows,
                  column = task % job->across * job->task_columns;
    float *const sums = (float *)(own_memory(job, worker) + rows_bytes(s));
    const int64_t at = row * p->ldc + column;
    HcExtents extents = {.rows = least(p->m - row, job->task_rows),
                         .columns = least(p->n - column, job->task_columns),
                         .adds = p->adds};
    HcKernel *const *by = is_direct(p, s) ? p->direct : p->multiply;
    for (int64_t first = 0; first < p->k; first += s->depth, extents.adds = 1) {
        extents.depth = least(p->k - first, s->depth);
        const size_t right = (size_t)(first / s->depth * job->panels + column / s->columns);
        const bool rounds = p->rounds && first + s->depth >= p->k;
        extents.step = p->rounds && !rounds ? s->width : p->ldc;
        void *const buffers[4] = {left_of(job, row, first, &extents, worker),
                                  (void *)(job->right + right * panel_bytes(s, s->columns)),
                                  p->rounds ? sums : (float *)p->c + at, (uint16_t *)p->c + at};
        by[rounds](buffers, &extents, 0, job->scratch.at + (size_t)worker * job->scratch.stride);
    }
}

/* Tasks are as large as caches like them, or smaller, where there would be too few. */
static void share_out(ProductJob *job, int64_t threads) {
    const HcProductShape *s = job->shape;
    const HcProduct *p = job->of;
    const int64_t wanted = threads > 1 ? TASKS_A_THREAD * threads : 1;
    job->task_rows = least(s->block, up(p->m, s->rows));
    job->task_columns = up(p->n, s->columns);
    if (packs_left(s))
        job->task_columns = least(s->width, job->task_columns);
    const int64_t down = parts(p->m, job->task_rows);
    if (down * parts(p->n, job->task_columns) < wanted)
        job->task_columns = up(parts(p->n, parts(wanted, down)), s->columns);
    job->across = parts(p->n, job->task_columns);
    if (down * job->across < wanted)
        job->task_rows = up(parts(p->m, parts(wanted, job->across)), s->rows);
    job->task_rows = least(job->task_rows, s->block);
}

static ProductJob job_of(const HcProductShape *shape, const HcProduct *product) {
    return (ProductJob){.shape = shape,
                        .of = product,
                        .panels = parts(product->n, shape->columns),
                        .left_panels = parts(product->m, shape->rows),
                        .blocks = parts(product->k, shape->depth)};
}

size_t hc_product_right_bytes(const HcProductShape *s, int64_t n, int64_t k) {
    return operand_bytes(s, s->columns, n, k);
}

static void run_packing(HcPool *pool, ProductJob *job) {
    const int64_t right = job->packs_right ? job->panels : 0,
                  left = job->left ? job->left_panels : 0;
    if (right + left > 0)
        hc_pool_run(pool, (right + left) * job->blocks, pack_task, job);
}

void hc_product_pack_right(HcPool *pool, const HcProductShape *shape, const HcProduct *product,
                           void *right) {
    ProductJob job = job_of(shape, product);
    job.packs_right = right;
    run_packing(pool, &job);
}

/* Whole panels of columns, and whole groups of terms, of which such a panel has a whole number. */
int64_t hc_product_row_step(const HcProductShape *s) {
    return up(STEP_ROWS, s->columns);
}

/* So many terms from `first` on, all of one block. */
static void pack_terms(const ProductJob *job, int64_t first, int64_t terms) {
    const HcProductShape *s = job->shape;
    const HcProduct *p = job->of;
    const HcExtents extents = {.columns = p->n, .depth = terms};
    uint8_t *block =
        job->packs_right + (size_t)(first / s->depth * job->panels) * panel_bytes(s, s->columns);
    void *const buffers[2] = {(void *)(p->b + first * p->ldb * p->bytes_b),
                              block + first % s->depth * s->columns * s->bytes};
    for (int64_t panel = 0; panel < job->panels; panel++)
        p->pack_right(buffers, &extents, panel, NULL);
}

void hc_product_pack_rows(const HcProductShape *s, const HcProduct *p, int64_t first, int64_t rows,
                          void *right) {
    ProductJob job = job_of(s, p);
    const int64_t end = first + rows;
    job.packs_right = right;
    for (int64_t row = first; p->transpose_b && row < end; row += s->columns)
        for (int64_t block = 0; block < job.blocks; block++)
            pack(&job, block * job.panels + row / s->columns, true);
    for (int64_t row = first, terms; !p->transpose_b && row < end; row += terms) {
        terms = least(end - row, s->depth - row % s->depth);
        pack_terms(&job, row, terms);
    }
}

void hc_product_run(HcPool *pool, const HcProductShape *shape, const HcProduct *product,
                    void *packed, HcProductScratch scratch) {
    ProductJob job = job_of(shape, product);
    job.scratch = scratch;
    job.right = product->right ? product->right : packed;
    job.packs_right = product->right ? NULL : packed;
    if (packs_left(shape) && !is_direct(product, shape))
        job.left = (uint8_t *)packed +
                   (product->right ? 0 : hc_product_right_bytes(shape, product->n, product->k));
    run_packing(pool, &job);
    share_out(&job, hc_pool_threads(pool));
    hc_pool_run(pool, parts(product->m, job.task_rows) * job.across, multiply, &job);
}
