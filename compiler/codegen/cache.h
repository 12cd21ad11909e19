/* A folder of finished work: bytes that took long to make, under the hash of all they were made
 * from. Only ever a help: whatever is wrong with the folder or with an entry, nothing is found or
 * nothing is kept, and the caller makes the bytes again.
 *
 * Entries are whole or ignored (length and checksum), the user's own or ignored, and appear at
 * once; several processes may use a folder at the same time. Entries that have not been read for
 * longest go when new ones would make the folder larger than it may be. */
#ifndef HCC_CODEGEN_CACHE_H
#define HCC_CODEGEN_CACHE_H

#include "base/map.h"

typedef struct Cache Cache;

/* Makes the folder where there is none. NULL and *why (in `arena`) when it cannot be used. */
Cache *cache_open(Arena *arena, const char *folder, uint64_t most_bytes, const char **why);
/* The folder that the environment names (HCC_CACHE_DIR, XDG_CACHE_HOME, HOME), of as many MiB as
 * HCC_CACHE_SIZE says. Returns what is wrong with a setting, or NULL; *cache is NULL, and *why
 * tells it, where there is to be none or it cannot be used. */
const char *cache_open_user(Arena *arena, Cache **cache, const char **why);
void cache_close(Cache *cache); /* NULL is fine */
const char *cache_folder(const Cache *cache);

typedef struct {
    WideHash key;
    const void *bytes;
    size_t length;
} CacheEntry;

/* Fills in bytes (in `arena`, a NUL beyond them) and length of what entry->key names; false when it
 * is not there. Several threads may read, each with its own arena. */
bool cache_read(Cache *cache, Arena *arena, CacheEntry *entry);
void cache_write(Cache *cache, Arena *arena, const CacheEntry *entries, uint32_t n_entries);

/* How often cache_read found what it looked for, and how often not. */
void cache_counts(const Cache *cache, uint32_t *found, uint32_t *missed);

#endif
