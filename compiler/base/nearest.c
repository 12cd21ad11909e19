/* "Did you mean": optimal string alignment distance over short names. */
#include "base/diag.h"
#include <string.h>

enum { LONGEST = 64 }; /* longer names are not compared */

static uint32_t smaller(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Insertions, deletions, substitutions and swaps of neighbours that turn a into b. */
static uint32_t edit_distance(const char *a, uint32_t a_length, const char *b, uint32_t b_length) {
    uint32_t rows[3][LONGEST + 1];
    uint32_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (uint32_t j = 0; j <= b_length; j++)
        before[j] = above[j] = j;
    for (uint32_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (uint32_t j = 1; j <= b_length; j++) {
            uint32_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = smaller(change, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smaller(row[j], before[j - 2] + 1);
        }
        uint32_t *reused = before;
        before = above;
        above = row;
        row = reused;
    }
    return above[b_length];
}

const char *nearest_name(const char *name, const char *const *candidates, uint32_t count) {
    size_t length = strlen(name);
    if (length == 0 || length > LONGEST)
        return NULL;
    /* One typo in a short name, two or three in a long one; a one-letter name has no typos. */
    uint32_t best_distance = (length == 1 ? 0 : length <= 4 ? 1 : length <= 8 ? 2 : 3) + 1;
    const char *best = NULL;
    for (uint32_t k = 0; k < count; k++) {
        size_t other = candidates[k] ? strlen(candidates[k]) : 0;
        if (other == 0 || other > LONGEST)
            continue;
        uint32_t distance = edit_distance(name, (uint32_t)length, candidates[k], (uint32_t)other);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidates[k];
        }
    }
    return best;
}
