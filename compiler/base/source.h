/* Source files and places in them. A Span is a half-open range of byte offsets in one file of a
 * SourceSet; the zero Span means "nowhere" (built-in or generated). */
#ifndef HCC_BASE_SOURCE_H
#define HCC_BASE_SOURCE_H

#include "base/arena.h"
#include <stdbool.h>

typedef struct {
    uint32_t file; /* 1-based index into the SourceSet; 0 = nowhere */
    uint32_t begin, end;
} Span;

typedef struct SourceSet SourceSet;

typedef struct {
    uint32_t line, column; /* both 1-based; column counts UTF-8 code points */
} LineColumn;

SourceSet *source_set_create(Arena *arena);
enum { SOURCE_LONGEST = 0x3fffffff }; /* bytes; offsets are 32 bits wide */
/* Adds a file's text (copied). Returns its index (>= 1), or 0 when it is longer than
 * SOURCE_LONGEST. `name` is what diagnostics print. */
uint32_t source_add(SourceSet *set, const char *name, const char *text, size_t length);
const char *source_name(const SourceSet *set, uint32_t file);
const char *source_text(const SourceSet *set, uint32_t file, size_t *length);
LineColumn source_line_column(const SourceSet *set, uint32_t file, uint32_t offset);
/* The text of 1-based `line`, without its line ending. */
const char *source_line(const SourceSet *set, uint32_t file, uint32_t line, size_t *length);

static inline Span span_join(Span a, Span b) {
    if (a.file == 0)
        return b;
    if (b.file != a.file)
        return a;
    return (Span){a.file, a.begin < b.begin ? a.begin : b.begin, a.end > b.end ? a.end : b.end};
}

#endif
