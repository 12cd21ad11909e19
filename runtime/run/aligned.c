#include "runtime/run/aligned.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Whether the system can give that many bytes. It would promise more than it has, and kill us when
 * we take it. What cannot be read is taken for enough. */
static bool memory_has(size_t bytes) {
    FILE *file = bytes < (size_t)64 << 20 ? NULL : fopen("/proc/meminfo", "re");
    if (!file)
        return true;
    char line[128];
    double available = -1, swap = 0, kilobytes;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "MemAvailable: %lf", &kilobytes) == 1)
            available = kilobytes;
        else if (sscanf(line, "SwapFree: %lf", &kilobytes) == 1)
            swap = kilobytes;
    }
    fclose(file);
    return available < 0 || (double)bytes <= 1024 * (available + swap);
}

/* Large pages halve the cost of streaming through it. */
static size_t alignment_of(size_t bytes) {
    return bytes >= (size_t)4 << 20 ? (size_t)2 << 20 : 64;
}

void *hc_aligned(size_t bytes) {
    size_t alignment = alignment_of(bytes), size = (bytes + alignment - 1) / alignment * alignment;
    if (size < bytes || !memory_has(size))
        return NULL;
    void *memory = aligned_alloc(alignment, size ? size : alignment);
    if (!memory)
        return NULL;
    if (alignment > 64)
        madvise(memory, size, MADV_HUGEPAGE);
    return memory;
}

void *hc_aligned_zero(size_t bytes) {
    void *memory = hc_aligned(bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

void *hc_aligned_lazily(size_t bytes, void **block) {
    const size_t alignment = alignment_of(bytes), size = bytes + alignment;
    *block = size < bytes || !memory_has(size) ? NULL : calloc(1, size);
    if (!*block)
        return NULL;
    uint8_t *memory = (uint8_t *)*block + (alignment - (uintptr_t)*block % alignment) % alignment;
    if (alignment > 64)
        madvise(memory, bytes / alignment * alignment, MADV_HUGEPAGE);
    return memory;
}
