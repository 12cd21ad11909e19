/* A run's log, for people and as CSV. */
#ifndef HC_PRINT_LOG_H
#define HC_PRINT_LOG_H

#include "runtime/runs/past_run.h"
#include <stdio.h>

/* At most `rows` of steps, which are two or more, each for as many as it must, and how the run
 * ended. */
HcStatus hc_log_print(const HcPastRun *run, uint32_t rows, FILE *to, HcError *error);
/* Every line, with all fields that any of them has. */
HcStatus hc_log_print_csv(const HcPastRun *run, FILE *to, HcError *error);

#endif
