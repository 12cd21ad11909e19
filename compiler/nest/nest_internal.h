/* What the files of nest*.c share and nobody else sees. */
#ifndef HCC_NEST_NEST_INTERNAL_H
#define HCC_NEST_NEST_INTERNAL_H

#include "nest/nest.h"

enum { NEST_DEEPEST = 64, NEST_MOST_LANES = 256 };

/* The word of each operation and how many operands it has (-1: its own rule). */
const char *nest_op_text(NestOp op);
int nest_op_operands(NestOp op);

extern const char *const nest_elem_text[NEST_ELEMS]; /* by NestElem */
extern const char *const nest_extent_text[NEST_EXTENT_COUNT];
extern const char *const nest_loop_text[4]; /* by NestLoopKind */

/* That the kinds of loops are true (nest_kinds.c), of a kernel that is well formed otherwise. */
const char *nest_verify_kinds(const NestKernel *kernel, Arena *scratch);

/* True when the instruction defines a value (LOOP does only in the text, for RESULT to name). */
bool nest_defines(const NestInstruction *i);

#endif
