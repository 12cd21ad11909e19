/* Where the values of a call come from, in the lines of the files that hold them. */
#include "plan/call_lines.h"
#include <stdio.h>
#include <string.h>

enum { FILES = 3 };

/* The lines of one file. */
typedef struct {
    uint32_t file, first, last, values;
} FileLines;

typedef struct {
    const SourceSet *sources;
    FileLines files[16];
    uint32_t count;
} CallLines;

static void lines_note(CallLines *lines, Span span) {
    if (!span.file)
        return;
    const uint32_t line = source_line_column(lines->sources, span.file, span.begin).line;
    uint32_t k = 0;
    while (k < lines->count && lines->files[k].file != span.file)
        k++;
    if (k == sizeof lines->files / sizeof *lines->files)
        return;
    FileLines *f = &lines->files[k];
    if (k == lines->count) {
        lines->count++;
        *f = (FileLines){.file = span.file, .first = line, .last = line};
    }
    f->first = line < f->first ? line : f->first;
    f->last = line > f->last ? line : f->last;
    f->values++;
}

/* The files that most values come from, those first. */
static void lines_text(CallLines *lines, char text[CALL_LINES_TEXT]) {
    size_t length = 0;
    text[0] = 0;
    for (uint32_t n = 0; n < FILES; n++) {
        FileLines *most = NULL;
        for (uint32_t k = 0; k < lines->count; k++)
            if (lines->files[k].values && (!most || lines->files[k].values > most->values))
                most = &lines->files[k];
        if (!most || length + 1 >= CALL_LINES_TEXT)
            return;
        const char *name = source_name(lines->sources, most->file);
        const char *slash = strrchr(name, '/');
        int added = snprintf(text + length, CALL_LINES_TEXT - length, "%s%s:%u", length ? ", " : "",
                             slash ? slash + 1 : name, most->first);
        length += added > 0 ? (size_t)added : 0;
        if (most->last > most->first && length < CALL_LINES_TEXT) {
            added = snprintf(text + length, CALL_LINES_TEXT - length, "-%u", most->last);
            length += added > 0 ? (size_t)added : 0;
        }
        most->values = 0;
    }
}

void value_lines(const Plan *plan, TirId id, const SourceSet *sources, char text[CALL_LINES_TEXT]) {
    CallLines lines = {.sources = sources};
    lines_note(&lines, tir_node(plan->program->block, id)->span);
    lines_text(&lines, text);
}

void call_lines(const Plan *plan, const Call *call, const SourceSet *sources,
                char text[CALL_LINES_TEXT]) {
    CallLines lines = {.sources = sources};
    if (call->group)
        for (uint32_t k = 0; k < call->group->values.count; k++)
            lines_note(&lines, tir_node(plan->program->block, call->group->values.at[k])->span);
    else if (call->value)
        lines_note(&lines, tir_node(plan->program->block, call->value)->span);
    lines_text(&lines, text);
}
