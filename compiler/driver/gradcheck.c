/* Finite differences against the gradient.
 *
 * For every parameter tensor, three random directions v, each entry as large as the tensor's own
 * entries are. The derivative along v is the gradient's product with it; against it stand central
 * differences of halving steps, extrapolated to step 0 (Ridders): the truncation error falls with a
 * high power of the step, so the steps can stay large and rounding small. The entry of the table
 * that agrees best with its neighbours is taken, without a look at the gradient. */
#include "driver/gradcheck.h"
#include "tir/interp.h"
#include <math.h>
#include <string.h>

/* Splitmix64: repeatable everywhere, good enough to draw test points. */
static uint64_t gradcheck_bits(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double gradcheck_uniform(uint64_t *state) {
    return ((double)(gradcheck_bits(state) >> 11) + 0.5) * 0x1p-53;
}

static double gradcheck_normal(uint64_t *state) {
    double radius = sqrt(-2 * log(gradcheck_uniform(state)));
    return radius * cos(6.283185307179586 * gradcheck_uniform(state));
}

/* A stream of its own for (seed, purpose, index). */
static uint64_t gradcheck_stream(uint64_t seed, uint64_t purpose, uint64_t index) {
    uint64_t state = seed * 0x2545f4914f6cdd1du + purpose * 0x9e3779b97f4a7c15u + index;
    gradcheck_bits(&state);
    return gradcheck_bits(&state);
}

enum { PURPOSE_PARAM = 1, PURPOSE_INPUT, PURPOSE_DIRECTION, PURPOSE_RANDOM };

/* Random values of a size at which nothing vanishes or saturates, and nothing is symmetric: weights
 * so that a sum over their last axis keeps its size; a connection's parameters away from where they
 * began (there, gates are nearly shut and streams nearly equal) and mostly positive, so that what a
 * branch reads is not a sum that cancels, where its norm has a kink. */
static void gradcheck_fill_param(const TirParam *param, uint64_t seed, uint32_t index, double *to) {
    uint64_t state = gradcheck_stream(seed, PURPOSE_PARAM, index);
    uint64_t count = tir_element_count(&param->type);
    double size = param->type.rank ? 1 / sqrt(param->type.dims[param->type.rank - 1]) : 0.2;
    for (uint64_t k = 0; k < count; k++) {
        double normal = gradcheck_normal(&state);
        if (param->init == TIR_INIT_NORMAL || param->init == TIR_INIT_UNIFORM) {
            to[k] = fmax(param->init_b, size) * normal;
            continue;
        }
        double initial = param->init == TIR_INIT_DATA ? param->data[k] : param->init_a;
        to[k] = param->of_connection ? 0.3 * initial + size * (1 + 0.5 * normal)
                                     : initial + 0.1 * normal;
    }
}

void gradcheck_fill_input(const TirInput *input, uint64_t seed, uint64_t count, double *to) {
    uint64_t state =
        gradcheck_stream(seed, PURPOSE_INPUT, hash_bytes(input->name, strlen(input->name), 0));
    for (uint64_t k = 0; k < count; k++) {
        if (input->type.elem == TIR_REAL)
            to[k] = gradcheck_normal(&state);
        else
            to[k] = (double)(gradcheck_bits(&state) % (input->limit ? input->limit : 2));
    }
}

uint64_t gradcheck_input_elements(const TirInput *input, uint32_t samples, uint32_t positions) {
    uint64_t count = tir_element_count(&input->type);
    count *= input->type.domain.sample ? samples : 1;
    return count * (input->type.domain.space ? positions : 1);
}

/* --- the interpreter ----------------------------------------------------------------------------
 */

typedef struct {
    GradEvaluator base;
    const TirProgram *program;
    const Arena *parent;
    TirBinding binding;
    TirId loss;
} GradInterpreter;

static const char *gradcheck_interpret(GradEvaluator *self, double *const *params, double *loss,
                                       double *const *gradients) {
    GradInterpreter *interpreter = (GradInterpreter *)self;
    const TirProgram *p = interpreter->program;
    Arena *scratch = arena_create_child(interpreter->parent);
    uint32_t n_outputs = p->outputs.count, n_wanted = 1;
    TirId *wanted = ARENA_ARRAY(scratch, TirId, n_outputs + 1);
    uint32_t *param_of = ARENA_ARRAY(scratch, uint32_t, n_outputs + 1);
    wanted[0] = interpreter->loss;
    for (uint32_t k = 0; gradients && k < n_outputs; k++)
        if (p->outputs.at[k].role == TIR_OUT_GRAD) {
            param_of[n_wanted] = p->outputs.at[k].index;
            wanted[n_wanted++] = p->outputs.at[k].value;
        }
    TirTensor *tensors = ARENA_ARRAY(scratch, TirTensor, n_wanted);
    interpreter->binding.params = (const double *const *)params;
    tir_interpret(p, &interpreter->binding, n_wanted, wanted, tensors, scratch);
    *loss = tensors[0].at[0];
    for (uint32_t k = 1; k < n_wanted; k++)
        memcpy(gradients[param_of[k]], tensors[k].at,
               tir_element_count(&tensors[k].type) * sizeof(double));
    arena_destroy(scratch);
    return NULL;
}

GradEvaluator *gradcheck_interpreter(const TirProgram *program, uint32_t samples,
                                     uint32_t positions, uint64_t seed, Arena *arena) {
    GradInterpreter *interpreter = ARENA_NEW(arena, GradInterpreter);
    const double **inputs = ARENA_ARRAY(arena, const double *, program->inputs.count);
    for (uint32_t k = 0; k < program->inputs.count; k++) {
        const TirInput *input = &program->inputs.at[k];
        uint64_t count = gradcheck_input_elements(input, samples, positions);
        double *data = ARENA_ARRAY(arena, double, count);
        gradcheck_fill_input(input, seed, count, data);
        inputs[k] = data;
    }
    *interpreter = (GradInterpreter){
        .base = {.evaluate = gradcheck_interpret},
        .program = program,
        .parent = arena,
        .binding = {.samples = samples,
                    .positions = positions,
                    .inputs = inputs,
                    .training = true, /* at one step: what is random stays what it is */
                    .random_key = gradcheck_stream(seed, PURPOSE_RANDOM, 0)},
    };
    for (uint32_t k = 0; k < program->outputs.count; k++)
        if (program->outputs.at[k].role == TIR_OUT_LOSS)
            interpreter->loss = program->outputs.at[k].value;
    return &interpreter->base;
}

/* --- differences --------------------------------------------------------------------------------
 */

typedef struct {
    GradEvaluator *evaluator;
    double **params;
    double *moved; /* the tensor being moved: params[k] while it is */
    double loss;
    const char *wrong; /* the first failure */
} GradDifferences;

static double gradcheck_loss_at(GradDifferences *g, uint32_t param, const double *direction,
                                uint64_t count, double step) {
    double *base = g->params[param], loss = 0;
    for (uint64_t k = 0; k < count; k++)
        g->moved[k] = base[k] + step * direction[k];
    g->params[param] = g->moved;
    const char *wrong = g->evaluator->evaluate(g->evaluator, g->params, &loss, NULL);
    g->params[param] = base;
    if (wrong && !g->wrong)
        g->wrong = wrong;
    return loss;
}

static double gradcheck_central(GradDifferences *g, uint32_t param, const double *direction,
                                uint64_t count, double step) {
    double above = gradcheck_loss_at(g, param, direction, count, step);
    double below = gradcheck_loss_at(g, param, direction, count, -step);
    return (above - below) / (2 * step);
}

/* The derivative along `direction`, and in *noise what rounding alone may make of it. */
static double gradcheck_numeric(GradDifferences *g, uint32_t param, const double *direction,
                                uint64_t count, double *noise) {
    enum { LEVELS = 9 };
    double table[LEVELS][LEVELS], best = 0, best_error = INFINITY, step = 0.1;
    *noise = 0;
    for (uint32_t k = 0; k < LEVELS && !g->wrong; k++, step /= 2) {
        table[k][0] = gradcheck_central(g, param, direction, count, step);
        double factor = 1;
        for (uint32_t j = 1; j <= k; j++) {
            factor *= 4;
            table[k][j] = (factor * table[k][j - 1] - table[k - 1][j - 1]) / (factor - 1);
            double error =
                fmax(fabs(table[k][j] - table[k][j - 1]), fabs(table[k][j] - table[k - 1][j - 1]));
            if (error < best_error) {
                best_error = error;
                best = table[k][j];
                *noise = 16 * 2.2e-16 * (1 + fabs(g->loss)) / step;
            }
        }
    }
    return best;
}

static double gradcheck_scale(const double *at, uint64_t count) {
    double sum = 0;
    for (uint64_t k = 0; k < count; k++)
        sum += at[k] * at[k];
    double root = count ? sqrt(sum / (double)count) : 0;
    return root > 1 ? 1 : root < 0.01 ? 0.01 : root;
}

static GradResult gradcheck_param(GradDifferences *g, const TirProgram *program, uint32_t param,
                                  const double *gradient, uint64_t seed, double *direction) {
    uint64_t count = tir_element_count(&program->params.at[param].type);
    double scale = gradcheck_scale(g->params[param], count);
    double squares[3] = {0}, noise = 0; /* analytic, numeric, difference */
    for (uint32_t d = 0; d < GRADCHECK_DIRECTIONS; d++) {
        uint64_t state =
            gradcheck_stream(seed, PURPOSE_DIRECTION, param * GRADCHECK_DIRECTIONS + d);
        double analytic = 0;
        for (uint64_t k = 0; k < count; k++) {
            direction[k] = scale * gradcheck_normal(&state);
            analytic += direction[k] * gradient[k];
        }
        double numeric = gradcheck_numeric(g, param, direction, count, &noise);
        squares[0] += analytic * analytic;
        squares[1] += numeric * numeric;
        squares[2] += (analytic - numeric) * (analytic - numeric);
    }
    GradResult result = {.param = param, .analytic = sqrt(squares[0]), .numeric = sqrt(squares[1])};
    double larger = fmax(result.analytic, result.numeric);
    result.vanishes = larger < noise;
    result.relative_error = larger > 0 ? sqrt(squares[2]) / larger : 0;
    bool close = result.relative_error < GRADCHECK_TOLERANCE;
    result.within_rounding = !close && !result.vanishes && sqrt(squares[2]) < noise;
    result.ok = close || result.vanishes || result.within_rounding;
    return result;
}

const char *gradcheck_run(const TirProgram *program, GradEvaluator *evaluator, uint64_t seed,
                          Arena *arena, GradResult **results, uint32_t *count, double *loss) {
    uint32_t n_params = program->params.count;
    GradDifferences g = {.evaluator = evaluator, .params = ARENA_ARRAY(arena, double *, n_params)};
    double **gradients = ARENA_ARRAY(arena, double *, n_params);
    uint64_t largest = 0;
    for (uint32_t k = 0; k < n_params; k++) {
        uint64_t elements = tir_element_count(&program->params.at[k].type);
        g.params[k] = ARENA_ARRAY(arena, double, elements);
        gradcheck_fill_param(&program->params.at[k], seed, k, g.params[k]);
        largest = elements > largest ? elements : largest;
    }
    for (uint32_t k = 0; k < program->outputs.count; k++)
        if (program->outputs.at[k].role == TIR_OUT_GRAD) {
            uint32_t index = program->outputs.at[k].index;
            gradients[index] =
                ARENA_ARRAY(arena, double, tir_element_count(&program->params.at[index].type));
        }
    const char *wrong = evaluator->evaluate(evaluator, g.params, loss, gradients);
    if (wrong)
        return wrong;
    if (!isfinite(*loss))
        return "the loss is not finite at the random parameters";
    g.loss = *loss;
    g.moved = ARENA_ARRAY(arena, double, largest);
    double *direction = ARENA_ARRAY(arena, double, largest);
    *results = ARENA_ARRAY(arena, GradResult, n_params);
    *count = 0;
    for (uint32_t k = 0; k < n_params && !g.wrong; k++)
        if (gradients[k])
            (*results)[(*count)++] = gradcheck_param(&g, program, k, gradients[k], seed, direction);
    return g.wrong;
}
