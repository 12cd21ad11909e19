/* The limits of passes, planner and schedule, as numbers and as a list.
 *
 * A limit is a choice and the same for every processor: passes and plans are made for none, so that
 * a model is cut up and rounded alike wherever it runs. What registers and caches allow is a fact
 * of a processor and stands in its record (machine.h), from which a schedule may take smaller
 * blocks than those named here, never larger ones. */
#ifndef HCC_MACHINE_LIMITS_H
#define HCC_MACHINE_LIMITS_H

#include <stdint.h>

enum {
#define LIMIT(name, value, counted, beyond) name = (value),
#include "machine/limits.def"
};

typedef struct {
    const char *name;
    uint32_t value;
    const char *counted; /* "extent", "elements", ... */
    const char *beyond;  /* what is done otherwise from there on */
} Limit;

/* All of them, ended by one without a name. */
const Limit *limits_all(void);

#endif
