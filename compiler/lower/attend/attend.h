/* Kernels of softmax attention over positions, tiled; no T x T matrix is ever in memory. */
#ifndef HCC_LOWER_ATTEND_ATTEND_H
#define HCC_LOWER_ATTEND_ATTEND_H

#include "machine/machine.h"
#include "nest/nest.h"

/* Instances are [sample][position], of q, o and lse those of the kernel's space, of k and v of one
 * of their own, perhaps; q[heads][e], k[key_heads][e], v[key_heads][f] each. Head h
 * attends to key head h / (heads / key_heads); heads is a multiple of key_heads. */
typedef struct {
    uint32_t heads, key_heads, e, f;
    bool causal;  /* position t sees positions <= t */
    double scale; /* of the scores */
    NestElem elem;
    const NestElem *stored; /* of the argument buffers, in their order; NULL: all as `elem` */
    uint16_t lanes;
    uint32_t columns; /* vectors of queries that a tile is wide: 1 to 4 */
    /* How products are made that round their operands to bf16; NULL: in `elem`, and queries in
     * lanes. Then f32. */
    const MachineProduct *product;
    uint32_t longest;          /* positions that there are at most; 0: not known */
    uint32_t distances, start; /* of the bias, `start` of which is that of 0; 0: there is none */
    uint8_t key_space;         /* whose positions keys and values have; 0: the queries' */
} AttendShape;

/* Tasks: samples * heads ("per_sample" = heads). Argument buffers, in order:
 *   q   k   v   bias[heads][distances], of all instances, where there is one   read
 *   o[heads][f]   lse[heads]: logarithm of the sum of exp(scale q.k + bias)   written
 * A key whose score is -inf does not count; where none does, o and lse are 0. */
NestKernel *attend_forward(Arena *arena, const AttendShape *shape);
/* Tasks: samples * key_heads ("per_sample" = key_heads). Argument buffers, in order:
 *   q   k   v   o   lse   gradient of o   bias, where there is one   read
 *   dq   dk   dv   dbias[sample]   written (whole, nothing needs to be zero before) */
NestKernel *attend_backward(Arena *arena, const AttendShape *shape);

#endif
