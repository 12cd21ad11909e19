/* How pieces of a value become pieces of what is made of it. */
#ifndef HCC_PASS_PIECES_AXIS_H
#define HCC_PASS_PIECES_AXIS_H

#include "tir/tir.h"

/* A run of axes, read as one (row-major). */
typedef struct {
    uint8_t axis, span;
} PieceAxes;

typedef enum {
    PIECES_NO,   /* the op wants the whole */
    PIECES_FREE, /* pieces of the operand make pieces of the result */
    PIECES_SUM,  /* the op folds over the axes: its result is a fold over pieces */
} PieceKind;

/* What `node` does with axes `of` of its operand k; for FREE, *to are the result's axes. A span of
 * more than one axis stands for pieces of one element along it. */
PieceKind pieces_follow(const TirBlock *block, const TirNode *node, uint32_t k, PieceAxes of,
                        PieceAxes *to);
/* The other way round: which axes of operand k are the result's axes `to`; false: none. */
bool pieces_source(const TirBlock *block, const TirNode *node, uint32_t k, PieceAxes to,
                   PieceAxes *of);
/* Whether operand k is the same for all places along the result's axes `of`. */
bool pieces_independent(const TirBlock *block, const TirNode *node, uint32_t k, PieceAxes of);
/* For SUM over axes `of` of operand k: which axes of the other operand go along; false: none. */
bool pieces_partner(const TirBlock *block, const TirNode *node, uint32_t k, PieceAxes of,
                    PieceAxes *partner);
uint64_t pieces_extent(const TirType *type, PieceAxes of);

#endif
