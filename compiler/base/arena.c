/* Bump allocation in a list of zeroed chunks. */
#include "base/arena.h"
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = alignof(max_align_t), FIRST_CHUNK = 16 * 1024, LARGEST_CHUNK = 1024 * 1024 };

typedef struct Chunk Chunk;
struct Chunk {
    Chunk *previous;
    alignas(max_align_t) char bytes[];
};

struct Arena {
    Chunk *chunks;
    char *next, *end;  /* what is left of the current chunk */
    size_t next_chunk; /* chunks double in size up to LARGEST_CHUNK */
    ArenaExhausted *on_exhausted;
    void *context;
};

Arena *arena_create(ArenaExhausted *on_exhausted, void *context) {
    Arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        return NULL;
    arena->next_chunk = FIRST_CHUNK;
    arena->on_exhausted = on_exhausted;
    arena->context = context;
    return arena;
}

static _Noreturn void arena_exhausted(const Arena *arena) {
    if (arena->on_exhausted)
        arena->on_exhausted(arena->context);
    abort(); /* no handler, or one that breaks its contract and returns */
}

Arena *arena_create_child(const Arena *parent) {
    Arena *arena = arena_create(parent->on_exhausted, parent->context);
    if (!arena)
        arena_exhausted(parent);
    return arena;
}

void arena_destroy(Arena *arena) {
    if (!arena)
        return;
    for (Chunk *chunk = arena->chunks; chunk;) {
        Chunk *previous = chunk->previous;
        free(chunk);
        chunk = previous;
    }
    free(arena);
}

static Chunk *arena_add_chunk(Arena *arena, size_t size) {
    if (size > SIZE_MAX - sizeof(Chunk))
        arena_exhausted(arena);
    Chunk *chunk = calloc(1, sizeof(Chunk) + size);
    if (!chunk)
        arena_exhausted(arena);
    return chunk;
}

void *arena_alloc(Arena *arena, size_t size) {
    if (size > SIZE_MAX / 2)
        arena_exhausted(arena);
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size == 0)
        size = ALIGNMENT;
    if (size <= (size_t)(arena->end - arena->next)) {
        void *result = arena->next;
        arena->next += size;
        return result;
    }
    if (arena->chunks && size > arena->next_chunk / 4) {
        /* A large object gets a chunk of its own, behind the current one, which stays in use. */
        Chunk *own = arena_add_chunk(arena, size);
        own->previous = arena->chunks->previous;
        arena->chunks->previous = own;
        return own->bytes;
    }
    size_t capacity = arena->next_chunk > size ? arena->next_chunk : size;
    Chunk *chunk = arena_add_chunk(arena, capacity);
    chunk->previous = arena->chunks;
    arena->chunks = chunk;
    arena->next = chunk->bytes + size;
    arena->end = chunk->bytes + capacity;
    if (arena->next_chunk < LARGEST_CHUNK)
        arena->next_chunk *= 2;
    return chunk->bytes;
}

void *arena_alloc_array(Arena *arena, size_t count, size_t size) {
    if (size != 0 && count > SIZE_MAX / size)
        arena_exhausted(arena);
    return arena_alloc(arena, count * size);
}

void *arena_grow(Arena *arena, void *old, size_t old_size, size_t new_size) {
    void *grown = arena_alloc(arena, new_size);
    if (old && old_size)
        memcpy(grown, old, old_size < new_size ? old_size : new_size);
    return grown;
}

char *arena_copy_string(Arena *arena, const char *text, size_t length) {
    if (length == SIZE_MAX)
        arena_exhausted(arena);
    char *copy = arena_alloc(arena, length + 1);
    if (length)
        memcpy(copy, text, length);
    return copy; /* the NUL is there already: arena memory is zeroed */
}

char *arena_vprintf(Arena *arena, const char *format, va_list args) {
    va_list measure;
    va_copy(measure, args);
    int length = vsnprintf(NULL, 0, format, measure);
    va_end(measure);
    if (length < 0)
        return arena_copy_string(arena, "", 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, args);
    return text;
}

char *arena_printf(Arena *arena, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}
