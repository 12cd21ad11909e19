/* Models of runs, compiled again from what config.json says. */
#include "driver/trained.h"
#include "driver/used_files.h"
#include "runtime/app/signals.h"
#include "runtime/files/json.h"
#include "runtime/files/paths.h"
#include "runtime/trained/find_run.h"
#include <string.h>

const char *trained_data_folder(Driver *d) {
    const char *file = d->options.argument, *slash = strrchr(file, '/');
    if (!slash)
        return NULL;
    const char *folder =
        slash == file ? "/" : arena_copy_string(d->c->arena, file, (size_t)(slash - file));
    return hc_same_file(folder, ".") ? NULL : folder;
}

const char *trained_config(Driver *d) {
    const Options *o = &d->options;
    size_t length;
    const char *text = source_text(d->c->sources, 1, &length);
    JsonText t = {.arena = d->c->arena};
    json_text_open(&t, NULL, '{');
    json_text_open(&t, "hcc", '{');
    json_text_string(&t, "version", HCC_VERSION);
    used_files_path(&t, "file", o->argument);
    json_text_bytes(&t, "text", text, length);
    used_files_write(d, &t);
    json_text_open(&t, "set", '[');
    for (uint32_t k = 0; k < o->run.set.count; k++)
        json_text_string(&t, NULL, o->run.set.at[k]);
    json_text_close(&t, ']');
    if (o->model)
        json_text_string(&t, "model", o->model);
    json_text_integer(&t, "memory", o->memory.value);
    json_text_close(&t, '}');
    json_text_close(&t, '}');
    return json_text_end(&t);
}

/* Of a run; those made before there were several words for it said whether it was f64. */
static HcPrecision precision_of(const char *word, bool f64) {
    return word ? hc_precision_named(word) : f64 ? HC_PRECISION_F64 : HC_PRECISION_F32;
}

ExitCode trained_load(Driver *d, const char *folder, bool maps, LoadedModel *loaded) {
    json_t *config;
    HcError error;
    HcStatus status = hc_read_config(folder, &config, &error);
    if (status != HC_OK)
        return driver_failed(d, status, &error);
    const char *text, *precision = NULL, *model = NULL;
    size_t length;
    json_t *set, *file_name, *uses = NULL;
    json_int_t memory = 0;
    int f64 = 0;
    json_error_t why;
    char *name = NULL;
    bool remembered = true; /* there was memory for what config.json says */
    if (json_unpack_ex(config, &why, 0, "{s:{s:o, s:s%, s:o, s?:s, s?:b, s?:I, s?:o}, s?:s}", "hcc",
                       "file", &file_name, "text", &text, &length, "set", &set, "model", &model,
                       "f64", &f64, "memory", &memory, "uses", &uses, "precision",
                       &precision) == 0 &&
        used_files_read(d, uses))
        remembered = hc_json_read_path(file_name, &name);
    else
        remembered = json_error_code(&why) != json_error_out_of_memory;
    if (!remembered)
        arena_exhausted(d->c->arena);
    const HcPrecision own = name ? precision_of(precision, f64) : HC_PRECISION_COUNT;
    if (own == HC_PRECISION_COUNT) {
        driver_error(d,
                     "'%s' was not made by 'hcc train': its config.json does not hold the model's "
                     "source; use the executable that made it",
                     folder);
        free(name);
        json_decref(config);
        return EXIT_DATA;
    }
    size_t index;
    json_t *entry;
    d->options.run.set = (HcOptionList){0}; /* the run's alone */
    json_array_foreach(set, index,
                       entry) if (json_is_string(entry) && strchr(json_string_value(entry), '='))
        vec_push(
            d->c->arena, &d->options.run.set,
            arena_copy_string(d->c->arena, json_string_value(entry), json_string_length(entry)));
    d->options.memory = (HcOptionCount){memory > 0, (uint64_t)memory};
    uint32_t file = source_add(d->c->sources, name, text, length);
    free(name);
    const char *model_name = model ? arena_printf(d->c->arena, "%s", model) : NULL;
    json_decref(config);
    CompileOptions options = pipeline_options(d);
    options.sema.model = model_name;
    options.sema.maps = maps;
    if (!options.precision.given)
        options.precision = (CompilePrecision){true, own};
    CompileRun run = pipeline_begin(d, &options);
    compile_from_text(&run, file);
    ExitCode code = pipeline_to(d, &run, PASS_SEMA);
    if (code == EXIT_OK && !run.network) {
        driver_error(d, "the config.json of '%s' holds no model", folder);
        code = EXIT_DATA;
    }
    if (code == EXIT_OK)
        code = pipeline_load(d, &run, loaded);
    pipeline_end(d, &run);
    return code;
}
