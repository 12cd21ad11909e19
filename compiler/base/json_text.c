#include "base/json_text.h"
#include "base/utf8.h"
#include <math.h>
#include <string.h>

static const uint32_t MOST = (1u << 31) - 1; /* characters; counts have 32 bits */

static void text_put(JsonText *t, const char *bytes, size_t length) {
    if (length > MOST - t->text.count)
        arena_exhausted(t->arena);
    vec_reserve(t->arena, &t->text, t->text.count + (uint32_t)length);
    memcpy(t->text.at + t->text.count, bytes, length);
    t->text.count += (uint32_t)length;
}

static void text_line(JsonText *t) {
    if (!t->pretty)
        return;
    text_put(t, "\n", 1);
    for (uint32_t k = 0; k < t->depth; k++)
        text_put(t, "  ", 2);
}

static bool text_is_empty(const JsonText *t) {
    const char last = t->text.count ? t->text.at[t->text.count - 1] : '[';
    return last == '{' || last == '[';
}

/* The comma before all but the first, and the key. */
static void text_begin(JsonText *t, const char *key) {
    if (!text_is_empty(t))
        text_put(t, ",", 1);
    if (t->depth)
        text_line(t);
    if (key) {
        text_put(t, "\"", 1);
        text_put(t, key, strlen(key));
        text_put(t, "\": ", t->pretty ? 3 : 2);
    }
}

void json_text_open(JsonText *t, const char *key, char bracket) {
    text_begin(t, key);
    text_put(t, &bracket, 1);
    t->depth++;
}

void json_text_close(JsonText *t, char bracket) {
    t->depth--;
    if (!text_is_empty(t))
        text_line(t);
    text_put(t, &bracket, 1);
}

void json_text_null(JsonText *t, const char *key) {
    text_begin(t, key);
    text_put(t, "null", 4);
}

void json_text_boolean(JsonText *t, const char *key, bool value) {
    text_begin(t, key);
    text_put(t, value ? "true" : "false", value ? 4 : 5);
}

/* Counts are most of a manifest; printf would be most of writing them. */
void json_text_integer(JsonText *t, const char *key, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    text_begin(t, key);
    text_put(t, digits + at, sizeof digits - at);
}

void json_text_signed(JsonText *t, const char *key, int64_t value) {
    char digits[24];
    text_begin(t, key);
    text_put(t, digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)value));
}

void json_text_real(JsonText *t, const char *key, double value) {
    char digits[40];
    if (!isfinite(value)) {
        json_text_null(t, key);
        return;
    }
    size_t length = (size_t)snprintf(digits, sizeof digits, "%.17g", value);
    for (char *at = digits; *at; at++)
        if (*at == ',') /* of the user's locale */
            *at = '.';
    if (!strpbrk(digits, ".e")) { /* else it would be read as a whole number */
        memcpy(digits + length, ".0", 3);
        length += 2;
    }
    text_begin(t, key);
    text_put(t, digits, length);
}

void json_text_integers(JsonText *t, const char *key, const uint32_t *values, uint32_t count) {
    json_text_open(t, key, '[');
    for (uint32_t k = 0; k < count; k++)
        json_text_integer(t, NULL, values[k]);
    json_text_close(t, ']');
}

/* --- text --------------------------------------------------------------------------------------*/

/* What must not stand in a string as it is. */
static void text_escape(JsonText *t, unsigned char c) {
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *found = c ? strchr(from, c) : NULL;
    char text[8];
    int length = found ? snprintf(text, sizeof text, "\\%c", to[found - from])
                       : snprintf(text, sizeof text, "\\u%04x", c);
    text_put(t, text, (size_t)length);
}

void json_text_bytes(JsonText *t, const char *key, const char *value, size_t length) {
    text_begin(t, key);
    text_put(t, "\"", 1);
    size_t kept = 0, at = 0;
    while (at < length) {
        uint32_t c;
        size_t n = utf8_decode(value + at, length - at, &c);
        if (n && c >= ' ' && c != '"' && c != '\\') {
            at += n;
            continue;
        }
        text_put(t, value + kept, at - kept);
        if (n)
            text_escape(t, (unsigned char)c);
        else
            text_put(t, "\xef\xbf\xbd", 3);
        t->not_utf8 |= n == 0;
        kept = ++at;
    }
    text_put(t, value + kept, length - kept);
    text_put(t, "\"", 1);
}

void json_text_string(JsonText *t, const char *key, const char *value) {
    if (value)
        json_text_bytes(t, key, value, strlen(value));
    else
        json_text_null(t, key);
}

void json_text_plain(JsonText *t, const char *key, const char *value) {
    text_begin(t, key);
    text_put(t, "\"", 1);
    text_put(t, value, strlen(value));
    text_put(t, "\"", 1);
}

const char *json_text_end(JsonText *t) {
    vec_push(t->arena, &t->text, '\0');
    t->text.count--;
    return t->text.at;
}

void json_text_print(JsonText *t, FILE *to) {
    text_put(t, "\n", 1);
    fwrite(t->text.at, 1, t->text.count, to);
}
