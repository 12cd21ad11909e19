/* The command line of built executables. */
#ifndef HC_APP_H
#define HC_APP_H

#include "runtime/hc.h"

/* Commands: train, eval, sample, bench, info. Returns the exit code. Handles SIGINT, SIGTERM and
 * SIGHUP; calls hc_process_init. */
int hc_main(const HcModel *model, int argc, char **argv);

#endif
