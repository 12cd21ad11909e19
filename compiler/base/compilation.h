/* What one run of the compiler owns. No global state anywhere: two compilations may run in one
 * process, each on its own thread. */
#ifndef HCC_BASE_COMPILATION_H
#define HCC_BASE_COMPILATION_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/intern.h"
#include "base/source.h"
#include <setjmp.h>

typedef struct Compilation {
    Arena *arena;
    Interner *interner;
    SourceSet *sources;
    Diagnostics *diagnostics;
    jmp_buf *out_of_memory; /* set by compilation_guard users; see compilation.c */
} Compilation;

Compilation *compilation_create(void); /* NULL when out of memory */
void compilation_destroy(Compilation *c);

#endif
