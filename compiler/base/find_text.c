/* Finding and reading a file that another one names. */
#include "base/find_text.h"
#include "base/read_text.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

/* `a/./b/../c` is `a/c`: by the text alone, so that one file has one name. */
static const char *plain_path(Arena *arena, const char *path) {
    const size_t length = strlen(path);
    char *plain = arena_alloc(arena, length + 2);
    size_t used = 0, fixed = 0; /* what no `..` takes away again */
    if (*path == '/')
        plain[used++] = '/', fixed = 1;
    for (const char *at = path; *at;) {
        const size_t n = strcspn(at, "/");
        const bool up = n == 2 && at[0] == '.' && at[1] == '.';
        if (up && used > fixed) {
            used--; /* the slash behind the last part */
            while (used > fixed && plain[used - 1] != '/')
                used--;
        } else if (n && !(n == 1 && *at == '.')) {
            memcpy(plain + used, at, n);
            used += n;
            plain[used++] = '/';
            fixed = up ? used : fixed;
        }
        at += n + (at[n] == '/');
    }
    if (used > 1)
        used--; /* the last slash */
    plain[used] = '\0';
    return plain;
}

static FILE *open_text(const char *path) {
    struct stat status;
    FILE *file = fopen(path, "rbe");
    if (file && fstat(fileno(file), &status) == 0 && S_ISDIR(status.st_mode)) {
        fclose(file);
        errno = EISDIR;
        return NULL;
    }
    return file;
}

static const char *joined(Arena *arena, const char *folder, size_t length, const char *said) {
    return plain_path(arena, arena_printf(arena, "%.*s%s%s", (int)length, folder,
                                          length && folder[length - 1] != '/' ? "/" : "", said));
}

FoundText find_text(Arena *arena, const char *beside, const char *said, const FolderList *folders) {
    const char *slash = beside ? strrchr(beside, '/') : NULL;
    const bool absolute = *said == '/';
    FoundText found = {0};
    found.name = absolute ? plain_path(arena, said)
                          : joined(arena, beside, slash ? (size_t)(slash - beside) + 1 : 0, said);
    FILE *file = open_text(found.name);
    int why = errno;
    for (uint32_t k = 0; !file && !absolute && why == ENOENT && k < folders->count; k++) {
        const char *path = joined(arena, folders->at[k], strlen(folders->at[k]), said);
        file = open_text(path);
        found.name = file || errno != ENOENT ? path : found.name;
        why = file ? 0 : errno;
    }
    if (!file) {
        found.why = arena_printf(arena, "cannot read '%s': %s", found.name, strerror(why));
        return found;
    }
    const ReadResult read = read_text(arena, file, READ_SOURCE_MOST, &found.text, &found.length);
    if (read == READ_FAILED)
        found.why = arena_printf(arena, "cannot read '%s': %s", found.name, strerror(errno));
    else if (read == READ_TOO_LONG)
        found.why = arena_printf(arena, "'%s' is longer than %d MiB", found.name,
                                 READ_SOURCE_MOST / 1024 / 1024);
    fclose(file);
    return found;
}

void find_text_folders(Arena *arena, const char *list, FolderList *folders) {
    while (list && *list) {
        const size_t n = strcspn(list, ":");
        if (n)
            vec_push(arena, folders, arena_copy_string(arena, list, n));
        list += n + (list[n] == ':');
    }
}
