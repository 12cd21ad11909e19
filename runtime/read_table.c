/* Tables of numbers as text: fields separated by commas, semicolons, tabs or blanks, one row a
 * line. Numbers are read alike in every locale. Lines that are empty or begin with # are passed
 * over. */
#include "runtime/samples.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NUMBER = 400 };

typedef struct {
    HcSamples *samples;
    const char *path;
    HcError *error;
    locale_t c_locale;
    const char *at, *end; /* of the text */
    int64_t line;         /* the one last taken, from 1 */
    char separator;       /* ' ': runs of blanks */
    double *row;
    int64_t rows; /* before this file */
} Table;

typedef struct {
    const char *at, *end;
} Field;

/* --- numbers ---------------------------------------------------------------------------------- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* -12.5e3, +.5, 7.; nothing else, and finite. */
static bool read_number(const Table *t, Field f, double *number) {
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *at = f.at;
    uint64_t digits = 0;
    int n = 0, fraction = 0, exponent = 0;
    const bool negative = at < f.end && *at == '-';
    if (at < f.end && (*at == '-' || *at == '+'))
        at++;
    const char *first = at;
    for (; at < f.end && is_digit(*at); at++, n++)
        digits = n < 19 ? digits * 10 + (uint64_t)(*at - '0') : digits;
    bool any = at > first;
    if (at < f.end && *at == '.') {
        const char *point = ++at;
        for (; at < f.end && is_digit(*at); at++, n++, fraction++)
            digits = n < 19 ? digits * 10 + (uint64_t)(*at - '0') : digits;
        any = any || at > point;
    }
    if (any && at < f.end && (*at == 'e' || *at == 'E')) {
        const char *e = at + 1;
        const bool below = e < f.end && *e == '-';
        if (e < f.end && (*e == '-' || *e == '+'))
            e++;
        if (e == f.end)
            return false;
        for (; e < f.end && is_digit(*e); e++)
            exponent = exponent < 100000 ? exponent * 10 + (*e - '0') : exponent;
        exponent = below ? -exponent : exponent;
        at = e;
    }
    if (!any || at != f.end)
        return false;
    const int scale = exponent - fraction;
    if (n <= 15 && scale >= -22 && scale <= 22) { /* both are exact: one rounding */
        *number = scale < 0 ? (double)digits / tens[-scale] : (double)digits * tens[scale];
        *number = negative ? -*number : *number;
        return true;
    }
    char text[MAX_NUMBER + 1];
    if (f.end - f.at > MAX_NUMBER)
        return false;
    memcpy(text, f.at, (size_t)(f.end - f.at));
    text[f.end - f.at] = '\0';
    *number = strtod_l(text, NULL, t->c_locale);
    return isfinite(*number);
}

/* --- lines and fields ------------------------------------------------------------------------- */

/* The next line that says something; false at the end. */
static bool next_line(Table *t, Field *line) {
    while (t->at < t->end) {
        const char *newline = memchr(t->at, '\n', (size_t)(t->end - t->at));
        *line = (Field){t->at, newline ? newline : t->end};
        t->at = newline ? newline + 1 : t->end;
        t->line++;
        while (line->end > line->at && (line->end[-1] == '\r' || line->end[-1] == ' '))
            line->end--;
        while (line->at < line->end && *line->at == ' ')
            line->at++;
        if (line->at < line->end && *line->at != '#')
            return true;
    }
    return false;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* Takes the first field off the line; false when none is left. A separator at the end of the line
 * is followed by an empty field. */
static bool next_field(const Table *t, Field *line, Field *field) {
    if (!line->at)
        return false;
    const char *at = line->at, *end = line->end;
    while (at < end && *at == ' ')
        at++;
    if (at < end && *at == '"') { /* quoted: to the next quote */
        const char *quote = memchr(at + 1, '"', (size_t)(end - at - 1));
        *field = (Field){at + 1, quote ? quote : end};
        at = quote ? quote + 1 : end;
    } else {
        *field = (Field){at, at};
        while (at < end && (t->separator == ' ' ? !is_blank(*at) : *at != t->separator))
            at++;
        field->end = at;
        while (field->end > field->at && field->end[-1] == ' ')
            field->end--;
    }
    while (at < end && (t->separator == ' ' ? is_blank(*at) : *at == ' '))
        at++;
    if (t->separator == ' ')
        line->at = at < end ? at : NULL;
    else
        line->at = at < end ? at + 1 : NULL; /* past the separator (or what follows a quote) */
    return true;
}

static char guess_separator(Field line) {
    static const char candidates[] = "\t,;";
    for (const char *c = candidates; *c; c++)
        if (memchr(line.at, *c, (size_t)(line.end - line.at)))
            return *c;
    return ' ';
}

static int64_t count_fields(const Table *t, Field line) {
    Field field;
    int64_t n = 0;
    while (next_field(t, &line, &field))
        n++;
    return n;
}

static bool all_numbers(const Table *t, Field line) {
    Field field;
    double number;
    while (next_field(t, &line, &field))
        if (!read_number(t, field, &number))
            return false;
    return true;
}

/* --- rows ------------------------------------------------------------------------------------- */

static HcStatus take_header(Table *t, Field line) {
    HcSamples *s = t->samples;
    Field field;
    if (s->columns) /* of the first file; later ones repeat it */
        return HC_OK;
    s->columns = calloc((size_t)s->n_columns + 1, sizeof *s->columns);
    if (!s->columns)
        return hc_fail_memory(t->error, "the names of columns");
    for (int64_t k = 0; next_field(t, &line, &field); k++) {
        s->columns[k] = strndup(field.at, (size_t)(field.end - field.at));
        if (!s->columns[k])
            return hc_fail_memory(t->error, "the names of columns");
    }
    return HC_OK;
}

static HcStatus not_a_number(const Table *t, Field field, int64_t column) {
    const char *const *names = (const char *const *)t->samples->columns;
    char where[96] = "";
    if (names)
        snprintf(where, sizeof where, " (`%.80s`)", names[column]);
    if (field.at == field.end)
        return hc_fail(t->error, HC_ERROR_DATA, "`%s`, line %lld, column %lld%s is empty", t->path,
                       (long long)t->line, (long long)column + 1, where);
    const int length = field.end - field.at > 40 ? 40 : (int)(field.end - field.at);
    return hc_fail(t->error, HC_ERROR_DATA,
                   "`%s`, line %lld, column %lld%s: `%.*s` is not a number", t->path,
                   (long long)t->line, (long long)column + 1, where, length, field.at);
}

static HcStatus take_row(Table *t, HcStream *columns, Field line) {
    HcSamples *s = t->samples;
    Field field;
    int64_t k = 0;
    for (Field rest = line; next_field(t, &rest, &field); k++)
        if (k < s->n_columns && !read_number(t, field, &t->row[k]))
            return not_a_number(t, field, k);
    if (k != s->n_columns)
        return hc_fail(t->error, HC_ERROR_DATA,
                       "`%s`, line %lld has %lld %s, but those before it have %lld", t->path,
                       (long long)t->line, (long long)k, k == 1 ? "column" : "columns",
                       (long long)s->n_columns);
    if ((size_t)columns->samples == s->line_capacity) {
        const size_t capacity = s->line_capacity ? 2 * s->line_capacity : 1024;
        int64_t *grown = realloc(s->lines, capacity * sizeof *grown);
        if (!grown)
            return hc_fail_memory(t->error, "the training data");
        s->lines = grown;
        s->line_capacity = capacity;
    }
    s->lines[columns->samples++] = t->line;
    return hc_block_append(&s->blocks[columns->block], t->row,
                           (size_t)s->n_columns * sizeof *t->row, t->error);
}

static HcStatus first_line(Table *t, Field line, bool *header) {
    const HcPlan *plan = t->samples->plan;
    t->separator = plan->table_separator ? plan->table_separator : guess_separator(line);
    *header = plan->table_header >= 0 ? plan->table_header == 1 : !all_numbers(t, line);
    const int64_t n = count_fields(t, line);
    if (!t->samples->n_columns)
        t->samples->n_columns = n;
    t->row = calloc((size_t)t->samples->n_columns, sizeof *t->row);
    if (!t->row)
        return hc_fail_memory(t->error, "a row of the table");
    if (*header && n != t->samples->n_columns)
        return hc_fail(t->error, HC_ERROR_DATA,
                       "`%s` has %lld columns, but the files before it have %lld", t->path,
                       (long long)n, (long long)t->samples->n_columns);
    return *header ? take_header(t, line) : HC_OK;
}

static HcStatus read_rows(Table *t, HcStream *columns) {
    Field line;
    bool first = true, header = false;
    HcStatus status = HC_OK;
    for (int64_t k = 0; k < t->samples->plan->table_skip && t->at < t->end; k++) {
        const char *newline = memchr(t->at, '\n', (size_t)(t->end - t->at));
        t->at = newline ? newline + 1 : t->end;
        t->line++;
    }
    while (status == HC_OK && next_line(t, &line)) {
        if (first)
            status = first_line(t, line, &header);
        if (status == HC_OK && !(first && header))
            status = take_row(t, columns, line);
        first = false;
    }
    if (status == HC_OK && columns->samples == t->rows)
        status = hc_fail(t->error, HC_ERROR_DATA, "`%s` has no row of numbers", t->path);
    return status;
}

HcStatus hc_read_table(HcSamples *samples, HcSampleFile *file, HcError *error) {
    uint8_t *bytes;
    size_t size = 0;
    HcStatus status = hc_samples_read(samples, file, &bytes, &size, error);
    if (status != HC_OK)
        return status;
    HcStream *columns = hc_stream(samples, "columns");
    const size_t mark = size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    Table t = {.samples = samples,
               .path = file->path,
               .error = error,
               .c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0),
               .at = (const char *)bytes + mark,
               .end = (const char *)bytes + size,
               .rows = columns->samples};
    if (!t.c_locale)
        status = hc_fail_memory(error, "the training data");
    if (status == HC_OK) {
        columns->element = HC_F64;
        status = read_rows(&t, columns);
        freelocale(t.c_locale);
    }
    if (status == HC_OK) {
        columns->rank = 1;
        columns->dims[0] = columns->elements = samples->n_columns;
        columns->stride = (size_t)samples->n_columns * sizeof(double);
        file->first = t.rows;
        file->count = columns->samples - t.rows;
    }
    free(t.row);
    free(bytes);
    return status;
}
