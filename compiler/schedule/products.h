/* Which matrix products of a plan run in kernels of their own, and which kernels those are.
 *
 * The rule is one of processor and shape, never of a measurement, as the bits of a result must not
 * depend on the day: f32 products whose sides all have PRODUCT_SIDE elements or more, on a
 * processor that multiplies and adds at once; where it multiplies tiles of bf16, one of the sides
 * may have PRODUCT_THIN. OpenBLAS makes the others. */
#ifndef HCC_SCHEDULE_PRODUCTS_H
#define HCC_SCHEDULE_PRODUCTS_H

#include "plan/plan.h"

/* What an operand is in memory. */
typedef enum {
    OPERAND_F32,
    OPERAND_BF16,
    OPERAND_PAIRS, /* bf16, an even number of terms of a row side by side */
} ProductOperand;

/* How an operand is packed. */
typedef struct {
    const MachineProduct *product;
    bool right; /* the right operand, else the left one */
    ProductOperand from;
    bool across;  /* side by side in memory are rows (columns), else terms */
    int64_t step; /* elements between what is not side by side */
} ProductPack;

typedef struct {
    bool runs;            /* in kernels of its own */
    uint32_t left, right; /* indices into packs */
    uint32_t direct;      /* into directs; PRODUCT_PACKS: its left operand is always packed */
} ProductCall;

enum { PRODUCT_PACKS = UINT32_MAX };

typedef struct {
    bool any;     /* call has such kernels */
    bool attends; /* attention makes its products so, in bf16 */
    MachineProduct shape;
    bool rounds; /* a result is stored as bf16 */
    /* A kernel each, behind those of the plan; then one that multiplies what is packed, and for
     * each step between rows one that takes a left operand as it lies: with `rounds`, two each, the
     * second of which rounds its result. */
    VEC(ProductPack) packs;
    VEC(int64_t) directs;
    ProductCall *calls; /* of plan->calls */
} Products;

/* What an operand of so many terms is that is stored as bf16. */
ProductOperand products_narrow(const ProductPack *pack, uint64_t terms);
/* For the machine and the precision that it was planned for, in its arena. */
Products *schedule_products(const Plan *plan);
/* How its numbers are multiplied; PRODUCT_FMA where nothing is. */
static inline ProductWay products_way(const Products *p) {
    return p->any || p->attends ? p->shape.way : PRODUCT_FMA;
}
/* Kernels that they take. */
static inline uint32_t products_kernels(const Products *p) {
    return p->any ? p->packs.count + (1 + p->directs.count) * (1 + p->rounds) : 0;
}

#endif
