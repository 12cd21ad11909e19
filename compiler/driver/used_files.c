/* Finding the files that a text uses, and keeping them with a run. */
#include "driver/used_files.h"
#include "base/find_text.h"
#include "driver/pipeline.h"
#include "runtime/files/json.h"
#include <stdlib.h>
#include <string.h>

UsedFiles *used_files(Driver *d) {
    if (!d->used) {
        d->used = ARENA_NEW(d->c->arena, UsedFiles);
        d->used->d = d;
        d->used->arena = d->c->arena;
    }
    return d->used;
}

static bool same_file(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static UsedFile find(void *context, const char *by, const char *said) {
    UsedFiles *used = context;
    const Options *o = &used->d->options;
    for (uint32_t k = 0; k < used->list.count; k++)
        if (same_file(used->list.at[k].by, by) && strcmp(used->list.at[k].said, said) == 0)
            return used->list.at[k].file;
    if (used->closed)
        return (UsedFile){.why = "the run's config.json does not hold this file"};
    FolderList folders = {0};
    for (size_t k = 0; k < o->include.count; k++)
        vec_push(used->arena, &folders, o->include.at[k]);
    find_text_folders(used->arena, getenv("HCC_PATH"), &folders);
    const FoundText found = find_text(used->arena, by ? by : o->argument, said, &folders);
    const UsedFile file = {found.name, found.text, found.length, found.why};
    if (!file.why)
        vec_push(used->arena, &used->list,
                 (UsedRecord){by ? arena_printf(used->arena, "%s", by) : NULL,
                              arena_printf(used->arena, "%s", said), file});
    return file;
}

CompileUses used_files_finder(Driver *d) {
    return (CompileUses){used_files(d), find};
}

void used_files_gather(Driver *d, const char *path) {
    UsedFiles *used = used_files(d);
    Compilation *own = d->c, *other = compilation_create();
    if (!other)
        arena_exhausted(own->arena);
    other->out_of_memory = own->out_of_memory;
    const FoundText main = find_text(own->arena, NULL, path, &(FolderList){0});
    if (!main.why) {
        const CompileOptions options = {.uses = {used, find}};
        CompileRun run = compile_begin(other, &options, NULL);
        compile_from_text(&run, source_add(other->sources, path, main.text, main.length));
        compile_to(&run, PASS_PARSE);
        compile_end(&run);
    }
    compilation_destroy(other);
}

/* --- config.json -------------------------------------------------------------------------------*/

/* As hc_json_path has it. */
void used_files_path(JsonText *t, const char *key, const char *path) {
    if (hc_is_utf8(path)) {
        json_text_string(t, key, path);
        return;
    }
    char *hex = arena_alloc(t->arena, 2 * strlen(path) + 1);
    for (size_t k = 0; path[k]; k++)
        snprintf(hex + 2 * k, 3, "%02x", (unsigned char)path[k]);
    json_text_open(t, key, '{');
    json_text_string(t, "hex", hex);
    json_text_close(t, '}');
}

void used_files_write(Driver *d, JsonText *to) {
    const UsedFiles *used = used_files(d);
    if (!used->list.count)
        return;
    json_text_open(to, "uses", '[');
    for (uint32_t k = 0; k < used->list.count; k++) {
        const UsedRecord *r = &used->list.at[k];
        json_text_open(to, NULL, '{');
        if (r->by)
            used_files_path(to, "by", r->by);
        json_text_string(to, "use", r->said);
        used_files_path(to, "file", r->file.name);
        json_text_bytes(to, "text", r->file.text, r->file.length);
        json_text_close(to, '}');
    }
    json_text_close(to, ']');
}

static const char *read_path(Arena *arena, const json_t *json) {
    char *path = NULL;
    if (json && !hc_json_read_path(json, &path))
        arena_exhausted(arena);
    const char *kept = path ? arena_printf(arena, "%s", path) : NULL;
    free(path);
    return kept;
}

bool used_files_read(Driver *d, const json_t *list) {
    UsedFiles *used = used_files(d);
    Arena *arena = used->arena;
    size_t index;
    json_t *entry;
    used->closed = true;
    json_array_foreach(list, index, entry) {
        const json_t *by = json_object_get(entry, "by"), *said = json_object_get(entry, "use"),
                     *text = json_object_get(entry, "text");
        UsedRecord r = {.by = read_path(arena, by)};
        r.file.name = read_path(arena, json_object_get(entry, "file"));
        if ((by && !r.by) || !json_is_string(said) || !json_is_string(text) || !r.file.name)
            return false;
        r.said = arena_printf(arena, "%s", json_string_value(said));
        r.file.length = json_string_length(text);
        r.file.text = arena_copy_string(arena, json_string_value(text), r.file.length);
        vec_push(arena, &used->list, r);
    }
    return true;
}
