/* How memory is laid out and work is cut: laws that the compiler plans by and the runtime keeps.
 * Functions of their arguments alone, so that results depend on no machine and no thread. */
#ifndef HC_LAYOUT_H
#define HC_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    HC_ALIGN = 64,          /* bytes: a cache line, and the widest vector */
    HC_TILE_STEP = 16,      /* instances: tiles are multiples, regions have room for whole ones */
    HC_TILE_MOST = 256,     /* instances of a task */
    HC_TASKS_WANTED = 8,    /* of a kernel, before its tiles grow */
    HC_SUM_POSITIONS = 512, /* that a product over positions adds up at once; about a chunk */
    HC_PANEL_BYTES = 1024,  /* of a row or column that kernels of products pack at once, at most */
    HC_PANEL_MOST = 64      /* columns that they pack side by side, at most */
};

static inline uint64_t hc_round_up(uint64_t x, uint64_t to) {
    return (x + to - 1) / to * to;
}

static inline uint64_t hc_divide_up(uint64_t x, uint64_t by) {
    return (x + by - 1) / by;
}

/* Bytes that what lies there once takes: parameters, regions, values of a whole step. */
static inline uint64_t hc_align(uint64_t bytes) {
    return hc_round_up(bytes, HC_ALIGN);
}

/* Bytes that what lies there for each unit of a count takes, so that many units of whatever lies
 * before it end at a multiple of HC_ALIGN. */
static inline uint64_t hc_align_unit(uint64_t bytes) {
    return hc_round_up(bytes, HC_ALIGN / HC_TILE_STEP);
}

/* Units of a region that holds something for each of so many instances. */
static inline uint64_t hc_units(uint64_t instances) {
    return hc_round_up(instances, HC_TILE_STEP);
}

/* Instances that a task of a kernel runs over. Large tiles, because every task has partial results
 * of its own to begin and to add up; enough of them to keep threads busy. */
static inline uint64_t hc_tile(uint64_t instances) {
    const uint64_t tile = hc_units(hc_divide_up(instances, HC_TASKS_WANTED));
    return tile < HC_TILE_STEP ? HC_TILE_STEP : tile > HC_TILE_MOST ? HC_TILE_MOST : tile;
}

static inline uint64_t hc_tile_tasks(uint64_t instances) {
    return hc_divide_up(instances, hc_tile(instances));
}

/* Tasks of a call that has so many for each sample; where all samples share a value there is one.
 */
static inline uint64_t hc_sample_tasks(bool of_samples, uint64_t samples, uint64_t per_sample) {
    return (of_samples ? samples : 1) * per_sample;
}

/* Positions of a chunk that is to be about so long: whole tasks of kernels, so that chunks and
 * their absence give the same partial results. */
static inline uint64_t hc_chunk(uint64_t about, uint64_t instances) {
    return hc_round_up(about, hc_tile(instances));
}

/* Units of the region that holds a chunk. */
static inline uint64_t hc_chunk_units(uint64_t about, uint64_t instances) {
    const uint64_t chunk = hc_chunk(about, instances);
    return hc_units(chunk < instances ? chunk : instances);
}

/* Bytes of a packed operand of so many columns and terms, at most: of any processor. The last panel
 * and the last block of terms are whole. */
static inline uint64_t hc_packed_most(uint64_t columns, uint64_t terms, uint64_t number_bytes) {
    return (columns + HC_PANEL_MOST) * (terms * number_bytes + HC_PANEL_BYTES);
}

/* Sums of parts of a batch that may wait at once to be added up: one for each bit of a part's
 * number. */
static inline uint32_t hc_part_levels(uint64_t parts) {
    uint32_t levels = 0;
    for (uint64_t last = parts ? parts - 1 : 0; last > 0; last /= 2)
        levels++;
    return levels;
}

#endif
