#ifndef HC_PATHS_H
#define HC_PATHS_H

#include "runtime/files/error.h"
#include <stdbool.h>

/* "FOLDER/NAME"; the caller frees it. NULL: out of memory. */
char *hc_path_join(const char *folder, const char *name);
/* NAME in the folder of `file`; the caller frees it. NULL: out of memory. */
char *hc_path_beside(const char *file, const char *name);
/* `path` as seen from `folder` (NULL: from where we are); the caller frees it. NULL: out of
 * memory. */
char *hc_path_in(const char *folder, const char *path);
/* Whether it has * ? or [ and names no file as it stands, so that it stands for those that match.
 */
bool hc_is_path_pattern(const char *path);
/* Whether it is longer than `end` and ends so; NULL does not. */
bool hc_path_ends(const char *path, const char *end);
bool hc_is_folder(const char *path);
/* Whether both are there and are one file or folder, by whatever names. */
bool hc_same_file(const char *a, const char *b);
/* The folder, and those above it, that may be there already; it can be written to. */
HcStatus hc_make_folder(const char *path, HcError *error);

#endif
