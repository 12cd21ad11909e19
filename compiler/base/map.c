/* Open addressing over 32-bit indices into a list of entries kept in order of insertion. An entry
 * never moves, so a slot stays valid while the map grows. */
#include "base/map.h"
#include "base/vec.h"
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { FIRST_TABLE = 16 }; /* a power of two, as every later size */

typedef struct {
    const void *key;
    size_t length;
    uint64_t hash;
    void *value;
} Entry;

struct Map {
    Arena *arena;
    VEC(Entry *) entries;
    uint32_t *table; /* index into entries + 1; 0 = empty */
    uint32_t table_size;
};

uint64_t hash_bytes(const void *bytes, size_t length, uint64_t seed) {
    return XXH64(bytes, length, seed);
}

WideHash hash_bytes_wide(const void *bytes, size_t length) {
    XXH128_hash_t hash = XXH3_128bits(bytes, length);
    return (WideHash){hash.high64, hash.low64};
}

Map *map_create(Arena *arena) {
    Map *map = ARENA_NEW(arena, Map);
    map->arena = arena;
    map->table_size = FIRST_TABLE;
    map->table = ARENA_ARRAY(arena, uint32_t, FIRST_TABLE);
    return map;
}

/* The table's cell for a key: the one that holds it, or the empty one where it would go. */
static uint32_t *map_cell(const Map *map, const void *key, size_t length, uint64_t hash) {
    uint32_t mask = map->table_size - 1;
    for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
        uint32_t *cell = &map->table[i];
        if (*cell == 0)
            return cell;
        const Entry *entry = map->entries.at[*cell - 1];
        if (entry->hash == hash && entry->length == length &&
            (length == 0 || memcmp(entry->key, key, length) == 0))
            return cell;
    }
}

static void map_double_table(Map *map) {
    map->table_size *= 2;
    map->table = ARENA_ARRAY(map->arena, uint32_t, map->table_size);
    uint32_t mask = map->table_size - 1;
    for (uint32_t k = 0; k < map->entries.count; k++) {
        uint32_t i = (uint32_t)map->entries.at[k]->hash & mask;
        while (map->table[i] != 0)
            i = (i + 1) & mask;
        map->table[i] = k + 1;
    }
}

void **map_slot(Map *map, const void *key, size_t length) {
    uint64_t hash = hash_bytes(key, length, 0);
    uint32_t *cell = map_cell(map, key, length, hash);
    if (*cell != 0)
        return &map->entries.at[*cell - 1]->value;
    if (map->entries.count >= map->table_size / 2) {
        map_double_table(map);
        cell = map_cell(map, key, length, hash);
    }
    Entry *entry = ARENA_NEW(map->arena, Entry);
    entry->key = arena_copy_string(map->arena, key, length);
    entry->length = length;
    entry->hash = hash;
    vec_push(map->arena, &map->entries, entry);
    *cell = map->entries.count;
    return &entry->value;
}

void *map_get(const Map *map, const void *key, size_t length) {
    const uint32_t *cell = map_cell(map, key, length, hash_bytes(key, length, 0));
    return *cell ? map->entries.at[*cell - 1]->value : NULL;
}

void **map_slot_str(Map *map, const char *key) {
    return map_slot(map, key, strlen(key));
}

void *map_get_str(const Map *map, const char *key) {
    return map_get(map, key, strlen(key));
}

void **map_slot_u64(Map *map, uint64_t key) {
    return map_slot(map, &key, sizeof key);
}

void *map_get_u64(const Map *map, uint64_t key) {
    return map_get(map, &key, sizeof key);
}

uint32_t map_count(const Map *map) {
    return map->entries.count;
}

const void *map_key_at(const Map *map, uint32_t k, size_t *length) {
    if (length)
        *length = map->entries.at[k]->length;
    return map->entries.at[k]->key;
}

void *map_value_at(const Map *map, uint32_t k) {
    return map->entries.at[k]->value;
}
