/* Matrix products by a model's own kernels. */
#ifndef HC_PRODUCT_H
#define HC_PRODUCT_H

#include "abi/abi.h"
#include "runtime/run/threads.h"
#include <stdbool.h>
#include <stddef.h>

/* How its kernels pack and multiply: see compiler/lower/product.h. */
typedef struct {
    int64_t rows, columns; /* of a panel of the left operand; of the right one */
    int64_t depth;         /* terms that are packed at a time */
    int64_t block, width;  /* rows and columns of a task at most, whole panels */
    int64_t bytes;         /* of a packed number */
} HcProductShape;

/* c[m][n] = a[m][k] * b[k][n], or the same added to it: operands of as many bytes as their packing
 * kernels read; sums of f32, which may be rounded to bf16 in the end. */
typedef struct {
    HcKernel *pack_left, *pack_right;
    HcKernel *const *multiply; /* and behind it the one that rounds, if `rounds` */
    HcKernel *const *direct;   /* the same without packing the left operand, rows of which are whole
                                  panels; or NULL */
    bool rounds;               /* c is of bf16 */
    int64_t m, n, k;
    bool transpose_a, transpose_b; /* as they lie in memory */
    int64_t lda, ldb, ldc;
    bool adds;                /* not with `rounds` */
    int64_t bytes_a, bytes_b; /* of a number */
    const uint8_t *a, *b;
    const uint8_t *right; /* b as hc_product_pack_right packed it before; NULL: it is packed now */
    void *c;
} HcProduct;

/* Bytes of operands that are packed whole: the right one, and the left one if numbers are narrow;
 * and those that a thread works in, in which sums stay until they are rounded. */
size_t hc_product_packed_bytes(const HcProductShape *shape, int64_t m, int64_t n, int64_t k);
size_t hc_product_scratch_bytes(const HcProductShape *shape, bool rounds);
/* Memory of the first thread's, and bytes to the next one's: what `multiply` works in, and behind
 * that hc_product_scratch_bytes. */
typedef struct {
    uint8_t *at;
    size_t stride, own; /* `own`: bytes of `multiply` */
} HcProductScratch;
/* Of the right operand alone, which may be packed ahead, into 64-byte aligned memory, for any
 * number of products. */
size_t hc_product_right_bytes(const HcProductShape *shape, int64_t n, int64_t k);
void hc_product_pack_right(HcPool *pool, const HcProductShape *shape, const HcProduct *product,
                           void *right);
/* The same of some of its rows as they lie in memory, by one thread: from `first` on, a multiple of
 * hc_product_row_step, as is their number where they are not the last. */
int64_t hc_product_row_step(const HcProductShape *shape);
void hc_product_pack_rows(const HcProductShape *shape, const HcProduct *product, int64_t first,
                          int64_t rows, void *right);
/* `packed` and scratch memory are 64-byte aligned. The bits of the result do not depend on the
 * number of threads. */
void hc_product_run(HcPool *pool, const HcProductShape *shape, const HcProduct *product,
                    void *packed, HcProductScratch scratch);

#endif
