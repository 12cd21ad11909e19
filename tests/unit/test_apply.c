/* Programs that are part of others, in their caller's memory: results and all gradients against the
 * interpreter and finite differences. All memory ends where a page that nobody may touch begins,
 * and begins at no particular address. */
#include <stdint.h>

static uint32_t the_samples = 3, the_positions = 21;
#define CASE_SAMPLES the_samples
#define CASE_POSITIONS the_positions
#define CASE_MOST_POSITIONS 64
#include "../elements.h"
#include "pass/rebuild.h"
#include "plan_case.h"

#include "runtime/run/context.h"
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 16, VOCABULARY = 7 };

/* --- memory with a fence -----------------------------------------------------------------------*/

typedef struct {
    uint8_t *at, *pages;
    size_t bytes, all;
} Fenced;

/* At a multiple of 64 bytes, or wherever it comes to lie. */
static Fenced fenced(size_t bytes, bool aligned) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (bytes + page - 1) / page * page;
    Fenced f = {.bytes = bytes, .all = whole + page};
    f.pages = mmap(NULL, f.all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(f.pages != MAP_FAILED);
    assert_int_equal(mprotect(f.pages + whole, page, PROT_NONE), 0);
    f.at = f.pages + whole - (aligned ? (bytes + 63) / 64 * 64 : bytes);
    memset(f.pages, 0xa5, whole);
    memset(f.at, 0xff, bytes); /* no numbers */
    return f;
}

/* Nothing was written before it, or between it and the fence. */
static void drop_fenced(Fenced *f) {
    const size_t whole = f->all - (size_t)sysconf(_SC_PAGESIZE);
    for (size_t k = 0; k < whole; k++)
        if (f->pages + k < f->at || f->pages + k >= f->at + f->bytes)
            assert_int_equal(f->pages[k], 0xa5);
    munmap(f->pages, f->all);
    *f = (Fenced){0};
}

/* --- a program ---------------------------------------------------------------------------------*/

typedef struct {
    Case *c;
    TirProgram *p;
    CompileRun run;
    bool f64, aligned;
    uint32_t n_given, n_results;
    const TirOutput *results[MOST];
    TirTensor *expected; /* by output, of the extents at hand */
} Program;

static void result(Case *c, const char *name, TirId value, bool has_gradient) {
    tir_add_output(c->p, TIR_OUT_RESULT, name, 0, value);
    if (!has_gradient)
        return;
    const TirType t = *case_typeof(c, value);
    uint64_t count;
    double *data = case_data(c, &t, &count);
    for (uint64_t k = 0; k < count; k++)
        data[k] = case_random(c) * 2 - 0.7;
    const uint32_t k =
        tir_add_input(c->p, (TirInput){.name = case_name(c, "gradient", c->p->inputs.count),
                                       .type = t,
                                       .upstream = name});
    c->inputs[k] = data;
}

/* Every kind of value that a result can be: of each domain (across: one that is a sum over samples
 * at each position), computed by a kernel, a product or a sum, another result, a view, an input, a
 * parameter, pieces that others read one by one. */
static void build(Case *c, uint32_t d, bool across) {
    TirBuilder *b = &c->b;
    const TirId x = case_real(c, POSITION, 1, DIMS(d)), v = case_real(c, SAMPLE, 1, DIMS(d));
    const TirId t = across ? case_real(c, TIME, 1, DIMS(d)) : tir_real(b, 0.25);
    const TirId tokens = case_int(c, POSITION, 0, NULL, VOCABULARY);
    const TirId w = case_real(c, GLOBAL, 2, DIMS(d, d)), g = case_real(c, GLOBAL, 1, DIMS(d));
    const TirId e = tir_gather(b, case_real(c, GLOBAL, 2, DIMS(VOCABULARY, d)), tokens);
    case_real(c, POSITION, 1, DIMS(3)); /* read by nobody */
    const TirId in = tir_binary(b, TIR_ADD, x, e);
    const TirId h = tir_contract(b, w, in, AXES('a', 'b'), AXES('b'), 1, AXES('a'), POSITION);
    const TirId u = tir_binary(b, TIR_MUL, tir_unary(b, TIR_TANH, h), tir_binary(b, TIR_ADD, g, t));
    const TirId y = tir_binary(b, TIR_ADD, tir_binary(b, TIR_MUL, u, v), x);
    result(c, "y", y, true);
    result(c, "h", h, true);
    result(c, "per_sample", tir_position_sum(b, tir_binary(b, TIR_MUL, y, y), SAMPLE), true);
    result(c, "once", tir_position_sum(b, u, GLOBAL), true);
    if (across)
        result(c, "over_time", tir_position_sum(b, tir_binary(b, TIR_MUL, u, y), TIME), true);
    result(c, "again", y, true);
    result(c, "flat", tir_reshape(b, y, 2, DIMS(1, d)), true);
    result(c, "an_input", x, true);
    result(c, "a_parameter", g, true);
    result(c, "shown", tir_unary(b, TIR_SIN, y), false);
    result(c, "first", tir_slice(b, y, 0, 0, (d + 1) / 2), true);
    const TirId streams = pass_stack(b, 2, (TirId[]){in, y});
    const TirId pieces = tir_binary(b, TIR_MUL, streams, tir_unary(b, TIR_COS, streams));
    result(c, "pieces", pieces, true);
    result(c, "joined", tir_reduce(b, TIR_REDUCE_SUM, pieces, 1), true);
}

static Program compile(Case *c, uint32_t d, bool f64, bool across) {
    case_begin(c);
    build(c, d, across);
    pass_grad(c->p);
    Program p = {.c = c, .f64 = f64};
    p.p = pass_dce(pass_canon(pass_dce(c->p)));
    CompileOptions options = {.precision = {f64, HC_PRECISION_F64}, .machine = {.opt_level = 3}};
#ifdef __SANITIZE_THREAD__
    options.machine.sanitizer = SANITIZER_THREAD;
#endif
    p.run = case_run(c, p.p, &options);
    case_passed(&p.run, compile_target(&p.run));
    case_passed(&p.run, compile_to(&p.run, PASS_MANIFEST));
    p.run.model.symbol = "test_model";
    case_passed(&p.run, compile_load(&p.run));
    for (uint32_t k = 0; k < p.p->inputs.count; k++)
        p.n_given += !p.p->inputs.at[k].upstream;
    for (uint32_t k = 0; k < p.p->outputs.count; k++)
        if (p.p->outputs.at[k].role == TIR_OUT_RESULT)
            p.results[p.n_results++] = &p.p->outputs.at[k];
    return p;
}

static void end(Program *p) {
    jit_unload(p->run.jit);
    compile_end(&p->run);
}

static HcContext *context_of(const Program *p, int threads) {
    HcContext *context;
    HcError why;
    const HcOptions options = {.threads = threads, .samples = 1, .positions = 1};
    if (hc_create(p->run.loaded, &options, &context, &why) != HC_OK)
        fail_msg("%s", why.message);
    return context;
}

static size_t element_bytes(const Program *p) {
    return p->f64 ? 8 : 4;
}

/* --- a call of it ------------------------------------------------------------------------------*/

typedef struct {
    const Program *p;
    Fenced inputs[MOST], results[MOST], parameters[MOST];
    Fenced upstream[MOST], input_gradients[MOST], parameter_gradients[MOST];
    void *pointers[6][MOST];
    int64_t strides[4][MOST];
    Fenced saved;
    HcApply apply;
} Given;

/* Elements of memory by sample whose samples are `apart` more elements apart than they need be. */
static Fenced place(const Program *p, const TirType *t, const double *from, int64_t apart,
                    int64_t *stride) {
    const size_t size = t->elem == TIR_INT ? 4 : element_bytes(p);
    const uint64_t all = case_instances(t->domain) * tir_element_count(t);
    const uint64_t samples = t->domain.sample ? the_samples : 1, each = all / samples;
    *stride = t->domain.sample && apart ? (int64_t)each + apart : 0;
    const uint64_t step = t->domain.sample ? each + (uint64_t)apart : each;
    Fenced f = fenced((step * (samples - 1) + each) * size, p->aligned);
    const uint8_t *elements =
        from ? elements_of(p->c->c->arena, from, all, t->elem == TIR_INT, p->f64) : NULL;
    for (uint64_t s = 0; from && s < samples; s++)
        memcpy(f.at + s * step * size, elements + s * each * size, each * size);
    return f;
}

static const TirType *type_of(const Program *p, TirId value) {
    return &tir_node(p->p->block, value)->type;
}

static Given *call_begin(const Program *p, HcContext *context, int64_t apart) {
    const Case *c = p->c;
    Given *call = calloc(1, sizeof *call);
    call->p = p;
    for (uint32_t k = 0; k < p->n_given; k++) {
        const TirType *t = &p->p->inputs.at[k].type;
        call->inputs[k] = place(p, t, c->inputs[k], apart, &call->strides[0][k]);
        call->pointers[0][k] = call->inputs[k].at;
        if (t->elem != TIR_REAL)
            continue;
        call->input_gradients[k] = place(p, t, NULL, apart, &call->strides[3][k]);
        call->pointers[4][k] = call->input_gradients[k].at;
    }
    for (uint32_t k = 0; k < p->n_results; k++) {
        call->results[k] =
            place(p, type_of(p, p->results[k]->value), NULL, apart, &call->strides[1][k]);
        call->pointers[1][k] = call->results[k].at;
    }
    for (uint32_t k = p->n_given; k < p->p->inputs.count; k++) {
        const TirInput *in = &p->p->inputs.at[k];
        uint32_t of = 0;
        while (strcmp(p->results[of]->name, in->upstream) != 0)
            of++;
        call->upstream[of] = place(p, &in->type, c->inputs[k], apart, &call->strides[2][of]);
        call->pointers[3][of] = call->upstream[of].at;
    }
    for (uint32_t k = 0; k < p->p->params.count; k++) {
        const TirType *t = &p->p->params.at[k].type;
        int64_t none;
        call->parameters[k] = place(p, t, c->params[k], 0, &none);
        call->pointers[2][k] = call->parameters[k].at;
        call->parameter_gradients[k] = place(p, t, NULL, 0, &none);
        call->pointers[5][k] = call->parameter_gradients[k].at;
    }
    const uint64_t bytes = hc_saved_bytes(context, the_samples, the_positions);
    assert_true(bytes > 0);
    call->saved = fenced(bytes, true);
    call->apply = (HcApply){.samples = the_samples,
                            .positions = the_positions,
                            .inputs = (const void *const *)call->pointers[0],
                            .results = call->pointers[1],
                            .parameters = (const void *const *)call->pointers[2],
                            .saved = call->saved.at,
                            .random_key = p->c->random_key,
                            .training = 1,
                            .result_gradients = (const void *const *)call->pointers[3],
                            .input_gradients = call->pointers[4],
                            .parameter_gradients = call->pointers[5]};
    if (apart) {
        call->apply.input_strides = call->strides[0];
        call->apply.result_strides = call->strides[1];
        call->apply.result_gradient_strides = call->strides[2];
        call->apply.input_gradient_strides = call->strides[3];
    }
    return call;
}

static void call_end(Given *call) {
    Fenced *all[] = {call->inputs,   call->results,         call->parameters,
                     call->upstream, call->input_gradients, call->parameter_gradients};
    for (uint32_t k = 0; k < sizeof all / sizeof *all; k++)
        for (uint32_t i = 0; i < MOST; i++)
            if (all[k][i].pages)
                drop_fenced(&all[k][i]);
    drop_fenced(&call->saved);
    free(call);
}

static void ok(HcContext *context, HcStatus status) {
    if (status != HC_OK)
        fail_msg("%s", hc_last_error(context));
}

/* Results are whole when the forward pass has run: the backward pass may come much later, or never.
 */
static void both_passes(HcContext *context, Given *call) {
    ok(context, hc_apply(context, &call->apply));
    uint8_t *given[MOST];
    for (uint32_t k = 0; k < call->p->n_results; k++) {
        given[k] = malloc(call->results[k].bytes);
        memcpy(given[k], call->results[k].at, call->results[k].bytes);
    }
    ok(context, hc_apply_backward(context, &call->apply));
    for (uint32_t k = 0; k < call->p->n_results; k++) {
        assert_memory_equal(given[k], call->results[k].at, call->results[k].bytes);
        free(given[k]);
    }
}

static double number(const Program *p, const void *at, uint64_t k) {
    return p->f64 ? ((const double *)at)[k] : (double)((const float *)at)[k];
}

/* Element k of a value, in the memory that `place` gave it. */
static uint64_t placed(const TirType *t, uint64_t k, int64_t stride) {
    if (!t->domain.sample || !stride)
        return k;
    const uint64_t each = case_instances(t->domain) * tir_element_count(t) / the_samples;
    return k / each * (uint64_t)stride + k % each;
}

/* What the interpreter has, of these extents. */
static void extents(Program *p, uint32_t samples, uint32_t positions) {
    const uint32_t n = p->p->outputs.count;
    TirId *wanted = ARENA_ARRAY(p->c->c->arena, TirId, n);
    the_samples = samples;
    the_positions = positions;
    p->expected = ARENA_ARRAY(p->c->c->arena, TirTensor, n);
    for (uint32_t k = 0; k < n; k++)
        wanted[k] = p->p->outputs.at[k].value;
    case_values(p->c, p->p, n, wanted, p->expected, p->c->c->arena);
}

static void expect(const Program *p, const TirOutput *out, const void *got, int64_t stride) {
    const TirType *t = type_of(p, out->value);
    const TirTensor tensor = p->expected[out - p->p->outputs.at];
    const uint64_t count = case_instances(t->domain) * tir_element_count(t);
    assert_int_equal(tensor.instances * tir_element_count(t), count);
    double worst = 0, size = 1e-2;
    for (uint64_t k = 0; k < count; k++) {
        const double off = fabs(tensor.at[k] - number(p, got, placed(t, k, stride)));
        worst = isnan(off) ? INFINITY : fmax(worst, off);
        size = fmax(size, fabs(tensor.at[k]));
    }
    if (worst / size > (p->f64 ? 1e-11 : 2e-4))
        fail_msg("%s is off by %g (%u by %u)", out->name, worst / size, the_samples, the_positions);
}

static void expect_zero(const Program *p, const Fenced *f) {
    for (uint64_t k = 0; k < f->bytes / element_bytes(p); k++)
        assert_true(number(p, f->at, k) == 0);
}

/* All that both passes gave, as the interpreter has it. */
static void check_call(const Given *call) {
    const Program *p = call->p;
    bool has_gradient[MOST] = {false}, is_trained[MOST] = {false};
    for (uint32_t k = 0; k < p->n_results; k++)
        expect(p, p->results[k], call->results[k].at, call->strides[1][k]);
    for (uint32_t k = 0; k < p->p->outputs.count; k++) {
        const TirOutput *out = &p->p->outputs.at[k];
        if (out->role == TIR_OUT_INPUT_GRAD) {
            has_gradient[out->index] = true;
            expect(p, out, call->input_gradients[out->index].at, call->strides[3][out->index]);
        } else if (out->role == TIR_OUT_GRAD) {
            is_trained[out->index] = true;
            expect(p, out, call->parameter_gradients[out->index].at, 0);
        }
    }
    for (uint32_t k = 0; k < p->n_given; k++)
        if (!has_gradient[k] && call->input_gradients[k].at && !call->strides[3][k])
            expect_zero(p, &call->input_gradients[k]);
    for (uint32_t k = 0; k < p->p->params.count; k++)
        if (!is_trained[k])
            expect_zero(p, &call->parameter_gradients[k]);
}

/* --- tests -------------------------------------------------------------------------------------*/

/* Data are made for these, and begin alike for fewer. */
enum { MOST_SAMPLES = 5, MOST_POSITIONS = 37 };

static Program compile_at_most(void **state, uint32_t d, bool f64, bool across) {
    the_samples = MOST_SAMPLES;
    the_positions = MOST_POSITIONS;
    return compile(*state, d, f64, across);
}

/* Everything that a call gave, bit by bit. */
static void same_bits(const Given *a, const Given *b) {
    const Fenced *all[][2] = {{a->results, b->results},
                              {a->input_gradients, b->input_gradients},
                              {a->parameter_gradients, b->parameter_gradients}};
    for (uint32_t k = 0; k < sizeof all / sizeof *all; k++)
        for (uint32_t i = 0; i < MOST; i++)
            if (all[k][0][i].at)
                assert_memory_equal(all[k][0][i].at, all[k][1][i].at, all[k][0][i].bytes);
}

static void both_passes_give_what_the_interpreter_has(void **state) {
    static const uint32_t widths[] = {1, 31, 32, 33, 64, 65, 257};
    static const uint32_t sizes[][2] = {{3, 21}, {1, 1}, {2, 16}, {5, 37}};
    for (uint32_t w = 0; w < 7; w++) {
        Program p = compile_at_most(state, widths[w], w % 2, w % 3 == 0);
        HcContext *context = context_of(&p, 2), *one = context_of(&p, 1);
        assert_int_equal(context->plan.runs_apart, w % 3 != 0);
        for (uint32_t e = 0; e < 4; e++) {
            extents(&p, sizes[e][0], sizes[e][1]);
            for (int form = 0; form < 4; form++) {
                p.aligned = form % 2;
                Given *call = call_begin(&p, context, form < 2 ? 0 : form == 2 ? 5 : 64);
                both_passes(context, call);
                check_call(call);
                if (form < 2) {
                    call_end(call);
                    continue;
                }
                Given *again = call_begin(&p, one, form == 2 ? 5 : 64);
                both_passes(one, again);
                same_bits(call, again);
                call_end(again);
                call_end(call);
            }
        }
        hc_destroy(context);
        hc_destroy(one);
        end(&p);
    }
}

static void threads_change_no_bit(void **state) {
    Program p = *(Program *)*state;
    extents(&p, MOST_SAMPLES, MOST_POSITIONS);
    HcContext *one = context_of(&p, 1), *two = context_of(&p, 2);
    Given *a = call_begin(&p, one, 0), *b = call_begin(&p, two, 0);
    both_passes(one, a);
    both_passes(two, b);
    same_bits(a, b);
    call_end(a);
    call_end(b);
    hc_destroy(one);
    hc_destroy(two);
}

/* Other numbers: the inputs of one call are added to. */
static void change_inputs(const Given *call, double by) {
    const Program *p = call->p;
    for (uint32_t k = 0; k < p->n_given; k++) {
        const Fenced *f = &call->inputs[k];
        for (uint64_t i = 0; p->p->inputs.at[k].type.elem == TIR_REAL && i < f->bytes / 8; i++)
            ((double *)(void *)f->at)[i] += by;
    }
}

/* Three are open at once, of different extents, and finished in another order than they began. */
static void open_calls_do_not_disturb_each_other(void **state) {
    Program p = *(Program *)*state;
    HcContext *context = context_of(&p, 2), *other = context_of(&p, 1);
    static const uint32_t sizes[][2] = {{5, 37}, {2, 16}, {5, 37}}, order[] = {1, 2, 0};
    Given *alone[3], *open[3];
    for (uint32_t k = 0; k < 3; k++) {
        extents(&p, sizes[k][0], sizes[k][1]);
        alone[k] = call_begin(&p, context, 0);
        open[k] = call_begin(&p, context, 0);
        change_inputs(alone[k], 0.1 * k);
        change_inputs(open[k], 0.1 * k);
        both_passes(context, alone[k]);
    }
    for (uint32_t k = 0; k < 3; k++)
        ok(context, hc_apply(context, &open[k]->apply));
    for (uint32_t k = 0; k < 3; k++)
        ok(other, hc_apply_backward(k ? context : other, &open[order[k]]->apply));
    for (uint32_t k = 0; k < 3; k++) {
        same_bits(alone[k], open[k]);
        call_end(alone[k]);
        call_end(open[k]);
    }
    hc_destroy(context);
    hc_destroy(other);
}

/* The sum of all results, weighed by the gradients that the caller gives. */
static double weighed(HcContext *context, const Given *call) {
    double sum = 0;
    ok(context, hc_apply(context, &call->apply));
    for (uint32_t k = 0; k < call->p->n_results; k++)
        for (uint64_t i = 0; call->upstream[k].at && i < call->results[k].bytes / 8; i++)
            sum += ((double *)(void *)call->results[k].at)[i] *
                   ((double *)(void *)call->upstream[k].at)[i];
    return sum;
}

static void check_difference(HcContext *context, const Given *call, const Fenced *leaf,
                             const Fenced *gradient) {
    static const double steps[] = {-2, -1, 1, 2};
    Case *c = call->p->c;
    for (uint32_t n = 0; n < 6; n++) {
        const uint32_t k = case_below(c, (uint32_t)(leaf->bytes / 8));
        double *x = (double *)(void *)leaf->at + k, at = *x, h = 1e-4, value[4];
        for (uint32_t s = 0; s < 4; s++) {
            *x = at + steps[s] * h;
            value[s] = weighed(context, call);
        }
        *x = at;
        const double expected = (8 * (value[2] - value[1]) - (value[3] - value[0])) / (12 * h);
        const double got = ((double *)(void *)gradient->at)[k];
        assert_true(fabs(expected - got) <= 1e-6 * fmax(1, fabs(expected)));
    }
}

static void gradients_are_finite_differences(void **state) {
    Program p = *(Program *)*state;
    HcContext *context = context_of(&p, 1);
    extents(&p, 3, 5);
    Given *call = call_begin(&p, context, 0);
    both_passes(context, call);
    for (uint32_t k = 0; k < p.n_given; k++)
        if (call->input_gradients[k].at)
            check_difference(context, call, &call->inputs[k], &call->input_gradients[k]);
    for (uint32_t k = 0; k < p.p->params.count; k++)
        check_difference(context, call, &call->parameters[k], &call->parameter_gradients[k]);
    call_end(call);
    hc_destroy(context);
}

/* In the context's own memory the same program gives the same. */
static void contexts_run_programs_in_their_own_memory(void **state) {
    Program p = *(Program *)*state;
    HcContext *context = context_of(&p, 2);
    extents(&p, 3, 21);
    Given *call = call_begin(&p, context, 0);
    both_passes(context, call);
    ok(context, hc_resize(context, 3, 21));
    HcView view;
    for (uint32_t k = 0; k < p.n_given; k++) {
        HcInput in;
        ok(context, hc_input(context, k, &in));
        ok(context, hc_set_input(context, in.name, call->inputs[k].at, in.count));
    }
    for (uint32_t k = 0; k < p.p->params.count; k++) {
        HcParameter parameter;
        ok(context, hc_parameter(context, k, &parameter));
        memcpy(parameter.data, call->parameters[k].at, call->parameters[k].bytes);
    }
    for (uint32_t k = 0; k < p.n_results; k++) {
        HcResult of;
        ok(context, hc_result(context, k, &of));
        assert_string_equal(of.name, p.results[k]->name);
        assert_int_equal(of.count * 8, call->results[k].bytes);
        assert_int_equal(of.takes_gradient, call->upstream[k].at != NULL);
        if (of.takes_gradient)
            ok(context, hc_set_result_gradient(context, k, call->upstream[k].at, of.count));
    }
    ok(context, hc_forward(context));
    ok(context, hc_backward(context));
    for (uint32_t k = 0; k < p.n_results; k++) {
        ok(context, hc_output(context, p.results[k]->name, &view));
        assert_memory_equal(view.data, call->results[k].at, call->results[k].bytes);
    }
    for (uint32_t k = 0; k < p.n_given; k++) {
        HcInput in;
        ok(context, hc_input(context, k, &in));
        if (!in.has_gradient) {
            assert_int_equal(hc_input_gradient(context, k, &view), HC_ERROR_ARGUMENT);
            continue;
        }
        ok(context, hc_input_gradient(context, k, &view));
        assert_memory_equal(view.data, call->input_gradients[k].at, (size_t)view.count * 8);
    }
    assert_int_equal(hc_output(context, "per_sampel", &view), HC_ERROR_ARGUMENT);
    assert_non_null(strstr(hc_last_error(context), "did you mean `per_sample`?"));
    double loss;
    assert_int_equal(hc_loss(context, &loss), HC_ERROR_ARGUMENT);
    assert_non_null(strstr(hc_last_error(context), "loss"));
    call_end(call);
    hc_destroy(context);
}

/* What is not wanted, and gradients that are zero. */
static void entries_may_be_left_out(void **state) {
    Program p = *(Program *)*state;
    HcContext *context = context_of(&p, 2);
    extents(&p, 3, 21);
    Given *all = call_begin(&p, context, 0), *some = call_begin(&p, context, 0);
    for (uint32_t k = 1; k < p.n_results; k++) {
        some->pointers[3][k] = NULL;
        if (all->upstream[k].at)
            memset(all->upstream[k].at, 0, all->upstream[k].bytes);
    }
    both_passes(context, all);
    some->pointers[4][0] = some->pointers[5][0] = NULL;
    uint32_t read_back = 0;
    for (uint32_t k = 0; k < p.n_results; k++) {
        HcResult of;
        ok(context, hc_result(context, k, &of));
        void *const at = some->pointers[1][k];
        some->pointers[1][k] = NULL;
        if (!of.read_back)
            continue;
        read_back++;
        assert_int_equal(hc_apply(context, &some->apply), HC_ERROR_ARGUMENT);
        assert_non_null(strstr(hc_last_error(context), of.name));
        some->pointers[1][k] = at;
    }
    assert_true(read_back > 0 && read_back < p.n_results);
    both_passes(context, some);
    for (uint32_t k = 1; k < p.n_given; k++)
        if (some->input_gradients[k].at)
            assert_memory_equal(some->input_gradients[k].at, all->input_gradients[k].at,
                                all->input_gradients[k].bytes);
    for (uint32_t k = 1; k < p.p->params.count; k++)
        assert_memory_equal(some->parameter_gradients[k].at, all->parameter_gradients[k].at,
                            all->parameter_gradients[k].bytes);
    some->apply.results = NULL;
    some->apply.saved = NULL;
    ok(context, hc_apply(context, &some->apply)); /* for nothing */
    call_end(all);
    call_end(some);
    hc_destroy(context);
}

static void refused(HcContext *context, const HcApply *apply, const char *why) {
    assert_int_equal(hc_apply_backward(context, apply), HC_ERROR_ARGUMENT);
    if (!strstr(hc_last_error(context), why))
        fail_msg("\"%s\" does not say \"%s\"", hc_last_error(context), why);
}

static void wrong_calls_are_refused(void **state) {
    Program p = *(Program *)*state;
    HcContext *context = context_of(&p, 1);
    extents(&p, 3, 21);
    Given *call = call_begin(&p, context, 0);
    const HcApply good = call->apply;
    HcApply a;
    assert_int_equal(hc_apply(NULL, &good), HC_ERROR_ARGUMENT);
    assert_int_equal(hc_apply(context, NULL), HC_ERROR_ARGUMENT);
    assert_int_equal(hc_apply_backward(NULL, NULL), HC_ERROR_ARGUMENT);
    assert_int_equal(hc_saved_bytes(NULL, 1, 1), 0);
    assert_int_equal(hc_saved_bytes(context, 0, 1), 0);
    assert_int_equal(hc_saved_bytes(context, 1, 65), 0);
    assert_int_equal(hc_result(context, MOST, NULL), HC_ERROR_ARGUMENT);
    a = good, a.saved = NULL;
    refused(context, &a, "`saved` is NULL");
    a = good, a.saved = (uint8_t *)good.saved + 8;
    refused(context, &a, "64-byte aligned");
    a = good, a.inputs = NULL;
    refused(context, &a, "input `x0` is NULL");
    a = good, a.samples = 0;
    refused(context, &a, "at least 1");
    a = good, a.positions = 65;
    refused(context, &a, "at most 64");
    a = good, a.samples = INT64_MAX;
    refused(context, &a, "below 2^31");
    int64_t strides[MOST] = {21 * 33 - 1};
    a = good, a.input_strides = strides;
    refused(context, &a, "stride of input `x0` is 692 elements: a sample has 693");
    a = good, a.result_strides = strides;
    refused(context, &a, "stride of result `y`");
    void *odd[MOST];
    memcpy(odd, call->pointers[2], sizeof odd);
    odd[1] = (uint8_t *)odd[1] + 1;
    a = good, a.parameters = (const void *const *)odd;
    refused(context, &a, "parameter `p1` does not begin");
    odd[1] = NULL;
    refused(context, &a, "parameter `p1` is NULL");
    ((int32_t *)(void *)call->inputs[3].at)[2] = VOCABULARY;
    assert_int_equal(hc_apply(context, &good), HC_ERROR_DATA);
    ((int32_t *)(void *)call->inputs[3].at)[2] = 0;
    ok(context, hc_apply(context, &good));
    call_end(call);
    hc_destroy(context);
}

/* In the child of a fork a context goes on, without the threads that stayed behind. */
static void contexts_go_on_in_a_forked_child(void **state) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* a thread may hold a lock of its allocator while another forks */
#endif
    Program p = *(Program *)*state;
    extents(&p, 3, 21);
    HcContext *context = context_of(&p, 2);
    Given *here = call_begin(&p, context, 0), *there = call_begin(&p, context, 0);
    both_passes(context, here);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        alarm(20);
        bool good = hc_apply(context, &there->apply) == HC_OK &&
                    hc_apply_backward(context, &there->apply) == HC_OK;
        for (uint32_t k = 0; k < p.p->params.count && good; k++)
            good = memcmp(here->parameter_gradients[k].at, there->parameter_gradients[k].at,
                          here->parameter_gradients[k].bytes) == 0;
        _exit(good ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    call_end(here);
    call_end(there);
    hc_destroy(context);
}

enum { USERS = 8, CONTEXTS = 8 };

typedef struct {
    const Program *p;
    Given *call;
    HcContext *contexts[CONTEXTS];
    bool good;
} User;

static void *use(void *argument) {
    User *user = argument;
    user->good = true;
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t k = 0; k < CONTEXTS && user->good; k++)
            user->good = hc_apply(user->contexts[k], &user->call->apply) == HC_OK &&
                         hc_apply_backward(user->contexts[k], &user->call->apply) == HC_OK;
    return NULL;
}

/* Each thread has contexts of its own of one model; every other context has threads of its own. */
static void threads_with_contexts_do_not_meet(void **state) {
    Program p = *(Program *)*state;
    User users[USERS] = {0};
    pthread_t threads[USERS];
    extents(&p, 2, 16);
    for (uint32_t u = 0; u < USERS; u++) {
        for (uint32_t k = 0; k < CONTEXTS; k++)
            users[u].contexts[k] = context_of(&p, 1 + (int)(k % 2));
        users[u].call = call_begin(&p, users[u].contexts[0], 0);
    }
    for (uint32_t u = 0; u < USERS; u++)
        assert_int_equal(pthread_create(&threads[u], NULL, use, &users[u]), 0);
    for (uint32_t u = 0; u < USERS; u++) {
        pthread_join(threads[u], NULL);
        assert_true(users[u].good);
        same_bits(users[0].call, users[u].call);
    }
    check_call(users[0].call);
    for (uint32_t u = 0; u < USERS; u++) {
        call_end(users[u].call);
        for (uint32_t k = 0; k < CONTEXTS; k++)
            hc_destroy(users[u].contexts[k]);
    }
}

static long resident_pages(void) {
    long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &all, &resident), 2);
    fclose(file);
    return resident;
}

static void contexts_leave_nothing_behind(void **state) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* it keeps what was freed */
#endif
    Program p = *(Program *)*state;
    extents(&p, 2, 16);
    HcContext *first = context_of(&p, 1);
    Given *call = call_begin(&p, first, 0);
    hc_destroy(first);
    const int rounds = getenv("HCC_TEST_EVERYTHING") ? 1000 : 60;
    long after_some = 0;
    for (int k = 0; k < rounds; k++) {
        HcContext *context = context_of(&p, 1 + k % 2);
        both_passes(context, call);
        hc_destroy(context);
        if (k == rounds / 3)
            after_some = resident_pages();
    }
    assert_true(resident_pages() - after_some < 256); /* 1 MiB */
    call_end(call);
}

/* Allocated by anybody in this process. */
static double allocated(void) {
    const struct mallinfo2 now = mallinfo2();
    return (double)now.uordblks + (double)now.hblkhd;
}

/* Samples apart and results at odd places: workspace, memory for what is moved, tails. */
static void all_that_calls_allocate_is_counted(void **state) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* its own allocator */
#endif
    for (int form = 0; form < 3; form++) {
        Program p = *(Program *)*state;
        p.aligned = form < 2;
        extents(&p, MOST_SAMPLES, MOST_POSITIONS);
        HcContext *context = context_of(&p, 2);
        Given *call = call_begin(&p, context, form == 1 ? 5 : 0);
        const double before = allocated(), said = (double)hc_memory_bytes(context);
        both_passes(context, call);
        const double grown = allocated() - before,
                     counted = (double)hc_memory_bytes(context) - said;
        if (counted < 0.97 * grown || counted > grown)
            fail_msg("form %d: %g bytes are counted of %g", form, counted, grown);
        call_end(call);
        hc_destroy(context);
    }
}

/* The manifest with the first `from` after `key` replaced. */
static char *lie(const HcModel *model, const char *key, const char *from, const char *to) {
    const char *at = strstr(model->manifest, key);
    at = at ? strstr(at, from) : NULL;
    if (!at)
        fail_msg("the manifest has no %s after %s", from, key);
    const size_t before = (size_t)(at - model->manifest),
                 size = strlen(model->manifest) + strlen(to) + 1;
    char *text = malloc(size);
    snprintf(text, size, "%.*s%s%s", (int)before, model->manifest, to, at + strlen(from));
    return text;
}

static void manifests_that_lie_are_refused(void **state) {
    static const struct {
        const char *key, *from, *to, *why;
    } lies[] = {
        {"\"upstream\"", "\"y\"", "\"z\"", "a result that there is not"},
        {"\"inputs\"", "\"limit\":0", "\"upstream\":\"y\"", "behind gradients"},
        {"\"results\"", "\"position\"", "\"sample\"", ""},
        {"\"results\"", "\"dims\":[33]", "\"dims\":[34]", ""},
        {"\"results\"", "\"dims\":[33]", "\"dims\":[281474976710656,2]", "dims"},
        {"\"results\"", "[\"output\",\"f64\",0,0]", "[\"output\",\"f64\",0,99]", "index"},
        {"\"results\"", "[\"output\",\"f64\",0,0]", "[\"output\",\"f32\",0,0]", "type"},
        {"\"results\"", "[\"output\",\"f64\",0,0]", "[\"partial\",\"f64\",0]", "partial"},
        {"\"input_grads\"", "\"input\":0", "\"input\":77", ""},
        {"\"input_grads\"", "\"input\":0", "\"input\":-1", ""},
        {"\"saved\"", "\"position\":", "\"position\":9", ""},
        {"\"saved\"", "\"partial\":0", "\"partial\":64", ""},
        {"\"forward\"", "\"reads\":", "\"reads\":9999", ""},
    };
    const Program *p = *state;
    for (uint32_t k = 0; k < sizeof lies / sizeof *lies; k++) {
        char *text = lie(p->run.loaded, lies[k].key, lies[k].from, lies[k].to);
        HcModel model = *p->run.loaded;
        HcContext *context;
        HcError why;
        model.manifest = text;
        model.manifest_length = strlen(text);
        assert_int_equal(hc_create(&model, NULL, &context, &why), HC_ERROR_MODEL); /* the seal */
        model.manifest_seal = 0;
        const HcStatus status = hc_create(&model, NULL, &context, &why);
        if (status != HC_ERROR_MODEL || !strstr(why.message, lies[k].why))
            fail_msg("lie %u: status %d, \"%s\"", k, (int)status, why.message);
        free(text);
    }
}

/* Most tests share a program: compiling is what this test's time goes to. */
static int setup(void **state) {
    static Case c;
    static Program shared;
    void *at = &c;
    shared = compile_at_most(&at, 33, true, true);
    *state = &shared;
    return 0;
}

static int teardown(void **state) {
    Program *p = *state;
    end(p);
    case_end(p->c);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_passes_give_what_the_interpreter_has, case_setup,
                                        case_teardown),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(open_calls_do_not_disturb_each_other),
        cmocka_unit_test(gradients_are_finite_differences),
        cmocka_unit_test(contexts_run_programs_in_their_own_memory),
        cmocka_unit_test(entries_may_be_left_out),
        cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(contexts_go_on_in_a_forked_child),
        cmocka_unit_test(threads_with_contexts_do_not_meet),
        cmocka_unit_test(all_that_calls_allocate_is_counted),
        cmocka_unit_test(contexts_leave_nothing_behind),
        cmocka_unit_test(manifests_that_lie_are_refused),
    };
    return cmocka_run_group_tests_name("apply", tests, setup, teardown);
}
