#include "base/fresh_file.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int fresh_file(Arena *arena, const char *path, char **name) {
    *name = arena_printf(arena, "%s%s.XXXXXX", strchr(path, '/') ? "" : "./", path);
    return mkstemp(*name);
}

mode_t fresh_file_mode(mode_t wanted) {
    mode_t mask = umask(0);
    umask(mask);
    return wanted & ~mask;
}
