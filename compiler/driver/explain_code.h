/* Which kernels are long, and what of the text makes them so, for people. */
#ifndef HCC_DRIVER_EXPLAIN_CODE_H
#define HCC_DRIVER_EXPLAIN_CODE_H

#include "compile/compile.h"

/* After PASS_LOWER; nothing where all are short. */
void explain_code(const CompileRun *run, FILE *to);

#endif
