/* Signals: for a whole program alone. */
#ifndef HC_SIGNALS_H
#define HC_SIGNALS_H

#include "runtime/hc.h"

/* From now on the first SIGINT, SIGTERM or SIGHUP asks to stop, the second kills. A SIGHUP that was
 * ignored stays so. */
void hc_signals_install(void);
/* A file that grows beyond its limit is an error of writing. */
void hc_signals_of_files(void);
int hc_signals_stop(void *unused); /* the signal that came; for HcTrainOptions.stop */
/* One that came to another process of the same run. */
void hc_signals_came(int number);
/* hc_exit_code; after an interruption 128 + the signal that came. */
int hc_signals_exit_code(HcStatus status);

#endif
