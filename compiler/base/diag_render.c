/* Printing diagnostics: for a terminal, and as JSON.
 *
 *     error[E0214]: `mix` is 3x3, but the trunk has 4 streams
 *       gpt.hc:12:11
 *        |
 *     12 |   param mix[3, 3] = identity;
 *        |         ^^^^^^^^^
 *      7 |   trunk H[4, d] = copy(x) {     <- set here
 *     help: write `mix[n, n]`
 */
#include "base/diag_internal.h"
#include "base/display.h"
#include <jansson.h>
#include <string.h>

enum {
    WINDOW = 100,
    LEAD = 40
}; /* columns of a long source line shown; of them, before the caret */

typedef struct {
    const Diagnostics *d;
    FILE *to;
    int gutter; /* digits of the largest line number shown */
    const char *bold, *red, *yellow, *blue, *plain;
} Renderer;

static const char *const ELLIPSIS = "…";

static int diag_digits(uint32_t n) {
    return n < 10 ? 1 : 1 + diag_digits(n / 10);
}

/* Prints a source line (a window of it when it is long, around `begin`), then under it carets from
 * `begin` to `end` when `carets`. `begin` and `end` are offsets into the line. */
static void diag_render_line(const Renderer *r, const char *line, size_t length, size_t begin,
                             size_t end, bool carets, const char *arrow) {
    /* The window in characters: walk once to find the column of `begin`. */
    size_t columns_before = 0;
    bool shown;
    for (size_t i = 0; i < length && i < begin; columns_before++)
        i += display_character(line + i, length - i, &shown);
    size_t skip = columns_before > WINDOW - 20 ? columns_before - LEAD : 0;

    size_t column = 0, marks = 0, indent = 0;
    if (skip) {
        fputs(ELLIPSIS, r->to);
        indent = 1;
    }
    for (size_t i = 0; i < length; column++) {
        size_t size = display_character(line + i, length - i, &shown);
        if (column >= skip) {
            if (column >= skip + WINDOW) {
                fputs(ELLIPSIS, r->to);
                break;
            }
            size_t width = 1;
            if (shown) {
                fwrite(line + i, 1, size, r->to);
            } else {
                const char *replacement = display_replacement(line + i);
                fputs(replacement, r->to);
                width = *replacement == ' ' ? strlen(replacement) : 1;
            }
            if (i + size <= begin)
                indent += width;
            else if (i < end)
                marks += width;
        }
        i += size;
    }
    if (arrow)
        fprintf(r->to, "     %s<- %s%s", r->blue, arrow, r->plain);
    fputc('\n', r->to);
    if (!carets)
        return;
    fprintf(r->to, "%s%*s |%s ", r->blue, r->gutter, "", r->plain);
    fprintf(r->to, "%*s%s", (int)indent, "", r->red);
    for (size_t k = 0; k < (marks ? marks : 1); k++)
        fputc('^', r->to);
    fprintf(r->to, "%s\n", r->plain);
}

static void diag_render_source(const Renderer *r, Span at, bool carets, const char *arrow) {
    const SourceSet *sources = r->d->sources;
    LineColumn place = source_line_column(sources, at.file, at.begin);
    size_t length, text_length;
    const char *line = source_line(sources, at.file, place.line, &length);
    const char *text = source_text(sources, at.file, &text_length);
    size_t line_begin = (size_t)(line - text);
    size_t begin = at.begin > line_begin ? at.begin - line_begin : 0;
    size_t end = at.end > line_begin ? at.end - line_begin : 0;
    if (begin > length)
        begin = length;
    if (end > length)
        end = length; /* a range of many lines is marked to the end of its first */
    fprintf(r->to, "%s%*u |%s ", r->blue, r->gutter, place.line, r->plain);
    diag_render_line(r, line, length, begin, end, carets, arrow);
}

static void diag_render_place(const Renderer *r, Span at) {
    LineColumn place = source_line_column(r->d->sources, at.file, at.begin);
    const char *name = source_name(r->d->sources, at.file);
    for (size_t length = strlen(name), i = 0; i < length;) {
        bool shown;
        size_t size = display_character(name + i, length - i, &shown);
        if (i == 0)
            fputs("  ", r->to);
        if (shown)
            fwrite(name + i, 1, size, r->to);
        else
            fputc('?', r->to);
        i += size;
    }
    fprintf(r->to, ":%u:%u\n", place.line, place.column);
}

static void diag_render_one(Renderer *r, const Diagnostic *diagnostic) {
    bool error = diagnostic->severity == DIAG_ERROR;
    fprintf(r->to, "%s%s%s[E%04d]%s%s: %s%s\n", r->bold, error ? r->red : r->yellow,
            error ? "error" : "warning", (int)diagnostic->code, r->plain, r->bold,
            diagnostic->message, r->plain);
    const SourceSet *sources = r->d->sources;
    r->gutter = 2;
    if (diagnostic->at.file) {
        LineColumn place = source_line_column(sources, diagnostic->at.file, diagnostic->at.begin);
        r->gutter = diag_digits(place.line) > 2 ? diag_digits(place.line) : 2;
    }
    for (uint32_t k = 0; k < diagnostic->notes.count; k++) {
        Span at = diagnostic->notes.at[k].at;
        int digits = at.file ? diag_digits(source_line_column(sources, at.file, at.begin).line) : 0;
        r->gutter = digits > r->gutter ? digits : r->gutter;
    }
    uint32_t file = diagnostic->at.file;
    if (file) {
        diag_render_place(r, diagnostic->at);
        fprintf(r->to, "%s%*s |%s\n", r->blue, r->gutter, "", r->plain);
        diag_render_source(r, diagnostic->at, true, NULL);
    }
    for (uint32_t k = 0; k < diagnostic->notes.count; k++) {
        const DiagNote *note = &diagnostic->notes.at[k];
        if (!note->at.file) {
            fprintf(r->to, "%snote%s: %s\n", r->blue, r->plain, note->text);
            continue;
        }
        if (note->at.file != file)
            diag_render_place(r, note->at);
        file = note->at.file;
        diag_render_source(r, note->at, false, note->text);
    }
    for (uint32_t k = 0; k < diagnostic->helps.count; k++)
        fprintf(r->to, "%shelp%s: %s\n", r->blue, r->plain, diagnostic->helps.at[k]);
    fputc('\n', r->to);
}

static void diag_render_rest(const Renderer *r, uint32_t total, uint32_t shown, const char *what) {
    if (total > shown)
        fprintf(r->to, "… and %u more %s%s\n", total - shown, what, total - shown == 1 ? "" : "s");
}

void diag_render_text(const Diagnostics *d, FILE *to, bool color) {
    Renderer r = {d, to, 2, "", "", "", "", ""};
    if (color) {
        r.bold = "\033[1m";
        r.red = "\033[31m";
        r.yellow = "\033[33m";
        r.blue = "\033[34m";
        r.plain = "\033[0m";
    }
    uint32_t shown[2] = {0, 0}; /* errors, warnings */
    for (uint32_t k = 0; k < d->list.count; k++)
        if (shown[d->list.at[k]->severity] < DIAG_SHOWN) {
            shown[d->list.at[k]->severity]++;
            diag_render_one(&r, d->list.at[k]);
        }
    diag_render_rest(&r, d->errors, shown[DIAG_ERROR], "error");
    diag_render_rest(&r, d->warnings, shown[DIAG_WARNING], "warning");
}

/* Adds file, line, column, end_line, end_column and byte offsets to `object`. */
static void diag_json_place(json_t *object, const Diagnostics *d, Span at) {
    if (!at.file) {
        json_object_set_new(object, "file", json_null());
        return;
    }
    const char *name = source_name(d->sources, at.file);
    name = display_copy(d->arena, name, strlen(name), SIZE_MAX / 8, false);
    LineColumn begin = source_line_column(d->sources, at.file, at.begin);
    LineColumn end = source_line_column(d->sources, at.file, at.end);
    json_object_set_new(object, "file", json_string(name));
    json_object_set_new(object, "line", json_integer(begin.line));
    json_object_set_new(object, "column", json_integer(begin.column));
    json_object_set_new(object, "end_line", json_integer(end.line));
    json_object_set_new(object, "end_column", json_integer(end.column));
    json_object_set_new(object, "begin", json_integer(at.begin));
    json_object_set_new(object, "end", json_integer(at.end));
}

static json_t *diag_json_one(const Diagnostics *d, const Diagnostic *diagnostic) {
    char code[16];
    snprintf(code, sizeof code, "E%04d", (int)diagnostic->code);
    json_t *object = json_object();
    const char *severity = diagnostic->severity == DIAG_ERROR ? "error" : "warning";
    json_object_set_new(object, "severity", json_string(severity));
    json_object_set_new(object, "code", json_string(code));
    json_object_set_new(object, "message", json_string(diagnostic->message));
    diag_json_place(object, d, diagnostic->at);
    json_t *notes = json_array(), *helps = json_array();
    for (uint32_t k = 0; k < diagnostic->notes.count; k++) {
        json_t *note = json_object();
        json_object_set_new(note, "message", json_string(diagnostic->notes.at[k].text));
        diag_json_place(note, d, diagnostic->notes.at[k].at);
        json_array_append_new(notes, note);
    }
    for (uint32_t k = 0; k < diagnostic->helps.count; k++)
        json_array_append_new(helps, json_string(diagnostic->helps.at[k]));
    json_object_set_new(object, "notes", notes);
    json_object_set_new(object, "help", helps);
    return object;
}

void diag_render_json(const Diagnostics *d, FILE *to) {
    json_t *list = json_array();
    for (uint32_t k = 0; k < d->list.count; k++)
        json_array_append_new(list, diag_json_one(d, d->list.at[k]));
    json_dumpf(list, to, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    fputc('\n', to);
    json_decref(list);
}
