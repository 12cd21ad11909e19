/* A compilation and its answer to exhausted memory.
 *
 * An entry point of the compiler guards itself like this:
 *
 *     jmp_buf out_of_memory;
 *     if (setjmp(out_of_memory)) { c->out_of_memory = NULL; return the failure; }
 *     c->out_of_memory = &out_of_memory;
 *     ... anything that allocates ...
 *     c->out_of_memory = NULL;
 *
 * Arena memory stays owned by its arena, so nothing leaks when it jumps. */
#include "base/compilation.h"
#include <stdlib.h>

static void compilation_on_exhausted(void *context) {
    Compilation *c = context;
    if (c->out_of_memory)
        longjmp(*c->out_of_memory, 1);
}

Compilation *compilation_create(void) {
    Compilation *volatile c = calloc(1, sizeof(Compilation));
    if (!c)
        return NULL;
    jmp_buf out_of_memory;
    if (setjmp(out_of_memory)) {
        compilation_destroy(c);
        return NULL;
    }
    c->out_of_memory = &out_of_memory;
    c->arena = arena_create(compilation_on_exhausted, c);
    if (!c->arena) {
        compilation_destroy(c);
        return NULL;
    }
    c->interner = interner_create(c->arena);
    c->sources = source_set_create(c->arena);
    c->diagnostics = diagnostics_create(c->arena, c->sources);
    c->out_of_memory = NULL;
    return c;
}

void compilation_destroy(Compilation *c) {
    if (!c)
        return;
    arena_destroy(c->arena);
    free(c);
}
