#include "runtime/names/pattern.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* --- what a pattern is -------------------------------------------------------------------------*/

/* Length of `{i}` at the pattern; 0: it is none. */
static size_t place_length(const char *pattern) {
    size_t n = 1;
    if (pattern[0] != '{' || !isalpha((unsigned char)pattern[1]))
        return 0;
    while (isalnum((unsigned char)pattern[n]) || pattern[n] == '_')
        n++;
    return pattern[n] == '}' && n - 1 <= HC_PLACE_LENGTH ? n + 1 : 0;
}

/* Length of `(text)?`; 0: it is none. */
static size_t optional_length(const char *pattern) {
    const size_t n = pattern[0] == '(' ? strcspn(pattern + 1, "(){}*") : 0;
    return n > 0 && strncmp(pattern + 1 + n, ")?", 2) == 0 ? n + 3 : 0;
}

static const char *find(const HcPlaces *places, const char *name, size_t length) {
    for (int k = 0; k < places->count; k++)
        if (strlen(places->names[k]) == length && memcmp(places->names[k], name, length) == 0)
            return places->values[k];
    return NULL;
}

bool hc_places_have(const HcPlaces *places, const char *name) {
    return find(places, name, strlen(name)) != NULL;
}

/* The place `{name}`, of the length with its braces. */
static bool add(HcPlaces *places, const char *place, size_t length, const char *value,
                size_t digits) {
    if (places->count == HC_PLACES)
        return false;
    const int k = places->count++;
    memcpy(places->names[k], place + 1, length - 2);
    places->names[k][length - 2] = '\0';
    memcpy(places->values[k], value, digits);
    places->values[k][digits] = '\0';
    return true;
}

const char *hc_pattern_wrong(const char *pattern, bool any) {
    HcPlaces places = {0};
    for (const char *at = pattern; *at;) {
        const size_t place = place_length(at), optional = optional_length(at);
        if (*at == '{' && !place)
            return "a place in a name is written `{i}`";
        if (*at == '(' && !optional)
            return "a piece of a name that may be missing is written `(text)?`";
        if (strchr("})?", *at) || (*at == '*' && !any))
            return *at == '*' ? "only `skip` and `omit` take `*`" : "this sign begins nothing";
        if (place && !find(&places, at + 1, place - 2) && !add(&places, at, place, "", 0))
            return "there are at most 4 places in a name";
        at += place ? place : optional ? optional : 1;
    }
    return *pattern ? NULL : "a name is missing";
}

HcPlaces hc_pattern_places(const char *pattern) {
    HcPlaces places = {0};
    for (const char *at = pattern; *at; at++) {
        const size_t place = place_length(at);
        if (place && !find(&places, at + 1, place - 2))
            add(&places, at, place, "", 0);
    }
    return places;
}

/* --- what it stands for ------------------------------------------------------------------------*/

/* Digits of a whole number as programs write it; 0: there is none. */
static size_t number_length(const char *name) {
    const size_t n = strspn(name, "0123456789");
    return n > HC_PLACE_LENGTH || (n > 1 && name[0] == '0') ? 0 : n;
}

static bool match(const char *pattern, const char *name, HcPlaces *places);

static bool match_place(const char *pattern, size_t length, const char *name, HcPlaces *places) {
    const size_t digits = number_length(name);
    const char *value = find(places, pattern + 1, length - 2);
    const bool fits =
        digits > 0 && (value ? strlen(value) == digits && memcmp(value, name, digits) == 0
                             : add(places, pattern, length, name, digits));
    return fits && match(pattern + length, name + digits, places);
}

/* With it, or without. */
static bool match_optional(const char *pattern, size_t length, const char *name, HcPlaces *places) {
    HcPlaces with = *places;
    const size_t text = length - 3;
    if (strncmp(pattern + 1, name, text) == 0 && match(pattern + length, name + text, &with)) {
        *places = with;
        return true;
    }
    return match(pattern + length, name, places);
}

static bool match_any(const char *pattern, const char *name, const HcPlaces *places) {
    for (;; name++) {
        HcPlaces tried = *places;
        if (match(pattern, name, &tried))
            return true;
        if (!*name)
            return false;
    }
}

static bool match(const char *pattern, const char *name, HcPlaces *places) {
    for (; *pattern; pattern++, name++) {
        const size_t place = place_length(pattern), optional = optional_length(pattern);
        if (place)
            return match_place(pattern, place, name, places);
        if (optional)
            return match_optional(pattern, optional, name, places);
        if (*pattern == '*')
            return match_any(pattern + 1, name, places);
        if (*pattern != *name)
            return false;
    }
    return !*name;
}

bool hc_pattern_matches(const char *pattern, const char *name, HcPlaces *places) {
    HcPlaces found = *places;
    if (!match(pattern, name, &found))
        return false;
    *places = found;
    return true;
}

char *hc_pattern_name(const char *pattern, const HcPlaces *places) {
    char *name = malloc(strlen(pattern) * (HC_PLACE_LENGTH + 1) + 1), *to = name;
    for (const char *at = pattern; name && *at;) {
        const size_t place = place_length(at), optional = optional_length(at);
        const char *from = place ? find(places, at + 1, place - 2) : optional ? at + 1 : at;
        const size_t n = place ? strlen(from) : optional ? optional - 3 : 1;
        memcpy(to, from, n);
        to += n;
        at += place ? place : optional ? optional : 1;
    }
    if (name)
        *to = '\0';
    return name;
}
