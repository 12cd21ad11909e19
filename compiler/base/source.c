/* Source texts, with the offset of every line found once when a file is added. */
#include "base/source.h"
#include "base/vec.h"
#include <string.h>

typedef struct {
    const char *name, *text;
    uint32_t length;
    VEC(uint32_t) lines; /* offset of each line's first byte */
} SourceFile;

struct SourceSet {
    Arena *arena;
    VEC(SourceFile) files;
};

SourceSet *source_set_create(Arena *arena) {
    SourceSet *set = ARENA_NEW(arena, SourceSet);
    set->arena = arena;
    return set;
}

uint32_t source_add(SourceSet *set, const char *name, const char *text, size_t length) {
    if (length > SOURCE_LONGEST)
        return 0;
    SourceFile file = {.name = arena_copy_string(set->arena, name, strlen(name)),
                       .text = arena_copy_string(set->arena, text, length),
                       .length = (uint32_t)length};
    vec_push(set->arena, &file.lines, 0);
    for (uint32_t i = 0; i < file.length; i++)
        if (file.text[i] == '\n')
            vec_push(set->arena, &file.lines, i + 1);
    vec_push(set->arena, &set->files, file);
    return set->files.count;
}

static const SourceFile *source_file(const SourceSet *set, uint32_t file) {
    return file >= 1 && file <= set->files.count ? &set->files.at[file - 1] : NULL;
}

const char *source_name(const SourceSet *set, uint32_t file) {
    const SourceFile *f = source_file(set, file);
    return f ? f->name : "<built-in>";
}

const char *source_text(const SourceSet *set, uint32_t file, size_t *length) {
    const SourceFile *f = source_file(set, file);
    if (length)
        *length = f ? f->length : 0;
    return f ? f->text : "";
}

/* 0-based line that holds `offset`: the last one that begins at or before it. */
static uint32_t source_line_index(const SourceFile *f, uint32_t offset) {
    uint32_t low = 0, high = f->lines.count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (f->lines.at[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* A byte order mark is not a character of the text. */
static uint32_t source_skip_bom(const SourceFile *f, uint32_t begin) {
    bool bom = begin == 0 && f->length >= 3 && memcmp(f->text, "\xEF\xBB\xBF", 3) == 0;
    return bom ? 3 : begin;
}

LineColumn source_line_column(const SourceSet *set, uint32_t file, uint32_t offset) {
    const SourceFile *f = source_file(set, file);
    if (!f)
        return (LineColumn){1, 1};
    if (offset > f->length)
        offset = f->length;
    uint32_t line = source_line_index(f, offset), column = 1;
    for (uint32_t i = source_skip_bom(f, f->lines.at[line]); i < offset; i++)
        if (((unsigned char)f->text[i] & 0xC0) != 0x80) /* not a continuation byte */
            column++;
    return (LineColumn){line + 1, column};
}

const char *source_line(const SourceSet *set, uint32_t file, uint32_t line, size_t *length) {
    const SourceFile *f = source_file(set, file);
    if (!f || line < 1 || line > f->lines.count) {
        *length = 0;
        return "";
    }
    uint32_t begin = f->lines.at[line - 1];
    uint32_t end = line < f->lines.count ? f->lines.at[line] - 1 : f->length;
    if (end > begin && f->text[end - 1] == '\r')
        end--;
    uint32_t shown = source_skip_bom(f, begin);
    *length = end > shown ? end - shown : 0;
    return f->text + shown;
}
