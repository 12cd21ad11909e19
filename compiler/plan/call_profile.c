#include "plan/call_profile.h"
#include "pass/cost.h"
#include <stdio.h>
#include <string.h>

enum { FILES = 3, LINES_TEXT = 256 };

/* The lines of one file that values of a call come from. */
typedef struct {
    uint32_t file, first, last, values;
} FileLines;

typedef struct {
    const SourceSet *sources;
    FileLines files[16];
    uint32_t count;
} CallLines;

static json_t *cost_json(Cost cost) {
    return json_pack("[f, f, f]", cost.per_step, cost.per_sample, cost.per_position);
}

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
static void lines_text(CallLines *lines, char text[LINES_TEXT]) {
    size_t length = 0;
    text[0] = 0;
    for (uint32_t n = 0; n < FILES; n++) {
        FileLines *most = NULL;
        for (uint32_t k = 0; k < lines->count; k++)
            if (lines->files[k].values && (!most || lines->files[k].values > most->values))
                most = &lines->files[k];
        if (!most || length + 1 >= LINES_TEXT)
            return;
        const char *name = source_name(lines->sources, most->file);
        const char *slash = strrchr(name, '/');
        int added = snprintf(text + length, LINES_TEXT - length, "%s%s:%u", length ? ", " : "",
                             slash ? slash + 1 : name, most->first);
        length += added > 0 ? (size_t)added : 0;
        if (most->last > most->first && length < LINES_TEXT) {
            added = snprintf(text + length, LINES_TEXT - length, "-%u", most->last);
            length += added > 0 ? (size_t)added : 0;
        }
        most->values = 0;
    }
}

void call_profile_add(json_t *call_json, const Plan *plan, const Call *call,
                      const SourceSet *sources) {
    const CallCost cost = plan_call_cost(plan, call);
    json_object_set_new(call_json, "operations", cost_json(cost.operations));
    json_object_set_new(call_json, "bytes", cost_json(cost.bytes));
    if (!sources)
        return;
    const TirBlock *block = plan->program->block;
    CallLines lines = {.sources = sources};
    if (call->group)
        for (uint32_t k = 0; k < call->group->values.count; k++)
            lines_note(&lines, tir_node(block, call->group->values.at[k])->span);
    else if (call->value)
        lines_note(&lines, tir_node(block, call->value)->span);
    char text[LINES_TEXT];
    lines_text(&lines, text);
    if (text[0])
        json_object_set_new(call_json, "lines", json_string(text));
}
