/* How a diagnostic is stored; shared by diag.c (which records) and diag_render.c (which prints). */
#ifndef HCC_BASE_DIAG_INTERNAL_H
#define HCC_BASE_DIAG_INTERNAL_H

#include "base/diag.h"
#include "base/map.h"
#include "base/vec.h"

typedef struct {
    Span at;
    const char *text;
} DiagNote;

typedef struct {
    DiagSeverity severity;
    DiagCode code;
    Span at;
    const char *message;
    VEC(DiagNote) notes;
    VEC(const char *) helps;
} Diagnostic;

struct Diagnostics {
    Arena *arena;
    const SourceSet *sources;
    VEC(Diagnostic *) list; /* at most DIAG_STORED; the counts go on */
    Map *seen;              /* (code, span) of everything recorded */
    Diagnostic *current;    /* takes notes and helps; NULL after a duplicate */
    uint32_t errors, warnings;
};

enum { DIAG_STORED = 1000, DIAG_SHOWN = 20, DIAG_MESSAGE_BYTES = 600 };

#endif
