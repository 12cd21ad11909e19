#include "runtime/train/imported.h"
#include "runtime/files/json.h"
#include "runtime/files/json_read.h"
#include "runtime/train/log.h"

#include <stdlib.h>
#include <string.h>

static HcStatus write_config(const HcRun *run, const HcImported *i, HcError *error) {
    json_t *config = json_object(), *from = json_object();
    HcJsonRead read;
    hc_json_set(&from, "file", hc_json_path(i->from));
    hc_json_set(&from, "map", hc_json_path(i->map));
    hc_json_set(&config, "format", json_integer(1));
    hc_json_set(&config, "model", json_string(i->model));
    hc_json_set(&config, "imported", from);
    hc_json_update(&config,
                   hc_json_read(i->config_extra, strlen(i->config_extra), UINT64_MAX, &read));
    HcStatus status = hc_run_json(run, "config.json", config, error);
    json_decref(config);
    return status;
}

HcStatus hc_write_imported(const HcImported *i, HcError *error) {
    HcRun run;
    HcStatus status = hc_run_open(&run, i->run, i->force, error);
    if (status != HC_OK)
        return status;
    char *parameters = hc_run_file(&run, "ckpt/final.safetensors");
    status = parameters ? hc_tensors_write(parameters, i->tensors, i->count, i->metadata, error)
                        : hc_fail_memory(error, "a path");
    free(parameters);
    if (status == HC_OK)
        status = write_config(&run, i, error);
    HcStatus closed = hc_run_close(&run, status == HC_OK ? error : NULL);
    return status == HC_OK ? closed : status;
}
