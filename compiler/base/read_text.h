/* A whole text read from a stream that may be longer than is wanted. */
#ifndef HCC_BASE_READ_TEXT_H
#define HCC_BASE_READ_TEXT_H

#include "base/arena.h"

#include <stdio.h>

typedef enum { READ_WHOLE, READ_FAILED /* see errno */, READ_TOO_LONG } ReadResult;

enum { READ_SOURCE_MOST = 16 * 1024 * 1024 }; /* bytes of a `.hc` file */

/* The text lies in the arena, not terminated. */
ReadResult read_text(Arena *arena, FILE *from, size_t most, const char **text, size_t *length);

#endif
