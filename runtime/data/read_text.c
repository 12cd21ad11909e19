/* Text: the bytes of a file, or of all files below a folder that are text. */
#include "runtime/data/read_text.h"
#include "runtime/data/read_file.h"
#include "runtime/files/paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = 64 };

typedef struct {
    HcText *text;
    size_t capacity;
    bool as_bytes;
    int64_t passed; /* files and run folders that are no text */
    char first[200];
    HcError *error;
} Loader;

static HcStatus reserve(Loader *l, size_t more) {
    size_t wanted = (size_t)l->text->count + more;
    if (wanted <= l->capacity)
        return HC_OK;
    size_t capacity = wanted > 2 * l->capacity ? wanted : 2 * l->capacity;
    uint8_t *grown = realloc(l->text->bytes, capacity);
    if (!grown)
        return hc_fail_memory(l->error, "the training data");
    l->text->bytes = grown;
    l->capacity = capacity;
    return HC_OK;
}

static HcStatus unreadable(Loader *l, const char *path) {
    return hc_fail_errno(l->error, HC_ERROR_DATA, "read data", path);
}

static HcStatus load_open_file(Loader *l, const char *path, int file, size_t size) {
    HcStatus status = reserve(l, size + 1);
    while (status == HC_OK) {
        ssize_t n =
            read(file, l->text->bytes + l->text->count, l->capacity - (size_t)l->text->count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return unreadable(l, path);
        if (n == 0)
            break;
        l->text->count += n;
        status = reserve(l, 1 << 16); /* it may have grown since stat */
    }
    return status;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* --- what is text ------------------------------------------------------------------------------*/

/* What a file is instead of text, as the end of a sentence; NULL: text. */
static const char *no_text(const uint8_t *bytes, size_t size) {
    const char *packed = hc_packed_kind(bytes, size);
    if (packed || size == 0)
        return packed;
    return memchr(bytes, 0, size) ? "binary: it holds a zero byte (tokens, numbers and programs "
                                    "are no text; --data-is-bytes reads it all the same)"
                                  : NULL;
}

bool hc_file_is_text(const char *path) {
    uint8_t part[1 << 16];
    FILE *file = fopen(path, "rbe");
    bool text = file != NULL;
    for (size_t size = 1; text && size;) {
        size = fread(part, 1, sizeof part, file);
        text = !no_text(part, size);
    }
    if (file)
        fclose(file);
    return text;
}

static void pass_over(Loader *l, const char *path) {
    if (l->passed++ == 0)
        snprintf(l->first, sizeof l->first, "%s", path);
    hc_make_printable(l->first);
}

/* One file has been read from `start` on: below a folder, what is no text is passed over. */
static HcStatus keep_text(Loader *l, const char *path, int64_t start, int depth) {
    HcText *text = l->text;
    const char *what =
        l->as_bytes ? NULL : no_text(text->bytes + start, (size_t)(text->count - start));
    if (!what)
        text->files++;
    else if (depth == 0)
        return hc_fail(l->error, HC_ERROR_DATA, "data `%s` is %s", path, what);
    else {
        text->count = start;
        pass_over(l, path);
    }
    return HC_OK;
}

static bool holds_file(int folder, const char *name) {
    struct stat info;
    return fstatat(folder, name, &info, 0) == 0 && S_ISREG(info.st_mode);
}

/* A folder that training wrote: its log is no text to train on. */
static bool is_run_folder(int folder) {
    return holds_file(folder, "config.json") && holds_file(folder, "log.jsonl");
}

/* --- files and folders -------------------------------------------------------------------------*/

/* Names of a folder's entries that are not hidden, sorted; free each and the array. */
static HcStatus list_folder(Loader *l, const char *path, int folder, char ***names, size_t *count) {
    DIR *stream = fdopendir(folder);
    *names = NULL;
    *count = 0;
    if (!stream) {
        HcStatus status = unreadable(l, path);
        close(folder);
        return status;
    }
    size_t capacity = 0;
    struct dirent *entry;
    HcStatus status = HC_OK;
    while (status == HC_OK && (entry = readdir(stream))) {
        if (entry->d_name[0] == '.')
            continue;
        if (*count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            char **grown = realloc(*names, capacity * sizeof *grown);
            if (!grown) {
                status = hc_fail_memory(l->error, "the list of data files");
                break;
            }
            *names = grown;
        }
        char *name = strdup(entry->d_name);
        if (!name)
            status = hc_fail_memory(l->error, "the list of data files");
        else
            (*names)[(*count)++] = name;
    }
    closedir(stream);
    if (*count)
        qsort(*names, *count, sizeof **names, by_name);
    return status;
}

/* depth 0 is what the user named: there a missing or odd file is an error, below it is skipped. */
static HcStatus load_path(Loader *l, const char *path, int depth);

static HcStatus load_folder(Loader *l, const char *path, int folder, int depth) {
    char **names;
    size_t count;
    if (!l->as_bytes && is_run_folder(folder)) {
        close(folder);
        if (depth == 0)
            return hc_fail(l->error, HC_ERROR_DATA,
                           "data `%s` is the folder of a run (--data-is-bytes reads it all the "
                           "same)",
                           path);
        pass_over(l, path);
        return HC_OK;
    }
    HcStatus status = list_folder(l, path, folder, &names, &count);
    for (size_t k = 0; k < count; k++) {
        char *below = status == HC_OK ? hc_path_in(path, names[k]) : NULL;
        if (status == HC_OK)
            status = below ? load_path(l, below, depth + 1) : hc_fail_memory(l->error, "a path");
        free(below);
        free(names[k]);
    }
    free(names);
    return status;
}

static HcStatus load_path(Loader *l, const char *path, int depth) {
    struct stat info;
    if (depth > MAX_DEPTH)
        return hc_fail(l->error, HC_ERROR_DATA, "folders are nested deeper than %d at `%s`",
                       MAX_DEPTH, path);
    if (depth > 0 && lstat(path, &info) == 0 && S_ISLNK(info.st_mode) &&
        (stat(path, &info) != 0 || S_ISDIR(info.st_mode)))
        return HC_OK; /* links to folders might lead round in circles; dangling links to nothing */
    if (stat(path, &info) != 0)
        return unreadable(l, path);
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
        return depth > 0 ? HC_OK
                         : hc_fail(l->error, HC_ERROR_DATA,
                                   "data `%s` is neither a file nor a folder", path);
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return unreadable(l, path);
    if (S_ISDIR(info.st_mode))
        return load_folder(l, path, file, depth); /* closes it */
    const int64_t start = l->text->count;
    HcStatus status = load_open_file(l, path, file, (size_t)info.st_size);
    close(file);
    return status == HC_OK ? keep_text(l, path, start, depth) : status;
}

HcStatus hc_read_text(const char *path, bool as_bytes, FILE *notes, HcText *text, HcError *error) {
    *text = (HcText){0};
    Loader loader = {.text = text, .as_bytes = as_bytes, .error = error};
    HcStatus status = load_path(&loader, path, 0);
    if (status == HC_OK && notes && loader.passed)
        fprintf(notes, "`%s`: passed over %lld that %s no text, such as `%s`\n", path,
                (long long)loader.passed, loader.passed == 1 ? "is" : "are", loader.first);
    if (status == HC_OK && text->count == 0)
        status = text->files ? hc_fail(error, HC_ERROR_DATA, "data `%s` is empty", path)
                             : hc_fail(error, HC_ERROR_DATA, "data `%s` holds no regular file%s",
                                       path, loader.passed ? " that is text" : "");
    if (status != HC_OK) {
        free(text->bytes);
        *text = (HcText){0};
    }
    return status;
}
