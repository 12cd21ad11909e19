/* Reading JSON. jansson holds the trees; texts are read here, because files come from elsewhere:
 * what a text may hold is bounded, and whether it was wrong or memory ran out is always known. */
#ifndef HC_JSON_READ_H
#define HC_JSON_READ_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { HC_JSON_READ, HC_JSON_WRONG, HC_JSON_TOO_MANY, HC_JSON_NO_MEMORY } HcJsonOutcome;

typedef struct {
    HcJsonOutcome outcome;
    int line;         /* WRONG: where, from 1 */
    const char *what; /* WRONG: static */
} HcJsonRead;

/* A value of at most `most` values, itself and all below it, in UTF-8, of at most 64 levels;
 * members of an object differ in name. NULL unless *read says HC_JSON_READ. */
json_t *hc_json_read(const char *text, size_t length, uint64_t most, HcJsonRead *read);

#endif
