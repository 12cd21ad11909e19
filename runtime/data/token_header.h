/* What a token file says of itself. */
#ifndef HC_TOKEN_HEADER_H
#define HC_TOKEN_HEADER_H

#include "runtime/data/token_file.h"

/* Where the tokens of an open file of so many bytes are, how wide, and how many: what stands there
 * must agree. Without a header they have `width` bits; 0: not said. */
HcStatus hc_token_header(HcTokenFile *file, int64_t bytes, int64_t width, HcError *error);

#endif
