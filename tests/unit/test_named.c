/* Whatever a text names may be asked for. Of every connection of the library: its named values
 * together, some of them, and its parts, each a program whose results and gradients are what the
 * interpreter finds. All of its memory holds no numbers before it runs, and results are looked at
 * before the backward pass. HCC_TEST_EVERYTHING=1: every value also alone, at all widths. */
#include "../elements.h"
#include "compile/compile.h"
#include "compile/connection.h"
#include "runtime/run/context.h"
#include "std/std.h"
#include "tir/interp.h"
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SAMPLES = 3, POSITIONS = 7, MOST_CONNECTIONS = 64, ALIGNED = 64 };

typedef VEC(const char *) NameVec;

/* A connection's network, of which programs are made. */
typedef struct {
    Compilation *c;
    CompileRun run;
    const char *call;
    uint32_t width;
    NameVec names; /* of real values */
    uint64_t random;
} Whole;

/* One program, its data, and its caller's memory. */
typedef struct {
    const Whole *of;
    const char *what;
    Arena *arena;
    CompileRun run;
    TirProgram *p; /* with its gradient, as it is before it is made simpler */
    bool f64;
    const double **params, **inputs;
    TirTensor *expected, *rounded; /* by output; as a machine might find it */
    void **results, **gradients, **input_gradients, **param_gradients;
    const void **given, **trained;
} Program;

static bool everything(void) {
    return getenv("HCC_TEST_EVERYTHING") != NULL;
}

static uint32_t draw(Whole *w, uint32_t below) {
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((w->random >> 33) % below);
}

/* --- the caller's memory -----------------------------------------------------------------------*/

static uint64_t count_of(const TirType *t) {
    return tir_element_count(t) * (t->domain.sample ? SAMPLES : 1) *
           (t->domain.space ? POSITIONS : 1);
}

/* Without symmetry; parameters lie around what they begin with. */
static const double *data(Arena *arena, const TirType *t, uint32_t which, double about,
                          uint32_t limit) {
    const uint64_t count = count_of(t);
    double *at = ARENA_ARRAY(arena, double, count);
    for (uint64_t k = 0; k < count; k++)
        at[k] = limit ? (double)((7 * k + which) % limit)
                      : about + 0.4 * sin(1.7 * which + 0.9 * (double)k + 0.3);
    return at;
}

static void *nothing(Arena *arena, const TirType *t) {
    const uint64_t count = count_of(t);
    return memset(ARENA_ARRAY(arena, double, count), 0xff, count * sizeof(double));
}

static void make_data(Program *p) {
    const uint32_t n_params = p->p->params.count, n_inputs = p->p->inputs.count;
    p->params = ARENA_ARRAY(p->arena, const double *, n_params + 1);
    p->trained = ARENA_ARRAY(p->arena, const void *, n_params + 1);
    p->param_gradients = ARENA_ARRAY(p->arena, void *, n_params + 1);
    for (uint32_t k = 0; k < n_params; k++) {
        const TirParam *of = &p->p->params.at[k];
        p->params[k] =
            of->init == TIR_INIT_DATA
                ? of->data
                : data(p->arena, &of->type, k, of->init == TIR_INIT_FILL ? of->init_a : 0, 0);
        p->trained[k] =
            elements_of(p->arena, p->params[k], tir_element_count(&of->type), false, p->f64);
        p->param_gradients[k] = nothing(p->arena, &of->type);
    }
    p->inputs = ARENA_ARRAY(p->arena, const double *, n_inputs + 1);
    p->given = ARENA_ARRAY(p->arena, const void *, n_inputs + 1);
    p->input_gradients = ARENA_ARRAY(p->arena, void *, n_inputs + 1);
    for (uint32_t k = 0; k < n_inputs; k++) {
        const TirInput *of = &p->p->inputs.at[k];
        p->inputs[k] = data(p->arena, &of->type, k + 50, 0.1, of->limit);
        p->given[k] = elements_of(p->arena, p->inputs[k], count_of(&of->type),
                                  of->type.elem == TIR_INT, p->f64);
        p->input_gradients[k] = of->type.elem == TIR_REAL ? nothing(p->arena, &of->type) : NULL;
    }
}

/* Results, and the gradients that come for them, in order. */
static void make_results(Program *p) {
    const uint32_t n = p->p->outputs.count;
    p->results = ARENA_ARRAY(p->arena, void *, n + 1);
    p->gradients = ARENA_ARRAY(p->arena, void *, n + 1);
    uint32_t results = 0;
    for (uint32_t k = 0; k < n; k++) {
        const TirOutput *out = &p->p->outputs.at[k];
        if (out->role != TIR_OUT_RESULT)
            continue;
        p->results[results] = nothing(p->arena, &tir_node(p->p->block, out->value)->type);
        for (uint32_t i = 0; i < p->p->inputs.count; i++) {
            const char *upstream = p->p->inputs.at[i].upstream;
            if (upstream && strcmp(upstream, out->name) == 0)
                p->gradients[results] = (void *)(uintptr_t)p->given[i];
        }
        results++;
    }
}

/* --- what is expected --------------------------------------------------------------------------*/

static TirTensor *interpret(const Program *p, double rounding) {
    const uint32_t n = p->p->outputs.count;
    TirId *wanted = ARENA_ARRAY(p->arena, TirId, n);
    for (uint32_t k = 0; k < n; k++)
        wanted[k] = p->p->outputs.at[k].value;
    TirTensor *found = ARENA_ARRAY(p->arena, TirTensor, n);
    const TirBinding binding = {.samples = SAMPLES,
                                .positions = POSITIONS,
                                .params = p->params,
                                .inputs = p->inputs,
                                .training = true,
                                .rounding = rounding};
    tir_interpret(p->p, &binding, n, wanted, found, p->arena);
    return found;
}

/* As near as what was computed lets it be: of numbers that nobody chose a sum may cancel. */
static void expect(const Program *p, uint32_t output, const void *got) {
    const TirTensor *t = &p->expected[output], *rounded = &p->rounded[output];
    double worst = 0, size = 1e-2, cancelled = 0;
    for (uint64_t k = 0; k < t->instances * tir_element_count(&t->type); k++) {
        const double value = p->f64 ? ((const double *)got)[k] : (double)((const float *)got)[k];
        const double off = fabs(t->at[k] - value);
        if (!isfinite(t->at[k]))
            continue;
        worst = isnan(off) ? INFINITY : fmax(worst, off);
        size = fmax(size, fabs(t->at[k]));
        cancelled = fmax(cancelled, fabs(t->at[k] - rounded->at[k]));
    }
    if (worst > (p->f64 ? 1e-10 : 1e-3) * size + 100 * cancelled)
        fail_msg("%s, width %u, %s: %s is off by %g", p->of->call, p->of->width, p->what,
                 p->p->outputs.at[output].name, worst / size);
}

static void expect_outputs(const Program *p, bool gradients) {
    uint32_t results = 0;
    for (uint32_t k = 0; k < p->p->outputs.count; k++) {
        const TirOutput *out = &p->p->outputs.at[k];
        if (out->role == TIR_OUT_RESULT)
            expect(p, k, p->results[results++]);
        else if (gradients && out->role == TIR_OUT_GRAD)
            expect(p, k, p->param_gradients[out->index]);
        else if (gradients && out->role == TIR_OUT_INPUT_GRAD)
            expect(p, k, p->input_gradients[out->index]);
    }
}

/* --- a program ---------------------------------------------------------------------------------*/

static void passed(const Program *p, CompileStatus status) {
    if (status != COMPILE_DONE)
        fail_msg("%s, width %u, %s: %s: %s", p->of->call, p->of->width, p->what, p->run.at,
                 p->run.refused.message ? p->run.refused.message : p->run.message);
}

static void call(Program *p) {
    HcContext *context;
    HcError why;
    const HcOptions options = {.threads = 1, .samples = 1, .positions = 1};
    if (hc_create(p->run.loaded, &options, &context, &why) != HC_OK)
        fail_msg("%s", why.message);
    const uint64_t bytes =
        (hc_saved_bytes(context, SAMPLES, POSITIONS) + ALIGNED - 1) / ALIGNED * ALIGNED;
    void *saved = memset(aligned_alloc(ALIGNED, bytes), 0xff, bytes);
    const HcApply apply = {.samples = SAMPLES,
                           .positions = POSITIONS,
                           .inputs = p->given,
                           .results = p->results,
                           .parameters = p->trained,
                           .saved = saved,
                           .training = 1,
                           .result_gradients = (const void *const *)p->gradients,
                           .input_gradients = p->input_gradients,
                           .parameter_gradients = p->param_gradients};
    if (hc_apply(context, &apply) != HC_OK)
        fail_msg("%s", hc_last_error(context));
    expect_outputs(p, false);
    if (hc_apply_backward(context, &apply) != HC_OK)
        fail_msg("%s", hc_last_error(context));
    expect_outputs(p, true);
    free(saved);
    hc_destroy(context);
}

static void check(Whole *w, const char *what, CompileExport export) {
    Program p = {.of = w, .what = what, .arena = arena_create_child(w->c->arena)};
    p.f64 = draw(w, 2);
    const CompileOptions options = {
        .export = export,
        .precision = {true, p.f64 ? HC_PRECISION_F64 : HC_PRECISION_F32},
        .machine = {.opt_level = 0}};
    p.run = compile_begin(w->c, &options, NULL);
    passed(&p, compile_from_cut(&p.run, &w->run));
    passed(&p, compile_target(&p.run));
    passed(&p, compile_to(&p.run, PASS_GRAD));
    p.p = p.run.program;
    make_data(&p);
    make_results(&p);
    p.expected = interpret(&p, 0);
    p.rounded = interpret(&p, p.f64 ? DBL_EPSILON : FLT_EPSILON);
    passed(&p, compile_to(&p.run, PASS_MANIFEST));
    p.run.model.symbol = "test_model";
    passed(&p, compile_load(&p.run));
    call(&p);
    jit_unload(p.run.jit);
    compile_end(&p.run);
    arena_destroy(p.arena);
}

/* --- a connection ------------------------------------------------------------------------------*/

/* Of what was made bit by bit, the whole is the last. */
static void find_names(Whole *w) {
    const SiteValueList *all = &w->run.network->values;
    for (uint32_t k = all->count; k-- > 0;) {
        bool is_new =
            tir_node(w->run.network->program->block, all->at[k].value)->type.elem == TIR_REAL;
        for (uint32_t i = 0; i < w->names.count && is_new; i++)
            is_new = strcmp(w->names.at[i], all->at[k].name) != 0;
        if (is_new)
            vec_push(w->c->arena, &w->names, all->at[k].name);
    }
}

/* False where it has no streams of this width. */
static bool open_whole(Whole *w, const char *call, uint32_t width) {
    *w = (Whole){.c = compilation_create(), .call = call, .width = width, .random = 77 * width};
    const char *text = connection_text(w->c->arena, call, NULL);
    const Override overrides[] = {{.key = "d", .value = arena_printf(w->c->arena, "%u", width)}};
    const CompileOptions options = {.sema = {.overrides = overrides, .n_overrides = 1},
                                    .export = {.later = true}};
    w->run = compile_begin(w->c, &options, NULL);
    compile_from_text(&w->run, source_add(w->c->sources, "test.hc", text, strlen(text)));
    if (compile_to(&w->run, PASS_SEMA) != COMPILE_DONE)
        return false;
    find_names(w);
    return true;
}

static void close_whole(Whole *w) {
    compile_end(&w->run);
    compilation_destroy(w->c);
}

/* One in `share` of them, `most` at most. */
static void check_names(Whole *w, const char *what, uint32_t share, uint32_t most) {
    NameVec some = {0};
    for (uint32_t k = 0; k < w->names.count && some.count < most; k++)
        if (draw(w, share) == 0)
            vec_push(w->c->arena, &some, w->names.at[k]);
    if (some.count)
        check(w, what, (CompileExport){.results = some.at, .n_results = some.count});
}

static void check_part(Whole *w, uint32_t part) {
    static const char *const sites[] = {"0", "1"};
    const bool one = part == 0 || part == 4; /* its trunk's first, or last */
    check(w, connection_parts[part],
          (CompileExport){.part = connection_parts[part],
                          .site = one || part == 3 ? NULL : sites[draw(w, 2)],
                          .apart = draw(w, 2)});
}

static void check_connection(const char *call, uint32_t width, uint32_t turn) {
    Whole w;
    if (!open_whole(&w, call, width)) {
        close_whole(&w);
        return;
    }
    if (everything())
        check_names(&w, "all values", 1, UINT32_MAX);
    if (everything() || turn % 5 == 0)
        check_names(&w, "some values", 3, 6);
    for (uint32_t k = 0; k < CONNECTION_PARTS; k++)
        if (everything() || (turn % 5 == 2 && k == turn / 5 % CONNECTION_PARTS))
            check_part(&w, k);
    for (uint32_t k = 0; k < w.names.count && everything(); k++)
        check(&w, "one value", (CompileExport){.results = &w.names.at[k], .n_results = 1});
    close_whole(&w);
}

static void named_values_are_what_the_interpreter_finds(void **state) {
    enum { EVERYDAY = 8 }; /* of these widths: the others take long to compile */
    static const uint32_t widths[] = {4, 33, 5, 64, 6, 65, 32, 129, 31, 128};
    (void)state;
    uint32_t turn = 0;
    for (uint32_t k = 0; k < std_source_count; k++) {
        const char *at = std_sources[k].text, *word = "\nconnection ";
        while ((at = strstr(at, word))) {
            at += strlen(word);
            char call[64];
            snprintf(call, sizeof call, "%.*s", (int)strcspn(at, " ({"), at);
            for (uint32_t w = 0; w < sizeof widths / sizeof *widths; w++)
                if (everything() || w == turn % EVERYDAY)
                    check_connection(call, widths[w], turn);
            turn++;
        }
    }
    assert_true(turn > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_values_are_what_the_interpreter_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
