/* The files that a command's text uses: read once, and remembered for the run's config.json, which
 * has them again when the run goes on. */
#ifndef HCC_DRIVER_USED_FILES_H
#define HCC_DRIVER_USED_FILES_H

#include "compile/compile.h"
#include "driver/driver.h"

typedef struct {
    const char *by, *said; /* by: the file that says so; NULL: the command's own */
    UsedFile file;
} UsedRecord;

typedef struct UsedFiles {
    Driver *d;
    Arena *arena;
    VEC(UsedRecord) list;
    bool closed; /* there are these and no others */
} UsedFiles;

/* Those of the driver; the compilations that it makes beside its own share them. */
UsedFiles *used_files(Driver *d);
CompileUses used_files_finder(Driver *d);
/* All that the text of a file uses, without a word about what is wrong with it. */
void used_files_gather(Driver *d, const char *path);
/* In config.json, and out of it: false where it is damaged. */
void used_files_write(Driver *d, JsonText *to);
bool used_files_read(Driver *d, const json_t *list);
/* A path in config.json: a name that is not UTF-8 is its bytes. */
void used_files_path(JsonText *to, const char *key, const char *path);

#endif
