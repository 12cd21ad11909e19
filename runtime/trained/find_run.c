/* What a run left in its folder: its parameters, and its config.json. */
#include "runtime/trained/find_run.h"
#include "runtime/files/checkpoint.h"
#include "runtime/files/json_file.h"
#include "runtime/files/paths.h"
#include "runtime/trained/eval.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* *path: "FOLDER/NAME" if it is there, else NULL. */
static HcStatus find_file(const char *folder, const char *name, char **path, HcError *error) {
    *path = hc_path_join(folder, name);
    if (!*path)
        return hc_fail_memory(error, "a path");
    if (access(*path, F_OK) == 0)
        return HC_OK;
    free(*path);
    *path = NULL;
    return HC_OK;
}

/* *path: the parameters of the checkpoint FOLDER/NAME if they are there, else NULL. */
static HcStatus find_parameters(const char *folder, const char *name, char **path, HcError *error) {
    char *checkpoint = hc_path_join(folder, name);
    *path = checkpoint ? hc_checkpoint_parameters(checkpoint) : NULL;
    free(checkpoint);
    if (!*path)
        return hc_fail_memory(error, "a path");
    if (access(*path, F_OK) != 0) {
        free(*path);
        *path = NULL;
    }
    return HC_OK;
}

HcStatus hc_find_checkpoint(const char *path, char **checkpoint, HcError *error) {
    struct stat info;
    *checkpoint = NULL;
    if (stat(path, &info) != 0)
        return errno == ENOENT ? hc_fail(error, HC_ERROR_CHECKPOINT, "there is no `%s`", path)
                               : hc_fail_errno(error, HC_ERROR_CHECKPOINT, "read", path);
    if (!S_ISDIR(info.st_mode)) {
        *checkpoint = strdup(path);
        return *checkpoint ? HC_OK : hc_fail_memory(error, "a path");
    }
    HcStatus status = find_file(path, "ckpt/final.safetensors", checkpoint, error);
    if (status == HC_OK && !*checkpoint)
        status = find_parameters(path, "ckpt/last", checkpoint, error);
    if (status == HC_OK && !*checkpoint)
        status = find_file(path, HC_PARAMETERS_FILE, checkpoint, error);
    if (status != HC_OK || *checkpoint)
        return status;
    return hc_fail(error, HC_ERROR_CHECKPOINT, "`%s` holds no checkpoint (ckpt/final.safetensors)",
                   path);
}

static HcStatus read_config(const char *run, const char *path, json_t **config, HcError *error) {
    if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return hc_fail(error, HC_ERROR_CHECKPOINT,
                       access(run, F_OK) != 0
                           ? "there is no `%s`"
                           : "`%s` is not the folder of a run: it holds no config.json",
                       run);
    return hc_json_file(path, config, error);
}

HcStatus hc_find_run(const char *path, char **run, char **checkpoint, HcError *error) {
    static const char between[] = "/ckpt/";
    const char *at = NULL;
    for (const char *next = path; (next = strstr(next, between)); next++)
        at = next;
    const char *name = at ? at + sizeof between - 1 : "";
    const size_t length = strcspn(name, "/");
    if (length && !name[length + strspn(name + length, "/")]) {
        *run = strndup(path, (size_t)(at - path));
        *checkpoint = strndup(path, (size_t)(name + length - path));
    } else {
        *run = strdup(path);
        *checkpoint = hc_path_join(path, "ckpt/last");
    }
    if (*run && *checkpoint)
        return HC_OK;
    free(*run);
    free(*checkpoint);
    *run = *checkpoint = NULL;
    return hc_fail_memory(error, "a path");
}

HcStatus hc_read_config(const char *path, json_t **config, HcError *error) {
    char *run, *checkpoint;
    *config = NULL;
    HcStatus status = hc_find_run(path, &run, &checkpoint, error);
    char *file = status == HC_OK ? hc_path_join(run, "config.json") : NULL;
    if (status == HC_OK)
        status = file ? read_config(run, file, config, error) : hc_fail_memory(error, "a path");
    free(file);
    free(run);
    free(checkpoint);
    return status;
}

HcStatus hc_eval_config(const HcEvalOptions *o, json_t **config, HcError *error) {
    struct stat info;
    if (o->n_data && stat(o->checkpoint, &info) == 0 && !S_ISDIR(info.st_mode)) {
        *config = json_object();
        return *config ? HC_OK : hc_fail_memory(error, "the run's config");
    }
    return hc_read_config(o->checkpoint, config, error);
}
