#include "plan/json_text.h"
#include <string.h>

static const uint32_t MOST = 1u << 31; /* characters; counts have 32 bits */

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

void json_text_add(JsonText *t, const char *key, json_t *value) {
    text_begin(t, key);
    t->failed |= json_dump_callback(value, text_put, t,
                                    JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) != 0;
    json_decref(value);
}

void json_text_add_if(JsonText *t, const char *key, json_t *value) {
    if (value)
        json_text_add(t, key, value);
}
