/* What a run of several ranks would take: hcc info --ranks. */
#ifndef HCC_DRIVER_FORESEEN_H
#define HCC_DRIVER_FORESEEN_H

#include "driver/pipeline.h"
#include <jansson.h>

typedef struct {
    uint32_t ranks;
    int64_t parts, most_parts; /* of a step; of a rank */
    uint64_t sent, most_sent;  /* bytes, in a step, by a rank: the mean, and the most */
    uint64_t messages;         /* the most that a rank sends */
    double memory;             /* bytes, of the rank that takes most */
    bool timed;                /* a network was named: */
    bool measured;             /* by what a step was said to take; else by assumed speeds: */
    double alone;              /* seconds of a step by one process, */
    double computing;          /* by these: what the rank with most computes, */
    double talking;            /* what messages take where nothing is computed meanwhile, */
    double waiting;            /* and what of that is waited for */
} Foreseen;

/* Of the model that stands after MEMORY, which goes on to MANIFEST. `memory`: of one process. Says
 * what is wrong. */
ExitCode foreseen_make(Driver *d, CompileRun *run, double memory, Foreseen *foreseen);
json_t *foreseen_json(const Foreseen *foreseen);
void foreseen_print(Driver *d, const Foreseen *foreseen);

#endif
