#include "runtime/files/table.h"
#include "runtime/files/error.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool grow(HcTable *t) {
    if (t->n_cells < t->capacity)
        return true;
    const uint32_t capacity = t->capacity ? 2 * t->capacity : 64;
    char **cells = realloc(t->cells, capacity * sizeof *cells);
    if (!cells)
        return false;
    t->cells = cells;
    t->capacity = capacity;
    return true;
}

static char *format_text(const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = length >= 0 ? malloc((size_t)length + 1) : NULL;
    if (text)
        vsnprintf(text, (size_t)length + 1, format, arguments);
    return text;
}

void hc_table_add(HcTable *t, const char *format, ...) {
    if (t->failed)
        return;
    va_list arguments;
    va_start(arguments, format);
    char *text = grow(t) ? format_text(format, arguments) : NULL;
    va_end(arguments);
    t->failed = !text;
    if (text)
        t->cells[t->n_cells++] = text;
}

/* Characters, of UTF-8: bytes without those that go on with one. */
static int columns_of(const char *text) {
    int columns = 0;
    for (; *text; text++)
        columns += ((unsigned char)*text & 0xC0) != 0x80;
    return columns;
}

static int column_width(const HcTable *t, uint32_t column) {
    int widest = 0;
    for (uint32_t k = column; k < t->n_cells; k += t->n_columns) {
        const int width = columns_of(t->cells[k]);
        widest = width > widest ? width : widest;
    }
    return widest;
}

/* Blanks before what is aligned right, and behind what is not, but at the end of a line. */
static void print_row(const HcTable *t, uint32_t row, const int *widths, const char *alignment,
                      FILE *to) {
    int owed = 0;
    for (uint32_t k = 0; k < t->n_columns; k++) {
        const char *text = t->cells[row * t->n_columns + k];
        const int blank = widths[k] - columns_of(text);
        const bool right = alignment[k] == 'r';
        owed += right ? blank : 0;
        if (*text)
            fprintf(to, "%*s%s", owed, "", text);
        owed = *text ? 2 : owed + 2;
        owed += right ? 0 : blank;
    }
    fputc('\n', to);
}

bool hc_table_print(HcTable *t, const char *alignment, FILE *to) {
    int *widths = t->failed ? NULL : calloc(t->n_columns + 1, sizeof *widths);
    if (!widths)
        return false;
    for (uint32_t k = 0; k < t->n_cells; k++)
        hc_make_printable(t->cells[k]);
    for (uint32_t k = 0; k < t->n_columns; k++)
        widths[k] = column_width(t, k);
    for (uint32_t row = 0; row < t->n_cells / t->n_columns; row++)
        print_row(t, row, widths, alignment, to);
    free(widths);
    return true;
}

void hc_csv_field(FILE *to, const char *text, bool last) {
    const bool quoted = text[strcspn(text, ",\"\r\n")] != '\0';
    if (quoted)
        fputc('"', to);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', to);
        fputc(*text, to);
    }
    if (quoted)
        fputc('"', to);
    fputs(last ? "\r\n" : ",", to);
}

bool hc_table_print_csv(const HcTable *t, FILE *to) {
    for (uint32_t k = 0; !t->failed && k < t->n_cells; k++)
        hc_csv_field(to, t->cells[k], (k + 1) % t->n_columns == 0);
    return !t->failed;
}

void hc_table_free(HcTable *t) {
    for (uint32_t k = 0; k < t->n_cells; k++)
        free(t->cells[k]);
    free(t->cells);
    *t = (HcTable){0};
}
