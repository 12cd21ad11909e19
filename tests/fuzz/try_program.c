/* Tries programs in many arrangements, for the fuzzer: the interpreter's loss, gradients and probes
 * against those of compiled code, fused and not, in f32 and f64, for several processors, with
 * threads and in the least memory.
 *
 * Reads requests, a line each: PATH SEED SECONDS ARRANGEMENT..., seconds of processor time each. An
 * arrangement is words joined by commas (f64 or f32; plain: nothing is fused; O3; baseline, v3;
 * least: of memory), or `gradcheck` with options of that command behind commas. Answers with a line
 * an arrangement and a last one:
 *
 *   ARRANGEMENT CODE SECONDS BITS WHAT
 *   end
 *
 * CODE is 0, hcc's exit code, `off` (another result than the interpreter's), `bits` (other bits
 * with other threads), `signal N`'s number with an S before it, or `late`. BITS is a hash of all
 * results. Each request runs in a process of its own, and a new one goes on behind an arrangement
 * that ended it. */
#include "../elements.h"
#include "compile/memory.h"
#include "driver/driver.h"
#include "driver/pipeline.h"
#include "gradcheck/gradcheck.h"
#include "runtime/hc.h"
#include "runtime/run/rng.h"
#include "tir/interp.h"
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLES = 3, MAX_POSITIONS = 40, MAX_WORDS = 64, MEMORY = 6 };
#define GIB ((rlim_t)1 << 30)

/* What a request's process tells the one that waits for it. */
static struct Progress {
    int arrangement; /* that is being tried */
    char stage[32];
} *progress;

typedef struct {
    bool f64, fuse, least;
    int opt_level;
    const char *cpu;
} Form;

/* A point at which a program is evaluated, and what the interpreter finds there. */
typedef struct {
    uint32_t samples;
    uint32_t positions[HC_SPACES_MOST]; /* by space */
    uint32_t fewer;                     /* in each than there may be */
    uint64_t seed;
    double **params, **inputs;
    TirTensor *results; /* by output */
} Point;

typedef struct {
    Driver d;
    Network *network;
    TirProgram *program;
    uint64_t seed;
    Point *point; /* at the program's largest extents */
    char what[600];
    uint64_t bits;
} Trial;

static void trial_stage(const char *stage) {
    snprintf(progress->stage, sizeof progress->stage, "%s", stage);
    fault_handlers_note(progress->stage);
}

static void trial_pass(void *context, const char *pass) {
    (void)context;
    trial_stage(pass);
}

/* --- points ------------------------------------------------------------------------------------*/

static uint64_t draw_bits(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double draw_uniform(uint64_t *state) {
    return ((double)(draw_bits(state) >> 11) + 0.5) * 0x1p-53;
}

static double draw_normal(uint64_t *state) {
    double radius = sqrt(-2 * log(draw_uniform(state)));
    return radius * cos(6.283185307179586 * draw_uniform(state));
}

/* Weights as they are drawn, other values near their initial ones: all of them floats, so that both
 * precisions start from the same numbers. */
static void fill_param(const TirParam *param, uint64_t *state, double *to) {
    const uint64_t count = tir_element_count(&param->type);
    for (uint64_t k = 0; k < count; k++) {
        double z = draw_normal(state);
        double initial = param->init == TIR_INIT_DATA ? param->data[k] : param->init_a;
        if (param->init == TIR_INIT_NORMAL)
            z = param->init_a + fmax(param->init_b, 0.05) * z;
        else if (param->init == TIR_INIT_UNIFORM)
            z = param->init_a + (param->init_b - param->init_a) * draw_uniform(state);
        else
            z = initial + 0.1 * z;
        to[k] = (float)z;
    }
}

static uint64_t input_elements(const TirInput *input, const Point *point) {
    return gradcheck_input_elements(input, point->samples, point->positions);
}

static void fill_input(const TirInput *input, uint64_t *state, uint64_t count, double *to) {
    for (uint64_t k = 0; k < count; k++)
        to[k] = input->type.elem == TIR_REAL
                    ? (float)draw_normal(state)
                    : (double)(draw_bits(state) % (input->limit ? input->limit : 2));
}

/* The random key of the first step after hc_init(seed). */
static uint64_t first_random_key(uint64_t seed) {
    uint32_t block[4];
    hc_rng_block(seed, hc_rng_stream("hc.random"), 0, block);
    return (uint64_t)block[1] << 32 | block[0];
}

static void point_interpret(Trial *t, Point *point, double rounding, uint64_t rounding_key) {
    const TirProgram *p = t->program;
    Arena *arena = t->d.c->arena;
    TirBinding binding = {.samples = point->samples,
                          .positions = point->positions[0],
                          .further = point->positions + 1,
                          .params = (const double *const *)point->params,
                          .inputs = (const double *const *)point->inputs,
                          .training = true,
                          .random_key = first_random_key(point->seed),
                          .rounding = rounding,
                          .rounding_key = rounding_key};
    TirId *wanted = ARENA_ARRAY(arena, TirId, p->outputs.count);
    for (uint32_t k = 0; k < p->outputs.count; k++)
        wanted[k] = p->outputs.at[k].value;
    point->results = ARENA_ARRAY(arena, TirTensor, p->outputs.count);
    tir_interpret(p, &binding, p->outputs.count, wanted, point->results, arena);
}

/* With as many positions as a space may have, or some fewer. */
static Point *point_create(Trial *t, uint32_t samples, uint32_t fewer, uint64_t seed) {
    const TirProgram *p = t->program;
    Arena *arena = t->d.c->arena;
    Point *point = ARENA_NEW(arena, Point);
    *point = (Point){.samples = samples, .positions = {1}, .fewer = fewer, .seed = seed};
    for (uint32_t s = 0; s < p->spaces.count; s++) {
        const uint32_t maximum = p->spaces.at[s].maximum;
        const uint32_t most = maximum < MAX_POSITIONS ? maximum : MAX_POSITIONS;
        point->positions[s] = most > fewer ? most - fewer : 1;
    }
    uint64_t state = seed * 0x2545f4914f6cdd1du + 1;
    point->params = ARENA_ARRAY(arena, double *, p->params.count);
    for (uint32_t k = 0; k < p->params.count; k++) {
        point->params[k] = ARENA_ARRAY(arena, double, tir_element_count(&p->params.at[k].type));
        fill_param(&p->params.at[k], &state, point->params[k]);
    }
    point->inputs = ARENA_ARRAY(arena, double *, p->inputs.count);
    for (uint32_t k = 0; k < p->inputs.count; k++) {
        uint64_t count = input_elements(&p->inputs.at[k], point);
        point->inputs[k] = ARENA_ARRAY(arena, double, count);
        fill_input(&p->inputs.at[k], &state, count, point->inputs[k]);
    }
    point_interpret(t, point, 0, 0);
    return point;
}

static double *values_rounded(Arena *arena, const double *from, uint64_t count, double unit,
                              uint64_t *state) {
    double *to = ARENA_ARRAY(arena, double, count);
    for (uint64_t k = 0; k < count; k++)
        to[k] = from[k] * (1 + unit * (2 * draw_uniform(state) - 1));
    return to;
}

/* The same with every number and every result of arithmetic off by up to `unit` of itself: what
 * other code that rounds like that might find. */
static Point *point_rounded(Trial *t, const Point *from, double unit, uint64_t key) {
    const TirProgram *p = t->program;
    Arena *arena = t->d.c->arena;
    Point *point = ARENA_NEW(arena, Point);
    *point = *from;
    uint64_t state = from->seed + key;
    point->params = ARENA_ARRAY(arena, double *, p->params.count);
    for (uint32_t k = 0; k < p->params.count; k++)
        point->params[k] = values_rounded(arena, from->params[k],
                                          tir_element_count(&p->params.at[k].type), unit, &state);
    point->inputs = ARENA_ARRAY(arena, double *, p->inputs.count);
    for (uint32_t k = 0; k < p->inputs.count; k++) {
        const TirInput *input = &p->inputs.at[k];
        point->inputs[k] =
            input->type.elem != TIR_REAL
                ? from->inputs[k]
                : values_rounded(arena, from->inputs[k], input_elements(input, from), unit, &state);
    }
    point_interpret(t, point, unit, key);
    return point;
}

static uint64_t tensor_count(const TirTensor *tensor) {
    return tensor->instances * tir_element_count(&tensor->type);
}

/* Programs may leave the range of numbers; nothing can be compared then. */
static bool point_is_finite(const Trial *t, const Point *point, double most) {
    for (uint32_t k = 0; k < t->program->outputs.count; k++)
        for (uint64_t j = 0; j < tensor_count(&point->results[k]); j++)
            if (!(fabs(point->results[k].at[j]) < most))
                return false;
    return true;
}

/* --- compiled code -----------------------------------------------------------------------------*/

typedef struct {
    Jit *jit;
    const HcModel *model;
    Form form;
} Code;

static CompileRun code_begin(Trial *t, const CompileOptions *options) {
    const CompileWatch watch = {.begins = trial_pass};
    CompileRun run = compile_begin(t->d.c, options, &watch);
    compile_from_program(&run, t->program, PASS_UNROLL);
    *run.network = *t->network;
    return run;
}

/* As few bytes as a step can take. */
static int code_least(Trial *t, CompileOptions *options) {
    options->memory = 1;
    CompileRun run = code_begin(t, options);
    const CompileStatus status = compile_to(&run, PASS_MEMORY);
    const HcPrecision precision = compile_precision(&run);
    const bool planned = status == COMPILE_RESOURCES && run.plan && run.plan->replays.least;
    const int code = planned ? EXIT_OK : pipeline_status(&t->d, &run, status);
    compile_end(&run);
    const PlanStep step = memory_step(t->network, 0, precision);
    options->memory =
        memory_fixed(t->network, step, precision) + (planned ? run.plan->replays.least : 0);
    return code;
}

static int code_compile(Trial *t, CompileRun *run) {
    int code = pipeline_status(&t->d, run, compile_to(run, PASS_MANIFEST));
    if (code != EXIT_OK)
        return code;
    uint32_t n_features;
    const char *const *features = codegen_target_features(run->target, &n_features);
    if (codegen_host_lacks(features, n_features))
        return EXIT_OK;
    run->model.symbol = "fuzz_model";
    return pipeline_status(&t->d, run, compile_load(run));
}

/* An exit code; 0 with code->jit NULL: this machine cannot run it. */
static int code_make(Trial *t, const Form *form, Code *code) {
    CompileOptions options = {.machine = {.cpu = form->cpu, .opt_level = form->opt_level},
                              .precision = {form->f64, HC_PRECISION_F64},
                              .plain = !form->fuse};
    *code = (Code){.form = *form};
    int made = form->least ? code_least(t, &options) : EXIT_OK;
    if (made != EXIT_OK)
        return made;
    CompileRun run = code_begin(t, &options);
    made = code_compile(t, &run);
    code->jit = run.jit;
    code->model = run.loaded;
    compile_end(&run);
    return made;
}

static void code_free(Code *code) {
    jit_unload(code->jit);
}

static HcStatus context_bind(Trial *t, HcContext *context, const Point *point, bool f64) {
    const TirProgram *p = t->program;
    HcStatus status = hc_init(context, point->seed);
    for (uint32_t k = 0; k < p->params.count && status == HC_OK; k++) {
        HcParameter parameter;
        status = hc_parameter(context, k, &parameter);
        uint64_t count = (uint64_t)parameter.count;
        memcpy(parameter.data, elements_of(t->d.c->arena, point->params[k], count, false, f64),
               count * (f64 ? 8 : 4));
        memset(parameter.gradient, 0, count * (f64 ? 8 : 4));
    }
    for (uint32_t k = 0; k < p->inputs.count && status == HC_OK; k++) {
        const TirInput *input = &p->inputs.at[k];
        uint64_t count = input_elements(input, point);
        void *data =
            elements_of(t->d.c->arena, point->inputs[k], count, input->type.elem != TIR_REAL, f64);
        status = hc_set_input(context, input->name, data, (int64_t)count);
    }
    return status;
}

/* What turned out to be the same at every position or in every sample is there once. */
typedef struct {
    uint64_t instances, elements, there, by; /* instance k is at k / by % there */
} Repeated;

static Repeated repeated_of(const Trial *t, const Point *point, const TirOutput *output,
                            uint64_t count, const HcView *view) {
    const TirTensor *wanted = &point->results[output - t->program->outputs.at];
    Repeated of = {wanted->instances, tir_element_count(&wanted->type), wanted->instances, 1};
    if (output->role == TIR_OUT_GRAD || count == of.instances * of.elements)
        return of;
    of.there = count / of.elements;
    if (of.there == point->samples && view->dims[0] == point->samples)
        of.by = of.instances / of.there; /* positions of a sample lie together */
    return of;
}

/* The results of the last run, as doubles, by output; NULL for those that cannot be asked for. */
static HcStatus context_results(Trial *t, const Point *point, HcContext *context, bool f64,
                                double **to) {
    const TirProgram *p = t->program;
    HcStatus status = HC_OK;
    for (uint32_t k = 0; k < p->outputs.count && status == HC_OK; k++) {
        const TirOutput *output = &p->outputs.at[k];
        HcParameter parameter;
        HcView view = {0};
        uint64_t count = 1;
        const void *data = NULL;
        to[k] = NULL;
        if (output->role == TIR_OUT_LOSS) {
            to[k] = ARENA_NEW(t->d.c->arena, double);
            status = hc_loss(context, to[k]);
            continue;
        }
        if (output->role == TIR_OUT_GRAD) {
            status = hc_parameter(context, output->index, &parameter);
            data = parameter.gradient;
            count = (uint64_t)parameter.count;
        } else if (output->role == TIR_OUT_PROBE || output->role == TIR_OUT_METRIC) {
            status = hc_output(context, output->name, &view);
            data = view.data;
            count = (uint64_t)view.count;
        } else {
            continue;
        }
        if (status != HC_OK)
            break;
        const Repeated of = repeated_of(t, point, output, count, &view);
        to[k] = ARENA_ARRAY(t->d.c->arena, double, of.instances *of.elements);
        for (uint64_t j = 0; j < of.instances * of.elements; j++) {
            const uint64_t instance = j / of.elements / of.by % of.there;
            const uint64_t at = instance * of.elements + j % of.elements;
            to[k][j] = f64 ? ((const double *)data)[at] : (double)((const float *)data)[at];
        }
    }
    return status;
}

/* --- comparing ---------------------------------------------------------------------------------*/

typedef struct {
    double off; /* relative to what is allowed: beyond 1 is wrong */
    const char *name;
    bool is_gradient;
} Gap;

static double tensor_size(const TirTensor *tensor) {
    double size = 0;
    for (uint64_t k = 0; k < tensor_count(tensor); k++)
        size = fmax(size, fabs(tensor->at[k]));
    return size;
}

static double tensor_gap(const TirTensor *tensor, const double *other) {
    double gap = 0;
    for (uint64_t k = 0; k < tensor_count(tensor); k++) {
        double difference = fabs(tensor->at[k] - other[k]);
        gap = isnan(difference) ? INFINITY : fmax(gap, difference);
    }
    return gap;
}

/* A small gradient is what is left of larger ones: it may be off by a share of the largest. */
static double tensor_scale(const Trial *t, const Point *point, uint32_t output, bool f64) {
    double size = tensor_size(&point->results[output]), largest = 0;
    if (t->program->outputs.at[output].role != TIR_OUT_GRAD)
        return fmax(size, 1e-2);
    for (uint32_t k = 0; k < t->program->outputs.count; k++)
        if (t->program->outputs.at[k].role == TIR_OUT_GRAD)
            largest = fmax(largest, tensor_size(&point->results[k]));
    return fmax(size, largest * (f64 ? 1e-5 : 1e-2)) + 1e-12;
}

static Gap worst_gap(Trial *t, const Point *point, double **got, bool f64) {
    Gap worst = {0, "", false};
    for (uint32_t k = 0; k < t->program->outputs.count; k++) {
        if (!got[k])
            continue;
        double allowed = (f64 ? 1e-9 : 3e-4) * tensor_scale(t, point, k, f64);
        double off = tensor_gap(&point->results[k], got[k]) / allowed;
        if (off > worst.off)
            worst = (Gap){off, t->program->outputs.at[k].name,
                          t->program->outputs.at[k].role == TIR_OUT_GRAD};
    }
    return worst;
}

/* Whether a gap is no more than what rounding makes of the same program elsewhere: a gradient that
 * is what is left where large terms cancel has no digits left, in whatever order they are added. */
static bool gap_is_rounding(Trial *t, const Point *point, double **got, bool f64) {
    enum { TIMES = 3, SHARE = 20 };
    Point *rounded[TIMES];
    for (uint32_t k = 0; k < TIMES; k++)
        rounded[k] = point_rounded(t, point, f64 ? DBL_EPSILON : (double)FLT_EPSILON, 77 + k);
    for (uint32_t k = 0; k < t->program->outputs.count; k++) {
        double allowed = (f64 ? 1e-9 : 3e-4) * tensor_scale(t, point, k, f64);
        for (uint32_t m = 0; m < TIMES; m++)
            allowed =
                fmax(allowed, SHARE * tensor_gap(&point->results[k], rounded[m]->results[k].at));
        if (got[k] && !(tensor_gap(&point->results[k], got[k]) <= allowed))
            return false;
    }
    return true;
}

static const char *trial_failed(Trial *t, const char *what) {
    snprintf(t->what, sizeof t->what, "%s", what);
    return "70";
}

static uint64_t hash_results(const Trial *t, const Point *point, double **got) {
    uint64_t hash = 1;
    for (uint32_t k = 0; k < t->program->outputs.count; k++)
        if (got[k])
            hash = hash_bytes(got[k], tensor_count(&point->results[k]) * sizeof(double), hash);
    return hash;
}

/* Runs the code at a point. "0", or what was wrong. */
static const char *code_run(Trial *t, const Code *code, const Point *point, int threads,
                            double **got) {
    HcContext *context;
    HcError why;
    HcOptions options = {.threads = threads,
                         .samples = point->samples,
                         .positions = t->program->spaces.count ? point->positions[0] : 0};
    trial_stage("create");
    if (hc_create(code->model, &options, &context, &why) != HC_OK)
        return trial_failed(t, why.message);
    HcStatus status = HC_OK;
    for (int64_t space = 1; space < hc_space_count(context) && status == HC_OK; space++)
        status = hc_resize_space(context, space, point->positions[space]);
    trial_stage("run");
    if (status == HC_OK)
        status = context_bind(t, context, point, code->form.f64);
    if (threads > 1 && status == HC_OK) { /* over used memory, in one go */
        status = hc_forward_backward(context);
        if (status == HC_OK)
            status = hc_forward_backward(context);
    } else if (status == HC_OK) {
        status = hc_forward(context);
        if (status == HC_OK)
            status = hc_backward(context);
    }
    if (status == HC_OK)
        status = context_results(t, point, context, code->form.f64, got);
    const char *failed = status == HC_OK ? "0" : trial_failed(t, hc_last_error(context));
    hc_destroy(context);
    return failed;
}

static void describe_gap(Trial *t, Gap gap, const Point *point) {
    snprintf(t->what, sizeof t->what, "%s %s is off by %.3g of what rounding may do (%u x %u)",
             gap.is_gradient ? "the gradient of" : "the value of", gap.name, gap.off,
             point->samples, point->positions[0]);
}

/* A gap is one of the compiler when it is there at two points of three: at one it may be a choice
 * (the largest, a comparison) that rounding decides. */
static const char *code_compare(Trial *t, const Code *code, const Point *first) {
    double **got = ARENA_ARRAY(t->d.c->arena, double *, t->program->outputs.count);
    const Point *point = first;
    const double most = code->form.f64 ? INFINITY : 1e30;
    Gap gap = {0, "", false};
    uint32_t wrong = 0, tried = 0;
    for (uint32_t k = 0; k < 5 && wrong < 2 && tried - wrong < 2; k++) {
        if (k > 0)
            point = point_create(t, first->samples, first->fewer, first->seed + 1000 * k);
        if (!point_is_finite(t, point, most))
            continue;
        const char *result = code_run(t, code, point, 1, got);
        if (strcmp(result, "0") != 0)
            return result;
        tried++;
        gap = worst_gap(t, point, got, code->form.f64);
        if (k == 0 && gap.off <= 1)
            return "0";
        if (gap.off > 1 && !gap_is_rounding(t, point, got, code->form.f64)) {
            describe_gap(t, gap, point);
            wrong++;
        }
    }
    return wrong >= 2 ? "off" : "0";
}

static const char *code_threads(Trial *t, const Code *code, const Point *point) {
    uint32_t count = t->program->outputs.count;
    double **one = ARENA_ARRAY(t->d.c->arena, double *, count);
    double **two = ARENA_ARRAY(t->d.c->arena, double *, count);
    const char *result = code_run(t, code, point, 1, one);
    if (strcmp(result, "0") != 0)
        return result;
    t->bits = hash_results(t, point, one);
    result = code_run(t, code, point, 2, two);
    for (uint32_t k = 0; k < count && strcmp(result, "0") == 0; k++)
        if (one[k] &&
            memcmp(one[k], two[k], tensor_count(&point->results[k]) * sizeof(double)) != 0) {
            snprintf(t->what, sizeof t->what, "%s has other bits with two threads",
                     t->program->outputs.at[k].name);
            result = "bits";
        }
    return result;
}

static const char *exit_text(int code) {
    static const char *const known[] = {"0", "1", "2", "3", "4", "5", "6"};
    return code >= 0 && code <= 6 ? known[code] : "70";
}

static const char *trial_form(Trial *t, const Form *form) {
    Code code;
    int made = code_make(t, form, &code);
    if (made != EXIT_OK || !code.jit)
        return exit_text(made);
    const char *result = code_threads(t, &code, t->point);
    if (strcmp(result, "0") == 0)
        result = code_compare(t, &code, t->point);
    const bool fewer = t->program->spaces.count > 1 || t->point->positions[0] > 1;
    if (strcmp(result, "0") == 0 && form->f64 && fewer) /* another batch */
        result = code_compare(t, &code, point_create(t, 1, 1, t->seed + 5));
    code_free(&code);
    return result;
}

/* --- commands ----------------------------------------------------------------------------------*/

/* hcc's own gradcheck; what it calls wrong. */
static const char *trial_gradcheck(Trial *t, const char *path, char *words) {
    const char *argv[16] = {"hcc"};
    int argc = 1;
    for (char *word = strtok(words, ","); word && argc < 14; word = strtok(NULL, ","))
        argv[argc++] = word;
    argv[argc++] = path;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    trial_stage("gradcheck");
    int code = driver_main(argc, argv, out, stderr);
    fclose(out);
    char *wrong = code == EXIT_CHECK ? strstr(text, "WRONG") : NULL;
    if (wrong) {
        char *line = wrong;
        while (line > text && line[-1] != '\n')
            line--;
        snprintf(t->what, sizeof t->what, "%.*s", (int)(wrong - line) + 5, line);
    }
    free(text);
    return exit_text(code);
}

/* --- requests ----------------------------------------------------------------------------------*/

static Form form_read(const char *words) {
    Form form = {.fuse = true, .cpu = NULL};
    char copy[128];
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok(copy, ","); word; word = strtok(NULL, ",")) {
        form.f64 |= strcmp(word, "f64") == 0;
        form.least |= strcmp(word, "least") == 0;
        if (strcmp(word, "plain") == 0)
            form.fuse = false;
        if (strcmp(word, "O3") == 0)
            form.opt_level = 3;
        if (strcmp(word, "baseline") == 0)
            form.cpu = "baseline";
        if (strcmp(word, "v3") == 0)
            form.cpu = "x86-64-v3";
    }
    return form;
}

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The end of what was written to stderr, on one line: warnings come first. */
static void take_messages(char *to, size_t size) {
    fflush(stderr);
    const off_t written = lseek(STDERR_FILENO, 0, SEEK_END), most = (off_t)size - 1;
    ssize_t length = pread(STDERR_FILENO, to, size - 1, written > most ? written - most : 0);
    to[length > 0 ? length : 0] = '\0';
    for (char *at = to; *at; at++)
        if (iscntrl((unsigned char)*at))
            *at = ' ';
    if (ftruncate(STDERR_FILENO, 0) == 0)
        lseek(STDERR_FILENO, 0, SEEK_SET);
}

static void answer(const char *name, const char *code, double seconds, uint64_t bits,
                   const char *what) {
    printf("%s %s %.3f %016llx %s\n", name, code, seconds, (unsigned long long)bits, what);
    fflush(stdout);
}

/* Text to program, as every command has it. */
static int trial_prepare(Trial *t, const char *path) {
    const CompileWatch watch = {.begins = trial_pass};
    const CompileOptions options = pipeline_options(&t->d);
    CompileRun run = compile_begin(t->d.c, &options, &watch);
    t->d.options.argument = path;
    int code = pipeline_model(&t->d, &run, PASS_DCE);
    compile_end(&run);
    t->network = run.network;
    if (code != EXIT_OK)
        return code;
    t->program = t->network->program;
    trial_stage("interpret");
    t->point = point_create(t, SAMPLES, 0, t->seed);
    return EXIT_OK;
}

static const char *trial_run(Trial *t, const char *path, const char *words) {
    char copy[128];
    if (strncmp(words, "gradcheck", 9) == 0) {
        snprintf(copy, sizeof copy, "%s", words);
        return trial_gradcheck(t, path, copy);
    }
    jmp_buf fault, out_of_memory;
    if (setjmp(fault))
        return "70";
    t->d.fault = &fault;
    if (setjmp(out_of_memory))
        return "6";
    t->d.c->out_of_memory = &out_of_memory;
    if (!t->program) {
        int code = trial_prepare(t, path);
        if (code != EXIT_OK)
            return exit_text(code);
        if (!point_is_finite(t, t->point, INFINITY)) {
            snprintf(t->what, sizeof t->what, "the interpreter's results are not finite");
            return "infinite";
        }
    }
    if (strcmp(words, "interpret") == 0)
        return "0";
    Form form = form_read(words);
    return trial_form(t, &form);
}

static void limit_seconds(double most) {
    struct rlimit limit = {(rlim_t)ceil(most), RLIM_INFINITY};
    setrlimit(RLIMIT_CPU, &limit);
}

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 }; /* its shadow takes more address space than any limit */
#else
enum { SANITIZED = 0 };
#endif

static void limit_memory(void) {
    struct rlimit limit = {MEMORY * GIB, MEMORY * GIB};
    if (!SANITIZED)
        setrlimit(RLIMIT_AS, &limit);
}

/* What was compiled before stays in the compilation's memory: too much of the address space is
 * reserved for another arrangement to be tried in what is left. */
static bool memory_is_low(void) {
    unsigned long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    const bool known = file && fscanf(file, "%lu %lu", &pages, &resident) == 2;
    if (file)
        fclose(file);
    const rlim_t bytes = (rlim_t)sysconf(_SC_PAGESIZE) * (SANITIZED ? resident : pages);
    return known && bytes > MEMORY * GIB / 3;
}

/* The child's whole life: arrangements from `first` on. */
static void serve(char **words, int count, int first) {
    limit_memory();
    signal(SIGXCPU, SIG_DFL);
    Trial t = {.seed = strtoull(words[1], NULL, 10)};
    t.d.options.argc = 1;
    t.d.options.argv = (const char *const[]){"hcc"};
    t.d.out = t.d.err = stderr;
    t.d.c = compilation_create();
    for (progress->arrangement = first; progress->arrangement < count; progress->arrangement++) {
        double begun = cpu_seconds();
        char messages[600];
        limit_seconds(begun + strtod(words[2], NULL));
        t.what[0] = '\0';
        t.bits = 0;
        const char *code = trial_run(&t, words[0], words[progress->arrangement]);
        take_messages(messages, sizeof messages);
        answer(words[progress->arrangement], code, cpu_seconds() - begun, t.bits,
               t.what[0] ? t.what : messages);
        if (!t.program && strncmp(words[progress->arrangement], "gradcheck", 9) != 0)
            break; /* what cannot be prepared will not be */
        if (strcmp(code, "infinite") == 0)
            break;
        if ((strcmp(code, "70") == 0 || memory_is_low()) && progress->arrangement + 1 < count)
            exit(99); /* go on in a new process: this one may be damaged, or is full */
    }
    exit(0);
}

static void report_death(char **words, int status) {
    char messages[600], code[16], what[700];
    take_messages(messages, sizeof messages);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        snprintf(code, sizeof code, "late");
    else if (WIFSIGNALED(status))
        snprintf(code, sizeof code, "S%d", WTERMSIG(status));
    else
        snprintf(code, sizeof code, "%d", WEXITSTATUS(status));
    snprintf(what, sizeof what, "in %s: %s", progress->stage, messages);
    answer(words[progress->arrangement], code, 0, 0, what);
}

static void request(char **words, int count) {
    int first = 3;
    while (first < count) {
        progress->arrangement = first;
        if (ftruncate(STDERR_FILENO, 0) == 0)
            lseek(STDERR_FILENO, 0, SEEK_SET);
        pid_t child = fork();
        if (child == 0)
            serve(words, count, first);
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child)
            exit(1);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            break;
        if (!(WIFEXITED(status) && WEXITSTATUS(status) == 99))
            report_death(words, status);
        first = progress->arrangement + 1;
    }
    puts("end");
    fflush(stdout);
}

int main(void) {
    char *line = NULL;
    size_t size = 0;
    int messages = memfd_create("messages", 0);
    progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (messages < 0 || dup2(messages, STDERR_FILENO) < 0 || progress == MAP_FAILED)
        return 1;
    hc_process_init();
    while (getline(&line, &size, stdin) > 0) {
        char *words[MAX_WORDS];
        int count = 0;
        for (char *word = strtok(line, " \n"); word && count < MAX_WORDS;
             word = strtok(NULL, " \n"))
            words[count++] = word;
        if (count > 3)
            request(words, count);
    }
    free(line);
    return 0;
}
