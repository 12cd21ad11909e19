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
 * N) and @sharedN (the same at every sample). A loop holds its body's lines in braces, beginning
 * with the types of the arguments and ending with what it yields. `;` starts a comment. */
#ifndef HCC_TIR_TEXT_H
#define HCC_TIR_TEXT_H

#include "tir/tir_internal.h"

/* Which attributes an op has, and how they are written. */
typedef enum {
    TIR_FORM_NONE,
    TIR_FORM_INDEX,   /* 3 */
    TIR_FORM_NUMBER,  /* 0.5 */
    TIR_FORM_COUNT,   /* @pos1 */
    TIR_FORM_AXES,    /* axes 0 2: one for each of the operand's */
    TIR_FORM_WINDOW,  /* axis 0 start 2 */
    TIR_FORM_AXIS,    /* axis 0 */
    TIR_FORM_INDICES, /* axis 0 indices 2 -1 0 */
    TIR_FORM_MASK,    /* axes 0 2: those reduced */
    TIR_FORM_LABELS,  /* "ab,b->a" */
    TIR_FORM_ROWS,    /* rows 8 */
    TIR_FORM_OFFSET,  /* offset -1, or of two coordinates: offset -1 2 */
    TIR_FORM_ATTEND,  /* causal scale 0.125 */
    TIR_FORM_SCAN     /* trips 3 reverse carried 1 invariant 0 scanned 0 stacked 0 { ... } */
} TirForm;

TirForm tir_op_form(TirOp op);

/* Names as they stand in the text, by enumerator. */
extern const char *const tir_role_names[7];

#define TIR_TEXT_NESTING 64

#endif
