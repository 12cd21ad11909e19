/* `sample`, as hcc and built executables do it. */
#ifndef HC_PRINT_SAMPLE_H
#define HC_PRINT_SAMPLE_H

#include "runtime/app/run_options.h"

/* Prints samples of a run or checkpoint as they are made; between several a line `---`.
 * err: for what is to be said of how. */
HcStatus hc_print_sample(const HcModel *model, const HcRunOptions *given, const char *run, FILE *to,
                         FILE *err, HcError *error);

#endif
