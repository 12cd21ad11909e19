/* Small models in .hc text, elaborated and run by the interpreter: what the tests of sema share. */
#ifndef HCC_TESTS_SEMA_MODEL_H
#define HCC_TESTS_SEMA_MODEL_H

#include "sema/sema.h"
#include "std/std.h"
#include "syntax/parse.h"
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

typedef struct {
    Compilation *c;
    Network *network;
    double **params, **inputs; /* as the program wants them; tests may change them before a run */
    uint32_t samples, positions;
} Model;

static const Override no_overrides[1];

static inline Network *check_text(Compilation *c, const char *text, uint32_t n,
                                  const Override *overrides) {
    const uint32_t file = source_add(c->sources, "test.hc", text, strlen(text));
    const SemaOptions options = {.overrides = overrides, .n_overrides = n};
    return sema_check(c, parse_file(c, file), &options);
}

static inline uint64_t instances(const Model *m, TirDomain d) {
    return (d.sample ? m->samples : 1) * (uint64_t)(d.space ? m->positions : 1);
}

/* Deterministic data without symmetry. */
static inline double wave(uint32_t which, uint64_t k) {
    return 0.6 * sin(1.7 * which + 0.9 * (double)k + 0.3);
}

static inline void fill_param(const TirParam *p, uint32_t index, double *at) {
    const uint64_t count = tir_element_count(&p->type);
    for (uint64_t k = 0; k < count; k++)
        at[k] = p->init == TIR_INIT_FILL   ? p->init_a
                : p->init == TIR_INIT_DATA ? p->data[k]
                                           : wave(index, k);
}

static inline Model model_open(const char *text, uint32_t n, const Override *overrides) {
    Model m = {.c = compilation_create(), .samples = 2, .positions = 3};
    m.network = check_text(m.c, text, n, overrides);
    if (!m.network)
        diag_render_text(m.c->diagnostics, stdout, false);
    assert_non_null(m.network);
    const TirProgram *p = m.network->program;
    if (p->spaces.count && p->spaces.at[0].rank == 2) /* a grid is whole */
        m.positions = p->spaces.at[0].maximum;
    const char *wrong = tir_verify(p);
    if (wrong)
        print_message("%s\n", wrong);
    assert_null(wrong);
    m.params = ARENA_ARRAY(m.c->arena, double *, p->params.count + 1);
    m.inputs = ARENA_ARRAY(m.c->arena, double *, p->inputs.count + 1);
    for (uint32_t k = 0; k < p->params.count; k++) {
        m.params[k] = ARENA_ARRAY(m.c->arena, double, tir_element_count(&p->params.at[k].type));
        fill_param(&p->params.at[k], k, m.params[k]);
    }
    for (uint32_t k = 0; k < p->inputs.count; k++) {
        const TirInput *in = &p->inputs.at[k];
        const uint64_t count = tir_element_count(&in->type) * instances(&m, in->type.domain);
        m.inputs[k] = ARENA_ARRAY(m.c->arena, double, count);
        for (uint64_t i = 0; i < count; i++)
            m.inputs[k][i] =
                in->limit ? (double)((7 * i + 3 * k + 1) % in->limit) : wave(k + 50, i);
    }
    return m;
}

static inline void model_close(Model *m) {
    compilation_destroy(m->c);
}

static inline const TirTensor *run(const Model *m, TirOutputRole role, const char *name) {
    const TirProgram *p = m->network->program;
    const TirBinding binding = {.samples = m->samples,
                                .positions = m->positions,
                                .params = (const double *const *)m->params,
                                .inputs = (const double *const *)m->inputs};
    for (uint32_t k = 0; k < p->outputs.count; k++)
        if (p->outputs.at[k].role == role && (!name || strcmp(p->outputs.at[k].name, name) == 0)) {
            TirTensor *t = ARENA_NEW(m->c->arena, TirTensor);
            tir_interpret(p, &binding, 1, &p->outputs.at[k].value, t, m->c->arena);
            return t;
        }
    fail_msg("no output %s", name ? name : "of this role");
    abort(); /* not reached */
}

static inline double loss_of(const Model *m) {
    return run(m, TIR_OUT_LOSS, NULL)->at[0];
}

static inline double *param_named(const Model *m, const char *name, const TirParam **out) {
    const TirProgram *p = m->network->program;
    for (uint32_t k = 0; k < p->params.count; k++)
        if (strcmp(p->params.at[k].name, name) == 0) {
            if (out)
                *out = &p->params.at[k];
            return m->params[k];
        }
    fail_msg("no parameter %s", name);
    abort(); /* not reached */
}

#define assert_near(a, b, tolerance)                                                               \
    do {                                                                                           \
        const double a_ = (a), b_ = (b);                                                           \
        if (!(fabs(a_ - b_) <= (tolerance)))                                                       \
            fail_msg("%s is %.9g, expected %.9g", #a, a_, b_);                                     \
    } while (0)

/* A model that only computes `value` and shows it. */
static inline const char *showing(Compilation *c, const char *body) {
    return arena_printf(c->arena,
                        "use std;\nmodel m {\n positions t <= 3;\n input q[t, 2, 4] : real;\n"
                        "%s\n probe value;\n loss 0 * sum[i,j] q[i,j];\n}\n",
                        body);
}

static inline void expect_values(const char *body, uint32_t count, const double *expected,
                                 double tolerance) {
    Compilation *scratch = compilation_create();
    Model m = model_open(showing(scratch, body), 0, no_overrides);
    const TirTensor *t = run(&m, TIR_OUT_PROBE, "value");
    assert_int_equal(tir_element_count(&t->type), count);
    for (uint32_t k = 0; k < count; k++)
        assert_near(t->at[k], expected[k], tolerance);
    model_close(&m);
    compilation_destroy(scratch);
}
#define EXPECT(body, ...)                                                                          \
    do {                                                                                           \
        const double e_[] = {__VA_ARGS__};                                                         \
        expect_values(body, sizeof e_ / sizeof *e_, e_, 1e-12);                                    \
    } while (0)

#endif
