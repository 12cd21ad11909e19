/* What passes that write loops out share. */
#ifndef HCC_PASS_WRITE_OUT_H
#define HCC_PASS_WRITE_OUT_H

#include "tir/tir.h"

/* Names loops. */
typedef bool PassLoop(const TirProgram *p, const TirNode *loop);

/* A program with the loops written out that `wanted` names (write_out.c); p: there are none. */
TirProgram *pass_write_out_where(TirProgram *p, PassLoop *wanted);
/* How many values a loop makes once it is written out, and loops in it; 0: `wanted` does not name
 * it. Counted no further than what is more than `most`. */
uint64_t pass_written_size(const TirProgram *p, const TirNode *node, PassLoop *wanted,
                           uint64_t most);

#endif
