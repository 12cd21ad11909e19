#include "runtime/json.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *hc_json_number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

/* Bytes of the character that begins at `at`; 0: it is not UTF-8. */
static size_t utf8_length(const uint8_t *at) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80             ? 1
                    : (at[0] & 0xe0) == 0xc0 ? 2
                    : (at[0] & 0xf0) == 0xe0 ? 3
                    : (at[0] & 0xf8) == 0xf0 ? 4
                                             : 0;
    uint32_t point = length < 2 ? at[0] : at[0] & (0x7fu >> length);
    for (size_t k = 1; k < length; k++) {
        if ((at[k] & 0xc0) != 0x80)
            return 0; /* the NUL at the end, too */
        point = point << 6 | (at[k] & 0x3f);
    }
    bool good = length == 1 || (length > 1 && point >= least[length] && point <= 0x10ffff &&
                                (point < 0xd800 || point > 0xdfff));
    return good ? length : 0;
}

bool hc_is_utf8(const char *text) {
    size_t length = 1;
    for (const uint8_t *at = (const uint8_t *)text; *at && length; at += length)
        length = utf8_length(at);
    return length != 0;
}

json_t *hc_json_text(const char *text) {
    if (hc_is_utf8(text))
        return json_string(text);
    char *readable = malloc(3 * strlen(text) + 1), *to = readable;
    if (!readable)
        return NULL;
    for (const uint8_t *at = (const uint8_t *)text; *at;) {
        size_t length = utf8_length(at);
        to = mempcpy(to, length ? (const char *)at : "\xef\xbf\xbd", length ? length : 3);
        at += length ? length : 1;
    }
    *to = 0;
    json_t *json = json_string(readable);
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
    json_t *json = json_pack("{s:s}", "hex", hex);
    free(hex);
    return json;
}

static int hex_digit(char c) {
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

char *hc_json_read_path(const json_t *json) {
    if (json_is_string(json))
        return strlen(json_string_value(json)) == json_string_length(json)
                   ? strdup(json_string_value(json))
                   : NULL;
    const char *hex = json_string_value(json_object_get(json, "hex"));
    size_t length = hex ? strlen(hex) : 0;
    char *path = length && length % 2 == 0 ? malloc(length / 2 + 1) : NULL;
    if (!path)
        return NULL;
    for (size_t k = 0; k < length; k += 2) {
        int high = hex_digit(hex[k]), low = hex_digit(hex[k + 1]);
        if (high < 0 || low < 0 || (high == 0 && low == 0)) {
            free(path);
            return NULL;
        }
        path[k / 2] = (char)(high << 4 | low);
    }
    path[length / 2] = 0;
    return path;
}
