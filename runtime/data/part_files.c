#include "runtime/data/part_files.h"
#include "runtime/files/json.h"
#include "runtime/files/paths.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- names -------------------------------------------------------------------------------------*/

typedef struct {
    HcPartFiles *files;
    const HcPlan *plan;
    HcError *error;
    const HcDataRequest *request;
    const char *folder; /* where relative names begin, or NULL */
} Names;

/* Takes `path` over. */
static HcStatus add_path(Names *n, HcPartFile file, char *path) {
    HcPartFiles *files = n->files;
    HcPartFile *grown = realloc(files->at, (files->count + 1) * sizeof *grown);
    if (!grown || !path) {
        files->at = grown ? grown : files->at;
        free(path);
        return hc_fail_memory(n->error, "the list of data files");
    }
    files->at = grown;
    file.path = path;
    files->at[files->count++] = file;
    return HC_OK;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All files of a pattern, sorted as bytes. */
static HcStatus add_matching(Names *n, HcPartFile file, const char *pattern) {
    glob_t found = {0};
    const int outcome = glob(pattern, GLOB_NOSORT, NULL, &found);
    HcStatus status = HC_OK;
    if (outcome == GLOB_NOSPACE)
        status = hc_fail_memory(n->error, "the list of data files");
    else if (outcome != 0)
        status = hc_fail(n->error, HC_ERROR_DATA, "there are no data `%s`: no file is called so",
                         pattern);
    else
        qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, by_bytes);
    for (size_t k = 0; status == HC_OK && k < found.gl_pathc; k++)
        status = add_path(n, file, strdup(found.gl_pathv[k]));
    globfree(&found);
    return status;
}

/* A file, or what a pattern stands for where there is no file of its very name. */
static HcStatus add(Names *n, HcPartFile file, const char *path) {
    char *full = hc_path_in(n->folder, path);
    if (!full)
        return hc_fail_memory(n->error, "a path");
    if (!hc_is_path_pattern(full))
        return add_path(n, file, full);
    HcStatus status = add_matching(n, file, full);
    free(full);
    return status;
}

static bool same_stream(const char *a, const char *b) {
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

/* Those that the command line did not give. */
static void remove_files(Names *n, HcPart part, const char *stream) {
    HcPartFiles *files = n->files;
    uint32_t kept = 0;
    for (uint32_t k = 0; k < files->count; k++) {
        if (!files->at[k].given && files->at[k].part == part &&
            same_stream(files->at[k].stream, stream))
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

static HcStatus replace(Names *n, const char *path, HcPart part, const char *stream) {
    remove_files(n, part, stream);
    n->folder = NULL;
    return add(n, (HcPartFile){.part = part, .stream = stream, .given = true}, path);
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

static HcStatus apply(Names *n, const char *given) {
    const char *equals = strchr(given, '=');
    HcPart part = HC_TRAIN_PART;
    const char *stream;
    if (equals && read_key(n->plan, given, (size_t)(equals - given), &part, &stream))
        return replace(n, equals + 1, part, stream);
    struct stat info;
    if (equals && stat(given, &info) != 0 && !hc_is_path_pattern(given))
        return no_such_key(n, given, (size_t)(equals - given));
    if (has_streams(n->plan))
        return hc_fail(n->error, HC_ERROR_ARGUMENT,
                       "the data have several files: give --data FOLDER, or --data %s=FILE and so "
                       "on, instead of `%s`",
                       n->plan->data_files[0].stream, given);
    const bool held_out = !n->request->trains && hc_part_files_separate(n->files);
    part = held_out ? HC_HELD_OUT_PART : HC_TRAIN_PART;
    return replace(n, given, part, NULL);
}

/* A file that hc_part_files_set_json wrote down, as `text` names it. */
static HcStatus add_file(Names *n, const char *text, const char *hash) {
    const char *equals = text ? strchr(text, '=') : NULL;
    HcPartFile file = {.expected = hash};
    if (!equals || !read_key(n->plan, text, (size_t)(equals - text), &file.part, &file.stream))
        return hc_fail(n->error, HC_ERROR_CHECKPOINT,
                       "the run's config.json names data that the model does not have: `%s`",
                       text ? text : "?");
    return add_path(n, file, hc_path_in(n->folder, equals + 1));
}

/* The files that the run has read, as hc_part_files_set_json wrote them down. */
static HcStatus add_recorded(Names *n, const json_t *files, const json_t *hashes) {
    HcStatus status = HC_OK;
    for (size_t k = 0; k < json_array_size(files) && status == HC_OK; k++) {
        char *text;
        status = hc_json_read_path(json_array_get(files, k), &text)
                     ? add_file(n, text, json_string_value(json_array_get(hashes, k)))
                     : hc_fail_memory(n->error, "a path");
        free(text);
    }
    return status;
}

/* What is read if the command line names nothing else. */
static HcStatus add_own(Names *n, const char *folder) {
    const json_t *files = json_object_get(n->request->run, "files");
    HcStatus status = HC_OK;
    n->folder = folder ? folder : n->request->folder;
    if (!folder && json_array_size(files))
        return add_recorded(n, files, json_object_get(n->request->run, "files_xxh3"));
    for (uint32_t k = 0; k < n->plan->n_data_files && status == HC_OK; k++) {
        const HcDataFile *f = &n->plan->data_files[k];
        const HcPart part = f->held_out ? HC_HELD_OUT_PART : HC_TRAIN_PART;
        status = add(n, (HcPartFile){.part = part, .stream = f->stream}, f->path);
    }
    return status;
}

/* Of text a folder is one of the data. */
static bool holds_the_files(const Names *n, const char *given) {
    return strcmp(n->plan->data_source, "text") != 0 && hc_is_folder(given);
}

static HcStatus find_folder(const Names *n, const char **folder) {
    *folder = NULL;
    for (int32_t k = 0; k < n->request->n_given; k++) {
        const char *given = n->request->given[k];
        if (!holds_the_files(n, given))
            continue;
        if (*folder)
            return hc_fail(n->error, HC_ERROR_ARGUMENT,
                           "--data names two folders, `%s` and `%s`: the files are in one, or are "
                           "named one by one",
                           *folder, given);
        *folder = given;
    }
    return HC_OK;
}

static int by_part(const HcPartFile *a, const HcPartFile *b) {
    return (int)a->part - (int)b->part;
}

HcStatus hc_part_files(const HcPlan *plan, const HcDataRequest *request, HcPartFiles *files,
                       HcError *error) {
    Names n = {.files = files, .plan = plan, .request = request, .error = error};
    const char *folder;
    *files = (HcPartFiles){0};
    HcStatus status = find_folder(&n, &folder);
    if (status == HC_OK)
        status = add_own(&n, folder);
    for (int32_t k = 0; k < request->n_given && status == HC_OK; k++)
        if (!holds_the_files(&n, request->given[k]))
            status = apply(&n, request->given[k]);
    for (uint32_t i = 1; i < files->count; i++) /* stable, and short */
        for (uint32_t k = i; k > 0 && by_part(&files->at[k - 1], &files->at[k]) > 0; k--) {
            const HcPartFile swap = files->at[k];
            files->at[k] = files->at[k - 1];
            files->at[k - 1] = swap;
        }
    const bool evaluates = !request->trains && files->count;
    if (status == HC_OK && !evaluates && (files->count == 0 || files->at[0].part != HC_TRAIN_PART))
        status = hc_fail(error, HC_ERROR_ARGUMENT,
                         "training needs data: give --data FILE, or name it in the model's train "
                         "block: `train = \"FILE\";`");
    if (status != HC_OK)
        hc_part_files_free(files);
    return status;
}

void hc_part_files_free(HcPartFiles *files) {
    for (uint32_t k = 0; k < files->count; k++)
        free(files->at[k].path);
    free(files->at);
    *files = (HcPartFiles){0};
}

bool hc_part_files_separate(const HcPartFiles *files) {
    bool separate = false;
    for (uint32_t k = 0; k < files->count; k++)
        separate |= files->at[k].part == HC_HELD_OUT_PART;
    return separate;
}

void hc_part_files_keep_held_out(HcPartFiles *files) {
    uint32_t kept = 0;
    for (uint32_t k = 0; k < files->count; k++) {
        if (files->at[k].part == HC_HELD_OUT_PART)
            files->at[kept++] = files->at[k];
        else
            free(files->at[k].path);
    }
    files->count = kept;
}

/* `path` is the file `of`, by whatever name, or lies somewhere below it. */
static bool is_or_below(const char *path, const char *of) {
    char *absolute = realpath(of, NULL);
    const size_t length = absolute ? strlen(absolute) : 0;
    const bool below = absolute && strncmp(path, absolute, length) == 0 &&
                       (path[length] == '/' || absolute[length - 1] == '/');
    free(absolute);
    return below || hc_same_file(path, of);
}

bool hc_part_files_hold(const HcPartFiles *files, const char *path) {
    char *absolute = realpath(path, NULL);
    bool holds = false;
    for (uint32_t k = 0; absolute && k < files->count && !holds; k++)
        holds = is_or_below(absolute, files->at[k].path);
    free(absolute);
    return holds;
}

/* --- what a run remembers ----------------------------------------------------------------------*/

HcStatus hc_part_file_check(const HcPartFile *file, const HcDataRequest *request, HcError *error) {
    char hash[HC_HASH_TEXT];
    hc_hash_text(file->hash, hash);
    if (!file->expected || strcmp(file->expected, hash) == 0)
        return HC_OK;
    return hc_data_changed(request, error, "`%s` is not what the run read", file->path);
}

static json_t *file_json(const HcPartFile *f) {
    char *absolute = realpath(f->path, NULL);
    const char *path = absolute ? absolute : f->path;
    const size_t size = strlen(path) + 32 + (f->stream ? strlen(f->stream) : 0);
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%s%s%s=%s", f->part == HC_TRAIN_PART ? "train" : "held_out",
                 f->stream ? "." : "", f->stream ? f->stream : "", path);
    json_t *json = text ? hc_json_path(text) : NULL;
    free(text);
    free(absolute);
    return json;
}

void hc_part_files_set_json(const HcPartFiles *files, json_t **to) {
    json_t *names = json_array(), *hashes = json_array();
    char hash[HC_HASH_TEXT];
    for (uint32_t k = 0; k < files->count; k++) {
        hc_hash_text(files->at[k].hash, hash);
        hc_json_append(&names, file_json(&files->at[k]));
        hc_json_append(&hashes, json_string(hash));
    }
    hc_json_set(to, "files", names);
    hc_json_set(to, "files_xxh3", hashes);
}
