/* Values that JSON has no form for: numbers that are not finite, bytes that are not UTF-8. */
#ifndef HC_JSON_H
#define HC_JSON_H

#include <jansson.h>
#include <stdbool.h>

/* null where the number is not finite: a member is never left out for that. */
json_t *hc_json_number(double value);
bool hc_is_utf8(const char *text);
/* For people to read: what is not UTF-8 becomes U+FFFD. */
json_t *hc_json_text(const char *text);
/* To be opened again: a string, or {"hex": "2f6772fc6e"} where a name is not UTF-8. */
json_t *hc_json_path(const char *path);
/* The bytes of such a path; the caller frees them. NULL: it is none, or memory is out. */
char *hc_json_read_path(const json_t *json);

#endif
