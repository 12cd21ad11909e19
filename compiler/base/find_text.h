/* A file of text that another one names: beside it, or in one of several folders. */
#ifndef HCC_BASE_FIND_TEXT_H
#define HCC_BASE_FIND_TEXT_H

#include "base/arena.h"
#include "base/vec.h"

typedef VEC(const char *) FolderList;

typedef struct {
    const char *name; /* its path, plain: without `.`, and without `..` where that can be told */
    const char *text; /* in the arena, not terminated */
    size_t length;
    const char *why; /* it was not read; NULL: it was */
} FoundText;

/* `beside`: the file that names it; in the current folder where that is NULL. */
FoundText find_text(Arena *arena, const char *beside, const char *said, const FolderList *folders);
/* Adds those of a list separated by colons; `list` may be NULL. */
void find_text_folders(Arena *arena, const char *list, FolderList *folders);

#endif
