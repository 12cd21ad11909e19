/* hcc export and hcc import: parameters under the names of other people's programs, and theirs. */
#include "driver/driver.h"
#include "driver/outputs.h"
#include "driver/pipeline.h"
#include "driver/trained.h"
#include "runtime/files/json.h"
#include "runtime/files/paths.h"
#include "runtime/names/rename.h"
#include "runtime/train/imported.h"
#include "runtime/trained/stored_parameters.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PARAMETERS_END ".safetensors"

/* Of a file that others read: some want to hear that tensors are PyTorch's; and that we made it. */
static json_t *export_metadata(Driver *d) {
    json_t *metadata = json_object();
    hc_json_set(&metadata, "format", json_string("pt"));
    hc_json_set(&metadata, "hcc.made", json_string(output_mark(d->c->arena, "", "")));
    return metadata;
}

static HcStatus export_write(Driver *d, const HcTensorList *list, HcError *error) {
    json_t *metadata = export_metadata(d);
    HcStatus status =
        metadata ? hc_tensors_write(d->options.run.out, list->at, list->count, metadata, error)
                 : hc_fail_memory(error, "the file's header");
    json_decref(metadata);
    return status;
}

static void export_say(Driver *d, const HcTensorList *list, const char *from) {
    int64_t entries = 0;
    for (int64_t k = 0; k < list->count; k++)
        entries += list->at[k].count;
    fprintf(d->err, "%s: %" PRId64 " tensors of `%s`, %" PRId64 " parameters\n", d->options.run.out,
            list->count, from, entries);
}

/* --- export ------------------------------------------------------------------------------------*/

static HcStatus export_rename(Driver *d, const char *of, const HcTensorList *ours,
                              HcTensorList *theirs, HcError *error) {
    HcNameMap map;
    HcStatus status = hc_name_map_read(&map, d->options.map, error);
    if (status == HC_OK)
        status = hc_rename_to_theirs(&map, of, ours, theirs, error);
    hc_name_map_free(&map);
    return status;
}

/* Without a map all is written as it is called. */
static HcStatus export_check(const char *of, const HcTensorList *ours, HcError *error) {
    for (int64_t k = 0; k < ours->count; k++)
        if (!ours->at[k].data)
            return hc_fail(error, HC_ERROR_CHECKPOINT,
                           "checkpoint `%s`: tensor `%s` is none of F32, F64, F16 and BF16", of,
                           ours->at[k].name);
    return HC_OK;
}

ExitCode command_export(Driver *d) {
    const Options *o = &d->options;
    HcTensorList ours, theirs = {0};
    char *file = NULL;
    HcError error;
    if (!o->run.out || !hc_path_ends(o->run.out, PARAMETERS_END)) {
        fprintf(d->err, "hcc: 'export' needs --out NAME" PARAMETERS_END "\n");
        return EXIT_USAGE;
    }
    ExitCode code = output_allowed(d, o->run.out);
    if (code != EXIT_OK)
        return code;
    HcStatus status = hc_stored_parameters(&ours, o->argument, &file, &error);
    if (status == HC_OK)
        status = o->map ? export_rename(d, file, &ours, &theirs, &error)
                        : export_check(file, &ours, &error);
    if (status == HC_OK)
        status = export_write(d, o->map ? &theirs : &ours, &error);
    if (status == HC_OK)
        export_say(d, o->map ? &theirs : &ours, file);
    hc_tensor_list_free(&ours);
    hc_tensor_list_free(&theirs);
    free(file);
    return driver_failed(d, status, &error);
}

/* --- import ------------------------------------------------------------------------------------*/

/* The model's tensors, without values. */
static HcStatus import_wanted(const TirProgram *program, HcTensorList *ours, HcError *error) {
    HcStatus status = HC_OK;
    for (uint32_t k = 0; k < program->params.count && status == HC_OK; k++) {
        const TirParam *param = &program->params.at[k];
        int64_t dims[TIR_MAX_RANK];
        HcTensor *added;
        for (uint32_t axis = 0; axis < param->type.rank; axis++)
            dims[axis] = param->type.dims[axis];
        status = hc_tensor_list_add(ours, param->name, param->type.rank, dims, &added, error);
    }
    return status;
}

static HcStatus import_rename(Driver *d, HcTensorList *ours, HcError *error) {
    const char *from = d->options.run.from;
    HcNameMap map;
    HcTensorList theirs = {0};
    HcStatus status = hc_name_map_read(&map, d->options.map, error);
    if (status == HC_OK)
        status = hc_tensor_list_read(&theirs, from, error);
    if (status == HC_OK)
        status = hc_rename_to_ours(&map, from, &theirs, ours, error);
    hc_tensor_list_free(&theirs);
    hc_name_map_free(&map);
    return status;
}

/* A run holds all of its model's tensors, a file those that it was given. */
static HcStatus import_run(Driver *d, const char *model, const HcTensorList *ours, int64_t all,
                           HcError *error) {
    const Options *o = &d->options;
    if (ours->count < all)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "the map omits tensors of the model, which a run has: write them to "
                       "NAME" PARAMETERS_END ", and begin with that by 'hcc train --from'");
    json_t *metadata = export_metadata(d);
    const HcImported imported = {.run = o->run.out,
                                 .force = o->run.force,
                                 .model = model,
                                 .from = o->run.from,
                                 .map = o->map,
                                 .config_extra = trained_config(d),
                                 .tensors = ours->at,
                                 .count = ours->count,
                                 .metadata = metadata};
    HcStatus status =
        metadata ? hc_write_imported(&imported, error) : hc_fail_memory(error, "the file's header");
    json_decref(metadata);
    return status;
}

static ExitCode import_into(Driver *d, const Network *network) {
    const char *out = d->options.run.out;
    HcTensorList ours = {0};
    HcError error;
    HcStatus status = import_wanted(network->program, &ours, &error);
    const int64_t all = ours.count;
    if (status == HC_OK)
        status = import_rename(d, &ours, &error);
    hc_tensor_list_drop_empty(&ours);
    if (status == HC_OK)
        status = hc_path_ends(out, PARAMETERS_END)
                     ? export_write(d, &ours, &error)
                     : import_run(d, network->name, &ours, all, &error);
    if (status == HC_OK)
        export_say(d, &ours, d->options.run.from);
    hc_tensor_list_free(&ours);
    return driver_failed(d, status, &error);
}

ExitCode command_import(Driver *d) {
    const Options *o = &d->options;
    if (!o->run.from || !o->map || !o->run.out) {
        fprintf(d->err, "hcc: 'import' needs --from FILE" PARAMETERS_END ", --map FILE and --out "
                        "RUN, or --out NAME" PARAMETERS_END "\n");
        return EXIT_USAGE;
    }
    ExitCode code =
        hc_path_ends(o->run.out, PARAMETERS_END) ? output_allowed(d, o->run.out) : EXIT_OK;
    if (code != EXIT_OK)
        return code;
    const CompileOptions options = pipeline_options(d);
    CompileRun run = pipeline_begin(d, &options);
    code = pipeline_model(d, &run, PASS_SEMA);
    if (code == EXIT_OK)
        code = import_into(d, run.network);
    pipeline_end(d, &run);
    return code;
}
