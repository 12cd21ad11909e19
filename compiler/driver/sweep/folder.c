#define XXH_INLINE_ALL
#include "driver/sweep/folder.h"
#include "driver/sweep/words.h"
#include "runtime/files/json.h"
#include "runtime/files/json_file.h"
#include "runtime/files/paths.h"
#include "runtime/files/replace.h"
#include "runtime/runs/past_run.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

static const char *folder_record(Driver *d, const SweepFolder *folder) {
    return arena_printf(d->c->arena, "%s/" HC_SWEEP_FILE, folder->path);
}

/* --- the .hc file ------------------------------------------------------------------------------*/

static bool hash_file(XXH3_state_t *state, const char *path) {
    FILE *file = fopen(path, "rbe");
    char bytes[8192];
    size_t got;
    while (file && (got = fread(bytes, 1, sizeof bytes, file)) > 0)
        XXH3_64bits_update(state, bytes, got);
    const bool whole = file && !ferror(file);
    if (file)
        fclose(file);
    return whole;
}

/* Of the file and all that it uses. */
static bool folder_hash(const SweepFolder *folder, char hash[20]) {
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    bool whole = hash_file(&state, folder->file);
    for (uint32_t k = 0; whole && k < folder->used->list.count; k++)
        whole = hash_file(&state, folder->used->list.at[k].file.name);
    snprintf(hash, 20, "%016" PRIx64, XXH3_64bits_digest(&state));
    return whole;
}

bool sweep_folder_same_source(const SweepFolder *folder) {
    char hash[20];
    return folder_hash(folder, hash) && strcmp(hash, folder->source) == 0;
}

/* --- an earlier sweep --------------------------------------------------------------------------*/

/* A value of `made` as a command line would have it. */
static const char *folder_option(Driver *d, const json_t *value) {
    const char *text = "";
    if (!value)
        return "not given";
    if (json_is_string(value))
        return *json_string_value(value) ? json_string_value(value) : "given";
    for (size_t k = 0; k < json_array_size(value); k++)
        text = arena_printf(d->c->arena, "%s%s%s", text, k ? ", " : "",
                            json_string_value(json_array_get(value, k)));
    return text;
}

static uint32_t folder_differs(Driver *d, const SweepFolder *folder, const json_t *was) {
    uint32_t count = 0;
    for (uint32_t k = 0; k < OPTION_ROWS; k++) {
        const char *name = option_rows[k].long_name;
        const json_t *before = json_object_get(was, name),
                     *now = json_object_get(folder->made, name);
        if (json_equal(before, now) || before == now)
            continue;
        const char *text = folder_option(d, before);
        driver_error(d, "`%s` was begun with --%s %s, and now it is %s", folder->path, name, text,
                     folder_option(d, now));
        count++;
    }
    return count;
}

/* Runs of two kinds in one folder would be compared as if they were one sweep. */
static ExitCode folder_compare(Driver *d, SweepFolder *folder, const json_t *record) {
    const json_t *was = json_object_get(record, "made"), *threads = json_object_get(was, "threads");
    const char *source = json_string_value(json_object_get(record, "source"));
    if (!json_is_object(was) || !source) {
        driver_error(d, "`%s` is damaged: it does not say what the sweep was made with",
                     folder_record(d, folder));
        return EXIT_DATA;
    }
    if (!d->options.run.threads.given && threads)
        hc_json_set(&folder->made, "threads", json_incref((json_t *)(uintptr_t)threads));
    uint32_t count = folder_differs(d, folder, was);
    if (strcmp(source, folder->source) != 0) {
        driver_error(d, "'%s' has changed since the sweep in `%s` began", folder->file,
                     folder->path);
        count++;
    }
    if (count == 0)
        return EXIT_OK;
    fprintf(d->err,
            "  help: its runs would not be comparable with the ones that are there: choose another "
            "--out, or remove `%s`\n",
            folder->path);
    return EXIT_USAGE;
}

/* But for what another sweep that begins it now is writing. */
static bool folder_is_empty(const char *path) {
    DIR *entries = opendir(path);
    bool empty = true;
    for (const struct dirent *entry; empty && entries && (entry = readdir(entries));)
        empty = entry->d_name[0] == '.' ||
                strncmp(entry->d_name, HC_SWEEP_FILE ".", strlen(HC_SWEEP_FILE ".")) == 0;
    if (entries)
        closedir(entries);
    return empty;
}

static int folder_is_record(const char *name) {
    return strcmp(name, HC_SWEEP_FILE) == 0;
}

static ExitCode folder_read(Driver *d, SweepFolder *folder) {
    const char *path = folder_record(d, folder);
    json_t *record;
    HcError error;
    hc_remove_temporaries(folder->path, folder_is_record); /* of a sweep that was killed */
    const bool empty = folder_is_empty(folder->path);      /* looked at first: runs come after it */
    if (access(path, F_OK) != 0) {
        if (empty)
            return EXIT_OK;
        driver_error(d, "`%s` holds something, and it is no sweep: choose another --out",
                     folder->path);
        return EXIT_USAGE;
    }
    const HcStatus status = hc_json_file(path, &record, &error);
    if (status != HC_OK)
        return driver_failed(d, status, &error);
    folder->began = true;
    const ExitCode code = folder_compare(d, folder, record);
    json_decref(record);
    return code;
}

/* --- beginning
 * -----------------------------------------------------------------------------------*/

/* Without slashes behind it, which a shell adds to what is there already. */
static const char *folder_plain(Driver *d, const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    return arena_copy_string(d->c->arena, path, length);
}

/* In place of --out: of the file's name, so that the same command finds it again. */
static const char *folder_default(Driver *d) {
    const char *file = d->options.argument, *slash = strrchr(file, '/');
    const char *base = slash ? slash + 1 : file, *dot = strrchr(base, '.');
    return arena_printf(d->c->arena, "runs/%.*s-sweep",
                        (int)(dot && dot != base ? dot - base : (ptrdiff_t)strlen(base)), base);
}

/* Names of runs and files behind it have room in a path. */
enum { LONGEST_PATH = 3000 };

ExitCode sweep_folder_open(Driver *d, SweepFolder *folder, uint32_t threads) {
    const char *out = d->options.run.out ? folder_plain(d, d->options.run.out) : folder_default(d);
    *folder = (SweepFolder){.path = out, .file = d->options.argument};
    used_files_gather(d, folder->file);
    folder->used = used_files(d);
    if (!folder_hash(folder, folder->source)) {
        driver_error(d, "cannot read '%s': %s", folder->file, strerror(errno));
        return EXIT_USAGE;
    }
    if (!*out || strlen(out) > LONGEST_PATH) {
        driver_error(d, "the name of the folder --out is %s", *out ? "too long" : "empty");
        return EXIT_USAGE;
    }
    folder->made = sweep_made(d, threads);
    return folder_read(d, folder);
}

void sweep_folder_close(SweepFolder *folder) {
    json_decref(folder->made);
}

/* --- sweep.json --------------------------------------------------------------------------------*/

static json_t *folder_run(const SweepRun *run) {
    json_t *json = json_object(), *settings = json_array();
    for (uint32_t k = 0; k < run->n_settings; k++)
        hc_json_append(&settings, hc_json_text(run->settings[k]));
    hc_json_set(&json, "name", hc_json_text(run->name));
    hc_json_set(&json, "set", settings);
    hc_json_set(&json, "seed", json_integer((json_int_t)run->seed));
    return json;
}

static bool folder_has_run(const SweepGrid *grid, const char *name) {
    for (uint32_t k = 0; k < grid->runs.count; k++)
        if (strcmp(grid->runs.at[k].name, name) == 0)
            return true;
    return false;
}

/* Runs of values that were varied before. They stay, as all of them are comparable. */
static void folder_note_others(Driver *d, const SweepFolder *folder, const SweepGrid *grid) {
    json_t *record = NULL;
    size_t k;
    json_t *run;
    uint32_t others = 0;
    const char *first = "";
    hc_json_file(folder_record(d, folder), &record, NULL);
    json_array_foreach(json_object_get(record, "runs"), k, run) {
        const char *name = json_string_value(json_object_get(run, "name"));
        if (name && !folder_has_run(grid, name))
            first = others++ ? first : arena_printf(d->c->arena, "%s", name);
    }
    json_decref(record);
    if (others)
        fprintf(d->err,
                "hcc: note: other values vary now: of the runs that are there %" PRIu32
                " are left as they are (%s%s)\n",
                others, first, others > 1 ? ", ..." : "");
}

static char *folder_text(const SweepFolder *folder, const SweepGrid *grid) {
    json_t *record = json_object(), *runs = json_array();
    for (uint32_t k = 0; k < grid->runs.count; k++)
        hc_json_append(&runs, folder_run(&grid->runs.at[k]));
    hc_json_set(&record, "format", json_integer(1));
    hc_json_set(&record, "hcc", json_string(HCC_VERSION));
    hc_json_set(&record, "file", hc_json_path(folder->file));
    hc_json_set(&record, "source", json_string(folder->source));
    hc_json_set(&record, "made", json_incref(folder->made));
    hc_json_set(&record, "runs", runs);
    char *text = hc_json_dump(record, JSON_INDENT(1));
    json_decref(record);
    return text;
}

/* Nothing where there is one already. */
static HcStatus folder_publish(HcWriter *writer, const char *text) {
    HcStatus status = hc_writer_put(writer, text, strlen(text));
    if (status != HC_OK || fsync(writer->file) != 0)
        return hc_writer_close(writer, status == HC_OK ? hc_fail_errno(writer->error, HC_ERROR_IO,
                                                                       "sync", writer->path)
                                                       : status);
    if (claim_publish(writer->temporary, writer->path) != 0 && errno != EEXIST)
        status = hc_fail_errno(writer->error, HC_ERROR_IO, "write", writer->path);
    close(writer->file);
    free(writer->temporary);
    return status;
}

/* The first sweep.json, unless another sweep was faster: then it is compared with that one's. */
static ExitCode folder_begin(Driver *d, SweepFolder *folder, const SweepGrid *grid) {
    HcError error;
    const char *path = folder_record(d, folder);
    char *text = folder_text(folder, grid);
    HcWriter writer;
    if (!text)
        arena_exhausted(d->c->arena);
    HcStatus status = hc_make_folder(folder->path, &error);
    if (status == HC_OK)
        status = hc_writer_open(&writer, path, &error);
    if (status == HC_OK)
        status = folder_publish(&writer, text);
    free(text);
    return status == HC_OK ? folder_read(d, folder) : driver_failed(d, status, &error);
}

static bool folder_holds(Driver *d, const SweepFolder *folder, const char *text) {
    char *there;
    size_t length;
    const HcStatus status = hc_text_file(folder_record(d, folder), &there, &length, NULL);
    const bool same = status == HC_OK && strcmp(there, text) == 0;
    free(there);
    return same;
}

ExitCode sweep_folder_write(Driver *d, SweepFolder *folder, const SweepGrid *grid) {
    HcError error;
    const bool is_first = !folder->began;
    const ExitCode code = is_first ? folder_begin(d, folder, grid) : EXIT_OK;
    if (code != EXIT_OK)
        return code;
    char *text = folder_text(folder, grid);
    if (!text)
        arena_exhausted(d->c->arena);
    HcStatus status = HC_OK;
    if (!folder_holds(d, folder, text)) {
        folder_note_others(d, folder, grid);
        status = hc_file_replace(folder_record(d, folder), text, strlen(text), &error);
    }
    free(text);
    return driver_failed(d, status, &error);
}
