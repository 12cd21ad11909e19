/* The bytes of files of data. */
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
/* Up to `size` bytes of an open file from `at` on; *got is less at its end. `path` is for messages.
 */
HcStatus hc_read_at(int file, const char *path, int64_t at, void *bytes, size_t size, size_t *got,
                    HcError *error);

#endif
