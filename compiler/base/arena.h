/* Arena memory: everything a compilation allocates lives until its arena is freed.
 *
 * An allocation never returns NULL. When memory is exhausted the arena calls its `on_exhausted`
 * handler, which must not return (the compilation's entry point sets one that longjmps back to
 * itself); without a handler the process aborts. Arenas created inside a compilation inherit its
 * handler. Not thread-safe: one arena belongs to one compilation. */
#ifndef HCC_BASE_ARENA_H
#define HCC_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Arena Arena;
typedef void ArenaExhausted(void *context);

Arena *arena_create(ArenaExhausted *on_exhausted, void *context); /* NULL when out of memory */
Arena *arena_create_child(const Arena *parent); /* own lifetime, the parent's handler */
void arena_destroy(Arena *arena);               /* NULL is fine */
/* Memory is exhausted, elsewhere: what could not be allocated without an arena ends as if it could
 * not with it. */
_Noreturn void arena_exhausted(const Arena *arena);
/* What is not memory of the arena but must end with it, however that comes: released when the arena
 * is destroyed, the latest first. Make it before the object, so that nothing can come in between,
 * and set `object` then; NULL again once it is released. */
typedef struct ArenaOwned ArenaOwned;
struct ArenaOwned {
    void (*release)(void *object);
    void *object; /* NULL: nothing */
    ArenaOwned *previous;
};
ArenaOwned *arena_own(Arena *arena, void (*release)(void *object));

/* Zeroed memory, aligned for any type. `size` 0 gives a valid pointer. */
void *arena_alloc(Arena *arena, size_t size);
void *arena_alloc_array(Arena *arena, size_t count, size_t size); /* overflow = exhausted */
void *arena_grow(Arena *arena, void *old, size_t old_size, size_t new_size);

char *arena_copy_string(Arena *arena, const char *text, size_t length); /* NUL-terminated copy */
char *arena_printf(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *arena, const char *format, va_list args);

#define ARENA_NEW(arena, Type) ((Type *)arena_alloc((arena), sizeof(Type)))
#define ARENA_ARRAY(arena, Type, count) ((Type *)arena_alloc_array((arena), (count), sizeof(Type)))

#endif
