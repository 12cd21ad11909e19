/* JSON written piece by piece into an arena: what is large, a manifest's list of calls, never
 * stands in memory as a tree, and where memory runs out the arena says so, as for everything else.
 */
#ifndef HCC_BASE_JSON_TEXT_H
#define HCC_BASE_JSON_TEXT_H

#include "base/vec.h"
#include <stdbool.h>
#include <stdio.h>

typedef struct {
    Arena *arena;
    bool pretty;    /* a line a member, indented */
    uint32_t depth; /* objects and lists that are open */
    VEC(char) text; /* not NUL-terminated */
    bool not_utf8;  /* some text was not; its bytes that are no UTF-8 became U+FFFD */
} JsonText;

/* Begins an object ('{') or a list ('['). `key`, in objects: plain, without anything to escape; in
 * lists NULL. */
void json_text_open(JsonText *t, const char *key, char bracket);
void json_text_close(JsonText *t, char bracket);
void json_text_null(JsonText *t, const char *key);
void json_text_boolean(JsonText *t, const char *key, bool value);
void json_text_integer(JsonText *t, const char *key, uint64_t value);
void json_text_signed(JsonText *t, const char *key, int64_t value);
/* So that it is read as the same number; null where it is none. */
void json_text_real(JsonText *t, const char *key, double value);
void json_text_integers(JsonText *t, const char *key, const uint32_t *values, uint32_t count);
/* Any text; null for NULL. */
void json_text_string(JsonText *t, const char *key, const char *value);
void json_text_bytes(JsonText *t, const char *key, const char *value, size_t length);
/* `value` as plain as a key. */
void json_text_plain(JsonText *t, const char *key, const char *value);
/* All of it, NUL-terminated. */
const char *json_text_end(JsonText *t);
/* All of it and a newline. */
void json_text_print(JsonText *t, FILE *to);

#endif
