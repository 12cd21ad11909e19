/* The interner is a map whose keys are the strings: the map's copy of a key is the one pointer. */
#include "base/intern.h"
#include "base/map.h"
#include <string.h>

struct Interner {
    Arena *arena;
    Map *strings; /* text to its one copy */
};

Interner *interner_create(Arena *arena) {
    Interner *interner = ARENA_NEW(arena, Interner);
    interner->arena = arena;
    interner->strings = map_create(arena);
    return interner;
}

const char *intern(Interner *interner, const char *text, size_t length) {
    void **slot = map_slot(interner->strings, text, length);
    if (!*slot) {
        uint32_t last = map_count(interner->strings) - 1;
        *slot = (void *)map_key_at(interner->strings, last, NULL); /* copied with its NUL */
    }
    return *slot;
}

const char *intern_str(Interner *interner, const char *text) {
    return intern(interner, text, strlen(text));
}
