/* The lines of a run's log.jsonl, one after the other. */
#ifndef HC_READ_LOG_H
#define HC_READ_LOG_H

#include "runtime/files/error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

typedef struct {
    FILE *file;
    char *path, *text; /* text: room for a line */
    int64_t number;    /* of the line read last, from 1 */
    int64_t step;      /* its step */
    bool torn;         /* the last line was not written whole, and is passed over */
    HcError *error;
} HcLogReader;

/* Of the run folder `run`. After a failure there is nothing to close. */
HcStatus hc_log_open(HcLogReader *reader, const char *run, HcError *error);
/* *line: an object whose `step` is a whole number above that of the line before; the caller's to
 * release. NULL: there is no further one. */
HcStatus hc_log_next(HcLogReader *reader, json_t **line);
/* From the first line again. */
void hc_log_again(HcLogReader *reader);
void hc_log_close(HcLogReader *reader);

#endif
