#include "runtime/tokens/letters.h"

static bool stands_for_itself(unsigned c) {
    return (c >= '!' && c <= '~') || (c >= 0xa1 && c <= 0xac) || (c >= 0xae && c <= 0xff);
}

/* What stands behind U+0100: the bytes that cannot be seen, in order. */
static int hidden_byte(unsigned k) {
    if (k <= ' ')
        return (int)k;
    if (k <= ' ' + (0xa0 - 0x7e))
        return (int)(0x7f + k - ' ' - 1);
    return k == ' ' + (0xa0 - 0x7e) + 1 ? 0xad : -1;
}

static unsigned hidden_place(unsigned c) {
    return c <= ' ' ? c : c == 0xad ? ' ' + (0xa0 - 0x7e) + 1 : c - 0x7f + ' ' + 1;
}

bool hc_letters_read(const char *text, size_t length, uint8_t *bytes, size_t *count) {
    *count = 0;
    for (size_t k = 0; k < length;) {
        unsigned c = (uint8_t)text[k++];
        if (c >= 0x80) {
            if ((c & 0xe0) != 0xc0 || k == length) /* letters are below U+0800 */
                return false;
            c = (c & 0x1f) << 6 | ((uint8_t)text[k++] & 0x3f);
        }
        const int byte = c < 0x100 ? stands_for_itself(c) ? (int)c : -1 : hidden_byte(c - 0x100);
        if (byte < 0)
            return false;
        bytes[(*count)++] = (uint8_t)byte;
    }
    return true;
}

size_t hc_letter(uint8_t byte, char text[HC_LETTER]) {
    const unsigned c = stands_for_itself(byte) ? byte : 0x100 + hidden_place(byte);
    if (c < 0x80) {
        text[0] = (char)c;
        return 1;
    }
    text[0] = (char)(0xc0 | c >> 6);
    text[1] = (char)(0x80 | (c & 0x3f));
    return 2;
}
