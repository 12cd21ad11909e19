/* The copy of a tokenizer's files that a run keeps. */
#ifndef HC_TOKENIZER_COPY_H
#define HC_TOKENIZER_COPY_H

#include "runtime/tokens/tokenizer.h"

#define HC_RUN_TOKENIZER "tokenizer" /* a folder in the run's */

HcStatus hc_tokenizer_copy(const char *run, const HcTokenizerFiles *files, HcError *error);
HcStatus hc_tokenizer_copy_remove(const char *run, HcError *error);

#endif
