#include "base/display.h"
#include "base/utf8.h"
#include <string.h>

size_t display_character(const char *text, size_t length, bool *shown) {
    uint32_t c = 0;
    size_t size = utf8_decode(text, length, &c);
    bool control = c < 0x20 || (c >= 0x7F && c < 0xA0);
    bool reorders = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
    *shown = size != 0 && !control && !reorders;
    return size ? size : 1;
}

const char *display_replacement(const char *text) {
    return *text == '\t' ? "    " : "\xEF\xBF\xBD";
}

char *display_copy(Arena *arena, const char *text, size_t length, size_t longest, bool keep_lines) {
    size_t room = (length < longest ? length : longest) * 4 + 8, used = 0;
    char *copy = arena_alloc(arena, room);
    for (size_t i = 0; i < length;) {
        if (used >= longest) {
            memcpy(copy + used, "…", sizeof "…");
            break;
        }
        bool shown;
        size_t size = display_character(text + i, length - i, &shown);
        if (!shown && keep_lines && text[i] == '\n')
            shown = true;
        const char *piece = shown ? text + i : display_replacement(text + i);
        size_t piece_size = shown ? size : strlen(piece);
        memcpy(copy + used, piece, piece_size);
        used += piece_size;
        i += size;
    }
    return copy;
}
