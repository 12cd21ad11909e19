/* hcc gradcheck: a table with a line for every parameter tensor. */
#include "driver/driver.h"
#include "driver/gradcheck.h"
#include "driver/pipeline.h"
#include "pass/pass.h"
#include <math.h>
#include <string.h>

enum { SAMPLES = 2, POSITIONS = 6 };

static const char *gradcheck_shape(Arena *arena, const TirType *type) {
    const char *text = "[";
    for (uint32_t k = 0; k < type->rank; k++)
        text = arena_printf(arena, "%s%s%u", text, k ? "," : "", type->dims[k]);
    return arena_printf(arena, "%s]", text);
}

static const char *const verdict_names[] = {
    [GRAD_OK] = "ok",     [GRAD_NONE] = "none",   [GRAD_TINY] = "tiny",
    [GRAD_KINK] = "kink", [GRAD_WRONG] = "WRONG",
};

static void gradcheck_print_json(Driver *d, const Network *network, const GradResult *results,
                                 uint32_t count, double loss, bool ok) {
    JsonText t = {.arena = d->c->arena, .pretty = true};
    json_text_open(&t, NULL, '{');
    json_text_string(&t, "model", network->name);
    json_text_real(&t, "loss", loss);
    json_text_real(&t, "tolerance", GRADCHECK_TOLERANCE);
    json_text_boolean(&t, "ok", ok);
    json_text_open(&t, "parameters", '[');
    for (uint32_t k = 0; k < count; k++) {
        const TirParam *param = &network->program->params.at[results[k].param];
        json_text_open(&t, NULL, '{');
        json_text_string(&t, "name", param->name);
        json_text_integers(&t, "shape", param->type.dims, param->type.rank);
        json_text_real(&t, "analytic", results[k].analytic);
        json_text_real(&t, "numeric", results[k].numeric);
        json_text_real(&t, "relative_error", results[k].relative_error);
        json_text_real(&t, "bound", results[k].bound);
        json_text_plain(&t, "verdict", verdict_names[results[k].verdict]);
        json_text_boolean(&t, "ok", results[k].verdict != GRAD_WRONG);
        json_text_close(&t, '}');
    }
    json_text_close(&t, ']');
    json_text_close(&t, '}');
    json_text_print(&t, d->out);
}

static void gradcheck_print(Driver *d, const Network *network, const GradResult *results,
                            uint32_t count) {
    int width = 9;
    for (uint32_t k = 0; k < count; k++) {
        int length = (int)strlen(network->program->params.at[results[k].param].name);
        width = length > width ? length : width;
    }
    fprintf(d->out, "%-*s  %-16s %12s %12s %12s\n", width, "parameter", "shape", "analytic",
            "numeric", "rel. error");
    for (uint32_t k = 0; k < count; k++) {
        const TirParam *param = &network->program->params.at[results[k].param];
        fprintf(d->out, "%-*s  %-16s %12.4e %12.4e ", width, param->name,
                gradcheck_shape(d->c->arena, &param->type), results[k].analytic,
                results[k].numeric);
        if (results[k].verdict == GRAD_NONE && results[k].bound == 0)
            fprintf(d->out, "%12s  none, no path to the loss\n", "-");
        else if (results[k].verdict == GRAD_NONE)
            fprintf(d->out, "%12s  none, below %.1e\n", "-", results[k].bound);
        else
            fprintf(d->out, "%12.1e  %s\n", results[k].relative_error,
                    verdict_names[results[k].verdict]);
    }
}

static ExitCode gradcheck_plain(Driver *d, const Network *network, uint32_t positions,
                                uint64_t seed, GradEvaluator **evaluator) {
    if (!d->options.interpret)
        return native_gradcheck_evaluator(d, network, SAMPLES, positions, seed, evaluator);
    *evaluator = gradcheck_interpreter(network->program, SAMPLES, positions, seed, d->c->arena);
    return EXIT_OK;
}

static ExitCode gradcheck_evaluator(Driver *d, Network *network, uint32_t positions, uint64_t seed,
                                    GradEvaluator **evaluator) {
    TirProgram *values, *loss;
    ExitCode code = gradcheck_plain(d, network, positions, seed, evaluator);
    if (code != EXIT_OK || !pass_hold(network->program, &values, &loss))
        return code;
    Network held = *network;
    GradEvaluator *between;
    held.program = loss;
    code = gradcheck_plain(d, &held, positions, seed, &between);
    if (code == EXIT_OK)
        *evaluator =
            gradcheck_holding(*evaluator, between, values, SAMPLES, positions, seed, d->c->arena);
    else if ((*evaluator)->destroy)
        (*evaluator)->destroy(*evaluator);
    return code;
}

ExitCode command_gradcheck(Driver *d) {
    const CompileOptions options = pipeline_options(d);
    CompileRun run = pipeline_begin(d, &options);
    ExitCode code = pipeline_model(d, &run, PASS_DCE);
    pipeline_end(d, &run);
    if (code != EXIT_OK)
        return code;
    Network *network = run.network;
    TirProgram *program = network->program;
    uint32_t positions = 1;
    for (uint32_t k = 0; k < program->spaces.count; k++) {
        uint32_t maximum = program->spaces.at[k].maximum;
        if (k == 0 || maximum < positions)
            positions = maximum < POSITIONS ? maximum : POSITIONS;
    }
    uint64_t seed = d->options.seed.given ? d->options.seed.value : 1;
    GradEvaluator *evaluator = NULL;
    code = gradcheck_evaluator(d, network, positions, seed, &evaluator);
    if (code != EXIT_OK)
        return code;

    GradResult *results;
    uint32_t count = 0, counts[GRAD_WRONG + 1] = {0};
    double loss = 0, worst = 0, begun = pipeline_step(d, "gradcheck");
    const char *wrong =
        gradcheck_run(program, evaluator, seed, d->c->arena, &results, &count, &loss);
    pipeline_stepped(d, "gradcheck", begun);
    if (evaluator->destroy)
        evaluator->destroy(evaluator);
    if (wrong) {
        driver_error(d, "%s", wrong);
        return EXIT_CHECK;
    }
    for (uint32_t k = 0; k < count; k++) {
        counts[results[k].verdict]++;
        if (results[k].verdict == GRAD_OK || results[k].verdict == GRAD_WRONG)
            worst = fmax(worst, results[k].relative_error);
    }
    bool ok = counts[GRAD_WRONG] == 0;
    if (d->options.json) {
        gradcheck_print_json(d, network, results, count, loss, ok);
    } else {
        gradcheck_print(d, network, results, count);
        fprintf(
            d->out,
            "%u tensors, %u wrong; largest relative error %.1e (below %.0e asked for); loss %.6f\n",
            count, counts[GRAD_WRONG], worst, GRADCHECK_TOLERANCE, loss);
        if (counts[GRAD_NONE])
            fprintf(d->out,
                    "none: no influence on the loss; gradient and differences are zero to rounding "
                    "(%u)\n",
                    counts[GRAD_NONE]);
        if (counts[GRAD_TINY])
            fprintf(
                d->out,
                "tiny: next to no influence; the two differ by less than the loss's rounding, or "
                "than 1e-9 of others' (%u)\n",
                counts[GRAD_TINY]);
        if (counts[GRAD_KINK])
            fprintf(d->out,
                    "kink: along every direction tried the loss has another slope to either side, "
                    "or bends within any step; not checked (%u)\n",
                    counts[GRAD_KINK]);
    }
    return ok ? EXIT_OK : EXIT_CHECK;
}
