/* A model's elements, of numbers that the interpreter has as doubles. */
#ifndef HCC_TESTS_ELEMENTS_H
#define HCC_TESTS_ELEMENTS_H

#include "base/arena.h"
#include <stdbool.h>
#include <stdint.h>

/* int32_t, double or float; as much memory as doubles take. */
static inline void *elements_of(Arena *arena, const double *from, uint64_t count, bool integer,
                                bool f64) {
    double *to = ARENA_ARRAY(arena, double, count);
    for (uint64_t k = 0; k < count; k++) {
        if (integer)
            ((int32_t *)to)[k] = (int32_t)from[k];
        else if (f64)
            to[k] = from[k];
        else
            ((float *)to)[k] = (float)from[k];
    }
    return to;
}

#endif
