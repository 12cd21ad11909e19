/* Growable arrays in an arena, typed by macro:
 *
 *     typedef VEC(TirId) TirIdVec;
 *     TirIdVec v = {0};
 *     vec_push(arena, &v, id);
 *     for (uint32_t i = 0; i < v.count; i++) use(v.at[i]);
 */
#ifndef HCC_BASE_VEC_H
#define HCC_BASE_VEC_H

#include "base/arena.h"

#define VEC(Type)                                                                                  \
    struct {                                                                                       \
        Type *at;                                                                                  \
        uint32_t count, capacity;                                                                  \
    }

#define vec_reserve(arena, v, wanted)                                                              \
    do {                                                                                           \
        if ((wanted) > (v)->capacity) {                                                            \
            uint32_t vec_capacity_ = (v)->capacity ? (v)->capacity : 8;                            \
            while (vec_capacity_ < (wanted))                                                       \
                vec_capacity_ *= 2;                                                                \
            (v)->at = arena_grow((arena), (v)->at, (size_t)(v)->capacity * sizeof *(v)->at,        \
                                 (size_t)vec_capacity_ * sizeof *(v)->at);                         \
            (v)->capacity = vec_capacity_;                                                         \
        }                                                                                          \
    } while (0)

#define vec_push(arena, v, ...)                                                                    \
    do {                                                                                           \
        vec_reserve((arena), (v), (v)->count + 1);                                                 \
        (v)->at[(v)->count++] = (__VA_ARGS__);                                                     \
    } while (0)

#endif
