#ifndef HC_CPUS_H
#define HC_CPUS_H

#include "runtime/hc.h"
#include <stdbool.h>

/* The CPUs that this thread may run on, a bit each; all bits 0: the system does not say. */
typedef struct {
    uint8_t bits[128];
} HcCpus;
HcCpus hc_cpus(void);

/* Whether this machine has the feature that LLVM calls so; true for names we do not know. */
bool hc_cpu_has(const char *feature);

#endif
