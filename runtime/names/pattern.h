/* Names of tensors that hold numbers: `h.{i}.attn` stands for h.0.attn, h.1.attn and so on, and
 * `(transformer.)?wte` for the name with and without what stands in front. In patterns of names
 * that are only passed over, `*` is any run of characters. */
#ifndef HC_PATTERN_H
#define HC_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

enum { HC_PLACES = 4, HC_PLACE_LENGTH = 15 };

/* What the numbers are, as they are written. */
typedef struct {
    int count;
    char names[HC_PLACES][HC_PLACE_LENGTH + 1], values[HC_PLACES][HC_PLACE_LENGTH + 1];
} HcPlaces;

/* What is wrong with a pattern; NULL: nothing. any: whether it may hold `*`. */
const char *hc_pattern_wrong(const char *pattern, bool any);
/* The places of a pattern, without values. */
HcPlaces hc_pattern_places(const char *pattern);
bool hc_places_have(const HcPlaces *places, const char *name);

/* Whether `name` is one that the pattern stands for; places that have values keep them, and others
 * get theirs. After a failure *places is as it was. */
bool hc_pattern_matches(const char *pattern, const char *name, HcPlaces *places);
/* The longest name it stands for, to be freed. Every place has its value. NULL: out of memory. */
char *hc_pattern_name(const char *pattern, const HcPlaces *places);

#endif
