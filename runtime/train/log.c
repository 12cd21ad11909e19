#include "runtime/train/log.h"
#include "runtime/files/json.h"
#include "runtime/files/json_read.h"
#include "runtime/files/paths.h"
#include "runtime/files/replace.h"
#include "runtime/train/events.h"
#include "runtime/trained/tokenizer_copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of a line of the log; metrics are a few. */
enum { MAX_LINE_VALUES = 4096 };

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

int64_t hc_run_kept_step(const char *name) {
    const size_t length = sizeof HC_KEPT - 1;
    const char *digits = name + length;
    if (strncmp(name, HC_KEPT, length) != 0 || *digits < '1' || *digits > '9')
        return -1; /* `step-007` is not what step 7 is called */
    return strlen(digits) <= 18 && !digits[strspn(digits, "0123456789")] ? strtoll(digits, NULL, 10)
                                                                         : -1;
}

static HcStatus remove_checkpoints(const HcRun *run, HcError *error) {
    char *folder = hc_run_file(run, "ckpt");
    DIR *entries = folder ? opendir(folder) : NULL;
    HcStatus status = folder ? HC_OK : hc_fail_memory(error, "a path");
    for (const struct dirent *entry; status == HC_OK && entries && (entry = readdir(entries));) {
        const char *name = entry->d_name;
        if (strcmp(name, "last") != 0 && strcmp(name, "best") != 0 && hc_run_kept_step(name) < 0)
            continue;
        char *path = hc_path_join(folder, name);
        status = path ? hc_folder_remove(path, error) : hc_fail_memory(error, "a path");
        free(path);
    }
    if (entries)
        closedir(entries);
    free(folder);
    return status;
}

/* An earlier run; config.json last, so that what is left of it is still known for one. */
static HcStatus clear(const HcRun *run, HcError *error) {
    static const char *const files[] = {"summary.json", "log.jsonl", "ckpt/final.safetensors"};
    HcStatus status = HC_OK;
    for (size_t k = 0; k < sizeof files / sizeof files[0] && status == HC_OK; k++)
        status = remove_file(run, files[k], error);
    if (status == HC_OK)
        status = remove_checkpoints(run, error);
    if (status == HC_OK)
        status = hc_tokenizer_copy_remove(run->path, error);
    if (status == HC_OK)
        status = hc_events_remove(run->path, error);
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
static HcStatus lock_folder(HcRun *run, const char *help, HcError *error) {
    run->folder = open(run->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (run->folder >= 0 && flock(run->folder, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return hc_fail(error, HC_ERROR_ARGUMENT, "another process is writing to `%s`: %s",
                       run->path, help);
    return HC_OK; /* where locks are unknown, do without */
}

/* flags: as for open(2), of the log. */
static HcStatus open_log(HcRun *run, int flags, HcError *error) {
    char *checkpoints = hc_run_file(run, "ckpt"), *log = hc_run_file(run, "log.jsonl");
    HcStatus status =
        checkpoints && log ? hc_make_folder(checkpoints, error) : hc_fail_memory(error, "a path");
    if (status == HC_OK) {
        remove_temporaries(run, checkpoints);
        const int file = open(log, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, 0666);
        run->log = file >= 0 ? fdopen(file, "r+") : NULL;
        if (!run->log)
            status = hc_fail_errno(error, HC_ERROR_IO, "write", log);
        if (!run->log && file >= 0)
            close(file);
    }
    free(checkpoints);
    free(log);
    return status;
}

static HcStatus open_files(HcRun *run, int force, HcError *error) {
    bool held;
    HcStatus status = find_earlier(run, &held, error);
    if (status == HC_OK && held && !force)
        return hc_fail(error, HC_ERROR_ARGUMENT,
                       "`%s` already holds a run: choose another folder, give --resume to continue "
                       "it, or --force to replace it",
                       run->path);
    if (status == HC_OK && held)
        status = clear(run, error);
    /* no file or link of others: there is none by now */
    return status == HC_OK ? open_log(run, O_EXCL, error) : status;
}

/* The path, without slashes behind it. */
static HcStatus name_run(HcRun *run, const char *path, HcError *error) {
    *run = (HcRun){.folder = -1};
    size_t length = strlen(path);
    if (length == 0)
        return hc_fail(error, HC_ERROR_ARGUMENT, "the name of the run folder is empty");
    run->path = strdup(path);
    if (!run->path)
        return hc_fail_memory(error, "a path");
    while (length > 1 && run->path[length - 1] == '/')
        run->path[--length] = 0;
    return HC_OK;
}

HcStatus hc_run_open(HcRun *run, const char *path, int force, HcError *error) {
    HcStatus status = name_run(run, path, error);
    if (status == HC_OK)
        status = hc_make_folder(run->path, error);
    if (status == HC_OK)
        status = lock_folder(run, "choose another folder", error);
    if (status == HC_OK)
        status = open_files(run, force, error);
    if (status != HC_OK)
        hc_run_close(run, NULL);
    return status;
}

HcStatus hc_run_open_again(HcRun *run, const char *path, HcError *error) {
    HcStatus status = name_run(run, path, error);
    if (status == HC_OK)
        status = lock_folder(run, "it still trains; wait until it ends, or end it", error);
    if (status == HC_OK)
        status = open_log(run, 0, error);
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
    HcStatus status = hc_make_folder(runs, error);
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

HcStatus hc_run_sync(const HcRun *run, HcError *error) {
    if (run->log && fsync(fileno(run->log)) != 0 &&
        errno != EINVAL) /* a pipe has nothing to sync */
        return hc_fail(error, HC_ERROR_IO, "cannot write `%s/log.jsonl`: %s", run->path,
                       strerror(errno));
    return HC_OK;
}

/* The step of a line of ours; -1: it is none, or was cut off. *out: memory is. */
static int64_t step_of(const char *line, ssize_t length, bool *out) {
    if (length < 1 || line[length - 1] != '\n')
        return -1;
    HcJsonRead read;
    json_t *json = hc_json_read(line, (size_t)length, MAX_LINE_VALUES, &read);
    const json_t *step = json_object_get(json, "step");
    const int64_t found = json_is_integer(step) ? json_integer_value(step) : -1;
    *out = read.outcome == HC_JSON_NO_MEMORY;
    json_decref(json);
    return found;
}

HcStatus hc_run_cut_log(HcRun *run, int64_t step, int64_t *last, HcError *error) {
    char *line = NULL;
    size_t room = 0;
    off_t end = 0;
    bool out = false;
    *last = 0;
    rewind(run->log);
    errno = 0;
    for (ssize_t n; (n = getline(&line, &room, run->log)) > 0; end += n) {
        const int64_t of = step_of(line, n, &out);
        if (of < 0 || of > step || out)
            break;
        *last = of;
    }
    free(line);
    if (out || (ferror(run->log) && errno == ENOMEM))
        return hc_fail_memory(error, "a line of log.jsonl");
    if (ferror(run->log) || ftruncate(fileno(run->log), end) != 0 ||
        fseeko(run->log, end, SEEK_SET) != 0)
        return hc_fail(error, HC_ERROR_IO, "cannot cut `%s/log.jsonl` back: %s", run->path,
                       strerror(errno));
    return HC_OK;
}
