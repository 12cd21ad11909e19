/* Which files hold the samples, and reading them whole. */
#include "runtime/samples.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- names ------------------------------------------------------------------------------------ */

typedef struct {
    HcSampleFiles *files;
    const HcPlan *plan;
    HcError *error;
    const char *folder; /* for the plan's own names, or NULL */
    char replaced[256]; /* keys of the command line so far, each between two spaces */
} Names;

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static HcStatus add(Names *n, HcPart part, const char *stream, const char *path) {
    HcSampleFiles *files = n->files;
    HcSampleFile *grown = realloc(files->at, (files->count + 1) * sizeof *grown);
    if (!grown)
        return hc_fail_memory(n->error, "the list of data files");
    files->at = grown;
    const bool inside = n->folder && path[0] != '/';
    const size_t length = strlen(path) + (inside ? strlen(n->folder) + 1 : 0) + 1;
    char *copy = malloc(length);
    if (!copy)
        return hc_fail_memory(n->error, "a path");
    snprintf(copy, length, "%s%s%s", inside ? n->folder : "", inside ? "/" : "", path);
    files->at[files->count++] = (HcSampleFile){.part = part, .stream = stream, .path = copy};
    return HC_OK;
}

static bool same_stream(const char *a, const char *b) {
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static void remove_files(Names *n, HcPart part, const char *stream) {
    HcSampleFiles *files = n->files;
    uint32_t kept = 0;
    for (uint32_t k = 0; k < files->count; k++) {
        if (files->at[k].part == part && same_stream(files->at[k].stream, stream))
            free(files->at[k].path);
        else
            files->at[kept++] = files->at[k];
    }
    files->count = kept;
}

/* The stream called `name` among the plan's files; sources with one kind of file have none. */
static bool find_stream(const HcPlan *plan, const char *name, size_t length, const char **stream) {
    for (uint32_t k = 0; k < plan->n_data_files; k++) {
        const char *s = plan->data_files[k].stream;
        if (s && strlen(s) == length && strncmp(s, name, length) == 0) {
            *stream = s;
            return true;
        }
    }
    return false;
}

static bool has_streams(const HcPlan *plan) {
    return plan->n_data_files && plan->data_files[0].stream;
}

/* `train`, `held_out`, `images`, `held_out.images` before the `=`; false: no such name. */
static bool read_key(const HcPlan *plan, const char *text, size_t length, HcPart *part,
                     const char **stream) {
    static const char *const parts[] = {[HC_TRAIN_PART] = "train", [HC_HELD_OUT_PART] = "held_out"};
    *part = HC_TRAIN_PART;
    *stream = NULL;
    for (int k = 0; k < 2; k++) {
        const size_t n = strlen(parts[k]);
        if (length < n || strncmp(text, parts[k], n) != 0 || (length > n && text[n] != '.'))
            continue;
        *part = (HcPart)k;
        if (length == n)
            return !has_streams(plan);
        return find_stream(plan, text + n + 1, length - n - 1, stream);
    }
    return find_stream(plan, text, length, stream);
}

static HcStatus replace(Names *n, const char *given, size_t key, HcPart part, const char *stream) {
    char word[64];
    snprintf(word, sizeof word, " %d%.40s ", part, stream ? stream : "");
    if (!strstr(n->replaced, word)) {
        remove_files(n, part, stream);
        if (strlen(n->replaced) + strlen(word) < sizeof n->replaced)
            strcat(n->replaced, word);
    }
    n->folder = NULL;
    return add(n, part, stream, given + key);
}

static HcStatus no_such_key(const Names *n, const char *given, size_t key) {
    char list[256] = "";
    for (uint32_t k = 0; k < n->plan->n_data_files; k++) {
        const HcDataFile *f = &n->plan->data_files[k];
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s%s%s", used ? ", " : "",
                 f->held_out ? "held_out" : "train", f->stream ? "." : "",
                 f->stream ? f->stream : "");
    }
    return hc_fail(n->error, HC_ERROR_ARGUMENT,
                   "--data %s: there is no such file, and the data have no `%.*s` to name one for "
                   "(there are: %s)",
                   given, (int)key, given, list[0] ? list : "train, held_out");
}

static HcStatus apply(Names *n, const char *given, bool evaluates) {
    const char *equals = strchr(given, '=');
    HcPart part = HC_TRAIN_PART;
    const char *stream;
    if (equals && read_key(n->plan, given, (size_t)(equals - given), &part, &stream))
        return replace(n, given, (size_t)(equals - given) + 1, part, stream);
    struct stat info;
    if (equals && stat(given, &info) != 0)
        return no_such_key(n, given, (size_t)(equals - given));
    if (has_streams(n->plan))
        return hc_fail(n->error, HC_ERROR_ARGUMENT,
                       "the data have several files: give --data FOLDER, or --data %s=FILE and so "
                       "on, instead of `%s`",
                       n->plan->data_files[0].stream, given);
    for (uint32_t k = 0; evaluates && k < n->files->count; k++)
        if (n->files->at[k].part == HC_HELD_OUT_PART)
            part = HC_HELD_OUT_PART;
    return replace(n, given, 0, part, NULL);
}

static int by_part(const HcSampleFile *a, const HcSampleFile *b) {
    return (int)a->part - (int)b->part;
}

HcStatus hc_sample_files(const HcPlan *plan, const char *const *given, int32_t n_given,
                         bool evaluates, HcSampleFiles *files, HcError *error) {
    Names n = {.files = files, .plan = plan, .error = error};
    HcStatus status = HC_OK;
    *files = (HcSampleFiles){0};
    for (int32_t k = 0; k < n_given; k++)
        if (is_folder(given[k]))
            n.folder = given[k];
    for (uint32_t k = 0; k < plan->n_data_files && status == HC_OK; k++)
        status = add(&n, plan->data_files[k].held_out ? HC_HELD_OUT_PART : HC_TRAIN_PART,
                     plan->data_files[k].stream, plan->data_files[k].path);
    for (int32_t k = 0; k < n_given && status == HC_OK; k++)
        if (!is_folder(given[k]))
            status = apply(&n, given[k], evaluates);
    for (uint32_t i = 1; i < files->count; i++) /* stable, and short */
        for (uint32_t k = i; k > 0 && by_part(&files->at[k - 1], &files->at[k]) > 0; k--) {
            const HcSampleFile swap = files->at[k];
            files->at[k] = files->at[k - 1];
            files->at[k - 1] = swap;
        }
    if (status == HC_OK && (files->count == 0 || files->at[0].part != HC_TRAIN_PART))
        status = hc_fail(error, HC_ERROR_ARGUMENT,
                         "training needs data: give --data FILE, or name it in the model's train "
                         "block: `train = \"FILE\";`");
    if (status != HC_OK)
        hc_sample_files_free(files);
    return status;
}

void hc_sample_files_free(HcSampleFiles *files) {
    for (uint32_t k = 0; k < files->count; k++)
        free(files->at[k].path);
    free(files->at);
    *files = (HcSampleFiles){0};
}

/* --- reading ---------------------------------------------------------------------------------- */

static HcStatus read_all(int file, const char *path, uint8_t *bytes, size_t capacity, size_t *size,
                         HcError *error) {
    *size = 0;
    while (*size < capacity) {
        const ssize_t n = read(file, bytes + *size, capacity - *size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hc_fail(error, HC_ERROR_DATA, "cannot read data `%s`: %s", path,
                           strerror(errno));
        if (n == 0)
            break;
        *size += (size_t)n;
    }
    return HC_OK;
}

HcStatus hc_read_file(const char *path, uint8_t **bytes, size_t *size, HcError *error) {
    struct stat info;
    *bytes = NULL;
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 || fstat(file, &info) != 0) {
        const HcStatus status =
            hc_fail(error, HC_ERROR_DATA, "cannot read data `%s`: %s", path, strerror(errno));
        if (file >= 0)
            close(file);
        return status;
    }
    HcStatus status = HC_OK;
    if (!S_ISREG(info.st_mode))
        status = hc_fail(error, HC_ERROR_DATA, "data `%s` is not a file", path);
    else if (info.st_size == 0)
        status = hc_fail(error, HC_ERROR_DATA, "data `%s` is empty", path);
    else if (!(*bytes = malloc((size_t)info.st_size)))
        status = hc_fail_memory(error, "the training data");
    else
        status = read_all(file, path, *bytes, (size_t)info.st_size, size, error);
    close(file);
    if (status == HC_OK && *size >= 2 && (*bytes)[0] == 0x1f && (*bytes)[1] == 0x8b)
        status = hc_fail(error, HC_ERROR_DATA, "data `%s` is compressed: unpack it first (gunzip)",
                         path);
    if (status != HC_OK) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}
