/* The maps of a run's sites as text; what hcc.h says of hcc_maps. */
#include "library/hcc.h"
#include "runtime/files/error.h"
#include "runtime/files/json.h"
#include "runtime/maps/maps_depth.h"
#include <stdlib.h>

/* NULL where memory ran out. */
static char *text_of(const HcMaps *maps) {
    HcDepths depths = {0};
    int32_t sites;
    if (!hc_depths_of(maps, &depths))
        return NULL;
    json_t *json = hc_maps_json(maps, NULL, &sites);
    hc_json_set(&json, "trunks", hc_depths_json(maps, &depths));
    hc_depths_free(&depths);
    char *text = json ? hc_json_dump(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

HcStatus hcc_maps(const HccModule *module, const char *run, uint64_t batches, char **json,
                  HcError *error) {
    if (!json)
        return hc_fail(error, HC_ERROR_ARGUMENT, "the place for the maps is NULL");
    *json = NULL;
    if (!hcc_model(module) || !run)
        return hc_fail(error, HC_ERROR_ARGUMENT, "the %s is NULL", run ? "model" : "run");
    const HcInspectOptions options = {
        .eval = {.checkpoint = run}, .seed = 1, .batches = (int64_t)batches};
    HcMaps maps;
    const HcStatus status = hc_maps_read(hcc_model(module), &options, &maps, error);
    if (status != HC_OK)
        return status;
    *json = text_of(&maps);
    hc_maps_free(&maps);
    return *json ? HC_OK : hc_fail_memory(error, "maps");
}

void hcc_free_text(char *text) {
    free(text);
}
