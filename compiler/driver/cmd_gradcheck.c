/* hcc gradcheck: a table with a line for every parameter tensor. */
#include "driver/driver.h"
#include "driver/pipeline.h"
#include "gradcheck/gradcheck.h"
#include <string.h>

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

static void gradcheck_print_json(Driver *d, const Network *network, const GradReport *report) {
    JsonText t = {.arena = d->c->arena, .pretty = true};
    json_text_open(&t, NULL, '{');
    json_text_string(&t, "model", network->name);
    json_text_real(&t, "loss", report->loss);
    json_text_real(&t, "tolerance", GRADCHECK_TOLERANCE);
    json_text_integer(&t, "samples", report->samples);
    json_text_integers(&t, "positions", report->positions, report->n_spaces);
    json_text_boolean(&t, "ok", report->counts[GRAD_WRONG] == 0);
    json_text_open(&t, "parameters", '[');
    for (uint32_t k = 0; k < report->count; k++) {
        const GradResult *result = &report->results[k];
        const TirParam *param = &network->program->params.at[result->param];
        json_text_open(&t, NULL, '{');
        json_text_string(&t, "name", param->name);
        json_text_integers(&t, "shape", param->type.dims, param->type.rank);
        json_text_real(&t, "analytic", result->analytic);
        json_text_real(&t, "numeric", result->numeric);
        json_text_real(&t, "relative_error", result->relative_error);
        json_text_real(&t, "bound", result->bound);
        json_text_plain(&t, "verdict", verdict_names[result->verdict]);
        json_text_boolean(&t, "ok", result->verdict != GRAD_WRONG);
        json_text_close(&t, '}');
    }
    json_text_close(&t, ']');
    json_text_close(&t, '}');
    json_text_print(&t, d->out);
}

static void gradcheck_print(Driver *d, const TirProgram *program, const GradReport *report) {
    int width = 9;
    for (uint32_t k = 0; k < report->count; k++) {
        int length = (int)strlen(program->params.at[report->results[k].param].name);
        width = length > width ? length : width;
    }
    fprintf(d->out, "%-*s  %-16s %12s %12s %12s\n", width, "parameter", "shape", "analytic",
            "numeric", "rel. error");
    for (uint32_t k = 0; k < report->count; k++) {
        const GradResult *result = &report->results[k];
        const TirParam *param = &program->params.at[result->param];
        fprintf(d->out, "%-*s  %-16s %12.4e %12.4e ", width, param->name,
                gradcheck_shape(d->c->arena, &param->type), result->analytic, result->numeric);
        if (result->verdict == GRAD_NONE && result->bound == 0)
            fprintf(d->out, "%12s  none, no path to the loss\n", "-");
        else if (result->verdict == GRAD_NONE)
            fprintf(d->out, "%12s  none, below %.1e\n", "-", result->bound);
        else
            fprintf(d->out, "%12.1e  %s\n", result->relative_error, verdict_names[result->verdict]);
    }
}

/* What the verdicts mean, of those that were given. */
static void gradcheck_print_legend(Driver *d, const GradReport *report) {
    static const struct {
        GradVerdict verdict;
        const char *meaning;
    } legend[] = {
        {GRAD_NONE, "no influence on the loss; gradient and differences are zero to rounding"},
        {GRAD_TINY, "next to no influence; the two differ by less than the loss's rounding, or "
                    "than 1e-9 of others'"},
        {GRAD_KINK, "along every direction tried the loss has another slope to either side, or "
                    "bends within any step; not checked"},
    };
    for (uint32_t k = 0; k < sizeof legend / sizeof *legend; k++)
        if (report->counts[legend[k].verdict])
            fprintf(d->out, "%s: %s (%u)\n", verdict_names[legend[k].verdict], legend[k].meaning,
                    report->counts[legend[k].verdict]);
}

static ExitCode gradcheck_report(Driver *d, const Network *network, const GradReport *report) {
    if (report->wrong) {
        driver_error(d, "%s", report->wrong);
        return EXIT_CHECK;
    }
    if (d->options.run.json) {
        gradcheck_print_json(d, network, report);
    } else {
        gradcheck_print(d, network->program, report);
        fprintf(d->out,
                "%u tensors, %u wrong; largest relative error %.1e (below %.0e asked for); loss "
                "%.6f, of %u samples",
                report->count, report->counts[GRAD_WRONG], report->worst, GRADCHECK_TOLERANCE,
                report->loss, report->samples);
        for (uint32_t k = 0; k < report->n_spaces; k++)
            fprintf(d->out, "%s %u",
                    k == 0                      ? " of"
                    : k + 1 == report->n_spaces ? " and"
                                                : ",",
                    report->positions[k]);
        fprintf(d->out, "%s\n", report->n_spaces ? " positions" : "");
        gradcheck_print_legend(d, report);
    }
    return report->counts[GRAD_WRONG] ? EXIT_CHECK : EXIT_OK;
}

ExitCode command_gradcheck(Driver *d) {
    const CompileOptions options = pipeline_options(d);
    const uint64_t seed = d->options.run.seed.given ? d->options.run.seed.value : 1;
    GradReport report;
    CompileRun run = pipeline_begin(d, &options);
    ExitCode code = pipeline_model(d, &run, PASS_DCE);
    if (code == EXIT_OK && !d->options.interpret)
        code = pipeline_keep(d, &run);
    if (code == EXIT_OK)
        code =
            pipeline_status(d, &run, gradcheck_network(&run, d->options.interpret, seed, &report));
    pipeline_end(d, &run);
    return code == EXIT_OK ? gradcheck_report(d, run.network, &report) : code;
}
