/* Compiled code against the interpreter: a program's loss and all its gradients, in f64 and f32,
 * fused and not. */
#ifndef HCC_TESTS_NATIVE_CASE_H
#define HCC_TESTS_NATIVE_CASE_H

#include "../elements.h"
#include "plan_case.h"

#include "runtime/hc.h"

typedef struct {
    bool f64, fuse, recompute;
    int opt_level;
    const char *cpu;
    bool little; /* in as little memory as there can be */
} Form;

/* The first for every program, the others in turn (all of them with HCC_TEST_EVERYTHING): compiling
 * is what this test's time goes to. */
static const Form FORMS[] = {
    {true, true, true, 3, NULL, false},        {true, false, false, 0, NULL, false},
    {false, true, true, 3, NULL, false},       {true, true, false, 0, NULL, false},
    {true, true, true, 3, "x86-64-v3", false}, {false, true, true, 0, "baseline", false},
    {true, true, true, 3, NULL, true},
};

static void ok(HcContext *context, HcStatus status) {
    if (status != HC_OK)
        fail_msg("%s", hc_last_error(context));
}

static double element(const void *at, uint64_t k, bool f64) {
    return f64 ? ((const double *)at)[k] : (double)((const float *)at)[k];
}

static void compare(const Case *c, const char *what, const TirProgram *p, const double *expected,
                    const void *got, uint64_t count, const Form *form) {
    double worst = 0, size = 1e-2;
    for (uint64_t k = 0; k < count; k++) {
        if (!isfinite(expected[k]))
            return; /* no number to compare with */
        double difference = fabs(expected[k] - element(got, k, form->f64));
        worst = isnan(difference) ? INFINITY : fmax(worst, difference);
        size = fmax(size, fabs(expected[k]));
    }
    if (worst / size <= (form->f64 ? 1e-11 : 2e-4))
        return;
    char *text = case_print(p);
    fputs(text, stderr);
    free(text);
    fail_msg("%s is off by %g (%s, %s, O%d, %s%s; seed %u)", what, worst / size,
             form->f64 ? "f64" : "f32", form->fuse ? "fused" : "unfused", form->opt_level,
             form->cpu ? form->cpu : "native", form->little ? ", in little memory" : "", c->seed);
}

static void run_form(Case *c, TirProgram *p, const Form *form) {
    CompileOptions options = {.machine = {.cpu = form->cpu, .opt_level = form->opt_level},
                              .precision = {form->f64, HC_PRECISION_F64},
                              .plain = !form->fuse,
                              .load = !form->recompute,
                              .memory = form->little ? 1 : 0};
    if (form->little)
        options.memory = case_fixed(c, p, form->f64) + case_plan(c, p, &options)->replays.least;
    CompileRun run = case_run(c, p, &options);
    case_passed(&run, compile_target(&run));
    uint32_t n_features;
    const char *const *features = codegen_target_features(run.target, &n_features);
    if (codegen_host_lacks(features, n_features)) {
        compile_end(&run);
        return;
    }
    case_passed(&run, compile_to(&run, PASS_MEMORY));
    if (form->fuse && form->f64)
        run.network->recipe.batch = 1 << 20; /* lowered as if it streamed */
    case_passed(&run, compile_to(&run, PASS_LOWER));
    run.network->recipe.batch = CASE_SAMPLES;
    run.network->recipe.parts = 1;
    case_passed(&run, compile_to(&run, PASS_MANIFEST));
    if (getenv("HCC_TEST_VERBOSE"))
        for (uint32_t k = 0; k < run.n_kernels; k++)
            print_message("%s: %u instructions\n", run.kernels[k]->name,
                          run.kernels[k]->instructions.count);
    run.model.symbol = "test_model";
    case_passed(&run, compile_load(&run));
    const HcModel *loaded = run.loaded;
    HcContext *context;
    HcError why;
    HcOptions sized = {.threads = 2, .samples = CASE_SAMPLES, .positions = CASE_POSITIONS};
    if (hc_create(loaded, &sized, &context, &why) != HC_OK)
        fail_msg("%s", why.message);
    for (uint32_t k = 0; k < p->params.count; k++) {
        HcParameter parameter;
        ok(context, hc_parameter(context, k, &parameter));
        const void *data =
            elements_of(c->c->arena, c->params[k], (uint64_t)parameter.count, false, form->f64);
        memcpy(parameter.data, data, (size_t)parameter.count * (form->f64 ? 8 : 4));
    }
    for (uint32_t k = 0; k < p->inputs.count; k++) {
        HcInput input;
        ok(context, hc_input(context, k, &input));
        ok(context, hc_set_input(context, input.name,
                                 elements_of(c->c->arena, c->inputs[k], (uint64_t)input.count,
                                             input.is_integer, form->f64),
                                 input.count));
    }
    for (uint32_t run = 0; run < 2; run++) { /* the second time over used memory */
        ok(context, hc_forward(context));
        ok(context, hc_backward(context));
    }
    double loss;
    ok(context, hc_loss(context, &loss));
    for (uint32_t k = 0; k < p->outputs.count; k++) {
        const TirOutput *out = &p->outputs.at[k];
        TirTensor expected;
        case_values(c, p, 1, &out->value, &expected, c->c->arena);
        if (out->role == TIR_OUT_LOSS) {
            float single = (float)loss;
            compare(c, "loss", p, expected.at, form->f64 ? (void *)&loss : (void *)&single, 1,
                    form);
        } else if (out->role == TIR_OUT_GRAD) {
            HcParameter parameter;
            ok(context, hc_parameter(context, out->index, &parameter));
            compare(c, parameter.name, p, expected.at, parameter.gradient,
                    (uint64_t)parameter.count, form);
        }
    }
    hc_destroy(context);
    jit_unload(run.jit);
    compile_end(&run);
}

/* The program of a loss with its gradients, as the compiler hands it to planning. */
static inline TirProgram *native_program(Case *c, TirId loss) {
    tir_add_output(c->p, TIR_OUT_LOSS, "loss", 0, loss);
    pass_grad(c->p);
    return pass_dce(pass_canon(pass_dce(c->p)));
}

static inline void native_check(Case *c, TirId root) {
    TirProgram *p = native_program(c, case_weigh(c, root));
    uint32_t count = sizeof FORMS / sizeof *FORMS;
    uint32_t other = 1 + c->random / 64 % (count - 1);
    for (uint32_t k = 0; k < count; k++)
        if (k == 0 || k == other || getenv("HCC_TEST_EVERYTHING"))
            run_form(c, p, &FORMS[k]);
}

/* A mix of a parameter and an input (of a parameter alone when global), so that gradients flow both
 * ways through whatever is tested. */
static inline TirId mixed_in(Case *c, TirDomain domain, uint32_t rank, const uint32_t *dims) {
    return tir_binary(&c->b, TIR_MUL, case_real(c, domain, rank, dims),
                      case_real(c, GLOBAL, rank, dims));
}

static inline TirId mixed(Case *c, uint32_t rank, const uint32_t *dims) {
    return mixed_in(c, POSITION, rank, dims);
}

/* The same, bounded, and no leaf. */
static inline TirId varied(Case *c, TirDomain domain, uint32_t rank, const uint32_t *dims) {
    return tir_unary(&c->b, TIR_SIN, mixed_in(c, domain, rank, dims));
}

#define NATIVE_TEST(name) cmocka_unit_test_setup_teardown(name, case_setup, case_teardown)

#endif
