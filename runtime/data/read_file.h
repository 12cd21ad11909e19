/* The bytes of one file of data. */
#ifndef HC_READ_FILE_H
#define HC_READ_FILE_H

#include "runtime/files/error.h"

#include <stddef.h>
#include <stdint.h>

/* What must be done first with a file that begins like this, as "compressed: unpack it first
 * (gunzip)"; NULL: nothing. */
const char *hc_packed_kind(const uint8_t *bytes, size_t size);
/* The whole file; *bytes is the caller's to free. Refuses folders, empty files and packed ones. */
HcStatus hc_read_file(const char *path, uint8_t **bytes, size_t *size, HcError *error);

#endif
