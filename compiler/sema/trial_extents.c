/* Extents made up for a definition that nobody uses, and what its text says of them. */
#include "sema/trial_extents.h"
#include "sema/elaboration.h"
#include <assert.h>
#include <string.h>

/* Highly divisible, and no two alike, so that an extent taken for another shows. */
static const uint32_t made_up[] = {240, 120, 360, 60, 480, 180, 720, 840};

static_assert(sizeof made_up / sizeof *made_up == TRIAL_EXTENTS, "one each");

Trial trial_begin(void) {
    Trial tried = {0};
    memcpy(tried.extents, made_up, sizeof made_up);
    return tried;
}

uint32_t trial_extent(Sema *s, uint32_t *next) {
    return s->tried.extents[(*next)++ % TRIAL_EXTENTS];
}

/* The place of an extent that is made up still, or TRIAL_EXTENTS. */
static uint32_t trial_place(const Trial *tried, uint32_t extent) {
    uint32_t k = 0;
    while (k < TRIAL_EXTENTS && (tried->extents[k] != extent || tried->settled[k]))
        k++;
    return k;
}

void trial_differ(Sema *s, uint32_t a, uint32_t b) {
    Trial *tried = &s->tried;
    const uint32_t at = trial_place(tried, a), bt = trial_place(tried, b);
    if (!s->trial || (at < TRIAL_EXTENTS) == (bt < TRIAL_EXTENTS))
        return;
    tried->settled[at < TRIAL_EXTENTS ? at : bt] = at < TRIAL_EXTENTS ? b : a;
    tried->again = true;
}

void trial_dims_differ(Sema *s, uint32_t rank, const uint32_t *a, const uint32_t *b) {
    for (uint32_t k = 0; k < rank; k++)
        if (a[k] != b[k])
            trial_differ(s, a[k], b[k]);
}

/* Takes what the last attempt found; false when it found nothing. */
bool trial_learn(Trial *tried) {
    const bool shrinks = tried->too_large && !tried->small;
    const bool again = tried->again || shrinks;
    tried->small = tried->small || shrinks;
    tried->again = tried->too_large = false;
    for (uint32_t k = 0; again && k < TRIAL_EXTENTS; k++)
        tried->extents[k] = tried->settled[k] ? tried->settled[k]
                            : tried->small    ? made_up[k] / 10
                                              : made_up[k];
    return again;
}
