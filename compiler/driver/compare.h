/* Runs beside each other, for all commands that show such. */
#ifndef HCC_DRIVER_COMPARE_H
#define HCC_DRIVER_COMPARE_H

#include "driver/driver.h"
#include "runtime/runs/compare.h"

/* Of what paths name, with --baseline; says what is wrong. Both are to be freed whatever comes of
 * it.
 */
ExitCode compare_read(Driver *d, const HcOptionList *paths, HcPastRuns *runs,
                      HcComparison *comparison);
/* Says which runs could not be read, whole or at all: EXIT_DATA for the latter. */
ExitCode compare_tell(Driver *d, const HcPastRuns *runs);
/* What `hcc compare` prints of these paths, by the options that it has. */
ExitCode compare_runs(Driver *d, const HcOptionList *paths);

#endif
