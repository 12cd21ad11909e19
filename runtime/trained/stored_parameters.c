#include "runtime/trained/stored_parameters.h"
#include "runtime/files/paths.h"
#include "runtime/trained/find_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Puts the averages into the tensors where the state holds them all. */
static HcStatus take_averages(HcTensorList *list, const char *state, HcError *error) {
    static const char prefix[] = "ema.";
    HcTensor *averages = calloc((size_t)list->count + 1, sizeof *averages);
    HcTensorFile *file = NULL;
    HcStatus status = averages ? HC_OK : hc_fail_memory(error, "the moving average");
    for (int64_t k = 0; k < list->count && status == HC_OK; k++) {
        const size_t size = strlen(list->at[k].name) + sizeof prefix;
        char *name = malloc(size);
        averages[k] = list->at[k];
        averages[k].name = name;
        if (name)
            snprintf(name, size, "%s%s", prefix, list->at[k].name);
        else
            status = hc_fail_memory(error, "the moving average");
    }
    if (status == HC_OK)
        status = hc_tensors_open_partial(state, averages, list->count, &file, error);
    if (status == HC_OK && hc_tensors_there(file) == list->count)
        hc_tensors_take(file);
    hc_tensors_close(file);
    for (int64_t k = 0; averages && k < list->count; k++)
        free((char *)(uintptr_t)averages[k].name);
    free(averages);
    return status;
}

HcStatus hc_stored_parameters(HcTensorList *list, const char *path, char **file, HcError *error) {
    *list = (HcTensorList){0};
    HcStatus status = hc_find_checkpoint(path, file, error);
    if (status == HC_OK)
        status = hc_tensor_list_read(list, *file, error);
    if (status != HC_OK || !hc_is_checkpoints(*file))
        return status;
    char *state = hc_path_beside(*file, HC_STATE_FILE);
    status = state ? HC_OK : hc_fail_memory(error, "a path");
    if (status == HC_OK && access(state, F_OK) == 0)
        status = take_averages(list, state, error);
    free(state);
    return status;
}
