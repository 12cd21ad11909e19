/* What finding pieces and building with them share. */
#ifndef HCC_PASS_PIECES_INTERNAL_H
#define HCC_PASS_PIECES_INTERNAL_H

#include "machine/limits.h"
#include "pass/gemm_match.h"
#include "pass/pieces_axis.h"
#include "pass/rebuild.h"

/* Where a value is cut along axes: piece k is elements starts[k] .. starts[k + 1]. */
typedef struct {
    PieceAxes axes;
    uint32_t n; /* 0: not at all */
    const uint32_t *starts;
    bool window; /* pieces are shifts: each would have to be stored for a matrix product */
} Cut;

/* A value that is cut like its operand k along `of`: FREE, along axes of its own; SUM, it folds
 * over what the cut pieces give. */
typedef struct {
    PieceKind kind;
    uint32_t k;
    PieceAxes of;
    Cut cut; /* FREE: of the result; SUM: of the operand */
} Along;

/* How all users together read a value. */
typedef struct {
    enum { READ_NOT, READ_SLICES, READ_WHOLE } how;
    uint8_t axis;
    uint8_t *cuts; /* by element along the axis: a slice begins here */
} Reading;

typedef struct {
    const TirBlock *from;
    TirBuilder b;
    Arena *scratch;
    uint32_t least; /* elements of a piece */
    /* by old id: */
    bool *apart;         /* a CONCAT that all users can take apart */
    Along *along;        /* the operand it is cut like; cut.n 0: none */
    Cut *cut;            /* the pieces that stand for it; n 0: it is one */
    Reading *reading;    /* of values that are not cut */
    TirId *whole;        /* new id, 0 while it is not built */
    const TirId **parts; /* new ids of its pieces, or NULL */
} Cutter;

static inline const TirNode *pieces_old(const Cutter *c, TirId id) {
    return tir_node(c->from, id);
}

/* pieces_find.c: fills apart, along, cut and reading. */
void pieces_find(Cutter *c, const TirProgram *p);
bool pieces_are_product(const Cutter *c, TirId id, GemmPattern *pattern);
/* A contraction that sums over positions, too. */
bool pieces_sum_instances(const Cutter *c, TirId id);
/* How a value whose users all read slices of it is cut; false when it had better not be. */
bool pieces_in_slices(Cutter *c, TirId id, Along *along);

#endif
