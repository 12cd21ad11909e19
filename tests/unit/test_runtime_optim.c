/* Random numbers, the recipe, and the optimisers against literal references in double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "runtime/run/optim.h"
#include "runtime/run/rng.h"
#include "runtime_model.h"

/* --- random numbers ----------------------------------------------------------------------------*/

/* Known answers of Philox 4x32-10 (Random123's kat_vectors). */
static void philox_gives_the_published_words(void **state) {
    (void)state;
    uint32_t block[4];
    static const uint32_t zeros[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    static const uint32_t ones[4] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    static const uint32_t pi[4] = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
    hc_rng_block(0, 0, 0, block);
    assert_memory_equal(block, zeros, sizeof block);
    hc_rng_block(UINT64_MAX, UINT64_MAX, UINT64_MAX, block);
    assert_memory_equal(block, ones, sizeof block);
    hc_rng_block(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88, block);
    assert_memory_equal(block, pi, sizeof block);
}

static void any_part_of_a_stream_is_the_same(void **state) {
    (void)state;
    double all[101], part[40];
    hc_rng_normal(5, 9, 0, 101, 1, 2, 8, all);
    hc_rng_normal(5, 9, 33, 40, 1, 2, 8, part);
    assert_memory_equal(all + 33, part, sizeof part);
    hc_rng_normal(5, 10, 33, 40, 1, 2, 8, part);
    assert_memory_not_equal(all + 33, part, sizeof part);
    hc_rng_uniform(5, 9, 0, 101, -1, 3, 8, all);
    for (int k = 0; k < 101; k++)
        assert_true(all[k] > -1 && all[k] < 3);
}

static void moments_are_those_of_the_distribution(void **state) {
    (void)state;
    enum { N = 200000 };
    double *x = malloc(N * sizeof *x), m1 = 0, m2 = 0, m4 = 0;
    hc_rng_normal(1, hc_rng_stream("x"), 0, N, 0, 1, 8, x);
    for (int k = 0; k < N; k++) {
        m1 += x[k];
        m2 += x[k] * x[k];
        m4 += x[k] * x[k] * x[k] * x[k];
    }
    assert_true(fabs(m1 / N) < 0.01 && fabs(m2 / N - 1) < 0.02 && fabs(m4 / N - 3) < 0.1);
    int counts[7] = {0};
    for (uint64_t k = 0; k < 70000; k++)
        counts[hc_rng_below(1, 2, k, 7)]++;
    for (int k = 0; k < 7; k++)
        assert_true(counts[k] > 9500 && counts[k] < 10500);
    free(x);
}

/* --- the recipe --------------------------------------------------------------------------------*/

static void the_schedule_warms_up_and_ends_at_the_floor(void **state) {
    (void)state;
    HcRecipe r = {.lr = 2, .floor = 0.1, .warmup = 4, .steps = 21, .schedule = HC_COSINE};
    assert_true(hc_recipe_lr(&r, 0) == 0.5);
    assert_true(hc_recipe_lr(&r, 3) == 2);
    assert_true(hc_recipe_lr(&r, 4) == 2);
    assert_true(fabs(hc_recipe_lr(&r, 12) - 2 * (0.1 + 0.9 * 0.5)) < 1e-12);
    assert_true(fabs(hc_recipe_lr(&r, 20) - 0.2) < 1e-15);
    for (int64_t step = 5; step < 21; step++)
        assert_true(hc_recipe_lr(&r, step) < hc_recipe_lr(&r, step - 1));
    r.schedule = HC_CONSTANT;
    assert_true(hc_recipe_lr(&r, 20) == 2 && hc_recipe_lr(&r, 1) == 1);
    r = (HcRecipe){.lr = 3, .steps = 1, .schedule = HC_COSINE};
    assert_true(hc_recipe_lr(&r, 0) == 3);
}

/* The rate of these steps, for a recipe whose peak is 2. */
typedef struct {
    HcRecipe recipe;
    struct {
        int64_t step;
        double lr;
    } at[8]; /* until a rate is 0 */
} Rates;

static void schedules_turn_where_they_say(void **state) {
    (void)state;
    static const Rates rates[] = {
        {{.schedule = HC_LINEAR, .warmup = 4, .steps = 21, .floor = 0.5},
         {{0, 0.5}, {3, 2}, {4, 2}, {8, 1.75}, {12, 1.5}, {20, 1}, {25, 1}}},
        {{.schedule = HC_LINEAR, .steps = 5, .floor = 0.5}, {{0, 2}, {2, 1.5}, {4, 1}}},
        {{.schedule = HC_LINEAR, .steps = 1, .floor = 0.5}, {{0, 2}}},
        /* 8 of 40 steps fall: 32 to 39 */
        {{.schedule = HC_WSD, .warmup = 4, .steps = 40, .decay = 0.2, .floor = 0.5},
         {{0, 0.5}, {3, 2}, {4, 2}, {31, 2}, {32, 1.875}, {35, 1.5}, {39, 1}, {50, 1}}},
        /* 7, not 8 as 0.07 * 100 rounded up would be */
        {{.schedule = HC_WSD, .steps = 100, .decay = 0.07, .floor = 0.5},
         {{0, 2}, {92, 2}, {93, 2 - 1.0 / 7}, {99, 1}}},
        /* what falls before the warm-up's end begins there */
        {{.schedule = HC_WSD, .warmup = 4, .steps = 9, .decay = 1, .floor = 0.5},
         {{3, 2}, {4, 2}, {6, 1.5}, {8, 1}}},
        {{.schedule = HC_WSD, .warmup = 4, .steps = 9, .decay = 0, .floor = 0.5}, {{4, 2}, {8, 2}}},
        {{.schedule = HC_WSD, .warmup = 9, .steps = 4, .decay = 0.5}, {{0, 2.0 / 9}, {3, 8.0 / 9}}},
    };
    for (size_t k = 0; k < sizeof rates / sizeof *rates; k++) {
        HcRecipe recipe = rates[k].recipe;
        recipe.lr = 2;
        for (int i = 0; i < 8 && rates[k].at[i].lr != 0; i++) {
            const double lr = hc_recipe_lr(&recipe, rates[k].at[i].step);
            if (fabs(lr - rates[k].at[i].lr) > 1e-15)
                fail_msg("schedule %zu, step %lld: %.17g", k, (long long)rates[k].at[i].step, lr);
        }
    }
}

static void recipes_take_good_values_and_refuse_others(void **state) {
    (void)state;
    HcRecipe r = {0};
    HcError error;
    assert_int_equal(hc_recipe_set(&r, "train.lr", "1e-3", &error), HC_OK);
    assert_true(r.lr == 1e-3);
    assert_int_equal(hc_recipe_set(&r, "steps", "250", &error), HC_OK);
    assert_int_equal(hc_recipe_set(&r, "seed", "9007199254740993", &error), HC_OK);
    assert_true(r.steps == 250 && r.seed == UINT64_C(9007199254740993));
    static const char *const wrong[][3] = {
        {"lr", "abc", "not a number"},   {"lr", "1e400", "not a number"},
        {"lr", "-1", "from 0"},          {"lr", "", "not a number"},
        {"steps", "2.5", "whole"},       {"batch", "0", "from 1"},
        {"batch", "1e300", "from 1"},    {"lr", "1 2", "not a number"},
        {"stps", "1", "`train.steps`"},  {"train.weight_deca", "1", "`train.weight_decay`"},
        {"zzzzzzzzz", "1", "constants"}, {"seed", "-3", "from 0"},
        {"beta1", "1", "less than 1"},   {"beta2", "-0.1", "from 0"},
        {"momentum", "0.5", "takes lr"}, {"floor", "0.5", "`constant` has no `floor`"},
        {"seed", "1e16", "digits"},      {"steps", "1e13", "to 1e+12"},
        {"lr", "nan", "not a number"},   {"decay", "0.5", "`constant` has no `decay`"},
    };
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        assert_int_equal(hc_recipe_set(&r, wrong[k][0], wrong[k][1], &error), HC_ERROR_ARGUMENT);
        if (!strstr(error.message, wrong[k][2]))
            fail_msg("%s=%s: %s", wrong[k][0], wrong[k][1], error.message);
    }
    assert_true(r.lr == 1e-3 && r.steps == 250);
    r.optimizer = HC_SGD;
    r.schedule = HC_COSINE;
    assert_int_equal(hc_recipe_set(&r, "batch", "12 in 4", &error), HC_OK);
    assert_true(r.batch == 12 && r.parts == 4);
    assert_int_equal(hc_recipe_set(&r, "train.batch", "12 in 5", &error), HC_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "equal parts"));
    assert_int_equal(hc_recipe_set(&r, "parts", "3", &error), HC_ERROR_ARGUMENT);
    assert_true(r.batch == 12 && r.parts == 4);
    assert_int_equal(hc_recipe_set(&r, "batch", "1", &error), HC_OK);
    assert_true(r.batch == 1 && r.parts == 1);
    assert_int_equal(hc_recipe_set(&r, "momentum", "0.5", &error), HC_OK);
    assert_int_equal(hc_recipe_set(&r, "floor", "0.5", &error), HC_OK);
    assert_int_equal(hc_recipe_set(&r, "eps", "1", &error), HC_ERROR_ARGUMENT);
    json_t *json = hc_recipe_json(&r);
    assert_int_equal(json_integer_value(json_object_get(json, "seed")), INT64_C(9007199254740993));
    assert_true(json_real_value(json_object_get(json, "floor")) == 0.5);
    assert_null(json_object_get(json, "beta1"));
    HcRecipe same = {.optimizer = HC_SGD, .schedule = HC_COSINE};
    assert_int_equal(hc_recipe_read(&same, json, &error), HC_OK);
    assert_true(same.seed == r.seed && same.momentum == 0.5 && same.weight_decay == 0);
    json_decref(json);
}

/* --- optimisers --------------------------------------------------------------------------------*/

enum { N = 40000, SLAB = 40064 + 64 };

/* Two parameters: one decays, the other does not, has half the rate and is of a connection; a third
 * is frozen. Offsets are in elements here. */
static const HcParameterPlan parameters[] = {
    {.count = N - 5000, .offset = 0, .decay = true, .gradient = true, .lr_scale = 1},
    {.count = 5000, .offset = N - 5000, .gradient = true, .of_connection = true, .lr_scale = 0.5},
    {.count = 16, .offset = 40064, .decay = true, .gradient = true, .frozen = true, .lr_scale = 1},
    {.count = 16, .offset = 40080, .decay = true, .gradient = false, .lr_scale = 1},
};

enum { N_PARAMETERS = sizeof parameters / sizeof parameters[0] };

static HcPlan plan_of(HcParameterPlan placed[N_PARAMETERS], uint32_t size) {
    for (int k = 0; k < N_PARAMETERS; k++) {
        placed[k] = parameters[k];
        placed[k].offset *= size;
        placed[k].element = size == 4 ? HC_ELEMENT_F32 : HC_ELEMENT_F64;
    }
    return (HcPlan){.element_size = size,
                    .n_parameters = N_PARAMETERS,
                    .parameters = placed,
                    .slab_bytes = SLAB * (int64_t)size};
}

static double draw(int64_t k, int salt) {
    double x;
    hc_rng_normal(77, (uint64_t)salt, (uint64_t)k, 1, 0, 1, 8, &x);
    return x;
}

static void literal_step(const HcRecipe *r, int step, double lr, double scale, double *p,
                         const double *g, double *m, double *v) {
    for (int64_t k = 0; k < N; k++) {
        const HcParameterPlan *owner = &parameters[k >= N - 5000];
        double rate = lr * owner->lr_scale * (owner->of_connection ? r->connection_lr : 1);
        double decay = owner->decay ? r->weight_decay : 0;
        double gk = g[k] * scale;
        if (r->optimizer == HC_ADAMW) {
            p[k] -= rate * decay * p[k];
            m[k] = r->beta1 * m[k] + (1 - r->beta1) * gk;
            v[k] = r->beta2 * v[k] + (1 - r->beta2) * gk * gk;
            double mean = m[k] / (1 - pow(r->beta1, step + 1));
            double square = v[k] / (1 - pow(r->beta2, step + 1));
            p[k] -= rate * mean / (sqrt(square) + r->eps);
        } else if (r->optimizer == HC_LION) {
            const double u = r->beta1 * m[k] + (1 - r->beta1) * gk;
            p[k] -= rate * ((u > 0 ? 1 : u < 0 ? -1 : 0) + decay * p[k]);
            m[k] = r->beta2 * m[k] + (1 - r->beta2) * gk;
        } else {
            gk += decay * p[k];
            m[k] = r->momentum * m[k] + gk;
            p[k] -= rate * m[k];
        }
    }
}

static void compare(HcOptimizer kind, uint32_t size, double tolerance) {
    HcRecipe recipe = {.optimizer = kind,
                       .beta1 = 0.9,
                       .beta2 = 0.95,
                       .eps = 1e-8,
                       .weight_decay = 0.1,
                       .momentum = 0.8,
                       .connection_lr = 0.75};
    HcParameterPlan placed[N_PARAMETERS];
    HcPlan plan = plan_of(placed, size);
    double *p = calloc(SLAB, 8), *g = calloc(SLAB, 8), *m = calloc(SLAB, 8), *v = calloc(SLAB, 8);
    void *params = aligned_alloc(64, SLAB * 8), *grads = aligned_alloc(64, SLAB * 8);
    HcOptim optim;
    HcPool *pool;
    assert_int_equal(hc_pool_create(2, &pool, NULL), HC_OK);
    assert_int_equal(hc_optim_create(&optim, &plan, &recipe, NULL, NULL, NULL), HC_OK);
    for (int64_t k = 0; k < SLAB; k++) {
        p[k] = size == 4 ? (float)draw(k, 0) : draw(k, 0);
        if (size == 4)
            ((float *)params)[k] = (float)p[k];
        else
            ((double *)params)[k] = p[k];
    }
    for (int step = 0; step < 5; step++) {
        double squares = 0;
        for (int64_t k = 0; k < SLAB; k++) {
            g[k] = size == 4 ? (float)draw(k, step + 1) : draw(k, step + 1);
            g[k] = k % 101 == 0 ? 0 : g[k];
            squares += k < N ? g[k] * g[k] : 0;
            if (size == 4)
                ((float *)grads)[k] = (float)g[k];
            else
                ((double *)grads)[k] = g[k];
        }
        double norm;
        assert_int_equal(hc_optim_norm(&optim, pool, grads, &norm, NULL), HC_OK);
        assert_true(fabs(norm - sqrt(squares)) < 1e-11 * norm);
        hc_optim_step(&optim, pool, &recipe, step, 1e-2, 0.25, params, grads);
        literal_step(&recipe, step, 1e-2, 0.25, p, g, m, v);
    }
    for (int64_t k = 0; k < SLAB; k++) {
        double got = size == 4 ? (double)((float *)params)[k] : ((double *)params)[k];
        if (fabs(got - p[k]) > tolerance)
            fail_msg("element %lld: %.17g, not %.17g", (long long)k, got, p[k]);
    }
    hc_optim_destroy(&optim);
    hc_pool_destroy(pool);
    free(p);
    free(g);
    free(m);
    free(v);
    free(params);
    free(grads);
}

static void adamw_equals_its_definition(void **state) {
    (void)state;
    compare(HC_ADAMW, 8, 1e-13);
    compare(HC_ADAMW, 4, 2e-6);
}

static void sgd_equals_its_definition(void **state) {
    (void)state;
    compare(HC_SGD, 8, 1e-14);
    compare(HC_SGD, 4, 2e-6);
}

static void lion_equals_its_definition(void **state) {
    (void)state;
    compare(HC_LION, 8, 1e-14);
    compare(HC_LION, 4, 2e-6);
}

/* --- matrices ----------------------------------------------------------------------------------*/

/* Axes before, between and behind each other; tall, wide, large enough for several panels; and one
 * that is no matrix. Offsets are in elements here. */
static const HcParameterPlan shapes[] = {
    {.rank = 2, .dims = {257, 130}, .count = 33410, .matrix = {.free = 1, .summed = 2}},
    {.rank = 3, .dims = {6, 4, 65}, .count = 1560, .matrix = {.free = 3, .summed = 4}},
    {.rank = 3, .dims = {9, 3, 7}, .count = 189, .matrix = {.free = 1, .apart = 2, .summed = 4}},
    {.rank = 4, .dims = {3, 2, 5, 4}, .count = 120, .matrix = {.free = 8, .apart = 2, .summed = 5}},
    {.rank = 1, .dims = {33}, .count = 33},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes, SHAPES = 35360 };

static HcPlan plan_of_shapes(HcParameterPlan placed[N_SHAPES], uint32_t size) {
    int64_t offset = 0;
    for (int k = 0; k < N_SHAPES; k++) {
        placed[k] = shapes[k];
        placed[k].offset = offset * size;
        placed[k].element = size == 4 ? HC_ELEMENT_F32 : HC_ELEMENT_F64;
        placed[k].gradient = true;
        placed[k].decay = k != 1;
        placed[k].lr_scale = k == 2 ? 0.5 : 1;
        offset += (shapes[k].count + 15) / 16 * 16;
    }
    assert_int_equal(offset, SHAPES);
    return (HcPlan){.element_size = size,
                    .n_parameters = N_SHAPES,
                    .parameters = placed,
                    .slab_bytes = SHAPES * (int64_t)size};
}

/* The k-th element of these axes, the last running fastest. */
static int64_t element_of(const HcParameterPlan *p, uint32_t axes, int64_t k) {
    int64_t at = 0, stride = 1;
    for (int i = p->rank - 1; i >= 0; stride *= p->dims[i--])
        if (axes & 1u << i) {
            at += k % p->dims[i] * stride;
            k /= p->dims[i];
        }
    return at;
}

/* x: rows by columns. As github.com/KellerJordan/Muon, zeropower_via_newtonschulz5. */
static void literal_orthogonal(int64_t rows, int64_t columns, double *x) {
    const int64_t most = rows * rows > rows * columns ? rows * rows : rows * columns;
    double *a = calloc((size_t)most, 8), *b = calloc((size_t)most, 8), norm = 0;
    double *y = calloc((size_t)most, 8);
    for (int64_t k = 0; k < rows * columns; k++)
        norm += x[k] * x[k];
    for (int64_t k = 0; k < rows * columns; k++)
        x[k] /= sqrt(norm) + 1e-7;
    for (int turn = 0; turn < 5; turn++) {
        memset(a, 0, (size_t)most * 8);
        memset(b, 0, (size_t)most * 8);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < rows; j++)
                for (int64_t k = 0; k < columns; k++)
                    a[i * rows + j] += x[i * columns + k] * x[j * columns + k];
        for (int64_t i = 0; i < rows; i++)
            for (int64_t k = 0; k < rows; k++)
                for (int64_t j = 0; j < rows; j++)
                    b[i * rows + j] += 2.0315 * a[i * rows + k] * a[k * rows + j];
        for (int64_t k = 0; k < rows * rows; k++)
            b[k] -= 4.7750 * a[k];
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) {
                double sum = 3.4445 * x[i * columns + j];
                for (int64_t k = 0; k < rows; k++)
                    sum += b[i * rows + k] * x[k * columns + j];
                y[i * columns + j] = sum;
            }
        memcpy(x, y, (size_t)(rows * columns) * 8);
    }
    free(a);
    free(b);
    free(y);
}

static void literal_matrix(const HcRecipe *r, const HcParameterPlan *of, int64_t apart, double lr,
                           double *p, const double *g, double *m) {
    const int64_t rows = hc_parameter_extent(of, of->matrix.free),
                  columns = hc_parameter_extent(of, of->matrix.summed);
    const bool turned = rows > columns;
    double *x = calloc((size_t)of->count, 8);
    for (int half = 0; half < 2; half++) {
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) {
                const int64_t at = element_of(of, of->matrix.apart, apart) +
                                   element_of(of, of->matrix.free, i) +
                                   element_of(of, of->matrix.summed, j);
                double *to = &x[turned ? j * rows + i : i * columns + j];
                if (half == 0) {
                    m[at] += (1 - r->momentum) * (0.25 * g[at] - m[at]);
                    *to = 0.25 * g[at] + r->momentum * (m[at] - 0.25 * g[at]);
                } else {
                    p[at] *= 1 - lr * (of->decay ? r->weight_decay : 0);
                    p[at] -= lr * sqrt(fmax(1, (double)rows / (double)columns)) * *to;
                }
            }
        if (half == 0)
            literal_orthogonal(turned ? columns : rows, turned ? rows : columns, x);
    }
    free(x);
}

/* What no matrix takes is AdamW's, at its own rate: adamw_lr where lr is the schedule's peak. */
static void literal_rest(const HcRecipe *r, const HcParameterPlan *of, int step, double *p,
                         const double *g, double *m, double *v) {
    const double lr = 1e-2 / r->lr * r->adamw_lr;
    for (int64_t k = 0; k < of->count; k++) {
        p[k] -= lr * r->weight_decay * p[k];
        m[k] = r->beta1 * m[k] + (1 - r->beta1) * 0.25 * g[k];
        v[k] = r->beta2 * v[k] + (1 - r->beta2) * 0.0625 * g[k] * g[k];
        p[k] -= lr * m[k] / (1 - pow(r->beta1, step + 1)) /
                (sqrt(v[k] / (1 - pow(r->beta2, step + 1))) + r->eps);
    }
}

/* By `threads` threads; fills `params` and compares with the literal one unless tolerance is 0. */
static void compare_matrices(int32_t threads, uint32_t size, double tolerance, void *params) {
    const HcRecipe recipe = {.optimizer = HC_MUON,
                             .lr = 0.02,
                             .adamw_lr = 0.005,
                             .beta1 = 0.9,
                             .beta2 = 0.95,
                             .eps = 1e-10,
                             .weight_decay = 0.1,
                             .momentum = 0.95};
    HcParameterPlan placed[N_SHAPES];
    const HcPlan plan = plan_of_shapes(placed, size);
    double *p = calloc(SHAPES, 8), *g = calloc(SHAPES, 8), *m = calloc(SHAPES, 8);
    double v[33] = {0};
    void *grads = aligned_alloc(64, SHAPES * 8);
    HcBlas blas;
    HcOptim optim;
    HcPool *pool;
    assert_int_equal(hc_blas_open(&blas, NULL), HC_OK);
    assert_int_equal(hc_pool_create(threads, &pool, NULL), HC_OK);
    assert_int_equal(hc_optim_create(&optim, &plan, &recipe, &blas, NULL, NULL), HC_OK);
    for (int64_t k = 0; k < SHAPES; k++) {
        p[k] = size == 4 ? (float)draw(k, 0) : draw(k, 0);
        if (size == 4)
            ((float *)params)[k] = (float)p[k];
        else
            ((double *)params)[k] = p[k];
    }
    for (int step = 0; step < 2; step++) {
        for (int64_t k = 0; k < SHAPES; k++) {
            g[k] = size == 4 ? (float)draw(k, step + 1) : draw(k, step + 1);
            if (size == 4)
                ((float *)grads)[k] = (float)g[k];
            else
                ((double *)grads)[k] = g[k];
        }
        hc_optim_step(&optim, pool, &recipe, step, 1e-2, 0.25, params, grads);
        for (int k = 0; tolerance > 0 && k < N_SHAPES; k++) {
            const HcParameterPlan *of = &placed[k];
            const int64_t first = of->offset / size;
            if (!of->matrix.free)
                literal_rest(&recipe, of, step, p + first, g + first, m + first, v);
            for (int64_t i = 0; of->matrix.free && i < hc_parameter_extent(of, of->matrix.apart);
                 i++)
                literal_matrix(&recipe, of, i, 1e-2 * of->lr_scale, p + first, g + first,
                               m + first);
        }
    }
    for (int64_t k = 0; tolerance > 0 && k < SHAPES; k++) {
        const double got = size == 4 ? (double)((float *)params)[k] : ((double *)params)[k];
        if (fabs(got - p[k]) > tolerance)
            fail_msg("element %lld: %.17g, not %.17g", (long long)k, got, p[k]);
    }
    assert_true(optim.bytes < 2 * (uint64_t)plan.slab_bytes + 2 * (33410 + 130 * 130) * size);
    hc_optim_destroy(&optim);
    hc_pool_destroy(pool);
    free(p);
    free(g);
    free(m);
    free(grads);
}

static void muon_equals_its_definition(void **state) {
    (void)state;
    double *params = aligned_alloc(64, SHAPES * 8);
    compare_matrices(2, 8, 1e-12, params);
    compare_matrices(2, 4, 2e-6, params);
    free(params);
}

static void muon_does_not_depend_on_threads(void **state) {
    (void)state;
    float *one = aligned_alloc(64, SHAPES * 4), *more = aligned_alloc(64, SHAPES * 4);
    compare_matrices(1, 4, 0, one);
    for (int32_t threads = 2; threads <= 3; threads++) {
        compare_matrices(threads, 4, 0, more);
        assert_memory_equal(one, more, SHAPES * 4);
    }
    free(one);
    free(more);
}

static void norms_do_not_depend_on_threads(void **state) {
    (void)state;
    HcRecipe recipe = {.optimizer = HC_ADAMW};
    HcParameterPlan placed[N_PARAMETERS];
    HcPlan plan = plan_of(placed, 4);
    float *g = aligned_alloc(64, SLAB * 4);
    for (int64_t k = 0; k < SLAB; k++)
        g[k] = (float)draw(k, 3);
    HcOptim optim;
    assert_int_equal(hc_optim_create(&optim, &plan, &recipe, NULL, NULL, NULL), HC_OK);
    double first = 0;
    for (int32_t threads = 1; threads <= 4; threads++) {
        HcPool *pool;
        assert_int_equal(hc_pool_create(threads, &pool, NULL), HC_OK);
        double norm;
        assert_int_equal(hc_optim_norm(&optim, pool, g, &norm, NULL), HC_OK);
        first = threads == 1 ? norm : first;
        assert_memory_equal(&norm, &first, sizeof norm);
        hc_pool_destroy(pool);
    }
    hc_optim_destroy(&optim);
    free(g);
}

static HcContext *trained(const HcModel *model, const char *clip) {
    HcOptions options = {1, 2, 8};
    HcContext *c;
    assert_int_equal(hc_create(model, &options, &c, NULL), HC_OK);
    hc_init(c, 1);
    assert_int_equal(hc_set_recipe(c, "clip", clip), HC_OK);
    int32_t tokens[16] = {1, 2, 3};
    hc_set_input(c, "tokens", tokens, 16);
    hc_set_input(c, "next", tokens, 16);
    hc_forward(c);
    hc_backward(c);
    return c;
}

static void a_step_takes_learning_rates_alone(void **state) {
    (void)state;
    char *manifest = bigram_manifest(NULL, 8, NULL);
    HcModel model = bigram_model(8, manifest);
    HcContext *c = trained(&model, "0");
    size_t bytes = (size_t)hc_slab_elements(c) * 8;
    void *before = malloc(bytes);
    assert_non_null(before);
    memcpy(before, hc_parameters(c), bytes);
    const double wrong[] = {NAN, INFINITY, -INFINITY, 1e7};
    for (int k = 0; k < 4; k++) {
        assert_int_equal(hc_step(c, wrong[k]), HC_ERROR_ARGUMENT);
        assert_non_null(strstr(hc_last_error(c), "learning rate"));
        assert_memory_equal(before, hc_parameters(c), bytes);
        assert_int_equal(hc_steps_done(c), 0);
    }
    assert_int_equal(hc_step(c, -1), HC_OK);
    assert_int_equal(hc_step(c, 0.1), HC_OK);
    assert_int_equal(hc_steps_done(c), 2);
    free(before);
    hc_destroy(c);
    free(manifest);
}

/* By its definition, as a mean with weights; what it stands in for comes back. */
static void ema_is_a_weighted_mean_of_steps(void **state) {
    (void)state;
    char *manifest = bigram_manifest("\"clip\": 1.0", 8, "\"clip\": 1.0, \"ema\": 0.75");
    HcModel model = bigram_model(8, manifest);
    HcContext *c = trained(&model, "0");
    HcParameter b;
    double mean[256] = {0}, total = 0, now[256];
    assert_int_equal(hc_use_ema(c, 1), HC_ERROR_ARGUMENT);
    for (int step = 0; step < 5; step++) {
        assert_int_equal(hc_step(c, 0.1), HC_OK);
        assert_int_equal(hc_parameter_named(c, "b", &b), HC_OK);
        total = 0.75 * total + 1;
        for (int k = 0; k < 256; k++) {
            now[k] = ((double *)b.data)[k];
            mean[k] += (now[k] - mean[k]) / total;
        }
        assert_int_equal(hc_use_ema(c, 1), HC_OK);
        assert_int_equal(hc_uses_ema(c), 1);
        assert_int_equal(hc_parameter_named(c, "b", &b), HC_OK);
        for (int k = 0; k < 256; k++)
            assert_true(fabs(((double *)b.data)[k] - mean[k]) < 1e-14);
        assert_int_equal(hc_forward(c), HC_OK);
        assert_int_equal(hc_backward(c), HC_ERROR_ARGUMENT);
        assert_int_equal(hc_uses_ema(c), 1);
    }
    assert_int_equal(hc_forward_backward(c), HC_OK); /* of the parameters themselves */
    assert_int_equal(hc_uses_ema(c), 0);
    assert_int_equal(hc_use_ema(c, 1), HC_OK);
    assert_int_equal(hc_set_recipe(c, "train.ema", "0.5"), HC_ERROR_ARGUMENT);
    assert_int_equal(hc_use_ema(c, 0), HC_OK);
    assert_int_equal(hc_parameter_named(c, "b", &b), HC_OK);
    assert_memory_equal(b.data, now, sizeof now);
    hc_destroy(c);
    free(manifest);
}

static void steps_clip_and_leave_what_is_frozen(void **state) {
    (void)state;
    char *manifest = bigram_manifest("\"optimizer\": \"adamw\"", 8, "\"optimizer\": \"sgd\"");
    HcModel model = bigram_model(8, manifest);
    HcContext *free_ = trained(&model, "0"), *clipped = trained(&model, "0.01");
    HcParameter before, after, still;
    assert_int_equal(hc_parameter_named(clipped, "b", &before), HC_OK);
    assert_int_equal(hc_step(free_, 1), HC_OK);
    assert_int_equal(hc_step(clipped, 1), HC_OK);
    double norm = hc_gradient_norm(free_);
    assert_true(norm > 0.01 && norm == hc_gradient_norm(clipped));
    hc_parameter_named(free_, "b", &after);
    for (int k = 0; k < 256; k++) {
        double g = ((double *)after.gradient)[k];
        assert_true(fabs(((double *)after.data)[k] - (0.125 - g)) < 1e-15);
        assert_true(fabs(((double *)before.data)[k] - (0.125 - g * 0.01 / (norm + 1e-6))) < 1e-15);
    }
    hc_parameter_named(free_, "still", &still);
    assert_true(((double *)still.data)[0] == 1);
    hc_parameter_named(free_, "unused", &still);
    assert_true(((double *)still.data)[0] == 7);
    assert_int_equal(hc_steps_done(free_), 1);
    assert_true(hc_schedule_lr(free_, 4) == 0.02);
    ((double *)hc_gradients(free_))[12288 + 3] = NAN;
    assert_int_equal(hc_step(free_, 1), HC_ERROR_DIVERGED);
    assert_string_equal(hc_last_error(free_), "step 2: the gradient of b is not finite");
    assert_int_equal(hc_steps_done(free_), 1);
    hc_destroy(free_);
    hc_destroy(clipped);
    free(manifest);
}

int main(void) {
    hc_process_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_words),
        cmocka_unit_test(any_part_of_a_stream_is_the_same),
        cmocka_unit_test(moments_are_those_of_the_distribution),
        cmocka_unit_test(the_schedule_warms_up_and_ends_at_the_floor),
        cmocka_unit_test(schedules_turn_where_they_say),
        cmocka_unit_test(recipes_take_good_values_and_refuse_others),
        cmocka_unit_test(adamw_equals_its_definition),
        cmocka_unit_test(sgd_equals_its_definition),
        cmocka_unit_test(lion_equals_its_definition),
        cmocka_unit_test(muon_equals_its_definition),
        cmocka_unit_test(muon_does_not_depend_on_threads),
        cmocka_unit_test(norms_do_not_depend_on_threads),
        cmocka_unit_test(steps_clip_and_leave_what_is_frozen),
        cmocka_unit_test(ema_is_a_weighted_mean_of_steps),
        cmocka_unit_test(a_step_takes_learning_rates_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
