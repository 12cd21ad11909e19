/* Where a user's cache is, and how large it may be: what the environment says. */
#include "codegen/cache.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_DEFAULT_MIB = 256 };

static const char *cache_setting(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* A path that is not absolute is to be ignored, says the XDG Base Directory Specification. */
static const char *cache_absolute(const char *name) {
    const char *value = cache_setting(name);
    return value && *value == '/' ? value : NULL;
}

static const char *cache_place(Arena *arena) {
    const char *own = cache_setting("HCC_CACHE_DIR"), *above = cache_absolute("XDG_CACHE_HOME");
    if (own)
        return own;
    if (above)
        return arena_printf(arena, "%s/hcc", above);
    above = cache_absolute("HOME");
    return above ? arena_printf(arena, "%s/.cache/hcc", above) : NULL;
}

static const char *cache_size(Arena *arena, uint64_t *mib) {
    const char *text = cache_setting("HCC_CACHE_SIZE");
    *mib = CACHE_DEFAULT_MIB;
    if (!text)
        return NULL;
    errno = 0;
    *mib = strtoull(text, NULL, 10);
    if (text[strspn(text, "0123456789")] == '\0' && !errno && *mib <= UINT32_MAX)
        return NULL;
    return arena_printf(arena, "HCC_CACHE_SIZE is a number of MiB, not '%s'", text);
}

const char *cache_open_user(Arena *arena, Cache **cache, const char **why) {
    uint64_t mib;
    *cache = NULL;
    const char *wrong = cache_size(arena, &mib);
    const char *folder = cache_place(arena);
    if (wrong)
        return wrong;
    if (mib == 0)
        *why = "HCC_CACHE_SIZE is 0";
    else if (!folder)
        *why = "neither HCC_CACHE_DIR nor XDG_CACHE_HOME nor HOME says where";
    else
        *cache = cache_open(arena, folder, mib << 20, why);
    return NULL;
}
