/* The C header of a compiled model, made from runtime/hc.h: the same functions with the model's
 * name for a prefix, without the argument that says which model. */
#ifndef HCC_DRIVER_HEADER_H
#define HCC_DRIVER_HEADER_H

#include "base/arena.h"
#include "base/vec.h"

typedef VEC(const char *) NameVec;

/* The functions of runtime/hc.h in order, by what follows their `hc_`: "create", "forward", ... */
NameVec header_functions(Arena *arena);
/* Text of the header for a model of that name. */
const char *header_text(Arena *arena, const char *model);

#endif
