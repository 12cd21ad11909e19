/* The textual form of tensor IR, shared by printer and reader. One value a line:
 *
 *     tir 1
 *     space "t" 8
 *     param "w" "layer" real[3,4] normal 0 0.02 decay
 *     input "x" real[4]@pos1
 *     %1 = param 0 : real[3,4]
 *     %2 = input 0 : real[4]@pos1
 *     %3 = contract %1 %2 "ab,b->a" : real[3]@pos1 "y"
 *     output named "y" 0 %3
 *
 * A type is element[extents]@domain; domains are none (global), @sample, @posN (position of space
 * N) and @timeN (the same at every sample). An op's attributes follow its operands as the rows of
 * tir_attrs.def say. A loop holds its body's lines in braces, beginning
 * with the types of the arguments and ending with what it yields. `;` starts a comment. */
#ifndef HCC_TIR_TEXT_H
#define HCC_TIR_TEXT_H

#include "tir/tir_attr.h"
#include "tir/tir_internal.h"

/* Names as they stand in the text, by enumerator. */
extern const char *const tir_role_names[TIR_OUT_COUNT];

#define TIR_TEXT_NESTING 64

#endif
