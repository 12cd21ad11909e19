/* Hash maps in an arena. Keys are byte strings (copied) or 64-bit integers. Iteration is in order
 * of insertion, so nothing a compiler prints depends on addresses. Nothing is ever removed.
 * A slot stays where it is while the map grows. Keep integer and string keys in separate maps. */
#ifndef HCC_BASE_MAP_H
#define HCC_BASE_MAP_H

#include "base/arena.h"
#include <stdbool.h>

typedef struct Map Map;

Map *map_create(Arena *arena);
void **map_slot(Map *map, const void *key, size_t length);     /* inserts NULL when absent */
void *map_get(const Map *map, const void *key, size_t length); /* NULL when absent */
void **map_slot_str(Map *map, const char *key);
void *map_get_str(const Map *map, const char *key);
void **map_slot_u64(Map *map, uint64_t key);
void *map_get_u64(const Map *map, uint64_t key);
uint32_t map_count(const Map *map);
/* The k-th entry in order of insertion. */
const void *map_key_at(const Map *map, uint32_t k, size_t *length);
void *map_value_at(const Map *map, uint32_t k);

uint64_t hash_bytes(const void *bytes, size_t length, uint64_t seed); /* xxhash64 */
/* Wide enough that two different texts never meet by chance: stands for the text itself. */
typedef struct {
    uint64_t high, low;
} WideHash;
WideHash hash_bytes_wide(const void *bytes, size_t length); /* XXH3, 128 bits */

#endif
