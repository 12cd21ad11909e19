/* What the files of tir/ share and nobody else needs. */
#ifndef HCC_TIR_INTERNAL_H
#define HCC_TIR_INTERNAL_H

#include "tir/tir.h"

/* Enough for any tensor a machine can hold; sums of a few of its sizes fit 64 bits. */
#define TIR_MAX_ELEMENTS ((uint64_t)1 << 40)

/* A node being formed: op, operands and attributes are given, and in `type` whatever the op cannot
 * know by itself (the shape of a view's result, the domain of a sum, the element of a constant). */
typedef struct {
    const TirProgram *program;
    const TirBlock *block;
} TirShapeContext;

/* Completes node->type (and the result types of many-valued ops), or returns what is wrong. */
typedef const char *TirShapeRule(const TirShapeContext *s, TirNode *node);

#define OP(ident, ...) TirShapeRule tir_shape_##ident;
#include "tir/tir_ops.def"

/* The op's shape rule, then dependence: NULL, or the message. */
const char *tir_infer(const TirProgram *p, const TirBlock *block, TirNode *node);

/* Checks, hash-conses and appends; no folding. node->operands may be temporary. */
TirId tir_append(TirBuilder *b, TirNode *node);
/* The same without the check; for a node that tir_infer has completed. */
TirId tir_insert(TirBuilder *b, TirNode *node);

_Noreturn void tir_fault(const TirBuilder *b, TirOp op, const char *message);

/* The first value of a body that is not computed at one position by itself; NULL: none. */
const TirNode *tir_sees_others(const TirProgram *p, const TirBlock *body);

int tir_op_arity(TirOp op);

/* Words that stand for a type, at most 1 + TIR_MAX_RANK; returns how many. */
uint32_t tir_type_words(uint32_t *to, const TirType *t);
uint64_t tir_node_hash(const TirNode *node);
bool tir_node_equal(const TirNode *a, const TirNode *b);

#endif
