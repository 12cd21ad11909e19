/* Text as bytes. */
#ifndef HC_READ_TEXT_H
#define HC_READ_TEXT_H

#include "runtime/files/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct {
    uint8_t *bytes; /* the caller's to free */
    int64_t count, files;
} HcText;

/* A file, or a folder: all regular files below it, names sorted as bytes, without hidden ones, run
 * folders and what is no text, of which `notes` (or NULL) tells. No text is what holds a zero byte,
 * is packed or is UTF-16; as_bytes: everything is. Of a failure nothing is left. */
HcStatus hc_read_text(const char *path, bool as_bytes, FILE *notes, HcText *text, HcError *error);
bool hc_file_is_text(const char *path); /* false, too, for what cannot be read */

#endif
