#include "runtime/run/muon.h"

#include "runtime/run/exec.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The polynomial that takes singular values of (0, 1] to about 1, and how often. */
#define QUINTIC_A 3.4445
#define QUINTIC_B (-4.7750)
#define QUINTIC_C 2.0315
#define SMALLEST_NORM 1e-7
enum { ITERATIONS = 5 };

/* --- which element is where --------------------------------------------------------------------*/

/* Where the elements of these axes lie, in their order; the others' index is 0. */
static void list_offsets(const HcParameterPlan *p, uint32_t axes, int64_t count, int64_t *to) {
    for (int64_t k = 0; k < count; k++) {
        int64_t rest = k, stride = 1;
        to[k] = 0;
        for (int32_t i = p->rank - 1; i >= 0; i--) {
            if (axes & 1u << i) {
                to[k] += rest % p->dims[i] * stride;
                rest /= p->dims[i];
            }
            stride *= p->dims[i];
        }
    }
}

static bool matrix_create(HcMatrix *matrix, uint32_t index, const HcParameterPlan *p) {
    *matrix = (HcMatrix){.parameter = index,
                         .n_apart = hc_parameter_extent(p, p->matrix.apart),
                         .n_free = hc_parameter_extent(p, p->matrix.free),
                         .n_summed = hc_parameter_extent(p, p->matrix.summed)};
    const size_t all = (size_t)(matrix->n_apart + matrix->n_free + matrix->n_summed);
    matrix->apart = calloc(all, sizeof *matrix->apart);
    if (!matrix->apart)
        return false;
    matrix->free = matrix->apart + matrix->n_apart;
    matrix->summed = matrix->free + matrix->n_free;
    list_offsets(p, p->matrix.apart, matrix->n_apart, matrix->apart);
    list_offsets(p, p->matrix.free, matrix->n_free, matrix->free);
    list_offsets(p, p->matrix.summed, matrix->n_summed, matrix->summed);
    return true;
}

/* --- life --------------------------------------------------------------------------------------*/

static int64_t rows_of(const HcMatrix *matrix) {
    return matrix->n_free < matrix->n_summed ? matrix->n_free : matrix->n_summed;
}

static bool is_matrix(const HcParameterPlan *p) {
    return hc_is_trained(p) && p->count && hc_muon_takes(p);
}

bool hc_muon_finds(const HcPlan *plan) {
    for (uint32_t k = 0; k < plan->n_parameters; k++)
        if (is_matrix(&plan->parameters[k]))
            return true;
    return false;
}

static bool find_matrices(HcMuon *muon, const HcShards *shards) {
    const HcPlan *plan = muon->plan;
    muon->matrices = calloc((size_t)plan->n_parameters + 1, sizeof *muon->matrices);
    for (uint32_t k = 0; muon->matrices && k < plan->n_parameters; k++) {
        const HcParameterPlan *p = &plan->parameters[k];
        if (!is_matrix(p) || !hc_shards_own(shards, &shards->chunks[shards->first[k]]))
            continue;
        if (!matrix_create(&muon->matrices[muon->n_matrices], k, p))
            return false;
        muon->n_matrices++;
    }
    return muon->matrices;
}

static bool make_room(HcMuon *muon) {
    size_t rows = 1, elements = 1, size = muon->plan->element_size;
    for (uint32_t k = 0; k < muon->n_matrices; k++) {
        const HcMatrix *matrix = &muon->matrices[k];
        const size_t own = (size_t)rows_of(matrix),
                     all = (size_t)(matrix->n_free * matrix->n_summed);
        rows = own > rows ? own : rows;
        elements = all > elements ? all : elements;
    }
    muon->sums = calloc(rows, sizeof *muon->sums);
    muon->x = hc_aligned_zero(elements * size);
    muon->y = hc_aligned_zero(elements * size);
    muon->gram = hc_aligned_zero(rows * rows * size);
    muon->next = hc_aligned_zero(rows * rows * size);
    muon->bytes = 2 * (elements + rows * rows) * size;
    return muon->sums && muon->x && muon->y && muon->gram && muon->next;
}

HcStatus hc_muon_create(HcMuon *muon, const HcShards *shards, const HcPlan *plan,
                        const HcBlas *blas, HcError *error) {
    *muon = (HcMuon){.plan = plan, .blas = blas};
    if (find_matrices(muon, shards) && make_room(muon))
        return HC_OK;
    const double bytes = (double)muon->bytes;
    hc_muon_destroy(muon);
    return hc_fail_size(error, "the optimiser's matrices", bytes);
}

void hc_muon_destroy(HcMuon *muon) {
    for (uint32_t k = 0; k < muon->n_matrices; k++)
        free(muon->matrices[k].apart);
    free(muon->matrices);
    free(muon->sums);
    free(muon->x);
    free(muon->y);
    free(muon->gram);
    free(muon->next);
    *muon = (HcMuon){0};
}

/* --- a step ------------------------------------------------------------------------------------*/

/* One matrix; rows are its shorter side. */
typedef struct {
    const HcMuonNumbers *numbers;
    int64_t rows, columns;
    const int64_t *row_at, *column_at;
    void *p, *m; /* of the matrix's first element */
    const void *g;
    void *x, *y, *gram, *next;
    double *sums, factor;
    bool f64;
} Job;

#define REAL float
#define NAME(x) x##_f32
#include "runtime/run/muon_loops.inc"
#undef REAL
#undef NAME
#define REAL double
#define NAME(x) x##_f64
#include "runtime/run/muon_loops.inc"

static void take_task(void *argument, int64_t row, int32_t worker) {
    (void)worker;
    const Job *job = argument;
    job->sums[row] = job->f64 ? take_f64(job, row) : take_f32(job, row);
}

#define ROW_TASK(name)                                                                             \
    static void name##_task(void *argument, int64_t row, int32_t worker) {                         \
        (void)worker;                                                                              \
        const Job *job = argument;                                                                 \
        if (job->f64)                                                                              \
            name##_f64(job, row);                                                                  \
        else                                                                                       \
            name##_f32(job, row);                                                                  \
    }
ROW_TASK(normalise)
ROW_TASK(combine)
ROW_TASK(apply)

/* c = a b + beta c, or a b': rows by columns, of so many terms. Sums are never cut, so that nothing
 * is needed besides. */
static void product(const HcMuon *muon, HcPool *pool, HcCall call, int64_t rows, int64_t columns,
                    int64_t terms, void *a, void *b, void *c) {
    const HcGemmSplit split = hc_gemm_split(rows, columns, terms, true);
    call.lda = terms;
    call.ldb = call.transpose_b ? terms : columns;
    call.ldc = columns;
    hc_gemm_run(muon->blas, pool, &call, &split, muon->plan->element_size, (void *[]){a, b, c},
                NULL);
}

static void orthogonalise(const HcMuon *muon, HcPool *pool, Job *job) {
    const int64_t rows = job->rows, columns = job->columns;
    for (int turn = 0; turn < ITERATIONS; turn++) {
        product(muon, pool, (HcCall){.transpose_b = true}, rows, rows, columns, job->x, job->x,
                job->gram);
        product(muon, pool, (HcCall){0}, rows, rows, rows, job->gram, job->gram, job->next);
        hc_pool_run(pool, rows, combine_task, job);
        product(muon, pool, (HcCall){.beta = QUINTIC_A}, rows, columns, rows, job->next, job->x,
                job->y);
        void *made = job->y;
        job->y = job->x;
        job->x = made;
    }
}

static void step_matrix(const HcMuon *muon, HcPool *pool, Job *job, double lr) {
    hc_pool_run(pool, job->rows, take_task, job);
    double sum = 0;
    for (int64_t row = 0; row < job->rows; row++)
        sum += job->sums[row];
    job->factor = 1 / (sqrt(sum) + SMALLEST_NORM);
    hc_pool_run(pool, job->rows, normalise_task, job);
    orthogonalise(muon, pool, job);
    job->factor = lr;
    hc_pool_run(pool, job->rows, apply_task, job);
}

void hc_muon_step(HcMuon *muon, HcPool *pool, uint32_t k, const HcMuonNumbers *numbers, void *p,
                  const void *g, void *m) {
    const HcMatrix *matrix = &muon->matrices[k];
    const bool wide = matrix->n_free <= matrix->n_summed;
    const int64_t size = muon->plan->element_size;
    const double tall = (double)matrix->n_free / (double)matrix->n_summed;
    for (int64_t i = 0; i < matrix->n_apart; i++) {
        const int64_t first = matrix->apart[i] * size;
        Job job = {.numbers = numbers,
                   .rows = wide ? matrix->n_free : matrix->n_summed,
                   .columns = wide ? matrix->n_summed : matrix->n_free,
                   .row_at = wide ? matrix->free : matrix->summed,
                   .column_at = wide ? matrix->summed : matrix->free,
                   .p = (uint8_t *)p + first,
                   .m = (uint8_t *)m + first,
                   .g = (const uint8_t *)g + first,
                   .x = muon->x,
                   .y = muon->y,
                   .gram = muon->gram,
                   .next = muon->next,
                   .sums = muon->sums,
                   .f64 = size == 8};
        step_matrix(muon, pool, &job, numbers->lr * sqrt(tall > 1 ? tall : 1));
    }
}
