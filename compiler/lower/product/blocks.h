/* Products inside a kernel that does more. */
#ifndef HCC_LOWER_PRODUCT_BLOCKS_H
#define HCC_LOWER_PRODUCT_BLOCKS_H

#include "lower/product/product.h"

/* Of a matrix: its first element is number base * scale of the buffer; no base: the first of all.
 */
typedef struct {
    uint32_t buffer;
    NestId base;
    int64_t scale;
} ProductPlace;

/* Packs so many rows or columns, `depth` terms each, into all panels of `covers` of them: what
 * there is not is zero. */
void product_emit_pack(NestBuilder *b, const ProductPack *pack, const ProductPlace *from,
                       NestId all, NestId covers, NestId depth, uint32_t to);

/* result[rows][columns], whose rows lie `step` apart, becomes (adds 0) or grows by (1) the products
 * of the panels at the head of two buffers. */
typedef struct {
    uint32_t left, right, edge; /* edge: see product_edge */
    ProductPlace result;
    /* The result is of bf16, and what it grows by is added to these sums, rows of a task's width.
     */
    bool rounds;
    uint32_t sums;
    NestId rows, columns, depth, step, adds;
    /* Words from row to row of a left operand that is not packed but lies along its terms, each row
     * a whole number of groups; 0: it is packed. Of tiles. */
    int64_t left_step;
    /* Terms of the right operand before the left one's, in groups of those; 0: none. */
    NestId skips;
    /* Not 0: columns are those of this panel of the right operand alone, and rows end with a block;
     * `adds` is known. */
    NestId panel;
} ProductSum;

void product_emit(NestBuilder *b, const MachineProduct *m, const ProductSum *sum);
/* The same, of so many groups of terms: with blocks of the result in vectors, or in tiles. */
void product_emit_registers(NestBuilder *b, const MachineProduct *m, const ProductSum *sum,
                            NestId groups);
void product_emit_tiles(NestBuilder *b, const MachineProduct *m, const ProductSum *sum,
                        NestId groups);
/* What holds a block of a result that ends inside it, where products want such memory. */
uint32_t product_edge(NestBuilder *b, const MachineProduct *m);
/* Before the kernel's first product and after its last one, in its own body. */
void product_tiles(NestBuilder *b, const MachineProduct *m, bool begin);
/* Whether it is known that a result is written, not added to. */
static inline bool product_is_fresh(const NestBuilder *b, const ProductSum *sum) {
    double adds;
    return nest_const_of(b, sum->adds, &adds) && adds == 0;
}
/* What packed operands are made of. */
NestElem product_packed(const MachineProduct *m);

#endif
