/* A harness for tests of tensor IR: programs with random data, finite differences against
 * pass_grad and pass_vjp, text round trip, and passes that must not change values. */
#ifndef HCC_TESTS_TIR_CASE_H
#define HCC_TESTS_TIR_CASE_H

#include "machine/limits.h"
#include "pass/pass.h"
#include "pass/write_out.h"
#include "plan/plan.h"
#include "tir/interp.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DIMS(...)                                                                                  \
    (uint32_t[]) {                                                                                 \
        __VA_ARGS__                                                                                \
    }
#define AXES(...)                                                                                  \
    (uint8_t[]) {                                                                                  \
        __VA_ARGS__                                                                                \
    }

#define CASE_STEP 3
#define CASE_STEPS 8
#ifndef CASE_SAMPLES /* a test may ask for more */
#define CASE_SAMPLES 2
#define CASE_POSITIONS 3
#define CASE_MOST_POSITIONS 8
#endif
enum { CASE_LEAVES = 80 };

static const TirDomain GLOBAL = {0, 0}, SAMPLE = {1, 0}, POSITION = {1, 1}, TIME = {0, 1};
static const TirDomain DOMAINS[4] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}};

typedef struct {
    Compilation *c;
    TirProgram *p;
    TirBuilder b;
    const double *params[CASE_LEAVES], *inputs[CASE_LEAVES];
    TirId leaves[CASE_LEAVES]; /* real ones, whose gradients are checked */
    double *leaf_data[CASE_LEAVES];
    uint64_t leaf_count[CASE_LEAVES];
    uint32_t n_leaves;
    uint64_t random;
    uint64_t random_key; /* of the run */
    uint32_t seed;       /* of a random program, for messages */
} Case;

static inline double case_random(Case *c) { /* in [0,1) */
    c->random = c->random * 6364136223846793005u + 1442695040888963407u;
    return (double)(c->random >> 33) / 2147483648.0;
}

static inline uint32_t case_below(Case *c, uint32_t n) { /* in 0 .. n - 1 */
    return (uint32_t)(case_random(c) * n);
}

static inline void case_begin(Case *c) {
    const uint64_t random = c->random ? c->random : 88172645463325252u;
    if (c->c)
        compilation_destroy(c->c);
    *c = (Case){.c = compilation_create(), .random = random};
    c->p = tir_program_create(c->c);
    c->b = tir_builder(c->p, c->p->block);
    tir_add_space(c->p, "t", 1, DIMS(CASE_MOST_POSITIONS));
}

/* The positions are a grid of `columns` columns. */
static inline void case_grid(Case *c, uint32_t columns) {
    c->p->spaces.at[0] = (TirSpace){.name = "t",
                                    .maximum = CASE_MOST_POSITIONS,
                                    .rank = 2,
                                    .extents = {CASE_MOST_POSITIONS / columns, columns}};
}

static inline void case_end(Case *c) {
    if (c->c)
        compilation_destroy(c->c);
    c->c = NULL;
}

static inline TirType case_type(TirElem elem, TirDomain domain, uint32_t rank,
                                const uint32_t *dims) {
    TirType t = {.elem = elem, .domain = domain, .rank = (uint8_t)rank};
    for (uint32_t k = 0; k < rank; k++)
        t.dims[k] = dims[k];
    return t;
}

static inline uint64_t case_instances(TirDomain d) {
    return (d.sample ? CASE_SAMPLES : 1) * (d.space ? CASE_POSITIONS : 1);
}

static inline double *case_data(Case *c, const TirType *t, uint64_t *count) {
    *count = case_instances(t->domain) * tir_element_count(t);
    return ARENA_ARRAY(c->c->arena, double, *count);
}

static inline const char *case_name(Case *c, const char *stem, uint32_t k) {
    return arena_printf(c->c->arena, "%s%u", stem, k);
}

static inline TirId case_input(Case *c, TirType t, uint32_t limit, double *data) {
    const uint32_t k = tir_add_input(
        c->p, (TirInput){.name = case_name(c, "x", c->p->inputs.count), .type = t, .limit = limit});
    c->inputs[k] = data;
    return tir_input(&c->b, k);
}

/* A real leaf with data from low to high: a parameter when global, an input otherwise. */
static inline TirId case_between(Case *c, TirDomain domain, uint32_t rank, const uint32_t *dims,
                                 double low, double high) {
    const TirType t = case_type(TIR_REAL, domain, rank, dims);
    uint64_t count;
    double *data = case_data(c, &t, &count);
    for (uint64_t k = 0; k < count; k++)
        data[k] = low + (high - low) * case_random(c);
    TirId id;
    if (tir_domain_equal(domain, GLOBAL)) {
        const uint32_t k =
            tir_add_param(c->p, (TirParam){.name = case_name(c, "p", c->p->params.count),
                                           .group = "case",
                                           .type = t,
                                           .init = TIR_INIT_NORMAL,
                                           .init_b = 0.02,
                                           .lr_scale = 1});
        c->params[k] = data;
        id = tir_param(&c->b, k);
    } else {
        id = case_input(c, t, 0, data);
    }
    c->leaves[c->n_leaves] = id;
    c->leaf_data[c->n_leaves] = data;
    c->leaf_count[c->n_leaves++] = count;
    return id;
}

static inline TirId case_real(Case *c, TirDomain domain, uint32_t rank, const uint32_t *dims) {
    return case_between(c, domain, rank, dims, -1.5, 1.5);
}

static inline TirId case_int(Case *c, TirDomain domain, uint32_t rank, const uint32_t *dims,
                             uint32_t limit) {
    const TirType t = case_type(TIR_INT, domain, rank, dims);
    uint64_t count;
    double *data = case_data(c, &t, &count);
    for (uint64_t k = 0; k < count; k++)
        data[k] = floor(case_random(c) * limit);
    return case_input(c, t, limit, data);
}

static inline const TirType *case_typeof(const Case *c, TirId id) {
    return &tir_node(c->b.block, id)->type;
}

static inline void case_values(Case *c, const TirProgram *p, uint32_t n, const TirId *wanted,
                               TirTensor *tensors, Arena *arena) {
    const TirBinding binding = {.samples = CASE_SAMPLES,
                                .positions = CASE_POSITIONS,
                                .params = c->params,
                                .inputs = c->inputs,
                                .training = true,
                                .random_key = c->random_key,
                                .step = CASE_STEP,
                                .steps = CASE_STEPS};
    tir_interpret(p, &binding, n, wanted, tensors, arena);
}

static inline double case_loss(Case *c, TirId loss) {
    Arena *arena = arena_create_child(c->c->arena);
    TirTensor t;
    case_values(c, c->p, 1, &loss, &t, arena);
    const double value = t.at[0];
    arena_destroy(arena);
    return value;
}

/* Compares a value's elements over its whole domain with what is expected. */
static inline void case_expect(Case *c, TirId id, uint64_t count, const double *expected) {
    TirTensor t;
    case_values(c, c->p, 1, &id, &t, c->c->arena);
    assert_int_equal(t.instances * tir_element_count(&t.type), count);
    for (uint64_t k = 0; k < count; k++)
        if (!(fabs(t.at[k] - expected[k]) <= 1e-12 * fmax(1, fabs(expected[k]))))
            fail_msg("element %u is %.17g, not %.17g", (unsigned)k, t.at[k], expected[k]);
}

/* Fourth-order central difference of the loss in *x. */
static inline double case_difference(Case *c, TirId loss, double *x, double h) {
    static const double steps[4] = {-2, -1, 1, 2};
    const double at = *x;
    double values[4];
    for (uint32_t s = 0; s < 4; s++) {
        *x = at + steps[s] * h;
        values[s] = case_loss(c, loss);
    }
    *x = at;
    return (8 * (values[2] - values[1]) - (values[3] - values[0])) / (12 * h);
}

static inline char *case_print(const TirProgram *p) {
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    tir_print(p, to);
    fclose(to);
    return text;
}

static inline void case_verify(const TirProgram *p, const char *when) {
    const char *wrong = tir_verify(p);
    if (wrong) {
        char *text = case_print(p);
        print_message("%s", text);
        free(text);
        fail_msg("%s: %s", when, wrong);
    }
}

static inline void case_round_trip(Case *c, const TirProgram *p) {
    char *first = case_print(p);
    const uint32_t file = source_add(c->c->sources, "case.tir", first, strlen(first));
    const TirProgram *again = tir_read(c->c, file);
    if (!again) {
        print_message("%s", first);
        diag_render_text(c->c->diagnostics, stderr, false);
        fail_msg("the printed program does not read back");
    }
    char *second = case_print(again);
    assert_string_equal(first, second);
    free(first);
    free(second);
}

/* sum(id * weights), over everything. Weights are random, so no symmetry hides a mistake. */
static inline TirId case_weigh(Case *c, TirId id) {
    const TirType t = *case_typeof(c, id);
    uint64_t count;
    double *data = case_data(c, &t, &count);
    for (uint64_t k = 0; k < count; k++)
        data[k] = case_random(c) * 2 - 0.7;
    const TirId weighed = tir_binary(&c->b, TIR_MUL, id, case_input(c, t, 0, data));
    const TirId sum = tir_reduce(&c->b, TIR_REDUCE_SUM, weighed, (1u << t.rank) - 1);
    return tir_position_sum(&c->b, sum, GLOBAL);
}

/* All outputs of `p` have the values that `q`'s have. */
static inline void case_same_outputs(Case *c, const TirProgram *p, const TirProgram *q,
                                     const char *when) {
    assert_int_equal(p->outputs.count, q->outputs.count);
    const uint32_t n = p->outputs.count;
    TirId ids[2][CASE_LEAVES * 2];
    TirTensor tensors[2][CASE_LEAVES * 2];
    for (uint32_t k = 0; k < n; k++) {
        ids[0][k] = p->outputs.at[k].value;
        ids[1][k] = q->outputs.at[k].value;
    }
    case_values(c, p, n, ids[0], tensors[0], c->c->arena);
    case_values(c, q, n, ids[1], tensors[1], c->c->arena);
    for (uint32_t k = 0; k < n; k++) {
        assert_true(tir_shape_equal(&tensors[0][k].type, &tensors[1][k].type));
        if (tensors[0][k].instances != tensors[1][k].instances)
            continue; /* folded to an outer domain */
        for (uint64_t i = 0; i < tensors[0][k].instances * tir_element_count(&tensors[0][k].type);
             i++) {
            const double a = tensors[0][k].at[i], b = tensors[1][k].at[i];
            if (!(fabs(a - b) <= 1e-11 * fmax(1, fabs(a))))
                fail_msg("%s changes output %u: %.17g, was %.17g", when, k, b, a);
        }
    }
}

static inline bool case_every_loop(const TirProgram *p, const TirNode *loop) {
    (void)p, (void)loop;
    return true;
}

static inline void case_passes(Case *c) {
    case_verify(c->p, "after the gradient pass");
    case_round_trip(c, c->p);
    TirProgram *lean = pass_dce(c->p);
    case_verify(lean, "after dead values went");
    case_same_outputs(c, c->p, lean, "dce");
    case_round_trip(c, lean);
    assert_true(lean->block->nodes.count <= c->p->block->nodes.count);
    TirProgram *canon = pass_canon(lean);
    case_verify(canon, "in canonical form");
    case_same_outputs(c, c->p, canon, "canon");
    case_round_trip(c, canon);
    TirProgram *twice = pass_dce(pass_canon(pass_dce(canon)));
    case_verify(twice, "in canonical form, twice");
    case_same_outputs(c, c->p, twice, "canon of canon");
    TirProgram *cut = pass_pieces(canon, 1);
    case_verify(cut, "in pieces");
    case_same_outputs(c, c->p, cut, "pieces");
    TirProgram *legal = pass_legalise(cut, PRODUCT_SIDE);
    case_verify(legal, "legalised");
    case_same_outputs(c, c->p, legal, "legalise");
    pass_write_out_where(twice, case_every_loop);
    case_verify(twice, "with its loops written out");
    case_same_outputs(c, c->p, twice, "writing out");
    for (uint32_t k = 0; k < twice->outputs.count; k++)
        if (twice->outputs.at[k].role == TIR_OUT_LOSS)
            assert_true(twice->outputs.at[k].value <= twice->n_forward);
}

/* Finite differences of the weighed sum of `root` in every element of every real leaf. */
static inline void case_check(Case *c, TirId root) {
    const TirId loss = case_weigh(c, root);
    TirId gradients[CASE_LEAVES];
    TirTensor tensors[CASE_LEAVES];
    pass_vjp(&c->b, loss, tir_real(&c->b, 1), c->n_leaves, c->leaves, gradients);
    case_verify(c->p, "after pass_vjp");
    for (uint32_t l = 0; l < c->n_leaves; l++) {
        const TirType t = *case_typeof(c, c->leaves[l]);
        if (gradients[l])
            case_values(c, c->p, 1, &gradients[l], &tensors[l], c->c->arena);
        double worst = 0, size = 1e-3;
        const uint64_t per_instance = tir_element_count(&t);
        for (uint64_t k = 0; k < c->leaf_count[l]; k++) {
            double g = 0;
            if (gradients[l]) { /* its domain may be an outer one */
                assert_true(tir_shape_equal(&tensors[l].type, &t));
                assert_true(tir_domain_outer(tensors[l].type.domain, t.domain));
                const uint64_t i = k / per_instance;
                const uint64_t sample = t.domain.space ? i / CASE_POSITIONS : i;
                const uint64_t position = t.domain.space ? i % CASE_POSITIONS : 0;
                uint64_t j = tensors[l].type.domain.sample ? sample : 0;
                if (tensors[l].type.domain.space)
                    j = j * CASE_POSITIONS + position;
                g = tensors[l].at[j * per_instance + k % per_instance];
            }
            /* A short step when the function bends too much for a long one. */
            double fd = case_difference(c, loss, &c->leaf_data[l][k], 1e-3);
            for (double h = 1e-4; h > 1e-6 && fabs(g - fd) > 1e-7 * fmax(1e-3, fabs(fd)); h /= 10) {
                const double finer = case_difference(c, loss, &c->leaf_data[l][k], h);
                fd = fabs(g - finer) < fabs(g - fd) ? finer : fd;
            }
            worst = fmax(worst, fabs(g - fd));
            size = fmax(size, fabs(fd));
            if (isnan(g) || isnan(fd))
                worst = INFINITY;
        }
        if (worst / size > 1e-6) {
            char *text = case_print(c->p);
            print_message("%s", text);
            free(text);
            fail_msg("leaf %u: gradient differs from finite differences by %g", l, worst / size);
        }
    }
    /* The whole-program pass gives parameters the same gradients. */
    tir_add_output(c->p, TIR_OUT_LOSS, "loss", 0, loss);
    tir_add_output(c->p, TIR_OUT_NAMED, "root", 0, root);
    for (uint32_t l = 0; l < c->n_leaves; l++)
        if (gradients[l])
            tir_add_output(c->p, TIR_OUT_NAMED, "gradient", l, gradients[l]);
    TirNode leaves[CASE_LEAVES]; /* the pass renumbers */
    for (uint32_t l = 0; l < c->n_leaves; l++)
        leaves[l] = *tir_node(c->p->block, c->leaves[l]);
    pass_grad(c->p);
    const uint32_t n = c->p->outputs.count;
    for (uint32_t k = 0; k < n; k++) {
        const TirOutput *o = &c->p->outputs.at[k];
        if (o->role != TIR_OUT_GRAD)
            continue;
        for (uint32_t i = 0; i < n; i++) {
            const TirOutput *named = &c->p->outputs.at[i];
            if (named->role != TIR_OUT_NAMED || strcmp(named->name, "gradient") != 0)
                continue;
            const TirNode *leaf = &leaves[named->index];
            if (leaf->op != TIR_PARAM || leaf->attr.index != o->index)
                continue;
            const TirId both[2] = {o->value, named->value};
            TirTensor t[2];
            case_values(c, c->p, 2, both, t, c->c->arena);
            for (uint64_t e = 0; e < tir_element_count(&t[0].type); e++)
                assert_true(fabs(t[0].at[e] - t[1].at[e]) <= 1e-10 * fmax(1, fabs(t[1].at[e])));
        }
    }
    case_passes(c);
}

#endif
