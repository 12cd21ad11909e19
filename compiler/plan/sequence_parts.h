/* Which parts of a sequence's body tasks can share out. */
#ifndef HCC_PLAN_SEQUENCE_PARTS_H
#define HCC_PLAN_SEQUENCE_PARTS_H

#include "machine/limits.h"
#include "tir/tir.h"

/* The body's program for one of `parts` parts; itself when there is one. `apart` says by input,
 * then by state, which of them have parts. */
TirProgram *sequence_parts(TirProgram *of, uint32_t n_states, uint32_t *parts, bool *apart);

#endif
