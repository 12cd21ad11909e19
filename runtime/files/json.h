/* JSON as the runtime makes it, of jansson's trees; and values that JSON has no form for: numbers
 * that are not finite, bytes that are not UTF-8. */
#ifndef HC_JSON_H
#define HC_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A tree is made without looking back: the first piece that there is no memory for takes the whole
 * tree with it, and what is added to NULL is dropped, so it is enough to look at the end. These
 * take `value` and `from` over; NULL is a value that could not be made. */
void hc_json_set(json_t **object, const char *key, json_t *value);
void hc_json_set_filled(json_t **object, const char *key, json_t *value); /* unless it is empty */
void hc_json_append(json_t **list, json_t *value);
void hc_json_update(json_t **object, json_t *from); /* sets all members of `from` */

/* Its text, with jansson's flags, to be freed; NULL: memory is out, as it is where `json` is NULL.
 * (json_dumps forgets that there was no memory for a key, and goes on behind it.) */
char *hc_json_dump(const json_t *json, size_t flags);

/* null where the number is not finite: a member is never left out for that. */
json_t *hc_json_number(double value);
/* Bytes of the character at `text`, of which `left` >= 1 are there; 0: it is not UTF-8. */
size_t hc_utf8_length(const char *text, size_t left);
bool hc_is_utf8(const char *text);
/* For people to read: what is not UTF-8 becomes U+FFFD. */
json_t *hc_json_text(const char *text);
/* To be opened again: a string, or {"hex": "2f6772fc6e"} where a name is not UTF-8. */
json_t *hc_json_path(const char *path);
/* The bytes of such a path, which the caller frees; *path is NULL where it is none. false: memory
 * is out. */
bool hc_json_read_path(const json_t *json, char **path);

#endif
