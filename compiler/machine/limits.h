/* The limits of the planner and the schedule, as numbers and as a list. */
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
