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
#include "base/json_text.h"
#include <stdlib.h>
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

/* Where a range lies in the part of a source line that is shown. A long line is shown as a window
 * around the range. */
typedef struct {
    const char *line;
    size_t length;        /* bytes */
    size_t skip;          /* characters left out before the window */
    size_t indent, marks; /* columns before the range and in it */
} Excerpt;

/* Walks the characters of the window; calls for their text when `to` is there. */
static void excerpt_walk(Excerpt *x, size_t begin, size_t end, FILE *to) {
    x->indent = x->skip ? 1 : 0;
    x->marks = 0;
    if (x->skip && to)
        fputs(ELLIPSIS, to);
    for (size_t i = 0, column = 0; i < x->length; column++) {
        bool shown;
        size_t size = display_character(x->line + i, x->length - i, &shown);
        if (column >= x->skip + WINDOW) {
            if (to)
                fputs(ELLIPSIS, to);
            return;
        }
        if (column >= x->skip) {
            const char *replacement = shown ? NULL : display_replacement(x->line + i);
            size_t width = replacement && *replacement == ' ' ? strlen(replacement) : 1;
            if (to && shown)
                fwrite(x->line + i, 1, size, to);
            else if (to)
                fputs(replacement, to);
            if (i + size <= begin)
                x->indent += width;
            else if (i < end)
                x->marks += width;
        }
        i += size;
    }
}

/* Prints the line of `at`, with `arrow` behind it when there is one. A range of many lines is
 * marked to the end of its first. */
static Excerpt diag_render_line(const Renderer *r, Span at, const char *arrow, bool print) {
    const SourceSet *sources = r->d->sources;
    LineColumn place = source_line_column(sources, at.file, at.begin);
    Excerpt x = {0};
    size_t text_length;
    x.line = source_line(sources, at.file, place.line, &x.length);
    size_t line_begin = (size_t)(x.line - source_text(sources, at.file, &text_length));
    size_t begin = at.begin > line_begin ? at.begin - line_begin : 0;
    size_t end = at.end > line_begin ? at.end - line_begin : 0;
    begin = begin < x.length ? begin : x.length;
    end = end < x.length ? end : x.length;
    if (place.column > WINDOW - 20)
        x.skip = place.column - LEAD;
    if (!print) {
        excerpt_walk(&x, begin, end, NULL);
        return x;
    }
    fprintf(r->to, "%s%*u |%s ", r->blue, r->gutter, place.line, r->plain);
    excerpt_walk(&x, begin, end, r->to);
    if (arrow)
        fprintf(r->to, "     %s<- %s%s", r->blue, arrow, r->plain);
    fputc('\n', r->to);
    return x;
}

static void diag_render_marks(const Renderer *r, const Excerpt *x, char mark, const char *color,
                              const char *text) {
    fprintf(r->to, "%s%*s |%s %*s%s", r->blue, r->gutter, "", r->plain, (int)x->indent, "", color);
    for (size_t k = 0; k < (x->marks ? x->marks : 1); k++)
        fputc(mark, r->to);
    fprintf(r->to, "%s%s%s\n", *text ? " <- " : "", text, r->plain);
}

/* A note: on the line of the diagnostic itself as a second row of marks, elsewhere as a line of its
 * own. */
static void diag_render_note(const Renderer *r, Span at, Span main, const char *text) {
    bool same_file = at.file == main.file;
    uint32_t line = source_line_column(r->d->sources, at.file, at.begin).line;
    uint32_t main_line = source_line_column(r->d->sources, main.file, main.begin).line;
    Excerpt x = diag_render_line(r, at, text, !same_file || line != main_line);
    if (!same_file || line != main_line)
        return;
    if (x.skip || source_line_column(r->d->sources, main.file, main.begin).column > WINDOW - 20)
        diag_render_line(r, at, text, true);
    else
        diag_render_marks(r, &x, '-', r->blue, text);
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
        Excerpt x = diag_render_line(r, diagnostic->at, NULL, true);
        diag_render_marks(r, &x, '^', r->red, "");
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
        diag_render_note(r, note->at, diagnostic->at, note->text);
    }
    for (uint32_t k = 0; k < diagnostic->helps.count; k++)
        fprintf(r->to, "%shelp%s: %s\n", r->blue, r->plain, diagnostic->helps.at[k]);
    fputc('\n', r->to);
}

static void diag_render_rest(const Renderer *r, uint32_t total, uint32_t shown, const char *what) {
    if (total > shown)
        fprintf(r->to, "… and %u more %s%s\n", total - shown, what, total - shown == 1 ? "" : "s");
}

typedef struct {
    const Diagnostic *at;
    uint32_t found; /* its turn */
} Ordered;

static int diag_compare(const void *a, const void *b) {
    const Ordered *p = a, *q = b;
    const Span s = p->at->at, t = q->at->at;
    if (s.file != t.file)
        return s.file < t.file ? -1 : 1;
    if (s.begin != t.begin)
        return s.begin < t.begin ? -1 : 1;
    return p->found < q->found ? -1 : 1;
}

/* As one reads the file from its beginning, whatever was found first: without a place, then by
 * file (the user's own is the first) and place. */
static const Ordered *diag_ordered(const Diagnostics *d) {
    Ordered *list = ARENA_ARRAY(d->arena, Ordered, d->list.count + 1);
    for (uint32_t k = 0; k < d->list.count; k++)
        list[k] = (Ordered){d->list.at[k], k};
    qsort(list, d->list.count, sizeof *list, diag_compare);
    return list;
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
    const Ordered *list = diag_ordered(d);
    for (uint32_t k = 0; k < d->list.count; k++)
        if (shown[list[k].at->severity] < DIAG_SHOWN) {
            shown[list[k].at->severity]++;
            diag_render_one(&r, list[k].at);
        }
    diag_render_rest(&r, d->errors, shown[DIAG_ERROR], "error");
    diag_render_rest(&r, d->warnings, shown[DIAG_WARNING], "warning");
}

/* Adds file, line, column, end_line, end_column and byte offsets to the object that is open. */
static void diag_json_place(JsonText *t, const Diagnostics *d, Span at) {
    if (!at.file) {
        json_text_null(t, "file");
        return;
    }
    const char *name = source_name(d->sources, at.file);
    name = display_copy(d->arena, name, strlen(name), SIZE_MAX / 8, false);
    LineColumn begin = source_line_column(d->sources, at.file, at.begin);
    LineColumn end = source_line_column(d->sources, at.file, at.end);
    json_text_string(t, "file", name);
    json_text_integer(t, "line", begin.line);
    json_text_integer(t, "column", begin.column);
    json_text_integer(t, "end_line", end.line);
    json_text_integer(t, "end_column", end.column);
    json_text_integer(t, "begin", at.begin);
    json_text_integer(t, "end", at.end);
}

static void diag_json_one(JsonText *t, const Diagnostics *d, const Diagnostic *diagnostic) {
    char code[16];
    snprintf(code, sizeof code, "E%04d", (int)diagnostic->code);
    json_text_open(t, NULL, '{');
    json_text_plain(t, "severity", diagnostic->severity == DIAG_ERROR ? "error" : "warning");
    json_text_plain(t, "code", code);
    json_text_string(t, "message", diagnostic->message);
    diag_json_place(t, d, diagnostic->at);
    json_text_open(t, "notes", '[');
    for (uint32_t k = 0; k < diagnostic->notes.count; k++) {
        json_text_open(t, NULL, '{');
        json_text_string(t, "message", diagnostic->notes.at[k].text);
        diag_json_place(t, d, diagnostic->notes.at[k].at);
        json_text_close(t, '}');
    }
    json_text_close(t, ']');
    json_text_open(t, "help", '[');
    for (uint32_t k = 0; k < diagnostic->helps.count; k++)
        json_text_string(t, NULL, diagnostic->helps.at[k]);
    json_text_close(t, ']');
    json_text_close(t, '}');
}

void diag_render_json(const Diagnostics *d, FILE *to) {
    JsonText t = {.arena = d->arena, .pretty = true};
    const Ordered *ordered = diag_ordered(d);
    json_text_open(&t, NULL, '[');
    for (uint32_t k = 0; k < d->list.count; k++)
        diag_json_one(&t, d, ordered[k].at);
    json_text_close(&t, ']');
    json_text_print(&t, to);
}
