#include "base/display.h"
#include <string.h>

/* Length of the UTF-8 sequence at `text`, 0 when it is malformed (overlong, surrogate, beyond
 * U+10FFFF, cut short). */
static size_t display_utf8(const unsigned char *text, size_t length, uint32_t *code_point) {
    unsigned char lead = text[0];
    size_t size = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (size == 0 || lead > 0xF4 || size > length)
        return 0;
    uint32_t value = size == 1 ? lead : lead & (0xFFu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (text[i] & 0x3Fu);
    }
    bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
    if (overlong || (value >= 0xD800 && value <= 0xDFFF) || value > 0x10FFFF)
        return 0;
    *code_point = value;
    return size;
}

size_t display_character(const char *text, size_t length, bool *shown) {
    uint32_t c = 0;
    size_t size = display_utf8((const unsigned char *)text, length, &c);
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
