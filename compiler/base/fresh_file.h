/* Files that are whole or not there: made under another name beside their place, then renamed. */
#ifndef HCC_BASE_FRESH_FILE_H
#define HCC_BASE_FRESH_FILE_H

#include "base/arena.h"
#include <sys/types.h>

/* A file beside `path`, open for writing; its name in *name. -1: errno says why. `mode` is what the
 * file would have without a umask: the system takes off what that forbids as it makes the file, for
 * a program can only read its umask by changing it, under other threads' feet. The name begins with
 * a folder: to `cc`, "@x" would be a file of arguments and "-x" an option. */
int fresh_file(Arena *arena, const char *path, mode_t mode, char **name);

#endif
