/* Kernels of matrix products: packing of operands, and products of what is packed.
 *
 * An operand is packed in panels as wide as the block of the result that stays in registers (rows
 * of the left one, columns of the right one), and in blocks of `depth` terms of the sum, so that
 * the innermost loop reads both from one address on:
 *
 *   [block of terms][panel][group of terms][row or column of the panel][term of the group]
 *
 * Where an operand ends inside a panel or a group, zeros stand. The runtime walks over blocks and
 * shares out panels (runtime/run/product.c); every sum is one chain from its first term to its last
 * one, however work is shared out. */
#ifndef HCC_LOWER_PRODUCT_PRODUCT_H
#define HCC_LOWER_PRODUCT_PRODUCT_H

#include "nest/nest.h"
#include "schedule/products.h"

/* Task: a panel. Buffers: 0 what is packed, read; 1 the panels of a block of terms, written.
 * Extents: columns (those that there are, of all panels), depth (terms, at most a block). */
NestKernel *product_pack(Arena *arena, const char *name, const ProductPack *pack);

/* How a kernel multiplies. */
typedef struct {
    int64_t direct; /* bf16 from one row of a left operand that is not packed to the next; else 0 */
    bool rounds;    /* the result is of bf16 */
} ProductForm;

/* One task. Buffers: 0 panels of rows (or rows of the operand: whole panels, and whole groups of
 * terms), 1 panels of columns, read; 2 the result, written or added to. Extents: rows, columns,
 * depth, step, adds. One that rounds writes the result to buffer 3, and 2, in rows of a task's
 * `width`, is what it adds to. */
NestKernel *product_multiply(Arena *arena, const char *name, const MachineProduct *product,
                             const ProductForm *form);

#endif
