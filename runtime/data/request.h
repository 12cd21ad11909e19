/* What is to be read, and whether what was read is what a run has read. */
#ifndef HC_DATA_REQUEST_H
#define HC_DATA_REQUEST_H

#include "runtime/files/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef enum { HC_TRAIN_PART, HC_HELD_OUT_PART } HcPart;

/* What is to be read, besides what the plan says. */
typedef struct {
    const char *const *given; /* of the command line */
    int32_t n_given;
    const json_t *run;  /* `data` of the config.json of the run that is evaluated or goes on, or an
                           empty object; NULL: a new run */
    bool trains;        /* what is read is trained on */
    bool whole;         /* the training part is read, too */
    const char *folder; /* where the plan's relative names begin; NULL: the working directory */
    bool as_bytes;      /* text may be anything */
    bool may_differ;    /* data that are not those of the run are told, but no error */
    FILE *notes;        /* one line each; NULL: none */
} HcDataRequest;

/* The data are not those of the run: an error, or a warning among the notes. */
HcStatus hc_data_changed(const HcDataRequest *request, HcError *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

enum { HC_HASH_TEXT = 17 };
void hc_hash_text(uint64_t hash, char text[HC_HASH_TEXT]);

#endif
