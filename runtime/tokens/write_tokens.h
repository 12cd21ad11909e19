/* Tokens to files that `data tokens` reads. */
#ifndef HC_WRITE_TOKENS_H
#define HC_WRITE_TOKENS_H

#include "runtime/tokens/tokenizer.h"

/* Bits of each token in files of a vocabulary of so many: 16, or 32. */
int32_t hc_tokens_width(int64_t size);
/* NAME.npy: an array of NumPy; NAME.bin: the tokens alone, as nanoGPT has them. Of another name it
 * is HC_ERROR_ARGUMENT. */
HcStatus hc_tokens_write(const char *path, const HcTokens *tokens, int64_t size, HcError *error);
/* Whether the name is one of those. */
HcStatus hc_tokens_check_name(const char *path, HcError *error);

#endif
