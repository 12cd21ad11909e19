/* Extents made up for a definition that nobody uses, and what its text says of them: what it gives
 * one of them instead is taken in the next attempt, so that only what no extents avoid is said. */
#ifndef HCC_SEMA_TRIAL_EXTENTS_H
#define HCC_SEMA_TRIAL_EXTENTS_H

#include "sema/value/value.h"

enum { TRIAL_EXTENTS = 8 };
typedef struct {
    uint32_t extents[TRIAL_EXTENTS];
    uint32_t settled[TRIAL_EXTENTS]; /* by the text; 0: by nothing yet */
    bool too_large, small;           /* a tensor of them; they have been made smaller */
    bool again;
} Trial;

Trial trial_begin(void);
/* An extent nothing tells. */
uint32_t trial_extent(Sema *s, uint32_t *next);
/* Two extents that should be one: if just one of them was made up, it may be the other. */
void trial_differ(Sema *s, uint32_t a, uint32_t b);
void trial_dims_differ(Sema *s, uint32_t rank, const uint32_t *a, const uint32_t *b);
/* Takes what the last attempt found; false when it found nothing. */
bool trial_learn(Trial *tried);

#endif
