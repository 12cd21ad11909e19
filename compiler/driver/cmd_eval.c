/* hcc eval and hcc predict: what a trained model makes of data, and of itself with other values. */
#include "driver/driver.h"
#include "driver/outputs.h"
#include "driver/trained.h"
#include "runtime/files/paths.h"
#include "runtime/trained/ablate.h"
#include "runtime/trained/predict.h"
#include <string.h>

/* --- eval --------------------------------------------------------------------------------------*/

static ExitCode eval_plain(Driver *d, const HcModel *model, const HcEvalOptions *options) {
    HcEvaluation e;
    HcError error;
    const HcStatus status = hc_evaluate(model, options, &e, &error);
    ExitCode code = EXIT_OK;
    if (status != HC_OK)
        return driver_failed(d, status, &error);
    if (d->options.run.json)
        code = driver_print_json(d, hc_evaluation_json(&e));
    else
        hc_evaluation_print(&e, d->out);
    hc_evaluation_free(&e);
    return code;
}

static ExitCode eval_show_ablation(Driver *d, const HcAblation *ablation) {
    if (d->options.run.json)
        return driver_print_json(d, hc_ablation_json(ablation));
    if (hc_ablation_print(ablation, d->out))
        return EXIT_OK;
    driver_error(d, "out of memory for the table");
    return EXIT_RESOURCE;
}

static ExitCode eval_ablate(Driver *d, const HcModel *model, const HcEvalOptions *options) {
    const HcOptionList *overrides = &d->options.override;
    HcAblation ablation;
    HcError error;
    const HcStatus status = hc_ablate(model, options, overrides->at, overrides->count,
                                      d->options.each, &ablation, &error);
    const ExitCode code =
        status == HC_OK ? eval_show_ablation(d, &ablation) : driver_failed(d, status, &error);
    hc_ablation_free(&ablation);
    return code;
}

ExitCode command_eval(Driver *d) {
    LoadedModel loaded;
    if (d->options.each && d->options.override.count == 0) {
        fprintf(d->err, "hcc: --each is of --override: one tensor after the other\n");
        return EXIT_USAGE;
    }
    ExitCode code = trained_load(d, d->options.argument, false, &loaded);
    if (code != EXIT_OK)
        return code;
    const HcEvalOptions options = hc_eval_options(&d->options.run, d->options.argument, d->err);
    code = d->options.override.count ? eval_ablate(d, loaded.model, &options)
                                     : eval_plain(d, loaded.model, &options);
    pipeline_unload(&loaded);
    return code;
}

/* --- predict -----------------------------------------------------------------------------------*/

/* By the ending of --out; on the standard output CSV, or JSON with --json. */
static ExitCode predict_form(Driver *d, HcPredictForm *form) {
    const char *out = d->options.run.out;
    const bool known =
        hc_path_ends(out, ".npy") || hc_path_ends(out, ".csv") || hc_path_ends(out, ".jsonl");
    if (out && !known) {
        fprintf(d->err,
                "hcc: values are written as NAME.npy, NAME.csv or NAME.jsonl, not as '%s'\n", out);
        return EXIT_USAGE;
    }
    *form = hc_path_ends(out, ".npy")                                     ? HC_AS_NPY
            : hc_path_ends(out, ".csv") || (!out && !d->options.run.json) ? HC_AS_CSV
                                                                          : HC_AS_JSON;
    return out ? output_allowed(d, out) : EXIT_OK;
}

static ExitCode predict_to(Driver *d, const HcModel *model, HcPredictForm form) {
    const Options *o = &d->options;
    const HcPredictOptions options = {.eval = hc_eval_options(&o->run, o->argument, d->err),
                                      .output = o->output.at[0],
                                      .all = o->all,
                                      .limit = (int64_t)o->limit.value};
    OutputFile output;
    HcPredictFile file;
    HcError error;
    ExitCode code = output_open(d, o->run.out, NULL, &output);
    if (code != EXIT_OK)
        return code;
    hc_predict_file(&file, output.to, form);
    const HcStatus status = hc_predict(model, &options, &file.into, &error);
    if (status == HC_OK)
        return output_finish(d, &output);
    output_discard(&output);
    return driver_failed(d, status, &error);
}

ExitCode command_predict(Driver *d) {
    LoadedModel loaded;
    HcPredictForm form;
    if (d->options.output.count != 1) {
        fprintf(d->err, "hcc: 'predict' needs --output NAME, once: which of the model's values\n");
        return EXIT_USAGE;
    }
    ExitCode code = predict_form(d, &form);
    if (code == EXIT_OK)
        code = trained_load(d, d->options.argument, false, &loaded);
    if (code != EXIT_OK)
        return code;
    code = predict_to(d, loaded.model, form);
    pipeline_unload(&loaded);
    return code;
}
