/* Interned strings: equal text, equal pointer. */
#ifndef HCC_BASE_INTERN_H
#define HCC_BASE_INTERN_H

#include "base/arena.h"

typedef struct Interner Interner;
Interner *interner_create(Arena *arena);
const char *intern(Interner *interner, const char *text, size_t length);
const char *intern_str(Interner *interner, const char *text);

#endif
