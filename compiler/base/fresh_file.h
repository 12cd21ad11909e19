/* Files that are whole or not there: made under another name beside their place, then renamed. */
#ifndef HCC_BASE_FRESH_FILE_H
#define HCC_BASE_FRESH_FILE_H

#include "base/arena.h"
#include <sys/types.h>

/* A file beside `path`, open for writing; its name in *name. -1: errno says why. The name begins
 * with a folder: to `cc`, "@x" would be a file of arguments and "-x" an option. */
int fresh_file(Arena *arena, const char *path, char **name);
/* What a file made in the usual way would have of these bits: fresh ones are the owner's alone. */
mode_t fresh_file_mode(mode_t wanted);

#endif
