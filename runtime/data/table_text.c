#include "runtime/data/table_text.h"
#include "runtime/files/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NUMBER = 400 };

/* --- lines -------------------------------------------------------------------------------------*/

HcStatus hc_table_begin(HcTableText *t, const char *path, const void *text, size_t size,
                        HcError *error) {
    const size_t mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    *t = (HcTableText){.path = path,
                       .error = error,
                       .at = (const char *)text + mark,
                       .end = (const char *)text + size,
                       .next_line = 1};
    t->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return t->c_locale ? HC_OK : hc_fail_memory(error, "the training data");
}

void hc_table_end(HcTableText *t) {
    if (t->c_locale)
        freelocale(t->c_locale);
    free(t->fields);
}

static bool is_line_end(char c) {
    return c == '\n' || c == '\r';
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* Past a line end. */
static const char *next_line(const char *at, const char *end) {
    return at + (*at == '\r' && at + 1 < end && at[1] == '\n' ? 2 : 1);
}

static void take_line_end(HcTableText *t) {
    if (t->at == t->end)
        return;
    t->at = next_line(t->at, t->end);
    t->next_line++;
}

void hc_table_skip_line(HcTableText *t) {
    while (t->at < t->end && !is_line_end(*t->at))
        t->at++;
    take_line_end(t);
}

/* To the first character of a line that says something. */
static void skip_empty(HcTableText *t) {
    for (;;) {
        const char *at = t->at;
        while (at < t->end && (*at == ' ' || (t->separator == ' ' && *at == '\t')))
            at++;
        if (at < t->end && *at != '#' && !is_line_end(*at)) {
            t->at = at;
            return;
        }
        if (t->at == t->end)
            return;
        hc_table_skip_line(t);
    }
}

char hc_table_guess_separator(HcTableText *t) {
    static const char candidates[] = "\t;,";
    bool quoted = false, found[sizeof candidates] = {false};
    skip_empty(t);
    for (const char *at = t->at; at < t->end && (quoted || !is_line_end(*at)); at++) {
        const char *c = strchr(candidates, *at);
        if (*at == '"')
            quoted = !quoted;
        else if (c && !quoted)
            found[c - candidates] = *at != '\0';
    }
    for (size_t k = 0; candidates[k]; k++)
        if (found[k])
            return candidates[k];
    return ' ';
}

/* --- fields ------------------------------------------------------------------------------------*/

static HcStatus bad_quote(const HcTableText *t, const char *what, const char *at) {
    const char *end = at;
    while (end < t->end && end - at < 20 && !is_line_end(*end) && *end != t->separator)
        end++;
    return hc_fail(t->error, HC_ERROR_DATA, "`%s`, line %lld, column %lld: %s, at `%.*s`", t->path,
                   (long long)t->next_line, (long long)t->n_fields + 1, what, (int)(end - at), at);
}

/* From the opening quote to past the closing one. */
static HcStatus quoted_field(HcTableText *t, HcField *field) {
    const char *open = t->at, *at = open + 1;
    int64_t lines = 0;
    for (;; at++) {
        if (at == t->end)
            return bad_quote(t, "a quote is opened and not closed", open);
        if (*at == '"' && (at + 1 == t->end || at[1] != '"'))
            break;
        if (*at == '"')
            at++;
        lines += *at == '\n' || (*at == '\r' && (at + 1 == t->end || at[1] != '\n'));
    }
    *field = (HcField){open + 1, at, true};
    t->at = at + 1;
    t->next_line += lines;
    return HC_OK;
}

static HcStatus plain_field(HcTableText *t, HcField *field) {
    const char *at = t->at;
    while (at < t->end && !is_line_end(*at) && *at != '"' &&
           (t->separator == ' ' ? !is_blank(*at) : *at != t->separator))
        at++;
    if (at < t->end && *at == '"')
        return bad_quote(t, "a quote within a field that does not begin with one", at);
    *field = (HcField){t->at, at, false};
    while (field->end > field->at && is_blank(field->end[-1]))
        field->end--;
    t->at = at;
    return HC_OK;
}

static void skip_blanks(HcTableText *t) {
    while (t->at < t->end && is_blank(*t->at) && (*t->at == ' ' || t->separator != '\t'))
        t->at++;
}

static HcStatus add_field(HcTableText *t, HcField field) {
    if ((size_t)t->n_fields == t->capacity) {
        const size_t capacity = t->capacity ? 2 * t->capacity : 16;
        HcField *grown = realloc(t->fields, capacity * sizeof *grown);
        if (!grown)
            return hc_fail_memory(t->error, "a row of the table");
        t->fields = grown;
        t->capacity = capacity;
    }
    t->fields[t->n_fields++] = field;
    return HC_OK;
}

/* One field and the separator after it; *more: another field follows. */
static HcStatus take_field(HcTableText *t, bool *more) {
    HcField field = {0};
    skip_blanks(t);
    const bool quoted = t->at < t->end && *t->at == '"';
    HcStatus status = quoted ? quoted_field(t, &field) : plain_field(t, &field);
    if (status != HC_OK)
        return status;
    const char *after = t->at;
    skip_blanks(t);
    const bool ends = t->at == t->end || is_line_end(*t->at);
    const bool separated = t->separator == ' ' ? t->at > after : !ends && *t->at == t->separator;
    if (!ends && !separated)
        return bad_quote(t, "something follows the closing quote", t->at);
    *more = !ends;
    if (!ends && t->separator != ' ')
        t->at++;
    return add_field(t, field);
}

HcStatus hc_table_record(HcTableText *t, bool *any) {
    HcStatus status = HC_OK;
    skip_empty(t);
    *any = t->at < t->end;
    t->line = t->next_line;
    t->n_fields = 0;
    for (bool more = *any; more && status == HC_OK;)
        status = take_field(t, &more);
    if (status == HC_OK)
        take_line_end(t);
    return status;
}

/* --- numbers -----------------------------------------------------------------------------------*/

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* By the C library, which reads more than we do; whether it took all of the field. */
static bool library_number(const HcTableText *t, HcField f, double *number) {
    char text[MAX_NUMBER + 1], *end;
    if (f.end - f.at > MAX_NUMBER || f.at == f.end)
        return false;
    memcpy(text, f.at, (size_t)(f.end - f.at));
    text[f.end - f.at] = '\0';
    *number = strtod_l(text, &end, t->c_locale);
    return end == text + (f.end - f.at);
}

bool hc_table_number(const HcTableText *t, HcField f, double *number) {
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
    return library_number(t, f, number) && isfinite(*number);
}

/* 1,5 or -12,25: with a separator other than the comma. */
static bool decimal_comma(HcField f) {
    const char *comma = memchr(f.at, ',', (size_t)(f.end - f.at)), *at = f.at;
    if (!comma || comma + 1 == f.end)
        return false;
    if (*at == '-' || *at == '+')
        at++;
    for (; at < f.end; at++)
        if (at != comma && !is_digit(*at))
            return false;
    return true;
}

bool hc_table_like_number(const HcTableText *t, HcField f) {
    double number;
    while (f.at < f.end && is_blank(*f.at))
        f.at++;
    while (f.end > f.at && is_blank(f.end[-1]))
        f.end--;
    return library_number(t, f, &number) || decimal_comma(f) || hc_table_number(t, f, &number);
}

HcStatus hc_table_not_a_number(const HcTableText *t, int64_t column, const char *name,
                               const char *more) {
    const HcField f = t->fields[column];
    const int length = f.end - f.at > 40 ? 40 : (int)(f.end - f.at);
    char where[96] = "";
    if (name)
        snprintf(where, sizeof where, " (`%.80s`)", name);
    if (f.at == f.end)
        return hc_fail(t->error, HC_ERROR_DATA, "`%s`, line %lld, column %lld%s is empty%s",
                       t->path, (long long)t->line, (long long)column + 1, where, more);
    return hc_fail(t->error, HC_ERROR_DATA, "`%s`, line %lld, column %lld%s: `%.*s` %s%s", t->path,
                   (long long)t->line, (long long)column + 1, where, length, f.at,
                   decimal_comma(f) ? "has a decimal comma, but numbers are written with a point "
                                      "(`tr , .` makes them so)"
                                    : "is not a number",
                   decimal_comma(f) ? "" : more);
}

/* --- names -------------------------------------------------------------------------------------*/

/* The same text when its bytes are characters of Latin-1; takes `text` over. */
static char *from_latin1(char *text) {
    char *wide = malloc(2 * strlen(text) + 1);
    size_t n = 0;
    for (const uint8_t *at = (const uint8_t *)text; wide && *at; at++) {
        if (*at >= 0x80)
            wide[n++] = (char)(0xc0 | *at >> 6);
        wide[n++] = (char)(*at >= 0x80 ? 0x80 | (*at & 0x3f) : *at);
    }
    if (wide)
        wide[n] = '\0';
    free(text);
    return wide;
}

char *hc_table_name(HcField f) {
    char *text = malloc((size_t)(f.end - f.at) + 1);
    size_t n = 0;
    if (!text)
        return NULL;
    for (const char *at = f.at; at < f.end; at++) {
        text[n++] = *at == '\0' ? ' ' : *at;
        at += f.quoted && *at == '"'; /* the other of two */
    }
    text[n] = '\0';
    return hc_is_utf8(text) ? text : from_latin1(text);
}

void hc_column_list(char *const *names, int64_t n, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int64_t k = 0; names && k < n && used + 8 < size; k++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", k ? ", " : "", names[k]);
    hc_make_printable(text);
}
