/* Diagnostics: collected as values, rendered by the driver as terminal text or JSON.
 *
 * Every diagnostic has a code from diag_codes.def (one row: number, identifier, title, longer text
 * for `hcc explain`). The same code at the same place is recorded once, so that a definition used
 * in 96 layers complains once. They are rendered in the
 * order of their places. At most 20 errors are rendered; all are counted. */
#ifndef HCC_BASE_DIAG_H
#define HCC_BASE_DIAG_H

#include "base/source.h"
#include <stdio.h>

typedef enum {
#define DIAG(number, ident, title, text) DIAG_##ident = number,
#include "base/diag_codes.def"
#undef DIAG
} DiagCode;

typedef enum { DIAG_ERROR, DIAG_WARNING } DiagSeverity;

typedef struct Diagnostics Diagnostics;

Diagnostics *diagnostics_create(Arena *arena, const SourceSet *sources);

/* Start a diagnostic; notes and helps that follow belong to it. A duplicate swallows its notes. */
void diag_error(Diagnostics *d, DiagCode code, Span at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A warning is not recorded where its line, or one above it that is a comment alone, says
 * `// allow E0308`. */
void diag_warning(Diagnostics *d, DiagCode code, Span at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The other place: "`n` is set here". */
void diag_note(Diagnostics *d, Span at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What to write instead. */
void diag_help(Diagnostics *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether the last one was told what to write. */
bool diag_is_helped(const Diagnostics *d);

/* What `from` recorded, as if it had been said to `d`. */
void diag_append(Diagnostics *d, const Diagnostics *from);

uint32_t diag_error_count(const Diagnostics *d);
uint32_t diag_warning_count(const Diagnostics *d);

void diag_render_text(const Diagnostics *d, FILE *to, bool color);
void diag_render_json(const Diagnostics *d, FILE *to);
/* Title and long text of a code given as "E0214" (or "214"); false when there is none. */
bool diag_explain(const char *code, const char **title, const char **text);

/* The nearest of `candidates` to a misspelt `name`, or NULL when none is near. */
const char *nearest_name(const char *name, const char *const *candidates, uint32_t count);

#endif
