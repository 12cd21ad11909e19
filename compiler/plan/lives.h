/* When what calls write is needed: from the step that first writes it to the last that touches it.
 * Steps run calls, in the plan's order or another. */
#ifndef HCC_PLAN_LIVES_H
#define HCC_PLAN_LIVES_H

#include "plan/plan.h"

enum { NEVER = UINT32_MAX, FOR_EVER = UINT32_MAX - 1 };

typedef struct {
    Arena *arena;
    uint32_t n;             /* slots; behind each the same of its second copy, n further on */
    uint32_t *first, *last; /* steps: of slots, then of second copies; NEVER */
    TirIdVec born;          /* what was written, in order of first writes */
} Lives;

Lives lives_create(Arena *arena, uint32_t n);
/* Forgets all that was touched. */
void lives_begin(Lives *lives);
/* What `call` touches at this step; where `second` holds of a slot, it means the second copy. NULL:
 * of none. Steps come in order. */
void lives_touch(Lives *lives, uint32_t step, const Call *call, const bool *second);
/* Outputs are needed until this step. */
void lives_keep_outputs(Lives *lives, const TirProgram *p, uint32_t until);

#endif
