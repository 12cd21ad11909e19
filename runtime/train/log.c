#include "runtime/train/log.h"
#include "runtime/files/checkpoint.h"
#include "runtime/files/json.h"
#include "runtime/files/json_read.h"
#include "runtime/files/paths.h"
#include "runtime/files/replace.h"
#include "runtime/train/train.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static HcStatus make_folder(const char *path, HcError *error) {
    char *copy = strdup(path);
    if (!copy)
        return hc_fail_memory(error, "a path");
    HcStatus status = HC_OK;
    for (char *at = copy + 1; status == HC_OK && *at; at++) {
        if (*at != '/')
            continue;
        *at = 0;
        mkdir(copy, 0777); /* the last one tells */
        *at = '/';
    }
    struct stat info;
    if (mkdir(copy, 0777) != 0 && errno != EEXIST)
        status = hc_fail_errno(error, HC_ERROR_IO, "make the folder", path);
    else if (stat(copy, &info) != 0 || !S_ISDIR(info.st_mode))
        status = hc_fail(error, HC_ERROR_IO, "`%s` is in the way: it is not a folder", path);
    else if (access(copy, W_OK | X_OK) != 0)
        status = hc_fail_errno(error, HC_ERROR_IO, "write to the folder", path);
    free(copy);
    return status;
}

char *hc_run_file(const HcRun *run, const char *name) {
    return hc_path_join(run->path, name);
}

/* Sets *held where one of a run's files is there. */
static HcStatus find_earlier(const HcRun *run, bool *held, HcError *error) {
    static const char *const files[] = {"config.json", "log.jsonl", "summary.json"};
    *held = false;
    for (size_t k = 0; k < sizeof files / sizeof files[0]; k++) {
        char *path = hc_run_file(run, files[k]);
        struct stat info; /* a link that leads nowhere is something, too */
        if (!path)
            return hc_fail_memory(error, "a path");
        *held |= lstat(path, &info) == 0;
        free(path);
    }
    return HC_OK;
}

static HcStatus remove_file(const HcRun *run, const char *name, HcError *error) {
    char *path = hc_run_file(run, name);
    if (!path)
        return hc_fail_memory(error, "a path");
    HcStatus status = HC_OK;
    if (unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR)
        status = hc_fail_errno(error, HC_ERROR_IO, "replace", path);
    free(path);
    return status;
}

/* An earlier run; config.json last, so that what is left of it is still known for one. */
static HcStatus clear(const HcRun *run, HcError *error) {
    static const char *const files[] = {"summary.json", "log.jsonl", "ckpt/final.safetensors"};
    HcStatus status = HC_OK;
    for (size_t k = 0; k < sizeof files / sizeof files[0] && status == HC_OK; k++)
        status = remove_file(run, files[k], error);
    char *last = hc_run_file(run, "ckpt/last");
    if (status == HC_OK)
        status = last ? hc_folder_remove(last, error) : hc_fail_memory(error, "a path");
    free(last);
    return status == HC_OK ? remove_file(run, "config.json", error) : status;
}

static int is_run_file(const char *name) {
    return strcmp(name, "config.json") == 0 || strcmp(name, "summary.json") == 0;
}

/* What killed processes left here: each may be as large as a checkpoint. */
static void remove_temporaries(const HcRun *run, const char *checkpoints) {
    hc_remove_temporaries(run->path, is_run_file);
    hc_remove_temporaries(checkpoints, NULL);
}

/* Holds the folder until the run is closed, or the process ends however it may. */
static HcStatus lock_folder(HcRun *run, HcError *error) {
    run->folder = open(run->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (run->folder >= 0 && flock(run->folder, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "another run is writing to `%s`: choose another folder", run->path);
    return HC_OK; /* where locks are unknown, do without */
}

static HcStatus open_files(HcRun *run, int force, HcError *error) {
    bool held;
    HcStatus status = find_earlier(run, &held, error);
    if (status == HC_OK && held && !force)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "`%s` already holds a run: choose another folder, or give --force to "
                       "replace it",
                       run->path);
    if (status == HC_OK && held)
        status = clear(run, error);
    if (status != HC_OK)
        return status;
    char *checkpoints = hc_run_file(run, "ckpt"), *log = hc_run_file(run, "log.jsonl");
    status = checkpoints && log ? make_folder(checkpoints, error) : hc_fail_memory(error, "a path");
    if (status == HC_OK) {
        remove_temporaries(run, checkpoints);
        run->log = fopen(log, "wxe"); /* no file or link of others: there is none by now */
        if (!run->log)
            status = hc_fail_errno(error, HC_ERROR_IO, "write", log);
    }
    free(checkpoints);
    free(log);
    return status;
}

HcStatus hc_run_open(HcRun *run, const char *path, int force, HcError *error) {
    *run = (HcRun){.folder = -1};
    size_t length = strlen(path);
    if (length == 0)
        return hc_fail(error, HC_ERROR_ARGUMENT, "the name of the run folder is empty");
    run->path = strdup(path);
    if (!run->path)
        return hc_fail_memory(error, "a path");
    while (length > 1 && run->path[length - 1] == '/')
        run->path[--length] = 0;
    HcStatus status = make_folder(run->path, error);
    if (status == HC_OK)
        status = lock_folder(run, error);
    if (status == HC_OK)
        status = open_files(run, force, error);
    if (status != HC_OK)
        hc_run_close(run, NULL);
    return status;
}

HcStatus hc_run_open_new(HcRun *run, const char *runs, const char *name, HcError *error) {
    *run = (HcRun){.folder = -1};
    size_t size = strlen(runs) + strlen(name) + 24;
    char *path = malloc(size);
    if (!path)
        return hc_fail_memory(error, "a path");
    HcStatus status = make_folder(runs, error);
    for (unsigned n = 1; status == HC_OK; n++) {
        snprintf(path, size, "%s/%s-%u", runs, name, n);
        if (mkdir(path, 0777) == 0) { /* which one process alone can do */
            status = hc_run_open(run, path, 0, error);
            break;
        }
        if (errno != EEXIST)
            status = hc_fail_errno(error, HC_ERROR_IO, "make the folder", path);
    }
    free(path);
    return status;
}

HcStatus hc_run_close(HcRun *run, HcError *error) {
    HcStatus status = HC_OK;
    if (run->log && fclose(run->log) != 0)
        status = hc_fail(error, HC_ERROR_IO, "cannot write `%s/log.jsonl`: %s", run->path,
                         strerror(errno));
    if (run->path && run->folder >= 0)
        close(run->folder);
    free(run->path);
    *run = (HcRun){.folder = -1};
    return status;
}

HcStatus hc_run_json(const HcRun *run, const char *name, const json_t *json, HcError *error) {
    char *path = hc_run_file(run, name);
    char *text = hc_json_dump(json, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    size_t length = text ? strlen(text) : 0;
    HcStatus status;
    if (!path || !text) {
        status = hc_fail_memory(error, name);
    } else {
        text[length] = '\n'; /* in place of the NUL */
        status = hc_file_replace(path, text, length + 1, error);
    }
    free(path);
    free(text);
    return status;
}

HcStatus hc_run_log(HcRun *run, const json_t *line, HcError *error) {
    if (!run->log)
        return HC_OK;
    char *text = hc_json_dump(line, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!text)
        return hc_fail_memory(error, "a line of log.jsonl");
    bool written = fputs(text, run->log) != EOF && fputc('\n', run->log) != EOF;
    free(text);
    if (!written || fflush(run->log) != 0)
        return hc_fail(error, HC_ERROR_IO, "cannot write `%s/log.jsonl`: %s", run->path,
                       strerror(errno));
    return HC_OK;
}

/* --- finding what a run left -------------------------------------------------------------------*/

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

/* A config.json holds the model's text, which is below 16 MiB, and a mean and a deviation for each
 * number of a sample. */
enum { MAX_CONFIG = 128 << 20, MAX_CONFIG_VALUES = 4000000 };

static HcStatus cannot_read(const char *path, const char *why, HcError *error) {
    return hc_fail(error, HC_ERROR_CHECKPOINT, "cannot read `%s`: %s", path, why);
}

/* The whole of a regular file of at most MAX_CONFIG bytes, to be freed. */
static HcStatus read_open(int file, const char *path, char **text, size_t *length, HcError *error) {
    struct stat info;
    if (fstat(file, &info) != 0)
        return hc_fail_errno(error, HC_ERROR_CHECKPOINT, "read", path);
    if (!S_ISREG(info.st_mode))
        return cannot_read(path, "it is no regular file", error);
    if (info.st_size > MAX_CONFIG)
        return cannot_read(path, "it is larger than 128 MiB", error);
    *text = malloc((size_t)info.st_size + 1);
    if (!*text)
        return hc_fail_memory(error, path);
    for (*length = 0; *length < (size_t)info.st_size;) {
        ssize_t n = read(file, *text + *length, (size_t)info.st_size - *length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hc_fail_errno(error, HC_ERROR_CHECKPOINT, "read", path);
        if (n == 0)
            break; /* it was cut off meanwhile; what is missing will be told */
        *length += (size_t)n;
    }
    return HC_OK;
}

static HcStatus read_config(const char *run, const char *path, json_t **config, HcError *error) {
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* never wait for a pipe */
    if (file < 0 && (errno == ENOENT || errno == ENOTDIR))
        return hc_fail(error, HC_ERROR_CHECKPOINT,
                       access(run, F_OK) != 0
                           ? "there is no `%s`"
                           : "`%s` is not the folder of a run: it holds no config.json",
                       run);
    if (file < 0)
        return hc_fail_errno(error, HC_ERROR_CHECKPOINT, "read", path);
    char *text = NULL;
    size_t length = 0;
    HcStatus status = read_open(file, path, &text, &length, error);
    close(file);
    HcJsonRead is = {0};
    if (status == HC_OK)
        *config = hc_json_read(text, length, MAX_CONFIG_VALUES, &is);
    free(text);
    if (is.outcome == HC_JSON_NO_MEMORY)
        return hc_fail_memory(error, path);
    if (is.outcome == HC_JSON_TOO_MANY)
        return cannot_read(path, "it holds more than a run writes", error);
    if (is.outcome == HC_JSON_WRONG)
        return hc_fail(error, HC_ERROR_CHECKPOINT, "`%s` is damaged: line %d: %s", path, is.line,
                       is.what);
    if (status == HC_OK && !json_is_object(*config)) {
        json_decref(*config);
        *config = NULL;
        return hc_fail(error, HC_ERROR_CHECKPOINT, "`%s` is damaged: it is no object", path);
    }
    return status;
}

HcStatus hc_read_config(const char *run, json_t **config, HcError *error) {
    char *path = hc_path_join(run, "config.json");
    *config = NULL;
    HcStatus status =
        path ? read_config(run, path, config, error) : hc_fail_memory(error, "a path");
    free(path);
    return status;
}
