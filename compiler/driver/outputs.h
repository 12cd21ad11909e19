/* Files that a command writes: whole or not at all, never over what it reads, never over what hcc
 * did not make. So that what hcc made is known, all of it carries a mark: text a comment on its
 * first line, a binary file the note section of codegen.h. */
#ifndef HCC_DRIVER_OUTPUTS_H
#define HCC_DRIVER_OUTPUTS_H

#include "driver/driver.h"

/* Says why `path` must not be written and returns EXIT_USAGE: this command has read that file, or
 * somebody else made it and --force is not given. What is no regular file, or empty, has nothing
 * to lose. */
ExitCode output_allowed(Driver *d, const char *path);

/* The first line of a text: the mark between the two ends of a comment. */
const char *output_mark(Arena *arena, const char *opening, const char *closing);

/* A file that appears under its name only when it is complete: write to `to`, then finish. */
typedef struct {
    FILE *to;
    const char *path;      /* NULL: standard output */
    const char *temporary; /* NULL: a device or a pipe, written as it is */
} OutputFile;
/* Allowed, and begun; in a regular file `mark` (or NULL) is the first line. */
ExitCode output_open(Driver *d, const char *path, const char *mark, OutputFile *output);
ExitCode output_finish(Driver *d, OutputFile *output);
void output_discard(OutputFile *output);

#endif
