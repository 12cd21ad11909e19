/* The C header of a compiled model, made from runtime/hc.h: the same functions with the model's
 * name for a prefix, without the argument that says which model. */
#ifndef HCC_DRIVER_HEADER_H
#define HCC_DRIVER_HEADER_H

#include "base/arena.h"
#include "base/vec.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const char *name;     /* what follows `hc_`: "create", "forward", ... */
    bool with_model;      /* it is told which model by its first argument */
    uint32_t n_arguments; /* besides; counted where there is a model */
} HeaderFunction;
typedef VEC(HeaderFunction) HeaderFunctionVec;

/* The functions of runtime/hc.h in order. */
HeaderFunctionVec header_functions(Arena *arena);
/* Text of the header for that model, its functions with that prefix. With `parts` (else NULL) it is
 * a connection: functions that are told a model are there for each, with its name behind the
 * prefix. */
const char *header_text(Arena *arena, const char *model, const char *prefix,
                        const char *const *parts, uint32_t n_parts);

#endif
