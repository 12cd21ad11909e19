/* JSON in files, such as runs leave there. */
#ifndef HC_JSON_FILE_H
#define HC_JSON_FILE_H

#include "runtime/files/error.h"
#include <jansson.h>

/* The object that is all of a regular file of at most 128 MiB; the caller releases it.
 * HC_ERROR_CHECKPOINT where there is none, *object is NULL then. */
HcStatus hc_json_file(const char *path, json_t **object, HcError *error);
/* All of a regular file of at most 128 MiB and a NUL, to be freed; NULL after a failure. */
HcStatus hc_text_file(const char *path, char **text, size_t *length, HcError *error);

#endif
