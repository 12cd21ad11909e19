/* Event files, which TensorBoard reads: what the log says of each step, as scalars. */
#ifndef HC_EVENTS_H
#define HC_EVENTS_H

#include "runtime/files/error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Zero: nothing is written. */
typedef struct {
    FILE *file;
    char *path;
} HcEvents;

/* A new file in the run's folder; what others there say of step `first` and later does not hold any
 * more. */
HcStatus hc_events_open(HcEvents *events, const char *run, int64_t first, HcError *error);
/* The numbers of a line of the log, at its step; null is not a number. Those of an object are
 * OBJECT/NAME, which TensorBoard shows together. */
HcStatus hc_events_add(HcEvents *events, const json_t *line, HcError *error);
/* Reports what could not be written. */
HcStatus hc_events_close(HcEvents *events, HcError *error);

/* Whether a run's folder holds event files of ours; removes them. */
HcStatus hc_events_find(const char *run, bool *found, HcError *error);
HcStatus hc_events_remove(const char *run, HcError *error);

#endif
