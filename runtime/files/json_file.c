#include "runtime/files/json_file.h"
#include "runtime/files/json_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A config.json holds the model's text, which is below 16 MiB, and a mean and a deviation for each
 * number of a sample. */
enum { MAX_BYTES = 128 << 20, MAX_VALUES = 4000000 };

static HcStatus cannot_read(const char *path, const char *why, HcError *error) {
    return hc_fail(error, HC_ERROR_CHECKPOINT, "cannot read `%s`: %s", path, why);
}

/* The whole of a regular file, to be freed. */
static HcStatus read_open(int file, const char *path, char **text, size_t *length, HcError *error) {
    struct stat info;
    if (fstat(file, &info) != 0)
        return hc_fail_errno(error, HC_ERROR_CHECKPOINT, "read", path);
    if (!S_ISREG(info.st_mode))
        return cannot_read(path, "it is no regular file", error);
    if (info.st_size > MAX_BYTES)
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
    (*text)[*length] = '\0';
    return HC_OK;
}

static HcStatus parse(const char *path, const char *text, size_t length, json_t **object,
                      HcError *error) {
    HcJsonRead is;
    *object = hc_json_read(text, length, MAX_VALUES, &is);
    if (is.outcome == HC_JSON_NO_MEMORY)
        return hc_fail_memory(error, path);
    if (is.outcome == HC_JSON_TOO_MANY)
        return cannot_read(path, "it holds more than 4000000 values", error);
    if (is.outcome == HC_JSON_WRONG)
        return hc_fail(error, HC_ERROR_CHECKPOINT, "`%s` is damaged: line %d: %s", path, is.line,
                       is.what);
    if (json_is_object(*object))
        return HC_OK;
    json_decref(*object);
    *object = NULL;
    return hc_fail(error, HC_ERROR_CHECKPOINT, "`%s` is damaged: it is no object", path);
}

HcStatus hc_text_file(const char *path, char **text, size_t *length, HcError *error) {
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* never wait for a pipe */
    *text = NULL;
    *length = 0;
    if (file < 0)
        return hc_fail_errno(error, HC_ERROR_CHECKPOINT, "read", path);
    HcStatus status = read_open(file, path, text, length, error);
    close(file);
    if (status != HC_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}

HcStatus hc_json_file(const char *path, json_t **object, HcError *error) {
    char *text;
    size_t length;
    *object = NULL;
    HcStatus status = hc_text_file(path, &text, &length, error);
    if (status == HC_OK)
        status = parse(path, text, length, object, error);
    free(text);
    return status;
}
