/* Recording diagnostics. */
#include "base/diag.h"
#include "base/diag_internal.h"
#include "base/display.h"
#include <string.h>

Diagnostics *diagnostics_create(Arena *arena, const SourceSet *sources) {
    Diagnostics *d = ARENA_NEW(arena, Diagnostics);
    d->arena = arena;
    d->sources = sources;
    d->seen = map_create(arena);
    return d;
}

static const char *diag_text(Diagnostics *d, const char *format, va_list args) {
    const char *text = arena_vprintf(d->arena, format, args);
    return display_copy(d->arena, text, strlen(text), DIAG_MESSAGE_BYTES, true);
}

/* Whether it is the first of its code at its place; counts it. */
static bool diag_count(Diagnostics *d, DiagSeverity severity, DiagCode code, Span at) {
    uint32_t key[4] = {(uint32_t)code, at.file, at.begin, at.end};
    void **seen = map_slot(d->seen, key, sizeof key);
    if (*seen && at.file != 0)
        return false;
    *seen = d;
    *(severity == DIAG_ERROR ? &d->errors : &d->warnings) += 1;
    return true;
}

/* Whether the code stands behind `// allow` in a line; `alone`: with nothing before that. */
static bool line_allows(const Diagnostics *d, uint32_t file, uint32_t line, bool alone,
                        DiagCode code) {
    static const char sign[] = "// allow ";
    size_t length;
    const char *text = source_line(d->sources, file, line, &length);
    const char *end = text + length, *at = text;
    for (;; at++) {
        if ((size_t)(end - at) < sizeof sign - 1)
            return false;
        if (memcmp(at, sign, sizeof sign - 1) == 0)
            break;
        if (alone && *at != ' ' && *at != '\t')
            return false;
    }
    for (uint32_t number = 0; at < end; at++) {
        const bool digit = *at >= '0' && *at <= '9';
        if (digit)
            number = number % 10000 * 10 + (uint32_t)(*at - '0');
        if (number == (uint32_t)code && (!digit || at + 1 == end))
            return true;
        if (!digit)
            number = 0;
    }
    return false;
}

/* What the author has seen: `// allow E0308` behind the line, or on one of its own above it. */
static bool diag_allowed(const Diagnostics *d, DiagCode code, Span at) {
    if (!at.file)
        return false;
    const uint32_t line = source_line_column(d->sources, at.file, at.begin).line;
    return line_allows(d, at.file, line, false, code) ||
           (line > 1 && line_allows(d, at.file, line - 1, true, code));
}

static void diag_record(Diagnostics *d, DiagSeverity severity, DiagCode code, Span at,
                        const char *format, va_list args) {
    d->current = NULL;
    if (!diag_count(d, severity, code, at) || d->list.count >= DIAG_STORED)
        return;
    Diagnostic *diagnostic = ARENA_NEW(d->arena, Diagnostic);
    diagnostic->severity = severity;
    diagnostic->code = code;
    diagnostic->at = at;
    diagnostic->message = diag_text(d, format, args);
    vec_push(d->arena, &d->list, diagnostic);
    d->current = diagnostic;
}

void diag_error(Diagnostics *d, DiagCode code, Span at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    diag_record(d, DIAG_ERROR, code, at, format, args);
    va_end(args);
}

void diag_warning(Diagnostics *d, DiagCode code, Span at, const char *format, ...) {
    va_list args;
    if (diag_allowed(d, code, at)) {
        d->current = NULL;
        return;
    }
    va_start(args, format);
    diag_record(d, DIAG_WARNING, code, at, format, args);
    va_end(args);
}

void diag_note(Diagnostics *d, Span at, const char *format, ...) {
    if (!d->current)
        return;
    va_list args;
    va_start(args, format);
    DiagNote note = {at, diag_text(d, format, args)};
    va_end(args);
    vec_push(d->arena, &d->current->notes, note);
}

void diag_help(Diagnostics *d, const char *format, ...) {
    if (!d->current)
        return;
    va_list args;
    va_start(args, format);
    const char *help = diag_text(d, format, args);
    va_end(args);
    vec_push(d->arena, &d->current->helps, help);
}

bool diag_is_helped(const Diagnostics *d) {
    return d->current && d->current->helps.count > 0;
}

void diag_append(Diagnostics *d, const Diagnostics *from) {
    for (uint32_t k = 0; k < from->list.count; k++) {
        Diagnostic *x = from->list.at[k];
        if (diag_count(d, x->severity, x->code, x->at) && d->list.count < DIAG_STORED)
            vec_push(d->arena, &d->list, x);
    }
    d->current = NULL;
}

uint32_t diag_error_count(const Diagnostics *d) {
    return d->errors;
}

uint32_t diag_warning_count(const Diagnostics *d) {
    return d->warnings;
}

bool diag_explain(const char *code, const char **title, const char **text) {
    static const struct {
        uint32_t number;
        const char *title, *text;
    } codes[] = {
#define DIAG(number, ident, title, text) {number, title, text},
#include "base/diag_codes.def"
#undef DIAG
    };
    if (*code == 'E' || *code == 'e')
        code++;
    uint32_t number = 0;
    size_t digits = strspn(code, "0123456789");
    if (digits == 0 || digits > 6 || code[digits] != '\0')
        return false;
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + (uint32_t)(code[i] - '0');
    for (size_t k = 0; k < sizeof codes / sizeof *codes; k++)
        if (codes[k].number == number) {
            *title = codes[k].title;
            *text = codes[k].text;
            return true;
        }
    return false;
}
