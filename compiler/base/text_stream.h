/* Text printed into memory. Of open_memstream nothing tells that memory ran out on the way, and
 * where printing is left by an arena's handler it stays open: it would be flushed at exit, to
 * where nothing is any more. This one is an arena's, and exhausts it. */
#ifndef HCC_BASE_TEXT_STREAM_H
#define HCC_BASE_TEXT_STREAM_H

#include "base/arena.h"

#include <stdio.h>

typedef struct {
    FILE *to;   /* while it is open */
    char *text; /* once it is closed: all of it, not terminated */
    size_t length;
    size_t capacity;
    Arena *arena;
    ArenaOwned *owned;
} TextStream;

TextStream *text_stream_open(Arena *arena);
void text_stream_close(TextStream *stream);
void text_stream_free(TextStream *stream); /* or it ends with the arena */

#endif
