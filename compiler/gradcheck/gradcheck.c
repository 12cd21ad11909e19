/* Finite differences against the gradient.
 *
 * For every parameter tensor, three random directions v, each entry as large as the tensor's own
 * entries are. The derivative along v is the gradient's product with it; against it stand central
 * differences of halving steps, extrapolated to step 0 (Ridders): the truncation error falls with a
 * high power of the step, so the steps can stay large and rounding small. The entry of the table
 * that agrees best with its neighbours is taken, without a look at the gradient.
 *
 * What a tensor does may be hidden at one point: a map that mixes equal streams changes nothing,
 * and a scale in front of a norm next to nothing. A tensor whose derivative is too small to be told
 * from the loss's rounding is tried again at other points, where connections' parameters are larger
 * or smaller. What is zero at all of them, computed and measured, is said to have no influence.
 *
 * Where the loss has a kink (relu, max, a choice of the largest) near the point, no step is small
 * enough for central differences. So where the two disagree, the loss is looked at from either
 * side: slopes that differ by what is to be explained are a kink, and another direction is drawn;
 * so it is where the two sides agree with each other, but not with what was found across both.
 * Which slope the gradient has plays no part in that, and a tensor with no direction clear of kinks
 * is said to have been left unchecked. So is one whose differences contradict each other by more
 * than they differ from the gradient: the loss bends within any step.
 *
 * What stop_gradient holds stays at its value while differences are taken (held.c). */
#include "gradcheck/gradcheck.h"
#include <float.h>
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

enum { PURPOSE_PARAM = 1, PURPOSE_INPUT, PURPOSE_DIRECTION, PURPOSE_ROUNDING };

/* By how much a connection's parameters are larger than the initial values ask for, at each point.
 */
static const double point_sizes[] = {1, 6, 0.1, 20};
enum { POINTS = sizeof point_sizes / sizeof *point_sizes };

/* Random values of a size at which nothing vanishes or saturates, and nothing is symmetric: weights
 * so that a sum over their last axis keeps its size; a connection's parameters away from where they
 * began (there, gates are nearly shut and streams nearly equal) and mostly positive, so that what a
 * branch reads is not a sum that cancels, where its norm has a kink. */
static void gradcheck_fill_param(const TirParam *param, uint64_t seed, uint32_t index,
                                 uint32_t point, double *to) {
    uint64_t state = gradcheck_stream(seed + point * 0x9e3779b9u, PURPOSE_PARAM, index);
    uint64_t count = tir_element_count(&param->type);
    double size = param->type.rank ? 1 / sqrt(param->type.dims[param->type.rank - 1]) : 0.2;
    for (uint64_t k = 0; k < count; k++) {
        double normal = gradcheck_normal(&state);
        if (param->init == TIR_INIT_NORMAL || param->init == TIR_INIT_UNIFORM) {
            to[k] = fmax(param->init_b, size) * normal;
            continue;
        }
        double initial = param->init == TIR_INIT_DATA ? param->data[k] : param->init_a;
        to[k] = param->of_connection
                    ? 0.3 * initial + point_sizes[point] * size * (1 + 0.5 * normal)
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

uint64_t gradcheck_input_elements(const TirInput *input, uint32_t samples,
                                  const uint32_t *positions) {
    const TirDomain domain = input->type.domain;
    uint64_t count = tir_element_count(&input->type);
    count *= domain.sample ? samples : 1;
    return count * (domain.space ? positions[domain.space - 1] : 1);
}

/* --- differences -------------------------------------------------------------------------------*/

typedef struct {
    GradEvaluator *evaluator;
    double **params;
    double **gradients; /* NULL for a parameter without one */
    double **others;    /* the same next to the point */
    double *moved;      /* the tensor being moved: params[k] while it is */
    double *direction;
    double loss;
    double sharpest;   /* the largest derivative along a direction that any tensor has */
    double rounding;   /* how far the last bits of the parameters move the loss, and */
    double *roundings; /* each tensor's derivative along a direction */
    const char *wrong; /* the first failure */
} GradDifferences;

/* A derivative along a direction, as differences have it. */
typedef struct {
    double value;
    double error; /* between neighbours in the table */
    double noise; /* what the loss's rounding alone may make of it */
} GradNumeric;

static double gradcheck_loss_at(GradDifferences *g, uint32_t param, uint64_t count, double step) {
    double *base = g->params[param], loss = 0;
    for (uint64_t k = 0; k < count; k++)
        g->moved[k] = base[k] + step * g->direction[k];
    g->params[param] = g->moved;
    const char *wrong = g->evaluator->evaluate(g->evaluator, g->params, param, &loss, NULL);
    g->params[param] = base;
    if (wrong && !g->wrong)
        g->wrong = wrong;
    return loss;
}

static double gradcheck_central(GradDifferences *g, uint32_t param, uint64_t count, double step) {
    double above = gradcheck_loss_at(g, param, count, step);
    double below = gradcheck_loss_at(g, param, count, -step);
    return (above - below) / (2 * step);
}

static bool gradcheck_is_fine(const GradNumeric *numeric) {
    return numeric->error + numeric->noise < GRADCHECK_TOLERANCE / 100 * fabs(numeric->value);
}

static double gradcheck_one_sided(GradDifferences *g, uint32_t param, uint64_t count, double step) {
    return (gradcheck_loss_at(g, param, count, step) - g->loss) / step;
}

/* What rounding of the loss may make of a difference over `step`: the rounding measured is the
 * largest of a few, and extrapolation adds several differences up. */
static double gradcheck_noise(const GradDifferences *g, double step) {
    return fmax(64 * DBL_EPSILON * (1 + fabs(g->loss)), 16 * g->rounding) / step;
}

/* Steps from `step` on, halved until the table is fine or no longer gets better; small ones to the
 * last: with kinks near by it gets better only below the nearest. `side` is 0 for
 * central differences, 1 or -1 for those to one side, whose errors have every power of the step. */
static GradNumeric gradcheck_extrapolate(GradDifferences *g, uint32_t param, uint64_t count,
                                         double step, int side) {
    enum { LEVELS = 11, PATIENCE = 4 };
    double table[LEVELS][LEVELS];
    GradNumeric best = {0, INFINITY, INFINITY};
    uint32_t best_level = 0, patience = step < 0.1 ? LEVELS : PATIENCE;
    for (uint32_t k = 0; k < LEVELS && !g->wrong; k++, step /= 2) {
        double noise = gradcheck_noise(g, step), factor = 1;
        table[k][0] = side ? gradcheck_one_sided(g, param, count, side * step)
                           : gradcheck_central(g, param, count, step);
        for (uint32_t j = 1; j <= k; j++) {
            factor *= side ? 2 : 4;
            table[k][j] = (factor * table[k][j - 1] - table[k - 1][j - 1]) / (factor - 1);
            double error =
                fmax(fabs(table[k][j] - table[k][j - 1]), fabs(table[k][j] - table[k - 1][j - 1]));
            if (error + noise < best.error + best.noise) {
                best = (GradNumeric){table[k][j], error, noise};
                best_level = k;
            }
        }
        if (k >= 2 && (gradcheck_is_fine(&best) || k >= best_level + patience))
            break;
    }
    return best;
}

/* The first of the small steps, over which few functions bend. */
#define SMALL_STEP 2e-3

/* The derivative along the direction. Where it is nearly lost in rounding, larger steps may help;
 * where the loss bends sharply or has kinks near by, smaller ones. Neighbours in one table may
 * agree by accident: tables that contradict each other are in error by as much, unless the smaller
 * step's is clear of doubt: then the larger ones went over a bend. */
static GradNumeric gradcheck_numeric(GradDifferences *g, uint32_t param, uint64_t count, int side) {
    static const double steps[] = {0.2, 6.4, SMALL_STEP, 1e-5};
    GradNumeric best = gradcheck_extrapolate(g, param, count, steps[0], side);
    for (uint32_t k = 1; k < sizeof steps / sizeof *steps && !gradcheck_is_fine(&best); k++) {
        GradNumeric now = gradcheck_extrapolate(g, param, count, steps[k], side);
        double gap = fabs(now.value - best.value);
        bool clear = now.error + now.noise < 1e-3 * fabs(now.value); /* below the nearest kink */
        bool apart = gap > now.error + now.noise + best.error + best.noise;
        if (now.error + now.noise < best.error + best.noise ||
            (!side && clear && apart && steps[k] <= SMALL_STEP))
            best = now;
        if (!side && !clear && apart)
            best.error = fmax(best.error, gap);
    }
    return best;
}

/* What is to be explained of a direction, and the kink that is there: by how much the slopes on the
 * two sides differ, or both from what was found across, where a kink a little off made neighbours
 * agree by accident. Size 0: none; difference 0: nothing to explain. */
typedef struct {
    double difference, size;
} GradKink;

static GradKink gradcheck_kink(GradDifferences *g, uint32_t param, uint64_t count, double analytic,
                               const GradNumeric *numeric) {
    GradKink kink = {.difference = fabs(analytic - numeric->value)};
    if (kink.difference < numeric->noise + numeric->error ||
        kink.difference < GRADCHECK_TOLERANCE * fmax(fabs(analytic), fabs(numeric->value)))
        return (GradKink){0};
    GradNumeric right = gradcheck_numeric(g, param, count, 1);
    GradNumeric left = gradcheck_numeric(g, param, count, -1);
    double unsure = right.error + right.noise + left.error + left.noise;
    double gap = fabs(right.value - left.value);
    double off = fabs((right.value + left.value) / 2 - numeric->value);
    if (gap > 4 * unsure)
        kink.size = gap;
    if (off > 4 * (unsure + numeric->error + numeric->noise))
        kink.size = fmax(kink.size, off);
    return kink;
}

/* How large the entries of a direction are. */
static double gradcheck_scale(const double *at, uint64_t count) {
    double sum = 0;
    for (uint64_t k = 0; k < count; k++)
        sum += at[k] * at[k];
    double root = count ? sqrt(sum / (double)count) : 0;
    return root > 1 ? 1 : root < 0.01 ? 0.01 : root;
}

/* The norm of the derivatives to expect along the directions drawn. */
static double gradcheck_sensitivity(const double *at, const double *gradient, uint64_t count) {
    double sum = 0;
    for (uint64_t k = 0; k < count; k++)
        sum += gradient[k] * gradient[k];
    return gradcheck_scale(at, count) * sqrt(sum * GRADCHECK_DIRECTIONS);
}

/* What a derivative may be that is zero but for rounding: it is a sum of terms which cancel, and
 * those may be as large as other tensors' derivatives. */
static double gradcheck_zero(const GradDifferences *g, uint32_t param) {
    return fmax(256 * DBL_EPSILON * g->sharpest, 16 * g->roundings[param]);
}

/* Draws a direction; the derivative along it by the gradient. */
static double gradcheck_draw(GradDifferences *g, uint32_t param, uint64_t count, uint64_t state) {
    double scale = gradcheck_scale(g->params[param], count), analytic = 0;
    for (uint64_t k = 0; k < count; k++) {
        g->direction[k] = scale * gradcheck_normal(&state);
        analytic += g->direction[k] * g->gradients[param][k];
    }
    return analytic;
}

/* Of the sharpest derivative: what a tensor with next to no influence may be off by. Such
 * derivatives are differences of large terms, or bend within any step (a mixture of one stream
 * before a norm acts through the norm's eps alone). */
#define NEGLIGIBLE 1e-9

/* Whether small steps lose the difference, and all but a few digits of the derivative: what larger
 * steps say is an average over all that bends within them, however well their tables agree. */
static bool gradcheck_is_lost(const GradDifferences *g, double derivative, double difference) {
    double noise = gradcheck_noise(g, SMALL_STEP);
    return difference < noise && derivative < 1e3 * noise;
}

/* By how much other small steps contradict what was found: with many kinks about, neighbours in one
 * table may agree by accident, but not in all. */
static double gradcheck_contradiction(GradDifferences *g, uint32_t param, uint64_t count,
                                      const GradNumeric *numeric) {
    static const double shares[] = {0.73, 0.5, 0.31};
    double most = 0;
    for (uint32_t k = 0; k < sizeof shares / sizeof *shares; k++) {
        GradNumeric now = gradcheck_extrapolate(g, param, count, shares[k] * SMALL_STEP, 0);
        most = fmax(most, fabs(now.value - numeric->value));
    }
    return most;
}

/* Draws directions until one is clear of kinks, and has both derivatives along it. Where none is,
 * kinks explain what was found if they are as large, taken over all directions: along one of them,
 * the slopes of several kinks at the very point (ties) may cancel. False where they do. */
static bool gradcheck_direction(GradDifferences *g, uint64_t count, uint32_t param, uint32_t number,
                                uint64_t seed, double *analytic, GradNumeric *numeric) {
    enum { TRIES = 8 };
    double sizes = 0, differences = 0; /* squares */
    for (uint32_t time = 0; time < TRIES; time++) {
        *analytic = gradcheck_draw(g, param, count,
                                   gradcheck_stream(seed + time, PURPOSE_DIRECTION, number));
        *numeric = gradcheck_numeric(g, param, count, 0);
        const GradKink kink = gradcheck_kink(g, param, count, *analytic, numeric);
        if (kink.size == 0 && kink.difference > 0)
            numeric->error =
                fmax(numeric->error, gradcheck_contradiction(g, param, count, numeric));
        if (kink.size == 0)
            return true;
        sizes += kink.size * kink.size;
        differences += kink.difference * kink.difference;
    }
    return 4 * sizes <= differences;
}

/* Next to no influence, or some with the digits right that differences of the whole loss leave. */
static bool gradcheck_is_slight(const GradDifferences *g, const GradResult *result,
                                double derivative) {
    return derivative < GRADCHECK_TOLERANCE * g->sharpest || result->relative_error < 1e-3;
}

static GradResult gradcheck_param(GradDifferences *g, const TirProgram *program, uint32_t param,
                                  uint64_t seed) {
    uint64_t count = tir_element_count(&program->params.at[param].type);
    double squares[3] = {0};          /* analytic, numeric, difference */
    double noise = 0, unresolved = 0; /* of differences */
    uint32_t clear = 0;               /* directions without kinks */
    for (uint32_t d = 0; d < GRADCHECK_DIRECTIONS; d++) {
        double analytic;
        GradNumeric numeric;
        const uint32_t number = param * GRADCHECK_DIRECTIONS + d;
        if (!gradcheck_direction(g, count, param, number, seed, &analytic, &numeric))
            continue;
        clear++;
        noise = fmax(noise, numeric.noise);
        unresolved = fmax(unresolved, numeric.noise + numeric.error);
        squares[0] += analytic * analytic;
        squares[1] += numeric.value * numeric.value;
        squares[2] += (analytic - numeric.value) * (analytic - numeric.value);
    }
    GradResult result = {.param = param, .analytic = sqrt(squares[0]), .numeric = sqrt(squares[1])};
    double larger = fmax(result.analytic, result.numeric), difference = sqrt(squares[2]);
    result.relative_error = larger > 0 ? difference / larger : 0;
    result.bound = fmax(noise, gradcheck_zero(g, param));
    if (clear == 0)
        result.verdict = GRAD_KINK;
    else if (result.analytic <= gradcheck_zero(g, param) && result.numeric <= result.bound)
        result.verdict = GRAD_NONE;
    else if (result.relative_error < GRADCHECK_TOLERANCE)
        result.verdict = GRAD_OK;
    else if (difference < noise || gradcheck_is_lost(g, larger, difference) ||
             (difference < 2 * unresolved && unresolved < GRADCHECK_TOLERANCE * g->sharpest) ||
             (gradcheck_is_slight(g, &result, larger) && difference < NEGLIGIBLE * g->sharpest))
        result.verdict = GRAD_TINY;
    else if (difference < 2 * unresolved)
        result.verdict = GRAD_KINK; /* tables that contradict each other show nothing */
    else
        result.verdict = GRAD_WRONG;
    return result;
}

/* --- points ------------------------------------------------------------------------------------*/

static void gradcheck_fill(GradDifferences *g, const TirProgram *program, uint64_t seed,
                           uint32_t point) {
    for (uint32_t k = 0; k < program->params.count; k++)
        gradcheck_fill_param(&program->params.at[k], seed, k, point, g->params[k]);
}

/* How far rounding takes the loss and the derivatives: every entry of every parameter is moved by a
 * few of its last bits. */
static void gradcheck_measure_rounding(GradDifferences *g, const TirProgram *program, uint64_t seed,
                                       uint32_t point) {
    enum { TIMES = 3 };
    g->rounding = 0;
    memset(g->roundings, 0, program->params.count * sizeof *g->roundings);
    for (uint32_t time = 0; time < TIMES && !g->wrong; time++) {
        gradcheck_fill(g, program, seed, point);
        for (uint32_t k = 0; k < program->params.count; k++) {
            uint64_t state = gradcheck_stream(seed + time, PURPOSE_ROUNDING, k);
            uint64_t count = tir_element_count(&program->params.at[k].type);
            for (uint64_t i = 0; i < count; i++)
                g->params[k][i] *= 1 + 4 * DBL_EPSILON * (2 * gradcheck_uniform(&state) - 1);
        }
        double loss = 0;
        g->wrong =
            g->evaluator->evaluate(g->evaluator, g->params, GRAD_ALL_MOVED, &loss, g->others);
        g->rounding = fmax(g->rounding, fabs(loss - g->loss));
        for (uint32_t k = 0; k < program->params.count && !g->wrong; k++) {
            uint64_t count = tir_element_count(&program->params.at[k].type);
            if (!g->gradients[k])
                continue;
            for (uint64_t i = 0; i < count; i++)
                g->others[k][i] -= g->gradients[k][i];
            g->roundings[k] =
                fmax(g->roundings[k], gradcheck_sensitivity(g->params[k], g->others[k], count));
        }
    }
}

/* Parameters, loss and gradients at a point. False where the loss is not finite. */
static bool gradcheck_move_to(GradDifferences *g, const TirProgram *program, uint64_t seed,
                              uint32_t point) {
    for (uint32_t time = 0; time < 2 && !g->wrong; time++) {
        gradcheck_fill(g, program, seed, point);
        g->wrong =
            g->evaluator->evaluate(g->evaluator, g->params, GRAD_ALL_MOVED, &g->loss, g->gradients);
        if (time == 0 && !g->wrong && isfinite(g->loss))
            gradcheck_measure_rounding(g, program, seed, point); /* leaves the point */
    }
    g->sharpest = 0;
    for (uint32_t k = 0; k < program->params.count; k++)
        if (g->gradients[k])
            g->sharpest = fmax(
                g->sharpest, gradcheck_sensitivity(g->params[k], g->gradients[k],
                                                   tir_element_count(&program->params.at[k].type)));
    return !g->wrong && isfinite(g->loss);
}

/* What two points say about a tensor: a fault is one wherever it shows; else the point is right
 * where most could be told. */
static bool gradcheck_says_more(const GradResult *now, const GradResult *before) {
    if (now->verdict == GRAD_WRONG || before->verdict == GRAD_NONE)
        return now->verdict != GRAD_NONE;
    return now->verdict == GRAD_OK ||
           (now->verdict == GRAD_TINY && now->relative_error < before->relative_error) ||
           (now->verdict == GRAD_KINK && before->verdict != GRAD_TINY);
}

static bool gradcheck_is_settled(const GradResult *result) {
    return result->verdict == GRAD_OK || result->verdict == GRAD_WRONG;
}

static void gradcheck_allocate(GradDifferences *g, const TirProgram *program, Arena *arena) {
    uint32_t n_params = program->params.count;
    uint64_t largest = 0;
    g->params = ARENA_ARRAY(arena, double *, n_params);
    g->gradients = ARENA_ARRAY(arena, double *, n_params);
    g->others = ARENA_ARRAY(arena, double *, n_params);
    g->roundings = ARENA_ARRAY(arena, double, n_params);
    for (uint32_t k = 0; k < n_params; k++) {
        uint64_t elements = tir_element_count(&program->params.at[k].type);
        g->params[k] = ARENA_ARRAY(arena, double, elements);
        largest = elements > largest ? elements : largest;
    }
    for (uint32_t k = 0; k < program->outputs.count; k++)
        if (program->outputs.at[k].role == TIR_OUT_GRAD) {
            uint32_t index = program->outputs.at[k].index;
            uint64_t elements = tir_element_count(&program->params.at[index].type);
            g->gradients[index] = ARENA_ARRAY(arena, double, elements);
            g->others[index] = ARENA_ARRAY(arena, double, elements);
        }
    g->moved = ARENA_ARRAY(arena, double, largest);
    g->direction = ARENA_ARRAY(arena, double, largest);
}

static void gradcheck_sum_up(GradReport *report) {
    for (uint32_t k = 0; k < report->count; k++) {
        const GradResult *result = &report->results[k];
        report->counts[result->verdict]++;
        if (gradcheck_is_settled(result))
            report->worst = fmax(report->worst, result->relative_error);
    }
}

void gradcheck_run(const TirProgram *program, GradEvaluator *evaluator, uint64_t seed, Arena *arena,
                   GradReport *report) {
    GradDifferences g = {.evaluator = evaluator};
    gradcheck_allocate(&g, program, arena);
    uint32_t n_params = program->params.count, open = 0;
    GradResult *found = ARENA_ARRAY(arena, GradResult, n_params);
    *report = (GradReport){.results = found};
    for (uint32_t k = 0; k < n_params; k++) {
        const TirParam *param = &program->params.at[k];
        if (g.gradients[k] || (!param->frozen && !param->buffer))
            found[report->count++] = (GradResult){.param = k, .verdict = GRAD_NONE};
        open += g.gradients[k] != NULL;
    }
    for (uint32_t point = 0; point < POINTS && open && !g.wrong; point++) {
        const bool finite = gradcheck_move_to(&g, program, seed, point);
        if (!finite && point == 0 && !g.wrong)
            g.wrong = "the loss is not finite at the random parameters";
        if (point == 0)
            report->loss = g.loss;
        for (uint32_t k = 0; finite && k < report->count && !g.wrong; k++) {
            if (!g.gradients[found[k].param] || gradcheck_is_settled(&found[k]))
                continue;
            GradResult now = gradcheck_param(&g, program, found[k].param, seed);
            if (point == 0 || gradcheck_says_more(&now, &found[k]))
                found[k] = now;
            open -= gradcheck_is_settled(&found[k]);
        }
    }
    report->wrong = g.wrong;
    gradcheck_sum_up(report);
}
