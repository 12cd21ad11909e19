#include "base/fresh_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

enum { LETTERS = 8, ATTEMPTS = 100 };

static bool draw_letters(char letters[LETTERS]) {
    unsigned char drawn[LETTERS];
    if (getrandom(drawn, LETTERS, 0) != LETTERS)
        return false;
    for (int k = 0; k < LETTERS; k++)
        letters[k] = "abcdefghijklmnopqrstuvwxyz234567"[drawn[k] % 32];
    return true;
}

int fresh_file(Arena *arena, const char *path, mode_t mode, char **name) {
    int file = -1;
    *name = arena_printf(arena, "%s%s.%*s", strchr(path, '/') ? "" : "./", path, LETTERS, "");
    errno = EEXIST;
    for (int k = 0; k < ATTEMPTS && file < 0 && errno == EEXIST; k++)
        if (draw_letters(*name + strlen(*name) - LETTERS))
            file = open(*name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    return file;
}
