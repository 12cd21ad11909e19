/* JSON written piece by piece: what is large, the list of calls, never stands in memory as a tree.
 * jansson prints what may need care: texts, reals, objects. It makes sure of every list and object
 * that it does not hold itself, which costs more than to print a short list; those are written
 * here. */
#ifndef HCC_PLAN_JSON_TEXT_H
#define HCC_PLAN_JSON_TEXT_H

#include "base/vec.h"
#include <jansson.h>
#include <stdbool.h>

typedef struct {
    Arena *arena;
    VEC(char) text; /* not NUL-terminated */
    bool failed;    /* no memory, not UTF-8, or too long */
} JsonText;

/* Begins an object ('{') or a list ('['). `key`, in objects: plain, without anything to escape; in
 * lists NULL. */
void json_text_open(JsonText *t, const char *key, char bracket);
void json_text_close(JsonText *t, char bracket);
/* Adds a value and takes it over. NULL, which jansson gives for text that is not UTF-8, fails. */
void json_text_add(JsonText *t, const char *key, json_t *value);
/* The same where it is not NULL. */
void json_text_add_if(JsonText *t, const char *key, json_t *value);
/* Adds the members of an object to the one that is open, and takes it over. */
void json_text_members(JsonText *t, json_t *object);
void json_text_boolean(JsonText *t, const char *key, bool value);
void json_text_integer(JsonText *t, const char *key, uint64_t value);
void json_text_integers(JsonText *t, const char *key, const uint32_t *values, uint32_t count);
/* `value` as plain as a key. */
void json_text_plain(JsonText *t, const char *key, const char *value);

#endif
