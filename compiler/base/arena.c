/* Bump allocation in a list of zeroed chunks.
 *
 * What a compilation costs beside its work is memory touched for the first time, so chunks of some
 * size come from the system in one piece, and an array that grows stays where it is: a large one
 * has a chunk of its own with addresses to spare, which cost nothing until they are used. */
#include "base/arena.h"
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    ALIGNMENT = alignof(max_align_t),
    FIRST_CHUNK = 16 * 1024,
    LARGEST_CHUNK = 1024 * 1024,
    MAPPED_CHUNK = 256 * 1024, /* from here on without malloc */
    SPARE = 32,                /* times the size of a large array is what it may grow to in place */
};

typedef struct Chunk Chunk;
struct Chunk {
    Chunk *previous;
    size_t mapped; /* bytes, with this header; 0: from malloc */
    size_t room;   /* of a chunk with one object; 0: of several */
    alignas(max_align_t) char bytes[];
};

struct Arena {
    Chunk *chunks;
    char *next, *end;  /* what is left of the current chunk */
    size_t next_chunk; /* chunks double in size up to LARGEST_CHUNK */
    ArenaExhausted *on_exhausted;
    void *context;
    ArenaOwned *owned; /* the latest */
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

_Noreturn void arena_exhausted(const Arena *arena) {
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
    for (ArenaOwned *owned = arena->owned; owned; owned = owned->previous)
        if (owned->object)
            owned->release(owned->object);
    for (Chunk *chunk = arena->chunks; chunk;) {
        Chunk *previous = chunk->previous;
        if (chunk->mapped)
            munmap(chunk, chunk->mapped);
        else
            free(chunk);
        chunk = previous;
    }
    free(arena);
}

ArenaOwned *arena_own(Arena *arena, void (*release)(void *object)) {
    ArenaOwned *owned = ARENA_NEW(arena, ArenaOwned);
    *owned = (ArenaOwned){.release = release, .previous = arena->owned};
    return arena->owned = owned;
}

#ifdef __SANITIZE_ADDRESS__ /* sees what malloc gives */
static Chunk *chunk_map(size_t size, bool use_all) {
    (void)size, (void)use_all;
    return NULL;
}
#else
/* Zeroed by the system; `use_all`: every page at once, as they will all be used. */
static Chunk *chunk_map(size_t size, bool use_all) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (use_all ? MAP_POPULATE : 0);
    Chunk *chunk = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (chunk == MAP_FAILED)
        return NULL;
    chunk->mapped = size;
    return chunk;
}
#endif

static Chunk *arena_add_chunk(Arena *arena, size_t size, size_t spare) {
    Chunk *chunk = NULL;
    if (size > SIZE_MAX / 2 / SPARE)
        arena_exhausted(arena);
    if (size + spare >= MAPPED_CHUNK)
        chunk = chunk_map(sizeof(Chunk) + size + spare, spare == 0 && size <= LARGEST_CHUNK);
    if (!chunk) {
        spare = 0;
        chunk = calloc(1, sizeof(Chunk) + size);
    }
    if (!chunk)
        arena_exhausted(arena);
    chunk->room = size + spare;
    return chunk;
}

static size_t arena_round(size_t size) {
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return size ? size : ALIGNMENT;
}

/* A large object gets a chunk of its own, behind the current one, which stays in use. */
static void *arena_alloc_own(Arena *arena, size_t size, size_t spare) {
    Chunk *own = arena_add_chunk(arena, size, spare);
    own->previous = arena->chunks->previous;
    arena->chunks->previous = own;
    return own->bytes;
}

void *arena_alloc(Arena *arena, size_t size) {
    if (size > SIZE_MAX / 2)
        arena_exhausted(arena);
    size = arena_round(size);
    if (size <= (size_t)(arena->end - arena->next)) {
        void *result = arena->next;
        arena->next += size;
        return result;
    }
    if (arena->chunks && size > arena->next_chunk / 4)
        return arena_alloc_own(arena, size, 0);
    size_t capacity = arena->next_chunk > size ? arena->next_chunk : size;
    Chunk *chunk = arena_add_chunk(arena, capacity, 0);
    chunk->previous = arena->chunks;
    chunk->room = 0;
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

/* Makes the object larger where it is: the last of the current chunk, or alone in its own. */
static bool arena_extend(Arena *arena, char *old, size_t old_size, size_t new_size) {
    size_t had = arena_round(old_size), wanted = arena_round(new_size);
    if (old + had == arena->next) {
        if (wanted - had > (size_t)(arena->end - arena->next))
            return false;
        arena->next += wanted - had;
        return true;
    }
    if (had < MAPPED_CHUNK / SPARE)
        return false;
    for (Chunk *chunk = arena->chunks->previous; chunk; chunk = chunk->previous)
        if (chunk->bytes == old)
            return wanted <= chunk->room;
    return false;
}

void *arena_grow(Arena *arena, void *old, size_t old_size, size_t new_size) {
    bool growing =
        old && old_size && new_size > old_size && new_size <= SIZE_MAX / 4 / SPARE && arena->chunks;
    if (growing && arena_extend(arena, old, old_size, new_size))
        return old;
    void *grown = growing && new_size >= MAPPED_CHUNK / SPARE
                      ? arena_alloc_own(arena, arena_round(new_size), new_size * (SPARE - 1))
                      : arena_alloc(arena, new_size);
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
