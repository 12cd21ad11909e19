#include "driver/wrap.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    NARROWEST = 20
}; /* columns of prose beside an indent: fewer read worse than a broken line */

/* What the environment asks for; 0: nothing. */
static uint32_t wrap_asked(const char *variable) {
    const char *text = getenv(variable);
    long asked = text ? strtol(text, NULL, 10) : 0;
    return asked > 0 && asked < INT32_MAX ? (uint32_t)asked : 0;
}

/* Both are 0 where `to` is no terminal. */
static struct winsize wrap_terminal(FILE *to) {
    struct winsize size;
    return isatty(fileno(to)) && ioctl(fileno(to), TIOCGWINSZ, &size) == 0 ? size
                                                                           : (struct winsize){0};
}

uint32_t wrap_width(FILE *to) {
    const uint32_t asked = wrap_asked("COLUMNS"), columns = wrap_terminal(to).ws_col;
    return asked ? asked : columns ? columns : UINT32_MAX;
}

uint32_t wrap_height(FILE *to) {
    const uint32_t asked = wrap_asked("LINES"), lines = wrap_terminal(to).ws_row;
    return asked ? asked : lines ? lines : UINT32_MAX;
}

/* Characters of a word: UTF-8 without its continuation bytes. */
static uint32_t wrap_columns(const char *word, size_t length) {
    uint32_t columns = 0;
    for (size_t k = 0; k < length; k++)
        columns += ((unsigned char)word[k] & 0xC0) != 0x80;
    return columns;
}

void wrap_print(FILE *to, const char *text, size_t length, uint32_t indent, uint32_t width) {
    const char *end = text + length;
    uint32_t most = width > indent + NARROWEST ? width : indent + NARROWEST, column = indent;
    while (text < end) {
        size_t word = 0;
        while (text + word < end && text[word] != ' ' && text[word] != '\n')
            word++;
        uint32_t columns = wrap_columns(text, word);
        if (column > indent && columns >= most - column) {
            fprintf(to, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', to);
            column++;
        }
        fwrite(text, 1, word, to);
        column += columns;
        text += word;
        while (text < end && (*text == ' ' || *text == '\n'))
            text++;
    }
    fputc('\n', to);
}
