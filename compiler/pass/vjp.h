/* Reverse mode inside one block: what the derivative rules (vjp_*.c) and their driver (vjp.c)
 * share. */
#ifndef HCC_PASS_VJP_H
#define HCC_PASS_VJP_H

#include "pass/pass.h"

typedef struct VjpTerm VjpTerm; /* one contribution to a value's adjoint */

/* A loop that was rebuilt to stack values for its adjoint: users of `old` may use `with_stacks`,
 * whose first results are the same. */
typedef struct {
    TirId old, with_stacks;
} VjpReplaced;
typedef VEC(VjpReplaced) VjpReplacedVec;

typedef struct {
    TirBuilder *b; /* appends to the block that is differentiated */
    Arena *scratch;
    TirId limit;     /* ids below are differentiated */
    bool *active;    /* by id: depends on something whose gradient is wanted */
    VjpTerm **terms; /* by id: contributions, latest first */
    TirId **results; /* by id, of many-valued ops: the adjoint of each result, or NULL */
    VjpReplacedVec replaced;
} Vjp;

/* A derivative rule: distributes `g`, the adjoint of `id` (of the node's shape, in its domain or an
 * outer one; 0 for many-valued ops, see vjp->results), to the operands. `node` is a copy. */
typedef void VjpRule(Vjp *v, TirId id, const TirNode *node, TirId g);
#define OP(ident, ...) VjpRule tir_grad_##ident;
#include "tir/tir_ops.def"

void vjp_begin(Vjp *v, TirBuilder *b, TirId limit, uint32_t n, const TirId *wrt, Arena *scratch);
/* Starts from `value` with `seed`, given over domain `from` (the value's own, or an inner one). */
void vjp_seed(Vjp *v, TirId value, TirId seed, TirDomain from);
/* Gradients of wrt[k], 0 where there is no path. Call once. */
void vjp_finish(Vjp *v, uint32_t n, const TirId *wrt, TirId *gradients);

bool vjp_wants(const Vjp *v, TirId operand);
/* Of a node whose body runs over and over, by operand: whether its gradient is wanted, of the
 * `carried` first ones through any number of turns. */
void vjp_find_active(const Vjp *v, const TirNode *node, const TirBlock *body, uint32_t carried,
                     bool *active);
/* Adds a contribution given over domain `from`, of the operand's shape, or of any if the operand
 * has rank 0: what the operand repeats over is summed. */
void vjp_add(Vjp *v, TirId operand, TirId contribution, TirDomain from);
/* Contributions in order of arrival, summed from the left; 0: none. */
TirId vjp_sum(Vjp *v, TirId id);

static inline const TirType *vjp_type(const Vjp *v, TirId id) {
    return &v->b->block->nodes.at[id].type;
}

/* `c` has one axis a label of `have`; the tensor of shape dims whose axis k is labels[k]: axes with
 * unknown labels repeat, and two axes of one label hold c on their diagonal, 0 elsewhere. */
TirId vjp_embed(TirBuilder *b, TirId c, uint32_t n_have, const uint8_t *have, uint32_t rank,
                const uint32_t *dims, const uint8_t *labels);
TirId vjp_zeros(TirBuilder *b, const TirType *like);

#endif
