#include "base/read_text.h"

#include <stdbool.h>

enum { READ_STEP = 64 * 1024 };

ReadResult read_text(Arena *arena, FILE *from, size_t most, const char **text, size_t *length) {
    char *bytes = NULL;
    size_t read = 0, capacity = 0;
    while (read <= most) {
        if (read == capacity) {
            const size_t more = capacity ? capacity : READ_STEP;
            bytes = arena_grow(arena, bytes, capacity, capacity + more);
            capacity += more;
        }
        const size_t got = fread(bytes + read, 1, capacity - read, from);
        read += got;
        if (got == 0)
            break;
    }
    *text = bytes;
    *length = read;
    if (ferror(from))
        return READ_FAILED;
    return read > most ? READ_TOO_LONG : READ_WHOLE;
}
