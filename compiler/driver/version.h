/* What `hcc --version` prints. */
#ifndef HCC_DRIVER_VERSION_H
#define HCC_DRIVER_VERSION_H

#include "base/arena.h"
#include <stdbool.h>
#include <stdio.h>

/* Verbose: also what it was built from and runs with, and what kernels for this machine are decided
 * by. */
void version_print(bool verbose, Arena *arena, FILE *to);

#endif
