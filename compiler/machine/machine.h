/* A processor, as far as it decides how a model is computed: what planning, schedules and lowering
 * choose by, each with its reason. machine_of fills a record, and nothing else does; whoever
 * decides has it as a constant. Counts that are compared with extents are limits: see limits.def.
 */
#ifndef HCC_MACHINE_MACHINE_H
#define HCC_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* How a matrix product is made of f32 numbers: by products and sums of them, of pairs of bf16, of
 * two rows and columns of four bf16, or of tiles of bf16. */
typedef enum { PRODUCT_FMA, PRODUCT_DOT, PRODUCT_MATRICES, PRODUCT_TILES } ProductWay;

typedef struct {
    ProductWay way;
    uint16_t lanes;                   /* of a vector of f32 */
    uint32_t rows, columns;           /* of the result that registers hold */
    uint32_t left_group, right_group; /* terms of a sum side by side in a packed operand */
    uint32_t bytes;                   /* of a packed number */
    uint32_t depth;        /* terms that are packed at a time, HC_PANEL_BYTES / bytes at most */
    uint32_t block, width; /* rows and columns of a task: what a cache of its own holds */
} MachineProduct;

typedef struct Machine {
    /* Of the processor compiled for. */
    uint32_t vector_bytes;     /* 0: not known, as when a plan is made */
    uint32_t vector_registers; /* that vectors may live in */

    bool fma;                   /* multiplies and adds at once */
    bool dots, matrices, tiles; /* products of pairs of bf16, of two by four, and of tiles */

    /* Of its caches: about the same in every processor there is code for. */
    uint32_t cache_line;     /* bytes */
    uint32_t same_sets;      /* bytes: rows so far apart share a sixteenth of a cache's sets */
    uint64_t ahead_bytes;    /* fetched ahead at most: half a second-level cache */
    uint64_t packed_bytes;   /* of a kernel's arrays in packed order: a thread's share of a cache */
    uint64_t streamed_bytes; /* outputs from this size on have left the caches before they are read,
                                and are written past them */

    /* One core's with AVX-512; only their ratios decide anything. A core does not overlap its bytes
     * with its arithmetic: a call takes the sum of both. */
    double bytes_a_second;   /* read or written by a kernel */
    double kernel_a_second;  /* operations in kernels */
    double product_a_second; /* operations in matrix products, bytes and all */
    double attend_a_second;  /* operations in attention, bytes and all */
} Machine;

/* 0, 0: of no processor in particular. No registers: as many as most have, 32. */
Machine machine_of(uint32_t vector_bytes, uint32_t vector_registers);

/* Vectors that a loop of dot products adds up in, for each of so many positions at a time; for one,
 * a loop more would cost more than registers that go to memory. */
uint32_t machine_fold_accumulators(const Machine *m, uint32_t positions);
/* The same of a loop whose results leave the registers at its end. */
uint32_t machine_block_accumulators(const Machine *m);
/* Vectors of queries that attention takes at a time, with four keys to each. */
uint32_t machine_attend_columns(const Machine *m);

/* Whether kernels of our own multiply matrices at least as fast as a library does. */
bool machine_has_products(const Machine *m);
/* Elements that one side of such a product needs, where the others have PRODUCT_SIDE or more. */
uint32_t machine_product_thin(const Machine *m, bool bf16);
/* Of products of f32 numbers, or of them rounded to bf16. */
MachineProduct machine_product(const Machine *m, bool bf16);

extern const char *const machine_product_ways[]; /* "fma", "dot", ...: as manifests say it */
/* With what they multiply, for people. */
const char *machine_product_text(const Machine *m, bool bf16);
/* A line a fact, each with the indent. */
void machine_print(const Machine *m, const char *indent, FILE *to);

#endif
