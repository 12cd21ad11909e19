#include "runtime/runs/read_log.h"
#include "runtime/files/json_read.h"
#include "runtime/files/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LINE = 1 << 20, MAX_LINE_VALUES = 65536 };

/* Only a regular file: never wait for a pipe. */
static HcStatus open_file(HcLogReader *r) {
    struct stat info;
    const int file = open(r->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return hc_fail_errno(r->error, HC_ERROR_CHECKPOINT, "read", r->path);
    HcStatus status = HC_OK;
    if (fstat(file, &info) != 0)
        status = hc_fail_errno(r->error, HC_ERROR_CHECKPOINT, "read", r->path);
    else if (!S_ISREG(info.st_mode))
        status = hc_fail(r->error, HC_ERROR_CHECKPOINT, "cannot read `%s`: it is no regular file",
                         r->path);
    r->file = status == HC_OK ? fdopen(file, "r") : NULL;
    if (status == HC_OK && !r->file)
        status = hc_fail_memory(r->error, r->path);
    if (!r->file)
        close(file);
    return status;
}

HcStatus hc_log_open(HcLogReader *r, const char *run, HcError *error) {
    *r = (HcLogReader){
        .path = hc_path_join(run, "log.jsonl"), .text = malloc(MAX_LINE), .error = error};
    HcStatus status = r->path && r->text ? open_file(r) : hc_fail_memory(error, "a log");
    if (status != HC_OK)
        hc_log_close(r);
    return status;
}

static bool at_end(HcLogReader *r) {
    const int next = getc(r->file);
    if (next != EOF)
        ungetc(next, r->file);
    return next == EOF;
}

static HcStatus damaged(HcLogReader *r, const char *what) {
    return hc_fail(r->error, HC_ERROR_CHECKPOINT, "`%s` is damaged: line %lld: %s", r->path,
                   (long long)r->number, what);
}

/* A line that is none: the last may be, where a machine stopped while it was written. */
static HcStatus wrong(HcLogReader *r, const char *what) {
    r->torn = at_end(r);
    return r->torn ? HC_OK : damaged(r, what);
}

static HcStatus take(HcLogReader *r, json_t **line) {
    const size_t length = strlen(r->text);
    const bool whole = length && r->text[length - 1] == '\n';
    HcJsonRead read = {0};
    if (!whole)
        return wrong(r, length < MAX_LINE - 1 ? "it holds a zero byte" : "it is too long");
    json_t *json = hc_json_read(r->text, length, MAX_LINE_VALUES, &read);
    if (read.outcome == HC_JSON_NO_MEMORY)
        return hc_fail_memory(r->error, "a line of a log");
    const json_t *step = json_object_get(json, "step");
    HcStatus status = HC_OK;
    if (!json)
        status = wrong(r, read.what);
    else if (!json_is_integer(step))
        status = damaged(r, "it has no step");
    else if (json_integer_value(step) <= r->step)
        status = damaged(r, "its step is not above that of the line before");
    else
        *line = json;
    if (*line)
        r->step = json_integer_value(step);
    else
        json_decref(json);
    return status;
}

HcStatus hc_log_next(HcLogReader *r, json_t **line) {
    *line = NULL;
    if (fgets(r->text, MAX_LINE, r->file)) {
        r->number++;
        return take(r, line);
    }
    return ferror(r->file) ? hc_fail_errno(r->error, HC_ERROR_CHECKPOINT, "read", r->path) : HC_OK;
}

void hc_log_again(HcLogReader *r) {
    rewind(r->file);
    r->number = r->step = 0;
}

void hc_log_close(HcLogReader *r) {
    if (r->file)
        fclose(r->file);
    free(r->path);
    free(r->text);
    *r = (HcLogReader){0};
}
