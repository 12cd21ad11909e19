/* JSON written piece by piece. jansson makes and prints each piece; what is large, the list of
 * calls, never stands in memory as a tree. */
#ifndef HCC_PLAN_JSON_TEXT_H
#define HCC_PLAN_JSON_TEXT_H

#include "base/vec.h"
#include <jansson.h>
#include <stdbool.h>

typedef struct {
    Arena *arena;
    VEC(char) text; /* not NUL-terminated */
    bool failed;    /* jansson had no memory, or the text is too long */
} JsonText;

/* Begins an object ('{') or a list ('['). `key`, in objects: plain, without anything to escape; in
 * lists NULL. */
void json_text_open(JsonText *t, const char *key, char bracket);
void json_text_close(JsonText *t, char bracket);
/* Adds a value and takes it over. */
void json_text_add(JsonText *t, const char *key, json_t *value);
/* The same where it is not NULL. */
void json_text_add_if(JsonText *t, const char *key, json_t *value);

#endif
