/* hcc train, sample and bench: a compiled model handed to the runtime. */
#include "driver/driver.h"
#include "driver/outputs.h"
#include "driver/pipeline.h"
#include "driver/trained.h"
#include "runtime/app/print_sample.h"
#include "runtime/app/signals.h"
#include "runtime/app/with_ranks.h"
#include "runtime/files/json.h"
#include "runtime/files/paths.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- train -------------------------------------------------------------------------------------*/

static ExitCode train_report(Driver *d, const HcTrainResult *result) {
    if (d->options.run.json) {
        json_t *object = hc_train_json(result);
        hc_json_set(&object, "run", hc_json_path(result->run));
        return driver_print_json(d, object);
    }
    hc_train_print(result, d->out);
    return EXIT_OK;
}

/* What cannot be there is said before the model is compiled. */
static ExitCode train_check_paths(Driver *d) {
    if (d->options.run.batch_log) {
        ExitCode code = output_allowed(d, d->options.run.batch_log);
        if (code != EXIT_OK)
            return code;
    }
    for (uint32_t k = 0; k < d->options.run.data.count; k++) {
        const char *path = d->options.run.data.at[k];
        if (!strchr(path, '=') && !hc_is_path_pattern(path) && access(path, R_OK) != 0) {
            driver_error(d, "cannot read data `%s`: %s", path, strerror(errno));
            return EXIT_DATA;
        }
    }
    return EXIT_OK;
}

/* --steps and --seed, and with `all` what --set gives: the rest of that was compiled in. */
static int32_t train_settings(Driver *d, bool all, HcSetting **settings) {
    const HcRunOptions *o = &d->options.run;
    Arena *arena = d->c->arena;
    HcSetting *to = *settings = ARENA_ARRAY(arena, HcSetting, o->set.count + 2);
    for (uint32_t k = 0; all && k < o->set.count; k++) {
        const char *equals = strchr(o->set.at[k], '=');
        *to++ = (HcSetting){arena_copy_string(arena, o->set.at[k], (size_t)(equals - o->set.at[k])),
                            equals + 1};
    }
    if (o->steps.given)
        *to++ = (HcSetting){"train.steps",
                            arena_printf(arena, "%llu", (unsigned long long)o->steps.value)};
    if (o->seed.given)
        *to++ = (HcSetting){"train.seed",
                            arena_printf(arena, "%llu", (unsigned long long)o->seed.value)};
    return (int32_t)(to - *settings);
}

ExitCode train_model(Driver *d, CompileRun *run) {
    ExitCode code = pipeline_model(d, run, PASS_SEMA);
    const Network *network = run->network;
    if (code == EXIT_OK && d->options.run.data.count == 0 && network->data.source &&
        network->data.train_files.count == 0 && strcmp(network->data.source, "idx") != 0 &&
        strcmp(network->data.source, "cifar10") != 0) {
        fprintf(d->err, "hcc: '%s' needs --data PATH: the train block names no file\n",
                command_name(d->options.command));
        code = EXIT_USAGE;
    }
    return code == EXIT_OK ? train_check_paths(d) : code;
}

/* The model, its source's folder and what a new run remembers of it. */
static ExitCode train_new(Driver *d, LoadedModel *loaded, HcTrainOptions *options) {
    const CompileOptions compile_options = pipeline_options(d);
    CompileRun run = pipeline_begin(d, &compile_options);
    ExitCode code = train_model(d, &run);
    if (code == EXIT_OK)
        code = pipeline_load(d, &run, loaded);
    pipeline_end(d, &run);
    if (code != EXIT_OK)
        return code;
    options->data_folder = trained_data_folder(d);
    options->config_extra = trained_config(d);
    return EXIT_OK;
}

/* The run's program of maps, compiled by itself when its wiring is first looked at. */
typedef struct {
    Driver *d, apart; /* apart.c NULL: it was not */
    LoadedModel loaded;
} TrainMaps;

static const HcModel *train_maps(void *user, const char *run, const char **why) {
    TrainMaps *maps = user;
    *why = "its program could not be compiled";
    maps->apart = pipeline_apart(maps->d, maps->d->err);
    maps->apart.options.print_after = NULL;
    maps->apart.options.explain_fusion = maps->apart.options.explain_precision = false;
    maps->apart.options.run.json = false;
    trained_load(&maps->apart, run, true, &maps->loaded);
    fault_handlers_note("training");
    return maps->loaded.model;
}

static ExitCode train_load(Driver *d, LoadedModel *loaded, HcTrainOptions *options) {
    const char *run = d->options.run.resume;
    return run ? trained_load(d, run, false, loaded) : train_new(d, loaded, options);
}

/* Every rank compiles. Only the first warns; and what several fail with one says, by its name where
 * that is not the first, and all end. */
static ExitCode train_prepare(Driver *d, LoadedModel *loaded, HcTrainOptions *options) {
    const int32_t rank = hc_ranks_rank(options->ranks);
    HcTogether all;
    HcError error;
    if (!options->ranks)
        return train_load(d, loaded, options);
    if (!driver_hold(d)) {
        driver_error(d, "out of memory");
        hc_leave_ranks(options, HC_ERROR_MEMORY, EXIT_RESOURCE); /* does not return */
    }
    const ExitCode code = train_load(d, loaded, options);
    HcStatus status = hc_ranks_prepared(options, code, driver_held(d), &all, &error);
    if (all.says && rank > 0)
        fprintf(d->held.err, "%s:\n", hc_ranks_name(options->ranks, rank));
    driver_release(d, all.says || rank == 0);
    if (status != HC_OK)
        driver_failed(d, status, &error);
    if (status == HC_OK && all.exit_code == EXIT_OK)
        return EXIT_OK;
    if (code == EXIT_OK)
        pipeline_unload(loaded);
    hc_leave_ranks(options, status, all.exit_code);
    return (ExitCode)all.exit_code;
}

ExitCode command_train(Driver *d) {
    const HcRunOptions *o = &d->options.run;
    TrainMaps maps = {.d = d};
    HcSetting *settings;
    HcTrainOptions options = hc_train_options(o, d->err);
    options.n_settings = train_settings(d, o->resume, &settings);
    options.settings = settings;
    options.maps = train_maps;
    options.maps_user = &maps;
    LoadedModel loaded;
    HcError error;
    HcStatus status = hc_join_ranks(&options, &error);
    if (status != HC_OK)
        return driver_failed(d, status, &error);
    ExitCode code = train_prepare(d, &loaded, &options);
    if (code != EXIT_OK)
        return code;
    hc_signals_install();
    HcTrainResult result;
    fault_handlers_note("training");
    status = hc_train(loaded.model, &options, &result, &error);
    const bool reports = hc_rank_reports(&options, status, &result, &error);
    if (status != HC_OK)
        code = reports ? driver_failed(d, status, &error) : (ExitCode)hc_signals_exit_code(status);
    else if (reports)
        code = train_report(d, &result);
    hc_leave_ranks(&options, status, code);
    if (status == HC_OK)
        hc_evaluation_free(&result.evaluation);
    pipeline_unload(&maps.loaded);
    if (maps.apart.c)
        compilation_destroy(maps.apart.c);
    pipeline_unload(&loaded);
    return code;
}

/* --- sample ------------------------------------------------------------------------------------*/

ExitCode command_sample(Driver *d) {
    LoadedModel loaded;
    ExitCode code = trained_load(d, d->options.argument, false, &loaded);
    if (code != EXIT_OK)
        return code;
    HcError error;
    HcStatus status =
        hc_print_sample(loaded.model, &d->options.run, d->options.argument, d->out, d->err, &error);
    if (status != HC_OK)
        code = driver_failed(d, status, &error);
    pipeline_unload(&loaded);
    return code;
}

/* --- bench -------------------------------------------------------------------------------------*/

ExitCode command_bench(Driver *d) {
    const CompileOptions compile_options = pipeline_options(d);
    CompileRun run = pipeline_begin(d, &compile_options);
    LoadedModel loaded;
    ExitCode code = pipeline_model(d, &run, PASS_SEMA);
    if (code == EXIT_OK)
        code = pipeline_load(d, &run, &loaded);
    pipeline_end(d, &run);
    if (code != EXIT_OK)
        return code;
    const HcBenchOptions options = hc_bench_options(&d->options.run, d->err);
    HcBenchResult result;
    HcError error;
    HcStatus status = hc_bench(loaded.model, &options, &result, &error);
    if (status != HC_OK) {
        code = driver_failed(d, status, &error);
    } else {
        if (d->options.run.json)
            code = driver_print_json(d, hc_bench_json(&result));
        else
            hc_bench_print(&result, d->out);
        hc_bench_free(&result);
    }
    pipeline_unload(&loaded);
    return code;
}
