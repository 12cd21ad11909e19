/* A connection by itself: the text of a model whose trunk has nothing but it. */
#ifndef HCC_COMPILE_CONNECTION_H
#define HCC_COMPILE_CONNECTION_H

#include "base/arena.h"

enum { CONNECTION_PARTS = 5 };
extern const char *const connection_parts[CONNECTION_PARTS]; /* as CompileExport.part has them */

/* The connection as a trunk says it: `mhc(n = 2)`; with branches behind a colon, where they are
 * several: `mhc : outside & outside`. `own` is a text that defines it; NULL: the library does. The
 * model's constants are `d`, `sites`, `blocks` and `most`, the positions of a sample. NULL where
 * the call does not begin with a name. */
const char *connection_text(Arena *arena, const char *call, const char *own);

#endif
