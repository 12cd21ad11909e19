#include "plan/json_text.h"
#include <string.h>

static const uint32_t MOST = (1u << 31) - 1; /* characters; counts have 32 bits */

/* As json_dump_callback wants it: -1 where that is too much. */
static int text_put(const char *bytes, size_t length, void *context) {
    JsonText *t = context;
    if (length > MOST - t->text.count)
        return -1;
    vec_reserve(t->arena, &t->text, t->text.count + (uint32_t)length);
    memcpy(t->text.at + t->text.count, bytes, length);
    t->text.count += (uint32_t)length;
    return 0;
}

/* The comma before all but the first, and the key. */
static void text_begin(JsonText *t, const char *key) {
    const char last = t->text.count ? t->text.at[t->text.count - 1] : '[';
    if (last != '{' && last != '[')
        t->failed |= text_put(",", 1, t) != 0;
    if (key)
        t->failed |= text_put("\"", 1, t) || text_put(key, strlen(key), t) || text_put("\":", 2, t);
}

void json_text_open(JsonText *t, const char *key, char bracket) {
    text_begin(t, key);
    t->failed |= text_put(&bracket, 1, t) != 0;
}

void json_text_close(JsonText *t, char bracket) {
    t->failed |= text_put(&bracket, 1, t) != 0;
}

static void text_dump(JsonText *t, json_t *value, size_t more) {
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17);
    t->failed |= json_dump_callback(value, text_put, t, flags | more) != 0;
    json_decref(value);
}

void json_text_add(JsonText *t, const char *key, json_t *value) {
    text_begin(t, key);
    text_dump(t, value, 0);
}

void json_text_members(JsonText *t, json_t *object) {
    if (json_object_size(object) > 0)
        text_begin(t, NULL);
    text_dump(t, object, JSON_EMBED);
}

void json_text_boolean(JsonText *t, const char *key, bool value) {
    text_begin(t, key);
    t->failed |= text_put(value ? "true" : "false", value ? 4 : 5, t) != 0;
}

void json_text_integer(JsonText *t, const char *key, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    text_begin(t, key);
    t->failed |= text_put(digits + at, sizeof digits - at, t) != 0;
}

void json_text_integers(JsonText *t, const char *key, const uint32_t *values, uint32_t count) {
    json_text_open(t, key, '[');
    for (uint32_t k = 0; k < count; k++)
        json_text_integer(t, NULL, values[k]);
    json_text_close(t, ']');
}

void json_text_plain(JsonText *t, const char *key, const char *value) {
    text_begin(t, key);
    t->failed |= text_put("\"", 1, t) || text_put(value, strlen(value), t) || text_put("\"", 1, t);
}

void json_text_add_if(JsonText *t, const char *key, json_t *value) {
    if (value)
        json_text_add(t, key, value);
}
