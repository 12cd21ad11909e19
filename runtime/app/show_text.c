#include "runtime/app/show_text.h"
#include "runtime/files/json.h"

#include <string.h>
#include <unistd.h>

HcShownText hc_show_text(FILE *to, bool raw) {
    return (HcShownText){.to = to, .safe = !raw && isatty(fileno(to))};
}

/* Bytes of the character that begins with this one; 1 for what begins none. */
static size_t promised(unsigned char first) {
    return first >= 0xf0 && first < 0xf8 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
}

static unsigned code_of(const char *at, size_t n) {
    const unsigned char *c = (const unsigned char *)at;
    if (n == 1)
        return c[0];
    unsigned code = c[0] & (0x7fu >> n);
    for (size_t k = 1; k < n; k++)
        code = code << 6 | (c[k] & 0x3f);
    return code;
}

/* What makes a terminal do something else than show it: controls, and what turns the direction. */
static bool steers(unsigned c) {
    return (c < ' ' && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0) ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* One character, or one byte that is none (n = 0). */
static void show(HcShownText *s, const char *at, size_t n) {
    const unsigned code = n ? code_of(at, n) : 0;
    if (!s->safe)
        fwrite(at, 1, n ? n : 1, s->to);
    else if (n == 0)
        fprintf(s->to, "\\x%02x", (unsigned)(unsigned char)*at);
    else if (!steers(code))
        fwrite(at, 1, n, s->to);
    else
        fprintf(s->to, code < 0x80 ? "\\x%02x" : "\\u%04x", code);
}

bool hc_show_more(HcShownText *s, const char *bytes, size_t count) {
    for (size_t k = 0; k < count; k++) {
        s->begun[s->n_begun++] = bytes[k];
        while (s->n_begun && s->n_begun >= promised((unsigned char)s->begun[0])) {
            const size_t n = hc_utf8_length(s->begun, s->n_begun), used = n ? n : 1;
            show(s, s->begun, n);
            memmove(s->begun, s->begun + used, s->n_begun -= used);
        }
    }
    return fflush(s->to) == 0 && !ferror(s->to);
}

bool hc_show_end(HcShownText *s) {
    for (size_t k = 0; k < s->n_begun; k++)
        show(s, s->begun + k, 0);
    s->n_begun = 0;
    return fflush(s->to) == 0 && !ferror(s->to);
}
