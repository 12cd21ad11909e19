#include "base/text_stream.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* 0 for what cannot be kept: the FILE remembers, and who closes it is told. */
static ssize_t text_stream_write(void *cookie, const char *bytes, size_t count) {
    TextStream *stream = cookie;
    if (count > stream->capacity - stream->length) {
        size_t capacity = 2 * stream->capacity + count;
        char *grown = realloc(stream->text, capacity);
        if (!grown)
            return 0;
        stream->text = grown;
        stream->capacity = capacity;
    }
    memcpy(stream->text + stream->length, bytes, count);
    stream->length += count;
    return (ssize_t)count;
}

static void text_stream_release(void *object) {
    TextStream *stream = object;
    if (stream->to)
        fclose(stream->to);
    free(stream->text);
}

TextStream *text_stream_open(Arena *arena) {
    TextStream *stream = ARENA_NEW(arena, TextStream);
    stream->arena = arena;
    stream->owned = arena_own(arena, text_stream_release);
    stream->to = fopencookie(stream, "w", (cookie_io_functions_t){.write = text_stream_write});
    if (!stream->to)
        arena_exhausted(arena);
    stream->owned->object = stream;
    return stream;
}

void text_stream_close(TextStream *stream) {
    bool whole = fflush(stream->to) == 0 && !ferror(stream->to);
    whole = fclose(stream->to) == 0 && whole;
    stream->to = NULL;
    if (!whole)
        arena_exhausted(stream->arena);
}

void text_stream_free(TextStream *stream) {
    text_stream_release(stream);
    stream->owned->object = NULL;
}
