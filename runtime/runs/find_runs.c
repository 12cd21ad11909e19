/* Which runs a path names. */
#include "runtime/files/paths.h"
#include "runtime/runs/past_run.h"
#include "runtime/trained/find_run.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static HcStatus grow(HcPastRuns *runs, HcError *error) {
    if (runs->count < runs->capacity)
        return HC_OK;
    const uint32_t capacity = runs->capacity ? 2 * runs->capacity : 16;
    HcPastRun *at = realloc(runs->at, capacity * sizeof *at);
    if (!at)
        return hc_fail_memory(error, "runs");
    runs->at = at;
    runs->capacity = capacity;
    return HC_OK;
}

static bool is_there(const HcPastRuns *runs, const char *folder) {
    for (uint32_t k = 0; k < runs->count; k++)
        if (hc_same_file(runs->at[k].path, folder))
            return true;
    return false;
}

/* `folder` has a config.json. What only makes this run useless is no failure. */
static HcStatus add_run(HcPastRuns *runs, const char *folder, HcError *error) {
    if (is_there(runs, folder))
        return HC_OK;
    HcStatus status = grow(runs, error);
    if (status != HC_OK)
        return status;
    HcPastRun *run = &runs->at[runs->count];
    status = hc_past_run_read(run, folder, error);
    if (run->path)
        runs->count++;
    return status == HC_ERROR_CHECKPOINT ? HC_OK : status;
}

/* *held: whether there is FOLDER/config.json. */
static HcStatus holds_config(const char *folder, bool *held, HcError *error) {
    char *path = hc_path_join(folder, "config.json");
    if (!path)
        return hc_fail_memory(error, "a path");
    *held = access(path, F_OK) == 0;
    free(path);
    return HC_OK;
}

static HcStatus add_entry(HcPastRuns *runs, const char *parent, const char *name, bool *found,
                          HcError *error) {
    bool held = false;
    char *folder = hc_path_join(parent, name);
    HcStatus status = folder ? holds_config(folder, &held, error) : hc_fail_memory(error, "a path");
    if (status == HC_OK && held)
        status = add_run(runs, folder, error);
    *found |= held;
    free(folder);
    return status;
}

static int is_visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

/* In the order of their names, run-2 before run-10. */
static HcStatus add_folder(HcPastRuns *runs, const char *path, HcError *error) {
    struct dirent **entries = NULL;
    bool found = false;
    const int n = scandir(path, &entries, is_visible, versionsort);
    if (n < 0)
        return errno == ENOENT ? hc_fail(error, HC_ERROR_CHECKPOINT, "there is no `%s`", path)
                               : hc_fail_errno(error, HC_ERROR_CHECKPOINT, "read", path);
    HcStatus status = HC_OK;
    for (int k = 0; k < n; k++) {
        if (status == HC_OK)
            status = add_entry(runs, path, entries[k]->d_name, &found, error);
        free(entries[k]);
    }
    free(entries);
    if (status == HC_OK && !found)
        return hc_fail(error, HC_ERROR_CHECKPOINT,
                       "`%s` is neither the folder of a run nor one that holds some: there is no "
                       "config.json in it or one level below",
                       path);
    return status;
}

static HcStatus add_path(HcPastRuns *runs, const char *path, HcError *error) {
    char *run, *checkpoint;
    bool held = false;
    HcStatus status = hc_find_run(path, &run, &checkpoint, error);
    if (status == HC_OK)
        status = holds_config(run, &held, error);
    if (status == HC_OK)
        status = held ? add_run(runs, run, error) : add_folder(runs, path, error);
    free(run);
    free(checkpoint);
    return status;
}

/* The file of a sweep stands for all its runs: it lies among them, where `SWEEP` and a star find
 * it, too. */
HcStatus hc_past_runs_add(HcPastRuns *runs, const char *path, HcError *error) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    struct stat info;
    if (strcmp(name, HC_SWEEP_FILE) != 0 || stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return add_path(runs, path, error);
    char *sweep = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    HcStatus status = sweep ? add_path(runs, sweep, error) : hc_fail_memory(error, "a path");
    free(sweep);
    return status;
}

void hc_past_runs_free(HcPastRuns *runs) {
    for (uint32_t k = 0; k < runs->count; k++)
        hc_past_run_free(&runs->at[k]);
    free(runs->at);
    *runs = (HcPastRuns){0};
}
