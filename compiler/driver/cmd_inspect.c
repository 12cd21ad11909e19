/* hcc inspect: what a model's sites do with their streams. */
#include "driver/driver.h"
#include "driver/inspect_files.h"
#include "driver/trained.h"
#include "runtime/files/json.h"
#include "runtime/files/paths.h"
#include "runtime/maps/maps_depth.h"

static ExitCode inspect_load(Driver *d, bool maps, LoadedModel *loaded) {
    if (hc_is_folder(d->options.argument))
        return trained_load(d, d->options.argument, maps, loaded);
    CompileOptions options = pipeline_options(d);
    options.sema.maps = maps;
    CompileRun run = pipeline_begin(d, &options);
    ExitCode code = pipeline_model(d, &run, PASS_SEMA);
    if (code == EXIT_OK)
        code = pipeline_load(d, &run, loaded);
    pipeline_end(d, &run);
    return code;
}

static HcInspectOptions inspect_options(Driver *d) {
    const HcRunOptions *o = &d->options.run;
    const bool is_run = hc_is_folder(d->options.argument);
    return (HcInspectOptions){
        .eval = hc_eval_options(o, is_run ? d->options.argument : NULL, d->err),
        .data_folder = is_run ? NULL : trained_data_folder(d),
        .seed = o->seed.given ? o->seed.value : 1,
        .batches = (int64_t)d->options.batches.value,
    };
}

/* Text that was printed, or a tree (NULL: neither). */
static ExitCode inspect_show(Driver *d, bool printed, json_t *json) {
    if (d->options.run.json)
        return driver_print_json(d, json);
    if (printed)
        return EXIT_OK;
    driver_error(d, "out of memory for what is to be shown");
    return EXIT_RESOURCE;
}

/* Trunks as a whole are shown where all sites are. */
static ExitCode inspect_show_maps(Driver *d, const HcMaps *maps) {
    const char *pattern = d->options.site;
    HcDepths depths = {0};
    int32_t n = 0;
    json_t *json = NULL;
    bool printed = pattern || hc_depths_of(maps, &depths);
    const InspectMaps found = {maps, pattern ? NULL : &depths, pattern};
    ExitCode code = EXIT_OK;
    if (printed && d->options.npy)
        code = inspect_write_npy(d, &found, d->options.npy);
    if (printed && d->options.svg && code == EXIT_OK)
        code = inspect_write_svg(d, &found, d->options.svg);
    if (printed && d->options.run.json) {
        json = hc_maps_json(maps, pattern, &n);
        if (!pattern)
            hc_json_set(&json, "trunks", hc_depths_json(maps, &depths));
    } else if (printed) {
        printed = hc_maps_print(maps, pattern, d->out, &n) &&
                  (pattern || hc_depths_print(maps, &depths, d->out));
    }
    hc_depths_free(&depths);
    const ExitCode shown = inspect_show(d, printed, json);
    code = code == EXIT_OK ? shown : code;
    if (code != EXIT_OK || n > 0 || !pattern)
        return code;
    fprintf(d->err, "hcc: --site: no site's path matches '%s'\n", pattern);
    return EXIT_USAGE;
}

static ExitCode inspect_maps(Driver *d, const HcModel *model, const HcInspectOptions *options) {
    HcMaps maps;
    HcError error;
    const HcStatus status = hc_maps_read(model, options, &maps, &error);
    if (status != HC_OK)
        return driver_failed(d, status, &error);
    const ExitCode code = inspect_show_maps(d, &maps);
    hc_maps_free(&maps);
    return code;
}

static ExitCode inspect_tensors(Driver *d, const HcModel *model, const HcInspectOptions *options) {
    const bool json = d->options.run.json;
    HcInspection found;
    HcError error;
    const HcStatus status = hc_inspect(model, options, &found, &error);
    if (status != HC_OK)
        return driver_failed(d, status, &error);
    json_t *tree = json ? hc_inspection_json(&found) : NULL;
    const ExitCode code = inspect_show(d, !json && hc_inspection_print(&found, d->out), tree);
    hc_inspection_free(&found);
    return code;
}

ExitCode command_inspect(Driver *d) {
    const bool maps = d->options.maps;
    LoadedModel loaded;
    if (!maps && (d->options.site || d->options.npy || d->options.svg)) {
        fprintf(d->err, "hcc: --site, --npy and --svg are of --maps\n");
        return EXIT_USAGE;
    }
    ExitCode code = inspect_load(d, maps, &loaded);
    if (code != EXIT_OK)
        return code;
    const HcInspectOptions options = inspect_options(d);
    code =
        maps ? inspect_maps(d, loaded.model, &options) : inspect_tensors(d, loaded.model, &options);
    pipeline_unload(&loaded);
    return code;
}
