#include "runtime/files/json.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void hc_json_set(json_t **object, const char *key, json_t *value) {
    if (*object && json_object_set_new(*object, key, value) == 0)
        return;
    if (!*object)
        json_decref(value);
    json_decref(*object);
    *object = NULL;
}

void hc_json_set_filled(json_t **object, const char *key, json_t *value) {
    if (value && json_object_size(value) == 0 && json_array_size(value) == 0)
        json_decref(value);
    else
        hc_json_set(object, key, value);
}

void hc_json_append(json_t **list, json_t *value) {
    if (*list && json_array_append_new(*list, value) == 0)
        return;
    if (!*list)
        json_decref(value);
    json_decref(*list);
    *list = NULL;
}

void hc_json_update(json_t **object, json_t *from) {
    bool good = *object && from && json_object_update(*object, from) == 0;
    json_decref(from);
    if (good)
        return;
    json_decref(*object);
    *object = NULL;
}

/* What is written; no text once there was no memory for a part of it. */
typedef struct {
    char *text;
    size_t length, capacity;
    bool failed;
} Dump;

static int dump_part(const char *part, size_t length, void *to) {
    Dump *d = to;
    if (length >= d->capacity - d->length) {
        size_t capacity = 2 * d->capacity + length + 1;
        char *grown = d->failed ? NULL : realloc(d->text, capacity);
        d->failed = !grown;
        if (!grown)
            return -1;
        d->text = grown;
        d->capacity = capacity;
    }
    memcpy(d->text + d->length, part, length);
    d->length += length;
    return 0;
}

char *hc_json_dump(const json_t *json, size_t flags) {
    Dump d = {0};
    const bool good = json && json_dump_callback(json, dump_part, &d, flags) == 0 && !d.failed &&
                      dump_part("", 1, &d) == 0;
    if (good)
        return d.text;
    free(d.text);
    return NULL;
}

json_t *hc_json_number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

size_t hc_utf8_length(const char *text, size_t left) {
    const unsigned char *c = (const unsigned char *)text;
    size_t n = c[0] < 0x80 ? 1 : c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
    if (n == 0 || n > left || c[0] > 0xf4)
        return 0;
    for (size_t k = 1; k < n; k++)
        if ((c[k] & 0xc0) != 0x80)
            return 0;
    bool bad = (c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
               (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f);
    return bad ? 0 : n;
}

bool hc_is_utf8(const char *text) {
    size_t left = strlen(text), length = 1;
    for (; left && length; text += length, left -= length)
        length = hc_utf8_length(text, left);
    return length != 0;
}

json_t *hc_json_text(const char *text) {
    size_t left = strlen(text);
    char *readable = malloc(3 * left + 1), *to = readable;
    if (!readable)
        return NULL;
    while (left) {
        size_t length = hc_utf8_length(text, left), taken = length ? length : 1;
        to = mempcpy(to, length ? text : "\xef\xbf\xbd", length ? length : 3);
        text += taken;
        left -= taken;
    }
    json_t *json = json_stringn_nocheck(readable, (size_t)(to - readable));
    free(readable);
    return json;
}

json_t *hc_json_path(const char *path) {
    if (hc_is_utf8(path))
        return json_string(path);
    size_t length = strlen(path);
    char *hex = malloc(2 * length + 1);
    if (!hex)
        return NULL;
    for (size_t k = 0; k < length; k++)
        snprintf(hex + 2 * k, 3, "%02x", (uint8_t)path[k]);
    json_t *json = json_object();
    hc_json_set(&json, "hex", json_string(hex));
    free(hex);
    return json;
}

static int hex_digit(char c) {
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool read_hex(const char *hex, size_t length, char *path) {
    for (size_t k = 0; k < length; k += 2) {
        int high = hex_digit(hex[k]), low = hex_digit(hex[k + 1]);
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return false;
        path[k / 2] = (char)(high << 4 | low);
    }
    path[length / 2] = 0;
    return true;
}

bool hc_json_read_path(const json_t *json, char **path) {
    const char *text = json_string_value(json), *hex = NULL;
    *path = NULL;
    if (!text)
        hex = json_string_value(json_object_get(json, "hex"));
    const size_t length = strlen(text ? text : hex ? hex : "");
    if (text ? length != json_string_length(json) : length == 0 || length % 2 != 0)
        return true;
    *path = text ? strdup(text) : malloc(length / 2 + 1);
    if (!*path)
        return false;
    if (hex && !read_hex(hex, length, *path)) {
        free(*path);
        *path = NULL;
    }
    return true;
}
