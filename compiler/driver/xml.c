#include "driver/xml.h"
#include "base/utf8.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Characters of XML 1.0, without the controls that only it allows. */
static bool xml_allowed(uint32_t point) {
    return point == '\t' || point == '\n' || (point >= 0x20 && point < 0x7F) ||
           (point >= 0xA0 && point != 0xFFFE && point != 0xFFFF);
}

static const char *xml_escape(char c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void xml_bytes(FILE *to, const char *text, size_t length) {
    for (size_t k = 0; k < length;) {
        uint32_t point = 0;
        const size_t size = utf8_decode(text + k, length - k, &point);
        const char *escape = xml_escape(text[k]);
        if (size == 0 || !xml_allowed(point))
            fputs("\xEF\xBF\xBD", to);
        else if (escape)
            fputs(escape, to);
        else
            fwrite(text + k, 1, size, to);
        k += size ? size : 1;
    }
}

void xml_text(FILE *to, const char *text) {
    xml_bytes(to, text, strlen(text));
}
