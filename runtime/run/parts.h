/* A batch in parts: so many of its samples at a time, one part after the other, with what is summed
 * over samples added up over the parts. */
#ifndef HC_PARTS_H
#define HC_PARTS_H

#include "runtime/run/exec.h"

/* Sums of parts are added in a fixed tree, whoever computed them: two neighbours of equal size as
 * soon as both are there, and what is left over in the end from the last to the first. So while
 * part k is computed there is one partial sum for each bit of k. */
typedef struct {
    HcExec *exec;
    int64_t count;    /* of parts, of exec's samples each */
    uint32_t levels;  /* partial sums of one value that may wait at once */
    uint8_t *memory;  /* of all sums: their levels, then what they came to */
    size_t bytes;     /* of it */
    size_t *places;   /* by sum */
    bool *runs;       /* by call: in the round at hand */
    uint32_t round;   /* that */
    int64_t part;     /* that */
    HcPlaces outside; /* what is not the workspace's */
} HcParts;

/* What is the caller's to do: give the exec's addresses the inputs of a part and tell it which; and
 * take what it wants of a part that is through. */
typedef struct {
    void *user;
    void (*begin)(void *user, int64_t part);
    void (*end)(void *user, int64_t part); /* of the last round */
} HcPartsUser;

HcStatus hc_parts_create(HcParts *parts, HcExec *exec, HcError *error);
void hc_parts_destroy(HcParts *parts);
/* For so many parts of the exec's present extents. Nothing changes on failure. */
HcStatus hc_parts_bind(HcParts *parts, int64_t count, HcError *error);
/* FORWARD, or BOTH: what a backward pass needs of a part is gone when the next one runs. */
void hc_parts_run(HcParts *parts, HcPass pass, HcPlaces outside, const HcPartsUser *user);

#endif
