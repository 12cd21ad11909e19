/* Attention kernels, both directions, against plain double loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codegen/codegen.h"
#include "lower/attend/attend.h"
#include "machine/machine.h"
#include "nest_eval.h"
#include "runtime/run/plan.h"
#include <float.h>
#include <time.h>

enum { Q, K, V, O, LSE, D_O, DQ, DK, DV, BIAS, D_BIAS, BUFFERS };

typedef struct {
    AttendShape shape;
    int64_t samples, positions;
    bool hiding; /* some keys do not count: their last entry is -inf, and 1 every query's */
    /* as doubles and in the element type */
    double *plain[BUFFERS];
    void *memory[BUFFERS];
    int64_t length[BUFFERS];
} Case;

/* As what they may be stored where products are of bf16: every other shape's are. */
static const NestElem narrow[BUFFERS] = {
    [Q] = NEST_BF16,  [K] = NEST_BF16,   [V] = NEST_BF16,    [O] = NEST_BF16,
    [LSE] = NEST_F32, [D_O] = NEST_BF16, [DQ] = NEST_BF16,   [DK] = NEST_F32,
    [DV] = NEST_F32,  [BIAS] = NEST_F32, [D_BIAS] = NEST_F32};

/* The arguments of both kernels, without a bias and with one. */
enum { MOST_ARGUMENTS = 11 };
static const int arguments[2][2][MOST_ARGUMENTS] = {
    {{Q, K, V, O, LSE}, {Q, K, V, BIAS, O, LSE}},
    {{Q, K, V, O, LSE, D_O, DQ, DK, DV}, {Q, K, V, O, LSE, D_O, BIAS, DQ, DK, DV, D_BIAS}}};

static double case_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 33) / 0x1p30 - 1;
}

static bool case_is_narrow(const Case *t, int buffer) {
    return t->shape.stored && narrow[buffer] == NEST_BF16;
}

static double case_read(const Case *t, int buffer, int64_t at) {
    if (case_is_narrow(t, buffer))
        return hc_real_at(t->memory[buffer], sizeof(uint16_t), at);
    return t->shape.elem == NEST_F32 ? ((float *)t->memory[buffer])[at]
                                     : ((double *)t->memory[buffer])[at];
}

/* Every third key; of the second sample the first five, so that a causal query may see none; of the
 * third sample all. */
static bool case_hides(int64_t sample, int64_t position) {
    return sample % 3 == 2 || position % 3 == 1 || (sample % 3 == 1 && position < 5);
}

static void case_write(Case *t, int buffer, int64_t at, double x) {
    if (case_is_narrow(t, buffer)) {
        ((uint16_t *)t->memory[buffer])[at] = hc_bf16((float)x);
        x = case_read(t, buffer, at);
    } else if (t->shape.elem == NEST_F32)
        x = ((float *)t->memory[buffer])[at] = (float)x;
    else
        ((double *)t->memory[buffer])[at] = x;
    t->plain[buffer][at] = x;
}

static void case_hide(Case *t) {
    for (int64_t n = 0; n < t->samples * t->positions; n++) {
        for (int64_t h = 1; h <= t->shape.heads; h++)
            case_write(t, Q, (n * t->shape.heads + h) * t->shape.e - 1, 1);
        if (case_hides(n / t->positions, n % t->positions))
            for (int64_t h = 1; h <= t->shape.key_heads; h++)
                case_write(t, K, (n * t->shape.key_heads + h) * t->shape.e - 1, -INFINITY);
    }
}

static Case case_create(AttendShape shape, int64_t samples, int64_t positions, bool hiding) {
    Case t = {.shape = shape, .samples = samples, .positions = positions, .hiding = hiding};
    int64_t n = samples * positions, q = shape.heads * shape.e, k = shape.key_heads * shape.e;
    int64_t v = shape.key_heads * shape.f, o = shape.heads * shape.f;
    const int64_t width[BUFFERS] = {q, k, v, o, shape.heads, o, q, k, v};
    const int64_t far = (int64_t)shape.heads * shape.distances;
    uint64_t seed = 5;
    for (int b = 0; b < BUFFERS; b++) {
        t.length[b] = b == BIAS ? far : b == D_BIAS ? samples * far : n * width[b];
        t.plain[b] = calloc((size_t)t.length[b], 8);
        t.memory[b] = malloc((size_t)t.length[b] * 8 + 64);
        memset(t.memory[b], 0xff, (size_t)t.length[b] * 8 + 64); /* NaN: all must be written */
        for (int64_t i = 0; i < t.length[b] && (b <= V || b == D_O || b == BIAS); i++)
            case_write(&t, b, i, case_random(&seed) * (b == Q ? 3 : 1));
    }
    if (hiding)
        case_hide(&t);
    return t;
}

static void case_destroy(Case *t) {
    for (int b = 0; b < BUFFERS; b++) {
        free(t->plain[b]);
        free(t->memory[b]);
    }
}

/* In parts, so that terms need not wait for each other. */
static double dot(const double *x, const double *y, int64_t n) {
    enum { PARTS = 8 };
    double part[PARTS] = {0}, sum = 0;
    for (int64_t i = 0; i < n / PARTS * PARTS; i += PARTS)
        for (int64_t p = 0; p < PARTS; p++)
            part[p] += x[i + p] * y[i + p];
    for (int64_t i = n / PARTS * PARTS; i < n; i++)
        sum += x[i] * y[i];
    for (int64_t p = 0; p < PARTS; p++)
        sum += part[p];
    return sum;
}

/* Of the biases of all distances from a query to a key, where the head's begin, and of which. */
static int64_t far_at(const AttendShape *s, int64_t head, int64_t query, int64_t key) {
    return head * s->distances + s->start + query - key;
}

/* One query of one head, both directions. */
static void plain_query(Case *t, int64_t sample, int64_t query, int64_t head) {
    const AttendShape *s = &t->shape;
    int64_t n = sample * t->positions + query, group = head / (s->heads / s->key_heads);
    int64_t end = s->causal ? query + 1 : t->positions;
    const double *q = t->plain[Q] + (n * s->heads + head) * s->e;
    double *o = t->plain[O] + (n * s->heads + head) * s->f;
    const double *d_o = t->plain[D_O] + (n * s->heads + head) * s->f;
    double *dq = t->plain[DQ] + (n * s->heads + head) * s->e;
    double *score = calloc((size_t)end, 8), top = -DBL_MAX, sum = 0;
    for (int64_t u = 0; u < end; u++) {
        int64_t row = (sample * t->positions + u) * s->key_heads + group;
        score[u] = s->scale * dot(q, t->plain[K] + row * s->e, s->e);
        if (s->distances)
            score[u] += t->plain[BIAS][far_at(s, head, query, u)];
        top = fmax(top, score[u]);
    }
    for (int64_t u = 0; u < end; u++)
        sum += score[u] = exp(score[u] - top); /* from here on weights */
    t->plain[LSE][n * s->heads + head] = sum == 0 ? 0 : top + log(sum);
    for (int64_t u = 0; u < end && sum != 0; u++) {
        const int64_t row = (sample * t->positions + u) * s->key_heads + group;
        const double *v = t->plain[V] + row * s->f, p = score[u] / sum;
        for (int64_t d = 0; d < s->f; d++)
            o[d] += p * v[d];
    }
    const double mean = dot(d_o, o, s->f);
    for (int64_t u = 0; u < end && sum != 0; u++) {
        int64_t row = (sample * t->positions + u) * s->key_heads + group;
        const double *k = t->plain[K] + row * s->e, *v = t->plain[V] + row * s->f;
        double *dk = t->plain[DK] + row * s->e, *dv = t->plain[DV] + row * s->f;
        const double p = score[u] / sum, d_score = p * (dot(d_o, v, s->f) - mean),
                     ds = d_score * s->scale;
        if (s->distances)
            t->plain[D_BIAS][sample * s->heads * s->distances + far_at(s, head, query, u)] +=
                d_score;
        for (int64_t d = 0; d < s->e; d++) {
            dq[d] += ds * k[d];
            dk[d] += ds * q[d];
        }
        for (int64_t d = 0; d < s->f; d++)
            dv[d] += p * d_o[d];
    }
    free(score);
}

/* The gradient of the queries' last entry, where that is a constant. */
static bool case_unread(const Case *t, int buffer, int64_t at) {
    return t->hiding && buffer == DQ && at % t->shape.e == t->shape.e - 1;
}

static void case_compare(const Case *t) {
    static const char *const names[BUFFERS] = {"q",  "k",  "v",  "o",    "lse",   "do",
                                               "dq", "dk", "dv", "bias", "d_bias"};
    double limit = t->shape.product ? 2e-2 : t->shape.elem == NEST_F32 ? 4e-6 : 1e-14;
    for (int b = O; b < BUFFERS; b++) {
        double largest = 1e-30;
        for (int64_t i = 0; i < t->length[b]; i++)
            if (!case_unread(t, b, i))
                largest = fmax(largest, fabs(t->plain[b][i]));
        if (largest < 1)
            largest = 1;
        for (int64_t i = 0; i < t->length[b]; i++) {
            double got = case_read(t, b, i), want = t->plain[b][i];
            if (!case_unread(t, b, i) && !(fabs(got - want) <= limit * largest))
                fail_msg("%s[%ld] is %g, not %g: heads %u/%u e %u f %u T %ld samples %ld %s %s x%u",
                         names[b], (long)i, got, want, t->shape.heads, t->shape.key_heads,
                         t->shape.e, t->shape.f, (long)t->positions, (long)t->samples,
                         t->shape.causal ? "causal" : "full",
                         t->shape.elem == NEST_F32 ? "f32" : "f64", t->shape.lanes);
        }
    }
}

static void case_task(const Case *t, bool back, HcKernel *kernel, const HcExtents *extents,
                      int64_t task, void *scratch) {
    void *memory[MOST_ARGUMENTS];
    for (int k = 0; k < MOST_ARGUMENTS; k++)
        memory[k] = t->memory[arguments[back][t->shape.distances > 0][k]];
    kernel(memory, extents, task, scratch);
}

/* Where later positions are not seen, of one sample in parts, each of which leaves the earlier
 * positions alone: some at once, then one by one, then the others. */
static void case_forward(Case *t, HcKernel *kernel, void *scratch) {
    const int64_t all = t->positions, begun = all / 2, alone = begun + 3 < all ? begun + 3 : all;
    int64_t first = 0;
    while (first < all) {
        int64_t end = all;
        if (t->shape.causal && t->samples == 1 && begun > 0)
            end = first < begun ? begun : first < alone ? first + 1 : all;
        const HcExtents extents = {
            .samples = t->samples, .positions = end, .instances = t->samples * end, .first = first};
        for (int64_t task = t->samples * t->shape.heads; task-- > 0;)
            case_task(t, false, kernel, &extents, task, scratch);
        first = end;
    }
}

static void case_check(const HcModel *model, uint32_t first_kernel, uint64_t scratch_bytes,
                       AttendShape shape, int64_t samples, int64_t positions, bool hiding) {
    Case t = case_create(shape, samples, positions, hiding);
    for (int64_t sample = 0; sample < samples; sample++)
        for (int64_t query = 0; query < positions; query++)
            for (int64_t head = 0; head < shape.heads; head++)
                plain_query(&t, sample, query, head);
    HcExtents extents = {
        .samples = samples, .positions = positions, .instances = samples * positions};
    unsigned char *scratch = aligned_alloc(64, scratch_bytes + 64);
    memset(scratch, 0xff, scratch_bytes + 64);
    case_forward(&t, model->kernels[first_kernel], scratch);
    for (int64_t task = samples * shape.key_heads; task-- > 0;)
        case_task(&t, true, model->kernels[first_kernel + 1], &extents, task, scratch);
    for (int k = 0; k < 64; k++)
        assert_int_equal(scratch[scratch_bytes + (uint64_t)k], 0xff);
    free(scratch);
    case_compare(&t);
    case_destroy(&t);
}

enum { MOST = 577, FAR = 2 * MOST - 1 }; /* positions, and distances between them */
static const AttendShape shapes[] = {
    {.heads = 2, .key_heads = 2, .e = 8, .f = 8, .scale = 0.35},
    {.heads = 4, .key_heads = 2, .e = 32, .f = 64, .causal = true, .scale = 0.18},
    {.heads = 3, .key_heads = 1, .e = 5, .f = 7, .causal = true, .scale = 0.5},
    {.heads = 2, .key_heads = 1, .e = 24, .f = 100, .scale = 0.2},
    {.heads = 1, .key_heads = 1, .e = 1, .f = 1, .causal = true, .scale = 1},
    {.heads = 2, .key_heads = 1, .e = 300, .f = 331, .causal = true, .scale = 0.06}, /* in loops */
    {.heads = 1, .key_heads = 1, .e = 4, .f = 3, .causal = true, .scale = -0.4},
    {.heads = 1, .key_heads = 1, .e = 3, .f = 4, .causal = true, .scale = 0},
    {.heads = 4, .key_heads = 2, .e = 8, .f = 8, .scale = 0.3, .distances = FAR, .start = MOST - 1},
    {.heads = 2,
     .key_heads = 2,
     .e = 6,
     .f = 9,
     .causal = true,
     .scale = -0.3,
     .distances = FAR,
     .start = MOST - 1},
    {.heads = 2,
     .key_heads = 1,
     .e = 32,
     .f = 40,
     .causal = true,
     .scale = 0.2,
     .distances = FAR,
     .start = MOST - 1},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };
enum { LONG = 200, SLIM = 16 }; /* longer texts are of narrow heads alone: the rest is the same */

/* product: products of bf16, or NULL. */
static void check_all(const char *cpu, int level, NestElem elem, uint16_t lanes,
                      const MachineProduct *product, const int64_t *lengths, uint32_t n_lengths) {
    Compilation *c = compilation_create();
    const NestKernel *kernels[2 * N_SHAPES];
    AttendShape used[N_SHAPES];
    const Machine machine = machine_of(lanes * (elem == NEST_F64 ? 8 : 4), 0);
    for (uint32_t k = 0; k < N_SHAPES; k++) {
        used[k] = shapes[k];
        used[k].elem = elem;
        used[k].lanes = lanes;
        used[k].columns = machine_attend_columns(&machine);
        used[k].product = product;
        for (int back = 0; back < 2; back++) {
            NestElem stored[MOST_ARGUMENTS];
            for (int n = 0; n < MOST_ARGUMENTS; n++)
                stored[n] = narrow[arguments[back][used[k].distances > 0][n]];
            used[k].stored = product && k % 2 ? stored : NULL;
            kernels[2 * k + back] = (back ? attend_backward : attend_forward)(c->arena, &used[k]);
        }
        used[k].stored = used[k].stored ? narrow : NULL;
        for (uint32_t i = 2 * k; i < 2 * k + 2; i++)
            if (nest_verify(kernels[i])) {
                nest_print(kernels[i], stderr);
                fail_msg("%s", nest_verify(kernels[i]));
            }
    }
    const char *error;
    CodegenTarget *target =
        codegen_target_create(c->arena, &(CodegenOptions){.cpu = cpu, .opt_level = level}, &error);
    assert_non_null(target);
    CodegenModel model = {.kernels = kernels, .n_kernels = 2 * N_SHAPES, .symbol = "attend_test"};
    CodegenResult object = codegen_compile(c->arena, target, &model, CODEGEN_OBJECT);
    if (object.error)
        fail_msg("%s", object.error);
    const HcModel *loaded;
    Jit *jit = jit_load(c->arena, object.bytes, object.length, "attend_test", &loaded, &error);
    assert_non_null(jit);
    for (uint32_t k = 0; k < N_SHAPES; k++)
        for (uint32_t n = 0; n < n_lengths; n++) {
            if (lengths[n] > LONG && used[k].e + used[k].f > SLIM)
                continue;
            uint64_t forward = nest_scratch_bytes(kernels[2 * k]);
            uint64_t backward = nest_scratch_bytes(kernels[2 * k + 1]);
            case_check(loaded, 2 * k, forward > backward ? forward : backward, used[k],
                       1 + (n + k) % 3, lengths[n], false);
            if (used[k].e > 1 && used[k].scale > 0)
                case_check(loaded, 2 * k, forward > backward ? forward : backward, used[k], 3,
                           lengths[n], true);
        }
    jit_unload(jit);
    codegen_target_destroy(target);
    compilation_destroy(c);
}

static void test_f32(void **state) {
    (void)state;
    check_all("native", 3, NEST_F32, 16, NULL, (const int64_t[]){1, 4, 5, 16, 63, 64, 65, 200}, 8);
}

static void test_f64(void **state) {
    (void)state;
    check_all("native", 3, NEST_F64, 8, NULL, (const int64_t[]){1, 5, 16, 63, 64, 65, 130}, 7);
}

static const char *const v3[] = {"avx2", "fma"};

static void test_narrow(void **state) {
    (void)state;
    if (!codegen_host_lacks(v3, 2))
        check_all("x86-64-v3", 3, NEST_F32, 8, NULL, (const int64_t[]){3, 17, 70}, 3);
    check_all("baseline", 0, NEST_F32, 4, NULL, (const int64_t[]){3, 66}, 2);
    check_all("native", 3, NEST_F64, 1, NULL, (const int64_t[]){9, 66}, 2);
}

static void test_narrow_matrices(void **state) {
    (void)state;
    Machine machine = machine_of(16, 32);
    machine.matrices = true;
    const MachineProduct product = machine_product(&machine, true);
    check_all("baseline", 3, NEST_F32, 4, &product, (const int64_t[]){1, 66}, 2);
}

/* Products by pairs and by tiles of bf16, with the instructions where there are some. */
static void test_narrow_products(void **state) {
    (void)state;
    static const int64_t lengths[] = {1, 4, 5, 31, 32, 33, 63, 64, 65, 193, 260, 577};
    for (int tiles = 0; tiles < 2; tiles++)
        for (int wide = 0; wide < 2; wide++) {
            Machine machine = machine_of(wide ? 64 : 32, wide ? 32 : 16);
            machine.tiles = tiles;
            const MachineProduct product = machine_product(&machine, true);
            if (wide || (!tiles && !codegen_host_lacks(v3, 2)))
                check_all(wide ? "native" : "x86-64-v3", 3, NEST_F32, wide ? 16 : 8, &product,
                          lengths, sizeof lengths / sizeof *lengths);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f32),
        cmocka_unit_test(test_f64),
        cmocka_unit_test(test_narrow_products),
        cmocka_unit_test(test_narrow_matrices),
        cmocka_unit_test(test_narrow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
