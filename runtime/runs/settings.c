/* What a run was made with, as a list of names and texts: two runs are the same but for the seed
 * where their lists are. What names a file counts by what was in it. */
#define XXH_INLINE_ALL
#include "runtime/files/json.h"
#include "runtime/runs/past_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* As few digits as give the same number again. */
static json_t *number_text(double value) {
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return json_string(text);
}

static json_t *text_of(const json_t *value) {
    if (json_is_string(value))
        return json_stringn_nocheck(json_string_value(value), json_string_length(value));
    if (json_is_real(value))
        return number_text(json_real_value(value));
    char *text = hc_json_dump(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    json_t *json = text ? json_string_nocheck(text) : NULL;
    free(text);
    return json;
}

static void add(json_t **to, const char *name, const json_t *value) {
    if (value && !json_is_null(value))
        hc_json_set(to, name, text_of(value));
}

/* Members of `of`, each under its name behind `before`; where that is taken, as `constant NAME`. */
static void add_members(json_t **to, const char *before, const json_t *of, const json_t *taken) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)of, key, value) {
        char name[160];
        snprintf(name, sizeof name, "%s%s", before, key);
        if (json_object_get(taken, name))
            snprintf(name, sizeof name, "constant %s", key);
        if (strcmp(name, "train.seed") != 0)
            add(to, name, value);
    }
}

/* A count of the data themselves, not of what else is known of them. */
static bool is_count(const char *key, const json_t *value) {
    return json_is_integer(value) && strcmp(key, "files") != 0 &&
           strcmp(key, "held_out_text_bytes") != 0;
}

/* Which data, and how much of them is for what, wherever they lie: their hash and all counts. */
static void add_data(json_t **to, json_t *data) {
    json_t *same = json_object(), *value;
    const char *key;
    json_object_foreach(data, key, value) {
        if (strcmp(key, "xxh3") == 0 || is_count(key, value))
            hc_json_set(&same, key, json_incref(value));
    }
    const bool known = json_object_get(same, "xxh3") != NULL;
    add(to, "data", known ? same : data);
    if (!same) /* memory is out */
        hc_json_set(to, "data", NULL);
    json_decref(same);
}

static void hash_text(XXH3_state_t *state, const json_t *text) {
    if (json_is_string(text))
        XXH3_64bits_update(state, json_string_value(text), json_string_length(text));
}

/* The text and those of the files that it uses. */
static void add_source(json_t **to, const json_t *hcc) {
    const json_t *text = json_object_get(hcc, "text"), *used;
    char hash[20];
    size_t k;
    XXH3_state_t state;
    if (!json_is_string(text))
        return;
    XXH3_64bits_reset(&state);
    hash_text(&state, text);
    json_array_foreach(json_object_get(hcc, "uses"), k, used)
        hash_text(&state, json_object_get(used, "text"));
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)XXH3_64bits_digest(&state));
    hc_json_set(to, "source", json_string(hash));
}

json_t *hc_run_settings(const json_t *config) {
    static const char *const plain[] = {"precision", "from", "threads", "blas_core"};
    const json_t *hcc = json_object_get(config, "hcc");
    json_t *settings = json_object(), *all = json_object();
    add(&settings, "model", json_object_get(config, "model"));
    add_data(&settings, json_object_get(config, "data"));
    add_source(&settings, hcc);
    for (size_t k = 0; k < sizeof plain / sizeof plain[0]; k++)
        add(&settings, plain[k], json_object_get(config, plain[k]));
    add(&settings, "memory", json_object_get(hcc, "memory"));
    add(&settings, "cpu", json_object_get(json_object_get(config, "cpu"), "name"));
    add(&settings, "hcc", json_object_get(hcc, "version"));
    add_members(&all, "", json_object_get(config, "constants"), settings);
    add_members(&all, "train.", json_object_get(config, "recipe"), NULL);
    hc_json_update(&all, settings);
    return all;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* The name of the file that a setting is the hash of, of several the first; "": there is none. */
static const char *file_of(const HcPastRun *run, const char *name) {
    const json_t *data = json_object_get(run->config, "data"), *file = NULL;
    if (strcmp(name, "data") == 0)
        file = json_array_get(json_object_get(data, "files"), 0); /* train=PATH */
    if (strcmp(name, "source") == 0)
        file = json_object_get(json_object_get(run->config, "hcc"), "file");
    const char *path = json_string_value(file);
    return path ? base_name(path) : "";
}

/* The first figures of a hash are enough to tell two apart. */
enum { HASH_SHOWN = 8 };

void hc_run_setting_text(const HcPastRun *run, const char *name, char *text, size_t size) {
    const char *value = json_string_value(json_object_get(run->settings, name)),
               *file = file_of(run, name);
    if (strcmp(name, "data") == 0)
        value = json_string_value(json_object_get(json_object_get(run->config, "data"), "xxh3"));
    const bool hash = strcmp(name, "data") == 0 || strcmp(name, "source") == 0;
    snprintf(text, size, "%s%s%.*s", file, *file ? " " : "", hash ? HASH_SHOWN : (int)size,
             value ? value : "");
}
