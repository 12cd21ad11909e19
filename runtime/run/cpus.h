#ifndef HC_CPUS_H
#define HC_CPUS_H

#include "runtime/hc.h"
#include <stdbool.h>

/* Whether this machine has the feature that LLVM calls so; true for names we do not know. */
bool hc_cpu_has(const char *feature);

#endif
