/* What writing and reading checkpoints have in common: the checksum in the header, and the hash of
 * values. */
#ifndef HC_CHECKPOINT_INTERNAL_H
#define HC_CHECKPOINT_INTERNAL_H

#include "runtime/files/checkpoint.h"

#include <stddef.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define CHECKSUM_KEY "hcc.checksum"
#define CHECKSUM_NONE "0000000000000000"
enum { CHECKSUM_DIGITS = 16 };

size_t hc_tensor_bytes(const HcTensor *tensor);
/* Where the digits of the checksum stand in a header; NULL: not there. */
char *hc_find_checksum(char *header, size_t size);
/* `count` values as floats, wherever they lie. */
void hc_hash_values(XXH3_state_t *hash, const void *values, int64_t count, uint32_t element_size);

#endif
