/* "Did you mean": the nearest of some names, by optimal string alignment distance. Here because the
 * compiler, its command line and built executables suggest names alike. */
#ifndef HC_NEAREST_H
#define HC_NEAREST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { HC_NEAREST_LONGEST = 64 }; /* longer names are not compared */

/* Insertions, deletions, substitutions and swaps of neighbours that turn a into b. */
static inline size_t hc_edit_distance(const char *a, size_t a_length, const char *b,
                                      size_t b_length) {
    size_t rows[3][HC_NEAREST_LONGEST + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_length; j++)
        before[j] = above[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            const size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
            const size_t other = (above[j] < row[j - 1] ? above[j] : row[j - 1]) + 1;
            row[j] = change < other ? change : other;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        size_t *reused = before;
        before = above;
        above = row;
        row = reused;
    }
    return above[b_length];
}

/* NULL: none is near. Candidates may be NULL. */
static inline const char *hc_nearest_name(const char *name, const char *const *candidates,
                                          size_t count) {
    const size_t length = strlen(name);
    if (length == 0 || length > HC_NEAREST_LONGEST)
        return NULL;
    /* One typo in a short name, two or three in a long one; a one-letter name has no typos. */
    size_t least = (length == 1 ? 0 : length <= 4 ? 1 : length <= 8 ? 2 : 3) + 1;
    const char *best = NULL;
    for (size_t k = 0; k < count; k++) {
        const size_t other = candidates[k] ? strlen(candidates[k]) : 0;
        if (other == 0 || other > HC_NEAREST_LONGEST)
            continue;
        const size_t distance = hc_edit_distance(name, length, candidates[k], other);
        if (distance < least) {
            least = distance;
            best = candidates[k];
        }
    }
    return best;
}

#endif
