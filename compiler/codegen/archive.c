/* What a static library defines, from its symbol index: the member "/" of an ar file, which holds a
 * big-endian count, as many offsets of members, and as many names. */
#include "codegen/codegen.h"
#include <ar.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The index, NUL-terminated, in the arena; NULL where there is none. */
static char *archive_index(Arena *arena, FILE *file, size_t *length) {
    char magic[SARMAG];
    struct ar_hdr head;
    if (fread(magic, sizeof magic, 1, file) != 1 || memcmp(magic, ARMAG, SARMAG) != 0 ||
        fread(&head, sizeof head, 1, file) != 1 || memcmp(head.ar_name, "/ ", 2) != 0)
        return NULL;
    char size[sizeof head.ar_size + 1] = "";
    memcpy(size, head.ar_size, sizeof head.ar_size);
    *length = strtoul(size, NULL, 10);
    enum { MOST = 1 << 24 };
    if (*length < 4 || *length > MOST)
        return NULL;
    char *index = arena_alloc(arena, *length + 1);
    index[*length] = '\0';
    return fread(index, *length, 1, file) == 1 ? index : NULL;
}

const char *codegen_archive_defines(Arena *arena, const char *path, const char *const *names,
                                    uint32_t n_names) {
    FILE *file = fopen(path, "rb");
    size_t length = 0;
    const char *index = file ? archive_index(arena, file, &length) : NULL;
    if (file)
        fclose(file);
    if (!index)
        return NULL;
    const unsigned char *digits = (const unsigned char *)index;
    size_t count = (size_t)digits[0] << 24 | (size_t)digits[1] << 16 | (size_t)digits[2] << 8 |
                   (size_t)digits[3];
    for (size_t at = 4 + 4 * count; at < length; at += strlen(index + at) + 1)
        for (uint32_t k = 0; k < n_names; k++)
            if (strcmp(index + at, names[k]) == 0)
                return names[k];
    return NULL;
}
